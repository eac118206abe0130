//! Changing what the engine was told while it works: every session that the new settings would have made just so lives
//! on, every other ends, and nothing of it is left (X06, X07).
//!
//! This is the operator's doing, not a packet's: it looks at every record once.

use core::net::Ipv4Addr;

use crate::endpoint::Protocol;
use crate::engine::{Engine, Hits};
use crate::half_open::HalfOpen;
use crate::index::Slot;
use crate::policy::{Asked, Policy, Way};
use crate::session::{Begun, Ends, Session};
use crate::settings::{Idle, Limits, Rules, Settings};
use crate::time::Instant;

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Works by `settings` from now on. With another external address, or none, everything ends: whoever is outside
    /// knows our sessions by the old one. Otherwise those end whose forward is gone or leads elsewhere, whose external
    /// port has become a forward's or is no longer ours to give, those that the filter rules would not let begin any more, and
    /// all of a protocol whose behaviours have changed.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) {
        let rules = Rules::new(&settings);
        if settings.external != self.settings.external {
            self.flush();
        }
        self.end_unless(now, |engine, session| engine.keeps(session, &settings, &rules));
        self.hits = self.hits_by(&settings);
        self.policy.follow(&self.settings.policy, &settings.policy);
        self.rules = rules;
        self.idle = Idle::new(&settings.timers);
        self.limits = Limits::new(&settings.shares, SESSIONS as u32);
        self.segment_size = settings.segment_size();
        self.external = settings.external.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.settings = settings;
        self.tables.fragments.clear();
        self.rebuild(now);
    }

    /// How many of the sessions that live at `now` other settings would end.
    pub fn ended_by(&self, now: Instant, settings: &Settings) -> u32 {
        let rules = Rules::new(settings);
        let has_moved = settings.external != self.settings.external;
        let live = self.tables.sessions.iter().filter(|it| it.begun().is_some() && !it.has_expired(now));
        live.filter(|session| has_moved || !self.keeps(session, settings, &rules)).count() as u32
    }

    /// Ends every session and forgets every mapping, those that cool included.
    pub fn flush(&mut self) {
        self.tables.sessions.clear();
        self.tables.mappings.clear();
        self.tables.hosts.clear();
        self.tables.half_open = HalfOpen::new();
        self.tables.fragments.clear();
        for protocol in Protocol::WITH_PORTS {
            self.fill_pool(protocol);
        }
    }

    /// Whether a session is as it would be under other settings.
    fn keeps(&self, session: &Session, settings: &Settings, rules: &Rules) -> bool {
        let Ends { protocol, internal, external, .. } = session.ends();
        if !self.rules.agree(rules, protocol)
            || settings.mapping.of(protocol) != self.settings.mapping.of(protocol)
        {
            return false;
        }
        if !settings.policy.is_empty() && !self.permits(session, &settings.policy) {
            return false;
        }
        if protocol == Protocol::Other {
            return settings.other_protocols;
        }
        match (
            self.settings.forwards.inward(protocol, external),
            settings.forwards.inward(protocol, external),
        ) {
            (Some(_), after) => after == Some(internal),
            (None, Some(_)) => false,
            (None, None) => {
                settings.ports.contains(external) && settings.forwards.outward(protocol, internal).is_none()
            }
        }
    }

    /// Whether filter rules would let a session begin. They are not asked about what is hairpinned.
    fn permits(&self, session: &Session, policy: &Policy) -> bool {
        let Ends { protocol, internal, remote, .. } = session.ends();
        let way = if session.begun() == Some(Begun::Inside) { Way::Outbound } else { Way::Inbound };
        remote.address == self.external || policy.permits(&Asked::between(way, protocol, internal, remote))
    }

    fn end_unless(&mut self, now: Instant, keeps: impl Fn(&Self, &Session) -> bool) {
        for slot in Slot::all::<SESSIONS>() {
            let session = *self.tables.sessions.at(slot);
            if session.begun().is_some() && !keeps(self, &session) {
                self.close(now, slot);
            }
        }
    }

    /// The hits of forwards that are still there, in their new places.
    fn hits_by(&self, settings: &Settings) -> [Hits; crate::MAX_FORWARDS] {
        let mut hits = [Hits::default(); crate::MAX_FORWARDS];
        for (place, forward) in hits.iter_mut().zip(settings.forwards.iter()) {
            let before = self.settings.forwards.iter().zip(self.hits).find(|(before, _)| *before == forward);
            *place = before.map_or(Hits::default(), |(_, hits)| hits);
        }
        hits
    }

    /// Brings everything that counts, or lists, into step with the sessions that are left.
    fn rebuild(&mut self, now: Instant) {
        self.tables.sessions.rebuild(now);
        let (ports, forwards) = (self.settings.ports, &self.settings.forwards);
        self.tables.mappings.forget(&self.keys, |mapping| {
            ports.contains(mapping.external) && forwards.inward(mapping.protocol, mapping.external).is_none()
        });
        for protocol in Protocol::WITH_PORTS {
            self.fill_pool(protocol);
        }
        for slot in Slot::all::<SESSIONS>() {
            if let Some((protocol, external)) = self.tables.mappings.taken(slot) {
                self.take_out(protocol, external);
            }
        }
        self.tables.half_open = HalfOpen::new();
        for slot in Slot::all::<SESSIONS>() {
            let Ends { protocol, external, remote, .. } = self.tables.sessions.at(slot).ends();
            if self.tables.sessions.at(slot).begun() == Some(Begun::HalfOpen) {
                let forward = self.settings.forwards.number(protocol, external);
                self.tables.half_open.enter(&self.keys, remote.address, forward);
            }
        }
    }
}
