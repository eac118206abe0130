//! The tables to look at: live sessions and mappings, as an operator lists them (Linux: `conntrack -L`).
//!
//! A *view* is a copy of what a table knows at one moment, in the words of [`crate::Settings`]. Views are made when somebody asks
//! and cost packets nothing; whoever asks goes through a whole table, so it is nothing to do for every packet.
//!
//! What has expired is not shown, even while the wheel has yet to meet it. Read first: RFC 4787 s.4, RFC 6146 s.3.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use crate::endpoint::{Endpoint, Protocol};
use crate::engine::Engine;
use crate::index::Slot;
use crate::mapping::Mapping;
use crate::session::{Begun, Session};
use crate::settings::Rules;
use crate::tcp::State;
use crate::time::Instant;

/// A live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Its protocol.
    pub protocol: Protocol,
    /// The internal endpoint.
    pub internal: Endpoint,
    /// The external port; the number of a protocol that has none.
    pub external: u16,
    /// The remote end.
    pub remote: Remote,
    /// How it has begun.
    pub begun: Begun,
    /// Where its connection stands, if it is TCP's.
    pub state: Option<State>,
    /// How long it may idle yet.
    pub left: Duration,
}

/// As much of a remote end as a session keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Nothing: all of the endpoint-independent kind share it.
    Any,
    /// The address: whatever the port, or there is none.
    Address(Ipv4Addr),
    /// All of it.
    Endpoint(Endpoint),
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Address(address) => address.fmt(f),
            Self::Endpoint(endpoint) => endpoint.fmt(f),
        }
    }
}

/// A mapping that is used, or cools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingView {
    /// Its protocol.
    pub protocol: Protocol,
    /// The internal endpoint.
    pub internal: Endpoint,
    /// The external port.
    pub external: u16,
    /// What it is good for.
    pub phase: MappingPhase,
}

/// What a mapping is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MappingPhase {
    /// So many sessions need it.
    Live(u16),
    /// No session does; for so long its port is kept from other internal endpoints (RFC 6888 REQ-8).
    Cooling(Duration),
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// The sessions that live at `now`, in no order that means anything.
    pub fn sessions(&self, now: Instant) -> impl Iterator<Item = SessionView> {
        let live = self.tables.sessions.iter().filter(move |session| !session.has_expired(now));
        live.filter_map(move |session| session_view(session, &self.rules, now))
    }

    /// The sessions that live at `now` and lie in the table at `from` or behind it, each with its place.
    pub fn sessions_from(&self, now: Instant, from: u32) -> impl Iterator<Item = (u32, SessionView)> {
        (from..SESSIONS as u32).filter_map(move |place| Some((place, self.session(now, place)?)))
    }

    /// The session that lives at `now` in a place of the table.
    pub fn session(&self, now: Instant, place: u32) -> Option<SessionView> {
        if place as usize >= SESSIONS {
            return None;
        }
        let session = self.tables.sessions.at(Slot::new(place));
        session_view(session, &self.rules, now).filter(|_| !session.has_expired(now))
    }

    /// Ends the session that lives in a place of the table.
    pub fn end_session(&mut self, now: Instant, place: u32) {
        if self.session(now, place).is_some() {
            self.close(now, Slot::new(place));
        }
    }

    /// The mappings that there are at `now`, in no order that means anything. The external ports of forwards have none.
    pub fn mappings(&self, now: Instant) -> impl Iterator<Item = MappingView> {
        self.tables.mappings.iter().filter_map(move |mapping| mapping_view(mapping, now))
    }
}

fn session_view(session: &Session, rules: &Rules, now: Instant) -> Option<SessionView> {
    let (protocol, begun) = (session.protocol(), session.begun()?);
    Some(SessionView {
        protocol,
        internal: session.internal(),
        external: session.external(),
        remote: remote(session.remote(), protocol, rules),
        begun,
        state: (protocol == Protocol::Tcp).then_some(session.state),
        left: session.left(now),
    })
}

fn mapping_view(mapping: &Mapping, now: Instant) -> Option<MappingView> {
    let Mapping { protocol, internal, external, .. } = *mapping;
    let phase = match mapping.sessions() {
        0 => MappingPhase::Cooling(mapping.cools_for(now)?),
        sessions => MappingPhase::Live(sessions),
    };
    Some(MappingView { protocol, internal, external, phase })
}

fn remote(kept: Endpoint, protocol: Protocol, rules: &Rules) -> Remote {
    const WHOLE: Endpoint = Endpoint::new(Ipv4Addr::BROADCAST, u16::MAX);
    let scope = rules.scoped(protocol, WHOLE);
    match protocol {
        _ if scope.address != WHOLE.address => Remote::Any,
        // Neither a ping nor another protocol has a port at that end.
        Protocol::Icmp | Protocol::Other => Remote::Address(kept.address),
        _ if scope.port != WHOLE.port => Remote::Address(kept.address),
        _ => Remote::Endpoint(kept),
    }
}
