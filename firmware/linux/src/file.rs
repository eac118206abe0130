//! A file of bounded length, read whole into memory that is already there.

use core::ffi::CStr;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read as read_some};

use crate::error::{Error, Failure};

/// The longest path that the kernel takes, with its closing zero.
const PATH_BYTES: usize = 4096;

/// Reads the file at `path` into `buffer`; the part of it that is filled.
///
/// # Errors
/// [`Error::System`] if it cannot be opened or read, [`Error::TooLong`] if it does not fit.
pub fn read<'a>(path: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8], Error> {
    let mut terminated = [0; PATH_BYTES];
    let path = terminate(path, &mut terminated).ok_or(Failure::new("open", Errno::NAMETOOLONG))?;
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(Failure::of("open"))?;
    let mut filled = 0;
    while filled < buffer.len() {
        match read_some(&file, &mut buffer[filled..]).map_err(Failure::of("read"))? {
            0 => return Ok(&buffer[..filled]),
            bytes => filled += bytes,
        }
    }
    match read_some(&file, &mut [0u8]).map_err(Failure::of("read"))? {
        0 => Ok(buffer),
        _ => Err(Error::TooLong),
    }
}

/// The path with a zero behind it, as the kernel wants it.
fn terminate<'a>(path: &[u8], buffer: &'a mut [u8; PATH_BYTES]) -> Option<&'a CStr> {
    buffer[..PATH_BYTES - 1].get_mut(..path.len())?.copy_from_slice(path);
    CStr::from_bytes_with_nul(&buffer[..=path.len()]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let mut room = [0; 8192];
        let whole = read(b"/proc/self/comm", &mut room).map(<[u8]>::len);
        assert!(whole.is_ok_and(|bytes| bytes > 1));
        assert_eq!(read(b"/proc/self/comm", &mut [0; 1]), Err(Error::TooLong));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let failed = |path: &[u8]| match read(path, &mut [0; 16]) {
            Err(Error::System(failure)) => Some(failure.errno()),
            _ => None,
        };
        assert_eq!(failed(b"/no/such/file"), Some(Errno::NOENT));
        assert_eq!(failed(b"/"), Some(Errno::ISDIR));
        assert_eq!(failed(&[b'x'; 5000]), Some(Errno::NAMETOOLONG));
        assert_eq!(failed(b"a\0b"), Some(Errno::NAMETOOLONG));
    }
}
