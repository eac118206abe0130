//! What was seen where, when: the taps and their sightings, in the order of events.

use std::collections::BTreeMap;

use crate::node::{Jack, PacketId};
use crate::time::Time;

/// Which way a frame went past a tap, seen from the node whose jack it watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into the node.
    In,
    /// Out of it.
    Out,
}

/// A frame as a tap saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Time,
    /// The tap's name.
    pub tap: &'static str,
    /// Which way.
    pub way: Way,
    /// Which packet: two sightings of one are before and after.
    pub packet: PacketId,
    /// The whole frame, without FCS.
    pub frame: Vec<u8>,
}

/// The taps of a world and what they have seen.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    taps: BTreeMap<Jack, &'static str>,
    sightings: Vec<Sighting>,
}

impl Trace {
    /// Watches a jack from now on, under a name.
    pub(crate) fn tap(&mut self, jack: Jack, name: &'static str) {
        self.taps.insert(jack, name);
    }

    /// A frame passes a jack.
    pub(crate) fn pass(&mut self, at: Time, jack: Jack, way: Way, packet: PacketId, frame: &[u8]) {
        let Some(tap) = self.taps.get(&jack) else { return };
        self.sightings.push(Sighting { at, tap, way, packet, frame: frame.to_vec() });
    }

    /// What has been seen so far.
    pub fn sightings(&self) -> &[Sighting] {
        &self.sightings
    }

    /// What has been seen since this was last called; it is forgotten here.
    pub fn take(&mut self) -> Vec<Sighting> {
        core::mem::take(&mut self.sightings)
    }
}
