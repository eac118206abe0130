//! The consoles of a machine: the monitor, a serial port, or both.
//!
//! The kernel gives its first program the last of them alone, as `/dev/console`. Here all of them are opened, so that what is
//! said is seen wherever somebody looks, and so that nobody waits for one: a console that was stopped, by Ctrl-S for
//! example, loses what it has no room for.
//!
//! A serial one can carry more than text ([`serial`]): the tool at its other end and the box send one another frames, between which
//! the lines of the log are.

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::fd::{AsFd, BorrowedFd, IntoRawFd as _};
use rustix::fs::{FileType, Mode, OFlags, fstat, major, minor, open};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::channel::Stream;
use crate::directory::Text;
use crate::file;

/// Where the kernel says which consoles it writes to itself: their names, with blanks between them.
const ACTIVE: &[u8] = b"/sys/class/tty/console/active";

/// The numbers of `/dev/console`.
const CONSOLE: (u32, u32) = (5, 1);

/// The numbers of monitors: this, and one below that.
const MONITOR: (u32, u32) = (4, 64);

/// More than any board has.
const MAX_CONSOLES: usize = 4;

/// What stands for none.
const CLOSED: i32 = -1;

/// Those that are open. They stay open for ever.
static OPENED: [AtomicI32; MAX_CONSOLES] = [const { AtomicI32::new(CLOSED) }; MAX_CONSOLES];

/// Whether serial ones carry bytes as they are, so that it is ours to say where a line begins.
static ARE_RAW: AtomicBool = AtomicBool::new(false);

/// Opens every console there is, if `given` is one: a process whose output goes elsewhere has no business on any.
pub(crate) fn open_beside(given: impl AsFd) {
    if !is_console(given) {
        return;
    }
    let mut buffer = [0; 256];
    let active = file::read(ACTIVE, &mut buffer).ok().and_then(|bytes| str::from_utf8(bytes).ok());
    let mut places = OPENED.iter();
    for name in active.unwrap_or_default().split_ascii_whitespace() {
        let Some(path) = Text::of(format_args!("/dev/{name}")) else { continue };
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        if let Ok(console) = open(path.as_str(), flags, Mode::empty())
            && let Some(place) = places.next()
        {
            place.store(console.into_raw_fd(), Ordering::Relaxed);
        }
    }
}

/// Each of them that is open.
pub(crate) fn opened() -> impl Iterator<Item = BorrowedFd<'static>> {
    let numbers = OPENED.iter().map(|place| place.load(Ordering::Relaxed));
    numbers.take_while(|number| *number != CLOSED).map(|number| {
        // SAFETY: the descriptor must stay open and keep its meaning for ever. `open_beside` has given it away, and nobody
        // else knows its number.
        unsafe { BorrowedFd::borrow_raw(number) }
    })
}

/// Each of them that is a serial port, as a stream of bytes; whoever speaks by one need not be a person any more: nothing is echoed, and
/// no byte means anything to the kernel.
pub fn serial() -> impl Iterator<Item = Stream> {
    opened().filter(|console| !is_monitor(console)).filter_map(|console| {
        let mut settings = tcgetattr(console).ok()?;
        settings.make_raw();
        let stream = fcntl_dupfd_cloexec(console, 0).ok()?;
        tcsetattr(console, OptionalActions::Now, &settings).ok()?;
        ARE_RAW.store(true, Ordering::Relaxed);
        Some(Stream::of(stream))
    })
}

/// What ends a line on them.
pub(crate) fn line_end() -> &'static [u8] {
    if ARE_RAW.load(Ordering::Relaxed) { b"\r\n" } else { b"\n" }
}

fn is_monitor(file: impl AsFd) -> bool {
    fstat(file).is_ok_and(|facts| major(facts.st_rdev) == MONITOR.0 && minor(facts.st_rdev) < MONITOR.1)
}

fn is_console(file: impl AsFd) -> bool {
    fstat(file).is_ok_and(|facts| {
        FileType::from_raw_mode(facts.st_mode) == FileType::CharacterDevice
            && (major(facts.st_rdev), minor(facts.st_rdev)) == CONSOLE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_given_no_console_opens_none() {
        let Ok(null) = open(c"/dev/null", OFlags::RDWR, Mode::empty()) else { panic!() };
        open_beside(&null);
        assert_eq!(opened().count(), 0);
    }
}
