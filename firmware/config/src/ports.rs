//! Ranges of ports that are never empty and never contain port 0.

use core::fmt;
use core::num::NonZeroU16;

use crate::Problem;

/// The ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: NonZeroU16,
    last: NonZeroU16,
}

impl PortRange {
    /// Every port there is: 1 to 65535.
    pub const ALL: Self = Self { first: NonZeroU16::MIN, last: NonZeroU16::MAX };

    /// The ports from `first` to `last`.
    ///
    /// # Errors
    /// [`Problem::EmptyRange`] if `last` comes before `first`.
    pub fn new(first: NonZeroU16, last: NonZeroU16) -> Result<Self, Problem> {
        if last < first {
            return Err(Problem::EmptyRange);
        }
        Ok(Self { first, last })
    }

    /// One port alone.
    pub const fn single(port: NonZeroU16) -> Self {
        Self { first: port, last: port }
    }

    /// The lowest port.
    pub const fn first(self) -> NonZeroU16 {
        self.first
    }

    /// The highest port.
    pub const fn last(self) -> NonZeroU16 {
        self.last
    }

    /// How many ports there are: 1 to 65535.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u16 {
        // At most 65534 + 1, because neither end is 0.
        self.last.get() - self.first.get() + 1
    }

    /// Whether `port` is in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first.get() <= port && port <= self.last.get()
    }

    /// Whether the two ranges have a port in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.first.get() <= other.last.get() && other.first.get() <= self.last.get()
    }

    /// The range of equal length that begins at `first`, or nothing if it would run past port 65535.
    pub fn shifted_to(self, first: NonZeroU16) -> Option<Self> {
        let last = first.checked_add(self.len() - 1)?;
        Some(Self { first, last })
    }
}

impl fmt::Display for PortRange {
    /// `80` or `5000-5099`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}
