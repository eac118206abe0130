//! A world for steps to happen in: what can be picked from, and carrying a step out.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use host_sim::oracle::wire::{self, ICMP, TCP, UDP};
use napt::{DropReason, Realm, Tables, Verdict};
use sekisho_tests::{
    ALICE, BOB, Bench, CAROL, DAVE, Host, OUTSIDE, Packet, echo, echo_reply, range, raw, tcp, udp,
};

use super::sequences::{Ends, Sequences, Speaker};
use super::steps::{Pick, Pieces, Quote, Step, Tweak, What};
use super::tally::Tally;
use super::{Plan, forwarding, rules};

const INSIDE: [Host; 3] = [ALICE, DAVE, Host(Ipv4Addr::new(192, 0, 2, 3))];
const FAR: [Host; 3] = [BOB, CAROL, Host(Ipv4Addr::new(198, 51, 100, 8))];
/// Ports inside: of both classes and parities, and one that forwards lead to.
const NEAR_PORTS: [u16; 6] = [80, 81, 1023, 1024, 5000, 5001];
const FAR_PORTS: [u16; 3] = [53, 80, 5000];
/// How many packets are remembered, to be answered, repeated, quoted.
const MEMORY: usize = 12;

/// An engine, its oracle, and the network around them.
pub(crate) struct World<'t, const N: usize> {
    bench: Bench<'t, N>,
    sequences: Sequences,
    /// What came in last, and from where.
    came: VecDeque<(Realm, Packet)>,
    /// What went out last, and where to.
    went: VecDeque<(Realm, Packet)>,
    /// External ports that were seen last.
    ports: VecDeque<u16>,
    tally: &'t Tally,
}

impl<'t, const N: usize> World<'t, N> {
    pub(crate) fn new(tables: &'t mut Tables<N>, plan: &Plan, tally: &'t Tally) -> Self {
        let settings = plan.settings();
        let mut ports: VecDeque<u16> =
            settings.forwards.iter().map(|forward| forward.external.first()).collect();
        ports.extend([9, settings.ports.first(), settings.ports.last()]);
        Self {
            bench: Bench::new(tables, &settings, plan.woken),
            sequences: Sequences::default(),
            came: VecDeque::new(),
            went: VecDeque::new(),
            ports,
            tally,
        }
    }

    /// Carries a step out.
    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Wait(time) => self.wait(*time),
            Step::Reconfigure { forwards, ports, rules } => {
                let mut settings = self.bench.engine.settings().clone();
                (settings.forwards, settings.ports) = (forwarding(*forwards), range(ports.0, ports.1));
                settings.policy = rules::of(rules);
                self.bench.reconfigure(settings)
            }
            Step::Send { host, port, to, what, tweak } => {
                let near = host.of(&INSIDE).port(port.of(&NEAR_PORTS));
                let far = to.of(&self.peers());
                self.pass(Realm::Internal, &plain(what, near, far), tweak)
            }
            Step::Deliver { host, port, to, what, tweak } => {
                let far = host.of(&FAR).port(port.of(&FAR_PORTS));
                let ours = OUTSIDE.port(self.ports[to.index(self.ports.len())]);
                self.pass(Realm::External, &plain(what, far, ours), tweak)
            }
            Step::Answer { which, flags, tweak } => {
                let Some((realm, packet)) = pick(&self.went, *which) else { return Ok(()) };
                let Some(answer) = answer(&packet, *flags) else { return Ok(()) };
                self.pass(realm, &answer, tweak)
            }
            Step::Pieces { inside, host, port, to, what, id, pieces } => {
                let (near, far) = if *inside {
                    (host.of(&INSIDE).port(port.of(&NEAR_PORTS)), to.of(&self.peers()))
                } else {
                    let ours = OUTSIDE.port(self.ports[to.index(self.ports.len())]);
                    (host.of(&FAR).port(port.of(&FAR_PORTS)), ours)
                };
                let from = if *inside { Realm::Internal } else { Realm::External };
                self.pass_in_pieces(from, &plain(what, near, far).with_id(*id).may_fragment(), pieces)
            }
            Step::Again { which } => {
                let Some((realm, packet)) = pick(&self.came, *which) else { return Ok(()) };
                self.translate(realm, &packet).map(|_| ())
            }
            Step::Complain { which, kind, code, mtu, by, quote, tweak } => {
                let Some((realm, packet)) = pick(&self.went, *which) else { return Ok(()) };
                let by = by.of(if realm == Realm::Internal { &INSIDE } else { &FAR });
                let complaint = complain(&packet, [*kind, *code], *mtu, by, quote);
                self.translate(realm, &tweaked(complaint, tweak)).map(|_| ())
            }
            Step::Scan { host, port, count } => {
                let near = host.of(&INSIDE).port(port.of(&NEAR_PORTS));
                (0..count.index(N + N / 8 + 1)).try_for_each(|n| {
                    let far = Host(Ipv4Addr::new(198, 18, (n >> 8) as u8, n as u8)).port(53);
                    self.translate(Realm::Internal, &udp(near, far)).map(|_| ())
                })
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, time: Duration) -> Result<(), String> {
        self.bench.wait(time)
    }

    /// A number for the state of everything that matters from now on.
    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        let streams: BTreeSet<_> = self
            .bench
            .oracle
            .streams()
            .map(|(own, peer, streams)| ((own, peer), self.sequences.relative((own, peer), streams)))
            .collect();
        (self.bench.fingerprint(), streams, self.sequences.repeated()).hash(&mut hasher);
        hasher.finish()
    }

    /// What came and went last, for a person to read.
    pub(crate) fn story(&self) -> String {
        let line =
            |way: &str, (realm, packet): &(Realm, Packet)| format!("{way} {realm:?}: {}\n", brief(packet));
        let came = self.came.iter().map(|packet| line("from", packet));
        let went = self.went.iter().map(|packet| line("to", packet));
        came.chain(went).collect()
    }

    /// Whom a host inside may talk to.
    fn peers(&self) -> Vec<SocketAddrV4> {
        let ours = self.ports.iter().map(|port| OUTSIDE.port(*port));
        let far = FAR.iter().flat_map(|host| FAR_PORTS.map(|port| host.port(port)));
        far.chain(ours).collect()
    }

    /// Sends a packet with its place in its connection, if it is of one.
    pub(crate) fn pass(&mut self, from: Realm, packet: &Packet, tweak: &Tweak) -> Result<(), String> {
        let ends = self.ends(from, packet);
        let numbered = match ends {
            Some((ends, speaker)) => self.sequences.number(ends, speaker, packet.clone()),
            None => packet.clone(),
        };
        let sent = tweaked(numbered.clone(), tweak);
        let (verdict, after) = self.translate(from, &sent)?;
        if let (Verdict::Forward(to), Some((ends, speaker))) = (verdict, ends) {
            self.sequences.sent(ends, speaker, &numbered);
            if (from, to) == (Realm::Internal, Realm::Internal) {
                self.sequences.alias((after.destination(), after.source()), ends);
            }
        }
        Ok(())
    }

    /// Sends parts of a packet, each as a fragment. Of a segment as much as its first part has been sent.
    fn pass_in_pieces(
        &mut self,
        from: Realm,
        packet: &Packet,
        (pieces, pause): &Pieces,
    ) -> Result<(), String> {
        let ends = self.ends(from, packet);
        let packet = match ends {
            Some((ends, speaker)) => self.sequences.number(ends, speaker, packet.clone()),
            None => packet.clone(),
        };
        let eighths = packet.transport().len().div_ceil(8);
        for (n, (start, len)) in pieces.iter().enumerate() {
            if n + 1 == pieces.len() {
                self.wait(*pause)?;
            }
            // Every other is a first one.
            let start = start.index(2 * eighths).saturating_sub(eighths);
            let end = start + len.index(eighths - start + 1);
            let piece = packet.fragment(start * 8, packet.transport().len().min(end * 8));
            let (verdict, _) = self.translate(from, &piece)?;
            if let (Verdict::Forward(_), 0, Some((ends, speaker))) = (verdict, start, ends) {
                self.sequences.sent(ends, speaker, &packet);
            }
        }
        Ok(())
    }

    /// The connection that a segment belongs to, as the host inside sees it.
    fn ends(&self, from: Realm, packet: &Packet) -> Option<(Ends, Speaker)> {
        let (source, destination) = (packet.source(), packet.destination());
        match (packet.protocol(), from) {
            (TCP, Realm::Internal) => Some(((source, destination), Speaker::Own)),
            (TCP, Realm::External) => {
                let internal = self.bench.oracle.owner(TCP, destination.port())?;
                Some(((internal, source), Speaker::Peer))
            }
            _ => None,
        }
    }

    fn translate(&mut self, from: Realm, packet: &Packet) -> Result<(Verdict, Packet), String> {
        if self.bench.oracle.is_open(from, packet.view()) {
            self.tally.leave_out();
            return Ok((Verdict::Drop(DropReason::NoSession), packet.clone()));
        }
        remember(&mut self.came, (from, packet.clone()));
        let (verdict, after) = self.bench.translate(from, packet)?;
        self.tally.count(verdict);
        if let Verdict::Forward(to) = verdict {
            remember(&mut self.went, (to, after.clone()));
            let port = after.source().port();
            let is_first = after.fragment_offset() == 0;
            if is_first && *after.source().ip() == OUTSIDE.0 && port != 0 && !self.ports.contains(&port) {
                remember(&mut self.ports, port);
            }
        }
        Ok((verdict, after))
    }
}

fn remember<T>(memory: &mut VecDeque<T>, what: T) {
    if memory.len() >= MEMORY {
        memory.pop_front();
    }
    memory.push_back(what);
}

fn pick(memory: &VecDeque<(Realm, Packet)>, which: Pick) -> Option<(Realm, Packet)> {
    (!memory.is_empty()).then(|| memory[which.index(memory.len())].clone())
}

fn brief(packet: &Packet) -> String {
    match wire::read(packet.view()) {
        Ok(view) => format!("{} > {} {:?}", view.source, view.destination, view.subject),
        Err(faults) => format!("{faults:?}"),
    }
}

fn plain(what: &What, from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    match what {
        What::Datagram(len) => udp(from, to).with_payload((*len).into()),
        What::Segment(flags, len) => segment(*flags, from, to).with_payload((*len).into()),
        What::Echo => echo(from.port(), *from.ip(), *to.ip()),
        What::EchoReply => echo_reply(to.port(), *from.ip(), *to.ip()),
        What::Other(protocol, len) => raw(*protocol, *from.ip(), *to.ip(), &vec![0x5A; (*len).into()]),
    }
}

fn segment(flags: u8, from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    let mut packet = tcp("", from, to).changed(|bytes| bytes[33] = flags);
    packet.fix_transport();
    packet
}

/// What a host answers to a packet that has reached it; nothing to an error, nor to what has no header.
fn answer(packet: &Packet, flags: Option<u8>) -> Option<Packet> {
    if packet.fragment_offset() > 0 {
        return None;
    }
    let (own, peer) = (packet.destination(), packet.source());
    match packet.protocol() {
        UDP => Some(udp(own, peer)),
        other if ![TCP, ICMP].contains(&other) => Some(raw(other, *own.ip(), *peer.ip(), &[0xA5; 20])),
        TCP => Some(segment(flags.unwrap_or_else(|| natural(packet.transport()[13])), own, peer)),
        ICMP if [8, 13].contains(&packet.transport()[0]) => {
            Some(echo_reply(peer.port(), *own.ip(), *peer.ip()))
        }
        ICMP if [0, 14].contains(&packet.transport()[0]) => Some(echo(own.port(), *own.ip(), *peer.ip())),
        _ => None,
    }
}

/// SYN-ACK to SYN, FIN to FIN, ACK to the rest.
fn natural(flags: u8) -> u8 {
    match flags & 0x13 {
        2 => 0x12,
        0x11 => 0x11,
        _ => 0x10,
    }
}

fn complain(about: &Packet, what: [u8; 2], mtu: u16, by: Host, quote: &Quote) -> Packet {
    let mut quoted = about.bytes.clone();
    quoted.truncate(about.header_len() + 1_400);
    match quote {
        Quote::Cut(len) => quoted.truncate(about.header_len() + usize::from(*len)),
        Quote::Flip(at, bit) => {
            let at = at.index(quoted.len());
            quoted[at] ^= 1 << bit;
        }
        Quote::Fragment => quoted = about.clone().changed(|bytes| bytes[7] = 1).bytes,
        Quote::Whole | Quote::Astray => (),
    }
    let to = if matches!(quote, Quote::Astray) { CAROL.0 } else { *about.source().ip() };
    let mut complaint = raw(ICMP, by.0, to, &[&what[..], &[0; 4], &mtu.to_be_bytes(), &quoted].concat());
    complaint.fix_transport();
    complaint
}

fn tweaked(mut packet: Packet, tweak: &Tweak) -> Packet {
    let tcp_or_udp = [TCP, UDP].contains(&packet.protocol());
    let header = packet.header_len();
    match tweak {
        Tweak::Ttl(ttl) => packet.with_ttl(*ttl),
        Tweak::Len(len, whole) if tcp_or_udp => {
            let payload = usize::from(*len) - (packet.bytes.len() - packet.payload().len());
            let packet = packet.with_payload(payload);
            if *whole { packet.dont_fragment() } else { packet.may_fragment() }
        }
        Tweak::Segments(each, whole) if tcp_or_udp => {
            let packet = packet.with_payload(4_000);
            let mut packet = if *whole { packet.dont_fragment() } else { packet.may_fragment() };
            packet.segment = (*each).try_into().ok();
            packet
        }
        Tweak::Options(options) => packet.with_options(options),
        Tweak::Padding => {
            packet.bytes.extend([0xEE; 7]);
            packet
        }
        Tweak::Timestamp if packet.protocol() == ICMP && [0, 8].contains(&packet.bytes[header]) => {
            packet.bytes[header] += if packet.bytes[header] == 8 { 5 } else { 14 };
            packet.fix_transport();
            packet
        }
        Tweak::PortZero if tcp_or_udp => packet.changed(|bytes| bytes[header..header + 2].fill(0)),
        Tweak::NoChecksum if packet.protocol() == UDP => {
            packet.changed(|bytes| bytes[header + 6..header + 8].fill(0))
        }
        Tweak::WrongChecksum => packet.changed(|bytes| *bytes.last_mut().unwrap() ^= 0x55),
        Tweak::Partial if tcp_or_udp => packet.partial(),
        Tweak::Sequence(by) if packet.protocol() == TCP => moved(packet, 4, *by),
        Tweak::Acknowledge(by) if packet.protocol() == TCP => moved(packet, 8, *by),
        Tweak::Window(window) if packet.protocol() == TCP => packet.window(*window),
        Tweak::Abilities(options) if packet.protocol() == TCP => packet.with_tcp_options(options),
        Tweak::Flip(at, bit, mended) => {
            // Not what makes a fragment or another protocol of it, and not whom it is from and for.
            let at = at.index(packet.bytes.len());
            if ![6, 7, 9].contains(&at) && !(12..20).contains(&at) {
                packet.bytes[at] ^= 1 << bit;
            }
            if *mended { packet.changed(|_| ()) } else { packet }
        }
        Tweak::Cut(len) => {
            packet.bytes.truncate(len.index(packet.bytes.len()));
            packet
        }
        _ => packet,
    }
}

/// The segment with the number at `offset` in its header moved.
fn moved(packet: Packet, offset: usize, by: i32) -> Packet {
    let at = packet.header_len() + offset;
    let mut packet = packet.changed(|bytes| {
        let number: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        bytes[at..at + 4].copy_from_slice(&u32::from_be_bytes(number).wrapping_add_signed(by).to_be_bytes());
    });
    packet.fix_transport();
    packet
}
