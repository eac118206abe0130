//! What an operator may look at: the engine's tables, passed on as they are.

use config::Name;
use napt::policy::RuleUse;
use napt::{Hits, HostUse, Instant, MappingView, SessionView};

use super::Router;

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    /// The sessions that live at `now`.
    pub fn sessions(&self, now: Instant) -> impl Iterator<Item = SessionView> {
        self.engine.sessions(now)
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
