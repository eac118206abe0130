//! Changing addresses, ports and TTL, and every checksum over them (RFC 3022 s.4, RFC 1624).
//!
//! Nothing here can fail: headers are arrays, and everything was decided before. Nothing else of a packet changes:
//! not DSCP or ECN, no payload, no option but the segment size of a SYN, and the identification only of what leaves in
//! pieces.

use crate::checksum::Delta;
use crate::endpoint::Endpoint;
use crate::options;
use crate::packet::{Checksum, HEADER, raw, set_raw};
use crate::tcp::SYN;
use crate::transport::Fields;

/// What is to be changed. Both ends change when a packet is hairpinned.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rewrite {
    pub(crate) source: Option<Endpoint>,
    pub(crate) destination: Option<Endpoint>,
    /// The largest segment that a SYN may ask for.
    pub(crate) segment_size: Option<u16>,
}

/// Rewrites a whole packet on its way through the box.
#[inline(always)]
pub(crate) fn packet(
    rewrite: &Rewrite,
    header: &mut [u8; HEADER],
    fields: &mut Fields<'_>,
    checksum: Checksum,
) {
    let addresses = addresses(rewrite, header);
    let hop = hop(header);
    set_raw(header, 10, addresses.and(hop).apply(raw(header, 10)));
    match fields {
        Fields::Tcp(tcp, options) => {
            let clamped = match rewrite.segment_size {
                Some(largest) if tcp[13] & SYN != 0 => clamp(options, largest),
                _ => Delta::NONE,
            };
            let all = addresses.and(ports(rewrite, tcp)).and(clamped);
            let updated = match checksum {
                Checksum::Complete => all.apply(raw(tcp, 16)),
                Checksum::Partial => addresses.apply_partial(raw(tcp, 16)),
            };
            set_raw(tcp, 16, updated);
        }
        Fields::Udp(udp) => {
            let all = addresses.and(ports(rewrite, udp));
            let updated = match checksum {
                Checksum::Complete => all.apply_udp(raw(udp, 6)),
                Checksum::Partial => addresses.apply_partial(raw(udp, 6)),
            };
            set_raw(udp, 6, updated);
        }
        Fields::Covered(covered) => set_raw(covered, 6, addresses.apply(raw(covered, 6))),
        Fields::Opaque => (),
        // ICMP has no pseudo-header, and nobody leaves its checksum unfinished.
        Fields::Icmp(icmp) => {
            let changed = identifier(rewrite, icmp);
            set_raw(icmp, 2, changed.apply(raw(icmp, 2)));
        }
    }
}

/// Rewrites the header alone: that of an ICMP error, whose inside is `embedded`'s to change.
pub(crate) fn header(rewrite: &Rewrite, header: &mut [u8; HEADER]) {
    let changed = addresses(rewrite, header).and(hop(header));
    set_raw(header, 10, changed.apply(raw(header, 10)));
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
#[cold]
fn clamp(options: &mut [u8], largest: u16) -> Delta {
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
    let old = raw(header, 8);
    header[8] = header[8].wrapping_sub(1);
    Delta::word(old, raw(header, 8))
}
