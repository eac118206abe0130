//! The two ends of a disk, where its partition table and the copy of it are, in memory; the disk between is not there.
//!
//! What makes partition tables wants a disk to write to. This is one of any length, without its content.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// The bytes that a disk begins with: the old table, the header, and 128 entries.
pub const HEAD: usize = 34 * 512;

/// The bytes that it ends with: the entries again, and the header.
pub const TAIL: usize = 33 * 512;

/// Both ends.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: Vec<u8>,
    length: u64,
    position: u64,
}

impl Ends {
    /// Those of a disk of this length, which is at least that of both.
    pub(crate) fn new(length: u64) -> Self {
        Self { head: vec![0; HEAD], tail: vec![0; TAIL], length, position: 0 }
    }

    /// What is there from the position on.
    fn rest(&mut self) -> &mut [u8] {
        let behind = self.length.saturating_sub(TAIL as u64);
        let (end, at) = match self.position.checked_sub(behind) {
            Some(at) => (&mut self.tail, at),
            None => (&mut self.head, self.position),
        };
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(end.len());
        end.get_mut(at..).unwrap_or_default()
    }
}

impl Read for Ends {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&*self.rest()).read(buffer)?;
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for Ends {
    /// Takes nothing where there is nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.rest().write(bytes)?;
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Ends {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let (from, by) = match position {
            SeekFrom::Start(position) => (position, 0),
            SeekFrom::Current(by) => (self.position, by),
            SeekFrom::End(by) => (self.length, by),
        };
        self.position = from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
