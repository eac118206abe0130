//! The three ways of a flow through the NAT.
//!
//! * *outbound*, from inside to anywhere outside: source becomes its external endpoint (RFC 3022 s.2.2);
//! * *inbound*, from outside to an external endpoint: destination becomes the internal one, if the filter knows the
//!   sender or a forward says so (RFC 4787 s.5);
//! * *hairpin*, from inside to an external endpoint: both, as if it had gone out and come back (RFC 4787 s.6).
//!
//! Each of them goes decide, commit, rewrite. Until the decision stands nothing changes but that expired sessions are
//! ended; the rewriting itself cannot fail. What happens to every packet is inlined into one run of instructions for
//! each protocol; what happens once a session is kept out of its way.

use core::net::Ipv4Addr;

use crate::Realm;
use crate::conntrack::Wanted;
use crate::endpoint::{Endpoint, Protocol};
use crate::engine::{Engine, Hits};
use crate::index::Slot;
use crate::packet::{self, HEADER, Shape};
use crate::policy::{Action, Asked, Way};
use crate::rewrite::{self, Rewrite};
use crate::session::First;
use crate::settings::Dependence;
use crate::tcp::{Direction, Segment};
use crate::time::Instant;
use crate::transit::Transit;
use crate::transport::{self, Heading, Other, Query, Tcp, Transport, Udp};
use crate::verdict::{DropReason, RejectReason, Verdict};

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Takes a packet of a flow from inside.
    #[inline(never)]
    pub(crate) fn outbound<T: Transport>(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let ports = match T::ports(header, payload) {
            Ok(ports) => ports,
            Err(reason) => return self.refuse(Realm::Internal, reason),
        };
        let destination = packet::destination(header);
        if destination == self.external {
            return (self.rarely.hairpin)(self, now, Realm::Internal, header, payload, shape);
        }
        let internal = Endpoint::new(packet::source(header), ports.source);
        let remote = Endpoint::new(destination, ports.destination);
        let sought = self.seek_outbound_rare(T::PROTOCOL, internal, remote);
        self.outbound_sought::<T>(now, sought, header, payload, shape)
    }

    /// Takes a packet of a flow from inside that has no session yet, or with which its session changes. It is taken
    /// apart again: what is handed over would have to lie in memory for every packet.
    #[cold]
    #[inline(never)]
    pub(crate) fn outbound_sought<T: Transport>(
        &mut self,
        now: Instant,
        (key, found): (u64, Option<Slot>),
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let passed = self.outbound_carefully::<T>(now, (key, found), header, payload, shape);
        self.settle(Realm::Internal, passed)
    }

    #[inline]
    fn outbound_carefully<T: Transport>(
        &mut self,
        now: Instant,
        (key, found): (u64, Option<Slot>),
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Result<Realm, Verdict> {
        let flow = T::heading(header, payload)?;
        let transit = Transit::of(header, payload, shape);
        self.may_pass(transit, flow.header_len, Realm::External)?;
        let slot = match self.close_expired(now, found) {
            Some(slot) => {
                self.track(now, slot, Direction::Outbound, flow)?;
                slot
            }
            // It begins with this packet, which has been noted then.
            None => self.begin_outbound::<T>(now, transit, flow, key)?,
        };
        let source = Some(self.external_end(slot));
        let rewrite = Rewrite { source, destination: None, segment_size: self.segment_size };
        rewrite::packet::<T>(&rewrite, header, payload, shape.checksum);
        if transit.may_be_fragmented() {
            self.identify(header);
        }
        Ok(Realm::External)
    }

    /// Takes a packet of a flow from outside.
    #[inline(never)]
    pub(crate) fn inbound<T: Transport>(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        if packet::destination(header) != self.external {
            return self.refuse(Realm::External, DropReason::NotOurs);
        }
        let ports = match T::ports(header, payload) {
            Ok(ports) => ports,
            Err(reason) => return self.refuse(Realm::External, reason),
        };
        let remote = Endpoint::new(packet::source(header), ports.source);
        let found = self.seek_inbound_rare(T::PROTOCOL, ports.destination, remote);
        self.inbound_sought::<T>(now, found, header, payload, shape)
    }

    /// Takes a packet of a flow from outside that has no session yet, if it may have one, or with which its session
    /// changes.
    #[cold]
    #[inline(never)]
    pub(crate) fn inbound_sought<T: Transport>(
        &mut self,
        now: Instant,
        found: Option<Slot>,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let passed = self.inbound_carefully::<T>(now, found, header, payload, shape);
        self.settle(Realm::External, passed)
    }

    #[inline]
    fn inbound_carefully<T: Transport>(
        &mut self,
        now: Instant,
        found: Option<Slot>,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Result<Realm, Verdict> {
        let flow = T::heading(header, payload)?;
        let transit = Transit::of(header, payload, shape);
        let slot = match self.close_expired(now, found) {
            Some(slot) => {
                self.may_pass(transit, flow.header_len, Realm::Internal)?;
                slot
            }
            None => self.begin_inbound(now, transit, flow)?,
        };
        let (destination, _) = self.track(now, slot, Direction::Inbound, flow)?;
        let rewrite =
            Rewrite { source: None, destination: Some(destination), segment_size: self.segment_size };
        rewrite::packet::<T>(&rewrite, header, payload, shape.checksum);
        Ok(Realm::Internal)
    }

    /// Decides on a packet from inside to one of our own external endpoints, and commits to it (RFC 4787 REQ-9).
    ///
    /// It is one packet of two sessions: the sender's, whose remote end is the external endpoint it was sent to, and
    /// the receiver's, whose remote end is the sender's external endpoint. It comes from inside, so the receiver's
    /// filter has no say.
    #[cold]
    #[inline(never)]
    pub(crate) fn hairpin(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let passed = match header[9] {
            transport::UDP => self.hairpin_carefully::<Udp>(now, header, payload, shape),
            transport::TCP => self.hairpin_carefully::<Tcp>(now, header, payload, shape),
            transport::ICMP => self.hairpin_carefully::<Query>(now, header, payload, shape),
            _ => self.hairpin_carefully::<Other>(now, header, payload, shape),
        };
        self.settle(from, passed)
    }

    fn hairpin_carefully<T: Transport>(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Result<Realm, Verdict> {
        let (flow, transit) = (T::heading(header, payload)?, Transit::of(header, payload, shape));
        let (source, destination) = self.join(now, transit, flow)?;
        let rewrite =
            Rewrite { source: Some(source), destination: Some(destination), segment_size: self.segment_size };
        rewrite::packet::<T>(&rewrite, header, payload, shape.checksum);
        if transit.may_be_fragmented() {
            self.identify(header);
        }
        Ok(Realm::Internal)
    }

    /// Opens both sessions of a hairpinned packet, those that are not there yet, and moves them on: whom the receiver sees
    /// as its source, and who that is.
    #[cold]
    #[inline(never)]
    fn join(
        &mut self,
        now: Instant,
        transit: Transit,
        flow: Heading,
    ) -> Result<(Endpoint, Endpoint), Verdict> {
        let (internal, remote) = transit.ends(flow);
        self.settings.external.ok_or(DropReason::NoAddress)?;
        self.make_room(now);
        let receiver = self.leads_to(flow.protocol, remote.port).ok_or(DropReason::NoMapping)?;
        self.may_pass(transit, flow.header_len, Realm::Internal)?;
        let known = self.find_outbound(now, flow.protocol, internal, remote);
        let sender = match known {
            Some(slot) => slot,
            None => {
                first(Direction::Inbound, flow.segment)?;
                let first = first(Direction::Outbound, flow.segment)?;
                // Two sessions, or none.
                if self.tables.sessions.free() < 2 {
                    return Err(RejectReason::TableFull.into());
                }
                let (protocol, key) = (flow.protocol, self.outbound_key(flow.protocol, internal, remote));
                self.open_outbound_rare(now, &Wanted { protocol, internal, remote, first, key })?
            }
        };
        let source = self.external_end(sender);
        let receiving = match self.find_inbound(now, flow.protocol, remote.port, source) {
            Some(slot) => Ok(slot),
            None => {
                self.hit(now, self.settings.forwards.number(flow.protocol, remote.port), transit);
                self.receive(now, receiver, remote.port, source, flow)
            }
        };
        let receiving = match receiving {
            Ok(slot) => slot,
            Err(verdict) => {
                if known.is_none() {
                    self.close(now, sender);
                }
                return Err(verdict);
            }
        };
        let (destination, _) = self.track(now, receiving, Direction::Inbound, flow)?;
        self.track(now, sender, Direction::Outbound, flow)?;
        Ok((source, destination))
    }

    /// Opens the session of a packet from inside that has none under `key`.
    #[inline(always)]
    fn begin_outbound<T: Transport>(
        &mut self,
        now: Instant,
        transit: Transit,
        flow: Heading,
        key: u64,
    ) -> Result<Slot, Verdict> {
        let (internal, remote) = transit.ends(flow);
        let first = first(Direction::Outbound, flow.segment)?;
        self.may_begin(now, transit, Way::Outbound, flow.protocol, internal, remote)?;
        self.make_room(now);
        let wanted = Wanted { protocol: T::PROTOCOL, internal, remote, first, key };
        match T::PROTOCOL {
            Protocol::Udp => self.open_outbound(now, &wanted),
            _ => self.open_outbound_rare(now, &wanted),
        }
    }

    /// Opens a session from outside, or that of the receiver of a hairpinned packet.
    #[inline(never)]
    fn receive(
        &mut self,
        now: Instant,
        internal: Endpoint,
        external: u16,
        remote: Endpoint,
        flow: Heading,
    ) -> Result<Slot, Verdict> {
        let first = first(Direction::Inbound, flow.segment)?;
        let protocol = flow.protocol;
        let key = self.outbound_key(protocol, internal, remote);
        self.open_inbound(now, &Wanted { protocol, internal, remote, first, key }, external)
    }

    /// Opens the session of a packet from outside that has none, if it may have one.
    #[inline(never)]
    fn begin_inbound(&mut self, now: Instant, transit: Transit, flow: Heading) -> Result<Slot, Verdict> {
        let (remote, external) = transit.ends(flow);
        self.settings.external.ok_or(DropReason::NotOurs)?;
        self.make_room(now);
        let internal = self.admit(flow.protocol, external.port, remote)?;
        self.may_pass(transit, flow.header_len, Realm::Internal)?;
        first(Direction::Inbound, flow.segment)?;
        self.may_begin(now, transit, Way::Inbound, flow.protocol, internal, remote)?;
        let forward = self.settings.forwards.number(flow.protocol, external.port);
        let counted = self.rules.scoped(flow.protocol, remote);
        self.hit(now, forward, transit);
        self.let_in(counted.address, forward)?;
        self.receive(now, internal, external.port, remote, flow)
    }

    /// Whether the filter rules let a session begin with a packet.
    #[inline(always)]
    fn may_begin(
        &mut self,
        now: Instant,
        transit: Transit,
        way: Way,
        protocol: Protocol,
        internal: Endpoint,
        remote: Endpoint,
    ) -> Result<(), Verdict> {
        match self.ask(now, &Asked::between(way, protocol, internal, remote), transit.len()) {
            Action::Accept => Ok(()),
            Action::Drop => Err(DropReason::Rule.into()),
            Action::Reject(how) => Err(RejectReason::Rule(how).into()),
        }
    }

    /// Where a packet from a remote end without a session may go: through a forward, or through a mapping whose
    /// filtering behaviour lets it in (RFC 4787 s.5, RFC 5382 REQ-3). Nothing else from outside gets a session (M13): a
    /// SYN that nothing lets in is dropped, and whether it is answered later is the router's business (RFC 5382 REQ-4).
    fn admit(&self, protocol: Protocol, external: u16, remote: Endpoint) -> Result<Endpoint, DropReason> {
        if let Some(internal) = self.settings.forwards.inward(protocol, external) {
            return Ok(internal);
        }
        // One that the inside does not want any more lets nobody else in, or the outside could keep it open (T12).
        let wanted = self.mapped(protocol, external).filter(|mapping| mapping.is_wanted());
        let internal = wanted.ok_or(DropReason::NoMapping)?.internal;
        let known = match self.settings.filtering.of(protocol) {
            Dependence::Endpoint => true,
            Dependence::Address => self.knows_address(protocol, external, internal, remote.address),
            Dependence::AddressAndPort => false,
        };
        if known { Ok(internal) } else { Err(DropReason::Filtered) }
    }

    /// A packet wants a session to begin through a forward.
    fn hit(&mut self, now: Instant, forward: Option<usize>, transit: Transit) {
        if let Some(hits) = forward.and_then(|number| self.hits.get_mut(number)) {
            let bytes = hits.bytes + transit.len() as u64;
            *hits = Hits { count: hits.count + 1, bytes, last: Some(now) };
        }
    }

    /// Whether one more session may begin outside (A6).
    fn let_in(&self, source: Ipv4Addr, forward: Option<usize>) -> Result<(), DropReason> {
        if self.is_reserve() {
            return Err(DropReason::Reserve);
        }
        let has_room = self.tables.half_open.has_room(&self.keys, self.limits.half_open, source, forward);
        if has_room { Ok(()) } else { Err(DropReason::HalfOpen) }
    }

    /// Where an external port leads from inside, by forward or by mapping: there is no filter.
    fn leads_to(&self, protocol: Protocol, external: u16) -> Option<Endpoint> {
        self.settings
            .forwards
            .inward(protocol, external)
            .or_else(|| Some(self.mapped(protocol, external)?.internal))
    }

    /// Moves the session's state and timer on; its internal endpoint and its external port.
    #[inline(never)]
    fn track(
        &mut self,
        now: Instant,
        slot: Slot,
        direction: Direction,
        heading: Heading,
    ) -> Result<(Endpoint, u16), DropReason> {
        let session = self.tables.sessions.at_mut(slot);
        let ends = (session.internal(), session.external());
        let answered = session.track(now, &self.idle, direction, heading)?;
        if answered && !session.is_answered() {
            self.answer(slot);
        }
        Ok(ends)
    }

    pub(crate) fn external_end(&self, slot: Slot) -> Endpoint {
        Endpoint::new(self.external, self.tables.sessions.at(slot).external())
    }
}

/// How a session begins with a packet.
#[inline(always)]
fn first(direction: Direction, segment: Option<Segment>) -> Result<First, DropReason> {
    First::new(direction, segment).ok_or(DropReason::NoSession)
}
