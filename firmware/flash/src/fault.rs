//! Everything that can be wrong with a slot, by name, and with a write.

use core::fmt;

use embedded_io::ErrorKind;

/// One of the two slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The one that is first on the device, and the first to be written.
    First,
    /// The other.
    Second,
}

/// Why a slot is not booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The slot.
    pub slot: Slot,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nothing is in it: it was never written, or its writing was cut short.
    Blank,
    /// It does not begin with the four letters of a slot.
    WrongMagic,
    /// Its format, given here, is not one this program knows.
    UnsupportedFormat(u16),
    /// The header's CRC-32 does not match its bytes.
    DamagedHeader,
    /// The header is sound, but speaks of a longer blob than there can be.
    TooLong,
    /// The blob's CRC-32 is not the one that the header has.
    DamagedBlob,
    /// The blob is as it was written, but not a configuration that this program takes.
    Refused(config::Error),
    /// The box was booted with it [`TRIES`](crate::TRIES) times in a row, and not once ran long enough to say so.
    Failed,
    /// The device ends before the slot does.
    TooSmall,
    /// The device reports an error.
    Device(ErrorKind),
    /// What was read back is not what was written.
    NotKept,
}

/// Why nothing was written, or what was written does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The blob is not a configuration that this program takes. The device was not touched.
    Refused(config::Error),
    /// The slot that was to be written has this fault.
    Slot(Fault),
    /// The newest slot has the highest of all sequences. The device was not touched.
    NoSequenceLeft,
}

impl Slot {
    /// Both of them, in order.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Problem {
    /// The fault of a slot that has this problem.
    pub const fn of(self, slot: Slot) -> Fault {
        Fault { slot, problem: self }
    }
}

impl core::error::Error for Error {}

impl core::error::Error for Fault {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "not written: {error}"),
            Self::Slot(fault) => write!(f, "not written: {fault}"),
            Self::NoSequenceLeft => {
                f.write_str("not written: there is no higher sequence than the newest slot's")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, problem } = self;
        write!(f, "{slot} slot {problem}")
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Second => "second",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::UnsupportedFormat(format) => return write!(f, "has the unsupported format {format}"),
            Self::Refused(error) => return write!(f, "has a configuration that is refused: {error}"),
            Self::Device(kind) => return write!(f, "is on a device that reports {kind:?}"),
            Self::Blank => "is blank",
            Self::WrongMagic => "does not begin with SKSL",
            Self::DamagedHeader => "has a damaged header: wrong checksum",
            Self::TooLong => "has a header for a longer blob than there can be",
            Self::DamagedBlob => "has a damaged blob: wrong checksum",
            Self::Failed => "failed at three boots in a row",
            Self::TooSmall => "is cut short: the device ends before it does",
            Self::NotKept => "did not keep what was written: something else was read back",
        };
        f.write_str(text)
    }
}
