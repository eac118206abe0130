//! The alphabet: a few hosts, ports and flags, and what can be done to a packet. Everything a step picks is an index
//! into what there is when it is carried out, so that any sequence of steps means something, and a shorter one too.

use std::fmt;
use std::time::Duration;

use napt::policy::Rule;
use proptest::prelude::*;

use super::rules::policy;
use super::{forwards, ports};

/// One of however many there will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pick(u16);

impl Pick {
    fn any() -> impl Strategy<Value = Self> {
        any::<u16>().prop_map(Self)
    }

    /// Which of `len` it is.
    pub(crate) fn index(self, len: usize) -> usize {
        (usize::from(self.0) * len) >> 16
    }

    /// Which of `all` it is.
    pub(crate) fn of<T: Copy>(self, all: &[T]) -> T {
        all[self.index(all.len())]
    }
}

/// Steps in their order, a line each.
#[derive(Clone)]
pub(crate) struct Script(pub(crate) Vec<Step>);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, step)| write!(f, "\n{n:4} {step:?}"))
    }
}

/// Any steps.
pub(crate) fn script() -> impl Strategy<Value = Script> {
    proptest::collection::vec(step(), 1..200).prop_map(Script)
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A host inside sends to somebody outside, or to one of our own ports.
    Send { host: Pick, port: Pick, to: Pick, what: What, tweak: Tweak },
    /// Somebody outside sends to one of our ports.
    Deliver { host: Pick, port: Pick, to: Pick, what: What, tweak: Tweak },
    /// Whoever got a packet answers, as a host would or with other flags.
    Answer { which: Pick, flags: Option<u8>, tweak: Tweak },
    /// A host inside, or somebody outside, sends a datagram in pieces: of each, how many eighths of its bytes are before
    /// it and in it. Some are missing, some come twice; the last may come late.
    Pieces { inside: bool, host: Pick, port: Pick, to: Pick, what: What, id: u16, pieces: Pieces },
    /// A packet comes again.
    Again { which: Pick },
    /// Somebody complains about a packet that came out.
    Complain { which: Pick, kind: u8, code: u8, mtu: u16, by: Pick, quote: Quote, tweak: Tweak },
    /// A host inside talks to many addresses: to none, or to a few more than the table has room for.
    Scan { host: Pick, port: Pick, count: Pick },
    /// Time passes.
    Wait(Duration),
    /// The operator has other forwards, another pool of ports, and other filter rules.
    Reconfigure { forwards: usize, ports: (u16, u16), rules: Vec<Rule> },
}

/// The pieces of a datagram, and how long the last of them takes longer.
pub(crate) type Pieces = (Vec<(Pick, Pick)>, Duration);

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Datagram(u16),
    Segment(u8, u16),
    Echo,
    EchoReply,
    /// Of another protocol.
    Other(u8, u16),
}

/// What is special about a packet.
#[derive(Clone, Debug)]
pub(crate) enum Tweak {
    None,
    Ttl(u8),
    /// Padded to this length in all; whether it must not be fragmented.
    Len(u16, bool),
    /// One large packet that stands for many with this payload; whether it must not be fragmented.
    Segments(u16, bool),
    /// With options in the header, of which two are source routes.
    Options([u8; 4]),
    Padding,
    Timestamp,
    PortZero,
    NoChecksum,
    WrongChecksum,
    Partial,
    /// So much further on in its connection.
    Sequence(i32),
    Acknowledge(i32),
    Window(u16),
    /// A SYN says what its sender can do, or nonsense.
    Abilities(Vec<u8>),
    /// A bit of it changes on the way, and the header checksum with it or not.
    Flip(Pick, u8, bool),
    Cut(Pick),
}

/// What is special about the packet that an error quotes.
#[derive(Clone, Debug)]
pub(crate) enum Quote {
    Whole,
    /// So many bytes behind the header.
    Cut(u8),
    Flip(Pick, u8),
    /// The packet that it is about was one fragment of several, and not the first.
    Fragment,
    /// The error goes to somebody else.
    Astray,
}

fn step() -> impl Strategy<Value = Step> {
    let index = Pick::any;
    prop_oneof![
        16 => (index(), index(), index(), what(), tweak())
            .prop_map(|(host, port, to, what, tweak)| Step::Send { host, port, to, what, tweak }),
        10 => (index(), index(), index(), what(), tweak())
            .prop_map(|(host, port, to, what, tweak)| Step::Deliver { host, port, to, what, tweak }),
        16 => (index(), proptest::option::weighted(0.3, flags()), tweak())
            .prop_map(|(which, flags, tweak)| Step::Answer { which, flags, tweak }),
        1 => (any::<bool>(), index(), index(), index(), what(), 0..3_u16, pieces())
            .prop_map(|(inside, host, port, to, what, id, pieces)| {
                Step::Pieces { inside, host, port, to, what, id, pieces }
            }),
        4 => index().prop_map(|which| Step::Again { which }),
        4 => (index(), kind(), code(), mtu(), index(), quote(), tweak())
            .prop_map(|(which, kind, code, mtu, by, quote, tweak)| {
                Step::Complain { which, kind, code, mtu, by, quote, tweak }
            }),
        1 => (index(), index(), index()).prop_map(|(host, port, count)| Step::Scan { host, port, count }),
        8 => wait().prop_map(Step::Wait),
        1 => (0..forwards().len(), ports(), policy())
            .prop_map(|(forwards, ports, rules)| Step::Reconfigure { forwards, ports, rules }),
    ]
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        3 => (0..64_u16).prop_map(What::Datagram),
        5 => (flags(), 0..64_u16).prop_map(|(flags, len)| What::Segment(flags, len)),
        1 => Just(What::Echo),
        1 => Just(What::EchoReply),
        2 => (protocol(), 0..64_u16).prop_map(|(protocol, len)| What::Other(protocol, len)),
    ]
}

/// GRE, ESP, those with checksums over addresses, and those that are not translated.
fn protocol() -> impl Strategy<Value = u8> {
    proptest::sample::select(&[47, 50, 33, 136, 2, 51][..])
}

fn pieces() -> impl Strategy<Value = Pieces> {
    let pause = proptest::sample::select(&[0, 0, 4_999, 5_000][..]).prop_map(Duration::from_millis);
    (proptest::collection::vec((Pick::any(), Pick::any()), 1..6), pause)
}

/// What connections send, and now and then anything (C28).
fn flags() -> impl Strategy<Value = u8> {
    let (fin, syn, rst, push, ack) = (1, 2, 4, 8, 16_u8);
    prop_oneof![
        6 => Just(syn),
        3 => Just(syn | ack),
        4 => Just(ack),
        1 => Just(push | ack),
        3 => Just(fin | ack),
        1 => Just(rst),
        1 => Just(rst | ack),
        1 => any::<u8>(),
    ]
}

fn kind() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(3_u8), 3 => Just(11_u8), 1 => Just(12_u8), 1 => any::<u8>()]
}

fn code() -> impl Strategy<Value = u8> {
    prop_oneof![Just(4_u8), 0..16_u8]
}

/// What the next link carries, if the error says so: no link, none, and the least there is.
fn mtu() -> impl Strategy<Value = u16> {
    proptest::sample::select(&[0, 0, 1, 67, 68, 1_280_u16][..])
}

fn quote() -> impl Strategy<Value = Quote> {
    prop_oneof![
        4 => Just(Quote::Whole),
        3 => (0..24_u8).prop_map(Quote::Cut),
        1 => (Pick::any(), 0..8_u8).prop_map(|(at, bit)| Quote::Flip(at, bit)),
        1 => Just(Quote::Fragment),
        1 => Just(Quote::Astray),
    ]
}

fn tweak() -> impl Strategy<Value = Tweak> {
    prop_oneof![
        30 => Just(Tweak::None),
        1 => (0..4_u8).prop_map(Tweak::Ttl),
        1 => (1490..1504_u16, any::<bool>()).prop_map(|(len, whole)| Tweak::Len(len, whole)),
        1 => (1440..1480_u16, any::<bool>()).prop_map(|(each, whole)| Tweak::Segments(each, whole)),
        2 => proptest::sample::select(&[[1, 1, 1, 0], [131, 4, 4, 0], [1, 137, 3, 4]][..]).prop_map(Tweak::Options),
        1 => Just(Tweak::Padding),
        1 => Just(Tweak::Timestamp),
        1 => Just(Tweak::PortZero),
        1 => Just(Tweak::NoChecksum),
        1 => Just(Tweak::WrongChecksum),
        1 => Just(Tweak::Partial),
        2 => further().prop_map(Tweak::Sequence),
        1 => further().prop_map(Tweak::Acknowledge),
        1 => proptest::sample::select(&[0, 1, 1_000, 65_535_u16][..]).prop_map(Tweak::Window),
        3 => abilities().prop_map(Tweak::Abilities),
        2 => (Pick::any(), 0..8_u8, any::<bool>()).prop_map(|(at, bit, mended)| Tweak::Flip(at, bit, mended)),
        1 => Pick::any().prop_map(Tweak::Cut),
    ]
}

/// Around every edge of a window of 8,192 bytes, or of one that is scaled, and anywhere.
fn further() -> impl Strategy<Value = i32> {
    let edges = proptest::sample::select(vec![0, 8_192, 8_192 << 7, 1 << 20, (1 << 20) + 8_192, 65_535]);
    let near =
        (edges, -2..3, any::<bool>()).prop_map(|(edge, by, back)| if back { -edge + by } else { edge + by });
    prop_oneof![5 => near, 2 => -100_i32..100, 1 => any::<i32>()]
}

/// Segment sizes at even and odd places, window scales, both, and lists that contradict themselves.
fn abilities() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![Just(1_456_u16), Just(1_457), any::<u16>()];
    (size, 0..16_u8, 0..7).prop_map(|(size, scale, which)| {
        let [high, low] = size.to_be_bytes();
        match which {
            0 => vec![2, 4, high, low],
            1 => vec![1, 2, 4, high, low, 1, 1, 0],
            2 => vec![2, 4, high, low, 1, 3, 3, scale],
            3 => vec![1, 3, 3, scale],
            4 => vec![3, 3, scale, 2, 4, high, low, 0],
            5 => vec![2, 3, high, 3, 3, scale, 1, 2],
            _ => vec![0, 2, 4, high],
        }
    })
}

/// Each timer, a millisecond, a tick and a second to either side of it, and little pauses.
fn wait() -> impl Strategy<Value = Duration> {
    let timers = proptest::sample::select(vec![0, 5, 60, 120, 240, 270, 300, 600, 7440_i64]);
    let beside = proptest::sample::select(vec![-1_024, -1_000, -1, 0, 1, 1_000, 1_023, 1_024, 2_048, 2_100]);
    let around = (timers, beside).prop_map(|(timer, beside)| (timer * 1_000 + beside).max(0));
    let millis = prop_oneof![4 => around, 2 => 0..3_000_i64, 2 => 0..130_000_i64, 1 => 0..400_000_i64];
    millis.prop_map(|millis| Duration::from_millis(millis.unsigned_abs()))
}
