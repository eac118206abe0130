//! SYNs from outside that nobody had asked for (RFC 5382 REQ-4), where the configuration wants them answered.

use std::time::Duration;

use napt::{DropReason, Endpoint, Protocol};
use router::Side;
use sekisho_tests::{ALICE, BOB, CAROL, Desk, Host, Lab, OUTSIDE, Packet, tcp, udp};

use crate::rfc1812::{complains, one};

const ANSWER: &str = "[nat]\nunsolicited-syn = \"answer\"\n";

/// A desk whose router answers, and knows the gateway.
fn answering() -> Desk {
    let mut desk = Desk::with(&configuration(ANSWER));
    one(desk.arrive(Side::Lan, &udp(ALICE.port(4000), BOB.port(53))));
    desk
}

fn configuration(nat: &str) -> String {
    format!("{}{nat}", Desk::configuration())
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Lets a packet from outside arrive, of which nothing must come.
#[track_caller]
fn refuse(desk: &mut Desk, packet: &Packet) {
    assert_eq!(desk.arrive(Side::Wan, packet), []);
}

/// Opens a mapping for ALICE's port 5000; its external endpoint.
fn mapping(desk: &mut Desk) -> std::net::SocketAddrV4 {
    one(desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(80)))).packet.source()
}

#[test]
fn rfc5382_req4a_c19_by_default_an_unsolicited_syn_is_never_answered() {
    let mut desk = Desk::new();
    refuse(&mut desk, &tcp("S", CAROL.port(4000), OUTSIDE.port(80)));
    assert_eq!(desk.wait(secs(60)), []);
}

#[test]
fn rfc5382_req4_t06_c19_an_unsolicited_syn_is_answered_after_six_seconds_and_not_before() {
    let mut desk = answering();
    let syn = tcp("S", CAROL.port(4000), OUTSIDE.port(80));
    refuse(&mut desk, &syn);
    assert_eq!(desk.wait(Duration::from_millis(5_999)), []);
    let error = one(desk.wait(Duration::from_millis(1)));
    complains(&error, Side::Wan, [3, 3], OUTSIDE, &syn);
    assert_eq!(error.packet.quoted().bytes.len(), 40);
    assert_eq!(desk.wait(secs(60)), []);
    assert_eq!(desk.engine_dropped(Side::Wan, DropReason::NoMapping), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc5382_req4_c19_a_syn_that_the_filter_stops_is_answered_too() {
    let mut desk = answering();
    let external = mapping(&mut desk);
    let syn = tcp("S", BOB.port(5000), external);
    refuse(&mut desk, &syn);
    assert_eq!(desk.engine_dropped(Side::Wan, DropReason::Filtered), 1);
    complains(&one(desk.wait(secs(6))), Side::Wan, [3, 3], OUTSIDE, &syn);
}

#[test]
fn rfc5382_req4_c20_a_syn_whose_connection_the_inside_opens_within_six_seconds_is_never_answered() {
    let mut desk = answering();
    let external = mapping(&mut desk);
    refuse(&mut desk, &tcp("S", BOB.port(5000), external));
    desk.wait(Duration::from_millis(5_900));
    let out = one(desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), BOB.port(5000))));
    assert_eq!(out.packet.source(), external);
    assert_eq!(desk.wait(secs(60)), []);
}

#[test]
fn rfc5382_req4_c20_another_connection_to_the_same_host_is_not_the_one() {
    let mut desk = answering();
    let external = mapping(&mut desk);
    let syn = tcp("S", BOB.port(5000), external);
    refuse(&mut desk, &syn);
    one(desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), BOB.port(5001))));
    complains(&one(desk.wait(secs(6))), Side::Wan, [3, 3], OUTSIDE, &syn);
}

#[test]
fn rfc5382_req4_c19_a_syn_that_is_sent_again_is_answered_once_and_no_later() {
    let mut desk = answering();
    let syn = tcp("S", CAROL.port(4000), OUTSIDE.port(80));
    refuse(&mut desk, &syn);
    desk.wait(secs(3));
    refuse(&mut desk, &syn);
    complains(&one(desk.wait(secs(3))), Side::Wan, [3, 3], OUTSIDE, &syn);
    assert_eq!(desk.wait(secs(60)), []);
}

#[test]
fn rfc5382_req4_a26_nothing_but_a_syn_is_answered() {
    let mut desk = answering();
    for flags in ["S.", ".", "P.", "R", "R.", "F.", "SF", "SR", ""] {
        refuse(&mut desk, &tcp(flags, CAROL.port(4000), OUTSIDE.port(80)));
    }
    refuse(&mut desk, &udp(CAROL.port(4000), OUTSIDE.port(80)));
    let pieces = tcp("S", CAROL.port(4000), OUTSIDE.port(80)).with_payload(100).fragments(64);
    pieces.iter().for_each(|piece| refuse(&mut desk, piece));
    assert_eq!(desk.wait(secs(60)), []);
}

#[test]
fn rfc5382_req4_a25_of_a_long_syn_only_its_headers_are_quoted() {
    let mut desk = answering();
    let long = tcp("S", CAROL.port(4000), OUTSIDE.port(80)).with_payload(1000).with_options(&[1; 40]);
    refuse(&mut desk, &long);
    let error = one(desk.wait(secs(6)));
    complains(&error, Side::Wan, [3, 3], OUTSIDE, &long);
    assert_eq!(error.packet.quoted().bytes.len(), 120);
}

#[test]
fn rfc5382_req4_a25_v7_thirty_two_wait_and_whoever_comes_then_is_told_nothing() {
    let mut desk = answering();
    for port in 4000..4040 {
        refuse(&mut desk, &tcp("S", CAROL.port(port), OUTSIDE.port(80)));
    }
    let told: Vec<_> = desk.wait(secs(60)).iter().map(|seen| seen.packet.quoted().source().port()).collect();
    assert_eq!(told, (4000..4032).collect::<Vec<_>>());
    assert_eq!(desk.router.summary().router[1].suppressed, 8);
    // They have made room.
    refuse(&mut desk, &tcp("S", CAROL.port(5000), OUTSIDE.port(80)));
    one(desk.wait(secs(6)));
}

#[test]
fn rfc5382_req4_x07_other_settings_and_another_address_forget_who_waits() {
    let silent = configuration("");
    let elsewhere =
        configuration(ANSWER).replace("address = \"203.0.113.254/24\"", "address = \"203.0.113.77/24\"");
    for other in [silent, elsewhere] {
        let mut desk = answering();
        refuse(&mut desk, &tcp("S", CAROL.port(4000), OUTSIDE.port(80)));
        desk.reconfigure(&other);
        assert_eq!(desk.wait(secs(60)), []);
    }
    let mut desk = answering();
    refuse(&mut desk, &tcp("S", CAROL.port(4000), OUTSIDE.port(80)));
    desk.reconfigure(&configuration(ANSWER).replace("[nat]", "[nat]\npreserve-ports = true"));
    one(desk.wait(secs(60)));
}

#[test]
fn rfc5382_req4_c20_the_engine_says_whether_a_session_lives_between_two_ends() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), CAROL.port(80))).source().port();
    let end = |host: Host, port| Endpoint::new(host.0, port);
    let has = |secs, external, remote| {
        lab.engine.has_session(lab.now() + Duration::from_secs(secs), Protocol::Tcp, external, remote)
    };
    assert!(has(239, external, end(CAROL, 80)));
    assert!(!has(240, external, end(CAROL, 80)), "it has expired, though nobody has looked yet");
    assert!(!has(0, external, end(CAROL, 81)));
    assert!(!has(0, external, end(BOB, 80)));
    assert!(!has(0, external ^ 2, end(CAROL, 80)));
}
