//! Memory from `mmap`, unmapped when its owner goes away.
//!
//! A [`Mapping`] is a range of readable and writable bytes that stays where it is for as long as the value lives. What
//! may be *done* with the bytes depends on who else sees them: anonymous memory is ours alone ([`Buffer`]), ring
//! memory is shared with the kernel under the rules of `ring.rs`.

use core::ptr::{self, NonNull};

use rustix::fd::BorrowedFd;
use rustix::mm::{MapFlags, MlockAllFlags, ProtFlags, mlockall, mmap, mmap_anonymous, munmap};

use crate::error::{Error, Failure};

const READ_WRITE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// Makes every page of the program present now and for good, those of its statics too: afterwards it cannot run out
/// of memory by touching what it already has.
///
/// # Errors
/// [`Error::System`] without CAP_IPC_LOCK, if the program is larger than its limit of locked memory.
pub fn lock_memory() -> Result<(), Error> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE).map_err(Failure::of("mlockall"))?;
    Ok(())
}

/// A mapped range of bytes.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    /// Maps the rings of a packet socket, `bytes` in all.
    pub(crate) fn of_socket(socket: BorrowedFd<'_>, bytes: usize) -> Result<Self, Failure> {
        let flags = MapFlags::SHARED.union(MapFlags::POPULATE);
        // SAFETY: mapping at a fixed address could replace memory in use; a null hint leaves the place to the kernel,
        // which picks an unused range (mmap(2)).
        let start = unsafe { mmap(ptr::null_mut(), bytes, READ_WRITE, flags, socket, 0) };
        Self::of(start.map_err(Failure::of("mmap of a packet ring"))?.cast(), bytes)
    }

    fn anonymous(bytes: usize) -> Result<Self, Failure> {
        let flags = MapFlags::PRIVATE.union(MapFlags::POPULATE);
        // SAFETY: as above, a null hint never replaces memory in use.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), bytes, READ_WRITE, flags) };
        Self::of(start.map_err(Failure::of("mmap"))?.cast(), bytes)
    }

    fn of(start: *mut u8, bytes: usize) -> Result<Self, Failure> {
        let start = NonNull::new(start).ok_or(Failure::new("mmap", rustix::io::Errno::INVAL))?;
        Ok(Self { start, bytes })
    }

    /// The address of the byte at `offset`, which lies inside: anything else is a bug of ours and stops the program.
    pub(crate) fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.bytes, "an offset outside of the mapping");
        self.start.as_ptr().wrapping_add(offset)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: unmapping memory that something still refers to would leave it dangling. Every reference into a
        // mapping borrows the value that owns it (`Buffer::bytes`, `Ring::slot`), so none outlives this drop.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}

/// Zeroed bytes of our own.
#[derive(Debug)]
pub(crate) struct Buffer(Mapping);

impl Buffer {
    /// Maps and touches `bytes`, so that no page is missing later.
    pub(crate) fn new(bytes: usize) -> Result<Self, Failure> {
        Mapping::anonymous(bytes).map(Self)
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the slice must lie in memory that is mapped, initialised and not otherwise referred to. `anonymous`
        // mapped exactly `self.0.bytes` zeroed bytes, nobody else has the address (the mapping is private and a field
        // of this value), and the slice borrows `self` mutably.
        unsafe { core::slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.bytes) }
    }
}
