//! The words for what the world is made of: nodes, their jacks, and packets on their way.

use std::fmt;

use crate::host::Host;
use crate::nat::Nat;
use crate::outlet::Outlet;
use crate::routing::RouterNode;
use crate::station::Station;
use crate::switch::Switch;
use crate::time::Time;

/// Anything that frames come from and go to, by its place in its [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub(crate) usize);

/// A host of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub(crate) NodeId);

/// A router of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterId(pub(crate) NodeId);

/// A switch of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SwitchId(pub(crate) NodeId);

/// A foreign NAT of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NatId(pub(crate) NodeId);

/// A station of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StationId(pub(crate) NodeId);

/// An outlet of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OutletId(pub(crate) NodeId);

/// A link of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub(crate) usize);

/// Where a link ends: one network card of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Jack {
    /// Whose card it is.
    pub node: NodeId,
    /// Which of its cards, counted from 0.
    pub index: usize,
}

impl HostId {
    /// A host's only jack.
    pub const fn jack(self) -> Jack {
        Jack { node: self.0, index: 0 }
    }
}

impl StationId {
    /// A station's only jack.
    pub const fn jack(self) -> Jack {
        Jack { node: self.0, index: 0 }
    }
}

impl SwitchId {
    /// One of a switch's jacks, of which it has as many as anybody asks for.
    pub const fn jack(self, index: usize) -> Jack {
        Jack { node: self.0, index }
    }
}

impl RouterId {
    /// A router's jack on one side.
    pub const fn jack(self, side: router::Side) -> Jack {
        Jack { node: self.0, index: side as usize }
    }
}

impl NatId {
    /// A foreign NAT's jack on one side.
    pub const fn jack(self, side: router::Side) -> Jack {
        Jack { node: self.0, index: side as usize }
    }
}

impl OutletId {
    /// An outlet's jack on one side.
    pub(crate) const fn jack(self, side: router::Side) -> Jack {
        Jack { node: self.0, index: side as usize }
    }
}

/// The same for a packet before and after a router has rewritten it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketId(pub(crate) u64);

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame that a node sends.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    /// The jack it leaves by.
    pub(crate) index: usize,
    /// Whole, without FCS.
    pub(crate) frame: Vec<u8>,
    /// Which packet it is, if the node has only sent it on.
    pub(crate) packet: Option<PacketId>,
}

impl Departure {
    /// A frame that the node has made itself.
    pub(crate) fn own(index: usize, frame: Vec<u8>) -> Self {
        Self { index, frame, packet: None }
    }
}

/// A node, of one kind or another. All are sans-IO: frames in, frames out, and the time when they want to be woken.
pub(crate) enum Node<'t> {
    Host(Box<Host>),
    Router(Box<RouterNode<'t>>),
    Switch(Switch),
    Nat(Box<Nat>),
    Station(Box<Station>),
    Outlet(Outlet),
}

impl Node<'_> {
    /// Takes a frame that has arrived at one of its jacks, and adds to `out` what follows from it.
    pub(crate) fn receive(
        &mut self,
        now: Time,
        index: usize,
        packet: PacketId,
        frame: Vec<u8>,
        out: &mut Vec<Departure>,
    ) {
        match self {
            Self::Host(host) => host.receive(now, frame, out),
            Self::Router(router) => router.receive(now, index, packet, frame, out),
            Self::Switch(switch) => switch.receive(index, packet, frame, out),
            Self::Nat(nat) => nat.receive(now, index, packet, frame, out),
            Self::Station(station) => station.receive(now, frame, out),
            Self::Outlet(outlet) => outlet.receive(index, frame),
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn handle_timeout(&mut self, now: Time, out: &mut Vec<Departure>) {
        match self {
            Self::Host(host) => host.handle_timeout(now, out),
            Self::Router(router) => router.handle_timeout(now, out),
            Self::Switch(_) | Self::Nat(_) | Self::Outlet(_) => (),
            Self::Station(station) => station.handle_timeout(now, out),
        }
    }

    /// What a router wants to be woken for, on its own clock.
    pub(crate) fn due(&self) -> Option<napt::Instant> {
        match self {
            Self::Router(router) => router.due(),
            _ => None,
        }
    }

    /// When it next has something to do, if at all.
    pub(crate) fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        match self {
            Self::Host(host) => host.poll_timeout(now),
            Self::Router(router) => router.poll_timeout(),
            Self::Switch(_) | Self::Nat(_) | Self::Outlet(_) => None,
            Self::Station(station) => station.poll_timeout(),
        }
    }
}
