//! What an operator changes while the engine works (X06, X07): what the new settings would have made just so lives on,
//! everything else ends at once.

use std::net::{Ipv4Addr, SocketAddrV4};

use napt::policy::Way;
use napt::{Instant, Settings};

use super::Oracle;
use super::sessions::{Begun, Session, has_ports};

/// A remote end, to see how much of it is looked at.
const WHOLE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::BROADCAST, u16::MAX);

impl Oracle {
    /// Other settings. With another external address everything ends: outside, our sessions are known by the old one.
    pub fn reconfigure(&mut self, now: Instant, settings: Settings) {
        self.pass_time(now);
        if settings.external != self.settings.external {
            *self = Self { now, ..Self::new(settings, self.capacity, self.late) };
            return;
        }
        let before = self.clone();
        let after = Self::new(settings.clone(), self.capacity, self.late);
        let ended = |session: &Session| !before.keeps(session, &after);
        for session in self.sessions.iter_mut().filter(|session| ended(session) && session.deadline > now) {
            session.deadline = now;
            if let Some(mapping) = self.mappings.get_mut(&(session.protocol, session.external)) {
                mapping.last = now;
            }
        }
        self.note_lingering();
        self.sessions.retain(|session| !ended(session));
        self.settings = settings;
        self.forget_ports();
        self.datagrams.clear();
        self.due = now;
    }

    /// Whether a session would be the same under the settings `after` ours.
    fn keeps(&self, session: &Session, after: &Self) -> bool {
        let Session { protocol, internal, external, .. } = *session;
        let behaviours = |oracle: &Self| {
            let told_apart = oracle.scoped(protocol, WHOLE);
            (oracle.mapping(protocol), oracle.filtering(protocol), told_apart)
        };
        if behaviours(self) != behaviours(after) {
            return false;
        }
        let way = if session.begun == Begun::Inside { Way::Outbound } else { Way::Inbound };
        let (from, to) =
            if way == Way::Outbound { (internal, session.remote) } else { (session.remote, internal) };
        if *session.remote.ip() != self.external && !after.is_permitted(way, protocol, from, to) {
            return false;
        }
        if !has_ports(protocol) {
            return after.settings.other_protocols;
        }
        match (self.forwards_to(protocol, external), after.forwards_to(protocol, external)) {
            (Some(_), led) => led == Some(internal),
            (None, Some(_)) => false,
            (None, None) => {
                after.settings.ports.contains(external) && after.forwarded_from(protocol, internal).is_none()
            }
        }
    }

    /// Of the ports that cool those are forgotten that are no longer in the pool. The others cool in any order.
    fn forget_ports(&mut self) {
        let (pool, now) = (self.settings.ports, self.now);
        let forwarded: Vec<_> = self
            .mappings
            .keys()
            .filter(|(protocol, port)| self.number(*protocol, *port).is_some())
            .copied()
            .collect();
        self.mappings
            .retain(|key, mapping| mapping.last > now || (pool.contains(key.1) && !forwarded.contains(key)));
        for mapping in self.mappings.values_mut().filter(|mapping| mapping.last <= now) {
            mapping.revived = true;
        }
    }
}
