//! Forwards: configured static mappings from outside to a host inside.
//!
//! A forward is translation and permission in one. Its ranges are as long as each other, and a port keeps its
//! offset: the second external port goes to the second internal one.

use core::net::Ipv4Addr;
use core::num::NonZeroU16;

use crate::{Name, PortRange, Problem};

/// The most forwards a configuration can have: a round number above what home routers offer (32 as a rule), at
/// which comparing every forward with every other is still nothing.
pub const MAX_FORWARDS: usize = 64;

/// One forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    name: Name,
    protocols: Protocols,
    external: PortRange,
    internal: Ipv4Addr,
    internal_ports: PortRange,
}

impl Forward {
    /// A forward of `external` to as many ports of the host `internal`, from `first_internal_port` up.
    ///
    /// Whether that host is in the LAN is for [`Config::new`](crate::Config::new) to say.
    ///
    /// # Errors
    /// [`Problem::PastLastPort`] if the internal ports would run past 65535.
    pub fn new(
        name: Name,
        protocols: Protocols,
        external: PortRange,
        internal: Ipv4Addr,
        first_internal_port: NonZeroU16,
    ) -> Result<Self, Problem> {
        let internal_ports = external.shifted_to(first_internal_port).ok_or(Problem::PastLastPort)?;
        Ok(Self { name, protocols, external, internal, internal_ports })
    }

    /// What the operator calls it; no two forwards of a configuration have the same name.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// The protocols it is for.
    pub const fn protocols(&self) -> Protocols {
        self.protocols
    }

    /// The ports of the WAN address that it takes.
    pub const fn external(&self) -> PortRange {
        self.external
    }

    /// The address of the host inside.
    pub const fn internal(&self) -> Ipv4Addr {
        self.internal
    }

    /// The ports of the host inside, as many as there are external ones.
    pub const fn internal_ports(&self) -> PortRange {
        self.internal_ports
    }

    /// The internal port for an external one; nothing if this forward does not take that port.
    pub fn internal_port(&self, external: u16) -> Option<NonZeroU16> {
        corresponding(external, self.external, self.internal_ports)
    }

    /// The external port for an internal one; nothing if this forward does not lead there.
    pub fn external_port(&self, internal: u16) -> Option<NonZeroU16> {
        corresponding(internal, self.internal_ports, self.external)
    }

    /// Whether a packet from outside could be meant by both forwards.
    pub const fn overlaps(&self, other: &Self) -> bool {
        self.protocols.overlaps(other.protocols) && self.external.overlaps(other.external)
    }
}

/// The port at the same offset in `to` as `port` has in `from`.
fn corresponding(port: u16, from: PortRange, to: PortRange) -> Option<NonZeroU16> {
    if !from.contains(port) {
        return None;
    }
    to.first().checked_add(port - from.first().get())
}

/// Which transport protocols a forward is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocols {
    /// TCP only.
    Tcp,
    /// UDP only.
    Udp,
    /// TCP and UDP.
    Both,
}

impl Protocols {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Both];

    /// Whether TCP is among them.
    pub const fn tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::Both)
    }

    /// Whether UDP is among them.
    pub const fn udp(self) -> bool {
        matches!(self, Self::Udp | Self::Both)
    }

    /// Whether the two have a protocol in common.
    pub const fn overlaps(self, other: Self) -> bool {
        self.tcp() && other.tcp() || self.udp() && other.udp()
    }

    /// The word for it in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Both => "both",
        }
    }
}
