#![no_std]
#![no_main]
//! The program with the channel by which an operator speaks with it, at a Unix socket: what tests run, until `sekisho` has room for it.

#[path = "../../src/memory.rs"]
mod memory;
#[path = "../../src/panic.rs"]
mod panic;
#[path = "../../src/start.rs"]
mod start;

/// Does what the command line says: `operated run BLOB --control SOCKET`.
fn main(arguments: &[&[u8]]) -> ! {
    linux::process::exit(init::operated(arguments))
}
