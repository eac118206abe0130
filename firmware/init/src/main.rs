//! The firmware program: glue between Linux, the configuration and the router, and nothing else.
//!
//! Today it is a foreground process (`sekisho run router.blob`); the same loop is what PID 1 of the image will run.
//! Nothing here allocates: the arguments are borrowed from `std` once, everything else lives in statics or on the stack.
//!
//! Exit status: 0 ended as asked, 1 the operation failed, 2 the command line or the blob is wrong.

mod arguments;
mod run;
mod setup;

use std::ffi::OsStr;
use std::process::ExitCode;

use linux::console;

use crate::arguments::{Command, USAGE};
use crate::setup::Trouble;

/// More arguments than any form has, so that one too many is seen.
const MAX_ARGUMENTS: usize = 4;

fn main() -> ExitCode {
    console::start_log();
    let arguments: Vec<_> = std::env::args_os().skip(1).take(MAX_ARGUMENTS).collect();
    let mut borrowed: [&[u8]; MAX_ARGUMENTS] = [b""; MAX_ARGUMENTS];
    for (place, argument) in borrowed.iter_mut().zip(&arguments) {
        *place = OsStr::as_encoded_bytes(argument);
    }
    match Command::parse(&borrowed[..arguments.len()]) {
        Ok(command) => execute(command),
        Err(mistake) => {
            console::complain(format_args!("sekisho: {mistake}"));
            ExitCode::from(2)
        }
    }
}

fn execute(command: Command<'_>) -> ExitCode {
    match command {
        Command::Help => console::say(USAGE),
        Command::Version => console::say(concat!("sekisho ", env!("CARGO_PKG_VERSION"))),
        Command::Run { blob } => return route(blob),
    }
    ExitCode::SUCCESS
}

/// Routes until told to stop.
fn route(blob: &[u8]) -> ExitCode {
    match setup::start(blob).and_then(|mut gateway| gateway.run().map_err(Trouble::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            console::complain(format_args!("sekisho: {}", trouble.at(blob)));
            ExitCode::from(trouble.status())
        }
    }
}
