//! Shares of the session table: for each host inside (RFC 6888 REQ-4, A5), and for what has begun outside and waits
//! (A6).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;

use napt::{DropReason, Verdict};

use super::Oracle;
use super::sessions::{Begun, Session};

/// Whether somebody has used its share up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    /// As far as lateness lets one know, it may have.
    pub(super) may_be_used_up: bool,
    /// It has.
    pub(super) is_used_up: bool,
}

impl Oracle {
    /// The share of a host inside: few sessions, where only the last eighth of the table is left.
    pub(super) fn share_of_host(&self, host: Ipv4Addr) -> Share {
        let shares = &self.settings.shares;
        let guaranteed = shares.guaranteed.unwrap_or((self.capacity as u32 / 128).clamp(2, 64)) as usize;
        let each = shares.each_host.map_or(self.capacity, |each| each as usize);
        let (slots, count) = (self.slots(), self.count(|session| is_of(session, host)));
        let [few, many] = [slots.start(), slots.end()].map(|used| *used >= self.reserve());
        let limits = [few, many].map(|is_reserve| if is_reserve { guaranteed } else { each });
        Share {
            may_be_used_up: limits.iter().any(|limit| count.end() >= limit),
            is_used_up: limits.iter().all(|limit| count.start() >= limit),
        }
    }

    /// Why a session from outside may not begin although the filter lets it, and whether that is sure. The outside is
    /// never told: it meets the reserve before the end of the table.
    pub(super) fn refusals(
        &self,
        protocol: u8,
        internal: SocketAddrV4,
        external: u16,
        remote: SocketAddrV4,
    ) -> Vec<(Verdict, bool)> {
        let used = self.slots();
        let mut refusals = Vec::new();
        if self.find_out(protocol, internal, remote).is_some() {
            refusals.push((DropReason::Ambiguous.into(), true));
        }
        if *used.end() >= self.reserve() {
            refusals.push((DropReason::Reserve.into(), *used.start() >= self.reserve()));
        }
        let waiting = self.share_of_source(protocol, external, *remote.ip());
        if waiting.may_be_used_up {
            refusals.push((DropReason::HalfOpen.into(), waiting.is_used_up));
        }
        refusals
    }

    /// How many sessions of the table are for all; the rest is the reserve.
    fn reserve(&self) -> usize {
        self.capacity - self.capacity / 8
    }

    /// The share of half-open sessions that a sender outside has, and the forward that it uses, if it uses one.
    fn share_of_source(&self, protocol: u8, external: u16, source: Ipv4Addr) -> Share {
        let (shares, capacity) = (&self.settings.shares, self.capacity as u32);
        let each_source = shares.half_open_each_source.unwrap_or((capacity / 64).clamp(4, 256)) as usize;
        let each_forward = shares.half_open_each_forward.unwrap_or((capacity / 16).max(4)) as usize;
        let forward = self.number(protocol, external);
        let of_source = self.count(|session| session.begun == Begun::HalfOpen(source));
        // Where no behaviour looks at addresses, sessions do not keep them, and need not be counted by them; nor has the
        // new one an address to be counted by.
        let known = self.count(|session| {
            session.begun == Begun::HalfOpen(source) && !session.remote.ip().is_unspecified()
        });
        let is_counted = !self.scoped(protocol, SocketAddrV4::new(source, 0)).ip().is_unspecified();
        let of_forward = self.count(|session| {
            !session.vouches() && self.number(session.protocol, session.external) == forward
        });
        Share {
            may_be_used_up: (is_counted && *of_source.end() >= each_source)
                || *of_forward.end() >= each_forward,
            is_used_up: (is_counted && *known.start() >= each_source) || *of_forward.start() >= each_forward,
        }
    }

    /// How many sessions are such, less and more those that have ended and may not have been noticed to.
    fn count(&self, which: impl Fn(&Session) -> bool) -> RangeInclusive<usize> {
        let all = || self.sessions.iter().filter(|session| which(session));
        let alive = all().filter(|session| session.deadline > self.now).count();
        alive..=all().filter(|session| session.deadline > self.now || !session.ended).count()
    }
}

fn is_of(session: &Session, host: Ipv4Addr) -> bool {
    session.begun == Begun::Inside && *session.internal.ip() == host
}
