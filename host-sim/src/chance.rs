//! What looks random: streams of numbers that follow from the run's seed and a name.
//!
//! Whoever draws, a node, a link or the scenario, has a *stream* of its own under its own name. So another node in the
//! network, or one more draw in one place, leaves all other streams as they were, and with them the run's other half.
//!
//! A [`Chance`] is a whole number of millionths: no float decides anything, so that every machine decides the same.

use core::hash::Hasher as _;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use siphasher::sip::SipHasher24;

/// How likely something is, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(u32);

impl Chance {
    /// What never happens.
    pub const NEVER: Self = Self(0);

    /// What always happens, in millionths.
    pub const ALWAYS: u32 = 1_000_000;

    /// So many times in a million; more than a million is always.
    pub const fn per_million(times: u32) -> Self {
        Self(if times < Self::ALWAYS { times } else { Self::ALWAYS })
    }

    /// How many times in a million.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

/// The numbers that one drawer draws.
#[derive(Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream of `name` in the run of `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut key = [0; 32];
        for (part, bytes) in key.chunks_exact_mut(8).enumerate() {
            let mut hasher = SipHasher24::new_with_keys(seed, part as u64);
            hasher.write(name.as_bytes());
            bytes.copy_from_slice(&hasher.finish().to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Any number.
    pub fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The upper half of the product: each number has its share of the 2^64, give or take one.
        ((u128::from(self.word()) * u128::from(limit)) >> 64) as u64
    }

    /// Whether it happens this time. What cannot happen costs no draw.
    pub fn happens(&mut self, chance: Chance) -> bool {
        chance > Chance::NEVER && self.below(u64::from(Chance::ALWAYS)) < u64::from(chance.0)
    }

    /// One of several, of which there is at least one.
    pub fn choose<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len() as u64) as usize]
    }

    /// Thirty-two bytes for whoever wants entropy.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_from_seed_and_name_alone() {
        let draw = |seed, name| [0; 4].map(|_: u64| Stream::new(seed, name).word());

        assert_eq!(draw(1, "lan"), draw(1, "lan"));
        assert_ne!(draw(1, "lan"), draw(1, "wan"));
        assert_ne!(draw(1, "lan"), draw(2, "lan"));
    }

    #[test]
    fn what_happens_once_in_four_does_so_about_as_often() {
        let mut stream = Stream::new(1, "coin");
        let times = (0..10_000).filter(|_| stream.happens(Chance::per_million(250_000))).count();

        assert!((2_300..2_700).contains(&times), "{times}");
        assert!((0..1_000).all(|_| !stream.happens(Chance::NEVER)));
        assert!((0..1_000).all(|_| stream.happens(Chance::per_million(Chance::ALWAYS))));
    }
}
