//! The Internet checksum and its incremental update (RFC 1071, RFC 1624).
//!
//! A translation never recomputes a checksum: it adds up what changed, once, as a [`Delta`], and applies that to every
//! field that covers the change. Corruption on the way in therefore stays corruption on the way out.

/// The one's complement sum of a change: for every 16-bit word `m` that became `m'`, `~m + m'` (RFC 1624 equation 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta(u32);

impl Delta {
    /// Nothing has changed.
    pub const NONE: Self = Self(0);

    /// The word `old` has become `new`.
    #[inline]
    pub const fn word(old: u16, new: u16) -> Self {
        Self(!old as u32 + new as u32)
    }

    /// The address, or any other two aligned words, `old` has become `new`.
    #[inline]
    pub const fn address(old: [u8; 4], new: [u8; 4]) -> Self {
        let [a, b, c, d] = old;
        let [e, f, g, h] = new;
        let first = Self::word(u16::from_be_bytes([a, b]), u16::from_be_bytes([e, f]));
        first.and(Self::word(u16::from_be_bytes([c, d]), u16::from_be_bytes([g, h])))
    }

    /// Both changes. At most 65,535 words may be added up before the sum is used: a packet has fewer.
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The checksum after the change, from the one before: `HC' = ~(~HC + ~m + m')` (RFC 1624 equation 3).
    #[inline]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(!checksum as u32 + fold(self.0) as u32)
    }

    /// The same for a UDP checksum field: zero means "none" and stays, and a sum of zero is sent as all ones (RFC 768).
    #[inline]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        match checksum {
            0 => 0,
            checksum => match self.apply(checksum) {
                0 => 0xFFFF,
                updated => updated,
            },
        }
    }

    /// The same for an unfinished checksum: the field holds the plain, uninverted sum of the pseudo-header.
    #[inline]
    pub const fn apply_partial(self, sum: u16) -> u16 {
        fold(sum as u32 + fold(self.0) as u32)
    }
}

/// The Internet checksum of `bytes`, as it stands in a header whose checksum field was zero; zero over a whole
/// header, field included, when the field is right (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    !fold64(sum(bytes))
}

/// The uninverted, unfolded sum of big-endian words; an odd last byte counts as the high half of a word.
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let whole: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    whole + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

const fn fold(sum: u32) -> u16 {
    let once = (sum & 0xFFFF) + (sum >> 16);
    ((once & 0xFFFF) + (once >> 16)) as u16
}

const fn fold64(sum: u64) -> u16 {
    let once = (sum & 0xFFFF_FFFF) + (sum >> 32);
    let twice = (once & 0xFFFF_FFFF) + (once >> 32);
    fold(twice as u32)
}
