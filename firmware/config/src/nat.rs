//! How the NAT gives out ports, and whom it lets in.

use crate::PortRange;

/// What a mapping or a filter depends on (RFC 4787, sections 4.1 and 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// On nothing about the remote endpoint.
    EndpointIndependent,
    /// On the remote address.
    AddressDependent,
    /// On the remote address and port.
    AddressAndPortDependent,
}

impl Behaviour {
    /// Every behaviour, the most permissive first.
    pub const ALL: [Self; 3] =
        [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    /// The RFC's word for it, as the readable configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "endpoint-independent",
            Self::AddressDependent => "address-dependent",
            Self::AddressAndPortDependent => "address-and-port-dependent",
        }
    }
}

/// The NAT's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    ports: PortRange,
    mapping: Behaviour,
    filtering: Behaviour,
}

impl Nat {
    /// Settings of one's own choice.
    pub const fn new(ports: PortRange, mapping: Behaviour, filtering: Behaviour) -> Self {
        Self { ports, mapping, filtering }
    }

    /// The external ports that mappings may use. An internal port below 1024 is given one below 1024 out of these,
    /// any other one from 1024 up, as far as the range has some (RFC 4787, REQ-3a).
    pub const fn ports(self) -> PortRange {
        self.ports
    }

    /// When two sessions of one internal endpoint share their external endpoint (RFC 4787, section 4.1).
    pub const fn mapping(self) -> Behaviour {
        self.mapping
    }

    /// Which remote endpoints may send to an external endpoint (RFC 4787, section 5).
    pub const fn filtering(self) -> Behaviour {
        self.filtering
    }
}

impl Default for Nat {
    /// All ports; endpoint-independent mapping (RFC 4787, REQ-1); address-dependent filtering (REQ-8).
    fn default() -> Self {
        Self::new(PortRange::ALL, Behaviour::EndpointIndependent, Behaviour::AddressDependent)
    }
}
