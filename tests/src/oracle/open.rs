//! What is left open: packets that the oracle does not judge, for the steps to leave out.

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use napt::{Dependence, Realm};

use super::Oracle;
use super::sessions::Session;
use super::tcp::Segment;
use super::wire::{self, Subject, View};
use crate::Packet;

impl Oracle {
    /// Whether what becomes of a packet from realm `from` is left open.
    pub fn is_open(&self, from: Realm, packet: &Packet) -> bool {
        let Ok(view) = wire::read(packet) else { return false };
        let undecided = [Self::may_go_half_way, Self::ends_half_agreed, Self::shares_with_several];
        from == Realm::Internal && undecided.iter().any(|is| is(self, &view))
    }

    /// A new session, mapped by the remote address, with an address that has come in through other ports than it was
    /// called from: which of them it shares, when the first of those sessions may have ended.
    fn shares_with_several(&self, view: &View) -> bool {
        let group = (view.protocol, view.source, *view.destination.ip());
        let ours = |session: &&Session| (session.protocol, session.internal, *session.remote.ip()) == group;
        let ports: BTreeSet<u16> =
            self.sessions.iter().filter(ours).map(|session| session.external).collect();
        let first_may_be_gone = self.lingering.iter().any(|(known, _)| *known == group);
        self.settings.mapping == Dependence::Address
            && self.alive_out(view).is_none()
            && (ports.len() > 1 || first_may_be_gone)
    }

    /// A hairpin whose sender needs a session, and which its receiver may refuse: whether the sender keeps its own.
    fn may_go_half_way(&self, view: &View) -> bool {
        let external = view.destination.port();
        if *view.destination.ip() != self.settings.external || self.alive_out(view).is_some() {
            return false;
        }
        let receiver = self.leads_to(view.protocol, external).1;
        let meets = |session: &&Session| {
            let ours = (session.protocol, Some(session.internal)) == (view.protocol, receiver);
            ours && session.external != external && is_ours(session.remote, self.settings.external)
        };
        let to_itself = receiver == Some(view.source) && self.settings.mapping != Dependence::Endpoint;
        to_itself
            || self.slots().end() + 2 > self.capacity
            || self.sessions.iter().any(|session| meets(&session))
    }

    /// A FIN from inside between our SYN-ACK and its answer: whether the connection opens with it.
    fn ends_half_agreed(&self, view: &View) -> bool {
        let half =
            |session: &Session| session.connection.is_some_and(|connection| connection.is_half_agreed());
        matches!(view.subject, Subject::Segment(Segment::Fin)) && self.alive_out(view).is_some_and(half)
    }

    fn alive_out(&self, view: &View) -> Option<&Session> {
        let remote = self.scoped(view.protocol, view.destination);
        self.sessions.iter().find(|session| {
            let key = (session.protocol, session.internal, session.remote);
            session.deadline > self.now && key == (view.protocol, view.source, remote)
        })
    }
}

/// Whether a remote end is, or may stand for, one of our own.
fn is_ours(remote: SocketAddrV4, external: std::net::Ipv4Addr) -> bool {
    *remote.ip() == external || remote.ip().is_unspecified()
}
