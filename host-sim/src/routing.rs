//! The firmware's router as a node: the frames of its jacks go through [`router::Router`], and nothing else does.
//!
//! A router is built for a number of sessions, its [`Size`], and works in [`Tables`] of that size which nobody has used
//! before. They are made before the world is; a router that will be rebooted gets a second pair, and so on.
//!
//! A frame's [`Fate`] is what the router's own counters say of it.

mod machine;

use std::time::Duration;

use config::Config;
pub use router::Fate;
use router::{Books, Disposition, Link, Offload, Side, Summary};

use crate::chance::Stream;
use crate::node::{Departure, PacketId};
use crate::time::Time;

use self::machine::Machine;
pub use self::machine::{Size, Tables};

/// What a router has to be told before it starts.
#[derive(Clone, Debug)]
pub struct RouterSetup {
    /// What it works by.
    pub config: Config,
    /// Its ports, lan first.
    pub ports: [Link; 2],
    /// What its clock shows when the world begins.
    pub clock: Duration,
}

/// A router.
pub struct RouterNode<'t> {
    machine: Box<dyn Machine + 't>,
    spare: Vec<&'t mut Tables>,
    config: Config,
    ports: [Link; 2],
    up: [bool; 2],
    /// What the router's clock shows when the world's shows zero. It may have begun after that.
    clock: Duration,
    begun: Time,
    entropy: Stream,
    /// Whether anybody wants to know what becomes of frames.
    watched: bool,
    fate: Option<Fate>,
    /// The frame that it was given last, as it has left it, unless it has sent it on.
    left: Vec<u8>,
}

impl<'t> RouterNode<'t> {
    /// A box with its links down. It works in the first of the `tables`, and in the next after each reboot.
    ///
    /// # Panics
    /// If there are no tables.
    pub fn new(tables: Vec<&'t mut Tables>, setup: &RouterSetup, mut entropy: Stream) -> Self {
        let RouterSetup { ref config, ports, clock } = *setup;
        let mut tables = tables.into_iter();
        let first = tables.next().expect("a router works in tables");
        Self {
            machine: machine::build(first, config, ports, &entropy.seed()),
            spare: tables.rev().collect(),
            config: config.clone(),
            ports,
            up: [false; 2],
            clock,
            begun: Time::ZERO,
            entropy,
            watched: false,
            fate: None,
            left: Vec::new(),
        }
    }

    /// What became of every frame so far.
    pub fn summary(&self) -> Summary<'_> {
        self.machine.summary()
    }

    /// What it has to tell its engine.
    pub(crate) fn settings(&self) -> napt::Settings {
        let [lan, wan] = self.ports.map(|port| port.mtu);
        router::settings(&self.config, lan, wan)
    }

    /// What it works by.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the router knows of its ports, lan first.
    pub fn ports(&self) -> [Link; 2] {
        self.ports
    }

    /// What the router's clock shows at a moment.
    pub fn clock(&self, now: Time) -> napt::Instant {
        let (since, clock) = (now.micros() - self.begun.micros(), self.clock.as_micros() as u64);
        napt::Instant::from_millis((since + clock) / 1_000)
    }

    /// When the router's clock first shows an instant, if that is not over yet.
    fn moment(&self, instant: napt::Instant) -> Time {
        let micros = instant.millis().saturating_mul(1_000).saturating_sub(self.clock.as_micros() as u64);
        Time::from_micros(micros.saturating_add(self.begun.micros()))
    }

    /// Somebody wants to know what becomes of frames from now on.
    pub(crate) fn watch(&mut self) {
        self.watched = true;
    }

    /// What it wants to be woken for, on its own clock.
    pub(crate) fn due(&self) -> Option<napt::Instant> {
        self.machine.poll_timeout()
    }

    /// What became of the frame that it was given last, if anybody wants to know.
    pub(crate) fn fate(&self) -> Option<Fate> {
        self.fate
    }

    /// The frame that it was given last, as it has left it, unless it has sent it on: one that waits has been translated
    /// by then.
    pub(crate) fn left(&self) -> &[u8] {
        &self.left
    }

    /// A link of its comes up.
    pub(crate) fn link_up(&mut self, now: Time, side: Side, out: &mut Vec<Departure>) {
        self.up[side as usize] = true;
        self.machine.link_up(self.clock(now), side, self.ports[side as usize]);
        self.own(out);
    }

    /// It works by another configuration from now on.
    pub(crate) fn reconfigure(&mut self, now: Time, config: &Config, out: &mut Vec<Departure>) {
        self.config = config.clone();
        self.machine.reconfigure(self.clock(now), config);
        self.own(out);
    }

    /// It loses all its state and begins again. Its clock begins at zero.
    ///
    /// # Panics
    /// If it has been rebooted more often than it was given tables for.
    pub(crate) fn reboot(&mut self, now: Time, out: &mut Vec<Departure>) {
        let tables = self.spare.pop().expect("there are tables for every reboot");
        (self.begun, self.clock) = (now, Duration::ZERO);
        self.machine = machine::build(tables, &self.config, self.ports, &self.entropy.seed());
        for side in Side::ALL {
            if self.up[side as usize] {
                self.link_up(now, side, out);
            }
        }
    }

    /// A frame arrives. If it goes on, it is still the same packet.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        index: usize,
        packet: PacketId,
        mut frame: Vec<u8>,
        out: &mut Vec<Departure>,
    ) {
        let from = Side::ALL[index];
        let before = self.watched.then(|| Books::of(&self.machine.summary(), from));
        let disposition = self.machine.receive(self.clock(now), from, &mut frame, Offload::default());
        self.fate = before.map(|before| before.fate(disposition, &Books::of(&self.machine.summary(), from)));
        if let Disposition::Send(to) = disposition {
            out.push(Departure { index: to as usize, frame, packet: Some(packet) });
        } else {
            self.left = frame;
        }
        self.own(out);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.machine.poll_timeout().map(|due| self.moment(due))
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, out: &mut Vec<Departure>) {
        self.machine.handle_timeout(self.clock(now));
        self.own(out);
    }

    /// The frames that the box itself wants sent.
    fn own(&mut self, out: &mut Vec<Departure>) {
        while let Some((side, frame)) = self.machine.poll_transmit() {
            out.push(Departure::own(side as usize, frame.to_vec()));
        }
    }
}

/// The tables of one router that is rebooted so many times.
pub fn tables(size: Size, reboots: usize) -> Vec<Tables> {
    (0..=reboots).map(|_| Tables::new(size)).collect()
}
