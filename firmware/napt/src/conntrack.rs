//! Conntrack: finding, opening and ending sessions, in step with the mappings and ports they need.
//!
//! Nothing established is ever evicted to make room (RFC 6888 REQ-11). When the tables are full, what has expired is
//! ended first, a bounded number at a time; then new sessions are refused.

use core::net::Ipv4Addr;

use crate::ahead::Guesses;
use crate::endpoint::{Endpoint, Protocol};
use crate::engine::Engine;
use crate::fragments::Fragments;
use crate::half_open::HalfOpen;
use crate::hosts::Hosts;
use crate::index::Slot;
use crate::keys::at;
use crate::mapping::{Mapping, Mappings};
use crate::ports::{Class, Parity, Ports};
use crate::session::{Beginning, Begun, Ends, First, Grouping, Met, Sessions};
use crate::settings::Dependence;
use crate::time::Instant;
use crate::verdict::{DropReason, RejectReason, Verdict};

/// A session that is to begin.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) protocol: Protocol,
    pub(crate) internal: Endpoint,
    pub(crate) remote: Endpoint,
    pub(crate) first: First,
    /// Where it will lie, seen from inside: whoever wants it has looked there.
    pub(crate) key: u64,
}

/// How many records a call by the clock looks at when it tidies up, and how many one by a packet that needs room (V7).
const TIDY: usize = 64;
const TIDY_FOR_ONE: usize = 8;

/// The engine's tables, all zero at first, so that a static of them costs nothing in an image.
pub struct Tables<const SESSIONS: usize> {
    pub(crate) sessions: Sessions<SESSIONS>,
    pub(crate) mappings: Mappings<SESSIONS>,
    pub(crate) ports: [Ports; Protocol::MAPPED],
    pub(crate) fragments: Fragments,
    pub(crate) hosts: Hosts,
    pub(crate) half_open: HalfOpen,
    pub(crate) guesses: Guesses,
}

impl<const SESSIONS: usize> Tables<SESSIONS> {
    /// Empty tables for `SESSIONS` sessions, a power of two from 8 to 1,048,576, and as many mappings.
    pub const fn new() -> Self {
        Self {
            sessions: Sessions::new(),
            mappings: Mappings::new(),
            ports: [const { Ports::new() }; Protocol::MAPPED],
            fragments: Fragments::new(),
            hosts: Hosts::new(),
            half_open: HalfOpen::new(),
            guesses: Guesses::new(),
        }
    }
}

impl<const SESSIONS: usize> Default for Tables<SESSIONS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// The session between an internal endpoint and a remote end, which may have expired; and where it lies, or would.
    #[inline(always)]
    pub(crate) fn seek_outbound(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> (u64, Option<Slot>) {
        let remote = self.rules.scoped(protocol, remote);
        let key = self.keys.outbound(protocol, internal, remote);
        (key, self.tables.sessions.outbound(key, protocol, internal, remote))
    }

    /// The same, in code that all share who are in no hurry.
    #[inline(never)]
    pub(crate) fn seek_outbound_rare(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> (u64, Option<Slot>) {
        self.seek_outbound(protocol, internal, remote)
    }

    /// The session between an internal endpoint and a remote end, if looking ahead has found it. It may have expired.
    #[inline(always)]
    pub(crate) fn recall_outbound(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<Slot> {
        let guess = self.tables.guesses.between(internal, remote)?;
        let remote = self.rules.scoped(protocol, remote);
        let session = self.tables.sessions.at(guess);
        session.lives_between(protocol, internal, remote).then_some(guess)
    }

    /// The session between an external port and a remote end, if looking ahead has found it. It may have expired.
    #[inline(always)]
    pub(crate) fn recall_inbound(&self, protocol: Protocol, external: u16, remote: Endpoint) -> Option<Slot> {
        let guess = self.tables.guesses.between(remote, Endpoint::new(self.external, external))?;
        let remote = self.rules.scoped(protocol, remote);
        let session = self.tables.sessions.at(guess);
        session.lives_through(protocol, external, remote).then_some(guess)
    }

    /// Where the session between an external port and a remote end would lie.
    #[inline(always)]
    pub(crate) fn inbound_key(&self, protocol: Protocol, external: u16, remote: Endpoint) -> u64 {
        self.keys.inbound(protocol, external, self.rules.scoped(protocol, remote))
    }

    /// Where the session between an internal endpoint and a remote end would lie.
    #[inline(always)]
    pub(crate) fn outbound_key(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> u64 {
        self.keys.outbound(protocol, internal, self.rules.scoped(protocol, remote))
    }

    /// The session between an external port and a remote end. It may have expired.
    #[inline(always)]
    pub(crate) fn seek_inbound(&self, protocol: Protocol, external: u16, remote: Endpoint) -> Option<Slot> {
        let remote = self.rules.scoped(protocol, remote);
        self.tables.sessions.inbound(&self.keys, protocol, external, remote)
    }

    /// The same, in code that all share who are in no hurry.
    #[inline(never)]
    pub(crate) fn seek_inbound_rare(
        &self,
        protocol: Protocol,
        external: u16,
        remote: Endpoint,
    ) -> Option<Slot> {
        self.seek_inbound(protocol, external, remote)
    }

    /// Whether a session lives between an external port and a remote end.
    pub fn has_session(&self, now: Instant, protocol: Protocol, external: u16, remote: Endpoint) -> bool {
        let found = self.seek_inbound_rare(protocol, external, remote);
        found.is_some_and(|slot| !self.tables.sessions.at(slot).has_expired(now))
    }

    /// The live session between an internal endpoint and a remote end.
    pub(crate) fn find_outbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<Slot> {
        let (_, found) = self.seek_outbound_rare(protocol, internal, remote);
        self.close_expired(now, found)
    }

    /// The live session between an external port and a remote end.
    pub(crate) fn find_inbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        external: u16,
        remote: Endpoint,
    ) -> Option<Slot> {
        let found = self.seek_inbound_rare(protocol, external, remote);
        self.close_expired(now, found)
    }

    /// What is found after its deadline is ended on the spot, so that lateness of the wheel does not show.
    pub(crate) fn close_expired(&mut self, now: Instant, found: Option<Slot>) -> Option<Slot> {
        let slot = found?;
        if self.tables.sessions.at(slot).has_expired(now) {
            self.close(now, slot);
            return None;
        }
        Some(slot)
    }

    /// Whether a session exists between an external port and a remote address, whatever the remote port.
    pub(crate) fn knows_address(
        &self,
        protocol: Protocol,
        external: u16,
        internal: Endpoint,
        remote: Ipv4Addr,
    ) -> bool {
        let grouping = self.rules.grouping(protocol);
        let near = if grouping == Grouping::ByInternal { internal } else { at(external) };
        self.tables.sessions.host(&self.keys, grouping, protocol, near, remote).is_some()
    }

    /// The live mapping of an external port. It may outlive its last session by a tick of the wheel.
    pub(crate) fn mapped(&self, protocol: Protocol, external: u16) -> Option<&Mapping> {
        let slot = self.tables.mappings.by_external(&self.keys, protocol, external)?;
        Some(self.tables.mappings.at(slot)).filter(|mapping| mapping.is_live())
    }

    /// The same as [`open_outbound`](Self::open_outbound), in code that all share who are not UDP.
    #[inline(never)]
    pub(crate) fn open_outbound_rare(&mut self, now: Instant, wanted: &Wanted) -> Result<Slot, Verdict> {
        self.open_outbound(now, wanted)
    }

    /// Opens a session from inside, with the mapping that the mapping behaviour asks for.
    #[inline(always)]
    pub(crate) fn open_outbound(&mut self, now: Instant, wanted: &Wanted) -> Result<Slot, Verdict> {
        if self.settings.external.is_none() {
            return Err(DropReason::NoAddress.into());
        }
        if self.tables.sessions.is_full() {
            return Err(RejectReason::TableFull.into());
        }
        let host = self.host_with_room(wanted.internal.address)?;
        let slot = self.open_mapped(now, wanted)?;
        self.tables.hosts.begin(host);
        Ok(slot)
    }

    /// The host that begins a session, if it may have one more (RFC 6888 REQ-4).
    #[inline(always)]
    fn host_with_room(&mut self, address: Ipv4Addr) -> Result<Slot, RejectReason> {
        let host = self.tables.hosts.enter(&self.keys, address).ok_or(RejectReason::TableFull)?;
        let limit = match self.is_reserve() {
            true => self.limits.guaranteed,
            false => self.limits.each_host,
        };
        if self.tables.hosts.sessions(host) < limit { Ok(host) } else { Err(RejectReason::HostShare) }
    }

    /// Whether only the last eighth of the session table is free. It is for hosts inside that have hardly any
    /// sessions: neither who fills the table from outside, through a forward or an open filter (A6), nor another host
    /// (A5) cuts them off.
    pub(crate) fn is_reserve(&self) -> bool {
        self.tables.sessions.free() <= SESSIONS / 8
    }

    #[inline(always)]
    fn open_mapped(&mut self, now: Instant, wanted: &Wanted) -> Result<Slot, Verdict> {
        let Wanted { protocol, internal, remote, .. } = *wanted;
        if protocol == Protocol::Other {
            return self.open_portless(now, wanted);
        }
        if let Some(external) = self.settings.forwards.outward(protocol, internal) {
            return self.insert_rare(now, wanted, external);
        }
        let mapping = match self.settings.mapping.of(protocol) {
            Dependence::Endpoint => self.shared_mapping(now, protocol, internal)?,
            _ => match self.mapping_of_group(protocol, internal, remote) {
                Some(mapping) => mapping,
                None => self.new_mapping(now, protocol, internal, None)?,
            },
        };
        let opened = self.open_on(now, wanted, mapping);
        if opened.is_err() {
            self.tables.mappings.cool(now, mapping, self.idle.cooldown);
        }
        opened
    }

    /// Opens a session of a protocol without ports. Its external end is our address and the protocol's number, which
    /// only one internal host at a time can have towards a remote host.
    fn open_portless(&mut self, now: Instant, wanted: &Wanted) -> Result<Slot, Verdict> {
        let external = wanted.internal.port;
        if !self.settings.other_protocols {
            return Err(DropReason::Protocol.into());
        }
        if self.find_inbound(now, Protocol::Other, external, wanted.remote).is_some() {
            return Err(DropReason::ProtocolTaken.into());
        }
        self.insert_rare(now, wanted, external)
    }

    /// Opens a session from outside, through a forward or a mapping that has just let it in.
    pub(crate) fn open_inbound(
        &mut self,
        now: Instant,
        wanted: &Wanted,
        external: u16,
    ) -> Result<Slot, Verdict> {
        let Wanted { protocol, internal, remote, .. } = *wanted;
        if self.find_outbound(now, protocol, internal, remote).is_some() {
            return Err(DropReason::Ambiguous.into());
        }
        match self.tables.mappings.by_external(&self.keys, protocol, external) {
            Some(mapping) => self.open_on_rare(now, wanted, mapping),
            None if self.settings.forwards.inward(protocol, external).is_some() => {
                self.insert_rare(now, wanted, external)
            }
            // The session that kept it has just been found expired.
            None => Err(DropReason::NoMapping.into()),
        }
    }

    /// Opens a session that needs a mapping.
    #[inline(always)]
    fn open_on(&mut self, now: Instant, wanted: &Wanted, mapping: Slot) -> Result<Slot, Verdict> {
        let waits = wanted.first.begun == Begun::HalfOpen;
        self.tables.mappings.retain(mapping, waits).ok_or(RejectReason::TableFull)?;
        let external = self.tables.mappings.at(mapping).external;
        let slot = self.insert(now, wanted, external);
        if slot.is_err() {
            self.tables.mappings.release(now, mapping, waits, self.idle.cooldown);
        }
        slot
    }

    /// The same, in code that all share who are in no hurry.
    #[cold]
    #[inline(never)]
    fn open_on_rare(&mut self, now: Instant, wanted: &Wanted, mapping: Slot) -> Result<Slot, Verdict> {
        self.open_on(now, wanted, mapping)
    }

    /// The same, in code that all share who are in no hurry.
    #[cold]
    #[inline(never)]
    fn insert_rare(&mut self, now: Instant, wanted: &Wanted, external: u16) -> Result<Slot, Verdict> {
        self.insert(now, wanted, external)
    }

    #[inline(always)]
    fn insert(&mut self, now: Instant, wanted: &Wanted, external: u16) -> Result<Slot, Verdict> {
        let Wanted { protocol, internal, remote, first, key } = *wanted;
        let remote = self.rules.scoped(protocol, remote);
        let grouping = self.rules.grouping(protocol);
        let ends = Ends { protocol, internal, external, remote };
        let beginning = Beginning { ends, first, idle: self.idle.millis(protocol, first.state) };
        let slot = self.tables.sessions.insert(now, &self.keys, grouping, key, &beginning);
        let slot = slot.ok_or(RejectReason::TableFull)?;
        if first.begun == Begun::HalfOpen {
            let forward = self.settings.forwards.number(protocol, external);
            self.tables.half_open.enter(&self.keys, remote.address, forward);
        }
        Ok(slot)
    }

    /// Ends a session and lets go of its mapping. Sessions of forwards have none.
    #[cold]
    #[inline(never)]
    pub(crate) fn close(&mut self, now: Instant, slot: Slot) {
        self.settle_account(slot);
        let grouping = self.rules.grouping(self.tables.sessions.at(slot).protocol());
        self.let_go(now, slot);
        self.tables.sessions.end(&self.keys, grouping, slot);
    }

    /// Counts a session no more for whom it was counted.
    fn settle_account(&mut self, slot: Slot) {
        let Ends { protocol, internal, external, remote } = self.tables.sessions.at(slot).ends();
        match self.tables.sessions.at(slot).begun() {
            Some(Begun::Inside) => self.tables.hosts.end(&self.keys, internal.address),
            Some(Begun::HalfOpen) => {
                let forward = self.settings.forwards.number(protocol, external);
                self.tables.half_open.leave(&self.keys, remote.address, forward);
            }
            Some(Begun::Outside) | None => (),
        }
    }

    /// Notes that a session that began outside has been answered.
    #[cold]
    #[inline(never)]
    pub(crate) fn answer(&mut self, slot: Slot) {
        let Ends { protocol, external, remote, .. } = self.tables.sessions.at(slot).ends();
        let grouping = self.rules.grouping(protocol);
        if self.tables.sessions.answer(&self.keys, grouping, slot).is_some() {
            let forward = self.settings.forwards.number(protocol, external);
            self.tables.half_open.leave(&self.keys, remote.address, forward);
            if let Some(mapping) = self.tables.mappings.by_external(&self.keys, protocol, external) {
                self.tables.mappings.answer(mapping);
            }
        }
    }

    /// Lets go of the mapping of a session that is about to end, if it has one.
    fn let_go(&mut self, now: Instant, slot: Slot) {
        let session = self.tables.sessions.at(slot);
        let (Ends { protocol, external, .. }, waits) = (session.ends(), !session.is_answered());
        if let Some(mapping) = self.tables.mappings.by_external(&self.keys, protocol, external) {
            self.tables.mappings.release(now, mapping, waits, self.idle.cooldown);
        }
    }

    /// The mapping of an internal endpoint, whomever it talks to (RFC 4787 REQ-1).
    #[inline(always)]
    fn shared_mapping(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
    ) -> Result<Slot, Verdict> {
        let key = self.keys.internal(protocol, internal);
        match self.tables.mappings.by_internal(key, protocol, internal) {
            Some(mapping) => Ok(mapping),
            None => self.new_mapping(now, protocol, internal, Some(key)),
        }
    }

    /// The mapping that a new session shares with those its internal endpoint has already with the same remote address
    /// (RFC 4787 s.4.1). Where a mapping depends on the port, too, a new session is a new mapping.
    fn mapping_of_group(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Option<Slot> {
        let grouping = self.rules.grouping(protocol);
        if grouping != Grouping::ByInternal {
            return None;
        }
        let sessions = &self.tables.sessions;
        let host = sessions.host(&self.keys, grouping, protocol, internal, remote.address)?;
        let external = sessions.at(host).external();
        // The host may have come in through another port than ours, or may linger after its mapping.
        let mapping = self.tables.mappings.by_external(&self.keys, protocol, external)?;
        (self.tables.mappings.at(mapping).internal == internal).then_some(mapping)
    }

    /// Makes a mapping, which is found under `key` from inside if it is to be shared.
    #[inline(always)]
    fn new_mapping(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        key: Option<u64>,
    ) -> Result<Slot, Verdict> {
        let external = self.choose_port(now, protocol, internal.port).ok_or(RejectReason::PortsExhausted)?;
        if self.tables.mappings.used() as usize == SESSIONS {
            self.reclaim_any(now);
        }
        let created = self.tables.mappings.create(&self.keys, protocol, internal, external, key);
        if created.is_some() {
            self.take_out(protocol, external);
        }
        created.ok_or(Verdict::Reject(RejectReason::TableFull))
    }

    /// A free external port: at random, unless the settings would rather have the internal one (RFC 7857 s.9, RFC 6056
    /// s.4); of the internal port's class and parity, else of its class, else one of it that still cools, else any.
    #[inline(always)]
    fn choose_port(&mut self, now: Instant, protocol: Protocol, internal: u16) -> Option<u16> {
        if self.settings.preserve_ports && self.pool(protocol).is_some_and(|pool| pool.is_free(internal)) {
            return Some(internal);
        }
        let class = class_of(protocol, internal);
        match self.draw_port(protocol, class, Parity::of(internal)) {
            Some(port) => Some(port),
            None => self.make_do(now, protocol, class, internal),
        }
    }

    /// The next best external port.
    #[cold]
    #[inline(never)]
    fn make_do(&mut self, now: Instant, protocol: Protocol, class: Class, internal: u16) -> Option<u16> {
        let parity = Parity::of(internal);
        self.draw_port_rare(protocol, class, parity.other())
            .or_else(|| self.reclaim_port(now, protocol, class))
            .or_else(|| self.draw_port_rare(protocol, Class::ANY, parity))
            .or_else(|| self.draw_port_rare(protocol, Class::ANY, parity.other()))
            .or_else(|| self.reclaim_port(now, protocol, Class::ANY))
    }

    fn reclaim_port(&mut self, now: Instant, protocol: Protocol, class: Class) -> Option<u16> {
        let port = self.tables.mappings.reclaim(now, &self.keys, protocol, class)?;
        self.give_back(protocol, port);
        Some(port)
    }

    #[inline(always)]
    fn draw_port(&mut self, protocol: Protocol, class: Class, parity: Parity) -> Option<u16> {
        let (pool, range) = (self.tables.ports.get(protocol as usize)?, self.settings.ports);
        pool.choose(class, range, parity, || self.keys.draw_third())
    }

    /// The same, in code that all share who are in no hurry.
    #[cold]
    #[inline(never)]
    fn draw_port_rare(&mut self, protocol: Protocol, class: Class, parity: Parity) -> Option<u16> {
        self.draw_port(protocol, class, parity)
    }

    /// The external ports of a protocol; those that have none have no pool.
    pub(crate) fn pool(&mut self, protocol: Protocol) -> Option<&mut Ports> {
        self.tables.ports.get_mut(protocol as usize)
    }

    /// Puts an external port back into its pool.
    pub(crate) fn give_back(&mut self, protocol: Protocol, port: u16) {
        if let Some(pool) = self.pool(protocol) {
            pool.release(port);
        }
    }

    /// Takes an external port out of its pool.
    pub(crate) fn take_out(&mut self, protocol: Protocol, port: u16) {
        if let Some(pool) = self.pool(protocol) {
            pool.take(port);
        }
    }

    /// Ends what has expired, a bounded number at a time.
    pub(crate) fn tidy(&mut self, now: Instant) {
        self.tidy_sessions(now, TIDY);
        self.tidy_mappings(now, TIDY);
    }

    #[inline(never)]
    fn tidy_sessions(&mut self, now: Instant, most: usize) {
        for _ in 0..most {
            match self.tables.sessions.meet(now) {
                Some(Met::Expired(slot)) => {
                    let grouping = self.rules.grouping(self.tables.sessions.at(slot).protocol());
                    self.settle_account(slot);
                    self.let_go(now, slot);
                    self.tables.sessions.end_met(now, &self.keys, grouping, slot);
                }
                Some(Met::Other) => (),
                None => break,
            }
        }
    }

    /// Ends what has expired, and nothing that lives (RFC 6888 REQ-11), where that may make room for a new session. To be
    /// called before anything is looked up: nothing that is in hand afterwards is ended until the session stands.
    #[inline(always)]
    pub(crate) fn make_room(&mut self, now: Instant) {
        if self.is_reserve() && self.tables.sessions.next_meeting() <= now {
            self.tidy_sessions(now, TIDY_FOR_ONE);
        }
    }

    fn tidy_mappings(&mut self, now: Instant, most: usize) {
        for protocol in Protocol::WITH_PORTS {
            for _ in 0..most {
                let Some(port) = self.tables.mappings.expire(now, &self.keys, protocol) else { break };
                self.give_back(protocol, port);
            }
        }
    }

    /// Makes room for one mapping at the expense of the one that has cooled longest.
    fn reclaim_any(&mut self, now: Instant) {
        if let Some((protocol, port)) = self.tables.mappings.reclaim_any(now, &self.keys) {
            self.give_back(protocol, port);
        }
    }
}

/// The class to choose an external port from (RFC 4787 REQ-3a). Query identifiers know none.
fn class_of(protocol: Protocol, internal: u16) -> Class {
    match protocol {
        Protocol::Icmp | Protocol::Other => Class::ANY,
        Protocol::Tcp | Protocol::Udp => Class::of(internal),
    }
}
