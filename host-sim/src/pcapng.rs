//! A run as a capture file: pcapng, for Wireshark and tshark.
//!
//! Each tap is an interface of its own, with its name; each sighting is a packet, with the way it went and, as its
//! comment, what became of it.

use std::collections::BTreeMap;

use provision::pcapng::{self, Packet};

use crate::link::Loss;
use crate::routing::Fate;
use crate::trace::{Next, Sighting, Way};

/// A capture of these sightings, in their order.
pub fn capture(sightings: &[Sighting]) -> Vec<u8> {
    let mut interfaces = BTreeMap::new();
    for sighting in sightings {
        let number = interfaces.len() as u32;
        interfaces.entry(&*sighting.tap).or_insert(number);
    }
    let mut named: Vec<_> = interfaces.iter().collect();
    named.sort_by_key(|(_, number)| **number);
    let names = named.iter().map(|(name, _)| **name);
    let mut file = pcapng::begin(concat!("sekisho-sim ", env!("CARGO_PKG_VERSION")), names);
    for sighting in sightings {
        let comment = verdict(sighting.next);
        let packet = Packet {
            interface: interfaces[&*sighting.tap],
            micros: sighting.at.micros(),
            len: sighting.frame.len() as u32,
            bytes: &sighting.frame,
            way: if sighting.way == Way::In { pcapng::Way::In } else { pcapng::Way::Out },
            comment: comment.as_deref(),
        };
        pcapng::add(&mut file, &packet);
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

#[cfg(test)]
mod tests {
    use provision::pcapng::{ENHANCED_PACKET, INTERFACE_DESCRIPTION, SECTION_HEADER};

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
