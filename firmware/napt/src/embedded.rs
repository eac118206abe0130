//! The packet inside an ICMP error (RFC 792, RFC 5508 s.4).
//!
//! An error quotes the header of the packet it is about, options included, and at least eight bytes behind it. The
//! quote may stop anywhere after that, whatever the lengths inside it say. Its header checksum has to be right
//! (RFC 5508 REQ-3a); its transport checksum is not looked at (REQ-3c), only kept as right or wrong as it was.

use core::net::Ipv4Addr;

use crate::DropReason;
use crate::checksum::{Delta, is_whole, sum};
use crate::endpoint::{Endpoint, Protocol};
use crate::options::Options;
use crate::packet::{self, HEADER, long, raw, set_raw, word};
use crate::rewrite::{self, Rewrite};
use crate::transport::{Message, covers_addresses, quoted_ports};

/// A quoted packet, still inside its error.
pub(crate) struct Embedded<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) source: Endpoint,
    pub(crate) destination: Endpoint,
    /// The sequence number of a TCP segment.
    pub(crate) seq: Option<u32>,
    /// Whether its options have a source route.
    pub(crate) is_source_routed: bool,
    error: &'a mut [u8; 8],
    header: &'a mut [u8; HEADER],
    transport: &'a mut [u8; 8],
    rest: &'a mut [u8],
}

impl<'a> Embedded<'a> {
    /// Parses what `message` quotes, after checking the error's own checksum (RFC 5508 REQ-3).
    #[inline]
    pub(crate) fn parse(message: Message<'a>) -> Result<Self, DropReason> {
        verify_icmp(&message)?;
        verify_mtu(message.header)?;
        let Message { header: error, body } = message;
        let header_len = verify_header(body)?;
        let (header, rest) = body.split_first_chunk_mut().ok_or(DropReason::Embedded)?;
        let (options, behind) = rest.split_at_mut_checked(header_len - HEADER).ok_or(DropReason::Embedded)?;
        let is_source_routed = Options(options).any(|option| option.is_source_route());
        if packet::fragment_offset(header) != 0 {
            return Err(DropReason::EmbeddedFragment);
        }
        let (transport, rest) = behind.split_first_chunk_mut().ok_or(DropReason::Embedded)?;
        let (protocol, source, destination) = quoted_ports(header[9], transport)?;
        let seq = (protocol == Protocol::Tcp).then(|| long(transport, 4));
        let source = Endpoint::new(packet::source(header), source);
        let destination = Endpoint::new(packet::destination(header), destination);
        Ok(Self { protocol, source, destination, seq, is_source_routed, error, header, transport, rest })
    }

    /// Rewrites the quoted packet and, for all that changed in it, the error's checksum.
    #[inline]
    pub(crate) fn rewrite(self, rewrite: &Rewrite) {
        let header_sum = raw(self.header, 10);
        let addresses = rewrite::addresses(rewrite, self.header);
        set_raw(self.header, 10, addresses.apply(header_sum));
        let ports = rewrite_ports(rewrite, self.protocol, self.transport);
        let transport = match self.protocol {
            Protocol::Tcp => update_tcp(self.rest, addresses.and(ports)),
            Protocol::Udp => update(self.transport, 6, |sum| addresses.and(ports).apply_udp(sum)),
            Protocol::Icmp => update(self.transport, 2, |sum| ports.apply(sum)),
            Protocol::Other if covers_addresses(self.header[9].into()) => {
                update(self.transport, 6, |sum| addresses.apply(sum))
            }
            Protocol::Other => Delta::NONE,
        };
        let header = Delta::word(header_sum, raw(self.header, 10));
        let all = addresses.and(header).and(ports).and(transport);
        set_raw(self.error, 2, all.apply(raw(self.error, 2)));
    }
}

fn verify_icmp(message: &Message<'_>) -> Result<(), DropReason> {
    let intact = is_whole(sum(message.header) + sum(message.body));
    if intact { Ok(()) } else { Err(DropReason::IcmpChecksum) }
}

/// No link has an MTU below 68 (RFC 791); whoever says so wants to slow us down (RFC 5927 s.7). Zero is what routers
/// said before RFC 1191.
fn verify_mtu(error: &[u8; 8]) -> Result<(), DropReason> {
    const FRAGMENTATION_NEEDED: [u8; 2] = [3, 4];
    let mtu = word(error, 6);
    let absurd = error[..2] == FRAGMENTATION_NEEDED && (1..68).contains(&mtu);
    if absurd { Err(DropReason::EmbeddedMtu) } else { Ok(()) }
}

/// Checks the quoted header; its length in bytes. A wrong sum is dropped and counted (RFC 5508 REQ-3a), though some hops
/// send such quotes.
fn verify_header(body: &[u8]) -> Result<usize, DropReason> {
    let fixed = body.first_chunk::<HEADER>().ok_or(DropReason::Embedded)?;
    let header_len = packet::header_len(fixed).map_err(|_| DropReason::Embedded)?;
    let header = body.get(..header_len).ok_or(DropReason::Embedded)?;
    if is_whole(sum(header)) { Ok(header_len) } else { Err(DropReason::Embedded) }
}

fn rewrite_ports(rewrite: &Rewrite, protocol: Protocol, transport: &mut [u8; 8]) -> Delta {
    match protocol {
        Protocol::Tcp | Protocol::Udp => rewrite::ports(rewrite, transport),
        Protocol::Icmp => rewrite::identifier(rewrite, transport),
        Protocol::Other => Delta::NONE,
    }
}

/// TCP's checksum lies 16 bytes into its header, so it is not always quoted.
fn update_tcp(rest: &mut [u8], delta: Delta) -> Delta {
    match rest.get_mut(8..).and_then(|field| field.first_chunk_mut::<2>()) {
        Some(field) => update(field, 0, |sum| delta.apply(sum)),
        None => Delta::NONE,
    }
}

/// Replaces the field at `offset`; what that changed.
fn update<const N: usize>(bytes: &mut [u8; N], offset: usize, new: impl Fn(u16) -> u16) -> Delta {
    let old = raw(bytes, offset);
    set_raw(bytes, offset, new(old));
    Delta::word(old, new(old))
}

/// Whether an error that is itself addressed to `destination` can be about a packet from `source`: it goes back to
/// where the packet came from, or it is not about that packet (RFC 5508 s.4.2, I15).
pub(crate) fn returns_to(source: Endpoint, destination: Ipv4Addr) -> Result<(), DropReason> {
    if source.address == destination { Ok(()) } else { Err(DropReason::EmbeddedMismatch) }
}
