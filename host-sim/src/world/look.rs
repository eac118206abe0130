//! What can be seen of a world without changing it: its nodes, its links, what checkers and links have kept.

use super::World;
use crate::checkers::Violation;
use crate::host::Host;
use crate::link::{Faults, Quality, Sent, Tally};
use crate::nat::Nat;
use crate::node::{HostId, LinkId, NatId, Node, RouterId, StationId};
use crate::routing::RouterNode;
use crate::station::Station;
use crate::time::Time;

impl<'t> World<'t> {
    /// What the checkers have found wrong.
    pub fn violations(&self) -> Vec<Violation> {
        self.checkers.iter().flatten().flat_map(|checkers| checkers.violations().to_vec()).collect()
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A host, to look at.
    pub fn host(&self, host: HostId) -> &Host {
        match &self.places[host.0.0].node {
            Node::Host(host) => host,
            _ => unreachable!("this world gave the id to a host"),
        }
    }

    /// A router, to look at.
    pub fn router(&self, router: RouterId) -> &RouterNode<'t> {
        match &self.places[router.0.0].node {
            Node::Router(router) => router,
            _ => unreachable!("this world gave the id to a router"),
        }
    }

    /// A foreign NAT, to look at.
    pub fn nat(&self, nat: NatId) -> &Nat {
        match &self.places[nat.0.0].node {
            Node::Nat(nat) => nat,
            _ => unreachable!("this world gave the id to a NAT"),
        }
    }

    /// A station, to look at.
    pub fn station(&self, station: StationId) -> &Station {
        match &self.places[station.0.0].node {
            Node::Station(station) => station,
            _ => unreachable!("this world gave the id to a station"),
        }
    }

    /// What became of the frames that were sent into a link.
    pub fn tally(&self, link: LinkId) -> Tally {
        self.cables[link.0].tally
    }

    /// What has been sent into a link since it is recorded, whether or not it has arrived.
    pub fn recorded(&self, link: LinkId) -> &[Sent] {
        self.cables[link.0].record.as_deref().unwrap_or_default()
    }

    /// A link's qualities and faults.
    pub fn quality(&self, link: LinkId) -> (Quality, Faults) {
        let link = &self.cables[link.0].link;
        (link.quality, link.faults)
    }

    /// How many events are to come.
    pub(crate) fn events(&self) -> usize {
        self.agenda.len()
    }

    /// How many frames taps and links keep.
    pub(crate) fn seen(&self) -> usize {
        let recorded = self.cables.iter().filter_map(|cable| cable.record.as_ref());
        self.trace.sightings().len() + recorded.map(Vec::len).sum::<usize>()
    }
}
