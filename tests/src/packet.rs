//! Packets for tests: made and judged by etherparse, so that no mistake of ours is made twice.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;

use etherparse::{IcmpEchoHeader, Icmpv4Header};
use etherparse::{Icmpv4Type, IpNumber, Ipv4Header, Ipv4HeaderSlice, PacketBuilder, TcpHeader, UdpHeader};
use host_sim::oracle;
use napt::Checksum;

/// One IPv4 packet, with what a driver would say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The packet.
    pub bytes: Vec<u8>,
    /// Whether its transport checksum is finished.
    pub checksum: Checksum,
    /// For a large packet that stands for many: the payload of each.
    pub segment: Option<NonZeroU16>,
}

const TTL: u8 = 64;

/// A UDP datagram with a short payload.
pub fn udp(source: SocketAddrV4, destination: SocketAddrV4) -> Packet {
    let builder = PacketBuilder::ipv4(source.ip().octets(), destination.ip().octets(), TTL);
    build(builder.udp(source.port(), destination.port()), b"hello, world")
}

/// A TCP segment with flags as tcpdump writes them (`"S"`, `"S."`, `"."`, `"F."`, `"R"`, `"P."`) and no payload. Both
/// sides count from 1000, so that a connection is opened, spoken over once and closed without a thought for numbers.
pub fn tcp(flags: &str, source: SocketAddrV4, destination: SocketAddrV4) -> Packet {
    let builder = PacketBuilder::ipv4(source.ip().octets(), destination.ip().octets(), TTL);
    let mut header = TcpHeader::new(source.port(), destination.port(), 1000, 8192);
    for flag in flags.chars() {
        match flag {
            'S' => header.syn = true,
            'F' => header.fin = true,
            'R' => header.rst = true,
            'P' => header.psh = true,
            'U' => header.urg = true,
            '.' => header.ack = true,
            other => panic!("no such flag: {other}"),
        }
    }
    header.sequence_number += u32::from(!header.syn);
    header.acknowledgment_number = if header.ack { 1001 } else { 0 };
    build(builder.tcp_header(header), b"")
}

/// An ICMP echo request.
pub fn echo(id: u16, source: Ipv4Addr, destination: Ipv4Addr) -> Packet {
    let builder = PacketBuilder::ipv4(source.octets(), destination.octets(), TTL);
    build(builder.icmpv4_echo_request(id, 1), b"abcdefghijklmnopqrstuvwxyz")
}

/// An ICMP echo reply.
pub fn echo_reply(id: u16, source: Ipv4Addr, destination: Ipv4Addr) -> Packet {
    let builder = PacketBuilder::ipv4(source.octets(), destination.octets(), TTL);
    build(builder.icmpv4_echo_reply(id, 1), b"abcdefghijklmnopqrstuvwxyz")
}

/// An ICMP error of `kind` and `code` from `source` to the sender of `about`, which it quotes whole.
pub fn error(kind: u8, code: u8, source: Ipv4Addr, about: &Packet) -> Packet {
    let builder = PacketBuilder::ipv4(source.octets(), about.source().ip().octets(), TTL);
    build(builder.icmpv4_raw(kind, code, [0; 4]), &about.bytes)
}

/// A packet of any protocol.
pub fn raw(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Packet {
    let header =
        Ipv4Header::new(payload.len() as u16, TTL, IpNumber(protocol), source.octets(), destination.octets());
    let mut bytes = header.unwrap().to_bytes().to_vec();
    bytes.extend_from_slice(payload);
    let mut packet = Packet { bytes, checksum: Checksum::Complete, segment: None };
    packet.fix_header();
    packet
}

fn build<T>(step: etherparse::PacketBuilderStep<T>, payload: &[u8]) -> Packet
where
    etherparse::PacketBuilderStep<T>: Finish,
{
    Packet { bytes: step.finish(payload), checksum: Checksum::Complete, segment: None }
}

/// The last step of etherparse's builders, which they all have under the same name.
trait Finish {
    fn finish(self, payload: &[u8]) -> Vec<u8>;
}

impl Finish for etherparse::PacketBuilderStep<UdpHeader> {
    fn finish(self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, payload).unwrap();
        bytes
    }
}

impl Finish for etherparse::PacketBuilderStep<TcpHeader> {
    fn finish(self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, payload).unwrap();
        bytes
    }
}

impl Finish for etherparse::PacketBuilderStep<Icmpv4Header> {
    fn finish(self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes, payload).unwrap();
        bytes
    }
}

impl Packet {
    /// The packet as the oracle looks at it.
    pub fn view(&self) -> oracle::Packet<'_> {
        oracle::Packet { bytes: &self.bytes, checksum: self.checksum, segment: self.segment }
    }

    /// The header's length, options included.
    pub fn header_len(&self) -> usize {
        usize::from(self.bytes[0] & 0x0F) * 4
    }

    /// The protocol number.
    pub fn protocol(&self) -> u8 {
        self.bytes[9]
    }

    /// The time to live.
    pub fn ttl(&self) -> u8 {
        self.bytes[8]
    }

    /// What is behind the header.
    pub fn transport(&self) -> &[u8] {
        &self.bytes[self.header_len()..]
    }

    /// What is behind the transport header.
    pub fn payload(&self) -> &[u8] {
        let transport = self.transport();
        match self.protocol() {
            6 => &transport[usize::from(transport[12] >> 4) * 4..],
            // DCCP and UDP-Lite have their checksum in the first eight bytes, too.
            1 | 17 | 33 | 136 => &transport[8..],
            _ => transport,
        }
    }

    /// Source address and port; for ICMP, the identifier of a request, else 0.
    pub fn source(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(12), self.ports().0)
    }

    /// Destination address and port; for ICMP, the identifier of a reply, else 0.
    pub fn destination(&self) -> SocketAddrV4 {
        SocketAddrV4::new(self.address(16), self.ports().1)
    }

    /// Whether this is one of several fragments of a datagram.
    pub fn is_fragment(&self) -> bool {
        u16::from_be_bytes([self.bytes[6], self.bytes[7]]) & 0x3FFF != 0
    }

    /// Where this fragment's part of the datagram begins, in bytes.
    pub fn fragment_offset(&self) -> usize {
        usize::from(u16::from_be_bytes([self.bytes[6], self.bytes[7]]) & 0x1FFF) * 8
    }

    /// Whether more fragments follow this one.
    pub fn more_follow(&self) -> bool {
        self.bytes[6] & 0x20 != 0
    }

    /// The packet with this identification.
    pub fn with_id(self, id: u16) -> Self {
        self.changed(|bytes| bytes[4..6].copy_from_slice(&id.to_be_bytes()))
    }

    /// The identification.
    pub fn id(&self) -> u16 {
        u16::from_be_bytes([self.bytes[4], self.bytes[5]])
    }

    /// The part of the packet from `from` to `to`, in bytes behind the header, as a fragment of its own.
    pub fn fragment(&self, from: usize, to: usize) -> Self {
        let more = to < self.transport().len() || self.more_follow();
        let offset = ((self.fragment_offset() + from) as u16 / 8) | (u16::from(more) << 13);
        let dont = self.bytes[6] & 0x40;
        let mut bytes = self.bytes[..self.header_len()].to_vec();
        bytes.extend_from_slice(&self.transport()[from..to]);
        let mut part = Self { bytes, ..self.clone() };
        part.bytes[6..8].copy_from_slice(&offset.to_be_bytes());
        part.bytes[6] |= dont;
        part.fix_len();
        part.fix_header();
        part
    }

    /// The packet in fragments of `size` bytes, a multiple of eight.
    pub fn fragments(&self, size: usize) -> Vec<Self> {
        let len = self.transport().len();
        (0..len).step_by(size).map(|from| self.fragment(from, len.min(from + size))).collect()
    }

    /// The datagram that these fragments are, in any order, if they are all of it.
    pub fn reassemble(fragments: &[Self]) -> Option<Self> {
        let mut sorted = fragments.to_vec();
        sorted.sort_by_key(Self::fragment_offset);
        let mut whole = sorted.first()?.clone();
        whole.bytes.truncate(whole.header_len());
        for part in &sorted {
            assert_eq!((part.address_pair(), part.id()), (whole.address_pair(), whole.id()));
            if part.fragment_offset() != whole.transport().len() {
                return None;
            }
            whole.bytes.extend_from_slice(part.transport());
        }
        whole.bytes[6..8].copy_from_slice(&[sorted[0].bytes[6] & 0x40, 0]);
        whole.fix_len();
        whole.fix_header();
        (!sorted.last()?.more_follow()).then_some(whole)
    }

    /// Source and destination address alone.
    pub fn address_pair(&self) -> (Ipv4Addr, Ipv4Addr) {
        (self.address(12), self.address(16))
    }

    /// The packet that an ICMP error quotes.
    pub fn quoted(&self) -> Packet {
        Packet { bytes: self.transport()[8..].to_vec(), checksum: Checksum::Complete, segment: None }
    }

    /// The packet with another time to live.
    pub fn with_ttl(mut self, ttl: u8) -> Self {
        self.bytes[8] = ttl;
        self.fix_header();
        self
    }

    /// The packet with the flag that forbids fragmentation.
    pub fn dont_fragment(mut self) -> Self {
        self.bytes[6] |= 0x40;
        self.fix_header();
        self
    }

    /// The packet without the flag that forbids fragmentation.
    pub fn may_fragment(self) -> Self {
        self.changed(|bytes| bytes[6] &= !0x40)
    }

    /// The packet with `change` made to its bytes; the header checksum is set right, no other.
    pub fn changed(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.bytes);
        self.fix_header();
        self
    }

    /// The packet with these options in its header; a multiple of four bytes.
    pub fn with_options(mut self, options: &[u8]) -> Self {
        self.bytes[0] += (options.len() / 4) as u8;
        self.bytes.splice(20..20, options.iter().copied());
        self.fix_len();
        self.fix_header();
        self
    }

    /// The UDP or TCP packet with `len` bytes of payload, checksums set right.
    pub fn with_payload(mut self, len: usize) -> Self {
        let start = self.bytes.len() - self.payload().len();
        self.bytes.truncate(start);
        self.bytes.extend((0..len).map(|i| i as u8));
        self.fix_len();
        if self.protocol() == 17 {
            let udp_len = (self.bytes.len() - self.header_len()) as u16;
            let at = self.header_len() + 4;
            self.bytes[at..at + 2].copy_from_slice(&udp_len.to_be_bytes());
        }
        self.fix_header();
        self.fix_transport();
        self
    }

    /// The TCP segment with this sequence number; 1000 is a side's first.
    pub fn seq(self, seq: u32) -> Self {
        self.with_long(4, seq)
    }

    /// The TCP segment with this acknowledgement; 1001 acknowledges a side's SYN.
    pub fn ack(self, ack: u32) -> Self {
        self.with_long(8, ack)
    }

    /// The TCP segment with this window, unscaled.
    pub fn window(mut self, window: u16) -> Self {
        let at = self.header_len() + 14;
        self.bytes[at..at + 2].copy_from_slice(&window.to_be_bytes());
        self.fix_transport();
        self
    }

    /// The TCP segment with these options; a multiple of four bytes.
    pub fn with_tcp_options(mut self, options: &[u8]) -> Self {
        let at = self.header_len();
        self.bytes[at + 12] += (options.len() as u8 / 4) << 4;
        self.bytes.splice(at + 20..at + 20, options.iter().copied());
        self.fix_len();
        self.fix_header();
        self.fix_transport();
        self
    }

    fn with_long(mut self, offset: usize, value: u32) -> Self {
        let at = self.header_len() + offset;
        self.bytes[at..at + 4].copy_from_slice(&value.to_be_bytes());
        self.fix_transport();
        self
    }

    /// The TCP or UDP packet as a host leaves it to its network card: with the sum of the pseudo-header alone.
    pub fn partial(mut self) -> Self {
        let sum = self.pseudo_header_sum();
        let at = self.header_len() + self.checksum_offset();
        self.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        self.checksum = Checksum::Partial;
        self
    }

    /// Sets the header checksum right.
    pub fn fix_header(&mut self) {
        let Ok(header) = Ipv4HeaderSlice::from_slice(&self.bytes) else { return };
        let sum = header.to_header().calc_header_checksum();
        self.bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }

    /// Sets the transport checksum right.
    pub fn fix_transport(&mut self) {
        let sum = self.transport_sum();
        let at = self.header_len() + self.checksum_offset();
        self.bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }

    /// Whether the header checksum is right.
    pub fn header_is_intact(&self) -> bool {
        let header = Ipv4HeaderSlice::from_slice(&self.bytes).unwrap();
        header.header_checksum() == header.to_header().calc_header_checksum()
    }

    /// Whether the transport checksum is right: complete, partial, or, for UDP, absent.
    pub fn transport_is_intact(&self) -> bool {
        let at = self.header_len() + self.checksum_offset();
        let field = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]);
        match self.checksum {
            Checksum::Partial => field == self.pseudo_header_sum(),
            Checksum::Complete => (self.protocol() == 17 && field == 0) || field == self.transport_sum(),
        }
    }

    /// What the transport checksum ought to be.
    fn transport_sum(&self) -> u16 {
        let (header, transport) =
            (Ipv4HeaderSlice::from_slice(&self.bytes).unwrap().to_header(), self.transport());
        match self.protocol() {
            6 => etherparse::TcpSlice::from_slice(transport)
                .unwrap()
                .to_header()
                .calc_checksum_ipv4(&header, self.payload())
                .unwrap(),
            17 => UdpHeader::from_slice(transport)
                .unwrap()
                .0
                .calc_checksum_ipv4(&header, self.payload())
                .unwrap(),
            1 => icmp_type(transport).calc_checksum(self.payload()),
            other => panic!("protocol {other} has no checksum here"),
        }
    }

    /// The folded, uninverted sum of the pseudo-header.
    fn pseudo_header_sum(&self) -> u16 {
        let len = (self.bytes.len() - self.header_len()) as u32;
        let words =
            self.bytes[12..20].chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
        let mut sum = words.sum::<u32>() + u32::from(self.protocol()) + len;
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        sum as u16
    }

    fn checksum_offset(&self) -> usize {
        match self.protocol() {
            6 => 16,
            17 => 6,
            _ => 2,
        }
    }

    fn fix_len(&mut self) {
        let len = self.bytes.len() as u16;
        self.bytes[2..4].copy_from_slice(&len.to_be_bytes());
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        Ipv4Addr::new(self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3])
    }

    fn ports(&self) -> (u16, u16) {
        let transport = self.transport();
        let word =
            |at: usize| transport.get(at..at + 2).map_or(0, |word| u16::from_be_bytes([word[0], word[1]]));
        match (self.protocol(), transport.first()) {
            (6 | 17, _) => (word(0), word(2)),
            (1, Some(8 | 13)) => (word(4), 0),
            (1, Some(0 | 14)) => (0, word(4)),
            _ => (0, 0),
        }
    }
}

fn icmp_type(transport: &[u8]) -> Icmpv4Type {
    let echo = IcmpEchoHeader {
        id: u16::from_be_bytes([transport[4], transport[5]]),
        seq: u16::from_be_bytes([transport[6], transport[7]]),
    };
    match transport[0] {
        8 => Icmpv4Type::EchoRequest(echo),
        0 => Icmpv4Type::EchoReply(echo),
        type_u8 => Icmpv4Type::Unknown {
            type_u8,
            code_u8: transport[1],
            bytes5to8: [transport[4], transport[5], transport[6], transport[7]],
        },
    }
}
