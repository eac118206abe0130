//! Datagrams for the box itself in fragments (RFC 1812 s.4.2.2.8, RFC 1122 s.3.3.2), and what becomes of those who aim
//! at the places where they are put together.

use std::time::Duration;

use napt::DropReason;
use router::{Refusal, Side};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, Packet, Seen, echo, udp};

use crate::rfc1812::{complains, one};

/// A ping of 3,000 bytes to the box from a neighbour on a side.
fn ping(side: Side) -> Packet {
    let (from, to) = match side {
        Side::Lan => (ALICE, INSIDE),
        Side::Wan => (BOB, OUTSIDE),
    };
    large(3000, 7, from, to)
}

fn large(len: usize, id: u16, from: Host, to: Host) -> Packet {
    echo(5, from.0, to.0).with_payload(len).with_id(id).may_fragment()
}

fn arrive(desk: &mut Desk, side: Side, pieces: &[Packet]) -> Vec<Seen> {
    pieces.iter().flat_map(|piece| desk.arrive(side, piece)).collect()
}

/// Asserts that the box has answered a ping, once, to its sender alone.
#[track_caller]
fn answers(seen: &[Seen], side: Side, ping: &Packet) {
    assert!(seen.iter().all(|seen| seen.side == side), "{seen:?}");
    let pieces: Vec<_> = seen.iter().map(|seen| seen.packet.clone()).collect();
    let reply = Packet::reassemble(&pieces).unwrap();
    assert_eq!(reply.address_pair(), (*ping.destination().ip(), *ping.source().ip()));
    assert_eq!((reply.transport()[0], &reply.transport()[4..]), (0, &ping.transport()[4..]));
    assert!(reply.transport_is_intact());
}

fn lost(desk: &Desk, side: Side, reason: DropReason) -> u64 {
    desk.engine_dropped(side, reason)
}

#[test]
fn rfc1812_s4228_f18_a_ping_in_fragments_is_answered_in_fragments_on_each_side() {
    for side in Side::ALL {
        let mut desk = Desk::new();
        let seen = arrive(&mut desk, side, &ping(side).fragments(1480));
        assert_eq!(seen.len(), 3);
        answers(&seen, side, &ping(side));
        assert_eq!(desk.router.summary().router[side as usize].local, 3);
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc1812_s4228_f02_f03_its_fragments_may_come_in_any_order() {
    for side in Side::ALL {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let (mut desk, pieces) = (Desk::new(), ping(side).fragments(1480));
            let pieces = order.map(|at| pieces[at].clone());
            answers(&arrive(&mut desk, side, &pieces), side, &ping(side));
            assert!(desk.adds_up());
        }
    }
}

#[test]
fn rfc1812_s4336_what_a_link_with_jumbo_frames_carries_is_put_together() {
    let mut desk = Desk::with_mtus(9000, 1500);
    // Who is not known yet has room for four frames.
    desk.arrive(Side::Lan, &echo(1, ALICE.0, INSIDE.0));
    for len in [8972, 9000, 9208] {
        let ping = large(len, 7, ALICE, INSIDE);
        answers(&arrive(&mut desk, Side::Lan, &ping.fragments(1480)), Side::Lan, &ping);
    }
    answers(
        &desk.arrive(Side::Lan, &large(8972, 8, ALICE, INSIDE)),
        Side::Lan,
        &large(8972, 8, ALICE, INSIDE),
    );
}

#[test]
fn f08_a9_a_datagram_that_is_too_large_is_dropped() {
    let mut desk = Desk::new();
    let pieces = large(9209, 7, ALICE, INSIDE).fragments(1480);
    assert_eq!(arrive(&mut desk, Side::Lan, &pieces), []);
    assert_eq!(lost(&desk, Side::Lan, DropReason::Fragment), 7);
    assert!(desk.adds_up());
}

#[test]
fn f10_a_datagram_of_tiny_fragments_is_put_together() {
    let mut desk = Desk::new();
    let ping = large(1993, 7, BOB, OUTSIDE);
    answers(&arrive(&mut desk, Side::Wan, &ping.fragments(8)), Side::Wan, &ping);
    assert!(desk.adds_up());
}

#[test]
fn f04_f05_f06_f07_a9_what_overlaps_ruins_its_datagram() {
    let (ping, pieces) = (ping(Side::Lan), ping(Side::Lan).fragments(1480));
    for (from, to) in [(0, 1480), (1472, 2960), (1480, 1488), (8, 16), (8, 3008), (1480, 2960)] {
        let mut desk = Desk::new();
        arrive(&mut desk, Side::Lan, &pieces[..2]);
        assert_eq!(desk.arrive(Side::Lan, &ping.fragment(from, to)), [], "{from} to {to}");
        assert_eq!(desk.arrive(Side::Lan, &pieces[2]), []);
        assert_eq!(lost(&desk, Side::Lan, DropReason::FragmentOverlap), 1);
        assert_eq!(lost(&desk, Side::Lan, DropReason::Fragment), 3);
        assert!(desk.adds_up());
        // Nobody is told of a ruined datagram, and its identification can be used again.
        assert_eq!(desk.wait(Duration::from_secs(60)), []);
        answers(&arrive(&mut desk, Side::Lan, &pieces), Side::Lan, &ping);
    }
}

#[test]
fn f06_the_end_of_a_datagram_for_the_box_does_not_move() {
    let longer = large(4000, 7, ALICE, INSIDE);
    let shorter = large(1000, 7, ALICE, INSIDE);
    let pieces = ping(Side::Lan).fragments(1480);
    for (come, other) in [
        (&pieces[1..], longer.fragment(3008, 3016)),
        (&pieces[1..], longer.fragment(3008, 4008)),
        (&pieces[1..2], shorter.fragment(504, 1008)),
    ] {
        let mut desk = Desk::new();
        arrive(&mut desk, Side::Lan, come);
        assert_eq!(desk.arrive(Side::Lan, &other), []);
        assert_eq!(lost(&desk, Side::Lan, DropReason::FragmentOverlap), 1);
        assert_eq!(arrive(&mut desk, Side::Lan, &pieces), []);
        assert!(desk.adds_up());
    }
}

#[test]
fn f09_f10_fragments_that_no_sender_makes_are_dropped_alone() {
    let mut desk = Desk::new();
    let (whole, pieces) = (ping(Side::Lan), ping(Side::Lan).fragments(1480));
    desk.arrive(Side::Lan, &pieces[0]);
    let odd = whole.fragment(1480, 1500);
    let empty = whole.fragment(1480, 1480);
    let at_the_end = whole.fragment(1480, 1580).changed(|bytes| bytes[6..8].copy_from_slice(&[0x1F, 0xFF]));
    for piece in [odd, empty, at_the_end] {
        assert_eq!(desk.arrive(Side::Lan, &piece), []);
    }
    assert_eq!(lost(&desk, Side::Lan, DropReason::FragmentShape), 3);
    answers(&arrive(&mut desk, Side::Lan, &pieces[1..]), Side::Lan, &whole);
    assert!(desk.adds_up());
}

#[test]
fn rfc1122_s332_f14_after_a_minute_the_sender_of_the_first_fragment_is_told() {
    for side in Side::ALL {
        let mut desk = Desk::new();
        let pieces = ping(side).fragments(1480);
        desk.arrive(side, &pieces[0]);
        assert_eq!(desk.wait(Duration::from_millis(59_999)), []);
        let source = if side == Side::Lan { INSIDE } else { OUTSIDE };
        complains(&one(desk.wait(Duration::from_millis(1))), side, [11, 1], source, &pieces[0]);
        assert_eq!(lost(&desk, side, DropReason::Fragment), 1);
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc1122_s332_f14_without_the_first_fragment_nobody_is_told() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &ping(Side::Lan).fragments(1480)[1]);
    assert_eq!(desk.wait(Duration::from_secs(61)), []);
    assert_eq!(lost(&desk, Side::Lan, DropReason::Fragment), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s4327_i22_no_error_is_sent_about_an_error_in_fragments() {
    let mut desk = Desk::new();
    let about = udp(INSIDE.port(53), ALICE.port(5000)).with_payload(1000);
    let error = sekisho_tests::error(3, 3, ALICE.0, &about).with_id(7).may_fragment();
    desk.arrive(Side::Lan, &error.fragment(0, 512));
    assert_eq!(desk.wait(Duration::from_secs(61)), []);
    assert_eq!(lost(&desk, Side::Lan, DropReason::Fragment), 1);
}

#[test]
fn rfc1812_s4328_a25_a_source_draws_no_more_errors_than_it_has_places() {
    let mut desk = Desk::new();
    for id in 0..600 {
        desk.arrive(Side::Lan, &large(3000, id, ALICE, INSIDE).fragment(0, 1480));
    }
    assert_eq!(desk.wait(Duration::from_secs(61)).len(), 2);
    assert!(desk.adds_up());
}

#[test]
fn f15_a_source_that_leaves_datagrams_unfinished_takes_its_own_places_only() {
    let mut desk = Desk::new();
    let of_dave = large(3000, 1, DAVE, INSIDE);
    desk.arrive(Side::Lan, &of_dave.fragments(1480)[0]);
    for id in 0..200 {
        desk.arrive(Side::Lan, &large(3000, id, ALICE, INSIDE).fragment(0, 1480));
    }
    answers(&arrive(&mut desk, Side::Lan, &of_dave.fragments(1480)[1..]), Side::Lan, &of_dave);
    let (gone, there) = (large(3000, 100, ALICE, INSIDE), large(3000, 199, ALICE, INSIDE));
    assert_eq!(arrive(&mut desk, Side::Lan, &there.fragments(1480)[1..]).len(), 3);
    assert_eq!(arrive(&mut desk, Side::Lan, &gone.fragments(1480)[1..]), []);
    desk.wait(Duration::from_secs(61));
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req14a_f15_a_flood_of_fragments_for_the_box_leaves_what_passes_alone() {
    let mut desk = Desk::new();
    let sent =
        udp(ALICE.port(5000), BOB.port(53)).with_payload(3000).with_id(9).may_fragment().fragments(1480);
    let flood = |n: u8, id: u16| large(3000, id, Host([192, 0, 2, n].into()), INSIDE).fragments(1480);
    // Given: fragments that wait for their first.
    arrive(&mut desk, Side::Lan, &sent[1..]);
    // When: everybody on the lan leaves datagrams for the box unfinished.
    for n in 0..2000 {
        assert_eq!(arrive(&mut desk, Side::Lan, &flood(3 + (n % 200) as u8, n)[..2]), []);
    }
    // Then: what waits has not been disturbed, and neither are whole pings.
    assert_eq!(desk.arrive(Side::Lan, &sent[0]).len(), 3);
    assert_eq!(one(desk.arrive(Side::Lan, &echo(1, ALICE.0, INSIDE.0))).packet.transport()[0], 0);
    desk.wait(Duration::from_secs(61));
    assert!(desk.adds_up());
}

#[test]
fn rfc1122_s3334_r07_the_other_sides_address_is_not_answered_in_fragments_either() {
    let mut desk = Desk::new();
    assert_eq!(arrive(&mut desk, Side::Lan, &large(3000, 7, ALICE, OUTSIDE).fragments(1480)), []);
    assert_eq!(arrive(&mut desk, Side::Wan, &large(3000, 7, BOB, INSIDE).fragments(1480)), []);
    desk.wait(Duration::from_secs(61));
    assert!(desk.adds_up());
}

#[test]
fn a26_fragments_from_outside_that_begin_no_ping_get_no_place() {
    let mut desk = Desk::new();
    let stranger = udp(CAROL.port(53), OUTSIDE.port(9)).with_payload(3000).with_id(7).may_fragment();
    assert_eq!(arrive(&mut desk, Side::Wan, &stranger.fragments(1480)), []);
    assert_eq!(desk.wait(Duration::from_secs(61)), []);
    assert_eq!(lost(&desk, Side::Wan, DropReason::NoMapping), 1);
    assert_eq!(lost(&desk, Side::Wan, DropReason::FragmentEarly), 2);
    assert!(desk.adds_up());
}

#[test]
fn a26_a_datagram_to_a_closed_port_of_the_box_is_put_together_before_it_is_refused() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), INSIDE.port(9)).with_payload(3000).with_id(7).may_fragment();
    let error = one(arrive(&mut desk, Side::Lan, &sent.fragments(1480)));
    assert_eq!(error.packet.transport()[..2], [3, 3]);
    assert_eq!(desk.router.summary().router[0].local, 3);
    assert!(desk.adds_up());
}

#[test]
fn x06_v1_a_ping_to_the_address_of_before_is_forgotten() {
    let mut desk = Desk::new();
    let pieces = ping(Side::Wan).fragments(1480);
    arrive(&mut desk, Side::Wan, &pieces[..2]);
    desk.reconfigure(&Desk::configuration().replace("203.0.113.254/24", "203.0.113.77/24"));
    assert_eq!(lost(&desk, Side::Wan, DropReason::Fragment), 2);
    assert_eq!(desk.arrive(Side::Wan, &pieces[2]), []);
    assert_eq!(desk.wait(Duration::from_secs(61)), []);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s4336_a_ping_that_is_not_intact_is_not_answered() {
    for side in Side::ALL {
        let mut desk = Desk::new();
        let broken = ping(side).changed(|bytes| bytes[100] ^= 1);
        assert_eq!(arrive(&mut desk, side, &broken.fragments(1480)), []);
        assert_eq!(desk.refused(side, Refusal::NotServed), 3);
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc792_a15_a_reply_keeps_the_dscp_and_has_an_identification_only_where_it_needs_one() {
    let mut desk = Desk::new();
    let marked = echo(5, ALICE.0, INSIDE.0).changed(|bytes| bytes[1] = 46 << 2 | 3);
    let reply = one(desk.arrive(Side::Lan, &marked)).packet;
    assert_eq!((reply.bytes[1], reply.id(), reply.bytes[6], reply.ttl()), (46 << 2, 0, 0x40, 64));
    let ids = [8, 9].map(|id| {
        let seen = arrive(&mut desk, Side::Lan, &large(3000, id, ALICE, INSIDE).fragments(1480));
        seen[0].packet.id()
    });
    assert!(ids[0] != ids[1] && ids != [8, 9]);
}
