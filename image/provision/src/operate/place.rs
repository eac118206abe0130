//! Where a box listens: a Unix socket, a serial port, or an address on its lan.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, OptionalActions};

use crate::Failure;

/// The port that `lan-port` has in the examples.
const PORT: u16 = 7377;

/// The speed of a serial port, in bits a second.
const SPEED: u32 = 115_200;

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(5);

/// Where a box listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Unix socket or a serial port.
    File(PathBuf),
    /// An address, and a TCP port.
    Lan(String, u16),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Ok(Self::File(text.into()));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (
                host,
                port.parse().map_err(|_| format!("{port:?} is no port; write it like 192.0.2.254:{PORT}"))?,
            ),
            None => (text, PORT),
        };
        Ok(Self::Lan(host.to_owned(), port))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Lan(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

impl Place {
    pub(super) fn connect(&self) -> Result<Stream, Failure> {
        let connected = match self {
            Self::File(path) => open(path),
            Self::Lan(host, port) => reach(host, *port),
        };
        let refused = |error: io::Error| Failure::Operation(format!("{self}: cannot connect: {error}"));
        Ok(Stream(connected.map_err(refused)?))
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    if fs::metadata(path)?.file_type().is_socket() {
        return Ok(UnixStream::connect(path)?.into());
    }
    let file = File::options().read(true).write(true).open(path)?;
    let mut settings = termios::tcgetattr(&file)?;
    settings.make_raw();
    settings.set_speed(SPEED)?;
    termios::tcsetattr(&file, OptionalActions::Flush, &settings)?;
    Ok(file.into())
}

fn reach(host: &str, port: u16) -> io::Result<OwnedFd> {
    let mut last = io::Error::other("no such host");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECTING) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream.into());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A stream of bytes to a box.
#[derive(Debug)]
pub(super) struct Stream(OwnedFd);

impl Stream {
    pub(super) fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&self.0, bytes))?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// What comes within some time; nothing if nothing does, and no bytes if the other side has hung up.
    pub(super) fn read(&self, within: Duration) -> io::Result<Option<Vec<u8>>> {
        let within = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: within.subsec_nanos().into() };
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        if rustix::io::retry_on_intr(|| poll(&mut fds, Some(&within)))? == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; 4096];
        let len = rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut bytes[..]))?;
        bytes.truncate(len);
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_an_address() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(place("/run/sekisho.sock"), Ok(Place::File("/run/sekisho.sock".into())));
        assert_eq!(place("./box.sock"), Ok(Place::File("./box.sock".into())));
        assert_eq!(place("192.0.2.254"), Ok(Place::Lan("192.0.2.254".into(), PORT)));
        assert_eq!(place("router.lan:99"), Ok(Place::Lan("router.lan".into(), 99)));
        assert!(place("192.0.2.254:x").is_err());
    }
}
