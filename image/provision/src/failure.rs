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
    /// Whoever read what it prints reads no more. There is nothing to say about it.
    Unread,
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

    /// What is printed, and could not be: quietly, if its reader has seen enough.
    pub fn to_print(name: impl fmt::Display, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::to_write(name, error),
        }
    }

    /// 1 for an operation that failed, 2 for wrong input; 141, as if SIGPIPE had ended it, if nobody reads what it prints.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Operation(_) => 1,
            Self::Input(_) => 2,
            Self::Unread => 141,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(message) | Self::Operation(message) => f.write_str(message),
            Self::Unread => Ok(()),
        }
    }
}
