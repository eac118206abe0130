//! A disk, or a file that stands for one, that keeps what it is told to and shows what it has.
//!
//! `flush` returns when the bytes are on the medium, and takes care that what is read after it is not read from the kernel's
//! memory: without that, whatever was written is read back, from a disk that died long ago, too.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};

/// A file, with a position of its own. Clones have the same file.
#[derive(Clone, Debug)]
pub struct Medium {
    file: Arc<File>,
    position: u64,
}

impl Medium {
    /// A file that is open for what is done with it.
    pub fn new(file: File) -> Self {
        Self { file: Arc::new(file), position: 0 }
    }

    /// How many bytes it has; of a disk, too.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn length(&self) -> io::Result<u64> {
        (&*self.file).seek(SeekFrom::End(0))
    }
}

impl Read for Medium {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self.file).seek(SeekFrom::Start(self.position))?;
        let length = (&*self.file).read(buffer)?;
        self.position += length as u64;
        Ok(length)
    }
}

impl Write for Medium {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.file).seek(SeekFrom::Start(self.position))?;
        let length = (&*self.file).write(bytes)?;
        self.position += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        Ok(fadvise(&self.file, 0, None, Advice::DontNeed)?)
    }
}

impl Seek for Medium {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let moved = |from: u64, by: i64| from.checked_add_signed(by).ok_or(io::ErrorKind::InvalidInput);
        self.position = match position {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => moved(self.position, by)?,
            SeekFrom::End(by) => moved(self.length()?, by)?,
        };
        Ok(self.position)
    }
}
