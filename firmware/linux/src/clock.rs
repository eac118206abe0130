//! The clock: milliseconds since boot, never set, never going back, and running on through a suspend.

use rustix::thread::nanosleep;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds since boot. It costs no system call where the kernel offers a vDSO.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    // Since boot, neither part is negative.
    time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000
}

/// Does nothing for a while of less than a second.
pub fn pause(millis: u16) {
    let nanoseconds = i64::from(millis.min(999)) * 1_000_000;
    // Cut short by a signal, it was long enough.
    let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: nanoseconds as _ });
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_does_not_go_back() {
        let first = super::now();
        assert!(super::now() >= first);
    }
}
