//! Sequences of packets and time, on an engine that is soon full.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use napt::{DropReason, Realm, Verdict};

use super::bench::{Bench, FORWARDED, WEB, settings, tables};
use super::wire::{End, ICMP, OUTSIDE, destination, echo, inside, ports, remote, tcp, udp};

/// No longer than this, so that a run stays short.
const STEPS: usize = 64;

#[derive(Arbitrary, Debug)]
struct Sequence {
    behaviours: u8,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// A host inside sends to one outside, which answers or not.
    Out { host: u8, port: u8, remote: u8, remote_port: u8, kind: Kind, is_answered: bool },
    /// A host outside sends to an external port: one that was seen, by its number, or the forwarded one.
    In { remote: u8, remote_port: u8, external: u8, kind: Kind },
    /// A host inside sends to an external port.
    Hairpin { host: u8, port: u8, external: u8, kind: Kind },
    /// Time passes.
    Wait { seconds: u16, timely: bool },
    /// A link's MTU changes.
    Mtu { internal: bool, mtu: u16 },
    /// Anything arrives.
    Noise { internal: bool, bytes: Vec<u8> },
    /// The operator changes the settings.
    Reconfigure { behaviours: u8, has_address: bool },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Kind {
    Udp { len: u8 },
    Tcp { flags: u8 },
    Echo,
    EchoReply,
}

/// What the fuzzer's bytes say, one step after the other.
pub fn sequence(data: &[u8]) {
    let Ok(sequence) = Sequence::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut tables = tables();
    let mut run =
        Run { bench: Bench::new(&mut tables, settings(sequence.behaviours)), externals: vec![FORWARDED] };
    sequence.steps.iter().take(STEPS).for_each(|step| run.step(step));
}

struct Run<'t> {
    bench: Bench<'t>,
    /// External ports that packets have left from.
    externals: Vec<u16>,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) {
        match *step {
            Step::Out { host, port, remote: peer, remote_port, kind, is_answered } => {
                let to = (remote(peer % 4), u16::from(remote_port % 4));
                self.send((inside(host % 8), internal_port(port)), to, kind, is_answered);
            }
            Step::In { remote: peer, remote_port, external, kind } => {
                let from = (remote(peer % 4), u16::from(remote_port % 4));
                let to = (OUTSIDE, self.external(external));
                self.bench.meet(Realm::External, &make(kind, from, to));
            }
            Step::Hairpin { host, port, external, kind } => {
                let to = (OUTSIDE, self.external(external));
                let from = (inside(host % 8), internal_port(port));
                self.bench.meet(Realm::Internal, &make(kind, from, to));
            }
            Step::Wait { seconds, timely } => {
                self.bench.wait(Duration::from_secs(u64::from(seconds % 8192)), timely);
            }
            Step::Mtu { internal, mtu } => self.bench.engine.set_mtu(realm(internal), mtu.max(68)),
            Step::Reconfigure { behaviours, has_address } => self.bench.reconfigure(behaviours, has_address),
            Step::Noise { internal, ref bytes } => {
                self.bench.meet(realm(internal), bytes);
            }
        }
    }

    /// Sends a packet; who answers it reaches whoever sent it.
    fn send(&mut self, from: End, to: End, kind: Kind, is_answered: bool) {
        let packet = make(kind, from, to);
        let (verdict, out) = self.bench.translate(Realm::Internal, &packet);
        if verdict != Verdict::Forward(Realm::External) {
            return;
        }
        let external = ports(&out).0;
        self.externals.push(external);
        if !is_answered {
            return;
        }
        let (verdict, back) =
            self.bench.translate(Realm::External, &make(answer(kind), to, (OUTSIDE, external)));
        match verdict {
            Verdict::Forward(_) => {
                let port = if back[9] == ICMP { ports(&back).0 } else { ports(&back).1 };
                assert_eq!((destination(&back), port), from, "an answer reaches who asked");
            }
            Verdict::Drop(DropReason::NoMapping | DropReason::NoSession | DropReason::Filtered) => {
                panic!("an answer is turned away: {verdict:?}")
            }
            _ => (),
        }
    }

    fn external(&self, number: u8) -> u16 {
        self.externals[usize::from(number) % self.externals.len()]
    }
}

fn realm(internal: bool) -> Realm {
    if internal { Realm::Internal } else { Realm::External }
}

/// Few, so that they meet; one is the forward's.
fn internal_port(number: u8) -> u16 {
    [0, 1, WEB, 1023, 1024, 5000, 5001, 65535][usize::from(number % 8)]
}

fn make(kind: Kind, from: End, to: End) -> Vec<u8> {
    match kind {
        Kind::Udp { len } => udp(from, to, &vec![0xA5; usize::from(len)]),
        Kind::Tcp { flags } => tcp(from, to, flags),
        Kind::Echo => echo(from.0, to.0, false, from.1),
        Kind::EchoReply => echo(from.0, to.0, true, to.1),
    }
}

/// What the other side would say to it, no longer than it.
fn answer(kind: Kind) -> Kind {
    match kind {
        Kind::Tcp { flags } if flags & 0x17 == 2 => Kind::Tcp { flags: 0x12 },
        Kind::Tcp { .. } => Kind::Tcp { flags: 0x10 },
        Kind::Echo | Kind::EchoReply => Kind::EchoReply,
        Kind::Udp { .. } => kind,
    }
}
