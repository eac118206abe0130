//! Ending for good: power off, restart.

use rustix::fs::sync;
use rustix::system::{RebootCommand, reboot};

use crate::process;

/// The exit status of a process that has given up.
const GAVE_UP: u8 = 101;

/// Switches the machine off, with everything written that was to be.
pub fn switch_off() -> ! {
    sync();
    end(RebootCommand::PowerOff)
}

/// Starts the machine afresh, with everything written that was to be.
pub fn restart() -> ! {
    sync();
    end(RebootCommand::Restart)
}

/// Lets Ctrl-Alt-Del come to PID 1 as a signal, instead of restarting the machine at once.
pub fn hear_ctrl_alt_del() {
    // A machine without a keyboard loses nothing.
    let _ = reboot(RebootCommand::CadOff);
}

/// What to do where there is nothing to be done: as PID 1 the machine starts afresh, a process ends.
pub fn give_up() -> ! {
    match process::is_first() {
        true => restart(),
        false => process::exit(GAVE_UP),
    }
}

fn end(command: RebootCommand) -> ! {
    // Where it is refused, as in a container, ending PID 1 is the next best.
    let _ = reboot(command);
    process::exit(GAVE_UP)
}
