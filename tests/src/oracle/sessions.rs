//! The oracle's sessions: finding, opening and moving them on (RFC 6146 s.3.1, RFC 4787 s.4 to s.6).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use napt::{Dependence, Instant};

use super::Oracle;
use super::tcp::{Connection, Phase, Way};
use super::wire::{ICMP, Subject, TCP, View};

/// Who talks to whom, through which external port, until when.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) protocol: u8,
    pub(super) internal: SocketAddrV4,
    pub(super) external: u16,
    /// As much of the remote end as the behaviours look at; the rest is zero.
    pub(super) remote: SocketAddrV4,
    pub(super) deadline: Instant,
    pub(super) connection: Option<Connection>,
    /// Whether somebody has noticed that it has expired.
    pub(super) ended: bool,
}

impl Oracle {
    /// Whom an external port belongs to, and whether that is sure or may be history.
    pub(super) fn leads_to(&self, protocol: u8, external: u16) -> (bool, Option<SocketAddrV4>) {
        if let Some(internal) = self.forwards_to(protocol, external) {
            return (true, Some(internal));
        }
        let sure = self.sessions_of(protocol, external).any(|session| session.deadline > self.now);
        (sure, self.sessions_of(protocol, external).next().map(|session| session.internal))
    }

    pub(super) fn sessions_of(&self, protocol: u8, external: u16) -> impl Iterator<Item = &Session> {
        let ours = move |session: &&Session| session.protocol == protocol && session.external == external;
        self.sessions.iter().filter(|session| !session.ended).filter(ours)
    }

    /// The session between an internal and a remote end.
    pub(super) fn find_out(
        &self,
        protocol: u8,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<usize> {
        let key = (protocol, internal, self.scoped(protocol, remote));
        self.find(|session| (session.protocol, session.internal, session.remote) == key)
    }

    /// The session between an external port and a remote end.
    pub(super) fn find_in(&self, protocol: u8, external: u16, remote: SocketAddrV4) -> Option<usize> {
        let key = (protocol, external, self.scoped(protocol, remote));
        self.find(|session| (session.protocol, session.external, session.remote) == key)
    }

    fn find(&self, is_it: impl Fn(&Session) -> bool) -> Option<usize> {
        self.sessions.iter().position(|session| session.deadline > self.now && is_it(session))
    }

    pub(super) fn open(
        &mut self,
        protocol: u8,
        internal: SocketAddrV4,
        external: u16,
        remote: SocketAddrV4,
        connection: Option<Connection>,
    ) {
        let remote = self.scoped(protocol, remote);
        let deadline = self.now + self.idle(protocol, connection);
        for before in self.sessions.iter_mut().filter(|before| before.protocol == protocol) {
            // What had these ends before has been found expired, and a port that has changed hands belongs to one.
            before.ended |=
                before.remote == remote && (before.internal == internal || before.external == external);
            before.ended |= before.internal != internal && before.external == external;
        }
        self.sessions.push(Session {
            protocol,
            internal,
            external,
            remote,
            deadline,
            connection,
            ended: false,
        });
        if self.forwards_to(protocol, external).is_none() {
            self.keep_mapping(protocol, internal, external, deadline);
        }
    }

    /// Moves a session's state and deadline on. Only what is outbound refreshes (RFC 4787 REQ-6).
    pub(super) fn track(&mut self, known: usize, way: Way, view: &View) {
        let session = &mut self.sessions[known];
        let refreshed = match (&mut session.connection, &view.subject) {
            (Some(connection), Subject::Segment(segment)) => {
                let before = *connection;
                *connection = before.after(way, *segment);
                connection.refreshed(way, &before)
            }
            _ => way == Way::Out,
        };
        if refreshed {
            let (protocol, connection) = (session.protocol, session.connection);
            self.sessions[known].deadline = self.now + self.idle(protocol, connection);
        }
    }

    fn idle(&self, protocol: u8, connection: Option<Connection>) -> Duration {
        let timers = &self.settings.timers;
        match (protocol, connection.map(|connection| connection.phase)) {
            (TCP, Some(Phase::Open)) => timers.tcp_established,
            (TCP, Some(Phase::Closing)) => timers.tcp_closing,
            (TCP, _) => timers.tcp_opening,
            (ICMP, _) => timers.icmp,
            _ => timers.udp,
        }
    }

    /// As much of a remote end as sessions are told apart by: all of it for TCP, and where forwards converge, so that
    /// answers find their way; else what mapping or filtering looks at.
    pub(super) fn scoped(&self, protocol: u8, remote: SocketAddrV4) -> SocketAddrV4 {
        let looks = self.settings.mapping.max(self.settings.filtering);
        let looks =
            if protocol == TCP || self.converge(protocol) { Dependence::AddressAndPort } else { looks };
        scope(looks, remote)
    }
}

/// As much of a remote end as a behaviour looks at; the rest is zero.
pub(super) fn scope(looks: Dependence, remote: SocketAddrV4) -> SocketAddrV4 {
    match looks {
        Dependence::Endpoint => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        Dependence::Address => SocketAddrV4::new(*remote.ip(), 0),
        Dependence::AddressAndPort => remote,
    }
}
