//! SipHash-1-3 (Aumasson and Bernstein, 2012) of messages of one length each, which is what a table's keys are.
//!
//! A key's first step, its mixture with the four constants, is done once. A message is one word of 64 bits or two. In
//! the original the last byte of the last word is the message's length; where all messages of a key are of one length,
//! it tells nothing and may be data as well. The tests compare with the `siphasher` crate.

/// A 128-bit key, ready to absorb a message.
#[derive(Clone, Copy)]
pub(crate) struct Sip([u64; 4]);

impl Sip {
    pub(crate) const fn new(k0: u64, k1: u64) -> Self {
        Self([
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ])
    }

    /// The hash of a message of one word.
    #[inline(always)]
    pub(crate) const fn one(self, word: u64) -> u64 {
        self.absorb(word).finish()
    }

    /// The hash of a message of two words.
    #[inline(always)]
    pub(crate) const fn two(self, first: u64, second: u64) -> u64 {
        self.absorb(first).absorb(second).finish()
    }

    #[inline(always)]
    const fn finish(mut self) -> u64 {
        self.0[2] ^= 0xFF;
        let [v0, v1, v2, v3] = self.round().round().round().0;
        v0 ^ v1 ^ v2 ^ v3
    }

    #[inline(always)]
    const fn absorb(mut self, word: u64) -> Self {
        self.0[3] ^= word;
        self = self.round();
        self.0[0] ^= word;
        self
    }

    #[inline(always)]
    const fn round(self) -> Self {
        let [v0, v1, v2, v3] = self.0;
        let (v0, v2) = (v0.wrapping_add(v1), v2.wrapping_add(v3));
        let (v1, v3) = (v1.rotate_left(13) ^ v0, v3.rotate_left(16) ^ v2);
        let (v0, v2) = (v0.rotate_left(32).wrapping_add(v3), v2.wrapping_add(v1));
        let (v1, v3) = (v1.rotate_left(17) ^ v2, v3.rotate_left(21) ^ v0);
        Self([v0, v1, v2.rotate_left(32), v3])
    }
}

#[cfg(test)]
mod tests {
    use siphasher::sip::SipHasher13;

    use super::*;

    /// Words that look random, and two keys.
    fn words() -> impl Iterator<Item = [u64; 4]> {
        let mut word = 0x0123_4567_89AB_CDEF_u64;
        (0..1000).map(move |_| {
            [0, 1, 2, 3].map(|n| {
                word = word.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(n);
                word
            })
        })
    }

    #[test]
    fn a07_a_message_of_two_words_is_hashed_as_by_siphash_1_3() {
        for [k0, k1, first, last] in words() {
            let message = [first.to_le_bytes(), last.to_le_bytes()].concat();
            let expected = SipHasher13::new_with_keys(k0, k1).hash(&message[..15]);
            assert_eq!(Sip::new(k0, k1).two(first, last << 8 >> 8 | 15 << 56), expected);
        }
    }

    #[test]
    fn a07_a_message_of_one_word_is_hashed_as_by_siphash_1_3() {
        for [k0, k1, word, _] in words() {
            let expected = SipHasher13::new_with_keys(k0, k1).hash(&word.to_le_bytes()[..7]);
            assert_eq!(Sip::new(k0, k1).one(word << 8 >> 8 | 7 << 56), expected);
        }
    }
}
