//! Fragments in any order, from both sides (RFC 791 s.3.2, RFC 4787 REQ-14, RFC 1858).
//!
//! Whatever comes, what has passed of a datagram has one source, one destination and one identification, its first
//! fragment passed before all others and not long before, and no byte of it passed twice.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use napt::{Instant, Realm, Verdict};

use super::bench::{Bench, FORWARDED, settings, tables};
use super::wire::{
    OUTSIDE, TCP, UDP, destination, fix_header, inside, ipv4, is_fragment, remote, source, tcp, udp, word,
};

/// No more than this, so that a run stays short.
const FRAGMENTS: usize = 48;

#[derive(Arbitrary, Debug)]
struct Fragment {
    is_from_inside: bool,
    /// Of a few hosts, protocols and identifications, so that fragments meet.
    host: u8,
    protocol: u8,
    identification: u8,
    offset: u16,
    more: bool,
    forbidden: bool,
    len: u8,
    /// Milliseconds before it arrives.
    pause: u16,
}

/// A whole datagram of each protocol begins a session, so that fragments belong to something.
pub fn fragments(data: &[u8]) {
    let Ok((behaviours, fragments)) = <(u8, Vec<Fragment>)>::arbitrary_take_rest(Unstructured::new(data))
    else {
        return;
    };
    let mut tables = tables();
    let mut bench = Bench::new(&mut tables, settings(behaviours));
    for packet in [udp((inside(1), 5000), (remote(1), 53), b"?"), tcp((inside(1), 5000), (remote(1), 53), 2)]
    {
        bench.meet(Realm::Internal, &packet);
    }
    let mut datagrams = HashMap::new();
    for fragment in fragments.iter().take(FRAGMENTS) {
        bench.wait(Duration::from_millis(u64::from(fragment.pause)), true);
        let from = if fragment.is_from_inside { Realm::Internal } else { Realm::External };
        let before = fragment.packet();
        let (verdict, after) = bench.translate(from, &before);
        if matches!(verdict, Verdict::Forward(_)) && is_fragment(&before) {
            note(&mut datagrams, bench.now(), from, &before, &after);
        }
    }
}

/// What all fragments of a datagram have in common: addresses, protocol and identification, and where they come from.
type Key = (bool, [u8; 8], u8, u16);

/// A datagram whose first fragment has passed.
struct Datagram {
    since: Instant,
    became: (Ipv4Addr, Ipv4Addr, u16),
    passed: Vec<Range<usize>>,
    end: Option<usize>,
}

/// Notes a fragment that has passed, and checks that it may have.
fn note(datagrams: &mut HashMap<Key, Datagram>, now: Instant, from: Realm, before: &[u8], after: &[u8]) {
    let addresses = before[12..20].try_into().expect("a header");
    let key = (from == Realm::Internal, addresses, before[9], word(before, 4));
    let became = (source(after), destination(after), word(after, 4));
    let start = usize::from(word(before, 6) & 0x1FFF) * 8;
    let span = start..start + before.len() - 20;
    if start == 0 {
        let known = datagrams.insert(key, Datagram { since: now, became, passed: Vec::new(), end: None });
        let is_over = |known: Datagram| now.since(known.since) >= Duration::from_secs(5);
        assert!(known.is_none_or(is_over), "F04: a first one twice");
    }
    let datagram = datagrams.get_mut(&key).expect("F02: none passes before the first");
    assert!(now.since(datagram.since) <= Duration::from_secs(6), "F14: none passes long after the first");
    assert_eq!(datagram.became, became, "F01: all of a datagram go the same way");
    let overlaps = |other: &Range<usize>| other.start < span.end && span.start < other.end;
    assert!(!datagram.passed.iter().any(overlaps), "F05, F06, F07: no byte passes twice");
    let is_last = word(before, 6) & 0x2000 == 0;
    datagram.end = if is_last { Some(span.end) } else { datagram.end };
    datagram.passed.push(span);
    if datagram.end == Some(datagram.passed.iter().map(Range::len).sum()) {
        // All of it has passed: what comes now is of another datagram.
        datagrams.remove(&key);
    }
}

impl Fragment {
    fn packet(&self) -> Vec<u8> {
        let host = 1 + self.host % 2;
        let (source, destination) =
            if self.is_from_inside { (inside(host), remote(1)) } else { (remote(host), OUTSIDE) };
        let protocol = [UDP, TCP, 1, 47][usize::from(self.protocol % 4)];
        let mut packet = ipv4(protocol, source, destination, &self.payload());
        packet[4..6].copy_from_slice(&u16::from(self.identification % 4).to_be_bytes());
        let flags = u16::from(self.forbidden) << 14 | u16::from(self.more) << 13;
        packet[6..8].copy_from_slice(&(flags | self.offset()).to_be_bytes());
        fix_header(&mut packet);
        packet
    }

    /// Near the others mostly, so that they meet.
    fn offset(&self) -> u16 {
        if self.offset & 0x8000 == 0 { self.offset % 16 } else { self.offset & 0x1FFF }
    }

    /// As a sender would cut it mostly.
    fn len(&self) -> usize {
        usize::from(if self.len % 4 == 1 { self.len } else { self.len & !7 })
    }

    /// The start of a datagram to somebody, or any bytes from the middle of one.
    fn payload(&self) -> Vec<u8> {
        let ends = if self.is_from_inside { [5000, 53] } else { [53, FORWARDED] };
        let ports: Vec<u8> = ends.iter().flat_map(|port: &u16| port.to_be_bytes()).collect();
        let header = [&ports[..], &[0, 200, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]].concat();
        let bytes = header.into_iter().chain(std::iter::repeat(0x5A));
        bytes.take(self.len()).collect()
    }
}
