//! Which packet that left a router is the one that came to it: what a translation leaves alone is the same in both.
//!
//! A *likeness* is that: the remote end, sequence numbers, flags, data, but neither the internal nor the external end, nor
//! checksums, hops, identifications and what a router may clamp. Packets with one likeness are taken in their order.

use std::collections::{HashMap, VecDeque};

use router::Side;
use smoltcp::wire::Ipv4Packet;

use crate::ether::HEADER;
use crate::time::Time;
use crate::trace::Way;
use crate::wire::{ICMP, TCP, UDP};

/// How long a packet may be under way in a router, in microseconds, and by how much the clocks of two interfaces differ.
const UNDER_WAY: u64 = 3_000_000;
const SKEW: u64 = 20_000;

/// What is the same of a packet on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Likeness(Vec<u8>);

/// A packet of a capture, or of a run around a router that is somewhere else.
pub(crate) struct Seen<'a> {
    pub(crate) at: Time,
    pub(crate) side: Side,
    pub(crate) way: Way,
    pub(crate) frame: &'a [u8],
}

/// For each packet, which later one is it as it left on the other side, if any.
pub(crate) fn pairs(seen: &[Seen<'_>]) -> Vec<Option<usize>> {
    let mut pairs = vec![None; seen.len()];
    let mut open: HashMap<(bool, Likeness), VecDeque<usize>> = HashMap::new();
    // What left is looked at a little later, in case its interface's clock is ahead.
    let mut order: Vec<_> = (0..seen.len()).collect();
    order.sort_by_key(|at| seen[*at].at.micros() + if seen[*at].way == Way::Out { SKEW } else { 0 });
    for at in order {
        let Seen { at: time, side, way, frame } = seen[at];
        let came_by = if way == Way::In { side } else { other(side) };
        let Some(likeness) = likeness(came_by, frame) else { continue };
        let waiting = open.entry((came_by == Side::Wan, likeness)).or_default();
        if way == Way::In {
            waiting.push_back(at);
            continue;
        }
        while waiting.front().is_some_and(|first| seen[*first].at.micros() + UNDER_WAY < time.micros()) {
            waiting.pop_front();
        }
        if let Some(first) = waiting.pop_front() {
            pairs[first] = Some(at);
        }
    }
    pairs
}

const fn other(side: Side) -> Side {
    match side {
        Side::Lan => Side::Wan,
        Side::Wan => Side::Lan,
    }
}

/// The likeness of a packet that came by a side, or has left by the other. `None` if it is none of IPv4.
fn likeness(came_by: Side, frame: &[u8]) -> Option<Likeness> {
    let packet = Ipv4Packet::new_checked(frame.get(HEADER..)?).ok()?;
    if frame.get(12..HEADER) != Some(&[0x08, 0x00]) || packet.version() != 4 {
        return None;
    }
    // The remote end is whom an outbound packet is to and an inbound one from.
    let (remote, port) = match came_by {
        Side::Lan => (packet.dst_addr(), 2..4),
        Side::Wan => (packet.src_addr(), 0..2),
    };
    let protocol = u8::from(packet.next_header());
    let payload = packet.payload();
    let mut bytes = remote.octets().to_vec();
    bytes.push(protocol);
    bytes.extend(packet.frag_offset().to_be_bytes());
    let is_error = protocol == ICMP && matches!(payload.first(), Some(3 | 11 | 12));
    match protocol {
        _ if packet.frag_offset() > 0 => bytes.extend(payload),
        TCP => {
            bytes.extend(payload.get(port)?);
            bytes.extend(payload.get(4..14)?);
            bytes.extend(payload.get(usize::from(payload[12] >> 4) * 4..).unwrap_or_default());
        }
        UDP => {
            bytes.extend(payload.get(port)?);
            bytes.extend(payload.get(4..6)?);
            bytes.extend(payload.get(8..).unwrap_or_default());
        }
        // Errors quote what was translated, too.
        ICMP if is_error => bytes.extend([payload.get(..2)?, payload.get(4..8)?].concat()),
        ICMP => bytes.extend([payload.get(..2)?, payload.get(6..)?].concat()),
        _ => bytes.extend(payload),
    }
    Some(Likeness(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Draft;

    fn frame(text: &str) -> Vec<u8> {
        [&[0; 12][..], &[8, 0], &Draft::read(text).unwrap().bytes()].concat()
    }

    fn seen<'a>(millis: u64, side: Side, way: Way, frame: &'a [u8]) -> Seen<'a> {
        Seen { at: Time::from_micros(millis * 1_000), side, way, frame }
    }

    #[test]
    fn a_packet_is_found_again_behind_a_translation() {
        for (before, after) in [
            (
                "udp 192.0.2.1:5000 > 198.51.100.7:53 len 20",
                "udp 203.0.113.254:40001 > 198.51.100.7:53 len 20 ttl 63",
            ),
            (
                "tcp 192.0.2.1:5 > 198.51.100.7:80 flags S seq 7",
                "tcp 203.0.113.254:9 > 198.51.100.7:80 flags S seq 7 id 3",
            ),
            (
                "echo 192.0.2.1 > 198.51.100.7 ident 3 len 8",
                "echo 203.0.113.254 > 198.51.100.7 ident 4 len 8",
            ),
        ] {
            let (before, after) = (frame(before), frame(after));
            let other = frame("udp 203.0.113.254:40001 > 198.51.100.7:53 len 21");

            let pairs = pairs(&[
                seen(0, Side::Lan, Way::In, &before),
                seen(1, Side::Wan, Way::Out, &other),
                seen(1, Side::Wan, Way::Out, &after),
            ]);

            assert_eq!(pairs, [Some(2), None, None]);
        }
    }

    #[test]
    fn retransmissions_are_paired_in_their_order_and_not_for_ever() {
        let before = frame("tcp 192.0.2.1:5 > 198.51.100.7:80 flags S seq 7");
        let after = frame("tcp 203.0.113.254:9 > 198.51.100.7:80 flags S seq 7");

        let pairs = pairs(&[
            seen(0, Side::Lan, Way::In, &before),
            seen(5_000, Side::Lan, Way::In, &before),
            seen(5_001, Side::Wan, Way::Out, &after),
        ]);

        assert_eq!(pairs, [None, Some(2), None]);
    }
}
