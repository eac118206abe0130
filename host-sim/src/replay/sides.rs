//! Which side each interface of a capture is, who is who on it, and which way its packets went.
//!
//! A capture that was taken on a router has each packet twice: as it came to the router, *in*, and as it left, *out*. If the
//! capture does not say which is which, the router's Ethernet address does: what it sends goes out. Its address is the
//! one that packets to beyond the link go to, and packets from there come from.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use config::{Config, InterfaceName};
use router::Side;
use smoltcp::wire::{ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Ipv4Packet};

use crate::capture::{Capture, Captured};
use crate::network::hardware;
use crate::trace::Way;

/// What a capture says of its two sides, lan first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides {
    /// The interface that is this side.
    pub(super) interfaces: [Option<usize>; 2],
    /// The Ethernet address of the router that the capture was taken on.
    pub(super) router: [Option<EthernetAddress>; 2],
    /// Who has which address.
    pub(super) hosts: [BTreeMap<Ipv4Addr, EthernetAddress>; 2],
}

/// Finds out.
///
/// # Errors
/// Which interfaces there are, if it cannot be told what they are.
pub(super) fn sides(
    capture: &Capture,
    config: &Config,
    names: &[Option<String>; 2],
) -> Result<Sides, String> {
    let interfaces = Side::ALL.map(|side| find(capture, config, side, names[side as usize].as_deref()));
    let [lan, wan] = interfaces;
    let (lan, wan) = (lan?, wan?);
    if lan.is_none() && wan.is_none() {
        return Err(format!(
            "has the interfaces {}; say which is which with --lan or --wan",
            listed(capture)
        ));
    }
    if lan == wan {
        return Err("has one interface for lan and wan; a side has one of its own".to_owned());
    }
    let mut sides = Sides { interfaces: [lan, wan], ..Sides::default() };
    for side in Side::ALL {
        let packets = || {
            capture.packets.iter().filter(|packet| sides.interfaces[side as usize] == Some(packet.interface))
        };
        let router = router_on(packets(), config, side);
        let hosts = hosts_on(packets(), config, side, router);
        sides.router[side as usize] = router;
        sides.hosts[side as usize] = hosts;
    }
    Ok(sides)
}

impl Sides {
    /// The side of a packet, and which way it went there; nothing for other interfaces.
    pub(super) fn place(&self, packet: &Captured, config: &Config) -> Option<(Side, Way)> {
        let side =
            *Side::ALL.iter().find(|side| self.interfaces[**side as usize] == Some(packet.interface))?;
        let by_hardware = || {
            let from = EthernetFrame::new_checked(&packet.frame[..]).ok()?.src_addr();
            let router = self.router[side as usize]?;
            Some(if from == router { Way::Out } else { Way::In })
        };
        let by_address = || {
            let (source, _) = addresses(&packet.frame)?;
            let is_in = match side {
                Side::Lan => {
                    config.lan().address().contains(source) && source != config.lan().address().address()
                }
                Side::Wan => source != config.wan().address().address(),
            };
            Some(if is_in { Way::In } else { Way::Out })
        };
        let way = packet.way.or_else(|| if packet.is_bare { by_address() } else { by_hardware() });
        Some((side, way.unwrap_or(Way::In)))
    }
}

/// The interface of a side: the one that was named, or has the name that the configuration has for it, or the side's, if
/// no other has it, too.
fn find(
    capture: &Capture,
    config: &Config,
    side: Side,
    named: Option<&str>,
) -> Result<Option<usize>, String> {
    let position = |is_it: &dyn Fn(&str) -> bool| capture.interfaces.iter().position(|it| is_it(&it.name));
    if let Some(name) = named {
        let found = position(&|it| it == name);
        return match found {
            Some(found) => Ok(Some(found)),
            None => Err(format!("has no interface {name:?}; it has {}", listed(capture))),
        };
    }
    let configured = match side {
        Side::Lan => config.lan().interface(),
        Side::Wan => config.wan().interface(),
    };
    let configured = configured.map(InterfaceName::as_str);
    let role = side.to_string();
    let is_role =
        |it: &str| it.rsplit(['.', '-', '_']).next().is_some_and(|last| last.eq_ignore_ascii_case(&role));
    let alone = || {
        let mut like_it = capture.interfaces.iter().filter(|it| is_role(&it.name));
        like_it.next().filter(|_| like_it.next().is_none())?;
        position(&is_role)
    };
    Ok(position(&|it| Some(it) == configured).or_else(alone))
}

fn listed(capture: &Capture) -> String {
    let names: Vec<_> = capture.interfaces.iter().map(|it| format!("{:?}", it.name)).collect();
    if names.is_empty() { "(none)".to_owned() } else { names.join(", ") }
}

/// The router's Ethernet address: most packets to beyond this link's prefix go to it, and most from there come from it.
fn router_on<'p>(
    packets: impl Iterator<Item = &'p Captured>,
    config: &Config,
    side: Side,
) -> Option<EthernetAddress> {
    let mut votes: BTreeMap<EthernetAddress, usize> = BTreeMap::new();
    for packet in packets.filter(|packet| !packet.is_bare) {
        let Some((from, to)) = stations(&packet.frame) else { continue };
        let Some((source, destination)) = addresses(&packet.frame) else { continue };
        let is_own = |address| match side {
            Side::Lan => !config.lan().address().contains(address),
            Side::Wan => address == config.wan().address().address(),
        };
        if to.is_unicast() && is_own(destination) && !is_own(source) {
            *votes.entry(to).or_default() += 1;
        }
        if is_own(source) && !is_own(destination) {
            *votes.entry(from).or_default() += 1;
        }
    }
    let most = votes.into_iter().max_by_key(|(_, votes)| *votes);
    most.map(|(hardware, _)| hardware)
}

/// Who has which address of this link's prefix, and the gateway, through whom everybody else speaks.
fn hosts_on<'p>(
    packets: impl Iterator<Item = &'p Captured>,
    config: &Config,
    side: Side,
    router: Option<EthernetAddress>,
) -> BTreeMap<Ipv4Addr, EthernetAddress> {
    let (prefix, gateway) = match side {
        Side::Lan => (config.lan().address(), None),
        Side::Wan => (config.wan().address(), config.wan().gateway()),
    };
    let mut hosts = BTreeMap::new();
    for packet in packets.filter(|packet| !packet.is_bare) {
        let Some((from, _)) = stations(&packet.frame).filter(|(from, _)| Some(*from) != router) else {
            continue;
        };
        if let Some(source) =
            addresses(&packet.frame).map(|(source, _)| source).or_else(|| speaker(&packet.frame))
        {
            match gateway {
                _ if prefix.contains(source) => {
                    hosts.insert(source, from);
                }
                Some(gateway) => {
                    hosts.entry(gateway).or_insert(from);
                }
                None => (),
            }
        }
    }
    hosts
}

fn stations(frame: &[u8]) -> Option<(EthernetAddress, EthernetAddress)> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    Some((ethernet.src_addr(), ethernet.dst_addr()))
}

/// Source and destination of the IPv4 packet in a frame.
pub(super) fn addresses(frame: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let is_ipv4 = ethernet.ethertype() == EthernetProtocol::Ipv4;
    let packet = Ipv4Packet::new_checked(ethernet.payload()).ok().filter(|_| is_ipv4)?;
    Some((packet.src_addr(), packet.dst_addr()))
}

/// Who says something by ARP.
fn speaker(frame: &[u8]) -> Option<Ipv4Addr> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let is_arp = ethernet.ethertype() == EthernetProtocol::Arp;
    let arp = ArpPacket::new_checked(ethernet.payload()).ok().filter(|_| is_arp)?;
    match ArpRepr::parse(&arp).ok()? {
        ArpRepr::EthernetIpv4 { source_protocol_addr, .. } => Some(source_protocol_addr),
        _ => None,
    }
}

/// A bare packet in a frame of its own, for the box.
pub(super) fn dress(packet: &Captured, to: EthernetAddress) -> Vec<u8> {
    let mut frame = packet.frame.clone();
    if packet.is_bare
        && let Some((source, _)) = addresses(&frame)
    {
        frame[..6].copy_from_slice(&to.0);
        frame[6..12].copy_from_slice(&hardware(source).0);
    }
    frame
}
