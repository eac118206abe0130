//! A partition of a disk, found by its name in the disk's table, to be read and written through `embedded-io`.
//!
//! What is flushed survives a power cut as far as the disk keeps its word, and what is read after that comes from the disk: its
//! pages are dropped from the cache.

use core::fmt;

use embedded_io::{ErrorKind, ErrorType, Read, Seek, SeekFrom, Write};
use rustix::fd::OwnedFd;
use rustix::fs::{self, Advice, Mode, OFlags, fadvise, fdatasync, open};
use rustix::io::{Errno, read, write};

use crate::directory::{self, Text};
use crate::error::{Error, Failure};

/// A partition.
#[derive(Debug)]
pub struct Partition {
    file: OwnedFd,
    name: Text,
}

/// What the kernel says of a partition that it cannot read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(Errno);

/// Finds two partitions by their names, both on the same disk. Nothing, if there are no such, yet.
///
/// # Errors
/// [`Error::System`] if they are there and cannot be opened.
pub fn pair(names: [&str; 2]) -> Result<Option<[Partition; 2]>, Error> {
    const CLASS: &str = "/sys/class/block";
    let find = |wanted: &str, disk: Option<&str>| {
        directory::each(CLASS, |device| {
            let uevent = Text::of(format_args!("{CLASS}/{device}/uevent"))?;
            let name = directory::value(uevent.as_str(), "PARTNAME")?;
            let place = directory::link(Text::of(format_args!("{CLASS}/{device}"))?.as_str())?;
            let own = place.as_str().rsplit_once('/')?.0;
            let is_it = name.as_str() == wanted && disk.is_none_or(|disk| disk == own);
            is_it.then_some((Text::of(format_args!("/dev/{device}"))?, Text::of(format_args!("{own}"))?))
        })
    };
    let [first, second] = names;
    let Some((first, disk)) = find(first, None)? else { return Ok(None) };
    let Some((second, _)) = find(second, Some(disk.as_str()))? else { return Ok(None) };
    match (Partition::open(first), Partition::open(second)) {
        (Ok(first), Ok(second)) => Ok(Some([first, second])),
        // It is known, but its file is not made yet.
        (Err(Errno::NOENT | Errno::NXIO), _) | (_, Err(Errno::NOENT | Errno::NXIO)) => Ok(None),
        (Err(errno), _) | (_, Err(errno)) => Err(Failure::new("open", errno).into()),
    }
}

impl Partition {
    fn open(name: Text) -> Result<Self, Errno> {
        let file = open(name.as_str(), OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { file, name })
    }
}

impl ErrorType for Partition {
    type Error = Refusal;
}

impl Read for Partition {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Refusal> {
        read(&self.file, buffer).map_err(Refusal)
    }
}

impl Write for Partition {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        write(&self.file, bytes).map_err(Refusal)
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        fdatasync(&self.file).map_err(Refusal)?;
        fadvise(&self.file, 0, None, Advice::DontNeed).map_err(Refusal)
    }
}

impl Seek for Partition {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, Refusal> {
        let to = match to {
            SeekFrom::Start(at) => fs::SeekFrom::Start(at),
            SeekFrom::End(by) => fs::SeekFrom::End(by),
            SeekFrom::Current(by) => fs::SeekFrom::Current(by),
        };
        fs::seek(&self.file, to).map_err(Refusal)
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.as_str())
    }
}

impl core::error::Error for Refusal {}

impl embedded_io::Error for Refusal {
    fn kind(&self) -> ErrorKind {
        match self.0 {
            Errno::NODEV | Errno::NXIO => ErrorKind::NotFound,
            Errno::PERM | Errno::ACCESS | Errno::ROFS => ErrorKind::PermissionDenied,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Failure::new("disk", self.0).fmt(f)
    }
}
