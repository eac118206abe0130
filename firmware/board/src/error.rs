//! Everything that can be wrong with a board, by name.
//!
//! An [`Error`] is either about the envelope (the bytes are not a blob of ours) or about one [`Field`], with the
//! [`Problem`] that field has. Modules are named by their index, counted from 0.

use core::fmt;

use crate::MAX_MODULES;

/// Why a board is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin with the four letters of a board: they are something else.
    WrongMagic,
    /// The blob's schema version, given here, is not the one this program knows.
    UnsupportedVersion(u16),
    /// The blob is shorter or longer than its own length field says, or than any blob may be.
    WrongLength,
    /// The blob's CRC-32 does not match its bytes: it was damaged.
    WrongChecksum,
    /// The settings inside a sound envelope cannot be read: cut short, too long, or of an unknown kind.
    MalformedBody,
    /// The settings are spelled in another way than [`Board::encode`](crate::Board::encode) spells them.
    NotCanonical,
    /// The buffer given to [`Board::encode`](crate::Board::encode) is too small.
    BufferTooSmall,
    /// One setting is wrong, alone or beside the others.
    Invalid(Field, Problem),
}

/// The setting an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// What the board is called.
    Name,
    /// The list of modules as a whole.
    Modules,
    /// The module with this index.
    Module(usize),
    /// Which device is towards the hosts we translate for.
    Lan,
    /// Which device is towards the Internet.
    Wan,
    /// The watchdog's device.
    Watchdog,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A setting that has no default is not there.
    Missing,
    /// Not a name for a board.
    NotABoardName,
    /// Not the absolute path of a file, or too long.
    NotAFilePath,
    /// Not a part of a device's path, or too long.
    NotAPathPart,
    /// An address that no Ethernet device has.
    NotADevicesAddress,
    /// The lan's device and the wan's are one.
    SameDevice,
    /// The module with this index is the same.
    Duplicate(usize),
    /// More than [`MAX_MODULES`] modules.
    TooMany,
}

impl Problem {
    /// The error that `field` has this problem.
    pub const fn with(self, field: Field) -> Error {
        Error::Invalid(field, self)
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongMagic => f.write_str("not a board: it does not begin with SKBD"),
            Self::UnsupportedVersion(version) => write!(f, "unsupported schema version {version}"),
            Self::WrongLength => f.write_str("wrong length: cut short, or with something behind it"),
            Self::WrongChecksum => f.write_str("wrong checksum: the board is damaged"),
            Self::MalformedBody => f.write_str("malformed body: the settings cannot be read"),
            Self::NotCanonical => f.write_str("not canonical: no tool of ours writes settings like this"),
            Self::BufferTooSmall => f.write_str("the buffer is too small for the board"),
            Self::Invalid(field, problem) => write!(f, "{field} {problem}"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Modules => f.write_str("modules"),
            Self::Module(index) => write!(f, "module {index}"),
            Self::Lan => f.write_str("lan"),
            Self::Wan => f.write_str("wan"),
            Self::Watchdog => f.write_str("watchdog"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Duplicate(other) => return write!(f, "is module {other} again"),
            Self::TooMany => return write!(f, "are more than {MAX_MODULES}"),
            Self::Missing => "is missing",
            Self::NotABoardName => "is not a name",
            Self::NotAFilePath => "is not an absolute path of at most 63 bytes",
            Self::NotAPathPart => "is not a part of a device's path",
            Self::NotADevicesAddress => "has an address that no device has",
            Self::SameDevice => "is the lan's device too",
        };
        f.write_str(text)
    }
}
