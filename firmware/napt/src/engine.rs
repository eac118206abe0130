//! The door: [`Engine::translate`], which sorts packets by where they come from and what they carry.
//!
//! Behind it, `ways` has the flows, `errors` the ICMP errors, `fragments` the packets in pieces.

use core::net::Ipv4Addr;

use crate::conntrack::Tables;
use crate::endpoint::Protocol;
use crate::forward::MAX_FORWARDS;
use crate::fragments::Identifications;
use crate::hosts::HostUse;
use crate::keys::Keys;
use crate::packet::{self, HEADER, Packet, Shape};
use crate::policy::{Action, Asked, Note, PolicyState, RuleUse};
use crate::quick::Data;
use crate::settings::{Idle, Limits, Rules, Settings};
use crate::time::Instant;
use crate::transit::Transit;
use crate::transport::{self, Icmp, Other, Query, Reply, Tcp, Udp};
use crate::verdict::{Counters, DropReason, RejectReason, Verdict};
use crate::{Realm, Seed};

/// The NAPT engine, with tables for `SESSIONS` sessions.
pub struct Engine<'t, const SESSIONS: usize> {
    pub(crate) tables: &'t mut Tables<SESSIONS>,
    pub(crate) settings: Settings,
    /// The external address; unspecified while there is none. Then there are no sessions either, and whoever begins one
    /// looks at the settings.
    pub(crate) external: Ipv4Addr,
    pub(crate) keys: Keys,
    pub(crate) idle: Idle,
    pub(crate) rules: Rules,
    /// The largest TCP segment that a SYN may ask for.
    pub(crate) segment_size: Option<u16>,
    pub(crate) identifications: Identifications,
    pub(crate) limits: Limits,
    pub(crate) hits: [Hits; MAX_FORWARDS],
    pub(crate) policy: PolicyState,
    pub(crate) rarely: Rarely<'t, SESSIONS>,
    counters: [Counters; 2],
}

/// The ways that few packets go, behind pointers: code of an engine is made where it is asked for, and what is reached
/// through these only is asked for where the engine is made, by a crate that is compiled to be small, and not once more where
/// packets are translated, by one that is compiled for speed. What only they need and is no engine's is `#[inline]`, to the
/// same end.
pub(crate) struct Rarely<'t, const SESSIONS: usize> {
    /// [`Engine::pass_special`].
    special: Pass<'t, SESSIONS>,
    /// [`Engine::hairpin`].
    pub(crate) hairpin: Pass<'t, SESSIONS>,
}

/// One of them: what translates a packet from a realm.
type Pass<'t, const SESSIONS: usize> =
    fn(&mut Engine<'t, SESSIONS>, Instant, Realm, &mut [u8; HEADER], &mut [u8], Shape) -> Verdict;

/// How often a session was wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// So often.
    pub count: u64,
    /// The bytes of the packets that wanted one.
    pub bytes: u64,
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
            hits: [Hits { count: 0, bytes: 0, last: None }; MAX_FORWARDS],
            policy: PolicyState::new(),
            rarely: Rarely { special: Self::pass_special, hairpin: Self::hairpin },
            counters: Default::default(),
            external: settings.external.unwrap_or(Ipv4Addr::UNSPECIFIED),
            settings,
        };
        for protocol in Protocol::WITH_PORTS {
            engine.fill_pool(protocol);
        }
        engine
    }

    /// Every port of the range is free, but those that belong to forwards (M19).
    pub(crate) fn fill_pool(&mut self, protocol: Protocol) {
        let (range, forwards) = (self.settings.ports, &self.settings.forwards);
        let Some(pool) = self.tables.ports.get_mut(protocol as usize) else { return };
        pool.clear();
        (range.first()..=range.last()).for_each(|port| pool.release(port));
        forwards.owned(protocol).for_each(|port| pool.take(port));
    }

    /// Takes a packet that came from realm `from`, decides, and translates it in place if the verdict is `Forward`.
    /// On any other verdict its bytes are as they were.
    #[inline(always)]
    pub fn translate(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Verdict {
        let is_plain = packet.is_plain();
        let Packet { header, body, shape, .. } = packet;
        match is_plain {
            true => self.pass(now, from, header, body, shape),
            false => self.pass_rarely(now, from, header, body, shape),
        }
    }

    /// Takes a packet that no quick way is for. That it is rare is known of a function, not of a pointer.
    #[cold]
    #[inline(never)]
    fn pass_rarely(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        body: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        (self.rarely.special)(self, now, from, header, body, shape)
    }

    /// Takes a packet of any kind, which may have options, or be a fragment.
    #[cold]
    #[inline(never)]
    fn pass_special(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        body: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let payload = body.get_mut(packet::options_len(header)..).unwrap_or_default();
        match packet::is_fragment(header) {
            false => self.pass_other(now, from, header, payload, shape),
            true => self.fragment(now, from, header, payload, shape),
        }
    }

    /// The same for all who are in no hurry, in code that they share: [`translate`](Self::translate) is written out
    /// wherever it is called, with a quick way for each kind of packet.
    #[cold]
    #[inline(never)]
    pub fn translate_rare(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Verdict {
        let Packet { header, body, shape, .. } = packet;
        self.pass_special(now, from, header, body, shape)
    }

    /// The same for a packet that the box itself has made, as if from realm `from`: it is not counted.
    pub fn translate_own(&mut self, now: Instant, from: Realm, packet: Packet<'_>) -> Verdict {
        let counted = self.counters[from as usize].clone();
        let verdict = self.translate_rare(now, from, packet);
        self.counters[from as usize] = counted;
        verdict
    }

    /// Counts a verdict that was reached without the engine, such as that of a packet that could not be parsed.
    #[cold]
    pub fn count(&mut self, from: Realm, verdict: Verdict) {
        self.counters[from as usize].count(verdict);
    }

    /// Takes back the count of a verdict that was not the last word: the packet is presented again in another shape.
    #[cold]
    pub fn uncount(&mut self, from: Realm, verdict: Verdict) {
        self.counters[from as usize].uncount(verdict);
    }

    /// Counts a packet that is sent on.
    #[inline(always)]
    pub(crate) fn forwarded(&mut self, from: Realm, to: Realm) -> Verdict {
        self.counters[from as usize].forwarded += 1;
        Verdict::Forward(to)
    }

    /// Counts a packet that is not.
    #[cold]
    #[inline(never)]
    pub(crate) fn refuse(&mut self, from: Realm, reason: DropReason) -> Verdict {
        self.settle(from, Err(reason.into()))
    }

    /// Counts what has become of a packet.
    pub(crate) fn settle(&mut self, from: Realm, passed: Result<Realm, Verdict>) -> Verdict {
        let verdict = passed.map_or_else(|verdict| verdict, Verdict::Forward);
        self.count(from, verdict);
        verdict
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

    /// How often a session was to begin through each forward, in the order of the settings.
    pub fn forward_hits(&self) -> impl Iterator<Item = Hits> {
        self.hits.iter().copied().take(self.settings.forwards.iter().count())
    }

    /// What each filter rule has had to do, in the order of the settings.
    pub fn rule_uses(&self) -> impl Iterator<Item = RuleUse> {
        self.policy.uses().take(self.settings.policy.iter().count())
    }

    /// What a rule that is to be noted has decided, each decision once. Of many at once only the first few are kept.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.policy.take_note()
    }

    /// What the filter rules say of a packet of so many bytes that begins a session, or of one of none: to the box itself, or
    /// that nobody inside is to have.
    #[inline(always)]
    pub fn ask(&mut self, now: Instant, asked: &Asked, bytes: usize) -> Action {
        match self.settings.policy.is_empty() {
            true => Action::Accept,
            false => self.policy.decide(now, &self.settings.policy, asked, bytes),
        }
    }

    /// How many sessions that began outside, through each forward, nobody has answered yet.
    pub fn forwards_half_open(&self) -> impl Iterator<Item = u32> {
        (0..self.settings.forwards.iter().count()).map(|number| self.tables.half_open.of(Some(number)))
    }

    /// What the engine was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a whole packet.
    #[inline(always)]
    fn pass(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let number = header[9];
        if number == transport::UDP {
            return match from {
                Realm::Internal => self.outbound_quickly::<Udp>(now, header, payload, shape),
                Realm::External => self.inbound_quickly::<Udp>(now, header, payload, shape),
            };
        }
        if number == transport::TCP {
            if transport::is_data(payload) {
                return match from {
                    Realm::Internal => self.outbound_quickly::<Data>(now, header, payload, shape),
                    Realm::External => self.inbound_quickly::<Data>(now, header, payload, shape),
                };
            }
            return self.pass_tcp(now, from, header, payload, shape);
        }
        self.pass_rarely(now, from, header, payload, shape)
    }

    /// Takes a TCP segment of any kind.
    #[inline(never)]
    fn pass_tcp(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        match from {
            Realm::Internal => self.outbound::<Tcp>(now, header, payload, shape),
            Realm::External => self.inbound::<Tcp>(now, header, payload, shape),
        }
    }

    /// Takes a packet of any kind, or the first fragment of one.
    pub(crate) fn pass_other(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let number = header[9];
        match (from, number) {
            (Realm::Internal, transport::UDP) => self.outbound::<Udp>(now, header, payload, shape),
            (Realm::External, transport::UDP) => self.inbound::<Udp>(now, header, payload, shape),
            (_, transport::TCP) => self.pass_tcp(now, from, header, payload, shape),
            (Realm::Internal, transport::ICMP) => self.outbound_icmp(now, header, payload, shape),
            (Realm::External, transport::ICMP) => self.inbound_icmp(now, header, payload, shape),
            (Realm::Internal, _) => self.outbound::<Other>(now, header, payload, shape),
            (Realm::External, _) => self.inbound::<Other>(now, header, payload, shape),
        }
    }

    fn outbound_icmp(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let transit = Transit::of(header, payload, shape);
        match transport::icmp(payload) {
            Ok(Icmp::Query) => self.outbound::<Query>(now, header, payload, shape),
            Ok(Icmp::Reply) => self.refuse(Realm::Internal, DropReason::NoSession),
            Ok(Icmp::Error(message)) => {
                let passed = self.send_error(now, transit, header, message);
                self.settle(Realm::Internal, passed)
            }
            Err(reason) => self.refuse(Realm::Internal, reason),
        }
    }

    fn inbound_icmp(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let transit = Transit::of(header, payload, shape);
        if transit.destination != self.external {
            return self.refuse(Realm::External, DropReason::NotOurs);
        }
        match transport::icmp(payload) {
            Ok(Icmp::Query) => self.settle(Realm::External, Err(Verdict::Local)),
            Ok(Icmp::Reply) => self.inbound::<Reply>(now, header, payload, shape),
            Ok(Icmp::Error(message)) => {
                let passed = self.deliver_error(now, transit, header, message);
                self.settle(Realm::External, passed)
            }
            Err(reason) => self.refuse(Realm::External, reason),
        }
    }
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
