#![no_std]
#![forbid(unsafe_code)]
//! The event loop: frames from the ports to the router and back, time, links, signals.
//!
//! A *turn* of the loop sleeps until there is something to do, then serves each port for one *batch* of frames, then
//! time. So neither port starves the other, and time never waits longer than two batches. Without frames and without
//! anything due in the router the sleep has no end, and the program costs nothing.
//!
//! It is a crate of its own so that the forwarding of a batch alone is compiled for speed. All the rest is `#[inline]`, which is
//! to say that it is compiled where it is called: in `init`, to be small.

use linux::{
    Error, Events, LinkChange, Port, Receiver, Signal, Transmitter, VnetHeader, clock, console, process,
};
use napt::{Checksum, Instant};
use router::{Disposition, Link, Offload, Recorder, Router, Side};

/// Frames taken from a port in one turn; also what one system call sends at most.
const BATCH: usize = 64;

/// How the box came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is to be no more.
    Stop,
    /// It is to begin afresh.
    Restart,
}

/// What whoever looks after the box is shown once a turn.
pub struct Turn<'t> {
    /// What time it is.
    pub now: Instant,
    /// The router, between two batches.
    pub router: &'t mut Router<'static, { router::SESSIONS }>,
    /// What records the latest frames.
    pub recorder: &'t mut Recorder,
    /// Whether something has come by a stream that is listened to.
    pub has_news: bool,
}

/// The running box.
pub struct Gateway {
    events: Events,
    /// Lan first, as in [`Side`].
    ports: [Port; 2],
    router: Router<'static, { router::SESSIONS }>,
    recorder: &'static mut Recorder,
}

impl Gateway {
    /// A box of these ports, lan first.
    #[inline]
    pub fn new(
        events: Events,
        ports: [Port; 2],
        router: Router<'static, { router::SESSIONS }>,
        recorder: &'static mut Recorder,
    ) -> Self {
        Self { events, ports, router, recorder }
    }

    /// Tells the router of the links that are up, so that it makes itself known on them.
    #[inline]
    pub fn announce(&mut self) {
        let now = now();
        for side in Side::ALL {
            let port = &self.ports[side as usize];
            if port.is_up() {
                self.router.link_up(now, side, link_of(port));
            }
        }
        self.send_own(now);
        self.flush();
    }

    /// Forwards until somebody asks us to stop. After each turn, in which both ports were served, `attend` is shown the box; it
    /// says when it wants to be asked again, if not by chance: who waits for that knows that the box forwards.
    ///
    /// # Errors
    /// [`Error::System`] if the kernel cannot poll: out of memory.
    #[inline]
    pub fn run(&mut self, attend: &mut dyn FnMut(Turn<'_>) -> Option<Instant>) -> Result<Ending, Error> {
        let mut busy = false;
        let mut next = self.look_after(now(), true, attend);
        loop {
            let timeout = if busy { Some(0) } else { self.until_due(next) };
            let wake = self.events.wait([&self.ports[0].rx, &self.ports[1].rx], timeout)?;
            match wake.signal {
                None => {}
                Some(Signal::Child) => process::reap(),
                Some(Signal::Report) => self.report(),
                Some(Signal::Stop) => return Ok(self.end(Ending::Stop)),
                Some(Signal::Restart) => return Ok(self.end(Ending::Restart)),
            }
            let now = now();
            if wake.links {
                self.check_links(now);
            }
            busy = self.serve(now);
            next = self.look_after(now, wake.channel, attend);
        }
    }

    /// Shows the box to whoever looks after it, and sends what comes of that.
    #[inline]
    fn look_after(
        &mut self,
        now: Instant,
        has_news: bool,
        attend: &mut dyn FnMut(Turn<'_>) -> Option<Instant>,
    ) -> Option<Instant> {
        let next = attend(Turn { now, router: &mut self.router, recorder: self.recorder, has_news });
        self.send_own(now);
        self.flush();
        next
    }

    #[inline]
    fn end(&mut self, ending: Ending) -> Ending {
        self.report();
        ending
    }

    /// Serves both ports and the clock; whether a port may have more for us.
    #[inline]
    fn serve(&mut self, now: Instant) -> bool {
        let mut busy = false;
        for side in Side::ALL {
            busy |= self.forward_batch(now, side);
            self.send_own(now);
            self.flush();
        }
        if let Some(alarm) = self.router.poll_alarm() {
            log::warn!("{alarm}");
        }
        while let Some(ruling) = self.router.poll_ruling() {
            log::info!("{ruling}");
        }
        if self.router.poll_timeout().is_some_and(|due| due <= now) {
            self.router.handle_timeout(now);
            self.send_own(now);
            self.flush();
        }
        busy
    }

    /// Takes up to a batch of frames from a port; whether it was a full one. Once for both ports: all that a packet may
    /// need is written out in it.
    #[inline(never)]
    fn forward_batch(&mut self, now: Instant, side: Side) -> bool {
        let (from, mut to) = split(&mut self.ports, side);
        for n in 0..BATCH {
            if n % napt::BATCH == 0 {
                self.router.look_ahead(side, from.glance(), linux::fetch);
            }
            let Some(mut received) = from.receive() else { return false };
            let vnet = received.vnet;
            if self.recorder.is_on() {
                self.recorder.comes(now, side, received.frame(), &self.router.summary());
            }
            let disposition = self.router.receive(now, side, received.frame(), offload_of(&vnet));
            if self.recorder.is_on() {
                self.recorder.went(disposition, received.frame(), &self.router.summary());
            }
            let (out, vnet) = match disposition {
                Disposition::Send(out) => (out, vnet),
                Disposition::SendSmaller => match self.router.poll_smaller() {
                    Some((out, size)) => (out, vnet.with_gso_size(size)),
                    None => continue,
                },
                Disposition::Done => {
                    // At once: it may be one packet in many pieces, and the next may need the room.
                    send_own(now, &mut self.router, self.recorder, &mut to);
                    continue;
                }
            };
            // A frame that cannot be sent has been counted.
            let _ = to[out as usize].transmit(&vnet, received.frame());
        }
        true
    }

    /// Queues the frames that the router itself wants sent.
    #[inline]
    fn send_own(&mut self, now: Instant) {
        let [lan, wan] = &mut self.ports;
        send_own(now, &mut self.router, self.recorder, &mut [&mut lan.tx, &mut wan.tx]);
    }

    #[inline]
    fn flush(&mut self) {
        for port in &mut self.ports {
            port.tx.flush();
        }
    }

    #[inline]
    fn check_links(&mut self, now: Instant) {
        for side in Side::ALL {
            let port = &mut self.ports[side as usize];
            if port.check_link() == Some(LinkChange::Up) {
                self.router.link_up(now, side, link_of(port));
            }
        }
    }

    /// Milliseconds until there is something to do though no frame has come, if there ever is.
    #[inline]
    fn until_due(&self, other: Option<Instant>) -> Option<u64> {
        let due = self.router.poll_timeout().into_iter().chain(other).min()?;
        Some(due.millis().saturating_sub(clock::now()))
    }

    /// Shows every counter on stderr.
    #[inline]
    fn report(&mut self) {
        console::complain(self.router.summary());
        for side in Side::ALL {
            let port = &mut self.ports[side as usize];
            let stats = port.stats();
            console::complain(format_args!("{side} {}: {stats}", port.name()));
        }
    }
}

/// Queues the frames that a router itself wants sent.
fn send_own(
    now: Instant,
    router: &mut Router<'static, { router::SESSIONS }>,
    recorder: &mut Recorder,
    to: &mut [&mut Transmitter; 2],
) {
    while let Some((side, frame)) = router.poll_transmit() {
        if recorder.is_on() {
            recorder.leaves(now, side, frame);
        }
        // A frame that cannot be sent has been counted.
        let _ = to[side as usize].transmit(&VnetHeader::FINISHED, frame);
    }
}

/// What the router wants to know of a port.
#[inline]
pub fn link_of(port: &Port) -> Link {
    Link { hardware: port.hardware(), mtu: port.mtu() }
}

/// One port's receiver, and both transmitters, lan first: a frame may leave by the port it came from.
fn split(ports: &mut [Port; 2], side: Side) -> (&mut Receiver, [&mut Transmitter; 2]) {
    let [lan, wan] = ports;
    let from = match side {
        Side::Lan => &mut lan.rx,
        Side::Wan => &mut wan.rx,
    };
    (from, [&mut lan.tx, &mut wan.tx])
}

/// The vnet header in the router's words.
fn offload_of(vnet: &VnetHeader) -> Offload {
    let checksum = if vnet.checksum_partial() { Checksum::Partial } else { Checksum::Complete };
    Offload { checksum, segment: vnet.gso_size() }
}

#[inline]
fn now() -> Instant {
    Instant::from_millis(clock::now())
}
