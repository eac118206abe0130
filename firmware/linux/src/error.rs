//! What can go wrong between us and the kernel, as a tree of named causes.
//!
//! An [`Error`] says what, where and, where there is one, the way out. It is made at start, or when a port comes back;
//! losing a single frame is no error but a counter (`stats.rs`).

use core::fmt;

use rustix::io::Errno;

use crate::interface::Name;

/// Why an operation of this crate failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The text cannot be the name of an interface (1 to 15 bytes, no `/`, no blank).
    NotAName,
    /// A port could not be taken.
    Interface(Name, InterfaceError),
    /// The kernel refused something that has nothing to do with one interface.
    System(Failure),
    /// The socket to listen at cannot be.
    Socket(Failure),
    /// The file is longer than the buffer that was to hold it.
    TooLong,
}

/// Why an interface could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceError {
    /// There is no interface of that name.
    Absent,
    /// It does not carry Ethernet frames.
    NotEthernet,
    /// The program may not open packet sockets.
    NotPermitted,
    /// A system call failed in another way.
    Failed(Failure),
}

/// A system call and its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    call: &'static str,
    errno: Errno,
}

impl Failure {
    pub(crate) const fn new(call: &'static str, errno: Errno) -> Self {
        Self { call, errno }
    }

    #[cfg(test)]
    pub(crate) const fn errno(self) -> Errno {
        self.errno
    }

    /// The same for a call that rustix does not know.
    pub(crate) fn of_raw(call: &'static str) -> impl FnOnce(syscalls::Errno) -> Self {
        move |errno| Self { call, errno: Errno::from_raw_os_error(errno.into_raw()) }
    }

    /// A closure for `map_err`, so that a call site names its call once.
    pub(crate) fn of(call: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { call, errno }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::System(failure)
    }
}

impl From<Failure> for InterfaceError {
    fn from(failure: Failure) -> Self {
        match failure.errno {
            Errno::NODEV | Errno::NXIO => Self::Absent,
            Errno::PERM | Errno::ACCESS => Self::NotPermitted,
            _ => Self::Failed(failure),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAName => f.write_str("not an interface name: it has 1 to 15 bytes, no '/' and no blank"),
            Self::Interface(name, error) => write!(f, "{name}: {error}"),
            Self::System(failure) => failure.fmt(f),
            Self::Socket(failure) => write!(f, "{failure}; name another socket"),
            Self::TooLong => f.write_str("the file is too long"),
        }
    }
}

impl fmt::Display for InterfaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such interface; `ip link` lists those of this network namespace"),
            Self::NotEthernet => {
                f.write_str("not an Ethernet interface; name another one in the configuration")
            }
            Self::NotPermitted => f.write_str("not permitted; run as root or with CAP_NET_RAW"),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match words(self.errno) {
            Some(words) => write!(f, "{}: {words}", self.call),
            None => write!(f, "{}: error {} of the kernel", self.call, self.errno.raw_os_error()),
        }
    }
}

/// Words for the errors an operator meets; without `std` nobody else has them.
fn words(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NOENT => "no such file",
        Errno::ISDIR => "that is a directory",
        Errno::PERM | Errno::ACCESS => "not permitted",
        Errno::ADDRINUSE => "there is something there already",
        Errno::NOMEM | Errno::NOBUFS => "out of memory",
        Errno::NAMETOOLONG => "the name is too long",
        Errno::MFILE | Errno::NFILE => "too many open files",
        Errno::NOSYS | Errno::OPNOTSUPP | Errno::NOPROTOOPT => "this kernel does not offer it",
        _ => return None,
    })
}
