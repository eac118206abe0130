//! Signals as something to read: SIGINT, SIGTERM, SIGUSR1 and SIGCHLD arrive on a descriptor and interrupt nothing.
//!
//! SIGHUP and SIGPIPE are kept away for good: a closed terminal or log must not stop the router.

use linux_raw_sys::general::{SIG_BLOCK, SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1};
use rustix::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::OFlags;
use rustix::io::read;
use syscalls::{Sysno, syscall};

use crate::error::Failure;

/// Bytes of a `signalfd_siginfo`; the first word is the signal's number.
const RECORD_BYTES: usize = 128;

/// What somebody asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, or the power button: end.
    Stop,
    /// SIGINT, which is also what the kernel makes of Ctrl-Alt-Del for PID 1: end, to begin afresh.
    Restart,
    /// SIGUSR1: show the counters.
    Report,
    /// SIGCHLD: a process has ended that we never started, but are the parent of as PID 1.
    Child,
}

/// The pending signals of this program.
#[derive(Debug)]
pub(crate) struct Signals(OwnedFd);

impl Signals {
    /// Takes over the signals of the calling thread; to be called before there are others.
    pub(crate) fn open() -> Result<Self, Failure> {
        block(set_of(&[SIGINT, SIGTERM, SIGUSR1, SIGCHLD, SIGHUP, SIGPIPE]))?;
        let set = set_of(&[SIGINT, SIGTERM, SIGUSR1, SIGCHLD]);
        let flags = (OFlags::CLOEXEC | OFlags::NONBLOCK).bits();
        const NEW: isize = -1;
        // SAFETY: the kernel reads `SET_BYTES` bytes through the pointer, which is that of a local; the flags are those
        // of open(2).
        let fd = unsafe { syscall!(Sysno::signalfd4, NEW, &raw const set, SET_BYTES, flags) };
        let fd = fd.map_err(Failure::of_raw("signalfd"))?;
        // SAFETY: the descriptor must be open and nobody else's: it is the one signalfd(2) has just made.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd as i32) }))
    }

    /// The next signal, if one has arrived.
    pub(crate) fn next(&self) -> Option<Signal> {
        let mut record = [0u8; RECORD_BYTES];
        let bytes = read(&self.0, &mut record).ok()?;
        if bytes < RECORD_BYTES {
            return None;
        }
        let number = u32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        Some(match number {
            SIGUSR1 => Signal::Report,
            SIGCHLD => Signal::Child,
            SIGINT => Signal::Restart,
            _ => Signal::Stop,
        })
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A signal set as the kernel has it: a bit for each of 64.
const SET_BYTES: usize = size_of::<u64>();

const fn set_of(signals: &[u32]) -> u64 {
    let mut set = 0;
    let mut n = 0;
    while n < signals.len() {
        set |= 1 << (signals[n] - 1);
        n += 1;
    }
    set
}

/// Keeps signals from being delivered.
fn block(set: u64) -> Result<(), Failure> {
    const NO_OLD_SET: usize = 0;
    // SAFETY: the kernel reads `SET_BYTES` bytes through the pointer, that of a local, and writes no old set to null.
    let blocked =
        unsafe { syscall!(Sysno::rt_sigprocmask, SIG_BLOCK, &raw const set, NO_OLD_SET, SET_BYTES) };
    blocked.map(|_| ()).map_err(Failure::of_raw("sigprocmask"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_the_bit_below_its_number() {
        assert_eq!(set_of(&[SIGHUP, SIGINT]), 0b11);
        assert_eq!(set_of(&[SIGTERM]), 1 << 14);
    }
}
