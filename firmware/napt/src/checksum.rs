//! The Internet checksum and its incremental update (RFC 1071, RFC 1624).
//!
//! A translation never recomputes a checksum: it adds up what changed, once, as a [`Delta`], and applies that to every
//! field that covers the change. Corruption on the way in therefore stays corruption on the way out.
//!
//! One's complement sums do not care for byte order (RFC 1071 s.2B), so words are summed as they lie in memory; and
//! since 2^16, 2^32 and 2^48 are all congruent to 1, they are summed by twos and fours where that is quicker.

/// The one's complement sum of a change: for every 16-bit word `m` that became `m'`, `~m + m'` (RFC 1624 equation 3).
///
/// All words that go into a delta, and the checksum it is applied to, have to be read in the same byte order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delta(u64);

impl Delta {
    /// Nothing has changed.
    pub const NONE: Self = Self(0);

    /// The word `old` has become `new`.
    #[inline]
    pub const fn word(old: u16, new: u16) -> Self {
        Self(!old as u64 + new as u64)
    }

    /// The address, or any other two words, `old` has become `new`. In native byte order, as they lie in memory.
    #[inline]
    pub const fn address(old: [u8; 4], new: [u8; 4]) -> Self {
        Self(!u32::from_ne_bytes(old) as u64 + u32::from_ne_bytes(new) as u64)
    }

    /// Both changes. There is room for more than four billion words.
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    /// The checksum after the change, from the one before: `HC' = ~(~HC + ~m + m')` (RFC 1624 equation 3).
    #[inline]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(self.0 + !checksum as u64)
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
        fold(self.0 + sum as u64)
    }
}

/// The Internet checksum of `bytes`, as it stands in a header whose checksum field was zero; zero over a whole
/// header, field included, when the field is right (RFC 1071).
#[inline]
pub fn checksum(bytes: &[u8]) -> u16 {
    u16::from_be(!fold(sum(bytes)))
}

/// Whether this is the [`sum`] of something that a right checksum is part of: it folds to 0xFFFF, which is to say that
/// it is a multiple of that. A sum of nothing but zeros is, too, but no header is all zero.
#[inline]
pub(crate) const fn is_whole(sum: u64) -> bool {
    sum.is_multiple_of(0xFFFF)
}

/// The same as [`sum`] of a header without options, without a loop.
#[inline(always)]
pub(crate) fn sum_of_header(header: &[u8; 20]) -> u64 {
    let (eights, rest) = header.as_chunks::<8>();
    let eight = |at: usize| eights.get(at).map_or(0, |eight| u64::from_ne_bytes(*eight));
    let four = rest.first_chunk().map_or(0, |four| u64::from(u32::from_ne_bytes(*four)));
    let (sum, carry) = eight(0).overflowing_add(eight(1));
    let (sum, carry) = sum.carrying_add(four, carry);
    sum + u64::from(carry)
}

/// The uninverted, unfolded sum of the words of `bytes`; an odd last byte is followed by a zero.
#[inline]
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let (fours, rest) = bytes.as_chunks::<4>();
    let whole: u64 = fours.iter().map(|four| u64::from(u32::from_ne_bytes(*four))).sum();
    let mut last = [0; 4];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    whole + u64::from(u32::from_ne_bytes(last))
}

/// A sum with all its carries added back in. Zero only if every word was.
#[inline]
const fn fold(sum: u64) -> u16 {
    // Added to itself turned by half, a number is twice the sum of both halves; its upper one has the carry of the lower.
    let half = (sum.wrapping_add(sum.rotate_left(32)) >> 32) as u32;
    (half.wrapping_add(half.rotate_left(16)) >> 16) as u16
}
