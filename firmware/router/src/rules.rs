//! Which packets may come in at all, and whom they are for (RFC 1812 s.5.3, RFC 2827, RFC 3704, RFC 3927, RFC 2644).
//!
//! Everything here happens before the NAT sees the packet: what has a source that does not belong on its side is
//! neither translated nor answered, so the box cannot be made to reflect it or to leak it.

use core::net::Ipv4Addr;

use config::{Config, InterfaceAddress};
use napt::Packet;

use crate::counters::Refusal;
use crate::port::Side;

/// The addresses that the rules are about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) lan: InterfaceAddress,
    pub(crate) wan: InterfaceAddress,
    pub(crate) gateway: Option<Ipv4Addr>,
}

/// Whom a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recipient {
    /// The box, by the address of the side it came in on (strong host model, RFC 1122 s.3.3.4.2).
    Own,
    /// Whoever the engine says.
    Engine,
}

impl Addresses {
    pub(crate) fn new(config: &Config) -> Self {
        Self { lan: config.lan().address(), wan: config.wan().address(), gateway: config.wan().gateway() }
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
    pub(crate) fn next_hop(&self, side: Side, destination: Ipv4Addr) -> Option<Ipv4Addr> {
        match side {
            Side::Lan => self.lan.contains(destination).then_some(destination),
            Side::Wan if self.wan.contains(destination) => Some(destination),
            Side::Wan => self.gateway,
        }
    }

    /// Whether a packet that `side` received may come in, and whom it is for.
    #[inline]
    pub(crate) fn admit(&self, side: Side, packet: &Packet<'_>) -> Result<Recipient, Refusal> {
        let (source, destination) = (packet.source(), packet.destination());
        check_source(source)?;
        check_destination(destination)?;
        check_options(packet.options())?;
        match side {
            Side::Lan => self.admit_lan(source, destination),
            Side::Wan => self.admit_wan(source, destination),
        }
    }

    fn admit_lan(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Result<Recipient, Refusal> {
        if !is_host(self.lan, source) || source == self.lan.address() {
            return Err(Refusal::SpoofedSource);
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
        if self.wan.contains(destination) && !is_host(self.wan, destination) {
            return Err(Refusal::Broadcast);
        }
        Ok(Recipient::Engine)
    }
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
        [255, 255, 255, 255] => Err(Refusal::Broadcast),
        [224..=239, ..] => Err(Refusal::Multicast),
        [0 | 127 | 240.., ..] => Err(Refusal::MartianDestination),
        [169, 254, ..] => Err(Refusal::LinkLocal),
        _ => Ok(()),
    }
}

/// Walks the options. Record route, timestamp and the rest pass untouched; source routes do not, and neither does an
/// option whose length cannot be (RFC 1812 s.5.2.4, RFC 7126).
fn check_options(mut options: &[u8]) -> Result<(), Refusal> {
    const END: u8 = 0;
    const NOP: u8 = 1;
    const LOOSE_SOURCE_ROUTE: u8 = 131;
    const STRICT_SOURCE_ROUTE: u8 = 137;
    loop {
        options = match options {
            [] | [END, ..] => return Ok(()),
            [NOP, rest @ ..] => rest,
            [LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE, ..] => return Err(Refusal::SourceRoute),
            [_, length, ..] if *length >= 2 => options.get(usize::from(*length)..).ok_or(Refusal::Options)?,
            _ => return Err(Refusal::Options),
        };
    }
}
