//! Filter rules: what may begin, after the FORWARD and INPUT chains of old.
//!
//! A rule is asked about what begins a session, and about packets to the box itself; what belongs to a session passes
//! without. Rules are asked in their order, and the first that matches decides. Where none does, hosts inside may begin
//! whatever they like, hosts outside what a forward or the filtering behaviour lets in, and the box serves what it serves.

use core::fmt;
use core::net::Ipv4Addr;
use core::num::NonZeroU16;

use crate::{Name, PortRange, Problem};

/// The most rules a configuration can have.
pub const MAX_RULES: usize = 256;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What the operator calls it; no two rules of a configuration have the same name.
    pub name: Name,
    /// Which way it looks.
    pub direction: Direction,
    /// Which protocol it is about.
    pub protocol: RuleProtocol,
    /// Whom the packet is from; from outside, as the box sees them.
    pub source: Addresses,
    /// The port that it is from.
    pub source_port: Option<PortRange>,
    /// Whom it is to; from outside, who it is led to inside.
    pub destination: Addresses,
    /// The port that it is to; inside, the internal one.
    pub port: Option<PortRange>,
    /// What becomes of it.
    pub action: Action,
    /// How often the rule matches at most; beyond that the next ones are asked.
    pub rate: Option<Rate>,
    /// Whether a line tells of it.
    pub log: bool,
}

/// Which way a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What a host inside begins with somebody outside.
    LanToWan,
    /// What somebody outside begins with a host inside, or tries to.
    WanToLan,
    /// From inside to the box itself.
    LanToBox,
    /// From outside to the box itself, and to those of its ports that nobody inside has.
    WanToBox,
}

impl Direction {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LanToWan, Self::WanToLan, Self::LanToBox, Self::WanToBox];

    /// The word for it in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LanToWan => "lan-to-wan",
            Self::WanToLan => "wan-to-lan",
            Self::LanToBox => "lan-to-box",
            Self::WanToBox => "wan-to-box",
        }
    }
}

/// Which protocol a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleProtocol {
    /// Whichever.
    Any,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// TCP and UDP.
    Both,
    /// ICMP queries. Errors belong to what they are about.
    Icmp,
    /// Another one, by its number.
    Number(u8),
}

impl RuleProtocol {
    /// Those that have a name.
    pub const NAMED: [(&str, Self); 5] = [
        ("any", Self::Any),
        ("tcp", Self::Tcp),
        ("udp", Self::Udp),
        ("both", Self::Both),
        ("icmp", Self::Icmp),
    ];

    /// The protocol with this number (RFC 791), by its name if it has one.
    pub const fn of_number(number: u8) -> Self {
        match number {
            1 => Self::Icmp,
            6 => Self::Tcp,
            17 => Self::Udp,
            other => Self::Number(other),
        }
    }

    /// Whether all it is about has ports.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::Tcp | Self::Udp | Self::Both)
    }
}

impl fmt::Display for RuleProtocol {
    /// `tcp` or `47`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (Self::NAMED.iter().find(|(_, named)| named == self), self) {
            (Some((name, _)), _) => f.write_str(name),
            (None, Self::Number(number)) => write!(f, "{number}"),
            (None, _) => Ok(()),
        }
    }
}

/// Some addresses: all, those of a prefix, or all but those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    network: Ipv4Addr,
    prefix_len: u8,
    is_negated: bool,
}

impl Addresses {
    /// All of them.
    pub const ALL: Self = Self { network: Ipv4Addr::UNSPECIFIED, prefix_len: 0, is_negated: false };

    /// Those of a prefix, or all but those. Everything but everything is refused.
    ///
    /// # Errors
    /// [`Problem::PrefixLength`], or [`Problem::HostBits`] if `network` is not the first address of its prefix.
    pub fn new(network: Ipv4Addr, prefix_len: u8, is_negated: bool) -> Result<Self, Problem> {
        if prefix_len > 32 || (prefix_len == 0 && is_negated) {
            return Err(Problem::PrefixLength);
        }
        let this = Self { network, prefix_len, is_negated };
        if network.to_bits() & !this.mask() != 0 {
            return Err(Problem::HostBits);
        }
        Ok(this)
    }

    /// The first address of the prefix.
    pub const fn network(self) -> Ipv4Addr {
        self.network
    }

    /// The length of the prefix, 0 to 32 bits.
    pub const fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The first bits of an address, which those of the prefix have in common.
    pub const fn mask(self) -> u32 {
        match self.prefix_len {
            0 => 0,
            // 1 to 32, so the shift is 0 to 31.
            len => u32::MAX << (32 - len),
        }
    }

    /// Whether all but those of the prefix are meant.
    pub const fn is_negated(self) -> bool {
        self.is_negated
    }
}

impl fmt::Display for Addresses {
    /// `192.0.2.0/24`, `192.0.2.7` or `!192.0.2.0/24`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.is_negated { "!" } else { "" };
        match self.prefix_len {
            32 => write!(f, "{not}{}", self.network),
            len => write!(f, "{not}{}/{len}", self.network),
        }
    }
}

/// What becomes of a packet that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on.
    Accept,
    /// It is dropped, silently.
    Drop,
    /// Its sender is told that it is not wanted.
    Reject(Rejection),
}

/// How the sender of a rejected packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// ICMP 3/0.
    NetUnreachable,
    /// ICMP 3/1.
    HostUnreachable,
    /// ICMP 3/2.
    ProtocolUnreachable,
    /// ICMP 3/3.
    PortUnreachable,
    /// ICMP 3/9.
    NetProhibited,
    /// ICMP 3/10.
    HostProhibited,
    /// ICMP 3/13 (RFC 1812, section 5.2.7.1).
    AdminProhibited,
    /// A TCP segment with RST, as from whom it was sent to (RFC 9293, section 3.10.7.1).
    TcpReset,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PortUnreachable,
        Self::AdminProhibited,
        Self::HostProhibited,
        Self::NetProhibited,
        Self::HostUnreachable,
        Self::NetUnreachable,
        Self::ProtocolUnreachable,
        Self::TcpReset,
    ];

    /// The word for it in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetUnreachable => "net-unreachable",
            Self::HostUnreachable => "host-unreachable",
            Self::ProtocolUnreachable => "protocol-unreachable",
            Self::PortUnreachable => "port-unreachable",
            Self::NetProhibited => "net-prohibited",
            Self::HostProhibited => "host-prohibited",
            Self::AdminProhibited => "admin-prohibited",
            Self::TcpReset => "tcp-reset",
        }
    }
}

/// How often something may be: so often in a time, and at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often.
    pub count: NonZeroU16,
    /// In which time.
    pub per: Per,
    /// How often at once, after a pause.
    pub burst: NonZeroU16,
}

impl Rate {
    /// The burst of a rate that names none.
    pub const BURST: NonZeroU16 = NonZeroU16::new(5).unwrap();
}

impl fmt::Display for Rate {
    /// `10/s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.name())
    }
}

/// The time of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Per {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// The letter for it in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    /// How long it is, in seconds.
    pub const fn seconds(self) -> u16 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }
}

impl Rule {
    /// What about the rule cannot be, if anything: ports of what has none, a TCP reset of what is not TCP.
    pub(crate) fn problem(&self) -> Option<Problem> {
        let names_port = self.port.is_some() || self.source_port.is_some();
        if names_port && !self.protocol.has_ports() {
            return Some(Problem::PortsWithoutProtocol);
        }
        let resets = self.action == Action::Reject(Rejection::TcpReset);
        (resets && self.protocol != RuleProtocol::Tcp).then_some(Problem::ResetWithoutTcp)
    }
}
