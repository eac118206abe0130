//! QEMU's own word of a machine, and a hand on it: why it has ended, and its buttons.
//!
//! Both go over a pair of sockets, of which QEMU inherits one. It says what happens (*events*) without being asked, and that
//! waits in the socket until somebody looks. Read first: QEMU's "QMP protocol specification".

use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::{FdFlags, fcntl_setfd};
use serde_json::{Value, json};

/// Our end.
#[derive(Debug)]
pub(crate) struct Monitor {
    socket: UnixStream,
    heard: Vec<u8>,
}

/// QEMU's end, to be kept until it has started.
#[derive(Debug)]
pub(crate) struct Theirs(OwnedFd);

/// What a machine has that somebody may press.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// The one that switches it off.
    Power,
    /// Three keys of its keyboard.
    CtrlAltDel,
}

/// Why a machine has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It has switched itself off.
    Off,
    /// It wanted to start afresh.
    Restart,
    /// Its watchdog has bitten.
    Watchdog,
    /// Its kernel has panicked, and told so.
    Panic,
    /// Something else, as QEMU calls it.
    Other(String),
}

impl Monitor {
    /// Both ends.
    pub(crate) fn open() -> io::Result<(Self, Theirs)> {
        let (mut socket, theirs) = UnixStream::pair()?;
        // It says nothing, and hears nothing, before it is told this.
        writeln!(socket, "{}", json!({"execute": "qmp_capabilities"}))?;
        socket.set_nonblocking(true)?;
        // It is QEMU's to have.
        fcntl_setfd(&theirs, FdFlags::empty())?;
        Ok((Self { socket, heard: Vec::new() }, Theirs(theirs.into())))
    }

    /// Presses a button.
    pub(crate) fn press(&mut self, button: Button) -> io::Result<()> {
        let command = match button {
            Button::Power => json!({"execute": "system_powerdown"}),
            Button::CtrlAltDel => {
                let keys = ["ctrl", "alt", "delete"].map(|key| json!({"type": "qcode", "data": key}));
                json!({"execute": "send-key", "arguments": {"keys": keys}})
            }
        };
        writeln!(self.socket, "{command}")
    }

    /// Has what its screen shows written to a file, as PPM, a while later.
    pub(crate) fn picture(&mut self, file: &Path) -> io::Result<()> {
        let command = json!({"execute": "screendump", "arguments": {"filename": file}});
        writeln!(self.socket, "{command}")
    }

    /// Why the machine has ended, as far as that has been told.
    pub(crate) fn end(&mut self) -> Option<End> {
        end_of(&self.listen())
    }

    /// How often its watchdog has bitten.
    pub(crate) fn bites(&mut self) -> usize {
        events(&self.listen()).filter(|event| event["event"] == WATCHDOG).count()
    }

    /// All that was said until now.
    fn listen(&mut self) -> String {
        // What cannot be read is not there.
        let _ = self.socket.read_to_end(&mut self.heard);
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

impl Theirs {
    /// What QEMU is told of it.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let socket = format!("socket,id=monitor,fd={}", self.0.as_raw_fd());
        ["-chardev".to_owned(), socket, "-mon".to_owned(), "chardev=monitor,mode=control".to_owned()]
    }
}

/// What QEMU calls it when the watchdog bites.
const WATCHDOG: &str = "WATCHDOG";

/// What QEMU says, without what is none of its words.
fn events(lines: &str) -> impl Iterator<Item = Value> {
    lines.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// What lines of QEMU's say of the end.
fn end_of(lines: &str) -> Option<End> {
    let mut has_bitten = false;
    let mut end = None;
    for event in events(lines) {
        has_bitten |= event["event"] == WATCHDOG;
        if event["event"] == "SHUTDOWN" {
            end = Some(match event["data"]["reason"].as_str().unwrap_or("shutdown") {
                "guest-reset" if has_bitten => End::Watchdog,
                "guest-reset" => End::Restart,
                "guest-shutdown" => End::Off,
                "guest-panic" => End::Panic,
                other => End::Other(other.to_owned()),
            });
        }
    }
    end
}

impl End {
    /// Whether the machine meant to end.
    pub fn was_meant(&self) -> bool {
        *self == Self::Off
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "it has switched itself off",
            Self::Restart => "it wanted to start afresh, which --restarts lets it",
            Self::Watchdog => "its watchdog has bitten",
            Self::Panic => "its kernel has panicked",
            Self::Other(reason) => reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_what_qemu_says_of_it() {
        let shutdown =
            |reason: &str| format!("{}\r\n", json!({"event": "SHUTDOWN", "data": {"reason": reason}}));
        let bites = "{\"QMP\": {}}\r\n{\"return\": {}}\r\n{\"event\": \"WATCHDOG\"}\r\n";
        for (lines, end) in [
            (String::new(), None),
            ("{\"event\": \"RESET\"}\r\nnot JSON\r\n".to_owned(), None),
            (shutdown("guest-shutdown"), Some(End::Off)),
            (shutdown("guest-reset"), Some(End::Restart)),
            (bites.to_owned() + &shutdown("guest-reset"), Some(End::Watchdog)),
            (shutdown("guest-panic"), Some(End::Panic)),
            (shutdown("host-signal"), Some(End::Other("host-signal".to_owned()))),
        ] {
            assert_eq!(end_of(&lines), end, "{lines}");
        }
    }
}
