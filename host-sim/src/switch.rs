//! A switch: it learns who is where, and sends to everybody what it does not know better (IEEE 802.1D s.7).
//!
//! It takes no time, has as many jacks as links end at it, and forgets nobody but those who move. One that is *quiet* also
//! learns whose IPv4 address is where, and asks nobody else for it (ARP suppression, as in RFC 7432 s.10): where there are a
//! thousand hosts, what they ask for would be all that there is.

use std::collections::BTreeMap;

use crate::node::{Departure, PacketId};

/// A switch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch {
    jacks: usize,
    stations: BTreeMap<[u8; 6], usize>,
    /// Whose address is where, in one that is quiet.
    owners: Option<BTreeMap<[u8; 4], usize>>,
}

impl Switch {
    /// One that is quiet.
    pub(crate) fn quiet() -> Self {
        Self { owners: Some(BTreeMap::new()), ..Self::default() }
    }

    /// A link is plugged into this jack.
    pub(crate) fn plug(&mut self, index: usize) {
        self.jacks = self.jacks.max(index + 1);
    }

    /// The first jack that nothing is plugged into.
    pub(crate) fn free_jack(&self) -> usize {
        self.jacks
    }

    pub(crate) fn receive(
        &mut self,
        index: usize,
        packet: PacketId,
        frame: Vec<u8>,
        out: &mut Vec<Departure>,
    ) {
        let Some([to @ .., a, b, c, d, e, f]) = frame.first_chunk::<12>().copied() else { return };
        let from = [a, b, c, d, e, f];
        if !is_group(from) {
            self.stations.insert(from, index);
        }
        let packet = Some(packet);
        let known =
            if is_group(to) { self.asked_for(index, &frame) } else { self.stations.get(&to).copied() };
        match known {
            Some(known) if known == index => (),
            Some(known) => out.push(Departure { index: known, frame, packet }),
            None => {
                for other in (0..self.jacks).filter(|other| *other != index) {
                    out.push(Departure { index: other, frame: frame.clone(), packet });
                }
            }
        }
    }
}

impl Switch {
    /// Where the address is that an ARP request asks for, if that is known here; who asks becomes known.
    fn asked_for(&mut self, index: usize, frame: &[u8]) -> Option<usize> {
        let owners = self.owners.as_mut()?;
        let arp = frame.get(12..42).filter(|arp| arp.starts_with(&ARP_REQUEST))?;
        let (sender, target) = (arp[16..].first_chunk()?, arp[26..].first_chunk()?);
        if *sender != [0; 4] {
            owners.insert(*sender, index);
        }
        // To oneself: that it is one's own now is for all to hear.
        owners.get(target).copied().filter(|_| sender != target)
    }
}

/// An ARP request for IPv4 over Ethernet, from the EtherType to the operation (RFC 826).
const ARP_REQUEST: [u8; 10] = [8, 6, 0, 1, 8, 0, 6, 4, 0, 1];

/// Whether an Ethernet address stands for many stations.
fn is_group(address: [u8; 6]) -> bool {
    address[0] & 1 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const BOB: [u8; 6] = [2, 0, 0, 0, 0, 2];

    #[test]
    fn who_has_spoken_is_found_and_others_are_looked_for_everywhere() {
        let mut switch = Switch::default();
        (0..3).for_each(|index| switch.plug(index));

        assert_eq!(pass(&mut switch, 0, ALICE, BOB), [1, 2]);
        assert_eq!(pass(&mut switch, 1, BOB, ALICE), [0]);
        assert_eq!(pass(&mut switch, 0, ALICE, BOB), [1]);
        assert_eq!(pass(&mut switch, 0, ALICE, [0xFF; 6]), [1, 2]);
        assert_eq!(pass(&mut switch, 2, ALICE, BOB), [1], "she has moved");
        assert_eq!(pass(&mut switch, 1, BOB, ALICE), [2]);
    }

    #[test]
    fn a_quiet_one_asks_only_whom_it_concerns() {
        let mut switch = Switch::quiet();
        (0..3).for_each(|index| switch.plug(index));
        let mut ask = |index, sender: u8, target: u8| {
            let from = [2, 0, 0, 0, 0, sender];
            let ends = [&from[..], &[10, 0, 0, sender], &[0; 6], &[10, 0, 0, target]].concat();
            let mut out = Vec::new();
            let frame = [&[0xFF; 6][..], &from, &ARP_REQUEST, &ends].concat();
            switch.receive(index, PacketId(1), frame, &mut out);
            out.into_iter().map(|departure| departure.index).collect::<Vec<_>>()
        };

        assert_eq!(ask(0, 1, 2), [1, 2], "nobody knows her yet");
        assert_eq!(ask(1, 2, 1), [0]);
        assert_eq!(ask(0, 1, 2), [1]);
        assert_eq!(ask(0, 1, 1), [1, 2], "this is for all to hear");
        assert_eq!(pass(&mut switch, 2, ALICE, [0xFF; 6]), [0, 1]);
    }

    fn pass(switch: &mut Switch, index: usize, from: [u8; 6], to: [u8; 6]) -> Vec<usize> {
        let mut out = Vec::new();
        switch.receive(index, PacketId(1), [to, from].concat(), &mut out);
        out.into_iter().map(|departure| departure.index).collect()
    }
}
