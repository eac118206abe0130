//! Traffic without allocation: packets made beforehand, each copied into a buffer that is always the same, and answers
//! to what comes out, made where it lies.
//!
//! Every answer follows from the packet that it answers, so that external ports need not be known beforehand. Swapping
//! both ends of a packet leaves all its sums right.

use std::net::Ipv4Addr;
use std::time::Duration;

use napt::{Checksum, Counters, Engine, Instant, Realm, Verdict, checksum};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use router::{Disposition, Offload, Router, Side};
use sekisho_tests::{BOB, CAROL, Host, OUTSIDE, Packet, echo, error, raw, tcp, udp};

/// How many packets are made beforehand; more of them begin sessions than there is room for.
const TRAFFIC: usize = 40_000;
const LONGEST: usize = 256;
const ETHERNET: usize = 14;

/// Packets of every kind, and the realm that each comes from.
pub(crate) fn packets() -> Vec<(Realm, Vec<u8>)> {
    let mut rng = StdRng::seed_from_u64(5);
    (0..TRAFFIC).map(|_| packet(&mut rng)).collect()
}

fn packet(rng: &mut StdRng) -> (Realm, Vec<u8>) {
    let host = Host(Ipv4Addr::new(192, 0, 2, 1 + below(rng, 200) as u8));
    let (near, far) = (host.port(1 + below(rng, 30_000)), CAROL.port(1 + below(rng, 20)));
    let flags = ["S", "S", "S.", ".", "P.", "F.", "R", ""][below(rng, 8) as usize];
    let web = OUTSIDE.port(54321);
    match below(rng, 32) {
        0..12 => (Realm::Internal, udp(near, far).bytes),
        12..20 => (Realm::Internal, tcp(flags, near, far).bytes),
        20..22 => (Realm::Internal, echo(near.port(), host.0, CAROL.0).bytes),
        23 => (Realm::Internal, udp(near, far).with_ttl(1).bytes),
        24 => (Realm::Internal, tcp(flags, near, web).bytes),
        25 => (Realm::External, tcp(flags, CAROL.port(near.port()), web).bytes),
        26 => (Realm::External, udp(CAROL.port(near.port()), OUTSIDE.port(far.port())).bytes),
        27 => (Realm::External, echo(7, BOB.0, OUTSIDE.0).bytes),
        28 => (Realm::External, error(3, 1, BOB.0, &udp(OUTSIDE.port(near.port()), far)).bytes),
        29 => (Realm::Internal, raw([2, 47, 132][below(rng, 3) as usize], host.0, CAROL.0, &[0; 16]).bytes),
        22 => (Realm::Internal, piece(udp(near, far).with_payload(48), below(rng, 2) == 0)),
        30 => (side(rng), damaged(rng, udp(near, far))),
        _ => (side(rng), noise(rng)),
    }
}

fn side(rng: &mut StdRng) -> Realm {
    [Realm::Internal, Realm::External][below(rng, 2) as usize]
}

/// One of the two fragments of a datagram.
fn piece(datagram: Packet, is_first: bool) -> Vec<u8> {
    let cut = datagram.changed(|bytes| {
        let (flags, unwanted) = if is_first { ([0x20, 0], 44..bytes.len()) } else { ([0, 3], 20..44) };
        bytes.drain(unwanted);
        bytes[3] = bytes.len() as u8;
        bytes[6..8].copy_from_slice(&flags);
    });
    cut.bytes
}

/// The packet with a wrong bit in its header, or cut short; every other time with a header checksum that is right.
fn damaged(rng: &mut StdRng, mut packet: Packet) -> Vec<u8> {
    let kept = [packet.bytes.len(), 20 + usize::from(below(rng, 8))][below(rng, 2) as usize];
    packet.bytes.truncate(kept);
    packet.bytes[3] = kept as u8;
    let at: usize = [0, 2, 3, 6, 9, 25][below(rng, 6) as usize];
    if let Some(byte) = packet.bytes.get_mut(at) {
        *byte ^= 1 << below(rng, 8);
    }
    if below(rng, 2) == 0 {
        packet.fix_header();
    }
    packet.bytes
}

fn noise(rng: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(below(rng, 100))];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn below(rng: &mut StdRng, limit: u16) -> u16 {
    (rng.next_u32() % u32::from(limit)) as u16
}

/// What the outside does with a packet that has reached it.
#[derive(Clone, Copy)]
enum Answer {
    None,
    /// What the packet asks for.
    Reply,
    /// A reply from another than the one asked.
    Stranger,
    /// An ICMP error about it.
    Complaint,
}

impl Answer {
    fn to(number: u64) -> Self {
        match number % 16 {
            0..8 => Self::Reply,
            8 => Self::Stranger,
            9 => Self::Complaint,
            _ => Self::None,
        }
    }

    /// Makes the answer out of the packet in the first `len` bytes of a buffer; the answer's length, if there is one.
    fn make(self, buffer: &mut [u8], len: usize) -> Option<usize> {
        match self {
            Self::None => return None,
            Self::Reply => reply(&mut buffer[..len]),
            Self::Stranger => {
                reply(&mut buffer[..len]);
                buffer[12..16].copy_from_slice(&BOB.0.octets());
                set_sum(&mut buffer[..20], 10);
            }
            Self::Complaint => return Some(complaint(buffer)),
        }
        Some(len)
    }
}

/// Turns a packet without options round; of fragments and protocols without ports, only the addresses.
fn reply(packet: &mut [u8]) {
    let (near, far) = packet[12..20].split_at_mut(4);
    near.swap_with_slice(far);
    let is_whole = packet[6] & 0x3F == 0 && packet[7] == 0 && packet.len() >= 28;
    match packet[9] {
        6 | 17 if is_whole => {
            let (near, far) = packet[20..24].split_at_mut(2);
            near.swap_with_slice(far);
        }
        1 if is_whole => {
            packet[20] = 0;
            set_sum(&mut packet[20..], 2);
        }
        _ => (),
    }
}

/// Makes a packet without options into an error about itself: host unreachable, from BOB. 56 bytes.
fn complaint(buffer: &mut [u8]) -> usize {
    buffer.copy_within(..28, 28);
    buffer[..8].copy_from_slice(&[0x45, 0, 0, 56, 0, 0, 0, 0]);
    [buffer[8], buffer[9]] = [64, 1];
    buffer[16..20].copy_from_slice(&OUTSIDE.0.octets());
    buffer[12..16].copy_from_slice(&BOB.0.octets());
    buffer[20..28].copy_from_slice(&[3, 1, 0, 0, 0, 0, 0, 0]);
    set_sum(&mut buffer[..20], 10);
    set_sum(&mut buffer[20..56], 2);
    56
}

fn set_sum(bytes: &mut [u8], at: usize) {
    [bytes[at], bytes[at + 1]] = [0, 0];
    [bytes[at], bytes[at + 1]] = checksum(bytes).to_be_bytes();
}

/// An engine, and the outside that answers it.
pub(crate) struct Bench<'t, const N: usize> {
    engine: Engine<'t, N>,
    now: Instant,
    answered: u64,
    buffer: [u8; LONGEST],
}

impl<'t, const N: usize> Bench<'t, N> {
    pub(crate) fn new(engine: Engine<'t, N>, now: Instant) -> Self {
        Self { engine, now, answered: 0, buffer: [0; LONGEST] }
    }

    /// How many packets the engine has met.
    pub(crate) fn translated(&self) -> u64 {
        self.counters().iter().map(|counters| counters.total()).sum()
    }

    pub(crate) fn counters(&self) -> [&Counters; 2] {
        [Realm::Internal, Realm::External].map(|realm| self.engine.counters(realm))
    }

    /// Lets time pass.
    pub(crate) fn pause(&mut self, time: Duration) {
        self.now = self.now + time;
        while self.engine.poll_timeout().is_some_and(|due| due <= self.now) {
            self.engine.handle_timeout(self.now);
        }
    }

    /// Translates a packet, and the answer to it if it has left for the outside.
    pub(crate) fn exchange(&mut self, from: Realm, packet: &[u8]) {
        self.now = self.now + Duration::from_millis(1);
        self.buffer[..packet.len()].copy_from_slice(packet);
        if self.translate(from, packet.len()) != Verdict::Forward(Realm::External) {
            return;
        }
        self.answered += 1;
        if let Some(len) = Answer::to(self.answered).make(&mut self.buffer, packet.len()) {
            let _ = self.translate(Realm::External, len);
        }
    }

    fn translate(&mut self, from: Realm, len: usize) -> Verdict {
        let verdict = match napt::Packet::parse(&mut self.buffer[..len], Checksum::Complete, None) {
            Ok(packet) => return self.engine.translate(self.now, from, packet),
            Err(reason) => Verdict::Drop(reason),
        };
        self.engine.count(from, verdict);
        verdict
    }
}

/// The two links of a router, with a host at every address.
pub(crate) struct Links {
    now: Instant,
    received: u64,
    answered: u64,
    heard: u64,
    buffer: [u8; ETHERNET + LONGEST],
}

impl Links {
    pub(crate) fn new(now: Instant) -> Self {
        Self { now, received: 0, answered: 0, heard: 0, buffer: [0; ETHERNET + LONGEST] }
    }

    /// How many frames the router has been given.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// How many packets of its own the router has sent.
    pub(crate) fn heard(&self) -> u64 {
        self.heard
    }

    /// Lets time pass.
    pub(crate) fn pause<const N: usize>(&mut self, router: &mut Router<'_, N>, time: Duration) {
        let end = self.now + time;
        while let Some(due) = router.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            router.handle_timeout(self.now);
            self.listen(router);
        }
        self.now = end;
    }

    /// Gives the router a packet, and the answer to it if it has left for the outside.
    pub(crate) fn exchange<const N: usize>(
        &mut self,
        router: &mut Router<'_, N>,
        from: Realm,
        packet: &[u8],
    ) {
        self.now = self.now + Duration::from_millis(1);
        self.buffer[ETHERNET..][..packet.len()].copy_from_slice(packet);
        if self.receive(router, Side::of(from), packet.len()) != Disposition::Send(Side::Wan) {
            return;
        }
        self.answered += 1;
        if let Some(len) = Answer::to(self.answered).make(&mut self.buffer[ETHERNET..], packet.len()) {
            let _ = self.receive(router, Side::Wan, len);
        }
    }

    /// The packet that lies in the buffer arrives on a link.
    fn receive<const N: usize>(&mut self, router: &mut Router<'_, N>, side: Side, len: usize) -> Disposition {
        self.buffer[..ETHERNET].copy_from_slice(&[2, 0, 0, 0, 0, side as u8, 2, 0, 0, 0, 0, 9, 8, 0]);
        self.received += 1;
        let frame = &mut self.buffer[..ETHERNET + len];
        let disposition = router.receive(self.now, side, frame, Offload::default());
        self.listen(router);
        disposition
    }

    /// Hears what the router says itself, and answers who has been asked for.
    fn listen<const N: usize>(&mut self, router: &mut Router<'_, N>) {
        while let Some((side, said)) = router.poll_transmit() {
            self.heard += 1;
            let Some(mut frame) = said.first_chunk::<42>().copied() else { continue };
            let is_request = frame[12..14] == [8, 6] && frame[21] == 1;
            if is_request {
                // Who asks is asked back: the two ends change places, and the one asked for has an address.
                frame.copy_within(22..32, 32);
                frame[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
                frame[28..32].copy_from_slice(&said[38..42]);
                frame[21] = 2;
                self.received += 1;
                let _ = router.receive(self.now, side, &mut frame, Offload::default());
            }
        }
    }
}
