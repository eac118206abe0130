//! What was seen where, when: the taps and their sightings, in the order of events.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::link::Loss;
use crate::node::{Jack, PacketId};
use crate::routing::Fate;
use crate::time::Time;

/// Which way a frame went past a tap, seen from the node whose jack it watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into the node.
    In,
    /// Out of it.
    Out,
}

/// What has become of a frame next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is under way, or a node that is no router has taken it.
    Gone,
    /// A router has taken it.
    Met(Fate),
    /// The link that it was sent into has lost it.
    Lost(Loss),
}

/// A frame as a tap saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When.
    pub at: Time,
    /// The tap's name.
    pub tap: Arc<str>,
    /// Which way.
    pub way: Way,
    /// Which packet: two sightings of one are before and after.
    pub packet: PacketId,
    /// The whole frame, without FCS.
    pub frame: Vec<u8>,
    /// What became of it.
    pub next: Next,
}

/// The taps of a world and what they have seen.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    taps: BTreeMap<Jack, Arc<str>>,
    sightings: Vec<Sighting>,
}

/// A sighting that was made, of which more may become known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen(usize);

impl Trace {
    /// Watches a jack from now on, under a name.
    pub(crate) fn tap(&mut self, jack: Jack, name: &str) {
        self.taps.insert(jack, name.into());
    }

    /// A frame passes a jack.
    pub(crate) fn pass(
        &mut self,
        at: Time,
        jack: Jack,
        way: Way,
        packet: PacketId,
        frame: &[u8],
    ) -> Option<Seen> {
        let tap = Arc::clone(self.taps.get(&jack)?);
        self.sightings.push(Sighting { at, tap, way, packet, frame: frame.to_vec(), next: Next::Gone });
        Some(Seen(self.sightings.len() - 1))
    }

    /// What became of a frame that was seen.
    pub(crate) fn note(&mut self, seen: Option<Seen>, next: Next) {
        if let Some(sighting) = seen.and_then(|Seen(at)| self.sightings.get_mut(at)) {
            sighting.next = next;
        }
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
