//! Packets taken apart by hand (RFC 791, 792, 768, 9293).
//!
//! [`View`] is what a packet says; its *faults* are the reasons for which anybody may drop it, whatever state there
//! is. Protocols without ports have port 0 at both ends. Of a fragment, only the first has ports; `part` says which
//! part of its datagram any is.

use std::net::{Ipv4Addr, SocketAddrV4};

use napt::DropReason;

use super::Packet;
use super::tcp::{Kind, Segment};

/// IP protocol numbers.
pub const ICMP: u8 = 1;
/// As above.
pub const TCP: u8 = 6;
/// As above.
pub const UDP: u8 = 17;

/// A packet taken apart.
#[derive(Clone, Debug)]
pub struct View {
    /// The IP protocol.
    pub protocol: u8,
    /// Who sent it; without a port, port 0.
    pub source: SocketAddrV4,
    /// Whom it is for; without a port, port 0.
    pub destination: SocketAddrV4,
    /// How far it may go.
    pub hop: Hop,
    /// What it is about.
    pub subject: Subject,
}

/// What decides whether a packet goes one hop further.
#[derive(Clone, Copy, Debug)]
pub struct Hop {
    /// The time to live.
    pub ttl: u8,
    /// Whether it must not be fragmented.
    pub dont_fragment: bool,
    /// How long it is, or each of those it stands for.
    pub len: usize,
    /// Whether it stands for many.
    pub is_many: bool,
}

/// What a packet is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A TCP segment.
    Segment(Segment),
    /// A datagram of UDP, or of another protocol.
    Datagram,
    /// An ICMP query.
    Query,
    /// The reply to one.
    Reply,
    /// An ICMP error.
    Error(Quoted),
}

/// The packet that an ICMP error quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted {
    /// Its protocol.
    pub protocol: u8,
    /// Who sent it.
    pub source: SocketAddrV4,
    /// Whom it was for.
    pub destination: SocketAddrV4,
    /// The sequence number of a TCP segment.
    pub sequence: Option<u32>,
    /// Whether its options have a source route.
    pub is_source_routed: bool,
}

/// Which part of a datagram a fragment is: these units of eight bytes.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The first.
    pub first: usize,
    /// The one after the last, which may be begun only.
    pub end: usize,
    /// Whether no other follows.
    pub is_last: bool,
}

/// Takes a packet apart.
///
/// # Errors
/// Its faults, if it has any: each a reason to drop it.
pub fn read(packet: Packet<'_>) -> Result<View, Vec<DropReason>> {
    let bytes = packet.bytes;
    let (header, len) = header(bytes).map_err(|fault| vec![fault])?;
    let (protocol, body) = (bytes[9], &bytes[header..len]);
    let is_whole = !is_fragment(bytes);
    let (ports, subject, heading) = match protocol {
        TCP => segment(body, is_whole)?,
        UDP => datagram(body, is_whole)?,
        ICMP => message(body, address(bytes, 16))?,
        _ if !is_translated(protocol) => return Err(vec![DropReason::Protocol]),
        _ if covers_addresses(protocol) && body.len() < 8 => return Err(vec![DropReason::Transport]),
        _ => ((0, 0), Subject::Datagram, 0),
    };
    let each = packet.segment.map_or(len, |segment| len.min(header + heading + usize::from(segment.get())));
    Ok(View {
        protocol,
        source: SocketAddrV4::new(address(bytes, 12), ports.0),
        destination: SocketAddrV4::new(address(bytes, 16), ports.1),
        hop: Hop { len: each, is_many: packet.segment.is_some(), ..hop(bytes, len) },
        subject,
    })
}

/// What decides about the next hop of a packet that stands for itself, `len` bytes long.
pub(super) fn hop(bytes: &[u8], len: usize) -> Hop {
    Hop { ttl: bytes[8], dont_fragment: bytes[6] & 0x40 != 0, len, is_many: false }
}

/// Whether a packet is one of several of its datagram.
pub(super) fn is_fragment(bytes: &[u8]) -> bool {
    word(bytes, 6) & 0x3FFF != 0
}

/// Which part of its datagram a fragment is (RFC 791 s.3.2, RFC 3128).
///
/// # Errors
/// What no sender makes, and what is not even a packet.
pub(super) fn part(bytes: &[u8]) -> Result<Part, DropReason> {
    let (header, len) = header(bytes)?;
    let (first, is_last) = (usize::from(word(bytes, 6) & 0x1FFF), word(bytes, 6) & 0x2000 == 0);
    let body = len - header;
    match () {
        () if body == 0 || (!is_last && body % 8 != 0) => Err(DropReason::FragmentShape),
        () if header + first * 8 + body > 65_535 => Err(DropReason::FragmentShape),
        () if bytes[9] == TCP && first == 1 => Err(DropReason::FragmentShape),
        () => Ok(Part { first, end: first + body.div_ceil(8), is_last }),
    }
}

/// Neither what stays on its link, nor what protects addresses, nor the numbers that are none.
fn is_translated(protocol: u8) -> bool {
    ![0, 2, 51, 255].contains(&protocol)
}

/// Whether another protocol has a checksum over addresses: DCCP and UDP-Lite.
pub(super) fn covers_addresses(protocol: u8) -> bool {
    [33, 136].contains(&protocol)
}

/// The lengths of an IPv4 header and of its packet (RFC 1812 s.5.2.2, in its order).
pub(super) fn header(bytes: &[u8]) -> Result<(usize, usize), DropReason> {
    if bytes.len() < 20 {
        return Err(DropReason::Truncated);
    }
    let (header, len) = (usize::from(bytes[0] & 15) * 4, usize::from(word(bytes, 2)));
    match () {
        () if bytes[0] >> 4 != 4 => Err(DropReason::Version),
        () if header < 20 || header > bytes.len() => Err(DropReason::HeaderLength),
        () if sum(&bytes[..header]) != 0 => Err(DropReason::HeaderChecksum),
        () if len < header || len > bytes.len() => Err(DropReason::TotalLength),
        () => Ok((header, len)),
    }
}

type Parts = ((u16, u16), Subject, usize);

fn segment(body: &[u8], is_whole: bool) -> Result<Parts, Vec<DropReason>> {
    let len = body.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
    if body.len() < 20 || len < 20 || len > body.len() {
        return Err(vec![DropReason::Transport]);
    }
    let mut faults = port_zero(body);
    let kind = Kind::of_flags(body[13]);
    if kind.is_none() {
        faults.push(DropReason::TcpFlags);
    }
    let kind = kind.filter(|_| faults.is_empty()).ok_or(faults)?;
    // Nobody knows how much follows the first fragment: as much as can.
    let data = if is_whole { body.len() - len } else { 65_535 };
    let numbers = (long(body, 4), long(body, 8));
    let scale =
        option(&body[20..len], 3).filter(|value| value.len() == 1).map(|value| body[20 + value.start]);
    let segment = Segment::new(kind, body[13], numbers, data as u32, word(body, 14), scale);
    Ok(((word(body, 0), word(body, 2)), Subject::Segment(segment), len))
}

/// Whether a list of IP options names one, whatever its length is said to be, before it contradicts itself.
fn lists(options: &[u8], wanted: u8) -> bool {
    let mut at = 0;
    while at < options.len() && options[at] != 0 && options[at] != wanted {
        let len =
            if options[at] == 1 { Some(1) } else { options.get(at + 1).copied().filter(|len| *len >= 2) };
        let Some(len) = len else { return false };
        at += usize::from(len);
    }
    options.get(at) == Some(&wanted)
}

/// Where the value of a TCP option lies among the options, if the list says so before it contradicts itself.
pub(super) fn option(options: &[u8], wanted: u8) -> Option<std::ops::Range<usize>> {
    let mut at = 0;
    while at < options.len() && options[at] != 0 {
        if options[at] == 1 {
            at += 1;
            continue;
        }
        let len = usize::from(*options.get(at + 1)?);
        if len < 2 || at + len > options.len() {
            return None;
        }
        if options[at] == wanted {
            return Some(at + 2..at + len);
        }
        at += len;
    }
    None
}

fn datagram(body: &[u8], is_whole: bool) -> Result<Parts, Vec<DropReason>> {
    let len = body.get(4..6).map_or(0, |len| usize::from(word(len, 0)));
    if body.len() < 8 || len < 8 || (is_whole && len > body.len()) {
        return Err(vec![DropReason::Transport]);
    }
    let faults = port_zero(body);
    let ports = faults.is_empty().then_some((word(body, 0), word(body, 2))).ok_or(faults)?;
    Ok((ports, Subject::Datagram, 8))
}

fn port_zero(body: &[u8]) -> Vec<DropReason> {
    let zero = word(body, 0) == 0 || word(body, 2) == 0;
    if zero { vec![DropReason::PortZero] } else { Vec::new() }
}

fn message(body: &[u8], destination: Ipv4Addr) -> Result<Parts, Vec<DropReason>> {
    if body.len() < 8 {
        return Err(vec![DropReason::Transport]);
    }
    match body[0] {
        8 | 13 => Ok(((word(body, 4), 0), Subject::Query, 8)),
        0 | 14 => Ok(((0, word(body, 4)), Subject::Reply, 8)),
        // Behind the header of an error there is nothing of which a packet that stands for many could have more.
        3 | 11 | 12 => Ok(((0, 0), Subject::Error(quote(body, destination)?), 0)),
        _ => Err(vec![DropReason::IcmpType]),
    }
}

/// What an ICMP error is about (RFC 5508 REQ-3 to REQ-5, RFC 5927 s.7).
fn quote(body: &[u8], destination: Ipv4Addr) -> Result<Quoted, Vec<DropReason>> {
    let mut faults = Vec::new();
    if sum(body) != 0 {
        faults.push(DropReason::IcmpChecksum);
    }
    if body[..2] == [3, 4] && (1..68).contains(&word(body, 6)) {
        faults.push(DropReason::EmbeddedMtu);
    }
    let inner = &body[8..];
    let header = inner.first().map_or(0, |byte| usize::from(byte & 15) * 4);
    if inner.len() < 20 || inner[0] >> 4 != 4 || header < 20 || inner.len() < header + 8 {
        faults.push(DropReason::Embedded);
        if inner.len() >= 20 && word(inner, 6) & 0x1FFF != 0 {
            faults.push(DropReason::EmbeddedFragment);
        }
        return Err(faults);
    }
    if sum(&inner[..header]) != 0 {
        faults.push(DropReason::Embedded);
    }
    if word(inner, 6) & 0x1FFF != 0 {
        faults.push(DropReason::EmbeddedFragment);
    }
    if address(inner, 12) != destination {
        faults.push(DropReason::EmbeddedMismatch);
    }
    let transport = &inner[header..];
    let ports = match (inner[9], transport[0]) {
        (TCP | UDP, _) => Some((word(transport, 0), word(transport, 2))),
        (ICMP, 8 | 13) => Some((word(transport, 4), 0)),
        (ICMP, 0 | 14) => Some((0, word(transport, 4))),
        (ICMP, _) => None,
        (other, _) => is_translated(other).then_some((0, 0)),
    };
    if ports.is_none() {
        faults.push(DropReason::Embedded);
    }
    let ports = ports.filter(|_| faults.is_empty()).ok_or(faults)?;
    let end = |at, port| SocketAddrV4::new(address(inner, at), port);
    let sequence = (inner[9] == TCP).then(|| long(transport, 4));
    let options = &inner[20..header];
    let is_source_routed = [131, 137].iter().any(|kind| lists(options, *kind));
    let (source, destination) = (end(12, ports.0), end(16, ports.1));
    Ok(Quoted { protocol: inner[9], source, destination, sequence, is_source_routed })
}

/// The sum of some bytes in ones' complement, with 0 for both of its zeros.
pub(super) fn sum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low)));
    (words.sum::<u64>() % 0xFFFF) as u16
}

pub(super) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}

fn long(bytes: &[u8], at: usize) -> u32 {
    u32::from(word(bytes, at)) << 16 | u32::from(word(bytes, at + 2))
}
