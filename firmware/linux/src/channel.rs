//! Streams of bytes that an operator speaks by: a Unix socket, or a serial port among the consoles; and what one sleeps on until
//! something comes by one.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write, WriteReady};
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, fchmod, lstat, unlink};
use rustix::io::{Errno, fcntl_dupfd_cloexec, read, write};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, socket_with,
};

use crate::error::{Error, Failure};

/// What is woken by streams; [`crate::Events`] sleeps on it.
#[derive(Debug)]
pub struct Wakeup(OwnedFd);

impl Wakeup {
    /// One that nothing wakes yet.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel has no descriptor left.
    pub fn open() -> Result<Self, Error> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC).map_err(Failure::of("epoll_create"))?))
    }

    fn add(&self, source: &OwnedFd) -> Result<(), Errno> {
        epoll::add(&self.0, source, epoll::EventData::new_u64(0), epoll::EventFlags::IN)
    }

    /// Wakes whenever something can be read from a stream, until that is closed.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel refuses.
    pub fn watch(&self, stream: &Stream) -> Result<(), Error> {
        Ok(self.add(&stream.0).map_err(Failure::of("epoll_ctl"))?)
    }

    /// The same one, for whoever sleeps on it.
    pub(crate) fn share(&self) -> Result<OwnedFd, Failure> {
        fcntl_dupfd_cloexec(&self.0, 0).map_err(Failure::of("dup"))
    }
}

/// A Unix socket that waits for the operator's tool.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl Listener {
    /// Waits at `path`, for who has the same user, or is root. What was left there by a program that is no more, is taken away.
    ///
    /// # Errors
    /// [`Error::Socket`] if the kernel refuses: there is something else at that path, or somebody who listens. That stays.
    pub fn open(path: &[u8], wakeup: &Wakeup) -> Result<Self, Error> {
        Self::bound(path, wakeup).map_err(Error::Socket)
    }

    fn bound(path: &[u8], wakeup: &Wakeup) -> Result<Self, Failure> {
        let address = SocketAddrUnix::new(path).map_err(Failure::of("bind"))?;
        let open = || {
            let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
            let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
            // The file gets the mode that the socket has.
            fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
            Ok::<_, Errno>(socket)
        };
        let mut socket = open().map_err(Failure::of("socket"))?;
        if is_socket(path) && connect(&socket, &address) == Err(Errno::CONNREFUSED) {
            unlink(path).map_err(Failure::of("unlink"))?;
            socket = open().map_err(Failure::of("socket"))?;
        }
        bind(&socket, &address).map_err(Failure::of("bind"))?;
        listen(&socket, 4).map_err(Failure::of("listen"))?;
        wakeup.add(&socket).map_err(Failure::of("epoll_ctl"))?;
        Ok(Self { socket, address })
    }

    /// The next who has come.
    pub fn accept(&self, wakeup: &Wakeup) -> Option<Stream> {
        let stream = accept_with(&self.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).ok()?;
        wakeup.add(&stream).ok()?;
        Some(Stream(stream))
    }
}

/// Whether what is at a path is a socket. To connect to another file is refused as if it were one that nobody listens at.
fn is_socket(path: &[u8]) -> bool {
    lstat(path).is_ok_and(|facts| FileType::from_raw_mode(facts.st_mode) == FileType::Socket)
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = self.address.path_bytes() {
            // Whoever takes the path next takes it away, if we cannot.
            let _ = unlink(path);
        }
    }
}

/// Bytes both ways, neither of which is ever waited for.
#[derive(Debug)]
pub struct Stream(OwnedFd);

impl Stream {
    pub(crate) const fn of(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }

    fn is_ready(&self, flags: PollFlags) -> Result<bool, Broken> {
        let mut fds = [PollFd::from_borrowed_fd(self.as_fd(), flags)];
        match poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
            Ok(_) => Ok(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => Ok(false),
            Err(errno) => Err(Broken(errno)),
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What the kernel says of a stream that is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken(Errno);

impl core::fmt::Display for Broken {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        Failure::new("stream", self.0).fmt(f)
    }
}

impl core::error::Error for Broken {}

impl embedded_io::Error for Broken {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            Errno::PIPE => ErrorKind::BrokenPipe,
            Errno::CONNRESET => ErrorKind::ConnectionReset,
            _ => ErrorKind::Other,
        }
    }
}

impl ErrorType for Stream {
    type Error = Broken;
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Broken> {
        read(&self.0, buffer).map_err(Broken)
    }
}

impl ReadReady for Stream {
    fn read_ready(&mut self) -> Result<bool, Broken> {
        self.is_ready(PollFlags::IN)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        write(&self.0, bytes).map_err(Broken)
    }

    fn flush(&mut self) -> Result<(), Broken> {
        Ok(())
    }
}

impl WriteReady for Stream {
    fn write_ready(&mut self) -> Result<bool, Broken> {
        self.is_ready(PollFlags::OUT)
    }
}
