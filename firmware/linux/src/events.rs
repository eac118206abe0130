//! What the program sleeps on: frames on two ports, news of links, signals, and a moment in time.
//!
//! Every cause that wakes it is consumed here or by the caller (frames), so a sleep never returns at once for an old
//! reason. That includes socket errors: a port whose link went down reports one until it is read.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;

use crate::buttons::{Buttons, MAX_BUTTONS};
use crate::channel::Wakeup;
use crate::error::{Error, Failure};
use crate::links::LinkNews;
use crate::receiver::Receiver;
use crate::signals::{Signal, Signals};
use crate::socket;

/// Something to sleep on.
#[derive(Debug)]
pub struct Events {
    links: LinkNews,
    signals: Signals,
    buttons: Buttons,
    channel: Option<OwnedFd>,
}

/// Why the sleep ended. Nothing set: the time was over, or frames have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wake {
    /// Something happened to a link: look at both ports ([`crate::Port::check_link`]).
    pub links: bool,
    /// Somebody asks something of us.
    pub signal: Option<Signal>,
    /// Something has come by a stream.
    pub channel: bool,
}

impl Events {
    /// Starts to listen; takes over the program's signals.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel refuses a socket or a descriptor.
    pub fn open() -> Result<Self, Error> {
        Ok(Self {
            links: LinkNews::open()?,
            signals: Signals::open()?,
            buttons: Buttons::default(),
            channel: None,
        })
    }

    /// Listens to the power button, too: for the program whose machine it is.
    #[must_use]
    pub fn with_buttons(self) -> Self {
        Self { buttons: Buttons::open(), ..self }
    }

    /// Listens to streams, too.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel has no descriptor left.
    pub fn with_channel(self, wakeup: &Wakeup) -> Result<Self, Error> {
        Ok(Self { channel: Some(wakeup.share()?), ..self })
    }

    /// Sleeps until there is something to do, at most `timeout` milliseconds.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel cannot poll: out of memory.
    pub fn wait(&self, ports: [&Receiver; 2], timeout: Option<u64>) -> Result<Wake, Error> {
        let [first, second] = ports.map(AsFd::as_fd);
        let (mut wake, [first, second]) = self.sleep([first, second], timeout)?;
        let failed = [take_error(ports[0], first), take_error(ports[1], second)];
        wake.links |= failed.contains(&true);
        Ok(wake)
    }

    /// The same where there are no ports.
    ///
    /// # Errors
    /// As for [`wait`](Self::wait).
    pub fn wait_without_ports(&self, timeout: u64) -> Result<Wake, Error> {
        Ok(self.sleep([self.links.as_fd(), self.links.as_fd()], Some(timeout))?.0)
    }

    fn sleep(
        &self,
        ports: [BorrowedFd<'_>; 2],
        timeout: Option<u64>,
    ) -> Result<(Wake, [PollFlags; 2]), Error> {
        let signals = self.signals.as_fd();
        let channel = self.channel.as_ref().map_or(signals, AsFd::as_fd);
        let own = [ports[0], ports[1], self.links.as_fd(), signals, channel];
        let mut fds =
            concat(own, self.buttons.fds_or(signals)).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        let timeout = timeout.map(timespec);
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Failure::new("poll", errno).into()),
        }
        let [first, second, links, signals, channel, buttons @ ..] = fds.map(|fd| fd.revents());
        let links = !links.is_empty();
        if links {
            self.links.drain();
        }
        let mut signal = if signals.is_empty() { None } else { self.signals.next() };
        if buttons.iter().any(|button| !button.is_empty()) && self.buttons.pressed() {
            signal = Some(Signal::Stop);
        }
        let channel = self.channel.is_some() && !channel.is_empty();
        Ok((Wake { links, signal, channel }, [first, second]))
    }
}

fn concat<T: Copy>(five: [T; 5], more: [T; MAX_BUTTONS]) -> [T; 5 + MAX_BUTTONS] {
    core::array::from_fn(|n| if n < 5 { five[n] } else { more[n - 5] })
}

/// Reads a port's pending error, if poll saw one.
fn take_error(port: &Receiver, seen: PollFlags) -> bool {
    let failed = seen.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
    if failed {
        socket::take_error(port);
    }
    failed
}

fn timespec(millis: u64) -> Timespec {
    let seconds = i64::try_from(millis / 1000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: (millis % 1000 * 1_000_000) as _ }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_become_seconds_and_nanoseconds() {
        assert_eq!(timespec(0), Timespec { tv_sec: 0, tv_nsec: 0 });
        assert_eq!(timespec(1_999), Timespec { tv_sec: 1, tv_nsec: 999_000_000 });
        assert_eq!(timespec(u64::MAX).tv_sec, (u64::MAX / 1000) as i64);
    }
}
