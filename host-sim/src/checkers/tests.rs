//! Each rule, broken.
//!
//! A router that works shows a passage that is as it must be; then the same passage with one thing changed in it, as a
//! router with that fault would have made it. The rule that is broken has to say so, and no other.

use std::time::Duration;

use router::Link;

use super::*;
use crate::chance::Stream;
use crate::network::{hardware, reference_config};
use crate::node::PacketId;
use crate::packet::Draft;
use crate::routing::{RouterSetup, Size, Tables};

const OUT: &str = "udp 192.0.2.1:5000 > 203.0.113.1:53 len 20";
const KEPT_WHOLE: &str = "udp 192.0.2.1:5000 > 203.0.113.1:53 len 20 df";
const TRANSLATED: &str = "udp 203.0.113.254:6000 > 203.0.113.1:53 len 20 ttl 63";
const BACK: &str = "udp 203.0.113.1:53 > 203.0.113.254:6000 len 20";

#[test]
fn what_is_as_it_must_be_breaks_no_rule() {
    assert_eq!(broken(&[(OUT, Some(TRANSLATED)), (OUT, Some(TRANSLATED))]), [""; 0]);
}

#[test]
fn each_rule_notices_what_breaks_it() {
    let cases = [
        ("V1 sources", OUT, "udp 192.0.2.1:6000 > 203.0.113.1:53 len 20 ttl 63"),
        ("V2 checksums", OUT, "udp 203.0.113.254:6000 > 203.0.113.1:53 len 20 ttl 63 bad"),
        ("V3 hops", OUT, "udp 203.0.113.254:6000 > 203.0.113.1:53 len 20 ttl 64"),
        ("payload", KEPT_WHOLE, "udp 203.0.113.254:6000 > 203.0.113.1:53 len 20 ttl 63 df id 9"),
        ("payload", OUT, "udp 203.0.113.254:6000 > 203.0.113.1:53 len 20 ttl 63 df"),
    ];
    for (rule, before, after) in cases {
        let broken = broken(&[(before, Some(after))]);
        assert!(broken.contains(&rule), "{after}: {broken:?}");
    }
}

#[test]
fn v5_two_endpoints_never_share_a_port_and_one_never_has_two() {
    let other = "udp 192.0.2.2:5000 > 203.0.113.1:53 len 20";
    let elsewhere = "udp 203.0.113.254:6002 > 203.0.113.1:53 len 20 ttl 63";

    assert_eq!(broken(&[(OUT, Some(TRANSLATED)), (other, Some(TRANSLATED))]), ["V5 bijection"]);
    assert_eq!(broken(&[(OUT, Some(TRANSLATED)), (OUT, Some(elsewhere))]), ["V5 bijection"]);
}

/// A connection whose SYN was damaged has other numbers than its router thinks, also if that has waited for a neighbour, unseen.
#[test]
fn v5_nobody_can_tell_how_long_a_connection_lives_whose_syn_was_damaged() {
    let syn = "tcp 192.0.2.1:5000 > 203.0.113.1:80 flags S seq 9";
    let out = ["tcp 192.0.2.1:5000 > 203.0.113.1:80", "tcp 203.0.113.254:6000 > 203.0.113.1:80"];
    let out = out.map(|ends| format!("{ends} flags . seq 1 ack 1"));
    let back = ["tcp 203.0.113.1:80 > 203.0.113.254:6000", "tcp 203.0.113.1:80 > 192.0.2.1:5000"];
    let back = back.map(|ends| format!("{ends} flags . seq 1 ack 1"));
    let other = "tcp 192.0.2.2:5000 > 203.0.113.1:81 flags S seq 1";
    let its = "tcp 203.0.113.254:6000 > 203.0.113.1:81 flags S seq 1 ttl 63";
    let [out, back] = [&out, &back].map(|[before, after]| (&before[..], format!("{after} ttl 63")));
    for (damage, is_told) in [("", true), (" bad", false)] {
        let syn = format!("{syn}{damage}");
        let [out, back] = [&out, &back].map(|(before, after)| (*before, Some(&after[..])));
        let broken = broken(&[(&syn, None), out, back, out, (other, Some(its))]);
        assert_eq!(broken.contains(&"V5 bijection"), is_told, "{syn}");
    }
}

#[test]
fn v2_what_the_box_says_itself_is_right() {
    let said = |text| Departure::own(Side::Lan as usize, frame(text));

    assert_eq!(of(&[(Cause::LinkUp, vec![said("echo-reply 192.0.2.254 > 192.0.2.1")])]), [""; 0]);
    assert_eq!(
        of(&[(Cause::LinkUp, vec![said("echo-reply 192.0.2.254 > 192.0.2.1 bad")])]),
        ["V2 checksums"]
    );
}

#[test]
fn an_answer_that_is_expected_may_not_be_dropped() {
    assert_eq!(broken(&[(OUT, Some(TRANSLATED)), (BACK, None)]), ["no early expiry"]);
    assert_eq!(broken(&[(BACK, None)]), [""; 0]);
}

#[test]
fn v4_v7_frames_need_a_cause_and_are_few() {
    let sent = |count| vec![departure(&frame("echo 203.0.113.254 > 203.0.113.1")); count];

    assert_eq!(of(&[(Cause::Timer { due: None }, sent(1))]), ["V4 causes"]);
    assert_eq!(of(&[(Cause::LinkUp, sent(66))]), ["V7 work"]);
}

#[test]
fn a_frame_that_is_not_counted_is_missed() {
    let before = frame(OUT);
    let cause = Cause::Frame { side: Side::Lan, before: &before, fate: Fate::Held };

    assert_eq!(of_uncounted(&[(cause, vec![])]), ["accounting"]);
}

#[test]
fn the_oracle_notices_what_no_other_rule_does() {
    let unsummed = "udp 192.0.2.1:5000 > 203.0.113.1:53 len 20 unsummed";
    let source_port = 35;

    assert_eq!(really(&[(unsummed, true)], |_| ()), [""; 0]);
    assert_eq!(really(&[(unsummed, true)], |frame| frame[source_port] ^= 1), ["oracle agrees"]);
    // The router has translated a packet more than can be explained.
    assert_eq!(really(&[(unsummed, false), (OUT, true)], |_| ()), ["accounting", "oracle agrees"]);
}

/// The rules that are broken where a router is really given these packets, of which the checkers see some, and they
/// leave with a change made to them.
fn really(packets: &[(&str, bool)], change: impl Fn(&mut [u8])) -> Vec<&'static str> {
    let mut tables = Tables::new(Size::Tiny);
    let mut router =
        router(&mut tables, [[192, 0, 2, 254], [203, 0, 113, 254]].map(|own| hardware(own.into()).0));
    router.watch();
    let mut checkers = Checkers::new("box");
    checkers.see(&Passage { at: Time::ZERO, cause: Cause::LinkUp, out: &[], router: &router });
    for (packet, is_seen) in packets {
        let before = frame(packet);
        router.receive(Time::ZERO, Side::Lan as usize, PacketId(1), before.clone(), &mut Vec::new());
        // It waits for its next hop, as it would leave.
        let mut after = router.left().to_vec();
        change(&mut after);
        let out = [Departure { packet: Some(PacketId(1)), ..departure(&after) }];
        let cause = Cause::Frame { side: Side::Lan, before: &before, fate: Fate::Forwarded };
        if *is_seen {
            checkers.see(&Passage { at: Time::ZERO, cause, out: &out, router: &router });
        }
    }
    checkers.violations().iter().map(|violation| violation.rule).collect()
}

/// The rules that are broken by packets that came and left like this; what does not leave is dropped as filtered.
fn broken(passages: &[(&str, Option<&str>)]) -> Vec<&'static str> {
    let frames: Vec<_> = passages.iter().map(|(before, after)| (frame(before), after.map(frame))).collect();
    let passages: Vec<_> = frames
        .iter()
        .map(|(before, after)| {
            let side = if before[26] == 192 { Side::Lan } else { Side::Wan };
            let fate = if after.is_some() { Fate::Forwarded } else { Fate::Dropped("filtered") };
            let out = after
                .iter()
                .map(|frame| Departure { packet: Some(PacketId(1)), ..departure(frame) })
                .collect();
            (Cause::Frame { side, before, fate }, out)
        })
        .collect();
    of(&passages)
}

fn of(passages: &[(Cause<'_>, Vec<Departure>)]) -> Vec<&'static str> {
    // None of these frames was really the router's, so it has counted none.
    of_uncounted(passages).into_iter().filter(|rule| *rule != "accounting").collect()
}

fn of_uncounted(passages: &[(Cause<'_>, Vec<Departure>)]) -> Vec<&'static str> {
    let mut tables = Tables::new(Size::Tiny);
    let router = router(&mut tables, [[0; 6]; 2]);
    let mut checkers = Checkers::new("box");
    for (second, (cause, out)) in passages.iter().enumerate() {
        checkers.see(&Passage { at: Time::from_secs(second as u64), cause: *cause, out, router: &router });
    }
    checkers.violations().iter().map(|violation| violation.rule).collect()
}

fn router(tables: &mut Tables, hardware: [[u8; 6]; 2]) -> RouterNode<'_> {
    let ports = hardware.map(|hardware| Link { hardware, mtu: 1500 });
    let setup = RouterSetup { config: reference_config(), ports, clock: Duration::ZERO };
    RouterNode::new(vec![tables], &setup, Stream::new(1, "router"))
}

fn departure(frame: &[u8]) -> Departure {
    Departure::own(Side::Wan as usize, frame.to_vec())
}

fn frame(text: &str) -> Vec<u8> {
    let header = [hardware([192, 0, 2, 254].into()).0, hardware([192, 0, 2, 1].into()).0].concat();
    [&header[..], &[8, 0], &Draft::read(text).unwrap().bytes()].concat()
}
