//! What the engine is told before it starts: addresses, behaviours, timers and forwards.
//!
//! The engine trusts these: whoever builds them has validated them (crate `config`).

use core::net::Ipv4Addr;
use core::num::NonZeroU16;
use core::time::Duration;

use crate::endpoint::{Endpoint, Protocol};
use crate::forward::Forwards;
use crate::half_open;
use crate::policy::Policy;
use crate::session::Grouping;
use crate::tcp::{Phase, State};
use crate::time::Stamp;

/// How much of the remote endpoint a behaviour looks at (RFC 4787 s.4.1 for mapping, s.5 for filtering).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependence {
    /// Nothing: endpoint-independent.
    Endpoint,
    /// The remote address: address-dependent.
    Address,
    /// The remote address and port: address-and-port-dependent.
    AddressAndPort,
}

/// A behaviour of each protocol that has ports or identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByProtocol {
    /// TCP's.
    pub tcp: Dependence,
    /// UDP's.
    pub udp: Dependence,
    /// That of ICMP queries.
    pub icmp: Dependence,
}

impl ByProtocol {
    /// That of one protocol. Those without ports depend on addresses.
    pub(crate) const fn of(self, protocol: Protocol) -> Dependence {
        match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
            Protocol::Icmp => self.icmp,
            Protocol::Other => Dependence::Address,
        }
    }
}

impl From<Dependence> for ByProtocol {
    fn from(all: Dependence) -> Self {
        Self { tcp: all, udp: all, icmp: all }
    }
}

/// How much of the tables anybody may have; what is `None` follows from their size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// The sessions that one internal host may begin; all, if `None` (RFC 6888 REQ-4).
    pub each_host: Option<u32>,
    /// The sessions that an internal host may always begin, while there is one free; a 128th, between 2 and 64, if
    /// `None`.
    pub guaranteed: Option<u32>,
    /// The half-open sessions that one source outside may have; a 64th, between 4 and 256, if `None`.
    pub half_open_each_source: Option<u32>,
    /// The half-open sessions that one forward may have; a 16th, if `None`.
    pub half_open_each_forward: Option<u32>,
}

/// The shares of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) each_host: u32,
    pub(crate) guaranteed: u32,
    pub(crate) half_open: half_open::Limits,
}

impl Limits {
    pub(crate) fn new(shares: &Shares, sessions: u32) -> Self {
        let each_host = shares.each_host.unwrap_or(sessions);
        let guaranteed = shares.guaranteed.unwrap_or((sessions / 128).clamp(2, 64));
        Self {
            each_host,
            guaranteed: guaranteed.min(each_host),
            half_open: half_open::Limits {
                each_source: shares.half_open_each_source.unwrap_or((sessions / 64).clamp(4, 256)),
                each_forward: shares.half_open_each_forward.unwrap_or((sessions / 16).max(4)),
            },
        }
    }
}

/// An inclusive range of ports; never empty, never with port 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    first: NonZeroU16,
    last: NonZeroU16,
}

impl PortRange {
    /// Every port there is.
    pub const ALL: Self = Self { first: NonZeroU16::MIN, last: NonZeroU16::MAX };

    /// The range from `first` to `last`, or `None` if it is empty.
    pub const fn new(first: NonZeroU16, last: NonZeroU16) -> Option<Self> {
        if first.get() > last.get() { None } else { Some(Self { first, last }) }
    }

    /// The lowest port.
    pub const fn first(self) -> u16 {
        self.first.get()
    }

    /// The highest port.
    pub const fn last(self) -> u16 {
        self.last.get()
    }

    /// Whether `port` is in the range.
    pub const fn contains(self, port: u16) -> bool {
        self.first.get() <= port && port <= self.last.get()
    }
}

/// Idle times after which a session ends. At most 20 days each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// UDP, since the last outbound packet: at least 120 s, 300 s recommended (RFC 4787 REQ-5, REQ-6).
    pub udp: Duration,
    /// TCP established, half-closed included: at least 7,440 s (RFC 5382 REQ-5, RFC 6146 s.3.5.2.2).
    pub tcp_established: Duration,
    /// TCP half-open: at least 240 s (RFC 5382 REQ-5, RFC 7857 s.2.1).
    pub tcp_opening: Duration,
    /// TCP after both FINs, or a RST: at least 240 s (RFC 5382 REQ-5, RFC 7857 s.2.1 and s.2.2).
    pub tcp_closing: Duration,
    /// ICMP queries: at least 60 s (RFC 5508 REQ-2).
    pub icmp: Duration,
    /// Other protocols: no RFC says.
    pub other: Duration,
    /// How long after its first fragment a datagram's others may come: at least 2 s (RFC 6146 s.4).
    pub fragment: Duration,
    /// How long a released external port is kept from other internal endpoints: 120 s (RFC 6888 REQ-8).
    pub port_cooldown: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            udp: Duration::from_secs(300),
            tcp_established: Duration::from_secs(7440),
            tcp_opening: Duration::from_secs(240),
            tcp_closing: Duration::from_secs(240),
            icmp: Duration::from_secs(60),
            other: Duration::from_secs(600),
            fragment: Duration::from_secs(5),
            port_cooldown: Duration::from_secs(120),
        }
    }
}

/// Everything the engine is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one external address, if there is one: without, nothing leaves and nothing comes in.
    pub external: Option<Ipv4Addr>,
    /// The largest packet the external link carries, in bytes.
    pub external_mtu: u16,
    /// The largest packet the internal link carries, in bytes.
    pub internal_mtu: u16,
    /// External ports (and query identifiers) that mappings may take.
    pub ports: PortRange,
    /// Whether a mapping takes its internal endpoint's port, if that is free (RFC 7857 s.9 would rather not).
    pub preserve_ports: bool,
    /// Mapping behaviours.
    pub mapping: ByProtocol,
    /// Filtering behaviours.
    pub filtering: ByProtocol,
    /// Whether protocols other than TCP, UDP and ICMP are translated, by address alone; if not, they are dropped.
    pub other_protocols: bool,
    /// Whether the segment size that a TCP connection agrees on is kept to what both links carry (RFC 4459 s.3.2).
    pub clamp_segment_size: bool,
    /// Idle times.
    pub timers: Timers,
    /// How much of the tables anybody may have.
    pub shares: Shares,
    /// Configured mappings from outside to inside.
    pub forwards: Forwards,
    /// What may begin.
    pub policy: Policy,
}

impl Settings {
    /// The recommended settings for `external`: endpoint-independent mapping, address-dependent filtering (RFC 4787
    /// REQ-1, REQ-8), every port, Ethernet's MTU on both sides, no forwards.
    pub fn new(external: Ipv4Addr) -> Self {
        Self {
            external: Some(external),
            external_mtu: 1500,
            internal_mtu: 1500,
            ports: PortRange::ALL,
            preserve_ports: false,
            mapping: Dependence::Endpoint.into(),
            filtering: Dependence::Address.into(),
            other_protocols: true,
            clamp_segment_size: true,
            timers: Timers::default(),
            shares: Shares::default(),
            forwards: Forwards::default(),
            policy: Policy::default(),
        }
    }

    /// The largest TCP segment that fits both links, without options in either header.
    pub(crate) fn segment_size(&self) -> Option<u16> {
        const HEADERS: u16 = 40;
        let mtu = self.external_mtu.min(self.internal_mtu);
        self.clamp_segment_size.then(|| mtu.saturating_sub(HEADERS))
    }
}

/// What follows from the behaviours for each protocol's sessions, by [`Protocol`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    scope: [Scope; Protocol::COUNT],
    grouping: [Grouping; Protocol::COUNT],
}

impl Rules {
    pub(crate) fn new(settings: &Settings) -> Self {
        let scope_of = |protocol| scope(settings, protocol);
        Self {
            scope: Protocol::ALL.map(|protocol| Scope::new(scope_of(protocol))),
            grouping: Protocol::ALL.map(|protocol| grouping(settings, protocol, scope_of(protocol))),
        }
    }

    /// As much of a remote end as a session keeps; the rest is zero.
    #[inline]
    pub(crate) fn scoped(&self, protocol: Protocol, remote: Endpoint) -> Endpoint {
        match protocol {
            Protocol::Tcp => remote,
            _ => Endpoint::of_word(remote.word() & self.scope[protocol as usize].0),
        }
    }

    /// Whether the sessions of a protocol are kept alike by other rules.
    pub(crate) fn agree(&self, other: &Self, protocol: Protocol) -> bool {
        let of = |rules: &Self| (rules.scope[protocol as usize], rules.grouping[protocol as usize]);
        of(self) == of(other)
    }

    /// How sessions are grouped by remote address.
    #[inline]
    pub(crate) fn grouping(&self, protocol: Protocol) -> Grouping {
        self.grouping[protocol as usize]
    }
}

/// The bits of a remote end's word that a session keeps: all or none of its address, all or none of its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scope(u64);

impl Scope {
    const fn new(dependence: Dependence) -> Self {
        const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;
        Self(match dependence {
            Dependence::Endpoint => 0,
            Dependence::Address => Endpoint::new(ALL, 0).word(),
            Dependence::AddressAndPort => Endpoint::new(ALL, u16::MAX).word(),
        })
    }
}

/// As much as either behaviour and the filter rules look at; all of it for TCP, where every connection has a state of its
/// own, and where two forwards lead to one internal endpoint, so that their answers are told apart.
#[inline]
fn scope(settings: &Settings, protocol: Protocol) -> Dependence {
    match protocol {
        Protocol::Tcp => Dependence::AddressAndPort,
        Protocol::Other => Dependence::Address,
        _ if settings.forwards.converge(protocol) => Dependence::AddressAndPort,
        _ => {
            let behaviours = settings.mapping.of(protocol).max(settings.filtering.of(protocol));
            behaviours.max(settings.policy.dependence(protocol))
        }
    }
}

/// Only where a behaviour looks at less than sessions keep.
#[inline]
fn grouping(settings: &Settings, protocol: Protocol, scope: Dependence) -> Grouping {
    if protocol == Protocol::Other {
        return Grouping::None;
    }
    match (scope, settings.mapping.of(protocol), settings.filtering.of(protocol)) {
        (Dependence::AddressAndPort, Dependence::Address, _) => Grouping::ByInternal,
        (Dependence::AddressAndPort, _, Dependence::Address) => Grouping::ByExternal,
        _ => Grouping::None,
    }
}

/// The timers as the tables use them, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    udp: u32,
    icmp: u32,
    other: u32,
    /// By [`State`].
    tcp: [u32; State::COUNT],
    /// How long the pieces of a datagram may take.
    pub(crate) fragment: u32,
    /// How long a released port cools.
    pub(crate) cooldown: u32,
}

impl Idle {
    pub(crate) fn new(timers: &Timers) -> Self {
        let millis = |timer: Duration| timer.min(Stamp::LONGEST).as_millis() as u32;
        Self {
            udp: millis(timers.udp),
            icmp: millis(timers.icmp),
            other: millis(timers.other),
            tcp: State::ALL.map(|state| match state.phase() {
                Phase::Opening => millis(timers.tcp_opening),
                Phase::Established => millis(timers.tcp_established),
                Phase::Closing => millis(timers.tcp_closing),
            }),
            fragment: millis(timers.fragment),
            cooldown: millis(timers.port_cooldown),
        }
    }

    /// How long a session may idle.
    #[inline]
    pub(crate) fn millis(&self, protocol: Protocol, state: State) -> u32 {
        match protocol {
            Protocol::Udp => self.udp,
            Protocol::Icmp => self.icmp,
            Protocol::Other => self.other,
            Protocol::Tcp => self.tcp.get(state as usize).copied().unwrap_or_default(),
        }
    }
}
