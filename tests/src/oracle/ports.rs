//! Which external port a new session may have, and whether it may have none (RFC 4787 REQ-1 to REQ-4, RFC 6888 REQ-8).
//!
//! The choice is the engine's. The oracle ranks every port of the pool for the internal port, gives each the benefit of
//! the doubt as the one that was chosen and none as the one that was not, and wants no better one to be left.

use std::net::SocketAddrV4;

use napt::{Dependence, RejectReason, Verdict};

use super::sessions::{Session, scope};
use super::wire::{ICMP, View};
use super::{Judgement, Mapping, Oracle};

/// How good a port is: a free one of the class and parity, of the class, a cooling one of the class, any free, any
/// cooling one, and one that is taken.
const TAKEN: u8 = 6;

impl Oracle {
    /// Whether a new session from inside may use `port`.
    pub(super) fn may_map(
        &mut self,
        protocol: u8,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        port: u16,
    ) -> Result<(), String> {
        if let Some(forwarded) = self.forwarded_from(protocol, internal) {
            return (port == forwarded).then_some(()).ok_or(format!("{port}, not the forward's {forwarded}"));
        }
        let shared = self.shared(protocol, internal, remote);
        let known = shared.iter().any(|(mapped, _)| *mapped == port);
        if shared.iter().any(|(_, sure)| *sure) {
            return known.then_some(()).ok_or(format!("REQ-1: {internal} has {shared:?}, and got {port}"));
        }
        self.make_room();
        if known {
            return Ok(());
        }
        let best = self.pool(protocol).map(|port| self.rank(protocol, internal, port).1).min();
        match self.pool(protocol).find(|candidate| *candidate == port) {
            None => Err(format!("{port} is not in the pool")),
            Some(_) if self.rank(protocol, internal, port).0 == TAKEN => {
                Err(format!("REQ-3: {port} is taken"))
            }
            Some(_) if Some(self.rank(protocol, internal, port).0) > best => {
                Err(format!("{port} is not of the best there are: {:?}", self.mappings))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whether a flow from inside that needs `new` sessions may have been refused.
    pub(super) fn refused(&mut self, view: &View, verdict: Verdict, new: usize) -> Judgement {
        let (may_be_full, is_full) = (self.slots().end() + new > self.capacity, self.fits(new).is_err());
        match verdict {
            Verdict::Reject(RejectReason::TableFull) if may_be_full => Ok(None),
            Verdict::Reject(RejectReason::PortsExhausted) if !is_full && self.may_be_dry(view) => {
                // Room for the mapping may have been made before.
                self.make_room();
                Ok(None)
            }
            verdict => Err(format!("{verdict:?} for a new flow, with {:?} slots in use", self.slots())),
        }
    }

    /// Whether every port may be taken.
    fn may_be_dry(&self, view: &View) -> bool {
        self.forwarded_from(view.protocol, view.source).is_none()
            && !self.shared(view.protocol, view.source, view.destination).iter().any(|(_, sure)| *sure)
            && self.pool(view.protocol).all(|port| self.rank(view.protocol, view.source, port).1 == TAKEN)
    }

    /// The ports that the mapping behaviour wants used again, and whether that is sure.
    fn shared(&self, protocol: u8, internal: SocketAddrV4, remote: SocketAddrV4) -> Vec<(u16, bool)> {
        let same =
            |end: SocketAddrV4| scope(self.settings.mapping, end) == scope(self.settings.mapping, remote);
        if self.settings.mapping == Dependence::Endpoint {
            let ours = |mapping: &&Mapping| (mapping.protocol, mapping.internal) == (protocol, internal);
            let ports = self.mappings.iter().filter(ours);
            return ports.map(|mapping| (mapping.external, !self.may_be_free(mapping))).collect();
        }
        let ours = self.sessions.iter().filter(|session| {
            !session.ended
                && (session.protocol, session.internal) == (protocol, internal)
                && same(session.remote)
        });
        ours.map(|session| (session.external, session.deadline > self.now)).collect()
    }

    /// How good a port is at best, and at worst, as far as lateness lets one know.
    fn rank(&self, protocol: u8, internal: SocketAddrV4, port: u16) -> (u8, u8) {
        let class = protocol == ICMP || (port < 1024) == (internal.port() < 1024);
        let parity = protocol == ICMP || port % 2 == internal.port() % 2;
        let free = match (class, parity) {
            (true, true) => 1,
            (true, false) => 2,
            (false, _) => 4,
        };
        let cooling = if class { 3 } else { 5 };
        let ours = |mapping: &&Mapping| (mapping.protocol, mapping.external) == (protocol, port);
        let Some(mapping) = self.mappings.iter().find(ours) else { return (free, free) };
        let alive = self.sessions_of(protocol, port).any(|session| session.deadline > self.now);
        let late = self.sessions_of(protocol, port).next().is_some();
        match (alive, self.may_be_free(mapping)) {
            (true, _) => (TAKEN, TAKEN),
            (_, true) => (free, if late { TAKEN } else { cooling.max(free) }),
            (_, false) => (cooling, if late { TAKEN } else { cooling }),
        }
    }

    /// Whether a mapping may have cooled down, or may have been given up.
    pub(super) fn may_be_free(&self, mapping: &Mapping) -> bool {
        let alive = |session: &Session| session.deadline > self.now;
        (mapping.doubted || mapping.last + self.settings.timers.port_cooldown <= self.now)
            && !self.sessions_of(mapping.protocol, mapping.external).any(alive)
    }

    /// The ports that mappings may have: none of them belongs to a forward (M19).
    fn pool(&self, protocol: u8) -> impl Iterator<Item = u16> {
        let all = self.settings.ports.first()..=self.settings.ports.last();
        all.filter(move |port| self.forwards_to(protocol, *port).is_none())
    }
}
