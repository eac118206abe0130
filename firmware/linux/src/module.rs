//! Loading parts of the kernel.

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::system::finit_module;

use crate::error::{Error, Failure};

/// Loads a module from a file. Whether it is there already, or has no hardware to drive, does not matter.
///
/// # Errors
/// [`Error::System`] if there is no such file, or if it is of another kernel.
pub fn load(path: &str) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(Failure::of("open"))?;
    match finit_module(file, c"", 0) {
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(errno) => Err(Failure::new("finit_module", errno).into()),
    }
}
