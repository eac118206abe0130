//! The session table: who talks to whom through which external port, and until when.
//!
//! A session is found from inside by (protocol, internal, remote) and from outside by (protocol, external port,
//! remote). Its remote end is kept only as far as the behaviours look at it (`settings::Rules`): a UDP socket that
//! talks to a thousand ports of one address under address-dependent filtering is one session, because one timer and
//! one permission are all that the RFCs ask for. TCP connections are always told apart.
//!
//! Where a behaviour looks at the remote *address* while sessions are kept by address *and port*, somebody has to know
//! whether any session vouches for that address: one that the inside has begun, or answered. The first of them is
//! the *host* of the others: it has a third entry in the index and counts them. If it ends before they do, its record
//! *lingers*, invisible to packets, until the last has ended.

use core::net::Ipv4Addr;
use core::time::Duration;

use crate::ahead::address;
use crate::endpoint::{Endpoint, Protocol};
use crate::index::{Index, Slot};
use crate::keys::{Keys, at};
use crate::settings::Idle;
use crate::slots::Slots;
use crate::streams::{Fit, Streams};
use crate::tcp::{Direction, Segment, State};
use crate::time::{Instant, Stamp};
use crate::transport::Heading;
use crate::verdict::DropReason;
use crate::wheel::Wheel;

const ENTRIES: usize = 4;

/// What a session costs, its share of the index included, in bytes.
pub const SESSION_BYTES: usize = size_of::<Session>() + ENTRIES * size_of::<u32>();
const _: () = assert!(SESSION_BYTES <= 64);

/// One session. Aligned, so that none lies across more than two cache lines.
#[derive(Clone, Copy)]
#[repr(align(16))]
pub(crate) struct Session {
    /// The internal endpoint, the protocol and the life, from the lowest bit on.
    inside: u64,
    /// The remote endpoint and the external port. Both are words, because that is what a look-up compares.
    outside: u64,
    /// Looked at for TCP only, like the next.
    pub(crate) state: State,
    pub(crate) streams: Streams,
    /// As the host of its peers: how many they are, itself included while it lives.
    peers: u16,
    deadline: Stamp,
    /// The next in the wheel's list, or in the list of free slots.
    next: Option<Slot>,
}

/// What a session is between.
#[derive(Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) protocol: Protocol,
    pub(crate) internal: Endpoint,
    pub(crate) external: u16,
    pub(crate) remote: Endpoint,
}

impl Ends {
    /// The words of a session that lives.
    const fn words(self, life: Life) -> (u64, u64) {
        (inside(self.protocol, self.internal) | (life as u64) << LIFE, outside(self.external, self.remote))
    }
}

/// Where the words of a session have what is not an endpoint.
const PROTOCOL: u32 = 48;
const LIFE: u32 = 56;
const EXTERNAL: u32 = 48;

#[inline(always)]
const fn inside(protocol: Protocol, internal: Endpoint) -> u64 {
    internal.word() | (protocol as u64) << PROTOCOL
}

#[inline(always)]
const fn outside(external: u16, remote: Endpoint) -> u64 {
    remote.word() | (external as u64) << EXTERNAL
}

/// A session that is to begin.
pub(crate) struct Beginning {
    pub(crate) ends: Ends,
    pub(crate) first: First,
    /// How long it may idle, in milliseconds.
    pub(crate) idle: u32,
}

/// What the first packet of a session says of its beginning.
#[derive(Clone, Copy)]
pub(crate) struct First {
    pub(crate) begun: Begun,
    pub(crate) state: State,
    pub(crate) streams: Streams,
}

impl First {
    /// The beginning of a session by `segment`, if there is one; nothing but TCP has states, and theirs is never
    /// looked at. `None` if such a segment cannot begin a connection.
    #[inline(always)]
    pub(crate) fn new(direction: Direction, segment: Option<Segment>) -> Option<Self> {
        let begun = match direction {
            Direction::Outbound => Begun::Inside,
            Direction::Inbound => Begun::HalfOpen,
        };
        let Some(segment) = segment else {
            return Some(Self { begun, state: State::Established, streams: Streams::NONE });
        };
        let state = State::first(direction, segment.flags)?;
        Some(Self { begun, state, streams: Streams::begin(direction, &segment) })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Life {
    /// Of no use to anybody; free, or about to be when the wheel comes round.
    Dead,
    /// Ended, but the host of peers that have not.
    Lingering,
    /// A session that has begun so.
    Inside,
    HalfOpen,
    Outside,
}

impl Life {
    const ALL: [Self; 5] = [Self::Dead, Self::Lingering, Self::Inside, Self::HalfOpen, Self::Outside];

    const fn of(begun: Begun) -> Self {
        match begun {
            Begun::Inside => Self::Inside,
            Begun::HalfOpen => Self::HalfOpen,
            Begun::Outside => Self::Outside,
        }
    }
}

/// How a session has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// By a packet from inside.
    Inside,
    /// By one from outside that nobody has answered yet, or whose answer nobody has confirmed.
    HalfOpen,
    /// From outside, and answered since.
    Outside,
}

impl Session {
    const FREE: Self = Self {
        inside: 0,
        outside: 0,
        state: State::SynOut,
        streams: Streams::NONE,
        peers: 0,
        deadline: Stamp::ZERO,
        next: None,
    };

    /// A session that has not begun yet.
    pub(crate) fn new(ends: Ends, first: First, deadline: Stamp) -> Self {
        let First { begun, state, streams } = first;
        let (inside, outside) = ends.words(Life::of(begun));
        Self { inside, outside, state, streams, deadline, ..Self::FREE }
    }

    /// The internal endpoint.
    #[inline(always)]
    pub(crate) const fn internal(&self) -> Endpoint {
        Endpoint::of_word(self.inside)
    }

    /// The remote end, as much as is kept of it.
    pub(crate) const fn remote(&self) -> Endpoint {
        Endpoint::of_word(self.outside)
    }

    /// The external port.
    #[inline(always)]
    pub(crate) const fn external(&self) -> u16 {
        (self.outside >> EXTERNAL) as u16
    }

    /// The protocol.
    pub(crate) fn protocol(&self) -> Protocol {
        Protocol::ALL.get((self.inside >> PROTOCOL) as usize % 256).copied().unwrap_or(Protocol::Other)
    }

    /// What it is between.
    pub(crate) fn ends(&self) -> Ends {
        let (internal, external, remote) = (self.internal(), self.external(), self.remote());
        Ends { protocol: self.protocol(), internal, external, remote }
    }

    fn life(&self) -> Life {
        Life::ALL.get((self.inside >> LIFE) as usize).copied().unwrap_or(Life::Dead)
    }

    fn set_life(&mut self, life: Life) {
        self.inside = self.inside << 8 >> 8 | (life as u64) << LIFE;
    }

    /// How it has begun, while it lives.
    #[inline]
    pub(crate) fn begun(&self) -> Option<Begun> {
        match self.life() {
            Life::Inside => Some(Begun::Inside),
            Life::HalfOpen => Some(Begun::HalfOpen),
            Life::Outside => Some(Begun::Outside),
            Life::Dead | Life::Lingering => None,
        }
    }

    /// Whether it needs no answer, or has had one.
    /// A dead session counts as one that was.
    #[inline(always)]
    pub(crate) fn is_answered(&self) -> bool {
        self.inside >> LIFE != Life::HalfOpen as u64
    }

    /// Whether it is between an internal and a remote end.
    #[inline(always)]
    fn is_between(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> bool {
        const WITHOUT_LIFE: u32 = 64 - LIFE;
        const WITHOUT_EXTERNAL: u32 = 64 - EXTERNAL;
        (self.inside ^ inside(protocol, internal)) << WITHOUT_LIFE == 0
            && (self.outside ^ remote.word()) << WITHOUT_EXTERNAL == 0
    }

    /// Whether it is between an external port and a remote end.
    #[inline(always)]
    fn is_through(&self, protocol: Protocol, external: u16, remote: Endpoint) -> bool {
        self.outside == outside(external, remote) && (self.inside >> PROTOCOL) as u8 == protocol as u8
    }

    /// Whether it lives, and is between an internal and a remote end.
    #[inline(always)]
    pub(crate) fn lives_between(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> bool {
        self.lives() && self.is_between(protocol, internal, remote)
    }

    /// Whether it lives, and is between an external port and a remote end.
    #[inline(always)]
    pub(crate) fn lives_through(&self, protocol: Protocol, external: u16, remote: Endpoint) -> bool {
        self.lives() && self.is_through(protocol, external, remote)
    }

    /// Whether the index has it. It may have expired.
    #[inline(always)]
    const fn lives(&self) -> bool {
        self.inside >> LIFE > Life::Lingering as u64
    }

    /// Moves state and timer on; whether this packet is one that a session from outside waits for. A segment that cannot
    /// belong to its connection moves neither; from outside, it goes no further.
    #[inline]
    pub(crate) fn track(
        &mut self,
        now: Instant,
        idle: &Idle,
        direction: Direction,
        heading: Heading,
    ) -> Result<bool, DropReason> {
        let Heading { protocol, segment, .. } = heading;
        let (refreshed, answered) = match segment {
            Some(segment) => {
                let before = self.state;
                match self.streams.fit(before, direction, &segment) {
                    Fit::Inside => self.state = before.next(direction, segment.flags),
                    Fit::Outside if direction == Direction::Inbound => return Err(DropReason::OutOfWindow),
                    Fit::Odd | Fit::Outside => return Ok(false),
                }
                (before.refreshes(self.state, direction, segment.flags), self.state.is_open())
            }
            // RFC 4787 REQ-6: outbound refreshes. Inbound, which REQ-6a leaves open, does not, or an attacker could keep a
            // mapping alive (T12).
            None => (direction == Direction::Outbound, direction == Direction::Outbound),
        };
        if refreshed {
            self.refresh(now, idle.millis(protocol, self.state));
        }
        Ok(answered)
    }

    /// Whether its time is up.
    #[inline]
    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.deadline.passed(now)
    }

    /// How long it may idle yet.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        Duration::from_millis(self.deadline.remaining(now).max(0).unsigned_abs().into())
    }

    /// Sets the deadline to `millis` from now.
    #[inline]
    pub(crate) fn refresh(&mut self, now: Instant, millis: u32) {
        self.deadline = Stamp::after(now, millis);
    }
}

/// How sessions are grouped by remote address, where a behaviour wants that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grouping {
    /// Not at all.
    None,
    /// By the external port they use: address-dependent filtering.
    ByExternal,
    /// By the internal endpoint they serve: address-dependent mapping, which makes this the same thing for filtering.
    ByInternal,
}

impl Grouping {
    #[inline(always)]
    fn near(self, ends: Ends) -> Option<Endpoint> {
        match self {
            Self::None => None,
            Self::ByExternal => Some(at(ends.external)),
            Self::ByInternal => Some(ends.internal),
        }
    }
}

/// What the wheel met.
pub(crate) enum Met {
    /// A session whose time is up, for [`Sessions::end_met`].
    Expired(Slot),
    /// Something that goes on, or had ended before.
    Other,
}

/// The table of `N` sessions.
pub(crate) struct Sessions<const N: usize> {
    records: [Session; N],
    index: Index<N, ENTRIES>,
    wheel: Wheel,
    slots: Slots<N>,
    live: u32,
    most: u32,
}

impl<const N: usize> Sessions<N> {
    /// An empty table: all zero.
    pub(crate) const fn new() -> Self {
        Self {
            records: [Session::FREE; N],
            index: Index::new(),
            wheel: Wheel::new(),
            slots: Slots::new(),
            live: 0,
            most: 0,
        }
    }

    /// How many slots are free.
    pub(crate) fn free(&self) -> usize {
        N - self.slots.used() as usize
    }

    /// How many sessions there are.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// The most there ever were at once.
    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    /// Every record, of sessions and of none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.records.iter()
    }

    /// Whether there is no room for another.
    pub(crate) fn is_full(&self) -> bool {
        self.slots.used() as usize == N
    }

    /// Whether nothing is on the wheel.
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.used() == 0
    }

    /// When [`Sessions::meet`] next has something to do, unless there is nothing.
    pub(crate) fn next_meeting(&self) -> Instant {
        self.wheel.next()
    }

    #[inline]
    pub(crate) fn at(&self, slot: Slot) -> &Session {
        &self.records[slot.index() & (N - 1)]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, slot: Slot) -> &mut Session {
        &mut self.records[slot.index() & (N - 1)]
    }

    /// The session between an internal and a remote end, which lies under `key`. It may have expired.
    #[inline(always)]
    pub(crate) fn outbound(
        &self,
        key: u64,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<Slot> {
        self.index.find(key, |slot| self.at(slot).is_between(protocol, internal, remote))
    }

    /// The session between an external port and a remote end. It may have expired.
    #[inline(always)]
    pub(crate) fn inbound(
        &self,
        keys: &Keys,
        protocol: Protocol,
        external: u16,
        remote: Endpoint,
    ) -> Option<Slot> {
        let key = keys.inbound(protocol, external, remote);
        self.index.find(key, |slot| self.at(slot).is_through(protocol, external, remote))
    }

    /// Has the first place fetched where a key is looked for.
    #[inline(always)]
    pub(crate) fn fetch_first(&self, key: u64, fetch: impl Fn(*const ())) {
        self.index.fetch_first(key, fetch);
    }

    /// Has the second fetched.
    #[inline(always)]
    pub(crate) fn fetch_second(&self, key: u64, fetch: impl Fn(*const ())) {
        self.index.fetch_second(key, fetch);
    }

    /// The session that probably lies in the first.
    #[inline(always)]
    pub(crate) fn guess_first(&self, key: u64) -> Option<Slot> {
        self.index.guess_first(key)
    }

    /// The session that probably lies in the second.
    #[inline(always)]
    pub(crate) fn guess_second(&self, key: u64) -> Option<Slot> {
        self.index.guess_second(key)
    }

    /// Has the record of a session fetched that is guessed, as far as a packet needs it: half of them lie on two cache
    /// lines, but only a quarter with what comes before the streams.
    #[inline(always)]
    pub(crate) fn fetch_record(&self, slot: Slot, is_tcp: bool, fetch: impl Fn(*const ())) {
        let session = self.at(slot);
        fetch(address(&session.inside));
        fetch(if is_tcp { address(&session.state) } else { address(&session.deadline) });
    }

    /// The host of the sessions between a near end and a remote address.
    pub(crate) fn host(
        &self,
        keys: &Keys,
        grouping: Grouping,
        protocol: Protocol,
        near: Endpoint,
        remote: Ipv4Addr,
    ) -> Option<Slot> {
        self.host_under(keys.peer(protocol, near, remote), grouping, protocol, near, remote)
    }

    fn host_under(
        &self,
        key: u64,
        grouping: Grouping,
        protocol: Protocol,
        near: Endpoint,
        remote: Ipv4Addr,
    ) -> Option<Slot> {
        self.index.find(key, |slot| {
            let host = self.at(slot);
            host.peers > 0
                && host.remote().address == remote
                && host.protocol() == protocol
                && grouping.near(host.ends()) == Some(near)
        })
    }

    /// Adds a session, which is to be found under `key` from inside. `None` if there is no room.
    #[inline(always)]
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        keys: &Keys,
        grouping: Grouping,
        key: u64,
        beginning: &Beginning,
    ) -> Option<Slot> {
        let Beginning { ends, first, idle } = *beginning;
        let slot = self.slots.claim(|free| self.records[free.index() & (N - 1)].next)?;
        let next = self.wheel.list_for(now, idle as i32).replace(slot);
        *self.at_mut(slot) = Session { next, ..Session::new(ends, first, Stamp::after(now, idle)) };
        self.live += 1;
        self.most = self.most.max(self.live);
        if self.link(keys, grouping, key, slot, beginning).is_none() {
            self.unlink(keys, slot);
            return None;
        }
        Some(slot)
    }

    /// Ends a session. Its slot is free again when the wheel next meets it, within a turn.
    pub(crate) fn end(&mut self, keys: &Keys, grouping: Grouping, slot: Slot) {
        let vouches = self.at(slot).is_answered();
        self.unlink(keys, slot);
        if let Some(near) = grouping.near(self.at(slot).ends()).filter(|_| vouches) {
            self.leave(keys, grouping, slot, near);
        }
    }

    /// Notes that a session that began outside has been answered. `None`, and nothing noted, if there is no room to.
    pub(crate) fn answer(&mut self, keys: &Keys, grouping: Grouping, slot: Slot) -> Option<()> {
        if let Some(near) = grouping.near(self.at(slot).ends()) {
            self.join(keys, grouping, slot, near)?;
        }
        self.at_mut(slot).set_life(Life::Outside);
        Some(())
    }

    /// Looks at one of the sessions that are due. `None` if there is none.
    pub(crate) fn meet(&mut self, now: Instant) -> Option<Met> {
        let list = self.wheel.due(now)?;
        let slot = (*list)?;
        *list = self.records[slot.index() & (N - 1)].next;
        let session = self.at(slot);
        if session.begun().is_some() && session.has_expired(now) {
            return Some(Met::Expired(slot));
        }
        self.settle(now, slot);
        Some(Met::Other)
    }

    /// Ends a session that [`Sessions::meet`] has just found expired, and frees its slot.
    pub(crate) fn end_met(&mut self, now: Instant, keys: &Keys, grouping: Grouping, slot: Slot) {
        self.end(keys, grouping, slot);
        self.settle(now, slot);
    }

    /// Where a record goes that the wheel has met.
    fn settle(&mut self, now: Instant, slot: Slot) {
        match self.at(slot).life() {
            Life::Dead => self.vacate(slot),
            _ => self.put_back(now, slot),
        }
    }

    fn vacate(&mut self, slot: Slot) {
        let next = self.slots.release(slot);
        *self.at_mut(slot) = Session { next, ..Session::FREE };
    }

    fn put_back(&mut self, now: Instant, slot: Slot) {
        let session = self.at(slot);
        let remaining = match session.life() {
            // Nobody knows when its peers end: once a turn will do.
            Life::Lingering => i32::MAX,
            _ => session.deadline.remaining(now),
        };
        let next = self.wheel.list_for(now, remaining).replace(slot);
        self.at_mut(slot).next = next;
    }

    /// Ends all.
    pub(crate) fn clear(&mut self) {
        self.records.fill(Session::FREE);
        self.index.clear();
        self.wheel.clear();
        self.slots.clear();
        self.live = 0;
    }

    /// Frees the slots of all that have ended at once, instead of one by one as the wheel meets them.
    pub(crate) fn rebuild(&mut self, now: Instant) {
        self.wheel.clear();
        self.slots.recount();
        for slot in Slot::all::<N>() {
            if self.slots.has_been_used(slot) {
                self.settle(now, slot);
            }
        }
    }

    #[inline(always)]
    fn link(
        &mut self,
        keys: &Keys,
        grouping: Grouping,
        key: u64,
        slot: Slot,
        beginning: &Beginning,
    ) -> Option<()> {
        let Ends { protocol, external, remote, .. } = beginning.ends;
        self.index.insert(key, slot)?;
        self.index.insert(keys.inbound(protocol, external, remote), slot)?;
        match grouping.near(beginning.ends).filter(|_| beginning.first.begun != Begun::HalfOpen) {
            Some(near) => self.join(keys, grouping, slot, near),
            None => Some(()),
        }
    }

    fn unlink(&mut self, keys: &Keys, slot: Slot) {
        let Ends { protocol, internal, external, remote } = self.at(slot).ends();
        self.index.remove(keys.outbound(protocol, internal, remote), slot);
        self.index.remove(keys.inbound(protocol, external, remote), slot);
        self.at_mut(slot).set_life(Life::Dead);
        self.live -= 1;
    }

    fn join(&mut self, keys: &Keys, grouping: Grouping, slot: Slot, near: Endpoint) -> Option<()> {
        let Ends { protocol, remote, external, .. } = self.at(slot).ends();
        let key = keys.peer(protocol, near, remote.address);
        let host = match self.host_under(key, grouping, protocol, near, remote.address) {
            Some(host) => host,
            None => {
                self.index.insert(key, slot)?;
                slot
            }
        };
        let host = self.at_mut(host);
        host.peers = host.peers.checked_add(1)?;
        if host.life() == Life::Lingering {
            // Its own port may be gone; a mapping by address goes on with what its peers use.
            host.outside = outside(external, host.remote());
        }
        Some(())
    }

    fn leave(&mut self, keys: &Keys, grouping: Grouping, slot: Slot, near: Endpoint) {
        let Ends { protocol, remote, .. } = self.at(slot).ends();
        let key = keys.peer(protocol, near, remote.address);
        let Some(found) = self.host_under(key, grouping, protocol, near, remote.address) else { return };
        let host = self.at_mut(found);
        host.peers -= 1;
        host.set_life(match (host.peers, host.life()) {
            (0, _) => Life::Dead,
            (_, Life::Dead) => Life::Lingering,
            (_, life) => life,
        });
        if host.peers == 0 {
            self.index.remove(key, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERNAL: Endpoint = Endpoint::new(Ipv4Addr::new(192, 0, 2, 1), 5000);
    const REMOTE: Endpoint = Endpoint::new(Ipv4Addr::new(203, 0, 113, 1), 53);

    fn session() -> Session {
        let ends = Ends { protocol: Protocol::Udp, internal: INTERNAL, external: 6000, remote: REMOTE };
        let first = First { begun: Begun::Inside, state: State::Established, streams: Streams::NONE };
        Session::new(ends, first, Stamp::ZERO)
    }

    /// Whoever was told of it before has only the record to see that by.
    #[test]
    fn v5_a_session_that_has_ended_lives_no_more_though_its_ends_are_still_there() {
        for life in Life::ALL {
            let mut session = session();
            session.set_life(life);
            let lives = !matches!(life, Life::Dead | Life::Lingering);
            assert_eq!(session.lives_between(Protocol::Udp, INTERNAL, REMOTE), lives);
            assert_eq!(session.lives_through(Protocol::Udp, 6000, REMOTE), lives);
        }
    }

    /// Keys differ by protocol, so that only chance would bring a look-up to a session of another.
    #[test]
    fn rfc7857_s5_m10_a_session_of_another_protocol_is_another() {
        let session = session();
        for protocol in Protocol::ALL {
            let is_it = protocol == Protocol::Udp;
            assert_eq!(session.is_between(protocol, INTERNAL, REMOTE), is_it);
            assert_eq!(session.is_through(protocol, 6000, REMOTE), is_it);
        }
    }
}
