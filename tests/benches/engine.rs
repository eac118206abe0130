//! What the engine and the router around it cost.
//!
//! Without arguments: nanoseconds a packet, beside a no-op in the same run. The no-op is what any router does to a
//! packet: look at its header, count the hop, mend the header checksum. Figures in nanoseconds mean little on another
//! machine; the ratio to the no-op means more. With the name of a case and a number, that many packets of it, and
//! nothing is printed: for `tests/cost`, which counts instructions, and those mean most.

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use napt::{Checksum, Engine, Instant, Packet, Realm, Settings, Tables, Verdict};
use router::{Disposition, Link, Offload, Router, Side};
use sekisho_tests::{ALICE, BOB, CAROL, Host, OUTSIDE, arp_request, echo_reply, error, frame_for, tcp, udp};
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
    println!("{:<52} {:>10} {:>10}", "case", "ns/packet", "x no-op");
    let hot = vec![opening(0)];
    let base = best(&hot, 200_000, no_op);
    line("no-op, one packet", base, base);
    let small = established::<1_024>("1 k", SMALL.take());
    established::<65_536>("64 k", MEDIUM.take());
    let large = established::<1_048_576>("1 M", LARGE.take());
    println!("1 M against 1 k, looking ahead: out {:.1}, in {:.1}", large[0] / small[0], large[1] / small[1]);
    let mut bench = Bench::new(SPARE.take());
    for (name, case) in [("new sessions", Case::New), ("churn in a full table", Case::Churn)] {
        bench.worst(name, case, base);
    }
    for (name, case) in [("a port scan from outside", Case::Scan), ("errors from outside", Case::Errors)] {
        bench.worst(name, case, base);
    }
    bench.worst("a flood of random packets", Case::Flood, base);
}

/// Established packets over a nearly full table, in random order, against no-ops over as many packets in the same
/// order; the times of both ways, looking ahead.
fn established<const N: usize>(name: &str, tables: &'static mut Tables<N>) -> [f64; 2] {
    let mut bench = Bench::new(tables);
    let (out, back) = bench.fill(N - N / 16);
    [("out", Realm::Internal, &out), ("in", Realm::External, &back)].map(|(way, realm, packets)| {
        let base = best(packets, packets.len(), no_op);
        let ours = best(packets, packets.len(), |bytes| {
            let _ = black_box(bench.translate(realm, bytes));
        });
        line(&format!("{name} sessions, random, {way}"), ours, base);
        let ahead = best_ahead(packets, realm, &mut bench);
        line(&format!("{name} sessions, random, {way}, looking ahead"), ahead, base);
        ahead
    })
}

fn line(case: &str, ns: f64, base: f64) {
    println!("{case:<52} {ns:>10.1} {:>10.1}", ns / base);
}

/// The best of a few rounds over `packets`, in nanoseconds a packet. Each is copied to where it is worked on first.
fn best(packets: &[Vec<u8>], count: usize, mut work: impl FnMut(&mut [u8])) -> f64 {
    let mut buffer = [0; 64];
    let rounds = (0..ROUNDS).map(|_| {
        let start = Clock::now();
        for packet in packets.iter().cycle().take(count) {
            let bytes = &mut buffer[..packet.len()];
            bytes.copy_from_slice(packet);
            work(bytes);
            black_box(&bytes);
        }
        start.elapsed().as_nanos() as f64 / count as f64
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// The same for packets that come in batches, for each of which the engine looks ahead.
fn best_ahead<const N: usize>(packets: &[Vec<u8>], from: Realm, bench: &mut Bench<N>) -> f64 {
    let mut buffers = [[0; 64]; napt::BATCH];
    let rounds = (0..ROUNDS).map(|_| {
        let start = Clock::now();
        for batch in packets.chunks(napt::BATCH) {
            for (buffer, packet) in buffers.iter_mut().zip(batch) {
                buffer[..packet.len()].copy_from_slice(packet);
            }
            let lens = batch.iter().map(Vec::len);
            let ahead = buffers.iter().zip(lens.clone()).map(|(buffer, len)| &buffer[..len]);
            bench.engine.look_ahead(from, ahead);
            for (buffer, len) in buffers.iter_mut().zip(lens) {
                let _ = bench.translate(from, &mut buffer[..len]);
                black_box(&buffer);
            }
        }
        start.elapsed().as_nanos() as f64 / packets.len() as f64
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
        println!("{:<52} {worst:>10.1} {:>9.1} x median", format!("{name}, the slowest"), worst / median);
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
