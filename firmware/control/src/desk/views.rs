//! The router's tables, counters and books, in the words of the channel.

use core::net::Ipv4Addr;

use heapless::Vec;
use napt::policy::RuleUse;
use napt::{Begun, Endpoint, Hits, HostUse, Instant, Protocol, Remote, SessionView};
use router::{Fate, Pattern, Recorded, Recorder, Router, Side};

use crate::message::{Counters, Filter, Frame, Host, Refusal, Response, Session, Use};

/// How many places of the session table are looked at for one response.
const LOOKED_AT: u32 = 8_192;

pub(super) fn sessions<const SESSIONS: usize>(
    now: Instant,
    router: &Router<'_, SESSIONS>,
    from: u32,
    filter: Filter,
) -> Response<'static> {
    let end = from.saturating_add(LOOKED_AT);
    let mut list = Vec::new();
    let all = router.sessions_from(now, from).take_while(|(number, _)| *number < end);
    for (number, view) in all.filter(|(_, view)| filter.includes(view)) {
        if list.push(Session::of(number, &view)).is_err() {
            return Response::Sessions(Some(number), list);
        }
    }
    Response::Sessions(Some(end).filter(|end| (*end as usize) < SESSIONS), list)
}

pub(super) fn kill<const SESSIONS: usize>(
    now: Instant,
    router: &mut Router<'_, SESSIONS>,
    session: &Session,
) -> Result<Response<'static>, Refusal> {
    let there = router.session(now, session.number).map(|view| Session::of(session.number, &view));
    if there.is_none_or(|there| !there.is(session)) {
        return Err(Refusal::NoSession);
    }
    router.end_session(now, session.number);
    Ok(Response::Done(1))
}

pub(super) fn hosts<const SESSIONS: usize>(router: &Router<'_, SESSIONS>, from: u16) -> Response<'static> {
    let wire = |HostUse { address, sessions, most }| Host { address: address.octets(), sessions, most };
    let (next, list) = part(router.hosts().map(wire), from);
    Response::Hosts(next, list)
}

pub(super) fn rules<const SESSIONS: usize>(router: &Router<'_, SESSIONS>, from: u16) -> Response<'static> {
    let wire = |RuleUse { packets, bytes, last }| Use {
        packets,
        bytes,
        last: (packets > 0).then_some(last.millis()),
    };
    let (next, list) = part(router.rules().map(|(_, used)| wire(used)), from);
    Response::Uses(next, list)
}

pub(super) fn forwards<const SESSIONS: usize>(router: &Router<'_, SESSIONS>, from: u16) -> Response<'static> {
    let wire = |Hits { count, bytes, last }| Use { packets: count, bytes, last: last.map(Instant::millis) };
    let (next, list) = part(router.forward_hits().map(wire), from);
    Response::Uses(next, list)
}

/// As many as fit, from a place on; and from where on there are more.
fn part<T, const N: usize>(all: impl Iterator<Item = T>, from: u16) -> (Option<u16>, Vec<T, N>) {
    let mut list = Vec::new();
    for (item, number) in all.skip(from.into()).zip(from..) {
        if list.push(item).is_err() {
            return (Some(number), list);
        }
    }
    (None, list)
}

/// Writes frames, one after the other, from a number on, as many as fit: from which number on there are more, and how many bytes.
pub(super) fn frames(recorder: &Recorder, from: u64, buffer: &mut [u8]) -> (u64, usize) {
    let mut len = 0;
    for recorded in recorder.frames(from) {
        let room = buffer.get_mut(len..).unwrap_or_default();
        match postcard::to_slice(&Frame::of(&recorded), room) {
            Ok(written) => len += written.len(),
            Err(_) => return (recorded.number, len),
        }
    }
    (recorder.count(), len)
}

pub(super) fn counters<const SESSIONS: usize>(router: &Router<'_, SESSIONS>, side: u8) -> Response<'static> {
    let side = if side == 0 { Side::Lan } else { Side::Wan };
    let summary = router.summary();
    let (router, engine) = (summary.router[side as usize], summary.engine[side as usize]);
    Response::Counters(Counters {
        received: router.received,
        bytes: router.bytes,
        arp: router.arp,
        local: router.local,
        forwarded: router.forwarded,
        held: router.held,
        suppressed: router.suppressed,
        refused: Vec::from_array(router.refused),
        rejected: Vec::from_array(engine.rejected),
        dropped: Vec::from_array(engine.dropped),
    })
}

impl Session {
    fn of(number: u32, view: &SessionView) -> Self {
        Self {
            number,
            protocol: number_of(view),
            internal: wire(view.internal),
            external: view.external,
            remote: match view.remote {
                Remote::Any => None,
                Remote::Address(address) => Some((address.octets(), None)),
                Remote::Endpoint(end) => Some((end.address.octets(), Some(end.port))),
            },
            begun: match view.begun {
                Begun::Inside => 0,
                Begun::HalfOpen => 1,
                Begun::Outside => 2,
            },
            state: view.state.map(|state| state as u8),
            left: view.left.as_millis() as u64,
        }
    }

    /// Whether it is the same session, whatever has become of it.
    fn is(&self, other: &Self) -> bool {
        let identity = |it: &Self| (it.number, it.protocol, it.internal, it.external, it.remote);
        identity(self) == identity(other)
    }
}

impl<'r> Frame<'r> {
    fn of(recorded: &Recorded<'r>) -> Self {
        let Recorded { number, at, came, left, fate, len, frame, sent } = *recorded;
        let (verdict, reason) = match fate {
            Fate::Forwarded => (0, ""),
            Fate::Arp => (1, ""),
            Fate::Local => (2, ""),
            Fate::Held => (3, ""),
            Fate::Rejected(reason) => (4, reason),
            Fate::Dropped(reason) => (5, reason),
        };
        let [came, left] = [came, left].map(|side| side.map(|side| side as u8));
        Self { number, at: at.millis(), came, left, verdict, reason, len, frame, sent }
    }
}

impl Filter {
    pub(super) fn pattern(&self, stopped: bool) -> Pattern {
        let Self { protocol, address, port } = *self;
        Pattern { protocol, address: address.map(Ipv4Addr::from), port, stopped }
    }

    fn includes(&self, view: &SessionView) -> bool {
        let (address, port) = match view.remote {
            Remote::Any => (None, None),
            Remote::Address(address) => (Some(address), None),
            Remote::Endpoint(end) => (Some(end.address), Some(end.port)),
        };
        let is_port = |wanted| [Some(view.internal.port), Some(view.external), port].contains(&Some(wanted));
        let is_address = |wanted: [u8; 4]| {
            let wanted = Ipv4Addr::from(wanted);
            view.internal.address == wanted || address == Some(wanted)
        };
        self.protocol.is_none_or(|wanted| wanted == number_of(view))
            && self.address.is_none_or(is_address)
            && self.port.is_none_or(is_port)
    }
}

/// The number of a session's protocol (RFC 791).
fn number_of(view: &SessionView) -> u8 {
    match view.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Icmp => 1,
        // It stands where others have their port.
        Protocol::Other => view.internal.port as u8,
    }
}

fn wire(endpoint: Endpoint) -> ([u8; 4], u16) {
    (endpoint.address.octets(), endpoint.port)
}
