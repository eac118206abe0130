//! The oracle: a NAPT over ordinary vectors, naive enough to be believed, that judges what the engine does.
//!
//! It is written from the RFCs and from the decisions in `firmware/ARCHITECTURE.md`, not from the engine: it scans
//! where the engine has an index, recomputes where the engine updates, and keeps what has expired until everybody must
//! have noticed. [`Oracle::judge`] is shown each packet with what the engine made of it, and says what is wrong.
//!
//! Two things are the engine's to decide, within limits that the oracle knows. *Which port* a new mapping gets: of the
//! best kind that there is (see `ports`). And *when* the end of a session is noticed: a packet of the session itself
//! never finds it after its deadline, but its slot, its mapping and what that vouches for may stay until
//! the engine is next woken, which it asks to be within a [`TICK`]. Within that time the oracle accepts either view, and [`Oracle::check_occupancy`]
//! has bounds that meet as soon as nothing is late.
//!
//! Not modelled, and each with its place: TCP windows and what a RST has to prove (`tcp`), fragments and protocols
//! without ports (`wire::read`), clamped segment sizes (`wire::Change`), shares of the tables for each host (`fits`).

mod bench;
mod open;
mod ports;
mod sessions;
pub mod tcp;
mod time;
pub mod wire;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use napt::{Dependence, DropReason, Instant, Realm, RejectReason, Settings, Verdict};

pub use self::bench::Bench;
use self::sessions::Session;
use self::tcp::{Connection, Way};
use self::wire::{Change, Subject, View};
use crate::Packet;

/// How late an engine that is woken when it asks to be notices the end of a session where no packet of the session
/// itself asks: a tick of the wheel.
pub const TICK: Duration = Duration::from_millis(1_024);

/// How long the record of a session may stay that others were counted by, after the last of them: a turn of the wheel.
const LINGER: Duration = Duration::from_millis(64 * 1_024);

/// What the oracle expects of an engine with some settings.
#[derive(Clone)]
pub struct Oracle {
    settings: Settings,
    capacity: usize,
    /// How late the end of a session may be noticed.
    late: Duration,
    now: Instant,
    sessions: Vec<Session>,
    mappings: Vec<Mapping>,
    lingering: Vec<(Group, Instant)>,
}

/// Which external port belongs to an internal endpoint, since its first session and until it has cooled down.
#[derive(Clone, Debug)]
struct Mapping {
    protocol: u8,
    internal: SocketAddrV4,
    external: u16,
    /// The latest deadline of its sessions.
    last: Instant,
    /// Whether it may have been given up, to make room, before it has cooled down.
    doubted: bool,
}

/// Sessions with one remote address, by what the behaviour that looks at addresses groups them by.
type Group = (u8, SocketAddrV4, Ipv4Addr);

/// What became of a packet: accepted as dropped, rejected or local, or to be translated like this.
type Judgement = Result<Option<Change>, String>;

impl Oracle {
    /// The oracle for a fresh engine with room for `capacity` sessions, which notices what expires so `late`.
    pub fn new(settings: Settings, capacity: usize, late: Duration) -> Self {
        let now = Instant::from_millis(0);
        Self { settings, capacity, late, now, sessions: vec![], mappings: vec![], lingering: vec![] }
    }

    /// Judges what the engine made of a packet from realm `from`: its verdict, and the bytes after it.
    ///
    /// # Errors
    /// What is wrong.
    pub fn judge(
        &mut self,
        now: Instant,
        from: Realm,
        before: &Packet,
        verdict: Verdict,
        after: &Packet,
    ) -> Result<(), String> {
        self.pass_time(now);
        let change = match wire::read(before) {
            Ok(view) => self.decide(from, &view, &Told::new(verdict, after))?,
            Err(mut faults) => {
                faults.extend((from == Realm::External).then_some(DropReason::NotOurs));
                let known = faults.iter().any(|fault| verdict == Verdict::Drop(*fault));
                known.then_some(None).ok_or(format!("{verdict:?}, not one of {faults:?}"))?
            }
        };
        match change {
            Some(change) => change.check(before, after),
            None if before == after => Ok(()),
            None => Err("changed, but not forwarded".into()),
        }
    }

    /// Whom an external port belongs to, if it does, or did until a moment ago.
    pub fn owner(&self, protocol: u8, external: u16) -> Option<SocketAddrV4> {
        self.leads_to(protocol, external).1
    }

    fn decide(&mut self, from: Realm, view: &View, told: &Told) -> Judgement {
        let ours = *view.destination.ip() == self.settings.external;
        match (from, &view.subject) {
            (Realm::External, _) if !ours => return told.is(DropReason::NotOurs),
            (Realm::External, Subject::Query) => return told.is(Verdict::Local),
            _ => (),
        }
        let outwards = from == Realm::Internal && !ours;
        let mtu = if outwards { self.settings.external_mtu } else { self.settings.internal_mtu };
        match (hop(view, mtu), told.verdict) {
            (None, _) => self.route(from, ours, view, told),
            // Of two reasons either will do.
            (Some(_), Verdict::Drop(_)) if self.clone().route(from, ours, view, told).is_ok() => Ok(None),
            (Some(verdict), _) => told.is(verdict),
        }
    }

    fn route(&mut self, from: Realm, ours: bool, view: &View, told: &Told) -> Judgement {
        match (from, &view.subject) {
            (Realm::External, Subject::Error(protocol, source, destination)) => {
                self.deliver_error(view, (*protocol, *source, *destination), told)
            }
            (Realm::Internal, Subject::Error(protocol, source, destination)) => {
                self.send_error(view, (*protocol, *source, *destination), told)
            }
            (Realm::External, _) => self.deliver(view, told),
            // Queries from outside are the box's own to answer: nobody inside has been asked anything.
            (Realm::Internal, Subject::Reply) => told.is(DropReason::NoSession),
            (Realm::Internal, _) if ours => self.hairpin(view, told),
            (Realm::Internal, _) => self.send(view, told),
        }
    }

    /// From inside to anywhere outside (RFC 3022 s.2.2).
    fn send(&mut self, view: &View, told: &Told) -> Judgement {
        let change = |external| Change { source: external, destination: view.destination, quoted: None };
        if let Some(known) = self.find_out(view.protocol, view.source, view.destination) {
            told.is(Verdict::Forward(Realm::External))?;
            self.track(known, Way::Out, view);
            return Ok(Some(change(self.outside(self.sessions[known].external))));
        }
        let Some(connection) = begin(Way::Out, view) else { return told.is(DropReason::NoSession) };
        match told.verdict {
            Verdict::Forward(Realm::External) => {
                self.fits(1)?;
                self.may_map(view.protocol, view.source, view.destination, told.port)?;
                self.open(view.protocol, view.source, told.port, view.destination, connection);
                Ok(Some(change(self.outside(told.port))))
            }
            verdict => self.refused(view, verdict, 1),
        }
    }

    /// From outside to one of our ports (RFC 4787 s.5).
    fn deliver(&mut self, view: &View, told: &Told) -> Judgement {
        let (external, remote) = (view.destination.port(), view.source);
        let change = |internal| Change { source: remote, destination: internal, quoted: None };
        if let Some(known) = self.find_in(view.protocol, external, remote) {
            told.is(Verdict::Forward(Realm::Internal))?;
            self.track(known, Way::In, view);
            return Ok(Some(change(self.sessions[known].internal)));
        }
        let mut accepted = Vec::new();
        for admitted in self.admit(view.protocol, external, remote) {
            let begins = begin(Way::In, view).ok_or(DropReason::NoSession);
            let (internal, connection) = match admitted.and_then(|internal| Ok((internal, begins?))) {
                Ok(new) => new,
                Err(reason) => {
                    accepted.push(reason.into());
                    continue;
                }
            };
            let refusals = self.refusals(view.protocol, internal, remote);
            let sure = refusals.iter().any(|(_, sure)| *sure);
            if told.verdict == Verdict::Forward(Realm::Internal) && !sure {
                self.open(view.protocol, internal, external, remote, connection);
                return Ok(Some(change(internal)));
            }
            accepted.extend(refusals.into_iter().map(|(verdict, _)| verdict));
        }
        let known = accepted.contains(&told.verdict);
        known.then_some(None).ok_or_else(|| format!("{:?}, not one of {accepted:?}", told.verdict))
    }

    /// Why a session from outside may not begin although the filter lets it, and whether that is sure.
    fn refusals(&self, protocol: u8, internal: SocketAddrV4, remote: SocketAddrV4) -> Vec<(Verdict, bool)> {
        let (reserved, used) = (self.capacity - self.capacity / 8, self.slots());
        let mut refusals = Vec::new();
        if self.find_out(protocol, internal, remote).is_some() {
            refusals.push((DropReason::Ambiguous.into(), true));
        }
        if *used.end() >= reserved {
            refusals.push((DropReason::Reserve.into(), *used.start() >= reserved));
        }
        // Not even the reserve is left, because of what has expired and is late.
        if *used.end() >= self.capacity {
            refusals.push((RejectReason::TableFull.into(), false));
        }
        refusals
    }

    /// From inside to one of our ports: out and in again (RFC 4787 s.6). The filter has no say.
    fn hairpin(&mut self, view: &View, told: &Told) -> Judgement {
        let external = view.destination.port();
        let (sure, receiver) = self.leads_to(view.protocol, external);
        let Some(receiver) = receiver else { return told.is(DropReason::NoMapping) };
        if !sure && told.verdict == Verdict::Drop(DropReason::NoMapping) {
            return Ok(None);
        }
        let ours = self.find_out(view.protocol, view.source, view.destination);
        let Some(first) = ours.map(|known| self.sessions[known].connection).or(begin(Way::Out, view)) else {
            return told.is(DropReason::NoSession);
        };
        let port = ours.map_or(told.port, |known| self.sessions[known].external);
        let theirs = self.find_in(view.protocol, external, self.outside(port));
        if (ours.is_none() || theirs.is_none()) && begin(Way::In, view).is_none() {
            return told.is(DropReason::NoSession);
        }
        let to_itself = ours.is_none() && receiver == view.source && port == external;
        let new = usize::from(ours.is_none()) + usize::from(theirs.is_none() && !to_itself);
        let meets = self.find_out(view.protocol, receiver, self.outside(port));
        let ambiguous = theirs.is_none() && !to_itself && meets.is_some();
        match told.verdict {
            Verdict::Drop(DropReason::Ambiguous) if ambiguous && ours.is_some() => Ok(None),
            Verdict::Forward(Realm::Internal) if !ambiguous => {
                self.fits(new)?;
                if let Some(sender) = ours {
                    self.track(sender, Way::Out, view);
                } else {
                    self.may_map(view.protocol, view.source, view.destination, port)?;
                    self.open(view.protocol, view.source, port, view.destination, first);
                }
                match self.find_in(view.protocol, external, self.outside(port)) {
                    Some(theirs) => self.track(theirs, Way::In, view),
                    None => {
                        let connection = begin(Way::In, view).ok_or("hairpin without a session")?;
                        self.open(view.protocol, receiver, external, self.outside(port), connection);
                    }
                }
                Ok(Some(Change { source: self.outside(port), destination: receiver, quoted: None }))
            }
            verdict => self.refused(view, verdict, new),
        }
    }

    /// An error from outside about a packet that we sent (RFC 5508 s.4.2.1). It touches nothing (REQ-6).
    fn deliver_error(
        &mut self,
        view: &View,
        about: (u8, SocketAddrV4, SocketAddrV4),
        told: &Told,
    ) -> Judgement {
        let (protocol, source, remote) = about;
        let Some(known) = self.find_in(protocol, source.port(), remote) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        told.is(Verdict::Forward(Realm::Internal))?;
        let internal = self.sessions[known].internal;
        let destination = SocketAddrV4::new(*internal.ip(), 0);
        Ok(Some(Change { source: view.source, destination, quoted: Some((internal, remote)) }))
    }

    /// An error from inside about a packet that we delivered (RFC 5508 s.4.2.2).
    fn send_error(&mut self, view: &View, about: (u8, SocketAddrV4, SocketAddrV4), told: &Told) -> Judgement {
        let (protocol, remote, internal) = about;
        let source = self.outside(0);
        let Some(receiver) = self.find_out(protocol, internal, remote) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        let external = self.outside(self.sessions[receiver].external);
        if *remote.ip() != self.settings.external {
            told.is(Verdict::Forward(Realm::External))?;
            return Ok(Some(Change {
                source,
                destination: view.destination,
                quoted: Some((remote, external)),
            }));
        }
        let Some(sender) = self.find_in(protocol, remote.port(), external) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        told.is(Verdict::Forward(Realm::Internal))?;
        let sender = self.sessions[sender].internal;
        let destination = SocketAddrV4::new(*sender.ip(), 0);
        Ok(Some(Change { source, destination, quoted: Some((sender, external)) }))
    }

    /// Where a packet from outside may go without a session; each view that lateness allows.
    fn admit(
        &self,
        protocol: u8,
        external: u16,
        remote: SocketAddrV4,
    ) -> Vec<Result<SocketAddrV4, DropReason>> {
        if let Some(internal) = self.forwards_to(protocol, external) {
            return vec![Ok(internal)];
        }
        let (sure, Some(internal)) = self.leads_to(protocol, external) else {
            return vec![Err(DropReason::NoMapping)];
        };
        let mut views = if sure { vec![] } else { vec![Err(DropReason::NoMapping)] };
        let known = |session: &&Session| match self.settings.filtering {
            Dependence::Endpoint => true,
            Dependence::Address => session.remote.ip() == remote.ip(),
            Dependence::AddressAndPort => session.remote == remote,
        };
        // RFC 4787 s.5 asks whom the internal endpoint has sent to. Where it has several external ports, the engine
        // may ask that of the one port.
        let near = |session: &&Session| (session.protocol, session.internal) == (protocol, internal);
        let alive = |session: &Session| session.deadline > self.now;
        if self.sessions.iter().filter(near).filter(known).any(|session| !session.ended) {
            views.push(Ok(internal));
        }
        if !self.sessions_of(protocol, external).filter(known).any(alive) {
            views.push(Err(DropReason::Filtered));
        }
        views
    }

    fn outside(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.settings.external, port)
    }
}

/// Why a packet may not go one hop further (RFC 1812 s.5.3.1, RFC 1191).
fn hop(view: &View, mtu: u16) -> Option<Verdict> {
    match () {
        () if view.ttl <= 1 => Some(Verdict::Reject(RejectReason::TtlExpired)),
        () if view.len <= usize::from(mtu) => None,
        () if view.dont_fragment => Some(Verdict::Reject(RejectReason::FragmentationNeeded { mtu })),
        () => Some(Verdict::Drop(DropReason::TooLarge)),
    }
}

/// The state of a session that begins with a packet, if one may: `Some(None)` for what has no states.
fn begin(way: Way, view: &View) -> Option<Option<Connection>> {
    match (&view.subject, way) {
        (Subject::Segment(segment), _) => Connection::begin(way, *segment).map(Some),
        (Subject::Datagram, _) | (Subject::Query, Way::Out) | (Subject::Reply, Way::In) => Some(None),
        _ => None,
    }
}

/// What the engine is seen to have done.
struct Told {
    verdict: Verdict,
    /// The source port, or identifier, that the packet has got.
    port: u16,
}

impl Told {
    fn new(verdict: Verdict, after: &Packet) -> Self {
        Self { verdict, port: wire::read(after).map_or(0, |view| view.source.port()) }
    }

    fn is(&self, verdict: impl Into<Verdict>) -> Judgement {
        let verdict = verdict.into();
        (self.verdict == verdict)
            .then_some(None)
            .ok_or_else(|| format!("{:?}, not {verdict:?}", self.verdict))
    }
}
