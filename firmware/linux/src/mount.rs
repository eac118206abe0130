//! The kernel's own file systems, where everybody looks for them. PID 1 finds none of them mounted.

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};

use crate::error::{Error, Failure};

/// What is mounted, and where; the directories are in the image.
const FILE_SYSTEMS: [(&str, &str); 3] = [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")];

/// Mounts devices, processes and what the kernel knows of its hardware. What is mounted already stays.
///
/// # Errors
/// [`Error::System`] if the kernel has not one of these.
pub fn kernel_file_systems() -> Result<(), Error> {
    for (kind, place) in FILE_SYSTEMS {
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        match mount(kind, place, kind, flags, None) {
            Ok(()) | Err(Errno::BUSY) => {}
            Err(errno) => return Err(Failure::new("mount", errno).into()),
        }
    }
    Ok(())
}
