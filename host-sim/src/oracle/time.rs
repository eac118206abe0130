//! Time and room: what expires when, what lingers, how full the engine's tables may be.
//!
//! A session is *alive* until its deadline, then *late* until everybody must have noticed, then gone. A mapping lives with
//! its sessions, cools from somewhere in that time on, and is gone somewhere in as much time after it has cooled.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::time::Duration;

use napt::{Dependence, Instant, Occupancy};

use super::sessions::{Session, by_protocol};
use super::streams::Streams;
use super::{Group, LINGER, Mapping, Oracle};

/// How many records the engine ends in a tick, at least.
const TIDIED: u32 = 32;

impl Oracle {
    /// Lets time pass: what must have been noticed by now is gone.
    pub fn pass_time(&mut self, now: Instant) {
        self.now = now;
        if now < self.due {
            return;
        }
        self.note_lingering();
        let mut last = BTreeMap::new();
        for session in self.sessions.iter() {
            let latest = last.entry((session.protocol, session.external)).or_insert(session.deadline);
            *latest = session.deadline.max(*latest);
        }
        for (port, mapping) in &mut self.mappings {
            mapping.last = *last.get(port).unwrap_or(&mapping.last);
        }
        let late = self.late;
        self.sessions.retain(|session| session.deadline + late > now);
        // Of mappings that have cooled down, so many go in a tick.
        let ticks = 1 + self.mappings.len() as u32 / TIDIED;
        let revived = self.mappings.values().filter(|mapping| mapping.revived).count() as u32;
        let longest = late + self.settings.timers.port_cooldown * (1 + revived) + late * ticks;
        self.mappings.retain(|_, mapping| mapping.last + longest >= now);
        self.spent.retain(|until| *until > now);
        self.datagrams.retain(|datagram| datagram.until > now);
        self.due = self.next_change(longest).unwrap_or(now);
    }

    /// When something will change by itself, given how long mappings are kept. Whatever begins makes it earlier.
    fn next_change(&self, longest: Duration) -> Option<Instant> {
        let (now, late) = (self.now, self.late);
        let of_session = |session: &Session| match session.deadline {
            deadline if deadline > now => deadline,
            deadline => deadline + late,
        };
        let sessions = self.sessions.iter().map(of_session);
        let mappings = self.mappings.values().map(|mapping| mapping.last + longest);
        let lingering = self.lingering.iter().map(|(_, last)| *last + late + LINGER);
        let datagrams = self.datagrams.iter().map(|datagram| datagram.until);
        let rest = lingering.chain(self.spent.iter().copied()).chain(datagrams);
        sessions.chain(mappings).chain(rest).min()
    }

    /// Whether the tables are as full as they may be.
    ///
    /// # Errors
    /// What is not as it may be.
    pub fn check_occupancy(&mut self, now: Instant, seen: Occupancy) -> Result<(), String> {
        self.pass_time(now);
        let alive = self.sessions.iter().filter(|session| session.deadline > now).count();
        let late = self.sessions.iter().filter(|session| session.deadline <= now && !session.ended).count();
        let sure = self.mappings.values().filter(|mapping| !self.may_be_free(mapping)).count();
        let (sessions, mappings) = (alive..=alive + late, sure..=self.mappings.len());
        self.mappings_seen = seen.mappings as usize;
        if sessions.contains(&(seen.sessions as usize)) && mappings.contains(&(seen.mappings as usize)) {
            return Ok(());
        }
        Err(format!("{seen:?}, not {sessions:?} sessions and {mappings:?} mappings"))
    }

    /// The state, in an order of its own and with times counted from now.
    pub fn state(&self) -> impl Hash + use<> {
        let now = self.now.millis() as i64;
        let from_now = |time: Instant| time.millis() as i64 - now;
        let sessions = self.sessions.iter().map(|session| {
            let ends = (session.protocol, session.internal, session.external, session.remote);
            // The numbers of its streams only matter beside those that are sent next: see `streams`.
            let connection = session.connection.map(|(connection, _)| connection);
            (ends, from_now(session.deadline), connection, session.begun, session.ended)
        });
        let mappings = self.mappings.values().map(|mapping| {
            (
                mapping.protocol,
                mapping.internal,
                mapping.external,
                from_now(mapping.last),
                [mapping.doubted, mapping.revived],
            )
        });
        let lingering = self.lingering.iter().map(|(group, last)| (*group, from_now(*last)));
        let spent: Vec<_> = self.spent.iter().map(|until| from_now(*until)).collect();
        let datagrams: Vec<_> = self.datagrams.iter().map(|datagram| datagram.state(self.now)).collect();
        let tables =
            (BTreeSet::from_iter(sessions), BTreeSet::from_iter(mappings), BTreeSet::from_iter(lingering));
        (tables, spent, datagrams)
    }

    /// The streams of each connection, by protocol, internal and remote end.
    pub fn streams(&self) -> impl Iterator<Item = (SocketAddrV4, SocketAddrV4, Streams)> {
        self.sessions.iter().filter_map(|session| {
            session.connection.map(|(_, streams)| (session.internal, session.remote, streams))
        })
    }

    /// How many slots of the session table are in use.
    pub(super) fn slots(&self) -> RangeInclusive<usize> {
        let alive = self.sessions.iter().filter(|session| session.deadline > self.now).count();
        alive..=self.sessions.len() + self.lingering.len() + self.spent.len()
    }

    /// Notes that a slot may be of no use for a while, because its session has been taken back.
    pub(super) fn spend(&mut self) {
        self.spent.push(self.now + self.late + LINGER);
    }

    /// Whether so many new sessions may have been let in.
    pub(super) fn fits(&self, new: usize) -> Result<(), String> {
        let room = self.slots().start() + new <= self.capacity;
        room.then_some(()).ok_or_else(|| format!("X02: {new} more than {:?}", self.slots()))
    }

    /// One session of each group that has ended before others of it, if only by its place in the same tick, may still
    /// have its slot.
    pub(super) fn note_lingering(&mut self) {
        let (now, late) = (self.now, self.late);
        for (group, last) in &mut self.lingering {
            let deadlines =
                self.sessions.iter().filter(|session| group_of(&self.settings, session) == Some(*group));
            *last = deadlines.map(|session| session.deadline).chain([*last]).max().unwrap_or(*last);
        }
        self.lingering.retain(|(_, last)| *last + late + LINGER > now);
        for session in self.sessions.iter().filter(|session| session.deadline <= now) {
            let Some(group) = group_of(&self.settings, session) else { continue };
            let peers = self.sessions.iter().filter(|other| group_of(&self.settings, other) == Some(group));
            let deadlines: Vec<_> = peers.map(|peer| peer.deadline).collect();
            if deadlines.len() > 1 && self.lingering.iter().all(|(known, _)| *known != group) {
                self.lingering.push((group, deadlines.into_iter().max().unwrap_or(now)));
            }
        }
    }

    /// Begins a mapping, or brings it back.
    pub(super) fn keep_mapping(
        &mut self,
        protocol: u8,
        internal: SocketAddrV4,
        external: u16,
        last: Instant,
    ) {
        let key = (protocol, external);
        let before = self.mappings.get(&key).filter(|mapping| mapping.internal == internal);
        let revived = before.is_some_and(|mapping| mapping.revived || mapping.last <= self.now);
        let mapping = Mapping { protocol, internal, external, last, doubted: false, revived };
        if self.mappings.insert(key, mapping).is_some() {
            // What it was has kept others waiting, perhaps.
            self.due = self.now;
        }
    }

    /// A table that was full makes room for a mapping with a new port at the expense of the one that has cooled
    /// longest; as far as lateness lets one know which that is.
    pub(super) fn make_room(&mut self, protocol: u8, port: u16) {
        let known = self.mappings.get(&(protocol, port));
        let replaced = known.is_some_and(|mapping| !self.may_be_free(mapping));
        if self.mappings_seen < self.capacity || replaced {
            return;
        }
        let disordered = self.mappings.values().any(|mapping| mapping.revived);
        let (now, late) = (self.now, self.late);
        // Those in doubt may be gone already; of the others, the one that has cooled longest may be the next.
        let certain =
            self.mappings.values().filter(|mapping| mapping.last <= now && !self.may_be_free(mapping));
        let Some(longest) = certain.map(|mapping| mapping.last).min() else { return };
        for mapping in self.mappings.values_mut().filter(|mapping| mapping.last <= now) {
            mapping.doubted |= disordered || mapping.last <= longest + late;
        }
    }
}

/// By what a session is grouped, where a behaviour looks at addresses and sessions are told apart by more.
fn group_of(settings: &napt::Settings, session: &Session) -> Option<Group> {
    let outside = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, session.external);
    let near = match (
        by_protocol(settings.mapping, session.protocol),
        by_protocol(settings.filtering, session.protocol),
    ) {
        _ if session.remote.port() == 0 || !session.vouches() => return None,
        (Dependence::Address, _) => session.internal,
        (_, Dependence::Address) => outside,
        _ => return None,
    };
    Some((session.protocol, near, *session.remote.ip()))
}
