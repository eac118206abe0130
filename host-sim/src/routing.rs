//! The firmware's router as a node: the frames of its jacks go through [`router::Router`], and nothing else does.

use config::Config;
use napt::Seed;
use router::{Disposition, Link, Offload, Router, Side, Summary};

use crate::node::{Departure, PacketId};
use crate::time::Time;

/// Sessions, and mappings, that a simulated box has room for.
pub const SESSIONS: usize = 1024;

/// A simulated box's tables.
pub type Tables = napt::Tables<SESSIONS>;

/// A router.
pub struct RouterNode<'t> {
    router: Router<'t, SESSIONS>,
}

impl<'t> RouterNode<'t> {
    /// A box that works by `config`, with its links down, in `tables` that nobody has used before.
    pub fn new(tables: &'t mut Tables, config: &Config, links: [Link; 2], seed: &Seed) -> Self {
        let [lan, wan] = links;
        Self { router: Router::new(tables, config, lan, wan, seed) }
    }

    /// What became of every frame so far.
    pub fn summary(&self) -> Summary<'_> {
        self.router.summary()
    }

    /// A link of its comes up.
    pub(crate) fn link_up(&mut self, now: Time, side: Side, link: Link) -> Vec<Departure> {
        self.router.link_up(now.engine(), side, link);
        self.own()
    }

    /// A frame arrives. If it goes on, it is still the same packet.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        index: usize,
        packet: PacketId,
        mut frame: Vec<u8>,
    ) -> Vec<Departure> {
        let from = Side::ALL[index];
        let disposition = self.router.receive(now.engine(), from, &mut frame, Offload::default());
        let mut departures = Vec::new();
        if let Disposition::Send(to) = disposition {
            departures.push(Departure { index: to as usize, frame, packet: Some(packet) });
        }
        departures.append(&mut self.own());
        departures
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        self.router.poll_timeout().map(Time::from_engine)
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) -> Vec<Departure> {
        self.router.handle_timeout(now.engine());
        self.own()
    }

    /// The frames that the box itself wants sent.
    fn own(&mut self) -> Vec<Departure> {
        let mut departures = Vec::new();
        while let Some((side, frame)) = self.router.poll_transmit() {
            departures.push(Departure { index: side as usize, frame: frame.to_vec(), packet: None });
        }
        departures
    }
}
