//! A world in real time, joined at an outlet to two programs on this machine: a booted image, or another simulator.
//!
//! Words: a *line* is a Unix stream socket that carries the frames of one side, and its *peer* whoever is at the other end;
//! lines are had from a [`Meeting`]. The world begins when they are there, and from then on what happens in it at t happens
//! t after that; what comes in by a line is put on the link at the present time. A world that is late catches up.
//!
//! Frames travel as QEMU's `-netdev stream` sends them (`framing`). Everything is bounded: a peer that does not read loses
//! frames, as at a link whose queue is full, and one that writes faster than we read has to wait. There is one thread and one
//! place where it waits, and it never waits longer than until the next event.

mod framing;
mod line;
mod meeting;
mod probe;
mod stand_in;

use std::collections::VecDeque;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use router::Side;
use rustix::event::{PollFd, Timespec, poll};
use rustix::io::Errno;

use self::line::Line;
pub use self::line::{Broken, Fault, LineTally};
pub use self::meeting::{Meeting, Role};
pub use self::stand_in::{Stay, stand_in};
use crate::node::OutletId;
use crate::time::Time;
use crate::world::World;

/// Two lines, lan first, with a peer at each.
#[derive(Debug)]
pub struct Lines {
    lines: [Line; 2],
    /// What came before the world began.
    early: VecDeque<(Side, Vec<u8>)>,
    /// What is wrong with one of them, to be told after what came before.
    broken: Option<Broken>,
}

/// How many of the frames that come before the world begins are kept: the last.
const EARLY: usize = 64;

impl Lines {
    /// Lines over sockets that are connected already, lan first, each with what messages call it.
    ///
    /// # Errors
    /// If a socket cannot be had not to block.
    pub fn over(sockets: [(String, UnixStream); 2]) -> io::Result<Self> {
        let [lan, wan] = sockets.map(|(name, socket)| Line::new(name, socket));
        Ok(Self::new([lan?, wan?]))
    }

    fn new(lines: [Line; 2]) -> Self {
        Self { lines, early: VecDeque::new(), broken: None }
    }

    /// What went over them so far, lan first.
    pub fn tallies(&self) -> [LineTally; 2] {
        self.lines.each_ref().map(Line::tally)
    }

    /// Sends a frame, or loses it if too many wait already.
    fn send(&mut self, side: Side, frame: &[u8]) {
        self.lines[side as usize].send(frame);
    }

    /// Waits until there is something to read, or room for what is to be written, but no longer than so long.
    fn wait(&self, long: Duration) -> Result<(), Broken> {
        if !self.early.is_empty() || self.broken.is_some() {
            return Ok(());
        }
        let [lan, wan] = &self.lines;
        let mut fds = [lan, wan].map(|line| PollFd::new(line, line.interest()));
        sleep(&mut fds, long).map_err(|error| lan.broken(Fault::System(error)))
    }

    /// Reads what is there, and writes what their peers take at present: what came by which side, in its order; first what
    /// came early. A line that is broken is told of when nothing comes any more.
    fn exchange(&mut self) -> Result<Vec<(Side, Vec<u8>)>, Broken> {
        let mut came: Vec<_> = self.early.drain(..).collect();
        for side in Side::ALL {
            if self.broken.is_some() {
                break;
            }
            let line = &mut self.lines[side as usize];
            let exchanged = line.read(&mut |frame| came.push((side, frame))).and_then(|()| line.write());
            self.broken = exchanged.err();
        }
        match self.broken.take_if(|_| came.is_empty()) {
            Some(broken) => Err(broken),
            None => Ok(came),
        }
    }
}

/// Waits for one of these, but no longer than so long; a signal may end it before.
fn sleep(fds: &mut [PollFd<'_>], long: Duration) -> io::Result<()> {
    let timeout = Timespec { tv_sec: long.as_secs() as i64, tv_nsec: i64::from(long.subsec_nanos()) };
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A world's outlet, joined to two lines.
pub(crate) struct Live {
    outlet: OutletId,
    lines: Lines,
    begun: Instant,
}

impl Live {
    /// Joins them. The world's time begins now.
    pub(crate) fn new(outlet: OutletId, lines: Lines) -> Self {
        Self { outlet, lines, begun: Instant::now() }
    }

    /// Lets everything happen that happens before `end` or then, each at its time.
    ///
    /// # Errors
    /// If a line breaks before that.
    pub(crate) fn run_to(&mut self, world: &mut World<'_>, end: Time) -> Result<(), Broken> {
        loop {
            let now = self.catch_up(world, end);
            let next = world.next_event().map_or(end, |next| next.min(end));
            self.lines.wait(next.since(now))?;
            let came = self.lines.exchange()?;
            self.catch_up(world, end);
            for (side, frame) in came {
                world.put_in(self.outlet, side, frame);
            }
            if now == end {
                return Ok(());
            }
        }
    }

    /// What went over the lines so far, lan first.
    pub(crate) fn tallies(&self) -> [LineTally; 2] {
        self.lines.tallies()
    }

    /// Lets everything happen whose time has come, and hands over what left the world by that. Returns the time.
    fn catch_up(&mut self, world: &mut World<'_>, end: Time) -> Time {
        let now = (Time::ZERO + self.begun.elapsed()).min(end);
        world.run_to(now);
        for (side, frame) in world.take_out(self.outlet) {
            self.lines.send(side, &frame);
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_a_peer_says_last_is_heard_although_we_are_talking() {
        let [(lan, mut theirs), (wan, _outside)] = [(); 2].map(|()| UnixStream::pair().unwrap());
        let mut lines = Lines::over([("lan".to_owned(), lan), ("wan".to_owned(), wan)]).unwrap();
        theirs.write_all(&[0, 0, 0, 2, 5, 6]).unwrap();
        drop(theirs);
        lines.send(Side::Lan, &[1; 60]);

        let came = lines.exchange();
        let then = lines.exchange();

        assert_eq!(came.ok(), Some(vec![(Side::Lan, vec![5, 6])]));
        assert_eq!(then.unwrap_err().to_string(), "lan: the peer has left");
    }
}
