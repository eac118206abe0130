//! Packets taken apart by hand, and what a translation may change in them (RFC 791, 792, 768, 9293, 3022 s.4).
//!
//! [`View`] is what a packet says; its *faults* are the reasons for which anybody may drop it, whatever state there
//! is. [`Change`] is a translation, and [`Change::check`] compares what came out with what ought to have: every byte
//! but the checksums literally, the checksums by the sum they complete. That sum, the *remainder*, is 0 for a right
//! checksum and the same before and after for a wrong one: what was broken stays as broken as it was.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;

use napt::{Checksum, DropReason};

use super::tcp::Segment;
use crate::Packet;

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
    /// The time to live.
    pub ttl: u8,
    /// Whether it must not be fragmented.
    pub dont_fragment: bool,
    /// How long it is, or each of those it stands for.
    pub len: usize,
    /// What it is about.
    pub subject: Subject,
}

/// What a packet is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A TCP segment.
    Segment(Segment),
    /// A UDP datagram.
    Datagram,
    /// An ICMP query.
    Query,
    /// The reply to one.
    Reply,
    /// An ICMP error, and the ends of the packet that it quotes, by protocol, source and destination.
    Error(u8, SocketAddrV4, SocketAddrV4),
}

/// Takes a packet apart.
///
/// # Errors
/// Its faults, if it has any: each a reason to drop it.
pub fn read(packet: &Packet) -> Result<View, Vec<DropReason>> {
    let bytes = &packet.bytes[..];
    let (header, len) = header(bytes).map_err(|fault| vec![fault])?;
    let (protocol, body) = (bytes[9], &bytes[header..len]);
    if word(bytes, 6) & 0x3FFF != 0 {
        return Err(vec![DropReason::Fragment]);
    }
    let (ports, subject, heading) = match protocol {
        TCP => segment(body)?,
        UDP => datagram(body)?,
        ICMP => message(body, address(bytes, 16))?,
        _ => return Err(vec![DropReason::Protocol]),
    };
    let each = packet.segment.map_or(len, |segment| len.min(header + heading + usize::from(segment.get())));
    Ok(View {
        protocol,
        source: SocketAddrV4::new(address(bytes, 12), ports.0),
        destination: SocketAddrV4::new(address(bytes, 16), ports.1),
        ttl: bytes[8],
        dont_fragment: bytes[6] & 0x40 != 0,
        len: each,
        subject,
    })
}

/// The lengths of an IPv4 header and of its packet (RFC 1812 s.5.2.2, in its order).
fn header(bytes: &[u8]) -> Result<(usize, usize), DropReason> {
    if bytes.len() < 20 {
        return Err(DropReason::Truncated);
    }
    let (header, len) = (usize::from(bytes[0] & 15) * 4, usize::from(word(bytes, 2)));
    match () {
        () if bytes[0] >> 4 != 4 => Err(DropReason::Version),
        () if header < 20 => Err(DropReason::HeaderLength),
        () if len < header || len > bytes.len() => Err(DropReason::TotalLength),
        () if sum(&bytes[..header]) != 0 => Err(DropReason::HeaderChecksum),
        () => Ok((header, len)),
    }
}

type Parts = ((u16, u16), Subject, usize);

fn segment(body: &[u8]) -> Result<Parts, Vec<DropReason>> {
    let len = body.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4);
    if body.len() < 20 || len < 20 || len > body.len() {
        return Err(vec![DropReason::Transport]);
    }
    let mut faults = port_zero(body);
    let segment = Segment::of_flags(body[13]);
    if segment.is_none() {
        faults.push(DropReason::TcpFlags);
    }
    let segment = segment.filter(|_| faults.is_empty()).ok_or(faults)?;
    Ok(((word(body, 0), word(body, 2)), Subject::Segment(segment), len))
}

fn datagram(body: &[u8]) -> Result<Parts, Vec<DropReason>> {
    if body.len() < 8 || word(body, 4) < 8 || usize::from(word(body, 4)) > body.len() {
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
        3 | 11 | 12 => Ok(((0, 0), quote(body, destination)?, 8)),
        _ => Err(vec![DropReason::IcmpType]),
    }
}

/// What an ICMP error is about (RFC 5508 REQ-3 to REQ-5).
fn quote(body: &[u8], destination: Ipv4Addr) -> Result<Subject, Vec<DropReason>> {
    let mut faults = Vec::new();
    if sum(body) != 0 {
        faults.push(DropReason::IcmpChecksum);
    }
    let inner = &body[8..];
    let header = inner.first().map_or(0, |byte| usize::from(byte & 15) * 4);
    if inner.len() < 20 || inner[0] >> 4 != 4 || header < 20 || inner.len() < header + 8 {
        faults.push(DropReason::Embedded);
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
        _ => None,
    };
    if ports.is_none() {
        faults.push(DropReason::Embedded);
    }
    let ports = ports.filter(|_| faults.is_empty()).ok_or(faults)?;
    let end = |at, port| SocketAddrV4::new(address(inner, at), port);
    Ok(Subject::Error(inner[9], end(12, ports.0), end(16, ports.1)))
}

/// A translation: the ends that a packet gets. What has no port keeps none.
#[derive(Clone, Copy, Debug)]
pub struct Change {
    /// Its source.
    pub source: SocketAddrV4,
    /// Its destination.
    pub destination: SocketAddrV4,
    /// For an ICMP error, the ends of the packet it quotes.
    pub quoted: Option<(SocketAddrV4, SocketAddrV4)>,
}

impl Change {
    /// Whether `after` is what becomes of `before`, a packet without faults.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, before: &Packet, after: &Packet) -> Result<(), String> {
        let (start, len) = header(&before.bytes).map_err(|fault| format!("{fault:?} has passed"))?;
        let mut want = before.bytes.clone();
        want[8] -= 1;
        rewrite(&mut want, self.source, self.destination, self.quoted.is_some());
        checksum_stays(before, after, start..len)?;
        if let Some((source, destination)) = self.quoted {
            rewrite(&mut want[start + 8..len], source, destination, false);
            quoted_checksum_stays(&before.bytes[start + 8..len], &after.bytes[start + 8..len])?;
            copy_checksum(&mut want[start + 8..len], &after.bytes[start + 8..len]);
        }
        copy_checksum(&mut want, &after.bytes);
        let differs = (0..want.len()).find(|at| want.get(*at) != after.bytes.get(*at));
        differs.map_or(Ok(()), |at| Err(format!("byte {at}: {:02x?}, not {want:02x?}", after.bytes)))
    }
}

/// Gives a packet, or the quoted beginning of one, new ends and a header checksum that is computed anew.
fn rewrite(bytes: &mut [u8], source: SocketAddrV4, destination: SocketAddrV4, is_error: bool) {
    let start = usize::from(bytes[0] & 15) * 4;
    bytes[12..16].copy_from_slice(&source.ip().octets());
    bytes[16..20].copy_from_slice(&destination.ip().octets());
    bytes[10..12].fill(0);
    let sum = 0xFFFF - sum(&bytes[..start]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    let (protocol, kind) = (bytes[9], bytes[start]);
    let mut set =
        |at: usize, port: u16| bytes[start + at..start + at + 2].copy_from_slice(&port.to_be_bytes());
    match (protocol, kind) {
        _ if is_error => (),
        (ICMP, 8 | 13) => set(4, source.port()),
        (ICMP, _) => set(4, destination.port()),
        _ => {
            set(0, source.port());
            set(2, destination.port());
        }
    }
}

/// Where the transport checksum of a packet lies, if the packet, or what is quoted of it, is long enough.
fn checksum_at(bytes: &[u8]) -> Option<usize> {
    let within = match bytes[9] {
        TCP => 16,
        UDP => 6,
        _ => 2,
    };
    let at = usize::from(bytes[0] & 15) * 4 + within;
    (at + 2 <= bytes.len()).then_some(at)
}

/// Takes the transport checksum over from what came out: it is judged elsewhere.
fn copy_checksum(want: &mut [u8], got: &[u8]) {
    if let Some(at) = checksum_at(want) {
        want[at..at + 2].copy_from_slice(&got[at..at + 2]);
    }
}

/// Whether the transport checksum is as right, or as wrong, as it was (V2, K02 to K05).
fn checksum_stays(before: &Packet, after: &Packet, transport: Range<usize>) -> Result<(), String> {
    let bytes = |packet: &Packet| packet.bytes[..transport.end].to_vec();
    match before.checksum {
        Checksum::Complete => complete_stays(&bytes(before), &bytes(after)),
        // The field holds the pseudo-header's sum: what it falls short of that stays the same.
        Checksum::Partial => {
            let at = checksum_at(&before.bytes).ok_or("no checksum")?;
            let short = |packet: &Packet| {
                let pseudo = u32::from(sum(&packet.bytes[12..20]));
                (pseudo + 0xFFFF - u32::from(word(&packet.bytes, at))) % 0xFFFF
            };
            let same = short(before) == short(after);
            same.then_some(()).ok_or("a partial checksum went wrong".into())
        }
    }
}

/// The same for a quoted packet: what is not quoted is not changed either, so the sum of the rest decides.
fn quoted_checksum_stays(before: &[u8], after: &[u8]) -> Result<(), String> {
    checksum_at(before).map_or(Ok(()), |_| complete_stays(before, after))
}

fn complete_stays(before: &[u8], after: &[u8]) -> Result<(), String> {
    let Some(at) = checksum_at(before) else { return Ok(()) };
    let (old, new) = (word(before, at), word(after, at));
    let start = usize::from(before[0] & 15) * 4;
    let pseudo = |bytes: &[u8]| if bytes[9] == ICMP { 0 } else { sum(&bytes[12..20]) };
    let remainder = |bytes: &[u8]| (u32::from(pseudo(bytes)) + u32::from(sum(&bytes[start..]))) % 0xFFFF;
    match before[9] {
        UDP if old == 0 || new == 0 => (old == new).then_some(()).ok_or("K02, K03: no checksum".to_string()),
        _ if remainder(before) == remainder(after) => Ok(()),
        _ => Err(format!("V2: a checksum of {old:04x} became {new:04x}")),
    }
}

/// The sum of some bytes in ones' complement, with 0 for both of its zeros.
fn sum(bytes: &[u8]) -> u16 {
    let words =
        bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low)));
    (words.sum::<u64>() % 0xFFFF) as u16
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn address(bytes: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}
