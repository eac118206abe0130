//! The engine's clock: milliseconds since some fixed moment, never going back.
//!
//! Callers read a monotonic clock and pass [`Instant`]s in; tests and the simulator pass what they like. Tables keep
//! only the low 32 bits, a [`Stamp`], to stay small. Stamps wrap every 49.7 days, which is safe because one is never
//! compared with a moment further away than 24 days: no timer is longer than [`Stamp::LONGEST`], and the wheel
//! meets every live session at least once a minute.

use core::ops::Add;
use core::time::Duration;

/// A moment on a monotonic clock, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

impl Instant {
    /// The clock's zero.
    pub(crate) const ZERO: Self = Self(0);

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

/// The low 32 bits of an [`Instant`]: what a table keeps of a deadline.
#[derive(Clone, Copy)]
pub(crate) struct Stamp(u32);

impl Stamp {
    /// The longest timer: far enough below half of the wrap that "before" and "after" cannot be confused.
    pub(crate) const LONGEST: Duration = Duration::from_secs(20 * 24 * 3600);

    pub(crate) const ZERO: Self = Self(0);

    /// The stamp that [`Stamp::word`] was had from.
    pub(crate) const fn of_word(word: u32) -> Self {
        Self(word)
    }

    /// All there is to it.
    pub(crate) const fn word(self) -> u32 {
        self.0
    }

    /// The deadline `millis` after `now`.
    pub(crate) const fn after(now: Instant, millis: u32) -> Self {
        Self((now.0 as u32).wrapping_add(millis))
    }

    /// Milliseconds from `now` until this deadline; zero or less once it has passed.
    pub(crate) const fn remaining(self, now: Instant) -> i32 {
        self.0.wrapping_sub(now.0 as u32) as i32
    }

    /// Whether this deadline is reached before another one is.
    pub(crate) const fn is_before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// Whether the deadline has been reached.
    pub(crate) const fn passed(self, now: Instant) -> bool {
        (now.0 as u32).wrapping_sub(self.0) as i32 >= 0
    }
}
