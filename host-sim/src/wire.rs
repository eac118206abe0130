//! Packets taken apart and put together the slow way, for those in the simulator who are not under test.
//!
//! A *flow* is what a NAT sees in a packet: protocol and both ends; of an ICMP error, the ends of what it quotes too.
//! Whatever is rewritten here gets checksums that are computed anew. A checksum that was wrong becomes right, which is
//! what a foreign box may do to it; ours never passes through here.

use std::net::Ipv4Addr;

use smoltcp::wire::Ipv4Packet;

/// IP protocol numbers.
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// An address and a port; for ICMP, the identifier.
pub(crate) type End = (Ipv4Addr, u16);

/// What a packet is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) protocol: u8,
    pub(crate) from: End,
    pub(crate) to: End,
    /// Of an ICMP error: protocol, source and destination of the packet it quotes.
    pub(crate) quoted: Option<(u8, End, End)>,
}

/// What a whole packet is about; `None` if it is malformed, a fragment, or neither TCP, UDP, an echo nor an error.
pub(crate) fn flow(bytes: &[u8]) -> Option<Flow> {
    let packet = Ipv4Packet::new_checked(bytes).ok()?;
    if packet.version() != 4 || !packet.verify_checksum() || packet.more_frags() || packet.frag_offset() != 0
    {
        return None;
    }
    let quotes = packet.next_header() == ICMP.into() && matches!(packet.payload().first(), Some(3 | 11 | 12));
    if !quotes {
        return ends(bytes);
    }
    let about = ends(packet.payload().get(8..)?)?;
    let (from, to) = ((packet.src_addr(), 0), (packet.dst_addr(), 0));
    Some(Flow { protocol: ICMP, from, to, quoted: Some((about.protocol, about.from, about.to)) })
}

/// The ends of a packet, or of the quoted beginning of one.
fn ends(bytes: &[u8]) -> Option<Flow> {
    bytes.get(..20)?;
    let packet = Ipv4Packet::new_unchecked(bytes);
    let transport = bytes.get(usize::from(packet.header_len())..)?;
    let word = |at: usize| Some(u16::from_be_bytes(transport.get(at..at + 2)?.try_into().ok()?));
    let protocol = u8::from(packet.next_header());
    let (from, to) = match (protocol, transport.first()?) {
        (TCP | UDP, _) => (word(0)?, word(2)?),
        // A ping has one identifier, which is its sender's port on the way there and its receiver's on the way back.
        (ICMP, 8) => (word(4)?, 0),
        (ICMP, 0) => (0, word(4)?),
        _ => return None,
    };
    Some(Flow { protocol, from: (packet.src_addr(), from), to: (packet.dst_addr(), to), quoted: None })
}

/// Counts one hop. Whether the packet may go on.
pub(crate) fn count_hop(bytes: &mut [u8]) -> bool {
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    let left = packet.hop_limit();
    if left > 1 {
        packet.set_hop_limit(left - 1);
        packet.fill_checksum();
    }
    left > 1
}

/// Gives a whole packet other ends.
pub(crate) fn rewrite(bytes: &mut [u8], from: End, to: End) {
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    packet.set_src_addr(from.0);
    packet.set_dst_addr(to.0);
    packet.fill_checksum();
    let protocol = u8::from(packet.next_header());
    set_ports(protocol, packet.payload_mut(), from.1, to.1);
    fill_transport(packet.into_inner());
}

/// Gives an ICMP error other addresses, and the packet that it quotes other ends.
pub(crate) fn rewrite_error(bytes: &mut [u8], outer: (Ipv4Addr, Ipv4Addr), inner: (End, End)) {
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    packet.set_src_addr(outer.0);
    packet.set_dst_addr(outer.1);
    packet.fill_checksum();
    if let Some(quoted) = packet.payload_mut().get_mut(8..) {
        let mut quoted = Ipv4Packet::new_unchecked(quoted);
        quoted.set_src_addr(inner.0.0);
        quoted.set_dst_addr(inner.1.0);
        quoted.fill_checksum();
        let (protocol, start) = (u8::from(quoted.next_header()), usize::from(quoted.header_len()));
        set_ports(protocol, &mut quoted.into_inner()[start..], inner.0.1, inner.1.1);
    }
    fill_transport(packet.into_inner());
}

fn set_ports(protocol: u8, transport: &mut [u8], from: u16, to: u16) {
    let mut set = |at: usize, port: u16| {
        if let Some(field) = transport.get_mut(at..at + 2) {
            field.copy_from_slice(&port.to_be_bytes());
        }
    };
    match protocol {
        TCP | UDP => {
            set(0, from);
            set(2, to);
        }
        ICMP => set(4, from.max(to)),
        _ => (),
    }
}

/// Sets the checksum of TCP, UDP or ICMP right, whatever else is wrong. A UDP datagram without one stays without.
pub(crate) fn fill_transport(bytes: &mut [u8]) {
    let mut packet = Ipv4Packet::new_unchecked(bytes);
    let protocol = u8::from(packet.next_header());
    let (from, to) = (packet.src_addr().octets(), packet.dst_addr().octets());
    let transport = packet.payload_mut();
    let at = match protocol {
        TCP => 16,
        UDP => 6,
        ICMP => 2,
        _ => return,
    };
    let len = transport.len() as u16;
    let Some(field) = transport.get_mut(at..at + 2) else { return };
    if protocol == UDP && field == [0, 0] {
        return;
    }
    field.fill(0);
    let pseudo = [&from[..], &to, &[0, protocol], &len.to_be_bytes()].concat();
    let whole = if protocol == ICMP { transport.to_vec() } else { [&pseudo, &*transport].concat() };
    let sum = match napt::checksum(&whole) {
        // A sum of zero would mean that there is none (RFC 768).
        0 if protocol == UDP => 0xFFFF,
        sum => sum,
    };
    transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}
