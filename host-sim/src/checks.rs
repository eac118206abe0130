//! What must be seen: who a frame is from and to, and which way routers rewrite that.

use std::net::Ipv4Addr;

use config::InterfaceAddress;
use smoltcp::wire::{
    ArpPacket, ArpRepr, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, TcpPacket, UdpPacket,
};

use crate::trace::{Sighting, Way};

/// Who a packet is from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Where it comes from.
    pub from: Ipv4Addr,
    /// Where it goes.
    pub to: Ipv4Addr,
    /// The two ports of TCP or UDP, in the same order.
    pub ports: Option<(u16, u16)>,
}

impl Ends {
    /// The ends of the IPv4 packet in a frame; `None` if there is none, or it is malformed.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let frame = EthernetFrame::new_checked(frame).ok()?;
        if frame.ethertype() != EthernetProtocol::Ipv4 {
            return None;
        }
        let packet = Ipv4Packet::new_checked(frame.payload()).ok()?;
        let ports = match packet.next_header() {
            IpProtocol::Tcp => {
                TcpPacket::new_checked(packet.payload()).ok().map(|tcp| (tcp.src_port(), tcp.dst_port()))
            }
            IpProtocol::Udp => {
                UdpPacket::new_checked(packet.payload()).ok().map(|udp| (udp.src_port(), udp.dst_port()))
            }
            _ => None,
        };
        Some(Self { from: packet.src_addr(), to: packet.dst_addr(), ports })
    }

    /// Where it comes from, port included if it has one.
    pub fn source(&self) -> (Ipv4Addr, Option<u16>) {
        (self.from, self.ports.map(|ports| ports.0))
    }

    /// Where it goes, port included if it has one.
    pub fn destination(&self) -> (Ipv4Addr, Option<u16>) {
        (self.to, self.ports.map(|ports| ports.1))
    }
}

/// A packet before and after a router.
#[derive(Clone, Copy, Debug)]
pub struct Crossing<'a> {
    /// As it came in.
    pub before: &'a Sighting,
    /// As it went out.
    pub after: &'a Sighting,
}

/// The packets that crossed a router.
pub fn crossings(sightings: &[Sighting]) -> impl Iterator<Item = Crossing<'_>> {
    sightings
        .windows(2)
        .map(|pair| Crossing { before: &pair[0], after: &pair[1] })
        .filter(|Crossing { before, after }| before.packet == after.packet && before.way == Way::In)
}

/// Whether packets came in at `tap` and crossed, one at least, and each was rewritten as `rewritten` wants it.
pub(crate) fn all_from(
    tap: &str,
    sightings: &[Sighting],
    mut rewritten: impl FnMut(Ends, Ends) -> bool,
) -> bool {
    let mut seen = false;
    for Crossing { before, after } in crossings(sightings).filter(|crossing| &*crossing.before.tap == tap) {
        seen = true;
        let ends = Ends::of(&before.frame).zip(Ends::of(&after.frame));
        if !ends.is_some_and(|(before, after)| rewritten(before, after)) {
            return false;
        }
    }
    seen
}

/// The first frame on the wan, either way, that speaks of a private address: as an IPv4 source or destination, or in
/// ARP.
pub fn private_on_wan(sightings: &[Sighting], private: InterfaceAddress) -> Option<&Sighting> {
    let speaks = |sighting: &&Sighting| addresses(&sighting.frame).iter().any(|one| private.contains(*one));
    sightings.iter().filter(|sighting| &*sighting.tap == "wan").find(speaks)
}

/// The addresses that a frame speaks of, its source or sender first.
pub(crate) fn addresses(frame: &[u8]) -> Vec<Ipv4Addr> {
    if let Some(ends) = Ends::of(frame) {
        return vec![ends.from, ends.to];
    }
    let arp = EthernetFrame::new_checked(frame)
        .and_then(|frame| match frame.ethertype() {
            EthernetProtocol::Arp => ArpPacket::new_checked(frame.payload()),
            _ => Err(smoltcp::wire::Error),
        })
        .and_then(|packet| ArpRepr::parse(&packet));
    match arp {
        Ok(ArpRepr::EthernetIpv4 { source_protocol_addr, target_protocol_addr, .. }) => {
            vec![source_protocol_addr, target_protocol_addr]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo;

    #[test]
    fn where_nothing_crosses_nothing_is_as_it_should_be() {
        let demo = demo::run(demo::DEFAULT_SEED);
        let crossed: Vec<_> =
            demo.scenes.iter().map(|scene| all_from("lan", &scene.sightings, |_, _| true)).collect();

        assert_eq!(crossed, [false, true, true, true]);
    }

    #[test]
    fn one_packet_that_is_not_rewritten_is_enough() {
        let demo = demo::run(demo::DEFAULT_SEED);
        let mut left = 3;

        let all = all_from("lan", &demo.scenes[2].sightings, |_, _| {
            left -= 1;
            left > 0
        });

        assert!(!all);
    }
}
