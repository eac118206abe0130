//! ARP for IPv4 over Ethernet (RFC 826): reading what neighbours say, and asking or answering them.

use core::net::Ipv4Addr;

use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol};

/// The length of an ARP frame without padding, in bytes.
pub(crate) const FRAME: usize = 14 + 28;

/// What an ARP packet says about its sender, and whom it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) is_request: bool,
    pub(crate) sender: Ipv4Addr,
    pub(crate) hardware: EthernetAddress,
    pub(crate) target: Ipv4Addr,
}

/// Reads an ARP packet. `None` if it is malformed, or its sender can have no such address.
pub(crate) fn read(payload: &[u8]) -> Option<Heard> {
    let packet = ArpPacket::new_checked(payload).ok()?;
    let ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: hardware,
        source_protocol_addr: sender,
        target_protocol_addr: target,
        ..
    } = ArpRepr::parse(&packet).ok()?
    else {
        return None;
    };
    let is_request = match operation {
        ArpOperation::Request => true,
        ArpOperation::Reply => false,
        ArpOperation::Unknown(_) => return None,
    };
    hardware.is_unicast().then_some(Heard { is_request, sender, hardware, target })
}

/// An ARP frame of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Say {
    /// Who has `target`? With our own address as target: it is ours now (RFC 5227 s.3).
    Ask { target: Ipv4Addr },
    /// We have it.
    Answer { to: EthernetAddress, target: Ipv4Addr },
}

/// Writes a frame from our address.
pub(crate) fn write(say: Say, hardware: EthernetAddress, own: Ipv4Addr) -> [u8; FRAME] {
    let (operation, to, target_hardware, target) = match say {
        Say::Ask { target } => {
            (ArpOperation::Request, EthernetAddress::BROADCAST, EthernetAddress([0; 6]), target)
        }
        Say::Answer { to, target } => (ArpOperation::Reply, to, to, target),
    };
    let arp = ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: hardware,
        source_protocol_addr: own,
        target_hardware_addr: target_hardware,
        target_protocol_addr: target,
    };
    let mut bytes = [0; FRAME];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_src_addr(hardware);
    frame.set_dst_addr(to);
    frame.set_ethertype(EthernetProtocol::Arp);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    bytes
}
