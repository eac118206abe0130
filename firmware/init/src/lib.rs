#![no_std]
#![forbid(unsafe_code)]
//! All that `sekisho` does: glue between Linux, the configuration and the router, and nothing else. The program itself,
//! `firmware/sekisho`, is its entry point.
//!
//! Nothing here allocates: everything lives in statics or on the stack.

mod arguments;
mod boot;
mod duties;
mod operator;
mod setup;

use control::Kept;
use linux::{Error, console, process};

use crate::arguments::{Command, USAGE};
use crate::setup::Trouble;

/// Does what the arguments behind the program's name say. The exit status: 0 ended as asked, 1 the operation failed, 2
/// the command line or the blob is wrong.
pub fn main(arguments: &[&[u8]]) -> u8 {
    console::start_log();
    match Command::parse(arguments) {
        // The kernel gives its first program whatever of its command line it does not know itself.
        Ok(Command::Help | Command::Version) | Err(_) if process::is_first() => boot::boot(),
        Ok(command) => execute(command),
        Err(mistake) => {
            console::complain(format_args!("sekisho: {mistake}"));
            2
        }
    }
}

fn execute(command: Command<'_>) -> u8 {
    match command {
        Command::Help => console::say(USAGE),
        Command::Version => console::say(concat!("sekisho ", env!("CARGO_PKG_VERSION"))),
        Command::Run { blob, socket } => return route(blob, socket),
    }
    0
}

/// Routes until told to stop.
fn route(blob: &[u8], socket: Option<&[u8]>) -> u8 {
    let routed = setup::start(blob, socket).and_then(|(mut gateway, mut operator)| {
        // The configuration of a process is a file, which is its owner's.
        Ok(gateway.run(&mut |turn| operator.attend(turn, &mut |_| Kept::Nowhere))?)
    });
    match routed {
        Ok(_) => 0,
        Err(trouble) => {
            let file = if matches!(trouble, Trouble::Linux(Error::Socket(_))) {
                socket.unwrap_or_default()
            } else {
                blob
            };
            console::complain(format_args!("sekisho: {}", trouble.at(file)));
            trouble.status()
        }
    }
}
