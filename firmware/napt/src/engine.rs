//! The door: [`Engine::translate`], and behind it the three ways through the NAT.
//!
//! * *outbound*, from inside to anywhere outside: source becomes its external endpoint (RFC 3022 s.2.2);
//! * *inbound*, from outside to an external endpoint: destination becomes the internal one, if the filter knows the
//!   sender or a forward says so (RFC 4787 s.5);
//! * *hairpin*, from inside to an external endpoint: both, as if it had gone out and come back (RFC 4787 s.6).
//!
//! Each of them, and ICMP errors too, goes parse, decide, commit, rewrite. Until the decision stands nothing changes
//! but that expired sessions are ended; the rewriting itself cannot fail.

use core::net::Ipv4Addr;

use crate::conntrack::Tables;
use crate::embedded::{self, Embedded};
use crate::endpoint::{Endpoint, Protocol};
use crate::forward::MAX_FORWARDS;
use crate::fragments::{Identifications, Key, Part, Translated};
use crate::hosts::HostUse;
use crate::index::Slot;
use crate::keys::Keys;
use crate::packet::{self, HEADER, Packet};
use crate::rewrite::{self, Rewrite};
use crate::session::{Begun, First};
use crate::settings::{Dependence, Idle, Limits, Rules, Settings};
use crate::streams::Fit;
use crate::tcp::{Direction, Segment};
use crate::time::Instant;
use crate::transport::{Flow, Heading, Message, Transport};
use crate::verdict::{Counters, DropReason, RejectReason, Verdict};
use crate::{Realm, Seed};

/// The NAPT engine, with tables for `SESSIONS` sessions.
pub struct Engine<'t, const SESSIONS: usize> {
    pub(crate) tables: &'t mut Tables<SESSIONS>,
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) idle: Idle,
    pub(crate) rules: Rules,
    /// The largest TCP segment that a SYN may ask for.
    pub(crate) segment_size: Option<u16>,
    identifications: Identifications,
    pub(crate) limits: Limits,
    pub(crate) hits: [Hits; MAX_FORWARDS],
    counters: [Counters; 2],
}

/// How often something has happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// So often.
    pub count: u64,
    /// And then for the last time.
    pub last: Option<Instant>,
}

/// How full the tables are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Live sessions.
    pub sessions: u32,
    /// The most there ever were.
    pub most: u32,
    /// Mappings, those included that only cool.
    pub mappings: u32,
    /// Room for either.
    pub capacity: u32,
}

impl<'t, const SESSIONS: usize> Engine<'t, SESSIONS> {
    /// An engine that works by `settings`, in `tables` that nobody has used before.
    pub fn new(tables: &'t mut Tables<SESSIONS>, settings: Settings, seed: &Seed) -> Self {
        let (idle, rules) = (Idle::new(&settings.timers), Rules::new(&settings));
        let (mut keys, segment_size) = (Keys::new(seed), settings.segment_size());
        let identifications = Identifications::new(&mut keys);
        let mut engine = Self {
            tables,
            keys,
            idle,
            rules,
            segment_size,
            identifications,
            limits: Limits::new(&settings.shares, SESSIONS as u32),
            hits: [Hits { count: 0, last: None }; MAX_FORWARDS],
            counters: Default::default(),
            settings,
        };
        for protocol in Protocol::WITH_PORTS {
            engine.fill_pool(protocol);
        }
        engine
    }

    /// Every port of the range is free, but those that belong to forwards (M19).
    pub(crate) fn fill_pool(&mut self, protocol: Protocol) {
        self.pool(protocol).clear();
        let range = self.settings.ports;
        for port in range.first()..=range.last() {
            self.pool(protocol).release(port);
        }
        let pool = &mut self.tables.ports[protocol as usize];
        self.settings.forwards.owned(protocol).for_each(|port| pool.take(port));
    }

    /// Takes a packet that came from realm `from`, decides, and translates it in place if the verdict is `Forward`.
    /// On any other verdict its bytes are as they were.
    #[inline]
    pub fn translate(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Verdict {
        let verdict = self.translate_own(now, from, packet);
        self.count(from, verdict);
        verdict
    }

    /// The same for a packet that the box itself has made, as if from realm `from`: it is not counted.
    #[inline]
    pub fn translate_own(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Verdict {
        let verdict = match packet.is_fragment() {
            false => self.forward(now, from, packet),
            true => self.fragment(now, from, packet),
        };
        let (Ok(verdict) | Err(verdict)) = verdict;
        verdict
    }

    /// Counts a verdict that was reached without the engine, such as that of a packet that could not be parsed.
    pub fn count(&mut self, from: Realm, verdict: Verdict) {
        self.counters[from as usize].count(verdict);
    }

    /// Ends what has expired at `now`, a bounded amount of it.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tidy(now);
    }

    /// When [`Engine::handle_timeout`] next has something to do, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let idle = self.tables.sessions.is_empty() && self.tables.mappings.used() == 0;
        (!idle).then(|| self.tables.sessions.next_meeting())
    }

    /// Tells the engine the largest packet that a realm's link carries from now on, in bytes.
    pub fn set_mtu(&mut self, of: Realm, mtu: u16) {
        match of {
            Realm::Internal => self.settings.internal_mtu = mtu,
            Realm::External => self.settings.external_mtu = mtu,
        }
        self.segment_size = self.settings.segment_size();
    }

    /// The counters of packets that came from a realm.
    pub fn counters(&self, from: Realm) -> &Counters {
        &self.counters[from as usize]
    }

    /// How full the tables are.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            sessions: self.tables.sessions.live(),
            most: self.tables.sessions.most(),
            mappings: self.tables.mappings.used(),
            capacity: SESSIONS as u32,
        }
    }

    /// Who inside has had sessions lately, and how many.
    pub fn hosts(&self) -> impl Iterator<Item = HostUse> {
        self.tables.hosts.iter()
    }

    /// How often somebody outside wanted to begin a session through each forward, in the order of the settings.
    pub fn forward_hits(&self) -> impl Iterator<Item = Hits> {
        self.hits.iter().copied().take(self.settings.forwards.iter().count())
    }

    /// How many sessions that began outside, through each forward, nobody has answered yet.
    pub fn forwards_half_open(&self) -> impl Iterator<Item = u32> {
        (0..self.settings.forwards.iter().count()).map(|number| self.tables.half_open.of(Some(number)))
    }

    /// What the engine was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a packet with a transport header: a whole one, or a first fragment.
    #[inline]
    fn forward(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Result<Verdict, Verdict> {
        match from {
            Realm::Internal => self.outbound(now, packet),
            Realm::External => self.inbound(now, packet),
        }
    }

    /// Takes a fragment: a first one like any packet, another by what became of its first.
    #[cold]
    #[inline(never)]
    fn fragment(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Result<Verdict, Verdict> {
        let (key, part) = (Key::of(from, packet.header), Part::of(&packet)?);
        match (self.tables.fragments.find(now, &key), part.is_first()) {
            (None, true) => self.first_fragment(now, from, key, part, packet),
            (Some(translated), false) => self.next_fragment(now, &key, part, translated, packet),
            (Some(_), true) => Err(DropReason::FragmentOverlap.into()),
            (None, false)
                if from == Realm::External && Some(packet.destination()) != self.settings.external =>
            {
                Err(DropReason::NotOurs.into())
            }
            (None, false) => Ok(Verdict::Hold),
        }
    }

    fn first_fragment(
        &mut self,
        now: Instant,
        from: Realm,
        key: Key,
        part: Part,
        mut packet: Packet<'_>,
    ) -> Result<Verdict, Verdict> {
        let Verdict::Forward(to) = self.forward(now, from, packet.lend())? else {
            return Err(DropReason::Fragment.into());
        };
        if from == Realm::Internal {
            self.identify(packet.header);
        }
        let (source, destination) = (packet.source(), packet.destination());
        let translated = Translated { to, id: packet::word(packet.header, 4), source, destination };
        self.tables.fragments.open(now, key, part, translated, self.idle.fragment);
        Ok(Verdict::Forward(to))
    }

    fn next_fragment(
        &mut self,
        now: Instant,
        key: &Key,
        part: Part,
        translated: Translated,
        packet: Packet<'_>,
    ) -> Result<Verdict, Verdict> {
        let Translated { to, id, source, destination } = translated;
        Transit::of(&packet).check(0, self.mtu(to))?;
        self.tables.fragments.pass(now, key, part)?;
        let Packet { header, .. } = packet;
        let end = |address| Some(Endpoint::new(address, 0));
        let rewrite = Rewrite { source: end(source), destination: end(destination), segment_size: None };
        rewrite::header(&rewrite, header);
        rewrite::identification(header, id);
        Ok(Verdict::Forward(to))
    }

    /// Gives a packet that leaves in pieces an identification of ours.
    fn identify(&mut self, header: &mut [u8; HEADER]) {
        let id = self.identifications.draw(&self.keys);
        rewrite::identification(header, id);
    }

    fn mtu(&self, of: Realm) -> u16 {
        match of {
            Realm::Internal => self.settings.internal_mtu,
            Realm::External => self.settings.external_mtu,
        }
    }

    #[inline]
    fn outbound(&mut self, now: Instant, packet: Packet<'_>) -> Result<Verdict, Verdict> {
        let whole = !packet.is_fragment();
        let transit = Transit::of(&packet);
        let Packet { header, payload, checksum, .. } = packet;
        match Transport::parse(header[9], payload, whole)? {
            Transport::Flow(flow) | Transport::Query(flow) => {
                let Flow { heading, mut fields } = flow;
                if Some(transit.destination) == self.settings.external {
                    let rewrite = self.hairpin(now, transit, heading)?;
                    rewrite::packet(&rewrite, header, &mut fields, checksum);
                    return Ok(Verdict::Forward(Realm::Internal));
                }
                let rewrite = self.send(now, transit, heading)?;
                rewrite::packet(&rewrite, header, &mut fields, checksum);
                if transit.leaves_in_pieces(self.settings.external_mtu) {
                    self.identify(header);
                }
                Ok(Verdict::Forward(Realm::External))
            }
            Transport::Reply(_) => Err(DropReason::NoSession.into()),
            Transport::Error(message) => {
                let (realm, outer) = self.send_error(now, transit, message)?;
                rewrite::header(&outer, header);
                Ok(Verdict::Forward(realm))
            }
        }
    }

    #[inline]
    fn inbound(&mut self, now: Instant, packet: Packet<'_>) -> Result<Verdict, Verdict> {
        if Some(packet.destination()) != self.settings.external {
            return Err(DropReason::NotOurs.into());
        }
        let whole = !packet.is_fragment();
        let transit = Transit::of(&packet);
        let Packet { header, payload, checksum, .. } = packet;
        let rewrite = match Transport::parse(header[9], payload, whole)? {
            Transport::Flow(flow) | Transport::Reply(flow) => {
                let Flow { heading, mut fields } = flow;
                let rewrite = self.deliver(now, transit, heading)?;
                rewrite::packet(&rewrite, header, &mut fields, checksum);
                return Ok(Verdict::Forward(Realm::Internal));
            }
            Transport::Query(_) => return Ok(Verdict::Local),
            Transport::Error(message) => self.deliver_error(now, transit, message)?,
        };
        rewrite::header(&rewrite, header);
        Ok(Verdict::Forward(Realm::Internal))
    }

    /// Decides on a packet from inside, and commits to it.
    #[inline(always)]
    fn send(&mut self, now: Instant, transit: Transit, flow: Heading) -> Result<Rewrite, Verdict> {
        let (internal, remote) = transit.ends(flow);
        transit.check(flow.header_len, self.settings.external_mtu)?;
        let slot = match self.find_outbound(now, flow.protocol, internal, remote) {
            Some(slot) => slot,
            None => self.begin_outbound(now, internal, remote, flow)?,
        };
        self.track(now, slot, Direction::Outbound, flow.segment)?;
        Ok(self.flow_rewrite(Some(self.external_end(slot)), None))
    }

    /// Decides on a packet from inside to one of our own external endpoints, and commits to it (RFC 4787 REQ-9).
    ///
    /// It is one packet of two sessions: the sender's, whose remote end is the external endpoint it was sent to, and
    /// the receiver's, whose remote end is the sender's external endpoint. It comes from inside, so the receiver's
    /// filter has no say.
    #[cold]
    #[inline(never)]
    fn hairpin(&mut self, now: Instant, transit: Transit, flow: Heading) -> Result<Rewrite, Verdict> {
        let (internal, remote) = transit.ends(flow);
        self.make_room(now);
        let receiver = self.leads_to(flow.protocol, remote.port).ok_or(DropReason::NoMapping)?;
        transit.check(flow.header_len, self.settings.internal_mtu)?;
        let sender = match self.find_outbound(now, flow.protocol, internal, remote) {
            Some(slot) => slot,
            None => {
                first(Direction::Inbound, flow.segment)?;
                let first = first(Direction::Outbound, flow.segment)?;
                self.open_outbound(now, flow.protocol, internal, remote, first)?
            }
        };
        let source = self.external_end(sender);
        let receiving = match self.find_inbound(now, flow.protocol, remote.port, source) {
            Some(slot) => slot,
            None => {
                let first = first(Direction::Inbound, flow.segment)?;
                self.open_inbound(now, flow.protocol, receiver, remote.port, source, first)?
            }
        };
        self.track(now, receiving, Direction::Inbound, flow.segment)?;
        self.track(now, sender, Direction::Outbound, flow.segment)?;
        let destination = Some(self.tables.sessions.at(receiving).internal);
        Ok(self.flow_rewrite(Some(source), destination))
    }

    /// Decides on a packet from outside, and commits to it.
    #[inline(always)]
    fn deliver(&mut self, now: Instant, transit: Transit, flow: Heading) -> Result<Rewrite, Verdict> {
        let (remote, external) = transit.ends(flow);
        let slot = match self.find_inbound(now, flow.protocol, external.port, remote) {
            Some(slot) => {
                transit.check(flow.header_len, self.settings.internal_mtu)?;
                slot
            }
            None => self.begin_inbound(now, transit, flow)?,
        };
        self.track(now, slot, Direction::Inbound, flow.segment)?;
        let destination = Some(self.tables.sessions.at(slot).internal);
        Ok(self.flow_rewrite(None, destination))
    }

    /// Opens the session of a packet from inside that has none.
    #[cold]
    #[inline(never)]
    fn begin_outbound(
        &mut self,
        now: Instant,
        internal: Endpoint,
        remote: Endpoint,
        flow: Heading,
    ) -> Result<Slot, Verdict> {
        let first = first(Direction::Outbound, flow.segment)?;
        self.make_room(now);
        self.open_outbound(now, flow.protocol, internal, remote, first)
    }

    /// Opens the session of a packet from outside that has none, if it may have one.
    #[cold]
    #[inline(never)]
    fn begin_inbound(&mut self, now: Instant, transit: Transit, flow: Heading) -> Result<Slot, Verdict> {
        let (remote, external) = transit.ends(flow);
        self.make_room(now);
        let internal = self.admit(flow.protocol, external.port, remote)?;
        transit.check(flow.header_len, self.settings.internal_mtu)?;
        let first = first(Direction::Inbound, flow.segment)?;
        let forward = self.settings.forwards.number(flow.protocol, external.port);
        self.let_in(now, remote.address, forward)?;
        self.open_inbound(now, flow.protocol, internal, external.port, remote, first)
    }

    /// Where a packet from a remote end without a session may go: through a forward, or through a mapping whose
    /// filtering behaviour lets it in (RFC 4787 s.5, RFC 5382 REQ-3). Nothing else from outside gets a session (M13).
    fn admit(&self, protocol: Protocol, external: u16, remote: Endpoint) -> Result<Endpoint, DropReason> {
        if let Some(internal) = self.settings.forwards.inward(protocol, external) {
            return Ok(internal);
        }
        let internal = self.mapped(protocol, external).ok_or(DropReason::NoMapping)?;
        let known = match self.settings.filtering.of(protocol) {
            Dependence::Endpoint => true,
            Dependence::Address => self.knows_address(protocol, external, internal, remote.address),
            Dependence::AddressAndPort => false,
        };
        if known { Ok(internal) } else { Err(DropReason::Filtered) }
    }

    /// Whether one more session may begin outside (A6).
    fn let_in(&mut self, now: Instant, source: Ipv4Addr, forward: Option<usize>) -> Result<(), DropReason> {
        if let Some(hits) = forward.and_then(|number| self.hits.get_mut(number)) {
            *hits = Hits { count: hits.count + 1, last: Some(now) };
        }
        if self.is_reserve() {
            return Err(DropReason::Reserve);
        }
        let has_room = self.tables.half_open.has_room(&self.keys, self.limits.half_open, source, forward);
        if has_room { Ok(()) } else { Err(DropReason::HalfOpen) }
    }

    /// Where an external port leads, by forward or by mapping.
    fn leads_to(&self, protocol: Protocol, external: u16) -> Option<Endpoint> {
        self.settings.forwards.inward(protocol, external).or_else(|| self.mapped(protocol, external))
    }

    fn open_inbound(
        &mut self,
        now: Instant,
        protocol: Protocol,
        internal: Endpoint,
        external: u16,
        remote: Endpoint,
        first: First,
    ) -> Result<Slot, Verdict> {
        if self.find_outbound(now, protocol, internal, remote).is_some() {
            return Err(DropReason::Ambiguous.into());
        }
        self.open(now, protocol, internal, external, remote, first)
    }

    /// Decides on an ICMP error from inside and rewrites what it quotes: a packet that was delivered to an internal
    /// endpoint (RFC 5508 s.4.2.2). Whoever inside sent the error, outside it comes from us. Neither session nor timer
    /// is touched (REQ-6). Returns how the error itself is to be rewritten.
    #[cold]
    #[inline(never)]
    fn send_error(
        &mut self,
        now: Instant,
        transit: Transit,
        message: Message<'_>,
    ) -> Result<(Realm, Rewrite), Verdict> {
        let quoted = Embedded::parse(message)?;
        embedded::returns_to(quoted.source, transit.destination)?;
        let slot = self
            .find_outbound(now, quoted.protocol, quoted.destination, quoted.source)
            .ok_or(DropReason::EmbeddedNoSession)?;
        let destination = Some(self.external_end(slot));
        let source = Some(Endpoint::new(self.external_address(), 0));
        if Some(transit.destination) != self.settings.external {
            transit.check(0, self.settings.external_mtu)?;
            quoted.rewrite(&Rewrite { destination, ..Rewrite::default() });
            return Ok((Realm::External, Rewrite { source, ..Rewrite::default() }));
        }
        // Hairpinned (RFC 5508 REQ-7): the quoted packet came from another internal endpoint, through us.
        let external = self.external_end(slot);
        let sender = self
            .find_inbound(now, quoted.protocol, quoted.source.port, external)
            .ok_or(DropReason::EmbeddedNoSession)?;
        transit.check(0, self.settings.internal_mtu)?;
        let internal = Some(self.tables.sessions.at(sender).internal);
        quoted.rewrite(&Rewrite { source: internal, destination, ..Rewrite::default() });
        Ok((Realm::Internal, Rewrite { source, destination: internal, ..Rewrite::default() }))
    }

    /// Decides on an ICMP error from outside and rewrites what it quotes: a packet that we translated on its way out
    /// (RFC 5508 s.4.2.1). Any router on the path may be its source (RFC 4787 REQ-12a). Neither session nor timer is
    /// touched (RFC 5508 REQ-6, RFC 5382 REQ-10). Returns how the error itself is to be rewritten.
    #[cold]
    #[inline(never)]
    fn deliver_error(
        &mut self,
        now: Instant,
        transit: Transit,
        message: Message<'_>,
    ) -> Result<Rewrite, Verdict> {
        let quoted = Embedded::parse(message)?;
        embedded::returns_to(quoted.source, transit.destination)?;
        let slot = self
            .find_inbound(now, quoted.protocol, quoted.source.port, quoted.destination)
            .ok_or(DropReason::EmbeddedNoSession)?;
        let session = self.tables.sessions.at(slot);
        if quoted.seq.is_some_and(|seq| !session.streams.may_be_in_flight(Direction::Outbound, seq)) {
            return Err(DropReason::EmbeddedOutOfWindow.into());
        }
        transit.check(0, self.settings.internal_mtu)?;
        let internal = Some(session.internal);
        quoted.rewrite(&Rewrite { source: internal, ..Rewrite::default() });
        Ok(Rewrite { destination: internal, ..Rewrite::default() })
    }

    /// Moves the session's state and timer on. A segment that cannot belong to its connection moves neither; from
    /// outside, it goes no further.
    #[inline]
    fn track(
        &mut self,
        now: Instant,
        slot: Slot,
        direction: Direction,
        segment: Option<Segment>,
    ) -> Result<(), DropReason> {
        let session = self.tables.sessions.at_mut(slot);
        let (refreshed, answered) = match segment {
            Some(segment) => {
                let before = session.state;
                match session.streams.fit(before, direction, &segment) {
                    Fit::Inside => session.state = before.next(direction, segment.flags),
                    Fit::Outside if direction == Direction::Inbound => return Err(DropReason::OutOfWindow),
                    Fit::Odd | Fit::Outside => return Ok(()),
                }
                let refreshed = before.refreshes(session.state, direction, segment.flags);
                (refreshed, session.state.is_open())
            }
            // RFC 4787 REQ-6: outbound refreshes; inbound does not, or an attacker could keep a mapping alive (T12).
            None => (direction == Direction::Outbound, direction == Direction::Outbound),
        };
        if refreshed {
            session.refresh(now, self.idle.millis(session.protocol, session.state));
        }
        if answered && session.begun() == Some(Begun::HalfOpen) {
            self.answer(slot);
        }
        Ok(())
    }

    fn flow_rewrite(&self, source: Option<Endpoint>, destination: Option<Endpoint>) -> Rewrite {
        Rewrite { source, destination, segment_size: self.segment_size }
    }

    fn external_end(&self, slot: Slot) -> Endpoint {
        Endpoint::new(self.external_address(), self.tables.sessions.at(slot).external)
    }

    /// Our address outside. There are no sessions without one.
    fn external_address(&self) -> Ipv4Addr {
        self.settings.external.unwrap_or(Ipv4Addr::UNSPECIFIED)
    }
}

/// What forwarding asks of a packet, whatever its transport.
#[derive(Clone, Copy)]
struct Transit {
    source: Ipv4Addr,
    destination: Ipv4Addr,
    ttl: u8,
    dont_fragment: bool,
    total_len: usize,
    /// For a packet that stands for many: how long each of them is, the transport header not included.
    segment_len: Option<usize>,
}

impl Transit {
    #[inline]
    fn of(packet: &Packet<'_>) -> Self {
        let header_len = packet.total_len() - packet.payload.len();
        Self {
            source: packet.source(),
            destination: packet.destination(),
            ttl: packet.header[8],
            dont_fragment: packet.dont_fragment(),
            total_len: packet.total_len(),
            segment_len: packet.segment.map(|segment| header_len + usize::from(segment.get())),
        }
    }

    /// Source and destination of a flow.
    #[inline]
    fn ends(self, flow: Heading) -> (Endpoint, Endpoint) {
        (Endpoint::new(self.source, flow.source), Endpoint::new(self.destination, flow.destination))
    }

    /// Whether whoever sends the packet over a link with `mtu` has to fragment it.
    #[inline]
    fn leaves_in_pieces(self, mtu: u16) -> bool {
        self.total_len > usize::from(mtu) && self.segment_len.is_none()
    }

    /// Whether the packet may go one hop further (RFC 1812 s.5.3.1), over a link with `mtu` (RFC 1191).
    #[inline]
    fn check(self, transport_header_len: usize, mtu: u16) -> Result<(), Verdict> {
        if self.ttl <= 1 {
            return Err(RejectReason::TtlExpired.into());
        }
        let len = self.segment_len.map_or(self.total_len, |len| len + transport_header_len);
        if len <= usize::from(mtu) {
            return Ok(());
        }
        match self.segment_len {
            _ if self.dont_fragment => Err(RejectReason::FragmentationNeeded { mtu }.into()),
            Some(_) => Err(DropReason::TooLarge.into()),
            // Whoever sends it fragments it (RFC 4787 REQ-13a).
            None => Ok(()),
        }
    }
}

/// How a session begins with a packet.
fn first(direction: Direction, segment: Option<Segment>) -> Result<First, DropReason> {
    First::new(direction, segment).ok_or(DropReason::NoSession)
}

impl From<DropReason> for Verdict {
    fn from(reason: DropReason) -> Self {
        Self::Drop(reason)
    }
}

impl From<RejectReason> for Verdict {
    fn from(reason: RejectReason) -> Self {
        Self::Reject(reason)
    }
}
