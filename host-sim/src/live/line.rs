//! One line: a socket that never blocks, what is still to be written to it, and what has come of a frame that is not whole.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;

use super::framing::{LENGTH, LONGEST, Nonsense, Stream, framed};

/// How many bytes may wait for a peer that does not read: a hundred milliseconds at 100 Mbit/s, and some frames of any size.
const ROOM: usize = 1 << 20;

/// How many bytes are read at a time.
const CHUNK: usize = 64 * 1024;

/// What went over a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineTally {
    /// Frames that were to be sent.
    pub sent: u64,
    /// Those of them that were lost, because too many waited for the peer to read.
    pub lost: u64,
    /// Frames that came.
    pub received: u64,
    /// Lengths of nothing that came.
    pub empty: u64,
    /// Lengths that no frame has. The line breaks at the first.
    pub nonsense: u64,
}

impl fmt::Display for LineTally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, lost, received, empty, nonsense } = self;
        write!(f, "sent {sent} (lost {lost}), received {received} (empty {empty}, nonsense {nonsense})")
    }
}

/// A line that is of no use any more.
#[derive(Debug)]
pub struct Broken {
    /// Its socket.
    pub name: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum Fault {
    /// The peer is gone.
    Left,
    /// The peer is gone, and had sent half a frame.
    LeftWithinFrame,
    /// The peer has sent a length that no frame has.
    Nonsense(u32),
    /// The system does not read from it, or write to it.
    System(io::Error),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.fault {
            Fault::Left => write!(f, "{name}: the peer has left"),
            Fault::LeftWithinFrame => write!(f, "{name}: the peer has left in the middle of a frame"),
            Fault::Nonsense(length) => write!(
                f,
                "{name}: the peer sends {length} as the length of a frame, of at most {LONGEST} bytes; does it speak as QEMU's \
                 -netdev stream does?"
            ),
            Fault::System(error) => write!(f, "{name}: {error}"),
        }
    }
}

/// A line.
#[derive(Debug)]
pub(super) struct Line {
    name: String,
    socket: UnixStream,
    to_write: VecDeque<u8>,
    came: Stream,
    tally: LineTally,
}

impl Line {
    /// A line over a socket, which messages call so.
    pub(super) fn new(name: String, socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (to_write, came) = (VecDeque::new(), Stream::default());
        Ok(Self { name, socket, to_write, came, tally: LineTally::default() })
    }

    pub(super) fn tally(&self) -> LineTally {
        self.tally
    }

    /// What is to be waited for.
    pub(super) fn interest(&self) -> PollFlags {
        if self.to_write.is_empty() { PollFlags::IN } else { PollFlags::IN | PollFlags::OUT }
    }

    /// Has a frame written as soon as the peer takes it; loses it if there is no room for it.
    pub(super) fn send(&mut self, frame: &[u8]) {
        self.tally.sent += 1;
        let is_full = |line: &Self| line.to_write.len() + LENGTH + frame.len() > ROOM;
        if is_full(self) {
            // The peer may have read meanwhile. A line that is broken is told of when it is read from.
            let _ = self.write();
        }
        if is_full(self) {
            self.tally.lost += 1;
            return;
        }
        self.to_write.extend(framed(frame));
    }

    /// Writes what the peer takes at present.
    pub(super) fn write(&mut self) -> Result<(), Broken> {
        while !self.to_write.is_empty() {
            match self.socket.write(self.to_write.as_slices().0) {
                Ok(written) => _ = self.to_write.drain(..written),
                Err(error) if is_no_matter(&error) => break,
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Reads what is there, at most so much that others have their turn, and takes out each frame that is whole.
    pub(super) fn read(&mut self, each: &mut impl FnMut(Vec<u8>)) -> Result<(), Broken> {
        let mut bytes = [0; CHUNK];
        let len = match self.socket.read(&mut bytes) {
            Ok(0) => return Err(self.left()),
            Ok(len) => len,
            Err(error) if is_no_matter(&error) => return Ok(()),
            Err(error) => return Err(self.failed(error)),
        };
        self.came.push(&bytes[..len]);
        let tally = &mut self.tally;
        let taken = self.came.take(&mut |frame: Vec<u8>| {
            if frame.is_empty() {
                tally.empty += 1;
            } else {
                tally.received += 1;
                each(frame);
            }
        });
        taken.map_err(|Nonsense(length)| {
            self.tally.nonsense += 1;
            self.broken(Fault::Nonsense(length))
        })
    }

    /// This line, with what is wrong with it.
    pub(super) fn broken(&self, fault: Fault) -> Broken {
        Broken { name: self.name.clone(), fault }
    }

    fn left(&self) -> Broken {
        self.broken(if self.came.is_within_a_frame() { Fault::LeftWithinFrame } else { Fault::Left })
    }

    fn failed(&self, error: io::Error) -> Broken {
        match error.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => self.left(),
            _ => self.broken(Fault::System(error)),
        }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether it goes on later.
fn is_no_matter(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Line, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Line::new("lan.sock".to_owned(), ours).unwrap(), theirs)
    }

    fn read(line: &mut Line) -> Result<Vec<Vec<u8>>, String> {
        let mut frames = Vec::new();
        line.read(&mut |frame| frames.push(frame)).map(|()| frames).map_err(|broken| broken.to_string())
    }

    #[test]
    fn a_peer_that_does_not_read_loses_frames_and_whole_ones() {
        let (mut line, mut theirs) = pair();
        let frame = [7; 1514];
        for _ in 0..4_000 {
            line.send(&frame);
            line.write().unwrap();
        }

        let LineTally { sent, lost, .. } = line.tally();
        assert!(lost > 0 && line.to_write.len() <= ROOM, "{lost} of {sent}");
        let mut all = Vec::new();
        theirs.set_nonblocking(true).unwrap();
        while !line.to_write.is_empty() {
            let _ = theirs.read_to_end(&mut all);
            line.write().unwrap();
        }
        let _ = theirs.read_to_end(&mut all);
        let whole: Vec<u8> = framed(&frame).collect();
        assert_eq!(all.len() as u64, (sent - lost) * whole.len() as u64);
        assert!(all.chunks(whole.len()).all(|one| one == whole));
    }

    #[test]
    fn a_burst_goes_to_the_peer_before_any_of_it_is_lost() {
        let (mut line, _theirs) = pair();
        while line.tally().lost == 0 {
            line.send(&[7; 1514]);
        }
        let LineTally { sent, lost, .. } = line.tally();
        assert!((sent - lost) as usize * (LENGTH + 1514) > ROOM + CHUNK);
    }

    #[test]
    fn lengths_of_nothing_are_counted_and_passed_over() {
        let (mut line, mut theirs) = pair();
        theirs.write_all(&[0, 0, 0, 0, 0, 0, 0, 2, 5, 6, 0, 0, 0, 0]).unwrap();

        assert_eq!(read(&mut line), Ok(vec![vec![5, 6]]));
        assert_eq!((line.tally().received, line.tally().empty), (1, 2));
    }

    #[test]
    fn a_peer_that_sends_no_frames_is_told_of_and_counted() {
        let (mut line, mut theirs) = pair();
        theirs.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();

        let told = read(&mut line).unwrap_err();

        assert!(told.starts_with("lan.sock: the peer sends 1195725856 as the length of a frame"), "{told}");
        assert_eq!(line.tally().nonsense, 1);
    }

    #[test]
    fn a_peer_that_leaves_is_told_of_also_within_a_frame() {
        for (said, told) in [
            (&b""[..], "lan.sock: the peer has left"),
            (&[0, 0, 0, 60, 1, 2], "lan.sock: the peer has left in the middle of a frame"),
        ] {
            let (mut line, mut theirs) = pair();
            theirs.write_all(said).unwrap();
            drop(theirs);

            let ends = std::iter::repeat_with(|| read(&mut line)).find_map(Result::err);

            assert_eq!(ends.as_deref(), Some(told));
            line.send(&[1; 60]);
            assert_eq!(line.write().unwrap_err().to_string(), told);
        }
    }
}
