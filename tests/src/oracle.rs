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
//! What it expects of packets stands in `wire` and `change`, of connections in `tcp` and `streams`, of fragments in
//! `datagrams`; what it keeps, in `sessions`, `ports`, `shares` and `time`. Other settings while the engine works are not
//! its business, nor what happens without an external address.

mod bench;
mod change;
mod datagrams;
mod open;
mod ports;
mod sessions;
mod shares;
pub mod streams;
pub mod tcp;
mod time;
pub mod wire;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use napt::{Dependence, DropReason, Instant, Realm, RejectReason, Settings, Verdict};

pub use self::bench::Bench;
use self::change::Change;
use self::datagrams::Datagram;
use self::sessions::{Begun, Session, Start, has_ports};
use self::streams::{Fit, Streams};
use self::tcp::{Connection, Way};
use self::wire::{Hop, Quoted, Subject, View};
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
    /// Until when slots may be of no use although no session has them.
    spent: Vec<Instant>,
    datagrams: Vec<Datagram>,
    /// How many mappings the engine had after the last packet.
    mappings_seen: usize,
    external: Ipv4Addr,
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
        Self {
            external: settings.external.unwrap_or(Ipv4Addr::UNSPECIFIED),
            settings,
            capacity,
            late,
            now: Instant::from_millis(0),
            sessions: vec![],
            mappings: vec![],
            lingering: vec![],
            spent: vec![],
            datagrams: vec![],
            mappings_seen: 0,
        }
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
        let told = Told::new(verdict, after);
        let change = match wire::header(&before.bytes) {
            Ok(_) if wire::is_fragment(&before.bytes) => self.judge_fragment(from, before, &told)?,
            _ => self.judge_whole(from, before, &told)?,
        };
        match change {
            Some(change) => change.check(before, after),
            None if before == after => Ok(()),
            None => Err("changed, but not forwarded".into()),
        }
    }

    /// Judges a packet that is whole, or the first part of one.
    fn judge_whole(&mut self, from: Realm, before: &Packet, told: &Told) -> Judgement {
        let view = match wire::read(before) {
            Ok(view) => view,
            Err(faults) => return self.faulty(from, faults, told),
        };
        let change = self.decide(from, before, &view, told)?;
        let Some(change) = change else { return Ok(None) };
        let id = if self.leaves_in_pieces(from, before, &view, told) {
            self.check_id(told)?;
            Some(told.id)
        } else {
            None
        };
        Ok(Some(Change { id, segment_size: self.segment_size(), ..change }))
    }

    /// Whether a packet is a piece of a datagram from inside, or will be cut to such.
    fn leaves_in_pieces(&self, from: Realm, before: &Packet, view: &View, told: &Told) -> bool {
        let is_large = view.hop.len > usize::from(self.settings.external_mtu) && !view.hop.is_many;
        let is_flow = !matches!(view.subject, Subject::Error(_));
        let is_cut = is_large && is_flow && told.verdict == Verdict::Forward(Realm::External);
        from == Realm::Internal && (is_cut || wire::is_fragment(&before.bytes))
    }

    /// The largest segment that fits both links (RFC 4459 s.3.2).
    fn segment_size(&self) -> Option<u16> {
        let mtu = self.settings.external_mtu.min(self.settings.internal_mtu);
        self.settings.clamp_segment_size.then(|| mtu - 40)
    }

    fn mtu(&self, of: Realm) -> u16 {
        if of == Realm::Internal { self.settings.internal_mtu } else { self.settings.external_mtu }
    }

    /// A packet with faults is dropped for one of them.
    fn faulty(&self, from: Realm, mut faults: Vec<DropReason>, told: &Told) -> Judgement {
        faults.extend((from == Realm::External).then_some(DropReason::NotOurs));
        let known = faults.iter().any(|fault| told.verdict == Verdict::Drop(*fault));
        known.then_some(None).ok_or_else(|| format!("{:?}, not one of {faults:?}", told.verdict))
    }

    /// Whom an external port belongs to, if it does, or did until a moment ago.
    pub fn owner(&self, protocol: u8, external: u16) -> Option<SocketAddrV4> {
        self.leads_to(protocol, external).1
    }

    fn decide(&mut self, from: Realm, before: &Packet, view: &View, told: &Told) -> Judgement {
        let ours = *view.destination.ip() == self.external;
        let local =
            if wire::is_fragment(&before.bytes) { DropReason::Fragment.into() } else { Verdict::Local };
        match (from, &view.subject) {
            (Realm::External, _) if !ours => return told.is(DropReason::NotOurs),
            (Realm::External, Subject::Query) => return told.is(local),
            _ => (),
        }
        let outwards = from == Realm::Internal && !ours;
        let mtu = self.mtu(if outwards { Realm::External } else { Realm::Internal });
        match (next_hop(view.hop, mtu), told.verdict) {
            (None, _) => self.route(from, ours, view, told),
            // Of two reasons either will do.
            (Some(_), Verdict::Drop(_)) if self.clone().route(from, ours, view, told).is_ok() => Ok(None),
            (Some(verdict), _) => told.is(verdict),
        }
    }

    fn route(&mut self, from: Realm, ours: bool, view: &View, told: &Told) -> Judgement {
        match (from, &view.subject) {
            (Realm::External, Subject::Error(quoted)) => self.deliver_error(view, *quoted, told),
            (Realm::Internal, Subject::Error(quoted)) => self.send_error(view, *quoted, told),
            (Realm::External, _) => self.deliver(view, told),
            // Queries from outside are the box's own to answer: nobody inside has been asked anything.
            (Realm::Internal, Subject::Reply) => told.is(DropReason::NoSession),
            (Realm::Internal, _) if ours => self.hairpin(view, told),
            (Realm::Internal, _) => self.send(view, told),
        }
    }

    /// From inside to anywhere outside (RFC 3022 s.2.2). What does not fit its connection passes: the host may know better.
    fn send(&mut self, view: &View, told: &Told) -> Judgement {
        let change = |external| Change::new(external, view.destination);
        if let Some(known) = self.find_out(view.protocol, view.source, view.destination) {
            told.is(Verdict::Forward(Realm::External))?;
            self.track(known, Way::Out, view);
            return Ok(Some(change(self.outside(self.sessions[known].external))));
        }
        let Some(connection) = begin(Way::Out, view) else { return told.is(DropReason::NoSession) };
        let is_barred = !has_ports(view.protocol) && !self.settings.other_protocols;
        match told.verdict {
            Verdict::Drop(DropReason::Protocol) if is_barred => Ok(None),
            verdict if is_barred => self.refused(view, verdict, 1),
            Verdict::Forward(Realm::External)
                if !self.is_taken(view.protocol, view.source, view.destination) =>
            {
                self.may_begin(view, 1)?;
                self.may_map(view.protocol, view.source, view.destination, told.port)?;
                self.open(start(view, told.port, Begun::Inside, connection));
                Ok(Some(change(self.outside(told.port))))
            }
            verdict => self.refused(view, verdict, 1),
        }
    }

    /// Whether a flow from inside may begin that needs `new` sessions.
    fn may_begin(&self, view: &View, new: usize) -> Result<(), String> {
        let share = self.share_of_host(*view.source.ip());
        let over = || format!("X03: {} has used its share up: {share:?}", view.source.ip());
        (!share.is_used_up).then_some(()).ok_or_else(over)?;
        self.fits(new)
    }

    /// From outside to one of our ports (RFC 4787 s.5).
    fn deliver(&mut self, view: &View, told: &Told) -> Judgement {
        let (external, remote) = (view.destination.port(), view.source);
        let change = |internal| Change::new(remote, internal);
        if let Some(known) = self.find_in(view.protocol, external, remote) {
            if self.clone().track(known, Way::In, view) == Fit::Foreign {
                return told.is(DropReason::OutOfWindow);
            }
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
            let refusals = self.refusals(view.protocol, internal, external, remote);
            let sure = refusals.iter().any(|(_, sure)| *sure);
            if told.verdict == Verdict::Forward(Realm::Internal) && !sure {
                let (protocol, begun) = (view.protocol, Begun::HalfOpen(*remote.ip()));
                self.open(Start { protocol, internal, external, remote, begun, connection });
                return Ok(Some(change(internal)));
            }
            accepted.extend(refusals.into_iter().map(|(verdict, _)| verdict));
        }
        let known = accepted.contains(&told.verdict);
        known.then_some(None).ok_or_else(|| format!("{:?}, not one of {accepted:?}", told.verdict))
    }

    /// From inside to one of our ports: out and in again (RFC 4787 s.6). The filter has no say. Two sessions begin, or
    /// none.
    fn hairpin(&mut self, view: &View, told: &Told) -> Judgement {
        let (protocol, external) = (view.protocol, view.destination.port());
        let (sure, receiver) = self.leads_to(protocol, external);
        let Some(receiver) = receiver else { return told.is(DropReason::NoMapping) };
        if !sure && told.verdict == Verdict::Drop(DropReason::NoMapping) {
            return Ok(None);
        }
        let ours = self.find_out(protocol, view.source, view.destination);
        let Some(first) = ours.map(|known| self.sessions[known].connection).or(begin(Way::Out, view)) else {
            return told.is(DropReason::NoSession);
        };
        let port = match (ours, told.verdict) {
            (Some(known), _) => self.sessions[known].external,
            (None, Verdict::Forward(_)) => told.port,
            // It has got none; the one that it would have got is known, or the packet is open.
            (None, _) => self.port_of(view).unwrap_or(told.port),
        };
        let source = self.outside(port);
        let theirs = self.find_in(protocol, external, source);
        if (ours.is_none() || theirs.is_none()) && begin(Way::In, view).is_none() {
            return told.is(DropReason::NoSession);
        }
        let to_itself = ours.is_none() && receiver == view.source && port == external;
        let ambiguous = theirs.is_none() && !to_itself && self.find_out(protocol, receiver, source).is_some();
        if let Some(theirs) = theirs
            && self.clone().track(theirs, Way::In, view) == Fit::Foreign
        {
            return told.is(DropReason::OutOfWindow);
        }
        let new = usize::from(ours.is_none()) + usize::from(theirs.is_none() && !to_itself);
        match told.verdict {
            Verdict::Drop(DropReason::Ambiguous) if ambiguous => {
                if ours.is_none() {
                    self.take_back(view, port);
                }
                Ok(None)
            }
            Verdict::Forward(Realm::Internal) if !ambiguous => {
                if ours.is_none() {
                    self.may_begin(view, new)?;
                    self.may_map(protocol, view.source, view.destination, port)?;
                    self.open(start(view, port, Begun::Inside, first));
                }
                self.fits(usize::from(theirs.is_none() && !to_itself))?;
                self.receive(view, receiver, source)?;
                Ok(Some(Change::new(source, receiver)))
            }
            // Whoever needs one session is refused like one that needs two.
            verdict => self.refused(view, verdict, if ours.is_none() { 2 } else { new }),
        }
    }

    /// Moves both sessions of a hairpinned packet on, the sender's and the receiver's, which may begin with it.
    fn receive(&mut self, view: &View, receiver: SocketAddrV4, source: SocketAddrV4) -> Result<(), String> {
        let (protocol, external) = (view.protocol, view.destination.port());
        if self.find_in(protocol, external, source).is_none() {
            let connection = begin(Way::In, view).ok_or("hairpin without a session")?;
            let begun = Begun::HalfOpen(self.external);
            self.open(Start { protocol, internal: receiver, external, remote: source, begun, connection });
        }
        let theirs = self.find_in(protocol, external, source).ok_or("no receiver")?;
        self.track(theirs, Way::In, view);
        let ours = self.find_out(protocol, view.source, view.destination).ok_or("no sender")?;
        self.track(ours, Way::Out, view);
        Ok(())
    }

    /// An error from outside about a packet that we sent (RFC 5508 s.4.2.1). It touches nothing (REQ-6).
    fn deliver_error(&mut self, view: &View, about: Quoted, told: &Told) -> Judgement {
        let Some(known) = self.find_in(about.protocol, about.source.port(), about.destination) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        let session = &self.sessions[known];
        if let (Some(first), Some((_, streams))) = (about.sequence, session.connection)
            && !streams.may_be_under_way(first)
        {
            return told.is(DropReason::EmbeddedOutOfWindow);
        }
        told.is(Verdict::Forward(Realm::Internal))?;
        let destination = SocketAddrV4::new(*session.internal.ip(), 0);
        Ok(Some(Change::new(view.source, destination).quoting(session.internal, about.destination)))
    }

    /// An error from inside about a packet that we delivered (RFC 5508 s.4.2.2).
    fn send_error(&mut self, view: &View, about: Quoted, told: &Told) -> Judgement {
        let (protocol, remote, internal) = (about.protocol, about.source, about.destination);
        let source = self.outside(0);
        let Some(receiver) = self.find_out(protocol, internal, remote) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        let external = self.outside(self.sessions[receiver].external);
        if *remote.ip() != self.external {
            told.is(Verdict::Forward(Realm::External))?;
            return Ok(Some(Change::new(source, view.destination).quoting(remote, external)));
        }
        let Some(sender) = self.find_in(protocol, remote.port(), external) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        told.is(Verdict::Forward(Realm::Internal))?;
        let sender = self.sessions[sender].internal;
        let destination = SocketAddrV4::new(*sender.ip(), 0);
        Ok(Some(Change::new(source, destination).quoting(sender, external)))
    }

    /// Where a packet from outside may go without a session; each view that lateness allows. Only what the inside has
    /// begun, or answered, lets others in.
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
        let filtering = self.filtering(protocol);
        let known = |session: &&Session| match filtering {
            Dependence::Endpoint => session.vouches(),
            Dependence::Address => session.vouches() && session.remote.ip() == remote.ip(),
            // It would have been found.
            Dependence::AddressAndPort => false,
        };
        // RFC 4787 s.5 asks whom the internal endpoint has sent to. Where it has several external ports, the engine
        // may ask that of the one port; where it lets everybody in, whether there is anybody.
        let near = |session: &&Session| (session.protocol, session.internal) == (protocol, internal);
        let alive = |session: &Session| session.deadline > self.now;
        let mut remaining = self.sessions.iter().filter(near).filter(|session| !session.ended);
        if filtering == Dependence::Endpoint || remaining.any(|session| known(&session)) {
            views.push(Ok(internal));
        }
        if !self.sessions_of(protocol, external).filter(known).any(alive) {
            views.push(Err(DropReason::Filtered));
        }
        views
    }

    fn outside(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.external, port)
    }
}

/// Why a packet may not go one hop further (RFC 1812 s.5.3.1, RFC 1191, RFC 4787 REQ-13).
fn next_hop(hop: Hop, mtu: u16) -> Option<Verdict> {
    match () {
        () if hop.ttl <= 1 => Some(Verdict::Reject(RejectReason::TtlExpired)),
        () if hop.len <= usize::from(mtu) => None,
        () if hop.dont_fragment => Some(Verdict::Reject(RejectReason::FragmentationNeeded { mtu })),
        () if hop.is_many => Some(Verdict::Drop(DropReason::TooLarge)),
        // It will be cut.
        () => None,
    }
}

/// The state of a session that begins with a packet, if one may: `Some(None)` for what has no states.
fn begin(way: Way, view: &View) -> Option<Option<(Connection, Streams)>> {
    match (&view.subject, way) {
        (Subject::Segment(segment), _) => Connection::begin(way, segment).map(Some),
        (Subject::Datagram, _) | (Subject::Query, Way::Out) | (Subject::Reply, Way::In) => Some(None),
        _ => None,
    }
}

/// A session that begins with a packet from inside.
fn start(view: &View, external: u16, begun: Begun, connection: Option<(Connection, Streams)>) -> Start {
    let (protocol, internal, remote) = (view.protocol, view.source, view.destination);
    Start { protocol, internal, external, remote, begun, connection }
}

/// What the engine is seen to have done.
struct Told {
    verdict: Verdict,
    /// The source port, or identifier, that the packet has got.
    port: u16,
    /// The identification that it has.
    id: u16,
}

impl Told {
    fn new(verdict: Verdict, after: &Packet) -> Self {
        let id = if after.bytes.len() < 6 { 0 } else { wire::word(&after.bytes, 4) };
        Self { verdict, port: wire::read(after).map_or(0, |view| view.source.port()), id }
    }

    fn is(&self, verdict: impl Into<Verdict>) -> Judgement {
        let verdict = verdict.into();
        (self.verdict == verdict)
            .then_some(None)
            .ok_or_else(|| format!("{:?}, not {verdict:?}", self.verdict))
    }
}
