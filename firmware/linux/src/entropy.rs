//! Entropy from the kernel, once at start.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

use crate::error::{Error, Failure};

/// 32 bytes that nobody can guess. Waits for the kernel's pool if the machine has just booted.
///
/// # Errors
/// [`Error::System`] if the kernel has no `getrandom`.
pub fn seed() -> Result<[u8; 32], Error> {
    let mut seed = [0; 32];
    let mut filled = 0;
    while filled < seed.len() {
        match getrandom(&mut seed[filled..], GetRandomFlags::empty()) {
            Ok(bytes) => filled += bytes,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::new("getrandom", errno).into()),
        }
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_seeds_differ() {
        assert_ne!(super::seed(), super::seed());
    }
}
