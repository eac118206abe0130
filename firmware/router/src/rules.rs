//! Which packets may come in at all, and whom they are for (RFC 1812 s.5.3, RFC 2827, RFC 3704, RFC 3927, RFC 2644).
//!
//! Everything here happens before the NAT sees the packet: what has a source that does not belong on its side is
//! neither translated nor answered, so the box cannot be made to reflect it or to leak it.
//!
//! A limited broadcast (255.255.255.255) stays on its link, where it is for the box, too. One to a prefix is not: RFC
//! 2644 wants such broadcasts neither received nor forwarded by a router that nobody has told otherwise.

use core::net::Ipv4Addr;

use config::{Config, InterfaceAddress};
use napt::Packet;

use crate::counters::Refusal;
use crate::options::{self, Fault};
use crate::port::Side;

/// The addresses that the rules are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) lan: InterfaceAddress,
    pub(crate) wan: InterfaceAddress,
    pub(crate) gateway: Option<Ipv4Addr>,
    plain: Plain,
}

/// What makes nearly every packet plain, in numbers.
#[derive(Clone, Copy, Debug)]
struct Plain {
    lan: Span,
    lan_hosts: Span,
    lan_own: u32,
    wan: Span,
    wan_hosts: Span,
    wan_own: u32,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u32,
    /// The last, counted from the first.
    last: u32,
}

impl Span {
    /// The addresses of a prefix.
    fn prefix(of: InterfaceAddress) -> Self {
        let first = of.network().to_bits();
        Self { first, last: u32::MAX.checked_shr(of.prefix_len().into()).unwrap_or(0) }
    }

    /// Those that hosts can have.
    fn hosts(of: InterfaceAddress) -> Self {
        let all = Self::prefix(of);
        match of.broadcast() {
            Some(_) => Self { first: all.first + 1, last: all.last - 2 },
            None => all,
        }
    }

    #[inline(always)]
    fn contains(self, address: u32) -> bool {
        address.wrapping_sub(self.first) <= self.last
    }
}

/// Whom a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The box, by the address of the side it came in on (strong host model, RFC 1122 s.3.3.4.2).
    Own,
    /// Everybody on the link, and so the box, too; nobody else (RFC 1812 s.5.3.5.1).
    Everybody,
    /// Whoever the engine says.
    Engine,
    /// The same, of a packet with options, in which the box may have something to write.
    EngineWithOptions,
}

impl Addresses {
    /// Whether every host that the lan had before can be on this one.
    pub(crate) fn has_the_lan_of(&self, before: &Self) -> bool {
        self.lan.prefix_len() <= before.lan.prefix_len() && self.lan.contains(before.lan.network())
    }

    pub(crate) fn new(config: &Config) -> Self {
        let (lan, wan) = (config.lan().address(), config.wan().address());
        let plain = Plain {
            lan: Span::prefix(lan),
            lan_hosts: Span::hosts(lan),
            lan_own: lan.address().to_bits(),
            wan: Span::prefix(wan),
            wan_hosts: Span::hosts(wan),
            wan_own: wan.address().to_bits(),
        };
        Self { lan, wan, gateway: config.wan().gateway(), plain }
    }

    /// The box's own address on one side.
    pub(crate) fn own(&self, side: Side) -> Ipv4Addr {
        self.on(side).address()
    }

    /// The box's address on one side, with its prefix.
    pub(crate) fn on(&self, side: Side) -> InterfaceAddress {
        match side {
            Side::Lan => self.lan,
            Side::Wan => self.wan,
        }
    }

    /// The neighbour on one side who leads further, if there is one.
    pub(crate) fn gateway_on(&self, side: Side) -> Option<Ipv4Addr> {
        match side {
            Side::Lan => None,
            Side::Wan => self.gateway,
        }
    }

    /// The neighbour through which a destination is reached; `None` if there is none.
    #[inline(always)]
    pub(crate) fn next_hop(&self, side: Side, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        match side {
            Side::Lan => self.plain.lan.contains(destination.to_bits()).then_some(destination),
            Side::Wan if self.plain.wan.contains(destination.to_bits()) => Some(destination),
            Side::Wan => self.gateway,
        }
    }

    /// Whether a packet that `side` received may come in, and whom it is for.
    pub(crate) fn admit(&self, side: Side, packet: &Packet<'_>) -> Result<Recipient, Refusal> {
        let (source, destination) = (packet.source(), packet.destination());
        // Who does not know its address yet has none to say (RFC 1122 s.3.2.1.3).
        if source.is_unspecified() && destination.is_broadcast() {
            return Ok(Recipient::Everybody);
        }
        check_source(source)?;
        check_destination(destination)?;
        let recipient = match side {
            Side::Lan => self.admit_lan(source, destination)?,
            Side::Wan => self.admit_wan(source, destination)?,
        };
        match recipient {
            Recipient::Everybody => return Ok(recipient),
            _ => check_options(packet.options())?,
        }
        match recipient {
            Recipient::Engine if !packet.options().is_empty() => Ok(Recipient::EngineWithOptions),
            _ => Ok(recipient),
        }
    }

    /// Whether a packet without options is so ordinary that [`Addresses::admit`] has nothing to say of it.
    #[inline(always)]
    pub(crate) fn is_plain(&self, side: Side, packet: &Packet<'_>) -> bool {
        let (source, destination) = (packet.source().to_bits(), packet.destination().to_bits());
        let Plain { lan, lan_hosts, lan_own, wan, wan_hosts, wan_own } = self.plain;
        if !is_ordinary(source) {
            return false;
        }
        match side {
            Side::Lan => {
                is_ordinary(destination)
                    && lan_hosts.contains(source)
                    && source != lan_own
                    && !lan.contains(destination)
                    && (wan_hosts.contains(destination)
                        || (self.gateway.is_some() && !wan.contains(destination)))
            }
            Side::Wan => {
                destination == wan_own
                    && source != wan_own
                    && !lan.contains(source)
                    && (wan_hosts.contains(source) || !wan.contains(source))
            }
        }
    }

    fn admit_lan(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Result<Recipient, Refusal> {
        if !is_host(self.lan, source) || source == self.lan.address() {
            return Err(Refusal::SpoofedSource);
        }
        if destination.is_broadcast() {
            return Ok(Recipient::Everybody);
        }
        if destination == self.lan.address() {
            return Ok(Recipient::Own);
        }
        if self.lan.contains(destination) {
            return Err(if is_host(self.lan, destination) { Refusal::LanToLan } else { Refusal::Broadcast });
        }
        if self.wan.contains(destination) && !is_host(self.wan, destination) {
            return Err(Refusal::Broadcast);
        }
        match self.next_hop(Side::Wan, destination) {
            Some(_) => Ok(Recipient::Engine),
            None => Err(Refusal::NoRoute),
        }
    }

    /// Whatever is not to the wan address the engine drops itself: the strong host model, and no neighbour on the wan
    /// reaches the lan by naming it (A13).
    fn admit_wan(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Result<Recipient, Refusal> {
        if self.lan.contains(source) || source == self.wan.address() {
            return Err(Refusal::SpoofedSource);
        }
        if self.wan.contains(source) && !is_host(self.wan, source) {
            return Err(Refusal::MartianSource);
        }
        if destination.is_broadcast() {
            return Ok(Recipient::Everybody);
        }
        if self.wan.contains(destination) && !is_host(self.wan, destination) {
            return Err(Refusal::Broadcast);
        }
        Ok(Recipient::Engine)
    }
}

/// Whether an address is from a block of 2^24 that knows nothing but hosts. Not so are 0, 127, 169 (for 169.254/16), and
/// 224 and above.
#[inline(always)]
fn is_ordinary(address: u32) -> bool {
    const ORDINARY: [bool; 256] = {
        let mut blocks = [true; 256];
        let mut block = 224;
        while block < 256 {
            blocks[block] = false;
            block += 1;
        }
        blocks[0] = false;
        blocks[127] = false;
        blocks[169] = false;
        blocks
    };
    ORDINARY[(address >> 24) as usize]
}

/// Whether an address is a host's in this prefix: in it, and neither all zeros nor all ones, unless the prefix is so
/// long that these are hosts (RFC 3021).
fn is_host(prefix: InterfaceAddress, address: Ipv4Addr) -> bool {
    prefix.contains(address)
        && prefix.broadcast().is_none_or(|broadcast| address != broadcast && address != prefix.network())
}

fn check_source(source: Ipv4Addr) -> Result<(), Refusal> {
    match source.octets() {
        [0 | 127 | 224.., ..] => Err(Refusal::MartianSource),
        [169, 254, ..] => Err(Refusal::LinkLocal),
        _ => Ok(()),
    }
}

fn check_destination(destination: Ipv4Addr) -> Result<(), Refusal> {
    match destination.octets() {
        [255, 255, 255, 255] => Ok(()),
        [224..=239, ..] => Err(Refusal::Multicast),
        [0 | 127 | 240.., ..] => Err(Refusal::MartianDestination),
        [169, 254, ..] => Err(Refusal::LinkLocal),
        _ => Ok(()),
    }
}

/// Source routes do not pass (RFC 7126 s.4.3, s.4.4), and neither does what is malformed.
fn check_options(options: &[u8]) -> Result<(), Refusal> {
    options::check(options).map_err(|fault| match fault {
        Fault::SourceRoute => Refusal::SourceRoute,
        Fault::Malformed { .. } => Refusal::Options,
    })
}
