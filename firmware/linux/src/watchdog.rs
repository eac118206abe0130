//! The watchdog: a timer of the machine's that starts it afresh unless it is fed.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::write;
use rustix::ioctl::{Getter, Opcode, Updater, ioctl};

use linux_raw_sys::ioctl::{WDIOC_GETSUPPORT, WDIOC_SETTIMEOUT};

use crate::error::{Error, Failure};

/// What the kernel calls its own, which is a timer of the kernel's.
const KERNELS_OWN: &[u8] = b"Software Watchdog\0";

/// What a driver says of its watchdog: flags and a version, and what it calls it (linux/watchdog.h).
#[repr(C)]
struct Info {
    numbers: [u32; 2],
    identity: [u8; 32],
}

/// A running watchdog. It goes on running when this is dropped: a program that ends without a word is what it is for.
#[derive(Debug)]
pub struct Watchdog(OwnedFd);

impl Watchdog {
    /// Starts the watchdog at `path`. It bites when it was not fed for `seconds`, or for as long as it can wait.
    ///
    /// # Errors
    /// [`Error::System`] if there is none, or somebody else has it.
    pub fn start(path: &str, seconds: i32) -> Result<Self, Error> {
        let file =
            open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()).map_err(Failure::of("open"))?;
        let mut timeout = seconds;
        // SAFETY: the code must be a request that takes a pointer to an `int`, which this one does (linux/watchdog.h).
        let request = unsafe { Updater::<{ WDIOC_SETTIMEOUT as Opcode }, i32>::new(&mut timeout) };
        // SAFETY: as above: the kernel reads and writes one `int`, a local. One that cannot be told keeps its own time.
        let _ = unsafe { ioctl(&file, request) };
        Ok(Self(file))
    }

    /// Whether it is the kernel's own, which is no help where the kernel itself is stuck.
    pub fn is_kernels_own(&self) -> bool {
        // SAFETY: the code must be a request that fills an `Info`, which this one does: it is `struct watchdog_info`, and any
        // bytes are one.
        let request = unsafe { Getter::<{ WDIOC_GETSUPPORT as Opcode }, Info>::new() };
        // SAFETY: as above: the kernel writes one `Info`, which is the request's.
        let info = unsafe { ioctl(&self.0, request) };
        info.is_ok_and(|info| info.identity.starts_with(KERNELS_OWN))
    }

    /// Tells it that all is well.
    pub fn feed(&self) {
        // One that takes no food bites, which is what there is to be done.
        let _ = write(&self.0, b"\0");
    }

    /// Stops it, where it can be stopped.
    pub fn stop(self) {
        let _ = write(&self.0, b"V");
    }
}
