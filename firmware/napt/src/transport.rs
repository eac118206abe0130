//! What an IPv4 packet carries, as far as a translation needs it: TCP (RFC 9293), UDP (RFC 768), ICMP (RFC 792).
//!
//! Every other protocol, be it GRE, ESP, SCTP or unknown, is translated by address alone, with its number in the place of
//! ports. That leaves SCTP's own checksum right, which does not cover addresses; DCCP's and UDP-Lite's do, and are seen
//! to. AH authenticates addresses and cannot be translated; IGMP never leaves its link.
//!
//! Like a packet, a transport header is taken apart once and then held as fixed-size arrays. Lengths that contradict
//! each other end here (A21), so that no later step reads or writes past a header.

use crate::options;
use crate::packet::{long, word};
use crate::tcp::{ACK, Flags, Segment};
use crate::{DropReason, Protocol};

/// The payload of a packet, by what the engine does with it.
pub(crate) enum Transport<'a> {
    /// It has a port, or a query identifier, at each end that is ours to translate.
    Flow(Flow<'a>),
    /// An ICMP query, such as an echo request.
    Query(Flow<'a>),
    /// The answer to an ICMP query.
    Reply(Flow<'a>),
    /// An ICMP error, with a packet inside.
    Error(Message<'a>),
}

/// The header of a packet that belongs to a session.
pub(crate) struct Flow<'a> {
    pub(crate) heading: Heading,
    pub(crate) fields: Fields<'a>,
}

/// What such a header says.
#[derive(Clone, Copy)]
pub(crate) struct Heading {
    pub(crate) protocol: Protocol,
    /// The source port; the identifier of an ICMP query; zero in a reply, whose sender has none; the number of another
    /// protocol.
    pub(crate) source: u16,
    /// The destination port; the identifier of an ICMP reply; zero in a query; the number of another protocol.
    pub(crate) destination: u16,
    /// For TCP, what tracking looks at.
    pub(crate) segment: Option<Segment>,
    /// The transport header's length in bytes.
    pub(crate) header_len: usize,
}

/// The bytes of a transport header that a translation may change.
pub(crate) enum Fields<'a> {
    /// With its options.
    Tcp(&'a mut [u8; 20], &'a mut [u8]),
    Udp(&'a mut [u8; 8]),
    Icmp(&'a mut [u8; 8]),
    /// Of another protocol, whose checksum at offset 6 covers the addresses.
    Covered(&'a mut [u8; 8]),
    /// Of another protocol: nothing.
    Opaque,
}

/// An ICMP error: its own header and what follows it.
pub(crate) struct Message<'a> {
    pub(crate) header: &'a mut [u8; 8],
    pub(crate) body: &'a mut [u8],
}

impl<'a> Transport<'a> {
    /// Parses the payload of a packet of IP protocol `number`. Unless the packet is `whole`, more of it follows.
    #[inline(always)]
    pub(crate) fn parse(number: u8, payload: &'a mut [u8], whole: bool) -> Result<Self, DropReason> {
        match number {
            6 => parse_tcp(payload, whole).map(Self::Flow),
            17 => parse_udp(payload, whole).map(Self::Flow),
            1 => parse_icmp(payload),
            number => parse_other(number, payload).map(Self::Flow),
        }
    }
}

#[inline(always)]
fn parse_tcp(payload: &mut [u8], whole: bool) -> Result<Flow<'_>, DropReason> {
    let payload_len = payload.len();
    let (header, rest) = payload.split_first_chunk_mut::<20>().ok_or(DropReason::Transport)?;
    let header_len = usize::from(header[12] >> 4) * 4;
    let options_len = header_len.checked_sub(20).ok_or(DropReason::Transport)?;
    let options = rest.get_mut(..options_len).ok_or(DropReason::Transport)?;
    let flags = Flags::new(header[13]).ok_or(DropReason::TcpFlags)?;
    let (source, destination) = ports(word(header, 0), word(header, 2))?;
    // How much data follows the first fragment nobody knows: as much as can.
    let data_len = if whole { payload_len - header_len } else { usize::from(u16::MAX) };
    let segment = segment(flags, header, options, data_len);
    let heading =
        Heading { protocol: Protocol::Tcp, source, destination, segment: Some(segment), header_len };
    Ok(Flow { heading, fields: Fields::Tcp(header, options) })
}

/// What tracking has to know of a segment with `data_len` bytes of data.
#[inline(always)]
fn segment(flags: Flags, header: &[u8; 20], options: &[u8], data_len: usize) -> Segment {
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
        ack: (header[13] & ACK != 0).then_some(ack),
        window: word(header, 14),
        scale,
    }
}

#[inline(always)]
fn parse_udp(payload: &mut [u8], whole: bool) -> Result<Flow<'_>, DropReason> {
    let payload_len = payload.len();
    let (header, _) = payload.split_first_chunk_mut::<8>().ok_or(DropReason::Transport)?;
    let length = usize::from(word(header, 4));
    if length < 8 || (length > payload_len && whole) {
        return Err(DropReason::Transport);
    }
    let (source, destination) = ports(word(header, 0), word(header, 2))?;
    let heading = Heading { protocol: Protocol::Udp, source, destination, segment: None, header_len: 8 };
    Ok(Flow { heading, fields: Fields::Udp(header) })
}

/// Port 0 is reserved (RFC 6335 s.6) and cannot be mapped.
fn ports(source: u16, destination: u16) -> Result<(u16, u16), DropReason> {
    if source == 0 || destination == 0 { Err(DropReason::PortZero) } else { Ok((source, destination)) }
}

fn parse_icmp(payload: &mut [u8]) -> Result<Transport<'_>, DropReason> {
    let (header, body) = payload.split_first_chunk_mut::<8>().ok_or(DropReason::Transport)?;
    let id = word(header, 4);
    match header[0] {
        icmp::ECHO | icmp::TIMESTAMP => Ok(Transport::Query(icmp_flow(id, 0, header))),
        icmp::ECHO_REPLY | icmp::TIMESTAMP_REPLY => Ok(Transport::Reply(icmp_flow(0, id, header))),
        // Source quench (4) and redirect (5) are errors too, but not for us to carry (RFC 6633, RFC 5508 REQ-10).
        icmp::UNREACHABLE | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM => {
            Ok(Transport::Error(Message { header, body }))
        }
        _ => Err(DropReason::IcmpType),
    }
}

fn icmp_flow(source: u16, destination: u16, header: &mut [u8; 8]) -> Flow<'_> {
    let heading = Heading { protocol: Protocol::Icmp, source, destination, segment: None, header_len: 8 };
    Flow { heading, fields: Fields::Icmp(header) }
}

#[cold]
fn parse_other(number: u8, payload: &mut [u8]) -> Result<Flow<'_>, DropReason> {
    if !is_translatable(number) {
        return Err(DropReason::Protocol);
    }
    let fields = match covers_addresses(number) {
        true => Fields::Covered(payload.first_chunk_mut().ok_or(DropReason::Transport)?),
        false => Fields::Opaque,
    };
    let port = u16::from(number);
    let heading =
        Heading { protocol: Protocol::Other, source: port, destination: port, segment: None, header_len: 0 };
    Ok(Flow { heading, fields })
}

const fn is_translatable(number: u8) -> bool {
    const HOP_BY_HOP: u8 = 0;
    const IGMP: u8 = 2;
    const AH: u8 = 51;
    const RESERVED: u8 = 255;
    !matches!(number, HOP_BY_HOP | IGMP | AH | RESERVED)
}

/// Whether a protocol without ports of ours has a checksum over addresses: DCCP (RFC 4340 s.9.1), UDP-Lite (RFC 3828).
pub(crate) const fn covers_addresses(number: u8) -> bool {
    const DCCP: u8 = 33;
    const UDP_LITE: u8 = 136;
    matches!(number, DCCP | UDP_LITE)
}

/// The ports, or identifiers, in the first eight bytes of a quoted transport header, which is all that an ICMP error
/// is sure to quote (RFC 792).
pub(crate) fn quoted_ports(number: u8, quoted: &[u8; 8]) -> Result<(Protocol, u16, u16), DropReason> {
    match number {
        6 => Ok((Protocol::Tcp, word(quoted, 0), word(quoted, 2))),
        17 => Ok((Protocol::Udp, word(quoted, 0), word(quoted, 2))),
        1 => match quoted[0] {
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
