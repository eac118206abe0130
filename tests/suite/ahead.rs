//! Looking ahead: whoever does gets the same verdicts and the same bytes as whoever does not.
//!
//! Two engines of one seed get the same packets, and only one of them looks ahead. Between its look and the packets much
//! may happen: sessions expire, other hosts get their slots, other settings end them.

use std::time::Duration;

use napt::{Dependence, Engine, Instant, Realm, Settings, Tables, Verdict};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sekisho_tests::{CAROL, Host, OUTSIDE, Packet, error, tcp, udp};
use static_cell::ConstStaticCell;

const SESSIONS: usize = 16_384;
/// More than half of them live before anybody looks ahead.
const OPENED: u32 = 9_000;

static LOOKING: ConstStaticCell<Tables<SESSIONS>> = ConstStaticCell::new(Tables::new());
static WAITING: ConstStaticCell<Tables<SESSIONS>> = ConstStaticCell::new(Tables::new());

#[test]
fn v5_looking_ahead_changes_no_verdict_and_no_byte() {
    let mut pair = Pair::new([LOOKING.take(), WAITING.take()]);
    pair.open();
    for _ in 0..1_000 {
        pair.look_and_pass();
    }
    let [forwarded, dropped] = pair.passed;
    assert!(forwarded > 30_000 && dropped > 3_000, "{forwarded} forwarded, {dropped} dropped");
}

/// Two engines, of which the first looks ahead.
struct Pair {
    engines: [Engine<'static, SESSIONS>; 2],
    settings: Settings,
    now: Instant,
    rng: StdRng,
    /// How many packets were sent on, and how many not.
    passed: [u32; 2],
    /// External ports that packets have left by.
    external: Vec<u16>,
}

impl Pair {
    fn new(tables: [&'static mut Tables<SESSIONS>; 2]) -> Self {
        let mut settings = Settings::new(OUTSIDE.0);
        settings.shares.guaranteed = Some(u32::MAX);
        let engines = tables.map(|tables| Engine::new(tables, settings.clone(), &[7; 32]));
        let (now, rng) = (Instant::from_millis(1_000_000), StdRng::seed_from_u64(1));
        Self { engines, settings, now, rng, passed: [0; 2], external: Vec::new() }
    }

    /// Fills the tables so far that looking ahead does something.
    fn open(&mut self) {
        for n in 0..OPENED {
            self.pass(Realm::Internal, &outbound(n, ""));
        }
    }

    /// Looks ahead at packets, lets something happen or not, then has them translated, most of them in that order.
    fn look_and_pass(&mut self) {
        let from = if self.below(2) == 0 { Realm::Internal } else { Realm::External };
        let batch: Vec<_> = (0..napt::BATCH).map(|_| self.packet(from)).collect();
        self.engines[0].look_ahead(from, batch.iter().map(|packet| &packet.bytes), linux::fetch);
        match self.below(40) {
            0 => self.engines.iter_mut().for_each(Engine::flush),
            1 => self.refilter(),
            2..10 => self.wait(),
            _ => (),
        }
        for packet in batch {
            if self.below(16) == 0 {
                let other = self.packet(Realm::Internal);
                self.pass(Realm::Internal, &other);
            }
            self.pass(from, &packet);
        }
        if self.engines[0].occupancy().sessions < OPENED / 2 {
            self.open();
        }
    }

    /// A minute or so passes; what has expired makes room for others.
    fn wait(&mut self) {
        self.now = self.now + Duration::from_secs(self.below(100).into());
        for engine in &mut self.engines {
            (0..2_000).for_each(|_| engine.handle_timeout(self.now));
        }
        for n in 0..500 {
            self.pass(Realm::Internal, &outbound(20_000 + n, ""));
        }
    }

    /// Other settings end some of the sessions.
    fn refilter(&mut self) {
        let all = [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort];
        self.settings.filtering = all[self.below(3) as usize].into();
        self.engines.iter_mut().for_each(|engine| engine.reconfigure(self.now, self.settings.clone()));
    }

    fn packet(&mut self, from: Realm) -> Packet {
        let n = self.below(2 * OPENED);
        let flags = ["S", ".", ".", ".", "F.", "R."][self.below(6) as usize];
        if from == Realm::Internal {
            return outbound(n, flags);
        }
        let port = self.below(self.external.len() as u32);
        let external = OUTSIDE.port(self.external[port as usize]);
        match self.below(8) {
            0 => error(3, 3, CAROL.0, &udp(external, remote(n))),
            1 => tcp(["S.", "R.", "."][n as usize % 3], remote(n), external),
            _ => udp(remote(n % 4), external),
        }
    }

    /// Both make the same of a packet.
    fn pass(&mut self, from: Realm, packet: &Packet) {
        let [first, second] = self.engines.each_mut().map(|engine| {
            let mut bytes = packet.bytes.clone();
            let verdict = match napt::Packet::parse(&mut bytes, packet.checksum, None) {
                Ok(parsed) => engine.translate(self.now, from, parsed),
                Err(reason) => Verdict::Drop(reason),
            };
            (verdict, bytes)
        });
        assert_eq!(first, second);
        let (verdict, bytes) = first;
        let is_forwarded = matches!(verdict, Verdict::Forward(_));
        self.passed[usize::from(!is_forwarded)] += 1;
        if verdict == Verdict::Forward(Realm::External) {
            self.external.push(u16::from_be_bytes([bytes[20], bytes[21]]));
        }
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.rng.next_u32() % limit
    }
}

/// The `n`th flow from inside; with flags, and every fourth, a TCP connection.
fn outbound(n: u32, flags: &str) -> Packet {
    let from = Host([10, 1, 0, (n % 7) as u8 + 1].into()).port(1024 + (n / 7) as u16);
    match n % 4 {
        0 => tcp(if flags.is_empty() { "S" } else { flags }, from, remote(n)),
        _ => udp(from, remote(n)),
    }
}

/// Whom the `n`th flow is with: few addresses, so that packets from outside often come to a session of theirs.
fn remote(n: u32) -> std::net::SocketAddrV4 {
    Host([198, 18, 0, (n % 4) as u8].into()).port(443)
}
