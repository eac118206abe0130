//! The mapping table: internal endpoint ⇄ external port (RFC 4787 s.4).
//!
//! A mapping lives while at least one session has it. It lets others in only while one of them was begun, or answered,
//! from inside: those that *wait* for an answer have the port until they end, but nobody outside keeps it open with
//! them (T12). When the last one ends the mapping *cools*: it keeps its port from everybody else for a while (RFC 6888
//! REQ-8), though its own internal endpoint gets it back at once. When ports or slots run out, the mapping that has the
//! least of that left goes first.
//!
//! Mappings are found by external port, and, if mapping is endpoint-independent, by internal endpoint. Where a mapping
//! depends on the remote end, the sessions know more than this table: see `conntrack`.

use core::time::Duration;

use crate::endpoint::{Endpoint, Protocol};
use crate::index::{Index, Slot};
use crate::keys::{Keys, at};
use crate::ports::Class;
use crate::slots::Slots;
use crate::time::{Instant, Stamp};

const ENTRIES: usize = 3;

/// How many revived mappings a search in the queue passes over before it gives up until the next time (V7).
const PASSED_OVER: usize = 64;

/// How many of those it sends to the end because they cool again. Then the first will do.
const SENT_BACK: usize = 32;

/// What a mapping costs, its share of the index included, in bytes.
pub const MAPPING_BYTES: usize = size_of::<Mapping>() + ENTRIES * size_of::<u32>();
const _: () = assert!(MAPPING_BYTES <= 32);

/// System ports and user ports.
const CLASSES: usize = 2;
const SYSTEM_PORTS: u16 = 1024;

/// The queues of mappings that cool: by protocol, and by the number of a class.
const QUEUES: [(Protocol, usize); Protocol::MAPPED * CLASSES] = [
    (Protocol::Tcp, 0),
    (Protocol::Tcp, 1),
    (Protocol::Udp, 0),
    (Protocol::Udp, 1),
    (Protocol::Icmp, 0),
    (Protocol::Icmp, 1),
];

/// One mapping.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    pub(crate) internal: Endpoint,
    pub(crate) external: u16,
    pub(crate) protocol: Protocol,
    /// Whether it is in the queue of cooling mappings. One that was revived stays there until its turn comes; if it cools again by then,
    /// it goes to the end.
    queued: bool,
    sessions: u16,
    /// While sessions have it: how many of them wait for an answer from inside. While it cools: the word of the [`Stamp`]
    /// until when.
    waiting_or_until: u32,
    /// The next in the queue of cooling mappings, or in the list of free slots.
    next: Option<Slot>,
}

impl Mapping {
    const FREE: Self = Self {
        internal: at(0),
        external: 0,
        protocol: Protocol::Tcp,
        queued: false,
        sessions: 0,
        waiting_or_until: 0,
        next: None,
    };

    /// Whether a session has it now.
    pub(crate) fn is_live(&self) -> bool {
        self.sessions > 0
    }

    /// Whether one has it that the inside has begun, or answered.
    pub(crate) fn is_wanted(&self) -> bool {
        u32::from(self.sessions) > self.waiting()
    }

    /// How many sessions have it now.
    pub(crate) fn sessions(&self) -> u16 {
        self.sessions
    }

    /// How long it has to cool yet, if it does.
    pub(crate) fn cools_for(&self, now: Instant) -> Option<Duration> {
        let until = self.until().filter(|until| self.queued && !until.passed(now))?;
        Some(Duration::from_millis(until.remaining(now).unsigned_abs().into()))
    }

    fn waiting(&self) -> u32 {
        if self.is_live() { self.waiting_or_until } else { 0 }
    }

    fn until(&self) -> Option<Stamp> {
        (!self.is_live()).then_some(Stamp::of_word(self.waiting_or_until))
    }

    /// Counts a session less that waits.
    fn wait_no_more(&mut self) {
        self.waiting_or_until = self.waiting().saturating_sub(1);
    }
}

/// Mappings that cool, in the order in which they began to.
#[derive(Clone, Copy)]
struct Queue {
    head: Option<Slot>,
    tail: Option<Slot>,
}

/// The table of `N` mappings.
pub(crate) struct Mappings<const N: usize> {
    records: [Mapping; N],
    index: Index<N, ENTRIES>,
    /// By protocol and class, so that who looks for a port of one class leaves the other in peace.
    cooling: [[Queue; CLASSES]; Protocol::MAPPED],
    slots: Slots<N>,
}

impl<const N: usize> Mappings<N> {
    /// An empty table: all zero.
    pub(crate) const fn new() -> Self {
        Self {
            records: [Mapping::FREE; N],
            index: Index::new(),
            cooling: [[Queue { head: None, tail: None }; CLASSES]; Protocol::MAPPED],
            slots: Slots::new(),
        }
    }

    /// How many slots are used, by live and by cooling mappings.
    pub(crate) fn used(&self) -> u32 {
        self.slots.used()
    }

    /// Every record, of mappings and of none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.records.iter()
    }

    pub(crate) fn at(&self, slot: Slot) -> &Mapping {
        &self.records[slot.index() & (N - 1)]
    }

    /// The mapping, live or cooling, of an internal endpoint; endpoint-independent mapping only.
    /// It lies under `key`.
    pub(crate) fn by_internal(&self, key: u64, protocol: Protocol, internal: Endpoint) -> Option<Slot> {
        self.index.find(key, |slot| {
            let mapping = self.at(slot);
            mapping.internal == internal && mapping.protocol == protocol
        })
    }

    /// The mapping, live or cooling, that has an external port.
    #[inline(never)]
    pub(crate) fn by_external(&self, keys: &Keys, protocol: Protocol, external: u16) -> Option<Slot> {
        self.index.find(keys.external(protocol, external), |slot| {
            let mapping = self.at(slot);
            mapping.external == external && mapping.protocol == protocol
        })
    }

    /// Makes a mapping, without a session yet. If later sessions of the internal endpoint are to find it, `key` says
    /// where. `None` if the table is full.
    #[inline(always)]
    pub(crate) fn create(
        &mut self,
        keys: &Keys,
        protocol: Protocol,
        internal: Endpoint,
        external: u16,
        key: Option<u64>,
    ) -> Option<Slot> {
        let slot = self.slots.claim(|free| self.records[free.index() & (N - 1)].next)?;
        let mapping = Mapping { internal, external, protocol, ..Mapping::FREE };
        self.records[slot.index() & (N - 1)] = mapping;
        let indexed = self.index.insert(keys.external(protocol, external), slot).is_some()
            && key.is_none_or(|key| self.index.insert(key, slot).is_some());
        if !indexed {
            self.remove(keys, slot);
            return None;
        }
        Some(slot)
    }

    /// Notes that one more session has the mapping, which `waits` for an answer from inside or does not. `None` if 65,535
    /// have it already.
    pub(crate) fn retain(&mut self, slot: Slot, waits: bool) -> Option<()> {
        let mapping = &mut self.records[slot.index() & (N - 1)];
        let sessions = mapping.sessions.checked_add(1)?;
        mapping.waiting_or_until = mapping.waiting() + u32::from(waits);
        mapping.sessions = sessions;
        Some(())
    }

    /// Notes that a session that has waited waits no more.
    pub(crate) fn answer(&mut self, slot: Slot) {
        self.records[slot.index() & (N - 1)].wait_no_more();
    }

    /// Notes that one session less has the mapping. After the last, it cools for `cooldown` milliseconds.
    pub(crate) fn release(&mut self, now: Instant, slot: Slot, waits: bool, cooldown: u32) {
        let mapping = &mut self.records[slot.index() & (N - 1)];
        if waits {
            mapping.wait_no_more();
        }
        mapping.sessions = mapping.sessions.saturating_sub(1);
        self.cool(now, slot, cooldown);
    }

    /// Lets a mapping cool, if no session has it.
    pub(crate) fn cool(&mut self, now: Instant, slot: Slot, cooldown: u32) {
        let mapping = &mut self.records[slot.index() & (N - 1)];
        if mapping.is_live() {
            return;
        }
        mapping.waiting_or_until = Stamp::after(now, cooldown).word();
        if !mapping.queued {
            self.enqueue(slot);
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.records.fill(Mapping::FREE);
        self.index.clear();
        self.cooling = [[Queue { head: None, tail: None }; CLASSES]; Protocol::MAPPED];
        self.slots.clear();
    }

    /// Removes the mappings that only cool, but for those that `keep` wants.
    pub(crate) fn forget(&mut self, keys: &Keys, keep: impl Fn(&Mapping) -> bool) {
        for queue in self.cooling.iter_mut().flatten() {
            *queue = Queue { head: None, tail: None };
        }
        // Queued again in the order in which they cool down, as nearly as one pass can tell: by slot.
        for slot in Slot::all::<N>() {
            let mapping = *self.at(slot);
            if !mapping.queued {
                continue;
            }
            self.records[slot.index() & (N - 1)].queued = false;
            match mapping.is_live() {
                true => (),
                false if keep(&mapping) => self.enqueue(slot),
                false => self.remove(keys, slot),
            }
        }
    }

    /// The protocol and the external port of the mapping in a slot, if there is one.
    pub(crate) fn taken(&self, slot: Slot) -> Option<(Protocol, u16)> {
        let mapping = self.at(slot);
        (mapping.is_live() || mapping.queued).then_some((mapping.protocol, mapping.external))
    }

    /// Removes one mapping of `protocol` that has cooled down by `now`; its external port.
    pub(crate) fn expire(&mut self, now: Instant, keys: &Keys, protocol: Protocol) -> Option<u16> {
        let cooled = |mapping: &Mapping| mapping.until().is_some_and(|until| until.passed(now));
        (0..CLASSES).find_map(|class| self.end_coolest(keys, protocol, class, cooled))
    }

    /// Removes the mapping of `protocol` and `class` that has the least of its cool-down left; its external port.
    pub(crate) fn reclaim(
        &mut self,
        now: Instant,
        keys: &Keys,
        protocol: Protocol,
        class: Class,
    ) -> Option<u16> {
        let ours =
            |(of, number): (Protocol, usize)| of == protocol && class.contains(number as u16 * SYSTEM_PORTS);
        self.reclaim_from(now, keys, ours).map(|(_, port)| port)
    }

    /// The same of whatever protocol; that, and its external port.
    pub(crate) fn reclaim_any(&mut self, now: Instant, keys: &Keys) -> Option<(Protocol, u16)> {
        self.reclaim_from(now, keys, |_| true)
    }

    /// The same from the queues that `are_meant`; from another than the coolest if that has too many that were revived.
    fn reclaim_from(
        &mut self,
        now: Instant,
        keys: &Keys,
        are_meant: impl Fn((Protocol, usize)) -> bool,
    ) -> Option<(Protocol, u16)> {
        let coolest = QUEUES
            .into_iter()
            .filter(|queue| are_meant(*queue))
            .min_by_key(|queue| self.cool_down_left(now, *queue))?;
        let others = QUEUES.into_iter().filter(|queue| *queue != coolest && are_meant(*queue));
        [coolest].into_iter().chain(others).find_map(|(protocol, class)| {
            self.end_coolest(keys, protocol, class, |_| true).map(|port| (protocol, port))
        })
    }

    /// How long the first in a queue has to cool yet, in milliseconds. One that was revived has to leave the queue first.
    fn cool_down_left(&self, now: Instant, (protocol, class): (Protocol, usize)) -> i32 {
        self.head(protocol, class)
            .map_or(i32::MAX, |head| self.at(head).until().map_or(i32::MIN, |until| until.remaining(now)))
    }

    fn head(&self, protocol: Protocol, class: usize) -> Option<Slot> {
        self.cooling.get(protocol as usize)?.get(class)?.head
    }

    /// Removes the mapping at the head of the queue if it is `ready`, passing over a few that were revived meanwhile, and sending a few
    /// behind all others that have cooled again since.
    fn end_coolest(
        &mut self,
        keys: &Keys,
        protocol: Protocol,
        class: usize,
        ready: impl Fn(&Mapping) -> bool,
    ) -> Option<u16> {
        for passed in 0..PASSED_OVER {
            let head = self.head(protocol, class)?;
            let mapping = *self.at(head);
            let is_early = passed < SENT_BACK && self.is_before_its_turn(&mapping);
            if !mapping.is_live() && !is_early && !ready(&mapping) {
                return None;
            }
            self.dequeue(head);
            if is_early {
                self.enqueue(head);
            } else if !mapping.is_live() {
                self.remove(keys, head);
                return Some(mapping.external);
            }
        }
        None
    }

    /// Whether a mapping in the queue cools for longer than the next does.
    fn is_before_its_turn(&self, mapping: &Mapping) -> bool {
        let next = mapping.next.and_then(|next| self.at(next).until());
        mapping.until().is_some_and(|until| next.is_some_and(|next| next.is_before(until)))
    }

    #[inline(never)]
    fn remove(&mut self, keys: &Keys, slot: Slot) {
        let mapping = *self.at(slot);
        self.index.remove(keys.external(mapping.protocol, mapping.external), slot);
        self.index.remove(keys.internal(mapping.protocol, mapping.internal), slot);
        let next = self.slots.release(slot);
        self.records[slot.index() & (N - 1)] = Mapping { next, ..Mapping::FREE };
    }

    fn enqueue(&mut self, slot: Slot) {
        let mapping = &mut self.records[slot.index() & (N - 1)];
        mapping.queued = true;
        mapping.next = None;
        let (protocol, class) = (mapping.protocol as usize, class(mapping.external));
        let Some(queue) = self.cooling.get_mut(protocol).and_then(|classes| classes.get_mut(class)) else {
            return;
        };
        let last = queue.tail.replace(slot);
        match last {
            Some(last) => self.records[last.index() & (N - 1)].next = Some(slot),
            None => queue.head = Some(slot),
        }
    }

    /// Takes the head of its queue out.
    fn dequeue(&mut self, head: Slot) {
        let mapping = &mut self.records[head.index() & (N - 1)];
        mapping.queued = false;
        let next = mapping.next.take();
        let (protocol, class) = (mapping.protocol as usize, class(mapping.external));
        let Some(queue) = self.cooling.get_mut(protocol).and_then(|classes| classes.get_mut(class)) else {
            return;
        };
        queue.head = next;
        if next.is_none() {
            queue.tail = None;
        }
    }
}

/// The number of an external port's class.
const fn class(external: u16) -> usize {
    if external < SYSTEM_PORTS { 0 } else { 1 }
}
