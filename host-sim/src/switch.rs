//! A switch: it learns who is where, and sends to everybody what it does not know better (IEEE 802.1D s.7).
//!
//! It takes no time, has as many jacks as links end at it, and forgets nobody but those who move.

use std::collections::BTreeMap;

use crate::node::{Departure, PacketId};

/// A switch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switch {
    jacks: usize,
    stations: BTreeMap<[u8; 6], usize>,
}

impl Switch {
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
        match self.stations.get(&to).copied().filter(|_| !is_group(to)) {
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

    fn pass(switch: &mut Switch, index: usize, from: [u8; 6], to: [u8; 6]) -> Vec<usize> {
        let mut out = Vec::new();
        switch.receive(index, PacketId(1), [to, from].concat(), &mut out);
        out.into_iter().map(|departure| departure.index).collect()
    }
}
