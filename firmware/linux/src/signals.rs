//! Signals as something to read: SIGINT, SIGTERM and SIGUSR1 arrive on a descriptor and interrupt nothing.
//!
//! SIGHUP and SIGPIPE are ignored: a closed terminal or log must not stop the router.

use core::mem::MaybeUninit;

use rustix::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, read};

use crate::error::Failure;

/// Bytes of a `signalfd_siginfo`; the first word is the signal's number.
const RECORD_BYTES: usize = 128;

/// What somebody asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT or SIGTERM: end.
    Stop,
    /// SIGUSR1: show the counters.
    Report,
}

/// The pending signals of this program.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl Signals {
    /// Takes over the signals of the calling thread; to be called before there are others.
    pub(crate) fn open() -> Result<Self, Failure> {
        let set = handled();
        ignore(libc::SIGHUP);
        ignore(libc::SIGPIPE);
        // SAFETY: the kernel reads a signal set through the pointer and must not write an old one: `set` is a local
        // that `handled` filled, and null asks for no old set.
        let masked = unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, core::ptr::null_mut()) };
        // SAFETY: as above, the kernel reads a filled set; the flags are those of signalfd(2).
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        if masked != 0 || fd < 0 {
            return Err(Failure::new("signalfd", Errno::INVAL));
        }
        // SAFETY: the descriptor must be open and nobody else's: it is the one signalfd(2) has just made.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// The next signal, if one has arrived.
    pub(crate) fn next(&self) -> Option<Signal> {
        let mut record = [0u8; RECORD_BYTES];
        let bytes = read(&self.0, &mut record).ok()?;
        if bytes < RECORD_BYTES {
            return None;
        }
        let number = u32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        Some(if number == libc::SIGUSR1 as u32 { Signal::Report } else { Signal::Stop })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The set of the signals that we read.
fn handled() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset(3) writes a whole set through the pointer, which is that of a local of the right type.
    unsafe { libc::sigemptyset(set.as_mut_ptr()) };
    // SAFETY: the set must be initialised, which the call above did; it cannot fail for a valid pointer.
    let mut set = unsafe { set.assume_init() };
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGUSR1] {
        // SAFETY: sigaddset(3) changes the initialised set through the pointer; the numbers are valid signals.
        unsafe { libc::sigaddset(&raw mut set, signal) };
    }
    set
}

fn ignore(signal: i32) {
    // SAFETY: signal(2) would let a handler run at any moment; SIG_IGN runs none.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}
