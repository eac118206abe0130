//! The console: log lines on stderr, answers on stdout, each line by one `write`, nothing allocated. The first program of a
//! machine says both on every console the machine has.

use core::fmt::{self, Write};

use log::{Level, LevelFilter, Metadata, Record};
use rustix::fd::{BorrowedFd, IntoRawFd, RawFd};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::{clock, consoles, journal};

/// Longer lines are cut; none of ours is.
const LINE_BYTES: usize = 512;
/// What a log line begins with.
const PREFIX: &str = "sekisho: ";

/// Sends what is logged to stderr. To be called once, before anything is opened; a second call changes nothing.
pub fn start_log() {
    open_missing();
    if log::set_logger(&Console).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// From here on all that is written is seen on every console of the machine, its monitor and its serial port, if stderr is one
/// of them. To be called once, when `/dev` and `/sys` are mounted.
pub fn open_all() {
    consoles::open_beside(stderr());
}

/// Writes `text`, of one or several lines, to stdout.
pub fn say(text: impl fmt::Display) {
    Lines::to(stdout()).all(text);
}

/// Writes `text`, of one or several lines, to stderr.
pub fn complain(text: impl fmt::Display) {
    Lines::to(stderr()).all(text);
}

struct Console;

impl log::Log for Console {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Info
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let mut line = log_line(record);
            let line = line.close();
            write_line(stderr(), line);
            journal::add(clock::now(), line.strip_prefix(PREFIX.as_bytes()).unwrap_or(line));
        }
    }

    fn flush(&self) {}
}

/// A record as the line it becomes: prefix, the level's word if it is worth one, the message.
fn log_line(record: &Record<'_>) -> Line {
    let mut line = Line::new();
    let level = match record.level() {
        Level::Error => "error: ",
        Level::Warn => "warn: ",
        _ => "",
    };
    // A `Line` takes whatever comes and cuts what is too long, so writing to it cannot fail.
    let _ = write!(line, "{PREFIX}{level}{}", record.args());
    line
}

/// One line in the making.
struct Line {
    bytes: [u8; LINE_BYTES],
    length: usize,
}

impl Line {
    const fn new() -> Self {
        Self { bytes: [0; LINE_BYTES], length: 0 }
    }

    /// The line with its end, for which `write_str` always leaves room.
    fn close(&mut self) -> &[u8] {
        self.bytes[self.length] = b'\n';
        &self.bytes[..=self.length]
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LINE_BYTES - 1 - self.length;
        let text = &text.as_bytes()[..text.floor_char_boundary(room)];
        self.bytes[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
        Ok(())
    }
}

/// Text of several lines on its way to a descriptor.
struct Lines {
    to: BorrowedFd<'static>,
    line: Line,
}

impl Lines {
    const fn to(to: BorrowedFd<'static>) -> Self {
        Self { to, line: Line::new() }
    }

    fn all(mut self, text: impl fmt::Display) {
        // As above, it cannot fail.
        let _ = write!(self, "{text}");
        if self.line.length > 0 {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        write_line(self.to, self.line.close());
        self.line.length = 0;
    }
}

impl Write for Lines {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            self.line.write_str(line)?;
            self.end_line();
            rest = after;
        }
        self.line.write_str(rest)
    }
}

fn stdout() -> BorrowedFd<'static> {
    standard(1)
}

fn stderr() -> BorrowedFd<'static> {
    standard(2)
}

/// One of the three that every program has from the start.
fn standard(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: the descriptor must stay open and keep its meaning for ever. Nothing in this program closes or replaces
    // it; if it was closed before us, `open_missing` or `std` has opened /dev/null in its place.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Opens /dev/null in the place of each of the three that is closed: what is opened next would be taken for it.
fn open_missing() {
    for stream in [standard(0), stdout(), stderr()] {
        if rustix::io::fcntl_getfd(stream) == Err(Errno::BADF) {
            // The lowest number that is free is this one. Without /dev/null there is nothing to be done.
            let null = rustix::fs::open(c"/dev/null", OFlags::RDWR, Mode::empty());
            let _ = null.map(IntoRawFd::into_raw_fd);
        }
    }
}

/// Writes the line to all consoles, or, where none was opened, to `to`.
fn write_line(to: BorrowedFd<'_>, line: &[u8]) {
    let mut consoles = consoles::opened().peekable();
    if consoles.peek().is_none() {
        write_whole(to, line);
    }
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    for console in consoles {
        write_whole(console, text);
        write_whole(console, consoles::line_end());
    }
}

/// Writes the line. A console that cannot take it is no reason to stop routing.
fn write_whole(to: BorrowedFd<'_>, line: &[u8]) {
    let mut rest = line;
    while let Ok(written @ 1..) = rustix::io::write(to, rest) {
        rest = &rest[written..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line that a message becomes, without its end.
    fn check(level: Level, message: &str, expected: &str) {
        let mut line = log_line(&Record::builder().level(level).args(format_args!("{message}")).build());
        assert_eq!(line.close(), [expected.as_bytes(), b"\n"].concat());
    }

    extern crate std;
    use std::string::String;

    #[test]
    fn the_level_is_said_only_when_it_matters() {
        check(Level::Info, "gw0: link up", "sekisho: gw0: link up");
        check(Level::Warn, "gw0: odd", "sekisho: warn: gw0: odd");
        check(Level::Error, "gw0: bad", "sekisho: error: gw0: bad");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_characters() {
        let long = String::from_iter(core::iter::repeat_n('é', 400));
        let fits = (LINE_BYTES - 1 - PREFIX.len()) / 2;
        check(Level::Info, &long, &(String::from(PREFIX) + &long[..fits * 2]));
    }
}
