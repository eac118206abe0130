//! Packets as bytes: making them, reading them, and their sums (RFC 791, 768, 792, 9293, 1071).

use std::net::Ipv4Addr;

pub(super) const ICMP: u8 = 1;
pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

/// Two more whose checksums cover the pseudo-header (RFC 4340 s.9, RFC 3828 s.3.2).
pub(super) const DCCP: u8 = 33;
pub(super) const UDP_LITE: u8 = 136;

/// The external address.
pub(super) const OUTSIDE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);

/// An address and a port, or a query identifier.
pub(super) type End = (Ipv4Addr, u16);

/// A host inside.
pub(super) fn inside(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, number)
}

/// A host outside.
pub(super) fn remote(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, number)
}

/// An IPv4 packet with any payload.
pub(super) fn ipv4(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, protocol, 0, 0];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    fix_header(&mut packet);
    packet
}

/// A UDP datagram.
pub(super) fn udp(from: End, to: End, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let datagram = [&from.1.to_be_bytes()[..], &to.1.to_be_bytes(), &len.to_be_bytes(), &[0, 0], payload];
    with_sum(ipv4(UDP, from.0, to.0, &datagram.concat()), 6)
}

/// A TCP segment with the flags of an octet. Sequence numbers are such that all segments of one side follow from each
/// other, and acknowledge what the other side's do.
pub(super) fn tcp(from: End, to: End, flags: u8) -> Vec<u8> {
    let number = |from: End| if from.0 == OUTSIDE || from.0.octets()[0] == 192 { 1000_u32 } else { 5000 };
    let acknowledged = if flags & 0x10 == 0 { 0 } else { number(to) + u32::from(flags & 2 != 0) };
    let ports = [from.1.to_be_bytes(), to.1.to_be_bytes()].concat();
    let numbers = [number(from).to_be_bytes(), acknowledged.to_be_bytes()].concat();
    let segment = [&ports[..], &numbers, &[0x50, flags, 0x20, 0, 0, 0, 0, 0]].concat();
    with_sum(ipv4(TCP, from.0, to.0, &segment), 16)
}

/// An ICMP message: type, code, the four bytes behind the checksum, and the rest.
pub(super) fn icmp(
    from: Ipv4Addr,
    to: Ipv4Addr,
    kind: u8,
    code: u8,
    second: [u8; 4],
    rest: &[u8],
) -> Vec<u8> {
    let message = [&[kind, code, 0, 0], &second[..], rest].concat();
    with_sum(ipv4(ICMP, from, to, &message), 2)
}

/// An echo request or reply.
pub(super) fn echo(from: Ipv4Addr, to: Ipv4Addr, is_reply: bool, id: u16) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    icmp(from, to, if is_reply { 0 } else { 8 }, 0, [high, low, 0, 1], b"echo")
}

fn with_sum(mut packet: Vec<u8>, at: usize) -> Vec<u8> {
    fix_transport(&mut packet, at);
    packet
}

/// Sets the checksum at an offset of the transport header right; for UDP, 0 becomes 0xFFFF.
pub(super) fn fix_transport(packet: &mut [u8], at: usize) {
    let start = header_len(packet);
    let Some(field) = packet.get_mut(start + at..start + at + 2) else { return };
    field.copy_from_slice(&[0, 0]);
    let sum = !(folded(transport_sum(packet, packet.len() - start)));
    let sum = if packet[9] == UDP && sum == 0 { 0xFFFF } else { sum };
    packet[start + at..start + at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Sets the header checksum right, if there is a header.
pub(super) fn fix_header(packet: &mut [u8]) {
    let len = header_len(packet);
    if let Some(header) = packet.get_mut(..len).filter(|header| header.len() >= 20) {
        header[10..12].copy_from_slice(&[0, 0]);
        let sum = !folded(sum(header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The header's length, by what it says; 0 of nothing.
pub(super) fn header_len(packet: &[u8]) -> usize {
    packet.first().map_or(0, |byte| usize::from(byte & 0x0F) * 4)
}

/// The packet's length, by what its header says.
pub(super) fn total_len(packet: &[u8]) -> usize {
    usize::from(word(packet, 2))
}

pub(super) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn source(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[12], packet[13], packet[14], packet[15])
}

pub(super) fn destination(packet: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19])
}

/// Whether it is one of several fragments.
pub(super) fn is_fragment(packet: &[u8]) -> bool {
    word(packet, 6) & 0x3FFF != 0
}

/// Where an ICMP message is an error, with a packet behind its first eight bytes.
pub(super) fn is_error(packet: &[u8]) -> bool {
    packet[9] == ICMP && matches!(packet.get(header_len(packet)), Some(3 | 11 | 12))
}

/// Source and destination port of TCP and UDP; an ICMP identifier is both.
pub(super) fn ports(packet: &[u8]) -> (u16, u16) {
    let transport = &packet[header_len(packet)..];
    match packet[9] {
        ICMP => (word(transport, 4), word(transport, 4)),
        _ => (word(transport, 0), word(transport, 2)),
    }
}

/// The sum of `len` bytes behind the header, with the pseudo-header where the protocol has one.
pub(super) fn transport_sum(packet: &[u8], len: usize) -> u64 {
    let start = header_len(packet);
    let pseudo = if packet[9] == ICMP { 0 } else { pseudo_sum(packet, len) };
    pseudo + sum(&packet[start..start + len])
}

/// The sum of the pseudo-header.
pub(super) fn pseudo_sum(packet: &[u8], len: usize) -> u64 {
    sum(&packet[12..20]) + u64::from(packet[9]) + len as u64
}

/// The sum of the 16-bit words, an odd byte filled up with zero.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum()
}

/// A sum in sixteen bits, carries added in: 0xFFFF if everything summed is right.
pub(super) fn folded(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}
