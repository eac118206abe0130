//! Conntrack: finding, opening and ending sessions, in step with the mappings and ports they need.
//!
//! Nothing established is ever evicted to make room (RFC 6888 REQ-11). When the tables are full, what has expired is
//! ended first, a bounded number at a time; then new sessions are refused.

use core::net::Ipv4Addr;

use crate::endpoint::{Endpoint, Protocol};
use crate::engine::Engine;
use crate::fragments::Fragments;
use crate::half_open::HalfOpen;
use crate::hosts::Hosts;
use crate::index::Slot;
use crate::keys::at;
use crate::mapping::Mappings;
use crate::ports::{Class, Parity, Ports};
use crate::session::{Begun, First, Grouping, Met, Session, Sessions};
use crate::settings::Dependence;
use crate::time::Instant;
use crate::verdict::{DropReason, RejectReason, Verdict};

/// How many records one call looks at when it tidies up (V7).
const TIDY: usize = 64;

/// The engine's tables, all zero at first, so that a static of them costs nothing in an image.
pub struct Tables<const SESSIONS: usize> {
    pub(crate) sessions: Sessions<SESSIONS>,
    pub(crate) mappings: Mappings<SESSIONS>,
    pub(crate) ports: [Ports; Protocol::MAPPED],
    pub(crate) fragments: Fragments,
    pub(crate) hosts: Hosts,
    pub(crate) half_open: HalfOpen,
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
        }
    }
}

impl<const SESSIONS: usize> Default for Tables<SESSIONS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// The session between an internal endpoint and a remote end. It may have expired.
    #[inline(always)]
    pub(crate) fn seek_outbound(
        &self,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<Slot> {
        let remote = self.rules.scoped(protocol, remote);
        self.tables.sessions.outbound(&self.keys, protocol, internal, remote)
    }

    /// The session between an external port and a remote end. It may have expired.
    #[inline(always)]
    pub(crate) fn seek_inbound(&self, protocol: Protocol, external: u16, remote: Endpoint) -> Option<Slot> {
        let remote = self.rules.scoped(protocol, remote);
        self.tables.sessions.inbound(&self.keys, protocol, external, remote)
    }

    /// The live session between an internal endpoint and a remote end.
    pub(crate) fn find_outbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Option<Slot> {
        let found = self.seek_outbound(protocol, internal, remote);
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
        let found = self.seek_inbound(protocol, external, remote);
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

    /// Where a live mapping of an external port leads. It may outlive its last session by a tick of the wheel.
    pub(crate) fn mapped(&self, protocol: Protocol, external: u16) -> Option<Endpoint> {
        let slot = self.tables.mappings.by_external(&self.keys, protocol, external)?;
        let mapping = self.tables.mappings.at(slot);
        mapping.is_live().then_some(mapping.internal)
    }

    /// Opens a session from inside, with the mapping that the mapping behaviour asks for.
    pub(crate) fn open_outbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        if self.settings.external.is_none() {
            return Err(DropReason::NoAddress.into());
        }
        if self.tables.sessions.is_full() {
            return Err(RejectReason::TableFull.into());
        }
        let host = self.host_with_room(internal.address)?;
        let slot = self.open_shared(now, protocol, internal, remote, first)?;
        self.tables.hosts.begin(host);
        Ok(slot)
    }

    /// The host that begins a session, if it may have one more.
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

    fn open_shared(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        if protocol == Protocol::Other {
            return self.open_portless(now, internal, remote, first);
        }
        if let Some(external) = self.settings.forwards.outward(protocol, internal) {
            return self.open(now, protocol, internal, external, remote, first);
        }
        let mapping = match self.existing_mapping(protocol, internal, remote) {
            Some(mapping) => mapping,
            None => self.new_mapping(now, protocol, internal)?,
        };
        let external = self.tables.mappings.at(mapping).external;
        let opened = self.open(now, protocol, internal, external, remote, first);
        self.tables.mappings.cool(now, mapping, self.idle.cooldown);
        opened
    }

    /// Opens a session of a protocol without ports. Its external end is our address and the protocol's number, which
    /// only one internal host at a time can have towards a remote host.
    fn open_portless(
        &mut self,
        now: Instant,
        internal: Endpoint,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        if !self.settings.other_protocols {
            return Err(DropReason::Protocol.into());
        }
        if self.find_inbound(now, Protocol::Other, internal.port, remote).is_some() {
            return Err(DropReason::ProtocolTaken.into());
        }
        self.insert(now, Protocol::Other, internal, internal.port, remote, first)
    }

    /// Opens a session between ends that are already decided.
    pub(crate) fn open(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        external: u16,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        let mapping = self.tables.mappings.by_external(&self.keys, protocol, external);
        match mapping {
            Some(mapping) => self.tables.mappings.retain(mapping).ok_or(RejectReason::TableFull)?,
            None if self.settings.forwards.inward(protocol, external).is_some() => (),
            // The session that kept it has just been found expired.
            None => return Err(DropReason::NoMapping.into()),
        }
        let slot = self.insert(now, protocol, internal, external, remote, first);
        if slot.is_err()
            && let Some(mapping) = mapping
        {
            self.tables.mappings.release(now, mapping, self.idle.cooldown);
        }
        slot
    }

    fn insert(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        external: u16,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        let remote = self.rules.scoped(protocol, remote);
        let grouping = self.rules.grouping(protocol);
        let millis = self.idle.millis(protocol, first.state);
        let session = Session::new(protocol, internal, external, remote, first);
        let slot = self.tables.sessions.insert(now, &self.keys, grouping, session, millis);
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
        let grouping = self.rules.grouping(self.tables.sessions.at(slot).protocol);
        self.tables.sessions.end(&self.keys, grouping, slot);
        self.let_go(now, slot);
    }

    /// Counts a session no more for whom it was counted.
    fn settle_account(&mut self, slot: Slot) {
        let Session { protocol, internal, external, remote, .. } = *self.tables.sessions.at(slot);
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
        let Session { protocol, external, remote, .. } = *self.tables.sessions.at(slot);
        let grouping = self.rules.grouping(protocol);
        if self.tables.sessions.answer(&self.keys, grouping, slot).is_some() {
            let forward = self.settings.forwards.number(protocol, external);
            self.tables.half_open.leave(&self.keys, remote.address, forward);
        }
    }

    fn let_go(&mut self, now: Instant, slot: Slot) {
        let Session { protocol, external, .. } = *self.tables.sessions.at(slot);
        if let Some(mapping) = self.tables.mappings.by_external(&self.keys, protocol, external) {
            self.tables.mappings.release(now, mapping, self.idle.cooldown);
        }
    }

    /// The mapping that a new session shares with those its internal endpoint has already (RFC 4787 REQ-1 and s.4.1).
    fn existing_mapping(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Option<Slot> {
        let grouping = self.rules.grouping(protocol);
        match self.settings.mapping.of(protocol) {
            Dependence::Endpoint => self.tables.mappings.by_internal(&self.keys, protocol, internal),
            Dependence::Address if grouping == Grouping::ByInternal => {
                let sessions = &self.tables.sessions;
                let host = sessions.host(&self.keys, grouping, protocol, internal, remote.address)?;
                let external = sessions.at(host).external;
                // The host may have come in through another port than ours, or may linger after its mapping.
                let mapping = self.tables.mappings.by_external(&self.keys, protocol, external)?;
                (self.tables.mappings.at(mapping).internal == internal).then_some(mapping)
            }
            // Sessions are kept by as much as the mapping depends on: a new session is a new mapping.
            Dependence::Address | Dependence::AddressAndPort => None,
        }
    }

    fn new_mapping(&mut self, now: Instant, protocol: Protocol, internal: Endpoint) -> Result<Slot, Verdict> {
        let external = self.choose_port(protocol, internal.port).ok_or(RejectReason::PortsExhausted)?;
        if self.tables.mappings.used() as usize == SESSIONS {
            self.reclaim_any(now);
        }
        let shared = self.settings.mapping.of(protocol) == Dependence::Endpoint;
        let created = self.tables.mappings.create(&self.keys, protocol, internal, external, shared);
        if created.is_some() {
            self.pool(protocol).take(external);
        }
        created.ok_or(Verdict::Reject(RejectReason::TableFull))
    }

    /// A free external port: of the internal port's class and parity, else of its class, else one of it that still
    /// cools, else any.
    fn choose_port(&mut self, protocol: Protocol, internal: u16) -> Option<u16> {
        if self.settings.preserve_ports && self.pool(protocol).is_free(internal) {
            return Some(internal);
        }
        let class = class_of(protocol, internal);
        self.choose_from(protocol, class, internal)
            .or_else(|| self.choose_from(protocol, Class::ANY, internal))
    }

    fn choose_from(&mut self, protocol: Protocol, class: Class, internal: u16) -> Option<u16> {
        let parity = Parity::of(internal);
        if let Some(port) = self.draw_port(protocol, class, parity) {
            return Some(port);
        }
        if let Some(port) = self.draw_port(protocol, class, parity.other()) {
            return Some(port);
        }
        let port = self.tables.mappings.reclaim(&self.keys, protocol, class)?;
        self.pool(protocol).release(port);
        Some(port)
    }

    fn draw_port(&mut self, protocol: Protocol, class: Class, parity: Parity) -> Option<u16> {
        let pool = self.tables.ports.get(protocol as usize)?;
        pool.choose(class, parity, || self.keys.draw())
    }

    pub(crate) fn pool(&mut self, protocol: Protocol) -> &mut Ports {
        &mut self.tables.ports[protocol as usize]
    }

    /// Ends what has expired, a bounded number at a time.
    pub(crate) fn tidy(&mut self, now: Instant) {
        for _ in 0..TIDY {
            match self.tables.sessions.meet(now) {
                Some(Met::Expired(slot)) => {
                    let grouping = self.rules.grouping(self.tables.sessions.at(slot).protocol);
                    self.settle_account(slot);
                    self.let_go(now, slot);
                    self.tables.sessions.end_met(now, &self.keys, grouping, slot);
                }
                Some(Met::Other) => (),
                None => break,
            }
        }
        self.tidy_mappings(now);
    }

    /// Ends what has expired where that may make room for a new session. To be called before anything is looked up:
    /// nothing that is in hand afterwards is ended until the session stands.
    pub(crate) fn make_room(&mut self, now: Instant) {
        if self.is_reserve() {
            self.tidy(now);
        } else {
            self.tidy_mappings(now);
        }
    }

    fn tidy_mappings(&mut self, now: Instant) {
        for protocol in Protocol::WITH_PORTS {
            for _ in 0..TIDY {
                let Some(port) = self.tables.mappings.expire(now, &self.keys, protocol) else { break };
                self.pool(protocol).release(port);
            }
        }
    }

    /// Makes room for one mapping at the expense of the one that has cooled longest.
    fn reclaim_any(&mut self, now: Instant) {
        if let Some((protocol, port)) = self.tables.mappings.reclaim_any(now, &self.keys) {
            self.pool(protocol).release(port);
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
