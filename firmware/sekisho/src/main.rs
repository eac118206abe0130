#![no_std]
#![no_main]
//! `sekisho`, the program: how the kernel enters it, and what becomes of a panic. All that it does is in `init`.
//!
//! It is linked with nothing: no C library, no `std`, no allocator. So what a compiler takes for granted is here, too:
//! `start` is where the kernel jumps to, `memory` copies and compares bytes.

mod memory;
mod start;

use core::panic::PanicInfo;

use linux::{console, power};

/// Does what the command line says.
fn main(arguments: &[&[u8]]) -> ! {
    linux::process::exit(init::main(arguments))
}

/// A bug of ours. As PID 1 the box starts afresh; a process ends with a status that nothing else has.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    console::complain(format_args!("sekisho: {info}"));
    power::give_up()
}

/// The core library was built for programs that unwind, and names this; nothing here does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
