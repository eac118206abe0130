//! How two lines come about: each at a path, where we wait for its peer or go to it.
//!
//! Whoever starts the peer itself, as a tool that boots an image does, opens the meeting first: from then on a peer that
//! comes finds somebody.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use router::Side;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, recv, socket_with};

use super::line::Line;
use super::{Lines, sleep};

/// From one attempt to the next, where somebody else listens and is not there yet.
const AGAIN: Duration = Duration::from_millis(50);

/// Who goes to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We wait for the peers, as for QEMU with `-netdev stream,server=off`.
    Listen,
    /// The peers wait for us.
    Connect,
}

/// Two paths, lan first, at which a peer is to be met.
#[derive(Debug)]
pub struct Meeting([Place; 2]);

#[derive(Debug)]
enum Place {
    Listening(Listening),
    Connecting(PathBuf),
}

/// A socket that somebody can come to, and which is not left behind.
#[derive(Debug)]
struct Listening {
    socket: UnixListener,
    path: PathBuf,
}

impl Drop for Listening {
    fn drop(&mut self) {
        // Somebody may have taken it away already.
        let _ = fs::remove_file(&self.path);
    }
}

impl Meeting {
    /// Prepares to meet the peers at these paths, lan first. A socket that is left over there from before, and that nobody
    /// listens at, is taken away.
    ///
    /// # Errors
    /// Which path cannot be listened at, and why.
    pub fn open(paths: [&Path; 2], role: Role) -> Result<Self, String> {
        let [lan, wan] = paths.map(|path| match role {
            Role::Listen => {
                listen(path).map(Place::Listening).map_err(|error| failed(path, "listen", &error))
            }
            Role::Connect => Ok(Place::Connecting(path.to_owned())),
        });
        Ok(Self([lan?, wan?]))
    }

    /// Waits for both peers, at most so long.
    ///
    /// # Errors
    /// Who did not come, or why one cannot be reached.
    pub fn wait(self, limit: Duration) -> Result<Lines, String> {
        let begun = Instant::now();
        let mut met: [Option<Line>; 2] = [None, None];
        loop {
            for (place, line) in self.0.iter().zip(&mut met).filter(|(_, line)| line.is_none()) {
                *line = place.meet().map_err(|error| failed(place.path(), "connect", &error))?;
            }
            met = match met {
                [Some(lan), Some(wan)] => return Ok(Lines::new([lan, wan])),
                waiting => waiting,
            };
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(self.nobody(&met, limit));
            }
            self.sleep(&met, left).map_err(|error| format!("cannot wait: {error}"))?;
        }
    }

    /// Waits until there may be somebody new.
    fn sleep(&self, met: &[Option<Line>; 2], left: Duration) -> io::Result<()> {
        let open = || self.0.iter().zip(met).filter(|(_, line)| line.is_none()).map(|(place, _)| place);
        let listening = open().filter_map(|place| match place {
            Place::Listening(at) => Some(PollFd::new(&at.socket, PollFlags::IN)),
            Place::Connecting(_) => None,
        });
        let again = open().any(|place| matches!(place, Place::Connecting(_)));
        sleep(&mut listening.collect::<Vec<_>>(), if again { left.min(AGAIN) } else { left })
    }

    fn nobody(&self, met: &[Option<Line>; 2], limit: Duration) -> String {
        let absent = self.0.iter().zip(met).zip(Side::ALL).filter(|((_, line), _)| line.is_none());
        let told: Vec<_> = absent
            .map(|((place, _), side)| match place {
                Place::Listening(at) => {
                    format!("{}: nobody has come to it within {limit:?} for the {side}", at.path.display())
                }
                Place::Connecting(path) => {
                    format!("{}: nobody listens at it after {limit:?}, for the {side}", path.display())
                }
            })
            .collect();
        told.join("\n")
    }
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Listening(at) => &at.path,
            Self::Connecting(path) => path,
        }
    }

    /// The line, if the peer is there.
    fn meet(&self) -> io::Result<Option<Line>> {
        let met = match self {
            Self::Listening(at) => at.socket.accept().map(|(socket, _)| socket),
            Self::Connecting(path) => connect(path),
        };
        match met {
            // Somebody has only looked whether anybody listens here (`is_left_over`).
            Ok(socket) if matches!(self, Self::Listening(_)) && has_gone(&socket)? => Ok(None),
            Ok(socket) => Line::new(self.path().display().to_string(), socket).map(Some),
            Err(error) if is_too_early(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_too_early(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, Interrupted, NotFound, WouldBlock};
    matches!(error.kind(), ConnectionRefused | Interrupted | NotFound | WouldBlock)
}

fn listen(path: &Path) -> io::Result<Listening> {
    let socket = match UnixListener::bind(path) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        bound => bound?,
    };
    socket.set_nonblocking(true)?;
    Ok(Listening { socket, path: path.to_owned() })
}

/// Whether a path is that of a socket at which nobody listens any more.
fn is_left_over(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket());
    is_socket && connect(path).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Goes to a socket, but does not wait where others are waiting to be let in.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// Whether whoever came has left again and has said nothing.
fn has_gone(socket: &UnixStream) -> io::Result<bool> {
    socket.set_nonblocking(true)?;
    let peeked = recv(socket, &mut [0; 1][..], RecvFlags::PEEK);
    Ok(peeked.is_ok_and(|(_, len)| len == 0))
}

fn failed(path: &Path, what: &str, error: &io::Error) -> String {
    format!("{}: cannot {what}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two paths that nobody else has.
    fn paths(test: &str) -> [PathBuf; 2] {
        ["lan", "wan"].map(|side| {
            std::env::temp_dir().join(format!("sekisho-{test}-{side}-{}.sock", std::process::id()))
        })
    }

    fn open(paths: &[PathBuf; 2], role: Role) -> Result<Meeting, String> {
        Meeting::open([&paths[0], &paths[1]], role)
    }

    #[test]
    fn two_meet_at_two_paths_and_leave_nothing_behind() {
        let paths = paths("meet");
        let ours = open(&paths, Role::Listen).unwrap();
        let theirs = open(&paths, Role::Connect).unwrap();

        let theirs = theirs.wait(Duration::ZERO).unwrap();
        let ours = ours.wait(Duration::ZERO).unwrap();

        assert_eq!(ours.tallies(), theirs.tallies());
        assert!(paths.iter().all(|path| !path.exists()));
    }

    #[test]
    fn who_only_looks_whether_somebody_listens_is_not_taken_for_a_peer() {
        let paths = paths("looks");
        let ours = open(&paths, Role::Listen).unwrap();
        let _taken = open(&paths, Role::Listen).unwrap_err();

        let theirs = open(&paths, Role::Connect).unwrap().wait(Duration::ZERO).unwrap();
        let mut ours = ours.wait(Duration::from_secs(5)).unwrap();

        assert!(ours.exchange().is_ok());
        drop(theirs);
    }

    #[test]
    fn who_waits_for_a_crowded_socket_waits_no_longer_than_it_may() {
        let paths = paths("crowd");
        let listeners = paths.each_ref().map(|path| UnixListener::bind(path).unwrap());
        let mut crowd = Vec::new();
        while let Ok(socket) = connect(&paths[0]) {
            crowd.push(socket);
        }

        let told = open(&paths, Role::Connect).unwrap().wait(Duration::ZERO).unwrap_err();

        assert!(told.contains("for the lan"), "{told}");
        drop(listeners);
        paths.iter().for_each(|path| fs::remove_file(path).unwrap());
    }

    #[test]
    fn who_does_not_come_is_told() {
        let paths = paths("alone");

        let listening = open(&paths, Role::Listen).unwrap().wait(Duration::ZERO).unwrap_err();
        let connecting = open(&paths, Role::Connect).unwrap().wait(Duration::ZERO).unwrap_err();

        assert!(listening.contains("nobody has come to it within 0ns for the lan\n"), "{listening}");
        assert!(listening.ends_with("for the wan"), "{listening}");
        assert!(connecting.contains("nobody listens at it"), "{connecting}");
    }

    #[test]
    fn a_socket_that_is_left_over_is_no_obstacle_and_anything_else_is() {
        let paths = paths("before");
        drop(UnixListener::bind(&paths[0]).unwrap());
        let meeting = open(&paths, Role::Listen).unwrap();
        let taken = open(&paths, Role::Listen).unwrap_err();
        drop(meeting);
        fs::write(&paths[1], "a file").unwrap();
        let file = open(&paths, Role::Listen).unwrap_err();

        assert_eq!(fs::read(&paths[1]).unwrap(), b"a file");
        fs::remove_file(&paths[1]).unwrap();
        assert!(taken.contains("lan-") && taken.contains("cannot listen: "), "{taken}");
        assert!(file.contains("wan-") && file.contains("cannot listen: "), "{file}");
        assert!(paths.iter().all(|path| !path.exists()));
    }
}
