#![no_std]
#![no_main]
//! What tests boot in the place of the program, to see how a box fares that fails: built of the program's own parts, and never
//! part of an image that somebody uses. The kernel's command line says what it is to do:
//!
//! * `hang`: to be the program, and soon after it is ready to go round in circles; `die`: to panic then.
//! * `write`: to write configurations to the two slots, one after the other, without a pause, until the power is cut.

#[path = "../../src/memory.rs"]
mod memory;
#[path = "../../src/panic.rs"]
mod panic;
mod slots;
#[path = "../../src/start.rs"]
mod start;
mod stuck;

use linux::{console, process};

fn main(arguments: &[&[u8]]) -> ! {
    match arguments {
        _ if !process::is_first() => console::complain("trials: only as the first program of a machine"),
        [b"write", ..] => slots::write(),
        [b"hang", ..] => stuck::later(stuck::hang),
        [b"die", ..] => stuck::later(stuck::panic),
        _ => console::complain("trials: say hang, die or write on the kernel's command line"),
    }
    process::exit(init::main(arguments))
}
