//! The words for what the world is made of: nodes, their jacks, and packets on their way.

use std::fmt;

/// A host of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostId(pub(crate) usize);

/// A router of a [`World`](crate::World).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterId(pub(crate) usize);

/// Anything that frames come from and go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeId {
    /// A host.
    Host(HostId),
    /// A router.
    Router(RouterId),
}

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
        Jack { node: NodeId::Host(self), index: 0 }
    }
}

impl RouterId {
    /// A router's jack on one side.
    pub const fn jack(self, side: router::Side) -> Jack {
        Jack { node: NodeId::Router(self), index: side as usize }
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
