//! The seed of a run, as a person writes it.
//!
//! A number of up to fifteen decimal digits, or the first sixteen hexadecimal digits of something longer, such as a
//! commit's hash. Each seed has one way to be written, so that what a run prints can be given to the next.

use std::fmt;
use std::str::FromStr;

/// How many hexadecimal digits a hash has at least, and how many of them count.
const HASH: usize = 16;

/// What decides everything that looks random in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seed(pub u64);

impl FromStr for Seed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seed = match text.get(..HASH) {
            Some(beginning) if text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                u64::from_str_radix(beginning, 16).ok()
            }
            Some(_) => None,
            None => Some(text).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok()),
        };
        seed.map(Self)
            .ok_or("write a number of up to 15 digits, or at least 16 hexadecimal digits of a commit's hash")
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10_u64.pow(HASH as u32 - 1) { self.0.fmt(f) } else { write!(f, "{:016x}", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_as_it_is_printed() {
        for seed in [0, 1, 999_999_999_999_999, 1_000_000_000_000_000, 0x58de_6da0_1234_5678, u64::MAX] {
            assert_eq!(Seed(seed).to_string().parse(), Ok(Seed(seed)));
        }
    }

    #[test]
    fn a_commits_hash_is_a_seed() {
        let hash = "58de6dab29f3b0d0a8b8a3a2b6c1e7f5d4c3b2a1";
        assert_eq!(hash.parse(), Ok(Seed(0x58de_6dab_29f3_b0d0)));
        for wrong in ["", "x", "58de6da", "-1", "+1", "58de6dab29f3b0dx"] {
            assert!(wrong.parse::<Seed>().is_err(), "{wrong}");
        }
    }
}
