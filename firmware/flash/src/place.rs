//! Where a slot lies, and all reading and writing.

use embedded_io::{Error, Read, ReadExactError, Seek, SeekFrom, Write};

use crate::Problem;

/// How many bytes are compared at a time when what was written is read back.
const CHUNK: usize = 64;

/// Where a slot lies: a device, and where on it the slot begins. From there on [`SLOT_BYTES`](crate::SLOT_BYTES) are
/// the slot's; whether the device has them is found out by using them.
///
/// Two things are the device's to keep, because the traits do not say them. What was written before `flush` returned
/// survives a power cut: for a file that takes `fsync`, and the standard library's `flush` does nothing at all. And
/// what is read after it comes from the medium: from a cache, whatever was written is read back.
#[derive(Clone, Debug)]
pub struct Place<D> {
    device: D,
    start: u64,
}

impl<D: Read + Write + Seek> Place<D> {
    /// A slot that begins at the byte `start` of the device: a multiple of 4,096, so that no sector of it is another's.
    pub const fn new(device: D, start: u64) -> Self {
        Self { device, start }
    }

    /// Fills the buffer with what is on the device from `offset` on, which counts from the slot's start.
    pub(crate) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), Problem> {
        self.seek(offset)?;
        self.device.read_exact(buffer).map_err(|error| match error {
            ReadExactError::UnexpectedEof => Problem::TooSmall,
            ReadExactError::Other(error) => device(&error),
        })
    }

    /// Writes, and returns when the device has the bytes for good and has shown them.
    pub(crate) fn put(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Problem> {
        self.write(offset, bytes)?;
        self.flush()?;
        if self.holds(offset, bytes)? { Ok(()) } else { Err(Problem::NotKept) }
    }

    /// Writes, some time before the next [`Self::flush`] returns.
    pub(crate) fn write(&mut self, offset: u64, mut bytes: &[u8]) -> Result<(), Problem> {
        self.seek(offset)?;
        while !bytes.is_empty() {
            let written = self.device.write(bytes).map_err(|error| device(&error))?;
            // A device that takes nothing is at its end.
            bytes = bytes.get(written..).filter(|_| written > 0).ok_or(Problem::TooSmall)?;
        }
        Ok(())
    }

    /// Waits until the device has everything that was written.
    pub(crate) fn flush(&mut self) -> Result<(), Problem> {
        self.device.flush().map_err(|error| device(&error))
    }

    /// Whether these bytes are on the device.
    pub(crate) fn holds(&mut self, offset: u64, bytes: &[u8]) -> Result<bool, Problem> {
        let mut buffer = [0; CHUNK];
        let mut at = offset;
        for expected in bytes.chunks(CHUNK) {
            let (found, _) = buffer.split_at_mut_checked(expected.len()).ok_or(Problem::TooSmall)?;
            self.read(at, found)?;
            if found != expected {
                return Ok(false);
            }
            at += expected.len() as u64;
        }
        Ok(true)
    }

    fn seek(&mut self, offset: u64) -> Result<(), Problem> {
        let position = self.start.checked_add(offset).ok_or(Problem::TooSmall)?;
        self.device.seek(SeekFrom::Start(position)).map_err(|error| device(&error))?;
        Ok(())
    }
}

fn device(error: &impl Error) -> Problem {
    Problem::Device(error.kind())
}
