//! Changing addresses, ports and TTL, and every checksum over them (RFC 3022 s.4, RFC 1624).
//!
//! Nothing here can fail: headers are arrays, and everything was decided before. Nothing else of a packet changes:
//! not DSCP or ECN, no payload, no option but the segment size of a SYN, and the identification only of what may
//! be fragmented.

use crate::checksum::Delta;
use crate::endpoint::Endpoint;
use crate::options;
use crate::packet::{Checksum, HEADER, raw, set_raw};
use crate::tcp::SYN;
use crate::transport::Transport;

/// What is to be changed. Both ends change when a packet is hairpinned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rewrite {
    pub(crate) source: Option<Endpoint>,
    pub(crate) destination: Option<Endpoint>,
    /// The largest segment that a SYN may ask for.
    pub(crate) segment_size: Option<u16>,
}

/// Rewrites a packet on its way through the box.
#[inline(always)]
pub(crate) fn packet<T: Transport>(
    rewrite: &Rewrite,
    header: &mut [u8; HEADER],
    payload: &mut [u8],
    checksum: Checksum,
) {
    let addresses = self::header(rewrite, header);
    T::rewrite(payload, rewrite, addresses, checksum);
}

/// Rewrites a TCP header.
#[inline(always)]
pub(crate) fn tcp(header: &mut [u8; 20], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
    let all = addresses.and(ports(rewrite, header));
    let updated = match checksum {
        Checksum::Complete => all.apply(raw(header, 16)),
        Checksum::Partial => addresses.apply_partial(raw(header, 16)),
    };
    set_raw(header, 16, updated);
}

/// Brings a TCP checksum into step with another change.
pub(crate) fn change(header: &mut [u8; 20], changed: Delta) {
    set_raw(header, 16, changed.apply(raw(header, 16)));
}

/// Rewrites a UDP header.
#[inline(always)]
pub(crate) fn udp(header: &mut [u8; 8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
    let all = addresses.and(ports(rewrite, header));
    let updated = match checksum {
        Checksum::Complete => all.apply_udp(raw(header, 6)),
        Checksum::Partial => addresses.apply_partial(raw(header, 6)),
    };
    set_raw(header, 6, updated);
}

/// Rewrites the header of an ICMP query or reply, which knows no pseudo-header.
pub(crate) fn icmp(header: &mut [u8; 8], rewrite: &Rewrite) {
    let changed = identifier(rewrite, header);
    set_raw(header, 2, changed.apply(raw(header, 2)));
}

/// Rewrites the header of a protocol whose checksum, at offset 6, covers addresses but nothing else that changes.
pub(crate) fn covered(header: &mut [u8; 8], addresses: Delta) {
    set_raw(header, 6, addresses.apply(raw(header, 6)));
}

/// Rewrites the header alone; what its addresses have changed by.
#[inline(always)]
pub(crate) fn header(rewrite: &Rewrite, header: &mut [u8; HEADER]) -> Delta {
    let addresses = addresses(rewrite, header);
    let hop = hop(header);
    set_raw(header, 10, addresses.and(hop).apply(raw(header, 10)));
    addresses
}

/// Rewrites the identification.
pub(crate) fn identification(header: &mut [u8; HEADER], id: u16) {
    let changed = replace(header, 4, id);
    set_raw(header, 10, changed.apply(raw(header, 10)));
}

/// Rewrites the addresses and leaves the header checksum to the caller.
#[inline]
pub(crate) fn addresses(rewrite: &Rewrite, header: &mut [u8; HEADER]) -> Delta {
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = header;
    let mut delta = Delta::NONE;
    if let Some(source) = rewrite.source {
        let new = source.address.octets();
        delta = delta.and(Delta::address([*s0, *s1, *s2, *s3], new));
        [*s0, *s1, *s2, *s3] = new;
    }
    if let Some(destination) = rewrite.destination {
        let new = destination.address.octets();
        delta = delta.and(Delta::address([*d0, *d1, *d2, *d3], new));
        [*d0, *d1, *d2, *d3] = new;
    }
    delta
}

/// Rewrites the ports at the start of a TCP or UDP header and leaves its checksum to the caller.
#[inline]
pub(crate) fn ports<const N: usize>(rewrite: &Rewrite, transport: &mut [u8; N]) -> Delta {
    let source = rewrite.source.map_or(Delta::NONE, |end| replace(transport, 0, end.port));
    let destination = rewrite.destination.map_or(Delta::NONE, |end| replace(transport, 2, end.port));
    source.and(destination)
}

/// Rewrites the identifier of an ICMP query or reply, which has one end only, and leaves the checksum to the caller.
pub(crate) fn identifier(rewrite: &Rewrite, icmp: &mut [u8; 8]) -> Delta {
    let end = rewrite.source.or(rewrite.destination);
    end.map_or(Delta::NONE, |end| replace(icmp, 4, end.port))
}

/// Lowers the maximum segment size that a SYN offers, if it offers a larger one (RFC 4459 s.3.2, RFC 2923), and leaves
/// the checksum to the caller.
pub(crate) fn clamp(header: &[u8; 20], rest: &mut [u8], rewrite: &Rewrite) -> Delta {
    let Some(largest) = rewrite.segment_size.filter(|_| header[13] & SYN != 0) else { return Delta::NONE };
    let Some(options) = rest.get_mut(..options::len(header)) else { return Delta::NONE };
    let Some(place) = options::segment_size(options) else { return Delta::NONE };
    let at_odd = place.start % 2 == 1;
    let Some(value) = options.get_mut(place).and_then(|value| value.first_chunk_mut::<2>()) else {
        return Delta::NONE;
    };
    let old = *value;
    if u16::from_be_bytes(old) <= largest {
        return Delta::NONE;
    }
    *value = largest.to_be_bytes();
    match at_odd {
        false => Delta::word(u16::from_ne_bytes(old), u16::from_ne_bytes(*value)),
        // It lies across two of the checksum's words, whose sum is as good with its bytes exchanged.
        true => Delta::word(u16::from_ne_bytes(old).swap_bytes(), u16::from_ne_bytes(*value).swap_bytes()),
    }
}

#[inline]
fn replace<const N: usize>(bytes: &mut [u8; N], offset: usize, value: u16) -> Delta {
    let old = raw(bytes, offset);
    set_raw(bytes, offset, value.to_be());
    Delta::word(old, value.to_be())
}

/// Counts the hop (RFC 1812 s.5.3.1). Whoever calls has seen that the TTL is at least 2.
#[inline]
fn hop(header: &mut [u8; HEADER]) -> Delta {
    header[8] = header[8].wrapping_sub(1);
    // Whatever it was, its word is less by this.
    Delta::word(u16::from_ne_bytes([1, 0]), 0)
}
