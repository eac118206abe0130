//! Which external port a new session may have, and whether it may have none (RFC 4787 REQ-1 to REQ-4, RFC 6888 REQ-8).
//!
//! The choice is the engine's. The oracle ranks every port of the pool for the internal port, gives each the benefit of
//! the doubt as the one that was chosen and none as the one that was not, and wants no better one to be left. Of several
//! that cool, any will do.

use std::net::SocketAddrV4;

use napt::{Dependence, DropReason, RejectReason, Verdict};

use super::sessions::{Session, has_ports, scope};
use super::wire::{ICMP, View};
use super::{Judgement, Mapping, Oracle};

/// How good a port is: the internal one, if it is free and to be preserved; a free one of the class and parity, of the
/// class, a cooling one of the class, any free, any cooling one, and one that is taken.
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
        if !has_ports(protocol) {
            return Ok(());
        }
        if let Some(forwarded) = self.forwarded_from(protocol, internal) {
            return (port == forwarded).then_some(()).ok_or(format!("{port}, not the forward's {forwarded}"));
        }
        let shared = self.shared(protocol, internal, remote);
        let in_doubt = self.first_may_have_ended(protocol, internal, remote);
        let known = shared.iter().any(|(mapped, _)| *mapped == port)
            || (in_doubt && self.has_mapping(protocol, internal, port));
        if shared.iter().any(|(_, sure)| *sure) && (known || !in_doubt) {
            return known.then_some(()).ok_or(format!("REQ-1: {internal} has {shared:?}, and got {port}"));
        }
        if known {
            // It may have been given up meanwhile, and have come back by chance.
            self.make_room(protocol, port);
            return Ok(());
        }
        if !self.pool(protocol).any(|candidate| candidate == port) {
            return Err(format!("{port} is not in the pool"));
        }
        match self.rank(protocol, internal, port).0 {
            TAKEN => Err(format!("REQ-3: {port} is taken")),
            rank if self.is_any_better(protocol, internal, rank) => {
                Err(format!("{port} is not of the best there are: {:?}", self.mappings))
            }
            _ => {
                self.make_room(protocol, port);
                Ok(())
            }
        }
    }

    /// Whether a flow from inside that needs `new` sessions may have been refused. It has changed nothing then.
    pub(super) fn refused(&self, view: &View, verdict: Verdict, new: usize) -> Judgement {
        let (may_be_full, is_full) = (self.slots().end() + new > self.capacity, self.fits(new).is_err());
        let share = self.share_of_host(*view.source.ip());
        let may = match verdict {
            Verdict::Reject(RejectReason::TableFull) => may_be_full || self.index_may_be_full(),
            Verdict::Reject(RejectReason::HostShare) => share.may_be_used_up && !is_full,
            Verdict::Reject(RejectReason::PortsExhausted) => {
                !is_full && !share.is_used_up && self.may_be_dry(view)
            }
            Verdict::Drop(DropReason::ProtocolTaken) => {
                self.is_taken(view.protocol, view.source, view.destination)
            }
            _ => false,
        };
        let error = || format!("{verdict:?} for a new flow, with {:?} slots in use, {share:?}", self.slots());
        may.then_some(None).ok_or_else(error)
    }

    /// Whether a key of a new mapping may find no place, though there are slots: the smallest table has an index of four buckets of
    /// twelve, and both buckets of a key are full by chance once in a long while. Larger ones have never been seen so.
    fn index_may_be_full(&self) -> bool {
        const SMALLEST: usize = 16;
        const BUCKET: usize = 12;
        self.capacity <= SMALLEST && self.mappings_seen >= BUCKET
    }

    /// Whether another host inside speaks a protocol without ports with a remote host.
    pub(super) fn is_taken(&self, protocol: u8, internal: SocketAddrV4, remote: SocketAddrV4) -> bool {
        let theirs = self.find_in(protocol, 0, remote);
        !has_ports(protocol) && theirs.is_some_and(|known| self.sessions[known].internal != internal)
    }

    /// Whether every port may be taken.
    fn may_be_dry(&self, view: &View) -> bool {
        has_ports(view.protocol)
            && self.forwarded_from(view.protocol, view.source).is_none()
            && (self.first_may_have_ended(view.protocol, view.source, view.destination)
                || !self.shared(view.protocol, view.source, view.destination).iter().any(|(_, sure)| *sure))
            && self.pool(view.protocol).all(|port| self.rank(view.protocol, view.source, port).1 == TAKEN)
    }

    /// Whether of several sessions with a remote address, which a mapping behaviour looks at, the first may have ended
    /// before the others. Then its port may be brought back as long as it cools, and after that another be used; those of
    /// the others are as good.
    fn first_may_have_ended(&self, protocol: u8, internal: SocketAddrV4, remote: SocketAddrV4) -> bool {
        let group = (protocol, internal, *remote.ip());
        self.mapping(protocol) == Dependence::Address
            && self.lingering.iter().any(|(known, _)| *known == group)
    }

    fn has_mapping(&self, protocol: u8, internal: SocketAddrV4, port: u16) -> bool {
        self.mappings.get(&(protocol, port)).is_some_and(|mapping| mapping.internal == internal)
    }

    /// The port that a flow from inside will have, if that is sure.
    pub(super) fn port_of(&self, view: &View) -> Option<u16> {
        let shared = self.shared(view.protocol, view.source, view.destination);
        let sure = shared.iter().find(|(_, sure)| *sure).map(|(port, _)| *port);
        self.forwarded_from(view.protocol, view.source).or(sure)
    }

    /// Takes a session from inside back that had begun, because the receiver could have none: its slot is freed later,
    /// and its mapping cools.
    pub(super) fn take_back(&mut self, view: &View, port: u16) {
        self.spend();
        let now = self.now;
        self.due = now;
        if let Some(mapping) = self.mappings.get_mut(&(view.protocol, port)) {
            mapping.last = mapping.last.max(now);
            mapping.revived = true;
        }
    }

    /// The ports that the mapping behaviour wants used again, and whether that is sure.
    pub(super) fn shared(
        &self,
        protocol: u8,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Vec<(u16, bool)> {
        let same =
            |end: SocketAddrV4| scope(self.mapping(protocol), end) == scope(self.mapping(protocol), remote);
        if self.mapping(protocol) == Dependence::Endpoint {
            let ours = |mapping: &&Mapping| (mapping.protocol, mapping.internal) == (protocol, internal);
            let ports = self.mappings.values().filter(ours);
            return ports.map(|mapping| (mapping.external, !self.may_be_free(mapping))).collect();
        }
        let ours = self.sessions.iter().filter(|session| {
            !session.ended
                && session.vouches()
                && (session.protocol, session.internal) == (protocol, internal)
                && same(session.remote)
        });
        ours.map(|session| (session.external, session.deadline > self.now)).collect()
    }

    /// Whether there is a port that is better than of this rank, at worst. Most are not even if they are free.
    fn is_any_better(&self, protocol: u8, internal: SocketAddrV4, rank: u8) -> bool {
        let is_better = |port: u16| {
            self.rank_if_free(protocol, internal, port) < rank
                && self.number(protocol, port).is_none()
                && self.rank(protocol, internal, port).1 < rank
        };
        let (own, pool) = (internal.port(), self.settings.ports);
        match rank {
            // Only the internal port itself can be better.
            0 | 1 => pool.contains(own) && is_better(own),
            _ => (pool.first()..=pool.last()).any(is_better),
        }
    }

    /// How good a port is as long as nobody has had it.
    fn rank_if_free(&self, protocol: u8, internal: SocketAddrV4, port: u16) -> u8 {
        match (is_of_class(protocol, internal, port), port % 2 == internal.port() % 2) {
            _ if self.settings.preserve_ports && port == internal.port() => 0,
            (true, same_parity) if same_parity || protocol == ICMP => 1,
            (true, _) => 2,
            (false, _) => 4,
        }
    }

    /// How good a port is at best, and at worst, as far as lateness lets one know.
    fn rank(&self, protocol: u8, internal: SocketAddrV4, port: u16) -> (u8, u8) {
        let free = self.rank_if_free(protocol, internal, port);
        let cooling = if is_of_class(protocol, internal, port) { 3 } else { 5 };
        let Some(mapping) = self.mappings.get(&(protocol, port)) else { return (free, free) };
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
        all.filter(move |port| self.number(protocol, *port).is_none())
    }
}

/// Whether a port is one of the well-known if the internal one is, and only then; identifiers are all alike.
fn is_of_class(protocol: u8, internal: SocketAddrV4, port: u16) -> bool {
    protocol == ICMP || (port < 1024) == (internal.port() < 1024)
}
