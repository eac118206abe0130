//! An engine for a fuzzer: small, so that it is soon full and cheap to make, with books of its own about what the
//! engine has said.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use napt::policy::{Action, Addresses, Matched, Rate, Rejection, Rule, Way};
use napt::{
    Checksum, Counters, Dependence, Endpoint, Engine, Forward, Instant, PortRange, Protocols, Realm,
    Settings, Tables, Verdict,
};

use super::check::{Passed, check};
use super::wire::{End, ICMP, OUTSIDE, TCP, UDP, inside, is_error, is_fragment, ports, remote, source};

/// How many sessions it has room for.
pub(super) const SESSIONS: usize = 16;

/// The external port that is forwarded, TCP and UDP, and where to.
pub(super) const FORWARDED: u16 = 54321;
pub(super) const WEB: u16 = 80;

/// No timer is shorter, so whoever gets an external port keeps it for as long.
const TENURE: Duration = Duration::from_secs(60);

/// The engine's tables, for [`Bench::new`].
pub(super) fn tables() -> Box<Tables<SESSIONS>> {
    Box::new(Tables::new())
}

/// Recommended settings but for the behaviours, which any number stands for, and a few ports only; with filter rules if
/// the number's highest bit is set.
pub(super) fn settings(behaviours: u8) -> Settings {
    let dependence =
        |n| [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort][usize::from(n % 3)];
    let mut settings = Settings::new(OUTSIDE);
    settings.mapping = dependence(behaviours).into();
    settings.filtering = dependence(behaviours / 3 + 1).into();
    settings.ports = range(1000, 1050);
    let internal = Endpoint::new(inside(1), WEB);
    let web = Forward { protocols: Protocols::Both, external: range(FORWARDED, FORWARDED), internal };
    settings.forwards.push(web).expect("there is room");
    if behaviours & 0x80 != 0 {
        rules().into_iter().for_each(|rule| settings.policy.push(rule).expect("there is room"));
    }
    settings
}

/// One of each kind, about what the fuzzer's hosts do.
fn rules() -> [Rule; 5] {
    let every = Rule {
        way: Way::Outbound,
        protocol: Matched::Any,
        source: Addresses::ALL,
        source_ports: PortRange::ALL,
        destination: Addresses::ALL,
        ports: PortRange::ALL,
        action: Action::Accept,
        rate: None,
        log: true,
    };
    let host = |address: Ipv4Addr| Addresses { network: address.to_bits(), mask: !0, is_negated: false };
    let rate = Some(Rate { count: 1, seconds: 60, burst: 3 });
    let (tcp, udp) = (Matched::Number(TCP), Matched::Number(UDP));
    let reject = Action::Reject;
    [
        Rule { source: host(inside(2)), action: Action::Drop, ..every },
        Rule { protocol: tcp, destination: host(remote(1)), action: reject(Rejection::TcpReset), ..every },
        Rule { protocol: udp, ports: range(2, 2), action: reject(Rejection::PortUnreachable), ..every },
        Rule { way: Way::Inbound, source: Addresses { is_negated: true, ..host(remote(0)) }, rate, ..every },
        Rule { way: Way::Inbound, action: reject(Rejection::AdminProhibited), ..every },
    ]
}

fn range(first: u16, last: u16) -> PortRange {
    let port = |port| NonZeroU16::new(port).expect("not 0");
    PortRange::new(port(first), port(last)).expect("not empty")
}

/// The engine, a clock, and the books.
pub(super) struct Bench<'t> {
    pub(super) engine: Engine<'t, SESSIONS>,
    now: Instant,
    verdicts: [Counters; 2],
    /// Who inside has which external port of a protocol, and since when.
    holders: HashMap<(u8, u16), (End, Instant)>,
    /// Which external port each of them has, and since when.
    mapped: HashMap<(u8, End), (u16, Instant)>,
}

impl<'t> Bench<'t> {
    pub(super) fn new(tables: &'t mut Tables<SESSIONS>, settings: Settings) -> Self {
        let engine = Engine::new(tables, settings, &[7; 32]);
        let now = Instant::from_millis(1_000_000);
        Self { engine, now, verdicts: Default::default(), holders: HashMap::new(), mapped: HashMap::new() }
    }

    /// What the clock says.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    /// Changes behaviours, and takes the address away or gives it back; who held what before is no matter any more.
    pub(super) fn reconfigure(&mut self, behaviours: u8, has_address: bool) {
        let external = has_address.then_some(OUTSIDE);
        self.engine.reconfigure(self.now, Settings { external, ..settings(behaviours) });
        self.holders.clear();
        self.mapped.clear();
    }

    /// Lets time pass; the engine does what is due meanwhile, or all of it only at the end.
    pub(super) fn wait(&mut self, time: Duration, timely: bool) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            let next = if timely { due } else { end };
            self.now = self.now.max(next);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Translates a packet with a finished checksum, whatever the verdict.
    pub(super) fn meet(&mut self, from: Realm, packet: &[u8]) {
        let (_, _) = self.translate(from, packet);
    }

    /// Translates a packet with a finished checksum.
    pub(super) fn translate(&mut self, from: Realm, packet: &[u8]) -> (Verdict, Vec<u8>) {
        self.translate_offloaded(from, packet, Checksum::Complete, None)
    }

    /// Translates a packet, checks what must hold of it, and keeps the books.
    pub(super) fn translate_offloaded(
        &mut self,
        from: Realm,
        before: &[u8],
        checksum: Checksum,
        segment: Option<NonZeroU16>,
    ) -> (Verdict, Vec<u8>) {
        let mut after = before.to_vec();
        let verdict = match napt::Packet::parse(&mut after, checksum, segment) {
            Ok(packet) => self.engine.translate(self.now, from, packet),
            Err(reason) => {
                self.engine.count(from, Verdict::Drop(reason));
                Verdict::Drop(reason)
            }
        };
        match verdict {
            Verdict::Forward(to) => check(Passed { before, after: &after, from, to, checksum }),
            _ => assert_eq!(before, after, "what is not forwarded is untouched"),
        }
        self.note(from, verdict);
        if matches!(verdict, Verdict::Forward(_)) && from == Realm::Internal {
            self.hold(before, &after);
        }
        (verdict, after)
    }

    /// The sender of a forwarded packet holds the external port that it got (V5), under endpoint-independent mapping
    /// for all it sends (M01, M02).
    fn hold(&mut self, before: &[u8], after: &[u8]) {
        if is_error(before) || is_fragment(before) || !matches!(before[9], ICMP | TCP | UDP) {
            return;
        }
        let (internal, external) = ((source(before), ports(before).0), ports(after).0);
        hold(&mut self.holders, (before[9], external), internal, self.now);
        if self.engine.settings().mapping == Dependence::Endpoint.into() {
            hold(&mut self.mapped, (before[9], internal), external, self.now);
        }
    }

    fn note(&mut self, from: Realm, verdict: Verdict) {
        let counters = &mut self.verdicts[from as usize];
        match verdict {
            Verdict::Forward(_) => counters.forwarded += 1,
            Verdict::Local => counters.local += 1,
            // Not the last word on it.
            Verdict::Hold => (),
            Verdict::Reject(reason) => counters.rejected[reason.index()] += 1,
            Verdict::Drop(reason) => counters.dropped[reason.index()] += 1,
        }
    }
}

/// Notes that `key` goes with `value` now. It may have gone with another before, but not lately.
fn hold<K, V>(book: &mut HashMap<K, (V, Instant)>, key: K, value: V, now: Instant)
where
    K: Copy + Debug + Eq + Hash,
    V: Copy + Debug + Eq,
{
    let (held, since) = *book.entry(key).or_insert((value, now));
    if held != value {
        assert!(now.since(since) >= TENURE, "V5: {key:?} goes with {held:?}, and now with {value:?}");
        book.insert(key, (value, now));
    }
}

impl Drop for Bench<'_> {
    /// At the end, the books agree with the engine's.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for realm in [Realm::Internal, Realm::External] {
            assert_eq!(self.engine.counters(realm), &self.verdicts[realm as usize], "the counters add up");
        }
        let occupancy = self.engine.occupancy();
        let (sessions, mappings) = (occupancy.sessions as usize, occupancy.mappings as usize);
        assert!(sessions <= SESSIONS && mappings <= SESSIONS, "V6: {occupancy:?}");
    }
}
