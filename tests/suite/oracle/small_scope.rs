//! Small scope: not what chance finds, but everything there is, up to a depth.
//!
//! A *scope* is an engine of the smallest size with two ports, and an *alphabet*: packets between two hosts inside and
//! two outside, and pauses. Two searches go through its words. [`every_word`] tries each word of a length, and with it
//! all shorter ones; only what the oracle leaves open is left out. [`every_state`] goes on from each state of the
//! oracle once, by one of the words that lead there, and so gets further; whether the others have led the engine there
//! too, it asks by pauses alone, and the order of its lists and its random numbers it sees only as that one word left
//! them.
//!
//! `SEKISHO_DEEPER` says by how many letters either goes deeper than here; `tests/deep` says how far that can be.

use std::collections::HashSet;
use std::net::SocketAddrV4;
use std::time::Duration;

use napt::{Dependence, Realm, Tables};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, OUTSIDE, Packet, error, tcp, udp};

use super::steps::Tweak;
use super::tally::Tally;
use super::world::World;
use super::{ALL, Plan, variable};

/// Room for so many sessions: the least there can be.
const SMALLEST: usize = 8;
const PORTS: (u16, u16) = (2000, 2001);
/// After so many words a line of progress is printed.
const MILESTONE: u64 = 4_000_000;

/// An engine, and what may happen to it.
struct Scope {
    plan: Plan,
    alphabet: Vec<(String, Letter)>,
}

/// What may happen.
enum Letter {
    Packet(Realm, Packet),
    Pause(Duration),
}

#[test]
fn v5_every_word_of_datagrams_in_every_behaviour() {
    for plan in plans() {
        every_word(&datagrams(plan), 3);
    }
}

#[test]
fn v5_every_state_of_datagrams_in_every_behaviour() {
    for plan in plans() {
        every_state(&datagrams(plan), 4);
    }
}

#[test]
fn c01_c27_every_word_of_segments() {
    every_word(&segments(), 4);
}

#[test]
fn c01_c27_every_state_of_segments() {
    every_state(&segments(), 5);
}

#[test]
fn rfc4787_req1_every_state_of_connections_in_both_directions() {
    for plan in plans() {
        every_state(&calls(plan), 6);
    }
}

/// All mapping and filtering behaviours.
fn plans() -> impl Iterator<Item = Plan> {
    let pairs = ALL.iter().flat_map(|mapping| ALL.iter().map(move |filtering| (*mapping, *filtering)));
    pairs.map(|(mapping, filtering)| Plan::plain(mapping, filtering, PORTS))
}

/// Two hosts inside talk UDP to two outside and to each other, and get answers and a complaint.
fn datagrams(plan: Plan) -> Scope {
    let (inside, outside) =
        ([ALICE, DAVE].map(|host| host.port(5000)), [BOB, CAROL].map(|host| host.port(53)));
    let ours = [PORTS.0, PORTS.1].map(|port| OUTSIDE.port(port));
    let mut alphabet = Vec::new();
    for near in inside {
        alphabet.extend(outside.into_iter().chain(ours).map(|far| datagram(Realm::Internal, near, far)));
    }
    for far in outside {
        alphabet.extend(ours.map(|ours| datagram(Realm::External, far, ours)));
    }
    let about = udp(ours[0], outside[0]);
    alphabet.push(("complaint".into(), Letter::Packet(Realm::External, error(3, 3, CAROL.0, &about))));
    alphabet.extend([1, 1_024, 120_000, 299_999].map(pause));
    Scope { plan, alphabet }
}

/// One host inside and one outside exchange every kind of segment; others try to get in, and to get a port.
fn segments() -> Scope {
    let plan = Plan::plain(Dependence::Endpoint, Dependence::Address, (PORTS.0, PORTS.0));
    let (near, far, ours) = (ALICE.port(5000), BOB.port(80), OUTSIDE.port(PORTS.0));
    let kinds = ["S", "S.", ".", "F.", "R"];
    let mut alphabet: Vec<_> = kinds.iter().map(|kind| segment(Realm::Internal, kind, near, far)).collect();
    alphabet.extend(kinds.iter().map(|kind| segment(Realm::External, kind, far, ours)));
    alphabet.push(segment(Realm::External, "S", BOB.port(81), ours));
    alphabet.push(segment(Realm::External, "S", CAROL.port(80), ours));
    alphabet.push(segment(Realm::Internal, "S", DAVE.port(5000), far));
    alphabet.extend([1, 1_024, 239_999, 7_200_000].map(pause));
    Scope { plan, alphabet }
}

/// One host inside calls two outside, one of which calls back from another port, to either of our ports.
fn calls(plan: Plan) -> Scope {
    let (near, caller) = (ALICE.port(5000), BOB.port(99));
    let ours = [PORTS.0, PORTS.1].map(|port| OUTSIDE.port(port));
    let called = [BOB.port(80), BOB.port(81), CAROL.port(80)];
    let mut alphabet: Vec<_> = called.map(|far| segment(Realm::Internal, "S", near, far)).into();
    alphabet.push(segment(Realm::Internal, "S.", near, caller));
    for ours in ours {
        alphabet.extend(["S", "."].map(|flags| segment(Realm::External, flags, caller, ours)));
    }
    alphabet.extend([121_024, 241_024].map(pause));
    Scope { plan, alphabet }
}

fn datagram(realm: Realm, from: SocketAddrV4, to: SocketAddrV4) -> (String, Letter) {
    (format!("{} > {}", name(from), name(to)), Letter::Packet(realm, udp(from, to)))
}

fn segment(realm: Realm, flags: &str, from: SocketAddrV4, to: SocketAddrV4) -> (String, Letter) {
    (format!("{} > {} [{flags}]", name(from), name(to)), Letter::Packet(realm, tcp(flags, from, to)))
}

fn pause(millis: u64) -> (String, Letter) {
    (format!("{millis} ms"), Letter::Pause(Duration::from_millis(millis)))
}

fn name(end: SocketAddrV4) -> String {
    let names = [(ALICE, "alice"), (DAVE, "dave"), (BOB, "bob"), (CAROL, "carol"), (OUTSIDE, "box")];
    let name = names.iter().find(|(host, _)| host.0 == *end.ip()).unwrap().1;
    format!("{name}:{}", end.port())
}

/// Tries every word of a length.
fn every_word(scope: &Scope, len: u32) {
    let (len, letters) = (len + deeper(), scope.alphabet.len() as u64);
    let words = letters.pow(len);
    introduce(scope, &format!("all {words} words of length {len}"));
    let mut word = vec![0_u8; len as usize];
    for n in 0..words {
        let mut rest = n;
        for letter in word.iter_mut().rev() {
            (*letter, rest) = ((rest % letters) as u8, rest / letters);
        }
        read(scope, &word);
        if (n + 1).is_multiple_of(MILESTONE) {
            println!("  {} words", n + 1);
        }
    }
}

/// Goes on from every state that can be reached with less than so many letters.
fn every_state(scope: &Scope, depth: u32) {
    introduce(scope, "every state, by depth:");
    let mut seen = HashSet::from([read(scope, &[])]);
    let (mut edge, mut words) = (vec![Vec::new()], 0_u64);
    for depth in 1..=depth + deeper() {
        let mut beyond = Vec::new();
        for word in &edge {
            for letter in 0..scope.alphabet.len() as u8 {
                let longer = and(word, letter);
                words += 1;
                if seen.insert(read(scope, &longer)) {
                    beyond.push(longer);
                } else {
                    words += ask(scope, &longer);
                }
            }
        }
        edge = beyond;
        println!("  {depth}: {} states, {words} words", seen.len());
    }
}

/// Whether a word that leads where another led before does so for the engine too, as each pause shows; how many words
/// that takes.
fn ask(scope: &Scope, word: &[u8]) -> u64 {
    let letters = (0_u8..).zip(&scope.alphabet);
    let pauses = letters.filter(|(_, (_, letter))| matches!(letter, Letter::Pause(_)));
    let states: Vec<u64> = pauses.map(|(pause, _)| read(scope, &and(word, pause))).collect();
    states.len() as u64
}

fn and(word: &[u8], letter: u8) -> Vec<u8> {
    word.iter().copied().chain([letter]).collect()
}

/// Carries a word out; a number for the state it leads to.
fn read(scope: &Scope, word: &[u8]) -> u64 {
    let mut tables = Box::new(Tables::<SMALLEST>::new());
    let tally = Tally::default();
    let mut world = World::new(&mut tables, &scope.plan, &tally);
    for letter in word {
        let taken = match &scope.alphabet[usize::from(*letter)].1 {
            Letter::Packet(from, packet) => world.pass(*from, packet, &Tweak::None),
            Letter::Pause(time) => world.wait(*time),
        };
        if let Err(error) = taken {
            let word: Vec<_> = word.iter().map(|letter| &scope.alphabet[usize::from(*letter)].0).collect();
            panic!("{:?}, {word:#?}: {error}", scope.plan);
        }
    }
    world.fingerprint()
}

fn introduce(scope: &Scope, what: &str) {
    let letters: Vec<_> = scope.alphabet.iter().map(|(name, _)| name.as_str()).collect();
    println!("{:?}: {what}\n  of {} letters: {}", scope.plan, letters.len(), letters.join(", "));
}

fn deeper() -> u32 {
    variable("SEKISHO_DEEPER", 0)
}
