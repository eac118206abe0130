//! The oracle: a NAPT over ordinary maps, naive enough to be believed, that judges what the engine does.
//!
//! It is written from the RFCs and from the decisions in `firmware/ARCHITECTURE.md`, not from the engine: it counts
//! where the engine keeps counts, recomputes where the engine updates, and keeps what has expired until everybody must
//! have noticed. [`Oracle::judge`] is shown each packet with what the engine made of it, and says what is wrong.
//!
//! Two things are the engine's to decide, within limits that the oracle knows. *Which port* a new mapping gets: of the
//! best kind that there is (see `ports`). And *when* the end of a session is noticed: a packet of the session itself
//! never finds it after its deadline, but its slot, its mapping, its place in anybody's share and what it vouches for may
//! stay until the engine is next woken, which it asks to be within a [`TICK`]. Within that time the oracle accepts either
//! view, and [`Oracle::check_occupancy`] has bounds that meet as soon as nothing is late.
//!
//! What it expects of packets stands in `wire` and `change`, of flows and ICMP errors in `flows` and `errors`, of
//! connections in `tcp` and `streams`, of fragments in `datagrams`; what it keeps, in `sessions`, `ports`, `shares`,
//! `forwards` and `time`; what it leaves open, in `open`; what an operator changes, in `operator`. What happens without an external
//! address is not its business.

mod change;
mod datagrams;
mod errors;
mod flows;
mod forwards;
mod open;
mod operator;
mod ports;
mod rules;
mod sessions;
mod shares;
pub mod streams;
mod table;
pub mod tcp;
mod time;
pub mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;
use std::time::Duration;

use napt::{Checksum, DropReason, Instant, Realm, RejectReason, Settings, Verdict};

use self::change::Change;
use self::datagrams::Datagram;
use self::table::Table;
use self::wire::{Hop, Subject, View};

/// How late an engine that is woken when it asks to be notices the end of a session where no packet of the session
/// itself asks: a tick of the wheel.
pub const TICK: Duration = Duration::from_millis(1_024);

/// How long the record of a session may stay that others were counted by, after the last of them: a turn of the wheel.
const LINGER: Duration = Duration::from_millis(64 * 1_024);

/// One IPv4 packet, with what a driver says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The packet, and whatever is behind it.
    pub bytes: &'a [u8],
    /// Whether its transport checksum is finished.
    pub checksum: Checksum,
    /// For a large packet that stands for many: the payload of each.
    pub segment: Option<NonZeroU16>,
}

/// What the oracle expects of an engine with some settings.
#[derive(Clone)]
pub struct Oracle {
    settings: Settings,
    capacity: usize,
    /// How late the end of a session may be noticed.
    late: Duration,
    now: Instant,
    /// Nothing changes by itself before this moment.
    due: Instant,
    sessions: Table,
    /// By protocol and external port.
    mappings: BTreeMap<(u8, u16), Mapping>,
    lingering: Vec<(Group, Instant)>,
    /// Until when slots may be of no use although no session has them.
    spent: Vec<Instant>,
    datagrams: Vec<Datagram>,
    /// Those given last, the last first.
    identifications: VecDeque<u16>,
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
    /// Whether it has been brought back while it cooled: if it cools again it is not where its time says among those that cool,
    /// and may have to wait for others, and others for it.
    revived: bool,
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
            due: Instant::from_millis(0),
            sessions: Table::default(),
            mappings: BTreeMap::new(),
            lingering: vec![],
            spent: vec![],
            datagrams: vec![],
            identifications: VecDeque::new(),
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
        before: Packet<'_>,
        verdict: Verdict,
        after: Packet<'_>,
    ) -> Result<(), String> {
        match self.judge_verdict(now, from, before, &Told::new(verdict, after))? {
            Some(change) => change.check(before, after),
            None if before == after => Ok(()),
            None => Err("changed, but not forwarded".into()),
        }
    }

    /// The same for a fragment, not the first, that nobody has seen leave: judges its verdict alone.
    ///
    /// # Errors
    /// What is wrong.
    pub fn judge_unseen(
        &mut self,
        now: Instant,
        from: Realm,
        before: Packet<'_>,
        verdict: Verdict,
    ) -> Result<(), String> {
        // The others of its datagram have told what becomes of it.
        self.judge_verdict(now, from, before, &Told::new(verdict, before)).map(|_| ())
    }

    fn judge_verdict(&mut self, now: Instant, from: Realm, before: Packet<'_>, told: &Told) -> Judgement {
        self.pass_time(now);
        match wire::header(before.bytes) {
            Ok(_) if wire::is_fragment(before.bytes) => self.judge_fragment(from, before, told),
            _ => self.judge_whole(from, before, told),
        }
    }

    /// Judges a packet that is whole, or the first part of one.
    fn judge_whole(&mut self, from: Realm, before: Packet<'_>, told: &Told) -> Judgement {
        let view = match wire::read(before) {
            Ok(view) => view,
            Err(faults) => return self.faulty(from, faults, told),
        };
        let change = self.decide(from, &view, told)?;
        let Some(change) = change else { return Ok(None) };
        let id = if needs_identification(from, before, &view) {
            self.check_id(told)?;
            Some(told.id)
        } else {
            None
        };
        Ok(Some(Change { id, segment_size: self.segment_size(), ..change }))
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

    fn decide(&mut self, from: Realm, view: &View, told: &Told) -> Judgement {
        let ours = *view.destination.ip() == self.external;
        match (from, &view.subject) {
            (Realm::External, _) if !ours => return told.is(DropReason::NotOurs),
            (Realm::External, Subject::Query) => return told.is(Verdict::Local),
            _ => (),
        }
        let outwards = from == Realm::Internal && !ours;
        let to = if outwards { Realm::External } else { Realm::Internal };
        match (self.next_hop(view.hop, to), told.verdict) {
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

    /// Why a packet may not go one hop further (RFC 1812 s.5.3.1, RFC 1191, RFC 4787 REQ-13).
    fn next_hop(&self, hop: Hop, to: Realm) -> Option<Verdict> {
        match () {
            () if hop.ttl <= 1 => Some(Verdict::Reject(RejectReason::TtlExpired)),
            () if hop.len <= usize::from(self.mtu(to)) => None,
            () if hop.dont_fragment => Some(Verdict::Reject(RejectReason::FragmentationNeeded(to))),
            () if hop.is_many => Some(Verdict::Drop(DropReason::TooLarge)),
            // It will be cut.
            () => None,
        }
    }

    fn outside(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.external, port)
    }
}

/// Whether a packet that leaves with our address is a piece of a datagram, or may yet be cut (RFC 6864 s.5.3.1).
fn needs_identification(from: Realm, before: Packet<'_>, view: &View) -> bool {
    let may_be_cut = !view.hop.dont_fragment && !view.hop.is_many;
    from == Realm::Internal && (may_be_cut || wire::is_fragment(before.bytes))
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
    fn new(verdict: Verdict, after: Packet<'_>) -> Self {
        let id = if after.bytes.len() < 6 { 0 } else { wire::word(after.bytes, 4) };
        Self { verdict, port: wire::read(after).map_or(0, |view| view.source.port()), id }
    }

    fn is(&self, verdict: impl Into<Verdict>) -> Judgement {
        let verdict = verdict.into();
        (self.verdict == verdict)
            .then_some(None)
            .ok_or_else(|| format!("{:?}, not {verdict:?}", self.verdict))
    }
}
