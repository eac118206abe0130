//! Churn: small tables, few ports, random packets, random time (V5, V6, X01, X02, X04, T15).
//!
//! A table that is full, a pool that is dry and a wheel that is late are rare in a quiet network and ordinary here. A
//! seed decides everything. The model knows little: who owned an external port last, and since when. After every
//! packet the tables must not be over-full and nothing may arrive at anybody but the owner; after a long silence the
//! tables must be empty and every port must be free again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;
use std::time::Duration;

use napt::{Dependence, Engine, Instant, PortRange, Protocols, Realm, Settings, Tables, Verdict};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Host, OUTSIDE, Packet, echo, echo_reply, tcp, udp};

/// External ports of the pool: fewer than slots, so that both run out.
const FIRST: u16 = 2000;
const LAST: u16 = 2005;
/// One forward, tcp and udp, beside the pool.
const FORWARD: u16 = 3000;
const BEHAVIOURS: [Dependence; 3] = [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort];

#[test]
fn v6_tables_of_8_survive_churn_in_all_behaviours() {
    everywhere::<8>(1, Duration::from_secs(120), 2_500);
}

#[test]
fn v6_tables_of_16_survive_churn_in_all_behaviours() {
    everywhere::<16>(2, Duration::from_secs(120), 2_500);
}

#[test]
fn v6_tables_of_8_survive_churn_without_cool_down() {
    everywhere::<8>(3, Duration::ZERO, 2_500);
}

#[test]
fn v6_tables_of_16_survive_churn_without_cool_down() {
    everywhere::<16>(4, Duration::ZERO, 2_500);
}

#[test]
fn v6_long_lives_leave_nothing_behind() {
    for seed in 5..13 {
        // Sessions that are kept in more detail than mappings: they share hosts, and some of these linger.
        let cooldown = Duration::from_secs(10);
        let mut bench = Bench::<32>::new(seed, Dependence::Address, Dependence::AddressAndPort, cooldown);
        for _ in 0..4 {
            bench.live(10_000);
            bench.rest();
        }
    }
}

fn everywhere<const N: usize>(seed: u64, cooldown: Duration, steps: usize) {
    for mapping in BEHAVIOURS {
        for filtering in BEHAVIOURS {
            let mut bench = Bench::<N>::new(seed, mapping, filtering, cooldown);
            for _ in 0..3 {
                bench.live(steps);
                bench.rest();
            }
        }
    }
}

/// An engine, a clock, a source of chance, and what the model knows.
struct Bench<const N: usize> {
    engine: Engine<'static, N>,
    mapping: Dependence,
    now: Instant,
    rng: StdRng,
    /// By protocol and external port: who sent through it last, and when.
    owners: BTreeMap<(u8, u16), (SocketAddrV4, Instant)>,
    /// By protocol and internal endpoint: what it was mapped to last, and when.
    mapped: BTreeMap<(u8, SocketAddrV4), (u16, Instant)>,
    /// By protocol and internal endpoint: who may have ports of which the model does not know.
    unseen: BTreeSet<(u8, SocketAddrV4)>,
}

impl<const N: usize> Bench<N> {
    fn new(seed: u64, mapping: Dependence, filtering: Dependence, cooldown: Duration) -> Self {
        let range = |first, last| PortRange::new(port(first), port(last)).unwrap();
        let mut settings = Settings::new(OUTSIDE.0);
        settings.ports = range(FIRST, LAST);
        settings.mapping = mapping.into();
        settings.filtering = filtering.into();
        settings.timers.port_cooldown = cooldown;
        settings.shares.guaranteed = Some(u32::MAX);
        let internal = napt::Endpoint::new(ALICE.0, 80);
        let external = range(FORWARD, FORWARD);
        settings.forwards.push(napt::Forward { protocols: Protocols::Both, external, internal }).unwrap();
        let tables = Box::leak(Box::new(Tables::new()));
        Self {
            engine: Engine::new(tables, settings, &[seed as u8; 32]),
            mapping,
            now: Instant::from_millis(u64::from(u32::MAX) - 3_600_000),
            rng: StdRng::seed_from_u64(seed),
            owners: BTreeMap::new(),
            mapped: BTreeMap::new(),
            unseen: BTreeSet::new(),
        }
    }

    /// Many packets, and little pauses between them.
    fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.below(8) {
                0..5 => self.send(),
                5..7 => self.deliver(),
                _ => self.pause(),
            }
            let full = self.engine.occupancy();
            assert!(full.sessions <= full.capacity && full.mappings <= full.capacity, "V6: {full:?}");
        }
    }

    /// A silence longer than any timer: afterwards everything is as it was at first.
    fn rest(&mut self) {
        self.wait(Duration::from_secs(3 * 3600));
        // A few more, in case the engine does not ask to be woken for mappings that have cooled down.
        (0..8).for_each(|_| self.engine.handle_timeout(self.now));
        let left = self.engine.occupancy();
        assert_eq!((left.sessions, left.mappings), (0, 0), "after a long silence");
        assert_eq!(self.engine.poll_timeout(), None, "a slot is still in use");
        self.forget();
        self.use_every_port();
        self.wait(Duration::from_secs(600));
        self.use_every_slot();
        self.wait(Duration::from_secs(600));
        self.engine.handle_timeout(self.now);
    }

    fn forget(&mut self) {
        self.owners.clear();
        self.mapped.clear();
        self.unseen.clear();
    }

    /// As many endpoints as there are ports get one each.
    fn use_every_port(&mut self) {
        let mut got: Vec<u16> = (FIRST..=LAST)
            .map(|port| {
                let (verdict, out) = self.translate(Realm::Internal, &udp(DAVE.port(port), BOB.port(53)));
                assert_eq!(verdict, Verdict::Forward(Realm::External), "a port or a slot is lost");
                out.source().port()
            })
            .collect();
        got.sort_unstable();
        assert!(got.iter().copied().eq(FIRST..=LAST), "each port once: {got:?}");
    }

    /// As many connections as there are slots find room, in the index too.
    fn use_every_slot(&mut self) {
        for slot in 0..N {
            let remote = Host([198, 51, 100, slot as u8].into());
            let (verdict, _) = self.translate(Realm::Internal, &tcp("S", ALICE.port(80), remote.port(443)));
            assert_eq!(verdict, Verdict::Forward(Realm::External), "room for {slot} of {N}");
        }
    }

    /// A packet from inside, to somebody outside or to one of our own ports.
    fn send(&mut self) {
        let host = [ALICE, DAVE, Host([192, 0, 2, 3].into())][self.below(3)];
        let from = host.port([80, 5000, 5001, 5002][self.below(4)]);
        let to = match self.below(6) {
            0 => OUTSIDE.port(self.external()),
            other => [BOB, CAROL][other % 2].port([53, 80, 443][self.below(3)]),
        };
        let packet = match self.below(4) {
            0 => echo(from.port(), *from.ip(), *to.ip()),
            1 => udp(from, to),
            _ => tcp(self.flags(), from, to),
        };
        let (verdict, out) = self.translate(Realm::Internal, &packet);
        match verdict {
            Verdict::Forward(Realm::External) => self.went_out(&packet, &out),
            Verdict::Forward(Realm::Internal) => {
                self.went_out(&packet, &out);
                self.came_in(&packet, &out);
            }
            // A hairpinned packet that fails at its receiver may have mapped its sender all the same.
            _ if *to.ip() == OUTSIDE.0 => {
                self.unseen.insert((packet.protocol(), from));
            }
            _ => (),
        }
    }

    /// A packet from outside, to one of our ports.
    fn deliver(&mut self) {
        let from = [BOB, CAROL][self.below(2)].port([53, 80, 443, 999][self.below(4)]);
        let to = OUTSIDE.port(self.external());
        let packet = match self.below(4) {
            0 => echo_reply(to.port(), *from.ip(), *to.ip()),
            1 => udp(from, to),
            _ => tcp(self.flags(), from, to),
        };
        let (verdict, out) = self.translate(Realm::External, &packet);
        if verdict == Verdict::Forward(Realm::Internal) {
            self.came_in(&packet, &out);
        }
    }

    fn went_out(&mut self, packet: &Packet, out: &Packet) {
        let (internal, external) = (packet.source(), out.source().port());
        assert_eq!(*out.source().ip(), OUTSIDE.0, "V1");
        let protocol = packet.protocol();
        if external == FORWARD {
            assert_eq!(internal, ALICE.port(80));
            return;
        }
        assert!((FIRST..=LAST).contains(&external), "a port from outside the pool: {external}");
        let seen = self.owners.insert((protocol, external), (internal, self.now));
        if let (Some((owner, when)), Some(life)) = (seen, life(protocol)) {
            assert!(
                owner == internal || self.now.since(when) >= life,
                "V5: {owner} and {internal} share {external}"
            );
        }
        let seen = self.mapped.insert((protocol, internal), (external, self.now));
        if let (Some((before, when)), Some(life), Dependence::Endpoint) = (seen, life(protocol), self.mapping)
        {
            assert!(
                before == external || self.now.since(when) >= life,
                "REQ-1: {internal} moved to {external}"
            );
        }
    }

    fn came_in(&mut self, packet: &Packet, out: &Packet) {
        let external = packet.destination().port();
        if external == FORWARD {
            assert_eq!(out.destination(), ALICE.port(80));
            return;
        }
        if self.unseen.contains(&(packet.protocol(), out.destination())) {
            return;
        }
        let owner = self.owners.get(&(packet.protocol(), external)).map(|(owner, _)| *owner);
        assert_eq!(Some(out.destination()), owner, "a packet to {external} went to somebody else");
    }

    fn pause(&mut self) {
        let millis = match self.below(20) {
            0 => 8_000_000,
            1..4 => 250_000,
            4..10 => 61_000,
            _ => 3_000,
        };
        let millis = self.rng.next_u64() % millis;
        self.wait(Duration::from_millis(millis));
    }

    /// Lets time pass. Now and then the engine is not woken in time.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn translate(&mut self, from: Realm, packet: &Packet) -> (Verdict, Packet) {
        let mut out = packet.clone();
        let parsed = napt::Packet::parse(&mut out.bytes, packet.checksum, None).unwrap();
        let verdict = self.engine.translate(self.now, from, parsed);
        (verdict, out)
    }

    fn external(&mut self) -> u16 {
        [FORWARD, FIRST, FIRST + 1, FIRST + 2, FIRST + 3, FIRST + 4, LAST][self.below(7)]
    }

    fn flags(&mut self) -> &'static str {
        ["S", "S", "S", "S.", ".", ".", "F.", "R"][self.below(8)]
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.next_u32() as usize % limit
    }
}

/// How long a mapping lives at least after a packet from inside; not known for TCP, whose retries do not refresh.
fn life(protocol: u8) -> Option<Duration> {
    match protocol {
        1 => Some(Duration::from_secs(60)),
        17 => Some(Duration::from_secs(300)),
        _ => None,
    }
}

fn port(number: u16) -> std::num::NonZeroU16 {
    number.try_into().unwrap()
}
