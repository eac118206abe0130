//! The engine's clock: milliseconds since some fixed moment, never going back (RFC-free, but see T14).
//!
//! Callers read a monotonic clock and pass [`Instant`]s in; tests and the simulator pass whatever they like.
//! Tables keep only the low 32 bits ([`Stamp`]) to stay small. They wrap every 49.7 days, which is safe because
//! no stamp is ever compared more than [`Stamp::HORIZON`] away from now: see `wheel.rs` for who guarantees it.

use core::ops::Add;
use core::time::Duration;

/// A moment on a monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The moment `millis` milliseconds after the clock's zero.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's zero.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` until `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.as_millis() as u64))
    }
}
