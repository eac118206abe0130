#![no_std]
#![no_main]
//! `sekisho`, the program: how the kernel enters it, and what becomes of a panic. All that it does is in `init`.
//!
//! It is linked with nothing: no C library, no `std`, no allocator. So what a compiler takes for granted is here, too:
//! `start` is where the kernel jumps to, `memory` copies and compares bytes, `panic` is where a panic ends.

mod memory;
mod panic;
mod start;

/// Does what the command line says.
fn main(arguments: &[&[u8]]) -> ! {
    linux::process::exit(init::main(arguments))
}
