//! Why a command of ours ends without success, whichever program it belongs to.

use std::fmt;
use std::io;

/// Why a command ends without success.
#[derive(Debug)]
pub enum Failure {
    /// The input is wrong.
    Input(String),
    /// A file could not be read or written.
    Operation(String),
}

impl Failure {
    /// A file, or what stands for one, that cannot be read.
    pub fn to_read(name: impl fmt::Display, error: &io::Error) -> Self {
        Self::Operation(format!("{name}: cannot read: {error}"))
    }

    /// A file, or what stands for one, that cannot be written.
    pub fn to_write(name: impl fmt::Display, error: &io::Error) -> Self {
        Self::Operation(format!("{name}: cannot write: {error}"))
    }

    /// 1 for an operation that failed, 2 for wrong input.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Operation(_) => 1,
            Self::Input(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Input(message) | Self::Operation(message)) = self;
        f.write_str(message)
    }
}
