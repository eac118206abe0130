//! What an operator may look at: the engine's tables, passed on as they are.

use config::{Config, Name};
use napt::policy::RuleUse;
use napt::{Hits, HostUse, Instant, MappingView, SessionView};

use super::Router;
use crate::port::Side;
use crate::rules::Addresses;
use crate::settings::settings;

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    /// The sessions that live at `now`.
    pub fn sessions(&self, now: Instant) -> impl Iterator<Item = SessionView> {
        self.engine.sessions(now)
    }

    /// The sessions that live at `now` and lie in the table at `from` or behind it, each with its place.
    pub fn sessions_from(&self, now: Instant, from: u32) -> impl Iterator<Item = (u32, SessionView)> {
        self.engine.sessions_from(now, from)
    }

    /// The session that lives at `now` in a place of the table.
    pub fn session(&self, now: Instant, place: u32) -> Option<SessionView> {
        self.engine.session(now, place)
    }

    /// Ends the session that lives in a place of the table.
    pub fn end_session(&mut self, now: Instant, place: u32) {
        self.engine.end_session(now, place);
    }

    /// How many of the sessions that live at `now` another configuration would end.
    pub fn ended_by(&self, now: Instant, config: &Config) -> u32 {
        if !Addresses::new(config).has_the_lan_of(&self.addresses) {
            return self.engine.sessions(now).count() as u32;
        }
        let [lan, wan] = self.ports.each_ref().map(|port| port.link.mtu);
        self.engine.ended_by(now, &settings(config, lan, wan))
    }

    /// The largest packet that the link of a side carries.
    pub fn mtu(&self, side: Side) -> u16 {
        self.ports[side as usize].link.mtu
    }

    /// The mappings that are used at `now`, or cool. The external ports of forwards have none.
    pub fn mappings(&self, now: Instant) -> impl Iterator<Item = MappingView> {
        self.engine.mappings(now)
    }

    /// The hosts inside that have had sessions lately.
    pub fn hosts(&self) -> impl Iterator<Item = HostUse> {
        self.engine.hosts()
    }

    /// What the operator calls each filter rule, in their order, and what it has had to do.
    pub fn rules(&self) -> impl Iterator<Item = (&Name, RuleUse)> {
        self.names.iter().flatten().zip(self.engine.rule_uses())
    }

    /// How often somebody outside wanted to begin a session through each forward, in the order of the configuration.
    pub fn forward_hits(&self) -> impl Iterator<Item = Hits> {
        self.engine.forward_hits()
    }
}
