//! The agenda: what happens next.
//!
//! Two kinds of thing happen: a frame arrives, or a node wakes because it asked for it. The agenda is sorted by time and,
//! within one microsecond, by when an entry was made. There is nothing else that could decide the order, so there is
//! nothing that could make two runs differ.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::node::{Jack, NodeId, PacketId};
use crate::time::Time;

/// What happens.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame arrives at a jack.
    Arrival { at: Jack, packet: PacketId, frame: Vec<u8> },
    /// A node wakes.
    Wake(NodeId),
}

/// What happens when.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    entered: u64,
}

impl Agenda {
    pub(crate) fn enter(&mut self, at: Time, event: Event) {
        self.entered += 1;
        self.entries.push(Reverse(Entry { at, order: self.entered, event }));
    }

    /// How much is to come.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// When something happens next.
    pub(crate) fn first(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(first)| first.at)
    }

    /// Takes out what comes next, if it comes by `limit`.
    pub(crate) fn next(&mut self, limit: Time) -> Option<(Time, Event)> {
        self.entries.peek().filter(|Reverse(first)| first.at <= limit)?;
        self.entries.pop().map(|Reverse(first)| (first.at, first.event))
    }
}

#[derive(Debug)]
struct Entry {
    at: Time,
    order: u64,
    event: Event,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
