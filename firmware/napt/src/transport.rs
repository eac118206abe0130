//! What an IPv4 packet carries, as far as a translation needs it: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792).
//!
//! Every other protocol, be it GRE, ESP, SCTP or unknown, is translated by address alone, with its number in the place of
//! ports. That leaves SCTP's own checksum right, which does not cover addresses; DCCP's and UDP-Lite's do, and are seen
//! to. AH authenticates addresses and cannot be translated; IGMP never leaves its link.
//!
//! Like a packet, a transport header is taken apart once and then held as fixed-size arrays. Lengths that contradict
//! each other end here (A21), so that no later step reads or writes past a header.

use crate::checksum::Delta;
use crate::options;
use crate::packet::{self, Checksum, HEADER, long, word};
use crate::rewrite::{self, Rewrite};
use crate::tcp::{ACK, Flags, Segment};
use crate::{DropReason, Protocol};

/// A transport whose packets belong to flows.
pub(crate) trait Transport {
    /// Its name among the engine's.
    const PROTOCOL: Protocol;

    /// The length of its header in bytes, as far as that is always the same.
    const HEADER_LEN: usize;

    /// The ports in the header at the start of `payload`, if it is sound; the packet's own header tells whether more of
    /// it follows.
    fn ports(header: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason>;

    /// Everything that such a sound header says. Only TCP's says more than ports.
    #[inline(always)]
    fn heading(header: &[u8; HEADER], payload: &[u8]) -> Result<Heading, DropReason> {
        let ports = Self::ports(header, payload)?;
        Ok(Heading { protocol: Self::PROTOCOL, ports, segment: None, header_len: Self::HEADER_LEN })
    }

    /// Changes that header and the checksum over it, where the change of addresses comes to `addresses`. It is there:
    /// `heading` has seen it.
    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum);
}

/// The ports of a header, or what is in their place.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    /// The source port; the identifier of an ICMP query; zero in a reply, whose sender has none; the number of another
    /// protocol.
    pub(crate) source: u16,
    /// The destination port; the identifier of an ICMP reply; zero in a query; the number of another protocol.
    pub(crate) destination: u16,
}

impl Ports {
    /// What stands in the place of ports at the start of a header.
    #[inline(always)]
    pub(crate) fn any<const N: usize>(header: &[u8; N]) -> Self {
        let both = long(header, 0);
        Self { source: (both >> 16) as u16, destination: both as u16 }
    }

    /// The ports at the start of a header. Port 0 is reserved (RFC 6335 s.6) and cannot be mapped.
    #[inline(always)]
    pub(crate) fn of<const N: usize>(header: &[u8; N]) -> Option<Self> {
        let ports = Self::any(header);
        (ports.source != 0 && ports.destination != 0).then_some(ports)
    }
}

/// What a header says of the flow it belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Heading {
    pub(crate) protocol: Protocol,
    pub(crate) ports: Ports,
    /// For TCP, what tracking looks at.
    pub(crate) segment: Option<Segment>,
    /// The transport header's length in bytes.
    pub(crate) header_len: usize,
}

/// TCP.
pub(crate) struct Tcp;

/// UDP.
pub(crate) struct Udp;

/// ICMP queries, such as echo requests.
pub(crate) struct Query;

/// The answers to ICMP queries.
pub(crate) struct Reply;

/// Other protocols. The checksum of some, at offset 6, covers the addresses.
pub(crate) struct Other;

/// An ICMP error: its own header and what follows it.
pub(crate) struct Message<'a> {
    pub(crate) header: &'a mut [u8; 8],
    pub(crate) body: &'a mut [u8],
}

/// What the engine does with an ICMP message.
pub(crate) enum Icmp<'a> {
    /// A query.
    Query,
    /// The answer to a query.
    Reply,
    /// An error, with a packet inside.
    Error(Message<'a>),
}

/// The numbers of IP protocols.
pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

impl Transport for Tcp {
    const PROTOCOL: Protocol = Protocol::Tcp;
    const HEADER_LEN: usize = 20;

    fn ports(_: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason> {
        let (tcp, _) = split_tcp(payload).ok_or(DropReason::Transport)?;
        Flags::new(tcp[13]).ok_or(DropReason::TcpFlags)?;
        Ports::of(tcp).ok_or(DropReason::PortZero)
    }

    fn heading(header: &[u8; HEADER], payload: &[u8]) -> Result<Heading, DropReason> {
        let (tcp, header_len) = split_tcp(payload).ok_or(DropReason::Transport)?;
        let flags = Flags::new(tcp[13]).ok_or(DropReason::TcpFlags)?;
        let data_len = match packet::is_fragment(header) {
            false => payload.len() - header_len,
            // How much data follows the first fragment nobody knows: as much as can.
            true => usize::from(u16::MAX),
        };
        let options = payload.get(tcp.len()..header_len).unwrap_or_default();
        let segment = Some(segment(flags, tcp, options, data_len));
        Ok(Heading {
            protocol: Protocol::Tcp,
            ports: Ports::of(tcp).ok_or(DropReason::PortZero)?,
            segment,
            header_len,
        })
    }

    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
        let Some((header, rest)) = payload.split_first_chunk_mut() else { return };
        let clamped = rewrite::clamp(header, rest, rewrite);
        rewrite::tcp(header, rewrite, addresses, checksum);
        // The sum of the pseudo-header, which is all that an unfinished checksum is, does not cover options.
        if checksum == Checksum::Complete {
            rewrite::change(header, clamped);
        }
    }
}

/// The fixed part of a TCP header, and the length of all of it, if it is sound.
#[inline(always)]
pub(crate) fn split_tcp(payload: &[u8]) -> Option<(&[u8; 20], usize)> {
    let tcp = payload.first_chunk::<20>()?;
    let header_len = usize::from(tcp[12] >> 4) * 4;
    (tcp.len() <= header_len && header_len <= payload.len()).then_some((tcp, header_len))
}

/// Whether a TCP segment's flags are ACK alone, as nearly all are.
#[inline(always)]
pub(crate) fn is_data(payload: &[u8]) -> bool {
    payload.first_chunk::<20>().is_some_and(|tcp| Flags::is_ack(tcp[13]))
}

impl Transport for Udp {
    const PROTOCOL: Protocol = Protocol::Udp;
    const HEADER_LEN: usize = 8;

    #[inline(always)]
    fn ports(header: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason> {
        let udp = payload.first_chunk::<8>().ok_or(DropReason::Transport)?;
        let length = usize::from(word(udp, 4));
        if length < udp.len() || (length > payload.len() && !packet::is_fragment(header)) {
            return Err(DropReason::Transport);
        }
        Ports::of(udp).ok_or(DropReason::PortZero)
    }

    #[inline(always)]
    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
        let Some(header) = payload.first_chunk_mut() else { return };
        rewrite::udp(header, rewrite, addresses, checksum);
    }
}

impl Transport for Query {
    const PROTOCOL: Protocol = Protocol::Icmp;
    const HEADER_LEN: usize = 8;

    fn ports(_: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason> {
        Ok(Ports { source: identifier(payload)?, destination: 0 })
    }

    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, _: Delta, _: Checksum) {
        let Some(header) = payload.first_chunk_mut() else { return };
        rewrite::icmp(header, rewrite);
    }
}

impl Transport for Reply {
    const PROTOCOL: Protocol = Protocol::Icmp;
    const HEADER_LEN: usize = 8;

    fn ports(_: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason> {
        Ok(Ports { source: 0, destination: identifier(payload)? })
    }

    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, _: Delta, _: Checksum) {
        let Some(header) = payload.first_chunk_mut() else { return };
        rewrite::icmp(header, rewrite);
    }
}

impl Transport for Other {
    const PROTOCOL: Protocol = Protocol::Other;
    const HEADER_LEN: usize = 0;

    fn ports(header: &[u8; HEADER], payload: &[u8]) -> Result<Ports, DropReason> {
        match payload.len() {
            0..8 if covers_addresses(header[9].into()) => Err(DropReason::Transport),
            _ => number(header),
        }
    }

    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, _: Checksum) {
        // The number is in the place of ports, on either side.
        let number = rewrite.source.or(rewrite.destination).map_or(0, |end| end.port);
        if let Some(header) = payload.first_chunk_mut().filter(|_| covers_addresses(number)) {
            rewrite::covered(header, addresses);
        }
    }
}

/// The identifier of an ICMP query or its reply.
fn identifier(payload: &[u8]) -> Result<u16, DropReason> {
    let icmp = payload.first_chunk::<8>().ok_or(DropReason::Transport)?;
    Ok(word(icmp, 4))
}

/// The number of another protocol in the place of both ports.
fn number(header: &[u8; HEADER]) -> Result<Ports, DropReason> {
    let number = u16::from(header[9]);
    let ports = Ports { source: number, destination: number };
    if is_translatable(header[9]) { Ok(ports) } else { Err(DropReason::Protocol) }
}

/// What tracking has to know of a segment with `data_len` bytes of data.
#[inline(always)]
pub(crate) fn segment(flags: Flags, header: &[u8; 20], options: &[u8], data_len: usize) -> Segment {
    let (seq, ack) = (long(header, 4), long(header, 8));
    let len = match flags {
        Flags::Syn | Flags::SynAck | Flags::Fin => data_len as u32 + 1,
        Flags::Ack | Flags::Rst => data_len as u32,
    };
    let scale = match flags {
        Flags::Syn | Flags::SynAck => options::window_scale(options),
        _ => None,
    };
    Segment {
        flags,
        seq,
        end: seq.wrapping_add(len),
        ack: match flags {
            Flags::Ack | Flags::SynAck | Flags::Fin => Some(ack),
            Flags::Syn => None,
            Flags::Rst => (header[13] & ACK != 0).then_some(ack),
        },
        window: word(header, 14),
        scale,
    }
}

/// Sorts an ICMP message.
pub(crate) fn icmp(payload: &mut [u8]) -> Result<Icmp<'_>, DropReason> {
    let (header, body) = payload.split_first_chunk_mut::<8>().ok_or(DropReason::Transport)?;
    match header[0] {
        icmp::ECHO | icmp::TIMESTAMP => Ok(Icmp::Query),
        icmp::ECHO_REPLY | icmp::TIMESTAMP_REPLY => Ok(Icmp::Reply),
        // Source quench (4) and redirect (5) are errors too, but not for us to carry (RFC 6633, RFC 5508 REQ-10).
        icmp::UNREACHABLE | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM => {
            Ok(Icmp::Error(Message { header, body }))
        }
        _ => Err(DropReason::IcmpType),
    }
}

const fn is_translatable(number: u8) -> bool {
    const HOP_BY_HOP: u8 = 0;
    const IGMP: u8 = 2;
    const AH: u8 = 51;
    const RESERVED: u8 = 255;
    !matches!(number, HOP_BY_HOP | IGMP | AH | RESERVED)
}

/// Whether a protocol without ports of ours has a checksum over addresses: DCCP (RFC 4340 s.9.1), UDP-Lite (RFC 3828).
pub(crate) const fn covers_addresses(number: u16) -> bool {
    const DCCP: u16 = 33;
    const UDP_LITE: u16 = 136;
    matches!(number, DCCP | UDP_LITE)
}

/// The ports, or identifiers, in the first eight bytes of a quoted transport header, which is all that an ICMP error
/// is sure to quote (RFC 792).
#[inline]
pub(crate) fn quoted_ports(number: u8, quoted: &[u8; 8]) -> Result<(Protocol, u16, u16), DropReason> {
    match number {
        TCP => Ok((Protocol::Tcp, word(quoted, 0), word(quoted, 2))),
        UDP => Ok((Protocol::Udp, word(quoted, 0), word(quoted, 2))),
        ICMP => match quoted[0] {
            icmp::ECHO | icmp::TIMESTAMP => Ok((Protocol::Icmp, word(quoted, 4), 0)),
            icmp::ECHO_REPLY | icmp::TIMESTAMP_REPLY => Ok((Protocol::Icmp, 0, word(quoted, 4))),
            // Nobody may send an error about an error (RFC 1122 s.3.2.2).
            _ => Err(DropReason::Embedded),
        },
        number if is_translatable(number) => Ok((Protocol::Other, number.into(), number.into())),
        _ => Err(DropReason::Embedded),
    }
}

/// ICMP types (RFC 792).
mod icmp {
    pub(super) const ECHO_REPLY: u8 = 0;
    pub(super) const UNREACHABLE: u8 = 3;
    pub(super) const ECHO: u8 = 8;
    pub(super) const TIME_EXCEEDED: u8 = 11;
    pub(super) const PARAMETER_PROBLEM: u8 = 12;
    pub(super) const TIMESTAMP: u8 = 13;
    pub(super) const TIMESTAMP_REPLY: u8 = 14;
}
