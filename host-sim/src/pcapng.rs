//! A run as a capture file: pcapng, for Wireshark and tshark (draft-ietf-opsawg-pcapng).
//!
//! Each tap is an interface of its own, with its name; each sighting is a packet, with the way it went and, as its
//! comment, what became of it. A reader that knows nothing of all this still finds Ethernet frames with their times.

use std::collections::BTreeMap;

use crate::link::Loss;
use crate::routing::Fate;
use crate::trace::{Next, Sighting, Way};

/// Block types.
const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// Options of any block, of an interface, and of a packet.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const FLAGS: u16 = 2;

/// A capture of these sightings, in their order.
pub fn capture(sightings: &[Sighting]) -> Vec<u8> {
    let mut interfaces = BTreeMap::new();
    for sighting in sightings {
        let number = interfaces.len() as u32;
        interfaces.entry(&*sighting.tap).or_insert(number);
    }
    let mut file = Vec::new();
    block(&mut file, SECTION_HEADER, &section());
    let mut named: Vec<_> = interfaces.iter().collect();
    named.sort_by_key(|(_, number)| **number);
    for (name, _) in named {
        block(&mut file, INTERFACE_DESCRIPTION, &interface(name));
    }
    for sighting in sightings {
        block(&mut file, ENHANCED_PACKET, &packet(sighting, interfaces[&*sighting.tap]));
    }
    file
}

/// What became of a frame, in a few words.
pub(crate) fn verdict(next: Next) -> Option<String> {
    match next {
        Next::Gone => None,
        Next::Met(Fate::Forwarded) => Some("forwarded".to_owned()),
        Next::Met(Fate::Arp) => Some("arp".to_owned()),
        Next::Met(Fate::Local) => Some("local".to_owned()),
        Next::Met(Fate::Held) => Some("held".to_owned()),
        Next::Met(Fate::Rejected(reason)) => Some(format!("rejected: {reason}")),
        Next::Met(Fate::Dropped(reason)) => Some(format!("dropped: {reason}")),
        Next::Lost(loss) => Some(format!("lost: {}", Loss::name(loss))),
    }
}

fn section() -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x1A2B_3C4D_u32.to_le_bytes());
    body.extend([1_u16, 0].iter().flat_map(|word| word.to_le_bytes()));
    // The section's length is not known: it goes on to the end of the file.
    body.extend([0xFF; 8]);
    option(&mut body, APPLICATION, concat!("sekisho-sim ", env!("CARGO_PKG_VERSION")).as_bytes());
    option(&mut body, END_OF_OPTIONS, &[]);
    body
}

fn interface(name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(ETHERNET.to_le_bytes());
    body.extend([0; 2]);
    // No limit to the length of packets. Times are in microseconds where nothing else is said.
    body.extend([0; 4]);
    option(&mut body, INTERFACE_NAME, name.as_bytes());
    option(&mut body, END_OF_OPTIONS, &[]);
    body
}

fn packet(sighting: &Sighting, interface: u32) -> Vec<u8> {
    let (micros, len) = (sighting.at.micros(), sighting.frame.len() as u32);
    let mut body = Vec::new();
    let words = [interface, (micros >> 32) as u32, micros as u32, len, len];
    body.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    body.extend(&sighting.frame);
    body.resize(body.len().next_multiple_of(4), 0);
    let way: u32 = if sighting.way == Way::In { 1 } else { 2 };
    option(&mut body, FLAGS, &way.to_le_bytes());
    if let Some(verdict) = verdict(sighting.next) {
        option(&mut body, COMMENT, verdict.as_bytes());
    }
    option(&mut body, END_OF_OPTIONS, &[]);
    body
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Every block has its length at both its ends.
fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = (12 + body.len()) as u32;
    file.extend(kind.to_le_bytes());
    file.extend(len.to_le_bytes());
    file.extend(body);
    file.extend(len.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{play, shipped};

    #[test]
    fn every_sighting_is_a_packet_of_its_interface_and_blocks_are_whole() {
        let outcome = play(&shipped("off-path").unwrap().unwrap(), 1);

        let file = capture(&outcome.sightings);

        let mut kinds: BTreeMap<u32, usize> = BTreeMap::new();
        let mut rest = &file[..];
        while !rest.is_empty() {
            let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
            let len = word(4) as usize;
            assert_eq!((len % 4, word(len - 4) as usize), (0, len));
            *kinds.entry(word(0)).or_default() += 1;
            rest = &rest[len..];
        }
        let packets = outcome.sightings.len();
        assert_eq!(
            kinds.into_iter().collect::<Vec<_>>(),
            [(INTERFACE_DESCRIPTION, 2), (ENHANCED_PACKET, packets), (SECTION_HEADER, 1)]
        );
        let has = |text: &str| file.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has("box.lan") && has("box.wan") && has("dropped: out of window"));
    }
}
