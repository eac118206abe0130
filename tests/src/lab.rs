//! An engine on the bench.

use std::net::Ipv4Addr;
use std::time::Duration;

use napt::{DropReason, Engine, Instant, Protocols, Realm, Seed, Settings, Tables, Verdict};

use crate::{ALICE, OUTSIDE, Packet};

/// How many sessions the engine of a [`Lab`] has room for.
pub(crate) const CAPACITY: usize = 256;

/// An engine between ALICE and DAVE inside and BOB and CAROL outside, and a clock.
pub struct Lab {
    /// The engine itself, for what has no shorthand.
    pub engine: Engine<'static, CAPACITY>,
    now: Instant,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// An engine with the recommended settings.
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    /// An engine with the recommended settings, changed.
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::with_seed(&[7; 32], change)
    }

    /// The same, with a seed.
    pub fn with_seed(seed: &Seed, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings::new(OUTSIDE.0);
        change(&mut settings);
        let engine = Engine::new(Box::leak(Box::new(Tables::new())), settings, seed);
        Self { engine, now: Instant::from_millis(1_000_000) }
    }

    /// An engine that lets any host have all of its tables.
    pub fn without_shares() -> Self {
        Self::with(|settings| settings.shares.guaranteed = Some(u32::MAX))
    }

    /// An engine that forwards tcp and udp from external port 54321 to ALICE's port 80.
    pub fn with_forward() -> Self {
        Self::with(|settings| forward(settings, Protocols::Both, 54321..=54321, ALICE.port(80)))
    }

    /// What the clock says.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass, and the engine do what is due meanwhile.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Lets seconds pass.
    pub fn wait_secs(&mut self, secs: u64) {
        self.wait(Duration::from_secs(secs));
    }

    /// Sends a packet from inside; what comes out, which must be outside.
    #[track_caller]
    pub fn send(&mut self, packet: Packet) -> Packet {
        let (verdict, out) = self.translate(Realm::Internal, &packet);
        assert_eq!(verdict, Verdict::Forward(Realm::External));
        out
    }

    /// Sends a packet from inside; what comes back in.
    #[track_caller]
    pub fn hairpin(&mut self, packet: Packet) -> Packet {
        let (verdict, out) = self.translate(Realm::Internal, &packet);
        assert_eq!(verdict, Verdict::Forward(Realm::Internal));
        out
    }

    /// Sends a packet from outside; what comes out, which must be inside.
    #[track_caller]
    pub fn deliver(&mut self, packet: Packet) -> Packet {
        let (verdict, out) = self.translate(Realm::External, &packet);
        assert_eq!(verdict, Verdict::Forward(Realm::Internal));
        out
    }

    /// Sends a packet from inside, for its verdict alone.
    pub fn try_send(&mut self, packet: Packet) -> Verdict {
        self.translate(Realm::Internal, &packet).0
    }

    /// Sends a packet from outside, for its verdict alone.
    pub fn try_deliver(&mut self, packet: Packet) -> Verdict {
        self.translate(Realm::External, &packet).0
    }

    /// Asserts that a packet from outside is dropped for `reason`.
    #[track_caller]
    pub fn refuse(&mut self, packet: Packet, reason: DropReason) {
        assert_eq!(self.try_deliver(packet), Verdict::Drop(reason));
    }

    /// Passes a packet through the engine and checks what holds of every packet.
    #[track_caller]
    pub fn translate(&mut self, from: Realm, packet: &Packet) -> (Verdict, Packet) {
        let mut out = packet.clone();
        let verdict = match napt::Packet::parse(&mut out.bytes, packet.checksum, packet.segment) {
            Ok(parsed) => self.engine.translate(self.now, from, parsed),
            Err(reason) => Verdict::Drop(reason),
        };
        match verdict {
            Verdict::Forward(to) => check(packet, &out, (from, to), self.engine.settings()),
            _ => assert_eq!(*packet, out, "a packet that is not forwarded was changed"),
        }
        (verdict, out)
    }
}

/// Adds a forward to some settings.
pub(crate) fn forward(
    settings: &mut Settings,
    protocols: Protocols,
    external: std::ops::RangeInclusive<u16>,
    internal: std::net::SocketAddrV4,
) {
    let external = crate::range(*external.start(), *external.end());
    let internal = napt::Endpoint::new(*internal.ip(), internal.port());
    settings.forwards.push(napt::Forward { protocols, external, internal }).unwrap();
}

impl Lab {
    /// An engine with one forward.
    pub fn with_range(
        protocols: Protocols,
        external: std::ops::RangeInclusive<u16>,
        internal: std::net::SocketAddrV4,
    ) -> Self {
        Self::with(|settings| forward(settings, protocols, external, internal))
    }
}

/// V1 to V3, and that nothing changed which must not.
#[track_caller]
fn check(before: &Packet, after: &Packet, (from, to): (Realm, Realm), settings: &Settings) {
    assert_eq!(after.ttl(), before.ttl() - 1, "V3: the hop is counted");
    assert!(after.header_is_intact(), "V2: the header checksum is right");
    if matches!(before.protocol(), 1 | 6 | 17) && before.transport().len() >= 8 && !before.is_fragment() {
        assert_eq!(before.transport_is_intact(), after.transport_is_intact(), "V2: as right as it came");
    }
    if to == Realm::External {
        assert_eq!(
            Some(*after.source().ip()),
            settings.external,
            "V1: nothing but the external address leaves"
        );
        assert!(!after.destination().ip().is_private_lab(), "nothing for inside leaves");
    }
    assert_eq!(before.bytes.len(), after.bytes.len());
    assert_eq!(before.bytes[1..4], after.bytes[1..4], "DSCP, ECN and length stay");
    assert_eq!(before.bytes[6..8], after.bytes[6..8], "fragment fields stay");
    let stays_whole = before.bytes[6] & 0x40 != 0 || before.segment.is_some();
    if !before.is_fragment() && (stays_whole || from == Realm::External) {
        assert_eq!(before.bytes[4..6], after.bytes[4..6], "the identification stays");
    }
    assert_eq!(before.bytes[20..before.header_len()], after.bytes[20..after.header_len()], "options stay");
    if before.is_fragment() {
        assert_eq!(before.transport().get(24..), after.transport().get(24..), "the payload stays");
    } else if !(before.protocol() == 1 && matches!(before.transport()[0], 3 | 11 | 12)) {
        assert_eq!(before.payload(), after.payload(), "the payload stays");
    }
}

/// Whether an address is in the lab's inside network.
trait PrivateLab {
    fn is_private_lab(&self) -> bool;
}

impl PrivateLab for Ipv4Addr {
    fn is_private_lab(&self) -> bool {
        self.octets()[..3] == [192, 0, 2]
    }
}
