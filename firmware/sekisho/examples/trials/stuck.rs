//! A program that gets stuck: another process waits until it forwards, and then sends it a signal whose handler never gives back
//! control, wherever that interrupts it.

use linux::{clock, file, process};
use linux_raw_sys::general::{SA_RESTORER, SIGCHLD, SIGUSR2, kernel_sigaction, kernel_sigset_t};
use syscalls::{Sysno, syscall};

/// How often the other process looks, and how long all is well after the program is ready, in milliseconds.
const LOOK: u16 = 20;
const WELL: u16 = 900;

/// What a signal set takes, in bytes.
const SET_BYTES: usize = 8;

/// Goes round in circles.
pub(crate) extern "C" fn hang(_signal: i32) {
    loop {
        core::hint::spin_loop();
    }
}

/// Panics.
pub(crate) extern "C" fn panic(_signal: i32) {
    panic!("as it was told to");
}

/// Makes the program, once it forwards, call a function that does not return.
pub(crate) fn later(function: unsafe extern "C" fn(i32)) {
    unsafe extern "C" fn nobody_returns() {}
    let action = kernel_sigaction {
        sa_handler_kernel: Some(function),
        sa_flags: SA_RESTORER.into(),
        sa_restorer: Some(nobody_returns),
        sa_mask: kernel_sigset_t { sig: [0] },
    };
    const NONE: usize = 0;
    // SAFETY: the kernel reads one action through the pointer, that of a local, and writes no old one to null. What it calls
    // then has the signature of a handler, and does not return to what it has interrupted.
    let told = unsafe { syscall!(Sysno::rt_sigaction, SIGUSR2, &raw const action, NONE, SET_BYTES) };
    // SAFETY: as fork(2): the other process goes on with a copy of everything, and no pointers are handed over.
    let forked = unsafe { syscall!(Sysno::clone, SIGCHLD, NONE, NONE, NONE, NONE) };
    assert!(told.is_ok() && forked.is_ok(), "no second process");
    if forked == Ok(0) {
        strike();
    }
}

/// The other process.
fn strike() -> ! {
    while !is_ready() {
        clock::pause(LOOK);
    }
    clock::pause(WELL);
    const FIRST: usize = 1;
    // SAFETY: no memory is handed over.
    let _ = unsafe { syscall!(Sysno::kill, FIRST, SIGUSR2) };
    process::exit(0)
}

/// Whether the first program forwards, or is about to: the last thing before that is to lock its memory.
fn is_ready() -> bool {
    let mut buffer = [0; 8192];
    let status = file::read(b"/proc/1/status", &mut buffer).unwrap_or_default();
    let status = str::from_utf8(status).unwrap_or_default();
    let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:"));
    locked.is_some_and(|size| size.trim() != "0 kB")
}
