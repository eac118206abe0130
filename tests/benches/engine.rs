//! What the engine and the router around it cost.
//!
//! Without arguments: nanoseconds a packet, beside a no-op in the same run. The no-op is what any router does to a
//! packet: look at its header, count the hop, mend the header checksum. Figures in nanoseconds mean little on another
//! machine; the ratio to the no-op means more. With the name of a case and a number, that many packets of it, and
//! nothing is printed: for `tests/cost`, which counts instructions, and those mean most.

use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant as Clock};

use host_sim::oracle::Oracle;
use napt::{Checksum, Engine, Instant, Packet, Realm, Settings, Tables, Verdict};
use router::{Disposition, Link, Offload, Router, Side};
use sekisho_tests::{
    ALICE, BOB, CAROL, Host, OUTSIDE, Packet as Seen, arp_request, echo_reply, error, frame_for, tcp, udp,
};
use static_cell::ConstStaticCell;

const ROUNDS: usize = 7;

static SMALL: ConstStaticCell<Tables<1_024>> = ConstStaticCell::new(Tables::new());
static HALF: ConstStaticCell<Tables<32_768>> = ConstStaticCell::new(Tables::new());
static MEDIUM: ConstStaticCell<Tables<65_536>> = ConstStaticCell::new(Tables::new());
static LARGE: ConstStaticCell<Tables<1_048_576>> = ConstStaticCell::new(Tables::new());
static SPARE: ConstStaticCell<Tables<65_536>> = ConstStaticCell::new(Tables::new());

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [] => report(),
        [case, packets] => count(case, packets.parse().expect("a number of packets")),
        _ => panic!("usage: engine [CASE PACKETS]"),
    }
}

/// Runs one case so many times, for a tool that counts from outside.
fn count(case: &str, packets: usize) {
    let mut bench = Bench::new(SPARE.take());
    match case {
        "no-op" => bench.repeat(packets, &opening(0), |_, bytes| no_op(bytes)),
        "udp-out" => bench.established(packets, false, Realm::Internal),
        "udp-in" => bench.established(packets, false, Realm::External),
        "tcp-out" => bench.established(packets, true, Realm::Internal),
        "tcp-in" => bench.established(packets, true, Realm::External),
        "new-udp" => (0..packets).for_each(|n| bench.open(2 * n, 1)),
        "new-tcp" => (0..packets).for_each(|n| bench.open(2 * n + 1, 1)),
        "new-udp-99%" | "new-tcp-99%" => {
            let first = 64_880 + usize::from(case == "new-tcp-99%");
            bench.open(0, 64_880);
            (0..packets).for_each(|n| bench.open(first + 2 * n, 1));
        }
        "new-udp-full" => Bench::new(HALF.take()).replace(packets, 0, 300_000),
        "new-tcp-full" => Bench::new(HALF.take()).replace(packets, 1, 240_000),
        "oracle" => drop(judged(packets)),
        "error-in" => bench.errors(packets),
        "scan-in" => bench.scan(packets),
        "frame-udp-out" => through_the_router(packets, false, Side::Lan),
        "frame-udp-in" => through_the_router(packets, false, Side::Wan),
        "frame-tcp-out" => through_the_router(packets, true, Side::Lan),
        "frame-tcp-in" => through_the_router(packets, true, Side::Wan),
        other => panic!("no such case: {other}"),
    }
}

fn report() {
    println!("{:<58} {:>10} {:>10}", "case", "ns/packet", "x no-op");
    let base = best(&opening(0), 200_000, no_op);
    line("no-op, one packet", base, base);
    line("the oracle, of 200 sessions, random, out", judged(20_000), base);
    established();
    let mut bench = Bench::new(SPARE.take());
    for (name, case) in [("new sessions", Case::New), ("churn in a full table", Case::Churn)] {
        bench.worst(name, case, base);
    }
    for (name, case) in [("a port scan from outside", Case::Scan), ("errors from outside", Case::Errors)] {
        bench.worst(name, case, base);
    }
    bench.worst("a flood of random packets", Case::Flood, base);
}

/// Established packets of 1 k, 64 k and 1 M sessions. The sizes take turns, so that all see the same of whatever else the
/// machine does; what is compared was measured in the same turn.
fn established() {
    let mut small = Established::new("1 k", SMALL.take());
    let mut medium = Established::new("64 k", MEDIUM.take());
    let mut large = Established::new("1 M", LARGE.take());
    let mut ring = Ring::new();
    for _ in 0..TURNS {
        small.turn(&mut ring);
        medium.turn(&mut ring);
        large.turn(&mut ring);
    }
    small.report();
    medium.report();
    large.report();
    println!("{:<58} {:>10} {:>10}", "1 M sessions against 1 k", "out", "in");
    for (name, model) in [("looking ahead", Model::Ahead), ("looking ahead, packets cold", Model::ColdAhead)]
    {
        let [out, back] = [0, 1].map(|way| {
            let pairs = large.times[way][model as usize].iter().zip(&small.times[way][model as usize]);
            median(pairs.map(|(large, small)| large / small).collect())
        });
        println!("{name:<58} {out:>10.2} {back:>10.2}");
    }
}

const TURNS: usize = 31;

/// How packets come, and what is done to them.
#[derive(Clone, Copy)]
enum Model {
    /// From the receive ring.
    NoOp,
    OneByOne,
    Ahead,
    /// Each from a place of its own in a heap of as many packets as there are sessions, so that the packet has to be fetched
    /// from memory as well.
    ColdNoOp,
    ColdOneByOne,
    ColdAhead,
}

impl Model {
    const ALL: [(Self, &str); 6] = [
        (Self::NoOp, "no-op"),
        (Self::OneByOne, "one by one"),
        (Self::Ahead, "looking ahead"),
        (Self::ColdNoOp, "packets cold: no-op"),
        (Self::ColdOneByOne, "packets cold: one by one"),
        (Self::ColdAhead, "packets cold: looking ahead"),
    ];
}

/// A nearly full table, packets of all its sessions in random order, and how long they took: by way and model, for each
/// turn.
struct Established<const N: usize> {
    name: &'static str,
    bench: Bench<N>,
    ways: [Way; 2],
    times: [[Vec<f64>; Model::ALL.len()]; 2],
    /// Which packets are next.
    next: usize,
}

/// The packets of one way.
struct Way {
    realm: Realm,
    /// As little as tells them apart, so that what reads them in order finds them near.
    ends: Vec<Ends>,
    packets: Vec<Vec<u8>>,
}

impl<const N: usize> Established<N> {
    fn new(name: &'static str, tables: &'static mut Tables<N>) -> Self {
        let mut bench = Bench::new(tables);
        let (out, back) = bench.fill(N - N / 16);
        let ways = [(Realm::Internal, out), (Realm::External, back)].map(|(realm, packets)| {
            let ends = packets.iter().map(|packet| Ends::of(packet)).collect();
            Way { realm, ends, packets }
        });
        Self { name, bench, ways, times: Default::default(), next: 0 }
    }

    /// A few rings' worth of each model, behind so many that the caches hold what they can of this table.
    fn turn(&mut self, ring: &mut Ring) {
        for (model, _) in Model::ALL {
            for way in 0..2 {
                let all = self.ways[way].ends.len();
                let size = SLOTS.min(all);
                let warming = (all / size).min(RINGS_TO_WARM);
                let mut times = Vec::new();
                for _ in 0..warming + RINGS {
                    self.next = (self.next + size) % (all - size + 1);
                    times.push(self.time(ring, model, way, self.next..self.next + size));
                }
                self.times[way][model as usize].push(median(times.split_off(warming)));
            }
        }
    }

    /// Nanoseconds a packet.
    fn time(&mut self, ring: &mut Ring, model: Model, way: usize, some: Range<usize>) -> f64 {
        let Way { realm, ends, packets } = &self.ways[way];
        let (bench, packets, count) = (&mut self.bench, &packets[some.clone()], some.len());
        ring.fill(&ends[some]);
        let start = Clock::now();
        match model {
            Model::NoOp => ring.packets(count).for_each(no_op),
            Model::OneByOne => ring.packets(count).for_each(|packet| bench.forward(*realm, packet)),
            Model::Ahead => {
                for first in (0..count).step_by(napt::BATCH) {
                    bench.engine.look_ahead(*realm, ring.glance(first, count), linux::fetch);
                    let batch = ring.packets(count).skip(first).take(napt::BATCH);
                    batch.for_each(|packet| bench.forward(*realm, packet));
                }
            }
            Model::ColdNoOp => one_by_one(packets, no_op),
            Model::ColdOneByOne => one_by_one(packets, |packet| bench.forward(*realm, packet)),
            Model::ColdAhead => bench.ahead(*realm, packets),
        }
        start.elapsed().as_nanos() as f64 / count as f64
    }

    fn report(&mut self) {
        for (model, what) in Model::ALL {
            for (way, times) in ["out", "in"].into_iter().zip(&self.times) {
                let base =
                    if (model as usize) < Model::ColdNoOp as usize { Model::NoOp } else { Model::ColdNoOp };
                let ratios =
                    times[model as usize].iter().zip(&times[base as usize]).map(|(ours, base)| ours / base);
                let (ns, ratio) = (median(times[model as usize].clone()), median(ratios.collect()));
                println!(
                    "{:<58} {ns:>10.1} {ratio:>10.1}",
                    format!("{} sessions, random, {way}, {what}", self.name)
                );
            }
        }
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The ends of a packet.
#[derive(Clone, Copy)]
struct Ends([u8; 12]);

impl Ends {
    fn of(packet: &[u8]) -> Self {
        Self(packet[12..24].try_into().expect("addresses and ports"))
    }
}

/// A receive ring, as `linux` has one: the kernel has filled its slots a moment ago, so that they are not far, however
/// many sessions there are.
struct Ring {
    slots: Vec<[u8; SLOT]>,
    template: Vec<u8>,
}

const SLOTS: usize = 1_024;
const SLOT: usize = 2_048;
/// Where in a slot the packet begins: behind the kernel's own header, virtio-net's and Ethernet's.
const START: usize = 96;
/// How many rings' worth make a measurement, and how many at most come before.
const RINGS: usize = 16;
const RINGS_TO_WARM: usize = 64;

impl Ring {
    fn new() -> Self {
        Self { slots: vec![[0; SLOT]; SLOTS], template: udp(ALICE.port(1), CAROL.port(443)).bytes }
    }

    /// The kernel's part, which is not measured.
    fn fill(&mut self, ends: &[Ends]) {
        for (slot, Ends(ends)) in self.slots.iter_mut().zip(ends) {
            let packet = &mut slot[START..START + self.template.len()];
            packet.copy_from_slice(&self.template);
            packet[12..24].copy_from_slice(ends);
            packet[10..12].fill(0);
            let sum = napt::checksum(&packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
        }
    }

    fn packets(&mut self, count: usize) -> impl Iterator<Item = &mut [u8]> {
        let len = self.template.len();
        self.slots[..count].iter_mut().map(move |slot| &mut slot[START..START + len])
    }

    /// The beginnings of packets, as `linux` shows them.
    fn glance(&self, first: usize, count: usize) -> impl Iterator<Item = [u8; 24]> {
        self.slots[first..count].iter().map(|slot| *slot[START..].first_chunk().expect("a packet"))
    }
}

/// Copies each packet to where it is worked on.
fn one_by_one(packets: &[Vec<u8>], mut work: impl FnMut(&mut [u8])) {
    let mut buffer = [0; 64];
    for packet in packets {
        let bytes = &mut buffer[..packet.len()];
        bytes.copy_from_slice(packet);
        work(bytes);
        black_box(&bytes);
    }
}

fn line(case: &str, ns: f64, base: f64) {
    println!("{case:<58} {ns:>10.1} {:>10.1}", ns / base);
}

/// The best of a few rounds over one packet, in nanoseconds a packet.
fn best(packet: &[u8], count: usize, mut work: impl FnMut(&mut [u8])) -> f64 {
    let mut buffer = [0; 64];
    let rounds = (0..ROUNDS).map(|_| {
        let start = Clock::now();
        for _ in 0..count {
            let bytes = &mut buffer[..packet.len()];
            bytes.copy_from_slice(packet);
            work(bytes);
            black_box(&bytes);
        }
        start.elapsed().as_nanos() as f64 / count as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// What any router does to any packet.
#[inline(never)]
fn no_op(bytes: &mut [u8]) {
    let Ok(packet) = Packet::parse(bytes, Checksum::Complete, None) else { return };
    if packet.header()[8] <= 1 {
        return;
    }
    let Some(header) = bytes.first_chunk_mut::<20>() else { return };
    let old = u16::from_ne_bytes([header[8], header[9]]);
    header[8] -= 1;
    let new = u16::from_ne_bytes([header[8], header[9]]);
    let sum = u16::from_ne_bytes([header[10], header[11]]);
    [header[10], header[11]] = napt::Delta::word(old, new).apply(sum).to_ne_bytes();
}

/// The `n`th packet of a host that opens a mapping with each: datagrams and SYNs by turns, so that there are ports enough.
/// After 60,000 of each, the next host.
fn opening(n: usize) -> Vec<u8> {
    let host = Host([10, 1, 0, (n / 120_000) as u8 + 1].into());
    let from = host.port(1024 + (n / 2 % 60_000) as u16);
    if n.is_multiple_of(2) { udp(from, CAROL.port(443)).bytes } else { tcp("S", from, CAROL.port(443)).bytes }
}

#[derive(Clone, Copy)]
enum Case {
    New,
    Churn,
    Scan,
    Errors,
    Flood,
}

struct Bench<const N: usize> {
    engine: Engine<'static, N>,
    now: Instant,
}

impl<const N: usize> Bench<N> {
    fn new(tables: &'static mut Tables<N>) -> Self {
        let mut settings = Settings::new(OUTSIDE.0);
        // Few hosts have them all.
        settings.shares.guaranteed = Some(u32::MAX);
        Self { engine: Engine::new(tables, settings, &[7; 32]), now: Instant::from_millis(1_000_000) }
    }

    /// What is measured: from bytes to translated bytes.
    #[inline(never)]
    fn translate(&mut self, from: Realm, bytes: &mut [u8]) -> Verdict {
        match Packet::parse(bytes, Checksum::Complete, None) {
            Ok(packet) => self.engine.translate(self.now, from, packet),
            Err(reason) => Verdict::Drop(reason),
        }
    }

    fn forward(&mut self, from: Realm, bytes: &mut [u8]) {
        let verdict = self.translate(from, bytes);
        assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    }

    /// Copies packets to where they are worked on, a batch at a time, and looks ahead for each.
    fn ahead(&mut self, from: Realm, packets: &[Vec<u8>]) {
        let mut buffers = [[0; 64]; napt::BATCH];
        for batch in packets.chunks(napt::BATCH) {
            for (buffer, packet) in buffers.iter_mut().zip(batch) {
                buffer[..packet.len()].copy_from_slice(packet);
            }
            self.engine.look_ahead(from, buffers.iter().take(batch.len()), linux::fetch);
            for (buffer, packet) in buffers.iter_mut().zip(batch) {
                self.forward(from, &mut buffer[..packet.len()]);
                black_box(&buffer);
            }
        }
    }

    fn repeat(&mut self, packets: usize, packet: &[u8], work: impl Fn(&mut Self, &mut [u8])) {
        let mut bytes = packet.to_vec();
        for _ in 0..packets {
            bytes.copy_from_slice(packet);
            work(self, &mut bytes);
        }
    }

    /// Packets that all are to meet the same verdict.
    fn pass(&mut self, packets: usize, packet: &[u8], from: Realm, forwarded: bool) {
        self.repeat(packets, packet, |bench, bytes| {
            let verdict = bench.translate(from, bytes);
            assert_eq!(matches!(verdict, Verdict::Forward(_)), forwarded, "{verdict:?}");
        });
    }

    /// One session, and packets of it.
    fn established(&mut self, packets: usize, is_tcp: bool, from: Realm) {
        let (alice, carol) = (ALICE.port(5000), CAROL.port(443));
        let first = if is_tcp { tcp("S", alice, carol) } else { udp(alice, carol) };
        let external = self.opened(first.bytes.clone());
        let make = |flags, from, to| if is_tcp { tcp(flags, from, to) } else { udp(from, to) };
        let mut answer = make("S.", carol, external).bytes;
        let _ = self.translate(Realm::External, &mut answer);
        let packet = match from {
            Realm::Internal => make(".", alice, carol),
            Realm::External => make(".", carol, external),
        };
        self.pass(packets, &packet.bytes, from, true);
    }

    /// New sessions, each with a mapping of its own, from the `first` on.
    fn open(&mut self, first: usize, packets: usize) {
        for n in first..first + packets {
            let verdict = self.translate(Realm::Internal, &mut opening(n));
            assert_eq!(verdict, Verdict::Forward(Realm::External));
        }
    }

    /// New sessions in a full table, one of which expires for each that begins, after `idle` milliseconds: some rounds of
    /// that, and so many more. `first` is the first of them.
    fn replace(&mut self, packets: usize, first: usize, idle: u64) {
        for n in 0..3 * N + packets {
            self.now = Instant::from_millis(1_000_000 + n as u64 * idle / N as u64);
            let _ = self.translate(Realm::Internal, &mut opening(first + 2 * (n % 120_000)));
        }
    }

    /// Errors about a packet of one session.
    fn errors(&mut self, packets: usize) {
        let mut out = udp(ALICE.port(5000), CAROL.port(443));
        let _ = self.translate(Realm::Internal, &mut out.bytes);
        self.pass(packets, &error(3, 3, BOB.0, &out).bytes, Realm::External, true);
    }

    /// Packets from outside to one port after the other, none of which has a mapping.
    fn scan(&mut self, packets: usize) {
        for n in 0..packets {
            let mut probe = tcp("S", BOB.port(1), OUTSIDE.port(1 + (n % 60_000) as u16)).bytes;
            assert!(matches!(self.translate(Realm::External, &mut probe), Verdict::Drop(_)));
        }
    }

    /// The slowest packet of a case against the one in the middle; each packet's time is its best in a few replays, so
    /// that nothing counts that has nothing to do with it.
    fn worst(&mut self, name: &str, case: Case, base: f64) {
        let packets: Vec<_> = (0..50_000_usize).map(|n| self.of(case, n)).collect();
        let mut times = vec![u64::MAX; packets.len()];
        for _ in 0..ROUNDS {
            self.engine.flush();
            self.now = self.now + Duration::from_secs(100_000);
            match case {
                Case::New | Case::Scan | Case::Flood => (),
                Case::Churn => self.open(0, N),
                Case::Errors => {
                    let _ = self.translate(Realm::Internal, &mut opening(0));
                }
            }
            for ((from, bytes), time) in packets.iter().zip(&mut times) {
                let mut bytes = bytes.clone();
                if matches!(case, Case::Churn) {
                    self.now = self.now + Duration::from_millis(50);
                }
                let start = Clock::now();
                let verdict = self.translate(*from, &mut bytes);
                *time = (*time).min(start.elapsed().as_nanos() as u64);
                let _ = black_box(verdict);
            }
        }
        times.sort_unstable();
        let (median, worst) = (times[times.len() / 2] as f64, times[times.len() - 1] as f64);
        line(name, median, base);
        println!("{:<58} {worst:>10.1} {:>9.1} x median", format!("{name}, the slowest"), worst / median);
    }

    /// The `n`th packet of a case.
    fn of(&mut self, case: Case, n: usize) -> (Realm, Vec<u8>) {
        match case {
            Case::New => (Realm::Internal, opening(n)),
            Case::Churn => (Realm::Internal, opening(100_000 + n)),
            Case::Scan => (Realm::External, tcp("S", BOB.port(1), OUTSIDE.port(1 + n as u16)).bytes),
            Case::Errors => {
                let stray = udp(OUTSIDE.port(1 + n as u16), CAROL.port(443));
                (Realm::External, error(3, 3, BOB.0, &stray).bytes)
            }
            // Numbers that are all over the place: whatever the keys are, so are these.
            Case::Flood => {
                let n = (n as u32).wrapping_mul(0x9E37_79B1);
                let [a, b, c, d] = n.to_be_bytes();
                let from = Host([192, 0, 2, a | 1].into()).port(u16::from_be_bytes([b, c]) | 1);
                let to = Host([198, 18, c, d].into()).port(u16::from_be_bytes([d, a]) | 1);
                match n % 3 {
                    0 => (Realm::Internal, udp(from, to).bytes),
                    1 => (Realm::Internal, tcp("S", from, to).bytes),
                    _ => (Realm::External, echo_reply(b.into(), *to.ip(), OUTSIDE.0).bytes),
                }
            }
        }
    }

    /// `sessions` UDP sessions; a packet of each outbound and one inbound, in random order.
    fn fill(&mut self, sessions: usize) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
        let mut pairs: Vec<_> = (0..sessions as u32)
            .map(|n| {
                // A few hundred to an internal endpoint, each to an address of its own.
                let internal = ALICE.port(1024 + (n % 50_000) as u16);
                let remote = Host((u32::from_be_bytes([198, 18, 0, 0]) + n / 50_000).into()).port(443);
                let out = udp(internal, remote);
                let external = self.opened(out.bytes.clone());
                (out.bytes, udp(remote, external).bytes)
            })
            .collect();
        shuffle(&mut pairs);
        pairs.into_iter().unzip()
    }

    /// Sends a packet that opens a session; its external endpoint.
    fn opened(&mut self, mut bytes: Vec<u8>) -> std::net::SocketAddrV4 {
        let verdict = self.translate(Realm::Internal, &mut bytes);
        assert_eq!(verdict, Verdict::Forward(Realm::External));
        OUTSIDE.port(u16::from_be_bytes([bytes[20], bytes[21]]))
    }
}

/// Established packets that the oracle judges, beside an engine: nanoseconds for each, the engine's own not included.
fn judged(packets: usize) -> f64 {
    const SESSIONS: usize = 200;
    static TABLES: ConstStaticCell<Tables<256>> = ConstStaticCell::new(Tables::new());
    let mut bench = Bench::new(TABLES.take());
    let mut oracle = Oracle::new(bench.engine.settings().clone(), 256, Duration::ZERO);
    let mut passed = Duration::ZERO;
    for n in 0..SESSIONS + packets {
        let port = 5000 + (n.wrapping_mul(0x9E37_79B1) >> 7) % SESSIONS;
        let port = if n < SESSIONS { 5000 + n } else { port };
        let before = udp(ALICE.port(port as u16), CAROL.port(443));
        let mut after = before.clone();
        let verdict = bench.translate(Realm::Internal, &mut after.bytes);
        let start = Clock::now();
        judge(&mut oracle, bench.now, &before, verdict, &after);
        passed += if n < SESSIONS { Duration::ZERO } else { start.elapsed() };
    }
    passed.as_nanos() as f64 / packets as f64
}

/// What is measured: from what an engine has made of a packet to whether that is right.
#[inline(never)]
fn judge(oracle: &mut Oracle, now: Instant, before: &Seen, verdict: Verdict, after: &Seen) {
    oracle.judge(now, Realm::Internal, before.view(), verdict, after.view()).expect("they agree");
}

/// Frames of one session through a whole router, whose neighbours are known.
fn through_the_router(packets: usize, is_tcp: bool, side: Side) {
    static TABLES: ConstStaticCell<Tables<1_024>> = ConstStaticCell::new(Tables::new());
    let config =
        provision::compile(sekisho_tests::Desk::configuration(), "bench.toml").expect("a configuration");
    let link = |hardware| Link { hardware, mtu: 1500 };
    let (lan, wan) = (link([2, 0, 0, 0, 0, 0x0A]), link([2, 0, 0, 0, 0, 0x0B]));
    let router = &mut Router::new(TABLES.take(), &config, lan, wan, &[3; 32]);
    let (alice, bob) = (ALICE.port(5000), BOB.port(443));
    let make = |flags, from, to| if is_tcp { tcp(flags, from, to) } else { udp(from, to) };
    introduce(router);
    let mut first = frame_for(Side::Lan, &make("S", alice, bob));
    assert!(receive(router, Side::Lan, &mut first));
    let external = OUTSIDE.port(u16::from_be_bytes([first[34], first[35]]));
    assert!(receive(router, Side::Wan, &mut frame_for(Side::Wan, &make("S.", bob, external))));
    let frame = match side {
        Side::Lan => frame_for(side, &make(".", alice, bob)),
        Side::Wan => frame_for(side, &make(".", bob, external)),
    };
    let mut bytes = frame.clone();
    for _ in 0..packets {
        bytes.copy_from_slice(&frame);
        assert!(receive(router, side, &mut bytes));
    }
}

/// What is measured: from a frame in to a frame out.
#[inline(never)]
fn receive<const N: usize>(router: &mut Router<'_, N>, side: Side, frame: &mut [u8]) -> bool {
    let now = Instant::from_millis(10_000);
    matches!(router.receive(now, side, frame, Offload::default()), Disposition::Send(_))
}

/// Lets both neighbours ask for the router by ARP, so that it knows them.
fn introduce<const N: usize>(router: &mut Router<'_, N>) {
    for (side, host) in [(Side::Lan, ALICE), (Side::Wan, BOB)] {
        let mut frame = arp_request(side, host);
        let _ = router.receive(Instant::from_millis(9_000), side, &mut frame, Offload::default());
        while let Some(answer) = router.poll_transmit() {
            black_box(answer);
        }
    }
}

fn shuffle<T>(items: &mut [T]) {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    let mut rng = StdRng::seed_from_u64(1);
    for n in (1..items.len()).rev() {
        items.swap(n, (rng.next_u64() % (n as u64 + 1)) as usize);
    }
}
