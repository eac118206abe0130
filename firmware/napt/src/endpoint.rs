//! Endpoints and protocols: what a session is between.

use core::fmt;
use core::net::Ipv4Addr;

/// An address and a port; for an ICMP query, an address and the query identifier (RFC 4787, RFC 5508); for a protocol
/// without either, an address and the protocol's number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The IPv4 address.
    pub address: Ipv4Addr,
    /// The TCP or UDP port, the ICMP query identifier, or the number of another protocol.
    pub port: u16,
}

impl Endpoint {
    /// The endpoint at `address` and `port`.
    pub const fn new(address: Ipv4Addr, port: u16) -> Self {
        Self { address, port }
    }

    /// The endpoint in the low 48 bits of a word, as tables keep, compare and hash it.
    #[inline(always)]
    pub(crate) const fn word(self) -> u64 {
        (self.port as u64) << 32 | u32::from_ne_bytes(self.address.octets()) as u64
    }

    /// What [`Endpoint::word`] has made a word of.
    #[inline(always)]
    pub(crate) const fn of_word(word: u64) -> Self {
        Self { address: Ipv4Addr::from_octets((word as u32).to_ne_bytes()), port: (word >> 32) as u16 }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address, self.port)
    }
}

/// The protocols whose endpoints the engine translates. Mappings of different protocols are independent (RFC 7857 s.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// TCP, RFC 9293.
    Tcp,
    /// UDP, RFC 768.
    Udp,
    /// ICMP queries and their replies, RFC 5508 s.3.
    Icmp,
    /// Any other: told apart by its number and translated by address alone.
    Other,
}

impl Protocol {
    /// How many there are.
    pub(crate) const COUNT: usize = 4;

    /// Each of them.
    pub(crate) const ALL: [Self; Self::COUNT] = [Self::Tcp, Self::Udp, Self::Icmp, Self::Other];

    /// How many have ports, or identifiers, and therefore mappings.
    pub(crate) const MAPPED: usize = 3;

    /// Each of those.
    pub(crate) const WITH_PORTS: [Self; Self::MAPPED] = [Self::Tcp, Self::Udp, Self::Icmp];
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Other => "other",
        })
    }
}
