//! The process itself: whether it is the first, how it ends, and the children that it inherits.

use rustix::process::{WaitOptions, getpid, wait};
use syscalls::{Sysno, syscall};

/// Whether this is PID 1, which the kernel has started and must not end.
pub fn is_first() -> bool {
    getpid().is_init()
}

/// Ends the program.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: the call never returns, and there is nothing left that could notice.
        let _ = unsafe { syscall!(Sysno::exit_group, status) };
    }
}

/// Takes leave of every child that has ended: PID 1 inherits those whose parents have.
pub fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}
