//! The clock: milliseconds since boot, never set, never going back, and running on through a suspend.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since boot. It costs no system call where the kernel offers a vDSO.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    // Since boot, neither part is negative.
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_does_not_go_back() {
        let first = super::now();
        assert!(super::now() >= first);
    }
}
