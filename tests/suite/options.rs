//! Header options that routers write into, and those that are malformed (RFC 791 s.3.1, RFC 1812 s.5.3.13, s.4.3.3.5).

use std::time::Duration;

use napt::RejectReason;
use router::{Refusal, Side};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, Packet, echo, tcp, udp};

use crate::rfc1812::{complains, one};

const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;

/// Where the pointer points when the first place is free.
const ROUTE: u8 = 4;
const TIME: u8 = 5;

/// The time on a desk that has just been made, 5,000 ms, as of a clock that knows no universal time.
const NOW: [u8; 4] = [0x80, 0, 0x13, 0x88];

/// An option: its kind, its length, and the rest of it; filled up to a multiple of four bytes.
fn option(kind: u8, rest: &[&[u8]]) -> Vec<u8> {
    let rest = rest.concat();
    let mut option = [&[kind, rest.len() as u8 + 2], &rest[..]].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

fn address(host: Host) -> [u8; 4] {
    host.0.octets()
}

fn outbound(options: &[u8]) -> Packet {
    udp(ALICE.port(5000), BOB.port(53)).with_options(options)
}

/// The options of a packet.
fn of(packet: &Packet) -> &[u8] {
    &packet.bytes[20..packet.header_len()]
}

/// The options with which a packet with these leaves the wan port.
#[track_caller]
fn out(options: &[u8]) -> Vec<u8> {
    let seen = one(Desk::new().arrive(Side::Lan, &outbound(options)));
    assert_eq!(seen.side, Side::Wan);
    assert!(seen.packet.transport_is_intact());
    of(&seen.packet).to_vec()
}

#[test]
fn rfc1812_s53135_r18_a_recorded_route_gets_the_address_of_the_port_that_it_leaves_by() {
    let mut desk = Desk::new();
    let empty = option(RECORD_ROUTE, &[&[ROUTE], &[0; 8]]);
    let seen = one(desk.arrive(Side::Lan, &outbound(&empty)));
    assert_eq!(of(&seen.packet), option(RECORD_ROUTE, &[&[8], &address(OUTSIDE), &[0; 4]]));
    let answer = udp(BOB.port(53), seen.packet.source());
    let inside = one(desk.arrive(Side::Wan, &answer.with_options(of(&seen.packet))));
    assert_eq!(of(&inside.packet), option(RECORD_ROUTE, &[&[12], &address(OUTSIDE), &address(INSIDE)]));
    let full = option(RECORD_ROUTE, &[&[12], &address(OUTSIDE), &address(INSIDE)]);
    assert_eq!(out(&full), full, "a full one passes as it is");
}

#[test]
fn rfc1812_s53135_h01_a_hairpinned_packet_leaves_by_the_lan() {
    let mut desk = Desk::new();
    let external = one(desk.arrive(Side::Lan, &udp(DAVE.port(6000), BOB.port(53)))).packet.source();
    let sent = udp(ALICE.port(5000), external).with_options(&option(RECORD_ROUTE, &[&[ROUTE], &[0; 4]]));
    let seen = one(desk.arrive(Side::Lan, &sent));
    assert_eq!(of(&seen.packet), option(RECORD_ROUTE, &[&[8], &address(INSIDE)]));
}

#[test]
fn rfc1812_s53136_r18_a_timestamp_gets_the_time_of_a_clock_of_our_own() {
    let mut desk = Desk::new();
    desk.wait(Duration::from_millis(0x7FFF_FFFF));
    let list = option(TIMESTAMP, &[&[TIME, 0], &[0; 8]]);
    let seen = one(desk.arrive(Side::Lan, &outbound(&list)));
    // It counts from the beginning again where it has no more bits.
    assert_eq!(of(&seen.packet), option(TIMESTAMP, &[&[9, 0], &[0x80, 0, 0x13, 0x87], &[0; 4]]));
    assert_eq!(out(&list), option(TIMESTAMP, &[&[9, 0], &NOW, &[0; 4]]));
}

#[test]
fn rfc1812_s53136_r18_with_flag_1_it_gets_the_address_too() {
    let list = option(TIMESTAMP, &[&[TIME, 1], &[0; 16]]);
    assert_eq!(out(&list), option(TIMESTAMP, &[&[13, 1], &address(OUTSIDE), &NOW, &[0; 8]]));
}

#[test]
fn rfc1812_s53136_r18_with_flag_3_it_gets_a_time_if_one_of_our_addresses_is_next() {
    let list = |pointer, named, time| option(TIMESTAMP, &[&[pointer, 3], &address(named), time, &[0; 8]]);
    for ours in [INSIDE, OUTSIDE] {
        assert_eq!(out(&list(TIME, ours, &[0; 4])), list(13, ours, &NOW));
    }
    assert_eq!(out(&list(TIME, CAROL, &[0; 4])), list(TIME, CAROL, &[0; 4]));
    let full = option(TIMESTAMP, &[&[13, 0xF3], &address(OUTSIDE), &NOW]);
    assert_eq!(out(&full), full, "behind the last named there is nobody to be counted");
}

#[test]
fn rfc791_r18_a_full_timestamp_is_counted_and_a_full_count_is_answered() {
    for flag in [0, 1] {
        let full = |overflow: u8| option(TIMESTAMP, &[&[13, overflow << 4 | flag], &[7; 8]]);
        assert_eq!(out(&full(0)), full(1));
        assert_eq!(out(&full(14)), full(15));
        let sent = outbound(&full(15));
        let mut desk = Desk::new();
        let error = one(desk.arrive(Side::Lan, &sent));
        complains(&error, Side::Lan, [12, 0], INSIDE, &sent);
        assert_eq!(error.packet.transport()[4..8], [23, 0, 0, 0]);
        assert_eq!(desk.refused(Side::Lan, Refusal::Options), 1);
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc1812_s4335_r18_malformed_options_are_answered_with_what_is_wrong_in_them() {
    let wrong: [(&[u8], u8); 14] = [
        (&[7, 0, 4, 0], 21),
        (&[7, 1, 4, 0], 21),
        (&[7, 5, 4, 0], 21),
        (&[1, 1, 1, 7], 23),
        (&[1, 7, 2, 1], 22),
        (&[68, 255, 5, 0], 21),
        (&[68, 3, 5, 0], 21),
        // A pointer before the first place, and one to a place that is too small.
        (&[7, 7, 3, 0, 0, 0, 0, 0], 22),
        (&[7, 7, 5, 0, 0, 0, 0, 0], 22),
        (&[7, 7, 0, 0, 0, 0, 0, 0], 22),
        (&[68, 8, 4, 0, 0, 0, 0, 0], 22),
        (&[68, 8, 6, 0, 0, 0, 0, 0], 22),
        (&[68, 8, 5, 1, 0, 0, 0, 0], 22),
        (&[68, 8, 5, 3, 0, 0, 0, 0], 22),
    ];
    for (options, pointer) in wrong {
        let mut desk = Desk::new();
        let sent = outbound(options);
        let error = one(desk.arrive(Side::Lan, &sent));
        complains(&error, Side::Lan, [12, 0], INSIDE, &sent);
        assert_eq!(error.packet.transport()[4..8], [pointer, 0, 0, 0], "{options:?}");
        assert_eq!(desk.refused(Side::Lan, Refusal::Options), 1);
    }
}

#[test]
fn rfc1812_s4327_i22_malformed_options_of_errors_strangers_and_broadcasts_draw_no_error() {
    let mut desk = Desk::new();
    let broken = [7, 0, 4, 0];
    let error = sekisho_tests::error(3, 3, ALICE.0, &udp(BOB.port(53), ALICE.port(5000)));
    let spoofed = udp(CAROL.port(5000), BOB.port(53));
    let broadcast = udp(ALICE.port(5000), Host([255; 4].into()).port(53));
    let fragment = udp(ALICE.port(5000), BOB.port(53)).with_payload(800).fragment(400, 800);
    for packet in [error, spoofed, broadcast, fragment] {
        assert_eq!(desk.arrive(Side::Lan, &packet.with_options(&broken)), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::Options), 2);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s53131_r18_all_other_options_pass_unchanged() {
    for options in [
        &[148, 4, 0, 0][..],
        &[1; 4],
        &[0, 7, 0, 0],
        &[130, 3, 9, 1, 77, 4, 7, 0],
        &[68, 8, 5, 2, 0, 0, 0, 0],
    ] {
        assert_eq!(out(options), options);
    }
    let among_others = [&[1, 148, 4, 0, 0][..], &[7, 7, 4, 0, 0, 0, 0], &[68, 8, 5, 0, 0, 0, 0, 0]].concat();
    let filled = [&[1, 148, 4, 0, 0, 7, 7, 8][..], &address(OUTSIDE), &[68, 8, 9, 0], &NOW].concat();
    assert_eq!(out(&among_others), filled);
}

#[test]
fn rfc1812_s531_r18_what_is_not_sent_on_is_quoted_as_it_came() {
    let route = option(RECORD_ROUTE, &[&[ROUTE], &[0; 4]]);
    let mut desk = Desk::with_wan_mtu(600);
    let late = outbound(&route).with_ttl(1);
    complains(&one(desk.arrive(Side::Lan, &late)), Side::Lan, [11, 0], INSIDE, &late);
    let large = udp(ALICE.port(5000), BOB.port(53)).with_payload(900).with_options(&route).dont_fragment();
    complains(&one(desk.arrive(Side::Lan, &large)), Side::Lan, [3, 4], INSIDE, &large);
    assert_eq!(desk.router.summary().engine[0].rejected[RejectReason::TtlExpired.index()], 1);
}

#[test]
fn rfc1812_s53135_f02_a_fragment_that_has_waited_is_marked_too() {
    let mut desk = Desk::new();
    let datagram = outbound(&option(RECORD_ROUTE, &[&[ROUTE], &[0; 4]])).with_payload(1000).may_fragment();
    let pieces = datagram.fragments(504);
    let seen: Vec<_> = [1, 0].iter().flat_map(|at| desk.arrive(Side::Lan, &pieces[*at])).collect();
    assert_eq!(seen.len(), 2);
    let marked = option(RECORD_ROUTE, &[&[8], &address(OUTSIDE)]);
    assert!(seen.iter().all(|seen| of(&seen.packet) == marked));
}

#[test]
fn rfc1812_s53135_r18_a_segment_that_waits_for_its_next_hop_is_marked() {
    let mut desk = Desk::new();
    let route = option(RECORD_ROUTE, &[&[ROUTE], &[0; 4]]);
    let sent = tcp("S", ALICE.port(5000), BOB.port(80)).with_options(&route);
    let seen = one(desk.arrive(Side::Lan, &sent));
    assert_eq!(of(&seen.packet), option(RECORD_ROUTE, &[&[8], &address(OUTSIDE)]));
    assert_eq!(seen.packet.ttl(), 63);
}

#[test]
fn rfc1812_s4336_r06_a_reply_has_the_records_of_its_request_and_ours() {
    for (side, host, own) in [(Side::Lan, ALICE, INSIDE), (Side::Wan, BOB, OUTSIDE)] {
        let ping = |options: &[u8]| echo(1, host.0, own.0).with_options(options);
        let reply = |options: &[u8]| one(Desk::new().arrive(side, &ping(options))).packet;
        let routed = reply(&option(RECORD_ROUTE, &[&[ROUTE], &[0; 8]]));
        assert_eq!(of(&routed), option(RECORD_ROUTE, &[&[8], &address(own), &[0; 4]]));
        assert!(routed.header_is_intact() && routed.transport_is_intact());
        let timed = reply(&option(TIMESTAMP, &[&[TIME, 1], &[0; 8]]));
        assert_eq!(of(&timed), option(TIMESTAMP, &[&[13, 1], &address(own), &NOW]));
        assert_eq!(
            of(&reply(&option(TIMESTAMP, &[&[9, 0x20], &[7; 4]]))),
            option(TIMESTAMP, &[&[9, 0x30], &[7; 4]])
        );
        assert_eq!(of(&reply(&[148, 4, 0, 0, 1, 0, 7, 7])), [1, 1, 1, 1, 1, 0, 7, 7]);
    }
}

#[test]
fn rfc1812_s4336_a_reply_in_fragments_has_the_records_in_the_first_of_them() {
    let mut desk = Desk::new();
    let route = option(RECORD_ROUTE, &[&[ROUTE], &[0; 4]]);
    let ping = echo(1, ALICE.0, INSIDE.0).with_payload(3000).with_id(7).may_fragment();
    let [first, rest @ ..] = &ping.fragments(1400)[..] else { panic!() };
    let pieces = [&[first.clone().with_options(&route)], rest].concat();
    let seen: Vec<_> = pieces.iter().flat_map(|piece| desk.arrive(Side::Lan, piece)).collect();
    assert_eq!(of(&seen[0].packet), option(RECORD_ROUTE, &[&[8], &address(INSIDE)]));
    assert!(seen[1..].iter().all(|seen| of(&seen.packet).is_empty()));
}
