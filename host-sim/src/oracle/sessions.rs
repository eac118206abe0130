//! The oracle's sessions: finding, opening and moving them on (RFC 6146 s.3.1, RFC 4787 s.4 to s.6).

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use napt::{ByProtocol, Dependence, Instant};

use super::Oracle;
use super::streams::{Fit, Streams};
use super::tcp::{Connection, Phase, Way};
use super::wire::{ICMP, Subject, TCP, UDP, View};

/// Who talks to whom, through which external port, until when.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) protocol: u8,
    pub(super) internal: SocketAddrV4,
    pub(super) external: u16,
    /// As much of the remote end as the behaviours look at; the rest is zero.
    pub(super) remote: SocketAddrV4,
    pub(super) deadline: Instant,
    pub(super) connection: Option<(Connection, Streams)>,
    pub(super) begun: Begun,
    /// Whether somebody has noticed that it has expired.
    pub(super) ended: bool,
}

/// How a session has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Begun {
    /// By a packet from inside.
    Inside,
    /// By a packet of this sender outside, whom nobody has answered, or who has not confirmed the answer.
    HalfOpen(Ipv4Addr),
    /// By a packet from outside, and answered since.
    Answered,
}

/// What is told of a session that begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    pub(super) protocol: u8,
    pub(super) internal: SocketAddrV4,
    pub(super) external: u16,
    pub(super) remote: SocketAddrV4,
    pub(super) begun: Begun,
    pub(super) connection: Option<(Connection, Streams)>,
}

impl Session {
    /// Whether it says that the inside wants to hear of its remote end.
    pub(super) fn vouches(&self) -> bool {
        !matches!(self.begun, Begun::HalfOpen(_))
    }
}

impl Oracle {
    /// Whom an external port belongs to, and whether that is sure or may be history.
    pub(super) fn leads_to(&self, protocol: u8, external: u16) -> (bool, Option<SocketAddrV4>) {
        self.leads_by(protocol, external, |_| true)
    }

    /// The same by sessions of which `such` holds alone.
    pub(super) fn leads_by(
        &self,
        protocol: u8,
        external: u16,
        such: impl Fn(&Session) -> bool,
    ) -> (bool, Option<SocketAddrV4>) {
        if let Some(internal) = self.forwards_to(protocol, external) {
            return (true, Some(internal));
        }
        if !has_ports(protocol) {
            return (true, None);
        }
        let theirs = || self.sessions_of(protocol, external).filter(|session| such(session));
        let sure = theirs().any(|session| session.deadline > self.now);
        (sure, theirs().next().map(|session| session.internal))
    }

    pub(super) fn sessions_of(&self, protocol: u8, external: u16) -> impl Iterator<Item = &Session> {
        self.sessions.of_port(protocol, external).filter(|session| !session.ended)
    }

    /// The session between an internal and a remote end.
    pub(super) fn find_out(
        &self,
        protocol: u8,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
    ) -> Option<usize> {
        let known = self.sessions.outwards((protocol, internal, self.scoped(protocol, remote)));
        known.filter(|known| self.sessions[*known].deadline > self.now)
    }

    /// The session between an external port and a remote end.
    pub(super) fn find_in(&self, protocol: u8, external: u16, remote: SocketAddrV4) -> Option<usize> {
        let known = self.sessions.inwards((protocol, external, self.scoped(protocol, remote)));
        known.filter(|known| self.sessions[*known].deadline > self.now)
    }

    pub(super) fn open(&mut self, start: Start) {
        let Start { protocol, internal, external, remote, begun, connection } = start;
        let remote = self.scoped(protocol, remote);
        let deadline = self.now + self.idle(protocol, connection);
        self.due = self.due.min(deadline);
        for before in self.sessions.iter_mut().filter(|before| before.protocol == protocol) {
            // What had these ends before has been found expired, and a port that has changed hands belongs to one.
            before.ended |=
                before.remote == remote && (before.internal == internal || before.external == external);
            before.ended |= has_ports(protocol) && before.internal != internal && before.external == external;
        }
        self.sessions.push(Session {
            protocol,
            internal,
            external,
            remote,
            deadline,
            connection,
            begun,
            ended: false,
        });
        if has_ports(protocol) && self.forwards_to(protocol, external).is_none() {
            self.keep_mapping(protocol, internal, external, deadline);
        }
    }

    /// Moves a session's state and deadline on, or says that the packet does not belong there. Only what is outbound
    /// refreshes (RFC 4787 REQ-6).
    pub(super) fn track(&mut self, known: usize, way: Way, view: &View) -> Fit {
        let session = &mut self.sessions[known];
        let (refreshed, answered) = match (&mut session.connection, &view.subject) {
            (Some((connection, streams)), Subject::Segment(segment)) => {
                let before = *connection;
                let fit = streams.fit(connection, way, segment);
                if fit != Fit::Fits {
                    return fit;
                }
                *connection = before.after(way, segment.kind);
                (connection.refreshed(way, segment.kind, &before), connection.phase == Phase::Open)
            }
            _ => (way == Way::Out, way == Way::Out),
        };
        if answered && !session.vouches() {
            session.begun = Begun::Answered;
        }
        if refreshed {
            let (protocol, connection) = (session.protocol, session.connection);
            let deadline = self.now + self.idle(protocol, connection);
            self.sessions[known].deadline = deadline;
            self.due = self.due.min(deadline);
        }
        Fit::Fits
    }

    /// What a packet is to a session, which does not notice it.
    pub(super) fn fit(&self, known: usize, way: Way, view: &View) -> Fit {
        match (self.sessions[known].connection, &view.subject) {
            (Some((connection, mut streams)), Subject::Segment(segment)) => {
                streams.fit(&connection, way, segment)
            }
            _ => Fit::Fits,
        }
    }

    fn idle(&self, protocol: u8, connection: Option<(Connection, Streams)>) -> Duration {
        let timers = &self.settings.timers;
        match (protocol, connection.map(|(connection, _)| connection.phase)) {
            (TCP, Some(Phase::Open)) => timers.tcp_established,
            (TCP, Some(Phase::Closing)) => timers.tcp_closing,
            (TCP, _) => timers.tcp_opening,
            (ICMP, _) => timers.icmp,
            (UDP, _) => timers.udp,
            _ => timers.other,
        }
    }

    /// The mapping behaviour of a protocol. Without ports, one internal end has all that comes from an address.
    pub(super) fn mapping(&self, protocol: u8) -> Dependence {
        by_protocol(self.settings.mapping, protocol)
    }

    /// The filtering behaviour of a protocol.
    pub(super) fn filtering(&self, protocol: u8) -> Dependence {
        by_protocol(self.settings.filtering, protocol)
    }

    /// As much of a remote end as sessions are told apart by: all of it for TCP, and where forwards converge, so that
    /// answers find their way; else what mapping, filtering or rules look at.
    pub(super) fn scoped(&self, protocol: u8, remote: SocketAddrV4) -> SocketAddrV4 {
        let looks = self.mapping(protocol).max(self.filtering(protocol)).max(self.rules_look_at(protocol));
        let looks =
            if protocol == TCP || self.converge(protocol) { Dependence::AddressAndPort } else { looks };
        scope(looks, remote)
    }
}

/// What a behaviour is for a protocol.
pub(super) fn by_protocol(behaviour: ByProtocol, protocol: u8) -> Dependence {
    match protocol {
        TCP => behaviour.tcp,
        UDP => behaviour.udp,
        ICMP => behaviour.icmp,
        _ => Dependence::Address,
    }
}

/// Whether a protocol has ports, or identifiers, to be mapped.
pub(super) fn has_ports(protocol: u8) -> bool {
    [TCP, UDP, ICMP].contains(&protocol)
}

/// As much of a remote end as a behaviour looks at; the rest is zero.
pub(super) fn scope(looks: Dependence, remote: SocketAddrV4) -> SocketAddrV4 {
    match looks {
        Dependence::Endpoint => SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0),
        Dependence::Address => SocketAddrV4::new(*remote.ip(), 0),
        Dependence::AddressAndPort => remote,
    }
}
