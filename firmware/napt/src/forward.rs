//! Forwards: configured mappings from outside to inside.
//!
//! A forward is the mapping, the permission and the hairpin rule in one object. Its external ports belong to it alone:
//! no dynamic mapping gets one. It works both ways: what its internal endpoint sends of its own accord leaves with the
//! forward's external port.

use core::net::Ipv4Addr;

use crate::{Endpoint, PortRange, Protocol};

/// How many forwards a box can have.
pub const MAX_FORWARDS: usize = 64;

/// The protocols of a forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// TCP alone.
    Tcp,
    /// UDP alone.
    Udp,
    /// TCP and UDP.
    Both,
}

impl Protocols {
    fn include(self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Tcp => self != Self::Udp,
            Protocol::Udp => self != Self::Tcp,
            Protocol::Icmp | Protocol::Other => false,
        }
    }
}

/// External ports that always lead to the same internal ports: `external.first() + n` to `internal.port + n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    /// What it forwards.
    pub protocols: Protocols,
    /// The external ports.
    pub external: PortRange,
    /// Where the first of them leads. The range must end at or below port 65,535 inside, too.
    pub internal: Endpoint,
}

impl Forward {
    fn inward(&self, protocol: Protocol, external: u16) -> Option<Endpoint> {
        let ours = self.protocols.include(protocol) && self.external.contains(external);
        let port = self.internal.port.checked_add(external.wrapping_sub(self.external.first()))?;
        ours.then_some(Endpoint::new(self.internal.address, port))
    }

    fn meets(&self, other: &Self) -> bool {
        let last = |forward: &Self| {
            u32::from(forward.internal.port) + u32::from(forward.external.last() - forward.external.first())
        };
        self.internal.address == other.internal.address
            && u32::from(self.internal.port) <= last(other)
            && u32::from(other.internal.port) <= last(self)
    }

    fn outward(&self, protocol: Protocol, internal: Endpoint) -> Option<u16> {
        let offset = internal.port.checked_sub(self.internal.port)?;
        let external = self.external.first().checked_add(offset)?;
        let ours = self.protocols.include(protocol)
            && internal.address == self.internal.address
            && self.external.contains(external);
        ours.then_some(external)
    }
}

/// The forwards of a box, in the order of its configuration.
#[derive(Clone, Debug)]
pub struct Forwards {
    list: [Forward; MAX_FORWARDS],
    count: usize,
}

impl Default for Forwards {
    fn default() -> Self {
        let unused = Forward {
            protocols: Protocols::Both,
            external: PortRange::ALL,
            internal: Endpoint::new(Ipv4Addr::UNSPECIFIED, 0),
        };
        Self { list: [unused; MAX_FORWARDS], count: 0 }
    }
}

impl Forwards {
    /// Adds one. `None` if there are [`MAX_FORWARDS`] already.
    pub fn push(&mut self, forward: Forward) -> Option<()> {
        *self.list.get_mut(self.count)? = forward;
        self.count += 1;
        Some(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Forward> {
        self.list.iter().take(self.count)
    }

    /// The place in the configuration of the forward that owns `external`.
    pub(crate) fn number(&self, protocol: Protocol, external: u16) -> Option<usize> {
        self.iter().position(|forward| forward.inward(protocol, external).is_some())
    }

    /// Where `external` leads.
    pub(crate) fn inward(&self, protocol: Protocol, external: u16) -> Option<Endpoint> {
        self.iter().find_map(|forward| forward.inward(protocol, external))
    }

    /// The external port that belongs to `internal`; the first forward wins if several lead there.
    pub(crate) fn outward(&self, protocol: Protocol, internal: Endpoint) -> Option<u16> {
        self.iter().find_map(|forward| forward.outward(protocol, internal))
    }

    /// Whether two of them lead to one internal endpoint.
    pub(crate) fn converge(&self, protocol: Protocol) -> bool {
        let ours = |forward: &&Forward| forward.protocols.include(protocol);
        let mut numbered = self.iter().filter(ours).enumerate();
        numbered.any(|(n, one)| self.iter().filter(ours).skip(n + 1).any(|other| one.meets(other)))
    }

    /// Every external port that a forward of `protocol` owns.
    pub(crate) fn owned(&self, protocol: Protocol) -> impl Iterator<Item = u16> {
        let ranges = self.iter().filter(move |forward| forward.protocols.include(protocol));
        ranges.flat_map(|forward| forward.external.first()..=forward.external.last())
    }
}
