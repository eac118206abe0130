//! Virtual time: microseconds since the world began.
//!
//! The router's clock counts milliseconds, from a zero of its own (`routing`). It sees virtual time rounded down, so a
//! moment that it asks to be woken at is a whole millisecond there and the same moment here.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A moment, in microseconds since the world began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(u64);

impl Time {
    /// The world's beginning.
    pub const ZERO: Self = Self(0);

    /// The moment `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The moment `secs` seconds after the beginning.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000_000)
    }

    /// Microseconds since the beginning.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// How long after an `earlier` moment this is; nothing if it is before that.
    pub(crate) const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// A host's clock at this moment.
    pub(crate) const fn stack(self) -> smoltcp::time::Instant {
        smoltcp::time::Instant::from_micros_const(self.0 as i64)
    }

    /// The moment at which a host's clock shows `instant`.
    pub(crate) const fn from_stack(instant: smoltcp::time::Instant) -> Self {
        Self(instant.total_micros().unsigned_abs())
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.as_micros() as u64))
    }
}

/// Seconds with six decimals, as tcpdump prints them.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000))
    }
}
