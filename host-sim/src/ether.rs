//! One network card of a node that has no stack of its own: it answers ARP for the node's addresses, and finds the next
//! hop of what the node sends.
//!
//! It believes whatever ARP says (RFC 826), for a minute, and lets a few packets wait for each neighbour that it asks for. What is not addressed to its hardware, or to all, it does not see.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
    Ipv4Cidr,
};

use crate::node::{Departure, PacketId};
use crate::time::Time;

/// Where a packet begins in its frame.
pub(crate) const HEADER: usize = 14;

/// How long what ARP says is believed: a link may have made it up.
const BELIEF: Duration = Duration::from_secs(60);

/// How many packets wait for one neighbour.
const WAITING: usize = 16;

/// A packet that waits for its next hop to answer, and which one it is if the node has only sent it on.
type Waiting = (Option<PacketId>, Vec<u8>);

/// A card.
#[derive(Clone, Debug)]
pub(crate) struct Ether {
    index: usize,
    hardware: EthernetAddress,
    /// The addresses that it answers for, and the prefix of the link.
    own: Vec<Ipv4Cidr>,
    link: Ipv4Cidr,
    gateway: Option<Ipv4Addr>,
    known: BTreeMap<Ipv4Addr, (EthernetAddress, Time)>,
    waiting: BTreeMap<Ipv4Addr, Vec<Waiting>>,
}

impl Ether {
    /// A node's card number `index`. It has the address of `link`, and answers for those of `more` too.
    pub(crate) fn new(
        index: usize,
        hardware: EthernetAddress,
        link: Ipv4Cidr,
        more: &[Ipv4Cidr],
        gateway: Option<Ipv4Addr>,
    ) -> Self {
        let own = [&[Ipv4Cidr::new(link.address(), 32)], more].concat();
        Self { index, hardware, own, link, gateway, known: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Takes a frame. Returns it if it is an IPv4 packet for this card.
    pub(crate) fn receive(&mut self, now: Time, frame: Vec<u8>, out: &mut Vec<Departure>) -> Option<Vec<u8>> {
        let ethernet = EthernetFrame::new_checked(&frame[..]).ok()?;
        let to = ethernet.dst_addr();
        if to != self.hardware && !to.is_broadcast() {
            return None;
        }
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 => Some(frame),
            EthernetProtocol::Arp => {
                let heard =
                    ArpPacket::new_checked(ethernet.payload()).and_then(|it| ArpRepr::parse(&it)).ok()?;
                self.hear(now, heard, out);
                None
            }
            _ => None,
        }
    }

    /// Sends the packet of a frame, whose Ethernet header is still to be written, to its destination's next hop.
    pub(crate) fn send(
        &mut self,
        now: Time,
        packet: Option<PacketId>,
        frame: Vec<u8>,
        out: &mut Vec<Departure>,
    ) {
        let Some(destination) = destination(&frame) else { return };
        let gateway = self.gateway.unwrap_or(destination);
        let next_hop = if self.link.contains_addr(&destination) { destination } else { gateway };
        if let Some((hardware, _)) = self.known.get(&next_hop).filter(|(_, heard)| *heard + BELIEF > now) {
            out.push(self.departure(packet, frame, *hardware));
            return;
        }
        let waiting = self.waiting.entry(next_hop).or_default();
        if waiting.len() < WAITING {
            waiting.push((packet, frame));
        }
        self.ask(next_hop, out);
    }

    fn departure(&self, packet: Option<PacketId>, mut frame: Vec<u8>, to: EthernetAddress) -> Departure {
        let header =
            EthernetRepr { src_addr: self.hardware, dst_addr: to, ethertype: EthernetProtocol::Ipv4 };
        header.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
        Departure { index: self.index, frame, packet }
    }

    fn hear(&mut self, now: Time, heard: ArpRepr, out: &mut Vec<Departure>) {
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: hardware,
            source_protocol_addr: sender,
            target_protocol_addr: target,
            ..
        } = heard
        else {
            return;
        };
        if !sender.is_unspecified() {
            self.known.insert(sender, (hardware, now));
            for (packet, frame) in self.waiting.remove(&sender).unwrap_or_default() {
                out.push(self.departure(packet, frame, hardware));
            }
        }
        let ours = self.own.iter().any(|own| own.contains_addr(&target)) && target != sender;
        if operation == ArpOperation::Request && ours {
            out.push(self.say(ArpOperation::Reply, target, hardware, sender));
        }
    }

    fn ask(&self, target: Ipv4Addr, out: &mut Vec<Departure>) {
        out.push(self.say(ArpOperation::Request, self.link.address(), EthernetAddress::BROADCAST, target));
    }

    fn say(
        &self,
        operation: ArpOperation,
        own: Ipv4Addr,
        to: EthernetAddress,
        target: Ipv4Addr,
    ) -> Departure {
        let arp = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: self.hardware,
            source_protocol_addr: own,
            target_hardware_addr: if to.is_broadcast() { EthernetAddress([0; 6]) } else { to },
            target_protocol_addr: target,
        };
        let mut frame = vec![0; HEADER + arp.buffer_len()];
        let header = EthernetRepr { src_addr: self.hardware, dst_addr: to, ethertype: EthernetProtocol::Arp };
        header.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
        arp.emit(&mut ArpPacket::new_unchecked(&mut frame[HEADER..]));
        Departure::own(self.index, frame)
    }
}

/// Where the packet in a frame goes.
fn destination(frame: &[u8]) -> Option<Ipv4Addr> {
    let bytes: [u8; 4] = frame.get(HEADER + 16..HEADER + 20)?.try_into().ok()?;
    Some(bytes.into())
}
