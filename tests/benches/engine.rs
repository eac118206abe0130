//! What the engine costs: nanoseconds a packet, beside a no-op in the same run.
//!
//! The no-op is what any router does to a packet: look at its header, count the hop, mend the header checksum. Figures
//! in nanoseconds mean little on another machine; the ratio to the no-op means more, and instructions, which
//! `tests/instructions` counts with callgrind, mean most. For that, an argument names one case and a second how many
//! packets of it, and nothing is printed.

use std::hint::black_box;
use std::time::Instant as Clock;

use napt::{Checksum, Endpoint, Engine, Instant, Packet, Realm, Settings, Tables, Verdict};
use sekisho_tests::{ALICE, CAROL, Host, OUTSIDE, tcp, udp};
use static_cell::ConstStaticCell;

const NOW: Instant = Instant::from_millis(1_000_000);
const ROUNDS: usize = 7;

static SMALL: ConstStaticCell<Tables<1_024>> = ConstStaticCell::new(Tables::new());
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
        "no-op" => {
            bench.repeat(packets, &udp(ALICE.port(5000), CAROL.port(443)).bytes, |_, bytes| no_op(bytes));
        }
        "udp-out" => bench.established(packets, false, Realm::Internal),
        "udp-in" => bench.established(packets, false, Realm::External),
        "tcp-out" => bench.established(packets, true, Realm::Internal),
        "tcp-in" => bench.established(packets, true, Realm::External),
        "new" => bench.open(packets),
        other => panic!("no such case: {other}"),
    }
}

fn report() {
    println!("{:<44} {:>10} {:>10}", "case", "ns/packet", "x no-op");
    let hot = vec![udp(ALICE.port(5000), CAROL.port(443)).bytes];
    let base = best(&hot, 200_000, no_op);
    println!("{:<44} {base:>10.1} {:>10.1}", "no-op, one packet", 1.0);
    established::<1_024>("1 k", SMALL.take());
    established::<65_536>("64 k", MEDIUM.take());
    established::<1_048_576>("1 M", LARGE.take());
    let mut bench = Bench::new(SPARE.take());
    let start = Clock::now();
    bench.open(60_000);
    line("60 k new udp sessions", start.elapsed().as_nanos() as f64 / 60_000.0, base);
}

/// Established packets over a full table, in random order, against no-ops over as many packets in the same order.
fn established<const N: usize>(name: &str, tables: &'static mut Tables<N>) {
    let mut bench = Bench::new(tables);
    let (out, back) = bench.fill(N - N / 16);
    for (way, realm, packets) in [("out", Realm::Internal, &out), ("in", Realm::External, &back)] {
        let base = best(packets, packets.len(), no_op);
        let ours = best(packets, packets.len(), |bytes| bench.translate(realm, bytes));
        line(&format!("{name} sessions, random, {way}"), ours, base);
        let ahead = best_ahead(packets, realm, &mut bench);
        line(&format!("{name} sessions, random, {way}, looking ahead"), ahead, base);
    }
}

fn line(case: &str, ns: f64, base: f64) {
    println!("{case:<44} {ns:>10.1} {:>10.1}", ns / base);
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
                bench.translate(from, &mut buffer[..len]);
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
    let Some(header) = bytes.first_chunk_mut::<20>() else { return };
    if header[0] != 0x45 || header[8] <= 1 {
        return;
    }
    let old = u16::from_ne_bytes([header[8], header[9]]);
    header[8] -= 1;
    let new = u16::from_ne_bytes([header[8], header[9]]);
    let sum = u16::from_ne_bytes([header[10], header[11]]);
    [header[10], header[11]] = napt::Delta::word(old, new).apply(sum).to_ne_bytes();
}

struct Bench<const N: usize> {
    engine: Engine<'static, N>,
}

impl<const N: usize> Bench<N> {
    fn new(tables: &'static mut Tables<N>) -> Self {
        let mut settings = Settings::new(OUTSIDE.0);
        // One host has them all.
        settings.shares.guaranteed = Some(u32::MAX);
        Self { engine: Engine::new(tables, settings, &[7; 32]) }
    }

    /// What is measured: from bytes to translated bytes.
    #[inline(never)]
    fn translate(&mut self, from: Realm, bytes: &mut [u8]) {
        let verdict = match Packet::parse(bytes, Checksum::Complete, None) {
            Ok(packet) => self.engine.translate(NOW, from, packet),
            Err(reason) => Verdict::Drop(reason),
        };
        assert!(matches!(verdict, Verdict::Forward(_)), "{verdict:?}");
    }

    fn repeat(&mut self, packets: usize, packet: &[u8], work: impl Fn(&mut Self, &mut [u8])) {
        let mut bytes = packet.to_vec();
        for _ in 0..packets {
            bytes.copy_from_slice(packet);
            work(self, &mut bytes);
        }
    }

    /// One session, and packets of it.
    fn established(&mut self, packets: usize, is_tcp: bool, from: Realm) {
        let (alice, carol) = (ALICE.port(5000), CAROL.port(443));
        let first = if is_tcp { tcp("S", alice, carol) } else { udp(alice, carol) };
        let external = self.opened(first.bytes.clone());
        let make = |flags, from, to| if is_tcp { tcp(flags, from, to) } else { udp(from, to) };
        let mut answer = make("S.", carol, external).bytes;
        self.translate(Realm::External, &mut answer);
        let packet = match from {
            Realm::Internal => make(".", alice, carol),
            Realm::External => make(".", carol, external),
        };
        self.repeat(packets, &packet.bytes, |bench, bytes| bench.translate(from, bytes));
    }

    /// New sessions, each with a mapping of its own.
    fn open(&mut self, packets: usize) {
        let template = udp(ALICE.port(5000), CAROL.port(443)).bytes;
        for n in 0..packets {
            let mut bytes = template.clone();
            bytes[20..22].copy_from_slice(&(1024 + n as u16).to_be_bytes());
            bytes[15] = (n / 60_000) as u8 + 1;
            let header: &mut [u8; 20] = bytes.first_chunk_mut().expect("a header");
            [header[10], header[11]] = [0, 0];
            [header[10], header[11]] = napt::checksum(header).to_be_bytes();
            self.translate(Realm::Internal, &mut bytes);
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
        self.translate(Realm::Internal, &mut bytes);
        let port = u16::from_be_bytes([bytes[20], bytes[21]]);
        let external = Endpoint::new(OUTSIDE.0, port);
        std::net::SocketAddrV4::new(external.address, external.port)
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
