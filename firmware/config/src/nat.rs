//! How the NAT gives out ports, whom it lets in, what it leaves alone, and what it says about refusals.

use crate::{PortRange, Shares};

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

/// A behaviour of each protocol that has ports or identifiers; they may differ (RFC 5382, REQ-3b).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviours {
    /// TCP's.
    pub tcp: Behaviour,
    /// UDP's.
    pub udp: Behaviour,
    /// That of ICMP queries.
    pub icmp: Behaviour,
}

impl Behaviours {
    /// One behaviour for all protocols.
    pub const fn all(behaviour: Behaviour) -> Self {
        Self { tcp: behaviour, udp: behaviour, icmp: behaviour }
    }

    /// The behaviour of all protocols, if they have the same.
    pub fn common(self) -> Option<Behaviour> {
        (self == Self::all(self.tcp)).then_some(self.tcp)
    }
}

/// Whether somebody who is refused hears of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// By an ICMP error.
    Answer,
    /// By nothing.
    Silent,
}

impl Response {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Answer, Self::Silent];

    /// The word for it in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Silent => "silent",
        }
    }
}

/// The NAT's own settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    /// The external ports that mappings may use. An internal port below 1024 is given one below 1024 out of these,
    /// any other one from 1024 up, as far as the range has some (RFC 4787, REQ-3a).
    pub ports: PortRange,
    /// When two sessions of one internal endpoint share their external endpoint (RFC 4787, section 4.1).
    pub mapping: Behaviours,
    /// Which remote endpoints may send to an external endpoint (RFC 4787, section 5).
    pub filtering: Behaviours,
    /// Whether a mapping has its internal port outside too, where that is free.
    pub preserve_ports: bool,
    /// Whether protocols other than TCP, UDP and ICMP are translated, by address alone.
    pub other_protocols: bool,
    /// Whether the segment size of a TCP connection is kept to what both links carry (RFC 4459, section 3.2).
    pub clamp_mss: bool,
    /// What a host inside hears when there is no room for its new flow (RFC 5508, REQ-8; its section 10 has the case
    /// for silence).
    pub refusals: Response,
    /// What a host outside hears of a SYN that nobody had asked for, once it is clear that nobody will (RFC 5382,
    /// REQ-4).
    pub unsolicited_syn: Response,
    /// How much of the box anybody may have.
    pub shares: Shares,
}

impl Default for Nat {
    /// All ports, drawn at random; endpoint-independent mapping (RFC 4787, REQ-1); address-dependent filtering (REQ-8).
    fn default() -> Self {
        Self {
            ports: PortRange::ALL,
            mapping: Behaviours::all(Behaviour::EndpointIndependent),
            filtering: Behaviours::all(Behaviour::AddressDependent),
            preserve_ports: false,
            other_protocols: true,
            clamp_mss: true,
            refusals: Response::Answer,
            unsolicited_syn: Response::Silent,
            shares: Shares::default(),
        }
    }
}
