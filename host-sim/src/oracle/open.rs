//! What is left open: packets that the oracle does not judge, for the steps to leave out.

use std::net::{Ipv4Addr, SocketAddrV4};

use napt::{Dependence, Realm};

use super::sessions::Session;
use super::tcp::Way;
use super::wire::{self, Subject, View};
use super::{Oracle, Packet};

impl Oracle {
    /// Whether what becomes of a packet from realm `from` is left open. So is that of a hairpin whose sender needs a new
    /// port, and that with some ports would be refused: which port it was, nobody sees, nor how long it cools.
    pub fn is_open(&self, from: Realm, packet: Packet<'_>) -> bool {
        let is_first = wire::part(packet.bytes).is_ok_and(|part| part.first == 0);
        let Some(view) = wire::read(packet).ok().filter(|_| is_first) else { return false };
        let is_ours = *view.destination.ip() == self.external;
        let hairpins = from == Realm::Internal && is_ours;
        (hairpins && self.may_go_half_way(&view)) || self.has_unknown_windows(from, &view)
    }

    /// Whether a segment, or an error about one, is for a connection whose windows nobody knows.
    fn has_unknown_windows(&self, from: Realm, view: &View) -> bool {
        let segment = match view.subject {
            Subject::Segment(segment) => segment,
            Subject::Error(about) => {
                let known = self.find_in(about.protocol, about.source.port(), about.destination);
                let connection = known.and_then(|known| self.sessions[known].connection);
                return connection.is_some_and(|(_, streams)| streams.is_unscaled(Way::In));
            }
            _ => return false,
        };
        let out = self.find_out(view.protocol, view.source, view.destination);
        let (port, source) = match (from, out) {
            (Realm::Internal, Some(known)) => {
                (view.destination.port(), self.outside(self.sessions[known].external))
            }
            _ => (view.destination.port(), view.source),
        };
        let known = [out, self.find_in(view.protocol, port, source)];
        let connections = known.into_iter().flatten().filter_map(|known| self.sessions[known].connection);
        connections.into_iter().any(|(connection, streams)| streams.is_open(&connection, segment.kind))
    }

    fn may_go_half_way(&self, view: &View) -> bool {
        let (protocol, external) = (view.protocol, view.destination.port());
        let has_port = self.forwarded_from(protocol, view.source).is_some()
            || self.shared(protocol, view.source, view.destination).iter().any(|(_, sure)| *sure);
        if has_port || self.alive_out(view).is_some() {
            return false;
        }
        let receiver = self.leads_to(protocol, external).1;
        let meets = |session: &&Session| {
            let ours = (session.protocol, Some(session.internal)) == (protocol, receiver);
            ours && session.external != external && is_ours(session.remote, self.external)
        };
        let to_itself = receiver == Some(view.source) && self.mapping(protocol) != Dependence::Endpoint;
        to_itself || self.sessions.iter().any(|session| meets(&session))
    }

    fn alive_out(&self, view: &View) -> Option<&Session> {
        self.find_out(view.protocol, view.source, view.destination).map(|known| &self.sessions[known])
    }
}

/// Whether a remote end is, or may stand for, one of our own.
fn is_ours(remote: SocketAddrV4, external: Ipv4Addr) -> bool {
    *remote.ip() == external || remote.ip().is_unspecified()
}
