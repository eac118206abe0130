//! Fragments: in any order, never twice, never at the expense of others (RFC 4787 REQ-13, REQ-14, RFC 3022 s.6.3).
//!
//! The engine translates what follows a first fragment; the router holds what comes before it. So what is about order
//! is asked of a whole router.

use std::time::Duration;

use napt::{DropReason, Protocols, Realm, RejectReason, Verdict};
use router::Side;
use sekisho_tests::{
    ALICE, BOB, CAROL, DAVE, Desk, Host, Lab, OUTSIDE, Packet, echo, echo_reply, error, tcp, udp,
};

/// A datagram from ALICE to BOB in three fragments of 400 bytes and a last one of 108.
fn pieces() -> Vec<Packet> {
    datagram(ALICE, 7).fragments(400)
}

fn datagram(from: Host, id: u16) -> Packet {
    udp(from.port(5000), BOB.port(53)).with_payload(1300).with_id(id).may_fragment()
}

/// What a host puts together from what left by `side`.
fn received(seen: &[sekisho_tests::Seen], side: Side) -> Option<Packet> {
    let parts: Vec<_> =
        seen.iter().filter(|seen| seen.side == side).map(|seen| seen.packet.clone()).collect();
    Packet::reassemble(&parts)
}

#[test]
fn rfc4787_req14_f01_fragments_in_order_are_translated() {
    let mut lab = Lab::new();
    let out: Vec<_> = pieces().into_iter().map(|piece| lab.send(piece)).collect();
    let whole = Packet::reassemble(&out).unwrap();
    assert!(whole.transport_is_intact());
    assert_eq!(*whole.source().ip(), OUTSIDE.0);
    assert_eq!(whole.payload(), datagram(ALICE, 7).payload());
}

#[test]
fn rfc4787_req14_f01_fragments_from_outside_are_translated() {
    let mut lab = Lab::new();
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let answer = udp(BOB.port(53), external).with_payload(3000).with_id(9);
    let inside: Vec<_> = answer.fragments(1480).into_iter().map(|piece| lab.deliver(piece)).collect();
    let whole = Packet::reassemble(&inside).unwrap();
    assert!(whole.transport_is_intact());
    assert_eq!(whole.destination(), ALICE.port(5000));
    assert_eq!(whole.id(), 9, "what comes from outside keeps its identification");
}

#[test]
fn rfc4787_req14_f02_f03_fragments_in_any_order_are_translated() {
    for order in permutations(4) {
        let mut desk = Desk::new();
        let pieces = pieces();
        let seen: Vec<_> = order.iter().flat_map(|at| desk.arrive(Side::Lan, &pieces[*at])).collect();
        let whole = received(&seen, Side::Wan).unwrap_or_else(|| panic!("{order:?}"));
        assert!(whole.transport_is_intact());
        assert_eq!(whole.payload(), datagram(ALICE, 7).payload());
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc4787_req14_f02_reversed_fragments_from_outside_are_translated() {
    let mut desk = Desk::new();
    let external = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].packet.source();
    desk.arrive(Side::Wan, &udp(BOB.port(53), external));
    let answer = udp(BOB.port(53), external).with_payload(60_000).with_id(9);
    let mut pieces = answer.fragments(1480);
    pieces.reverse();
    let seen: Vec<_> = pieces.iter().flat_map(|piece| desk.arrive(Side::Wan, piece)).collect();
    assert!(received(&seen, Side::Lan).unwrap().transport_is_intact());
    assert!(desk.adds_up());
}

#[test]
fn f04_a_duplicate_does_not_pass_twice() {
    let mut lab = Lab::new();
    let pieces = pieces();
    for at in [0, 1, 3] {
        lab.send(pieces[at].clone());
        assert_eq!(lab.try_send(pieces[at].clone()), Verdict::Drop(DropReason::FragmentOverlap));
    }
    lab.send(pieces[2].clone());
}

#[test]
fn f05_f06_f07_a9_what_overlaps_is_dropped() {
    let datagram = datagram(ALICE, 7);
    let overlapping = [(392, 792), (408, 808), (400, 408), (0, 1200), (792, 1200), (8, 16)];
    for (from, to) in overlapping {
        let mut lab = Lab::new();
        lab.send(datagram.fragment(0, 400));
        lab.send(datagram.fragment(400, 800));
        let verdict = lab.try_send(datagram.fragment(from, to));
        assert_eq!(verdict, Verdict::Drop(DropReason::FragmentOverlap), "{from} to {to}");
        lab.send(datagram.fragment(800, 1308));
    }
}

#[test]
fn f06_the_end_does_not_move() {
    let longer = udp(ALICE.port(5000), BOB.port(53)).with_payload(3000).with_id(7);
    let mut lab = Lab::new();
    let pieces = pieces();
    lab.send(pieces[0].clone());
    lab.send(pieces[3].clone());
    let beyond = longer.fragment(1400, 1800);
    assert_eq!(lab.try_send(beyond), Verdict::Drop(DropReason::FragmentOverlap));
    let another_end = longer.fragment(2800, 3008);
    assert_eq!(lab.try_send(another_end), Verdict::Drop(DropReason::FragmentOverlap));
    let earlier_end = datagram(ALICE, 7).with_payload(1100).fragment(800, 1108);
    assert_eq!(lab.try_send(earlier_end), Verdict::Drop(DropReason::FragmentOverlap));
    // Still the datagram as it was can be completed.
    lab.send(pieces[1].clone());
    lab.send(pieces[2].clone());
}

#[test]
fn f08_more_gaps_than_can_be_kept_are_refused() {
    let large = udp(ALICE.port(5000), BOB.port(53)).with_payload(1000).with_id(7);
    let mut lab = Lab::new();
    let every_second = |n: usize| large.fragment(16 * n, 16 * n + 8);
    (0..16).for_each(|n| drop(lab.send(every_second(n))));
    assert_eq!(lab.try_send(every_second(16)), Verdict::Drop(DropReason::FragmentsTooMany));
    // What closes a gap still passes, and makes room for another.
    lab.send(large.fragment(8, 16));
    lab.send(every_second(16));
}

#[test]
fn f09_a_datagram_ends_within_65535_bytes() {
    let mut lab = Lab::new();
    let at_the_end = |len: usize| {
        let part = datagram(ALICE, 7).fragment(400, 400 + len);
        part.changed(|bytes| bytes[6..8].copy_from_slice(&0x3FFD_u16.to_be_bytes()))
            .changed(|bytes| bytes[6] &= 0x1F)
    };
    lab.send(pieces()[0].clone());
    assert_eq!(lab.try_send(at_the_end(104)), Verdict::Drop(DropReason::FragmentShape));
}

#[test]
fn f10_tiny_fragments_pass_and_so_does_a_last_one_of_one_byte() {
    let mut lab = Lab::new();
    let small = udp(ALICE.port(5000), BOB.port(53)).with_payload(57).with_id(7);
    let out: Vec<_> = small.fragments(8).into_iter().map(|piece| lab.send(piece)).collect();
    assert_eq!(out.len(), 9);
    assert!(Packet::reassemble(&out).unwrap().transport_is_intact());
}

#[test]
fn f10_a_fragment_that_no_sender_makes_is_dropped() {
    let whole = datagram(ALICE, 7);
    let odd = whole.fragment(400, 500).changed(|bytes| bytes[6] |= 0x20);
    let empty = whole.fragment(400, 400);
    for fragment in [odd, empty] {
        let mut lab = Lab::new();
        lab.send(whole.fragment(0, 400));
        assert_eq!(lab.try_send(fragment), Verdict::Drop(DropReason::FragmentShape));
    }
}

#[test]
fn f11_rfc3128_nothing_begins_inside_a_tcp_header() {
    let mut lab = Lab::new();
    let segment = tcp("S", ALICE.port(5000), BOB.port(80)).with_payload(100).with_id(7);
    lab.send(segment.fragment(0, 24));
    let inside = segment.fragment(8, 32);
    assert_eq!(lab.try_send(inside), Verdict::Drop(DropReason::FragmentShape));
}

#[test]
fn f12_a_first_fragment_has_the_whole_transport_header() {
    for (packet, len) in
        [(tcp("S", ALICE.port(1), BOB.port(80)).with_payload(64), 16), (echo(1, ALICE.0, BOB.0), 0)]
    {
        let mut lab = Lab::new();
        let first = packet.with_id(7).fragment(0, len);
        assert!(matches!(
            lab.try_send(first),
            Verdict::Drop(DropReason::Transport | DropReason::FragmentShape)
        ));
    }
}

#[test]
fn f13_two_hosts_with_the_same_identification_do_not_meet_outside() {
    let mut lab = Lab::new();
    let (of_alice, of_dave) = (datagram(ALICE, 7).fragments(400), datagram(DAVE, 7).fragments(400));
    let mut out = [Vec::new(), Vec::new()];
    for (a, d) in of_alice.iter().zip(&of_dave) {
        out[0].push(lab.send(a.clone()));
        out[1].push(lab.send(d.clone()));
    }
    assert_ne!(out[0][0].id(), out[1][0].id());
    out.iter().for_each(|parts| assert!(Packet::reassemble(parts).unwrap().transport_is_intact()));
}

#[test]
fn rfc6864_s531_f13_whole_packets_that_may_be_cut_behind_us_do_not_meet_either() {
    let mut lab = Lab::new();
    let from = |host: Host| udp(host.port(5000), BOB.port(53)).with_id(7);
    let ids: std::collections::HashSet<_> = (0..1000)
        .map(|n| lab.send(from(if n % 2 == 0 { ALICE } else { DAVE }).may_fragment()).id())
        .collect();
    assert_eq!(ids.len(), 1000);
    // What must stay whole needs none, and what comes in has one of its sender's.
    assert_eq!(lab.send(from(ALICE).dont_fragment()).id(), 7);
    let external = lab.send(from(ALICE)).source();
    let answer = udp(BOB.port(53), external).with_id(9).may_fragment();
    assert_eq!(lab.deliver(answer).id(), 9);
    // Connections, queries, errors and hairpinned packets are no exception.
    let syn = tcp("S", ALICE.port(5000), BOB.port(80)).with_id(7).may_fragment();
    assert_ne!(lab.send(syn).id(), 7);
    assert_ne!(lab.send(echo(7, ALICE.0, BOB.0).with_id(7).may_fragment()).id(), 7);
    let hairpin = udp(DAVE.port(5000), external).with_id(7).may_fragment();
    assert_ne!(lab.hairpin(hairpin).id(), 7);
    let refused = lab.deliver(udp(BOB.port(53), external));
    assert_ne!(lab.send(error(3, 3, ALICE.0, &refused).with_id(7).may_fragment()).id(), 7);
}

#[test]
fn a15_identifications_of_fragments_do_not_repeat_and_cannot_be_counted() {
    let mut lab = Lab::new();
    let ids: Vec<_> = (0..1000)
        .map(|id| {
            let piece = datagram(ALICE, id).fragment(0, 400);
            lab.send(piece).id()
        })
        .collect();
    let distinct: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
    let close = ids.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 256).count();
    assert!(close < 50, "{close} of 1000 follow one another closely");
}

#[test]
fn f14_t09_a_datagram_has_five_seconds_and_an_early_fragment_two() {
    let mut lab = Lab::new();
    let pieces = pieces();
    lab.send(pieces[0].clone());
    lab.wait(Duration::from_millis(4999));
    lab.send(pieces[1].clone());
    lab.wait(Duration::from_millis(1));
    assert_eq!(lab.try_send(pieces[2].clone()), Verdict::Hold);

    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &pieces[1]);
    desk.wait(Duration::from_secs(2));
    assert_eq!(desk.engine_dropped(Side::Lan, DropReason::FragmentEarly), 1);
    assert_eq!(desk.arrive(Side::Lan, &pieces[0]).len(), 1);
    assert!(desk.adds_up());
}

#[test]
fn f14_t14_a_datagram_that_was_never_finished_does_not_come_back_after_weeks() {
    let mut lab = Lab::new();
    let pieces = pieces();
    lab.send(pieces[0].clone());
    lab.wait_secs(25 * 24 * 3600);
    assert_eq!(lab.try_send(pieces[1].clone()), Verdict::Hold);
    lab.send(pieces[0].clone());
}

#[test]
fn rfc4787_req14a_f15_a_flood_leaves_whole_packets_and_fragments_in_order_alone() {
    let mut desk = Desk::new();
    let external = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].packet.source();
    for n in 0..2000_u16 {
        let stranger = Host(std::net::Ipv4Addr::from(0x0B00_0000 + u32::from(n)));
        let flood = udp(stranger.port(53), external).with_payload(100).with_id(n);
        assert!(desk.arrive(Side::Wan, &flood.fragment(48, 96)).is_empty());
        assert!(desk.arrive(Side::Wan, &flood.fragment(0, 48)).is_empty());
    }
    let answer = udp(BOB.port(53), external).with_payload(3000).with_id(9);
    let seen: Vec<_> =
        answer.fragments(1480).iter().flat_map(|piece| desk.arrive(Side::Wan, piece)).collect();
    assert!(received(&seen, Side::Lan).unwrap().transport_is_intact());
    assert_eq!(desk.arrive(Side::Wan, &udp(BOB.port(53), external)).len(), 1);
    desk.wait(Duration::from_secs(3));
    assert!(desk.adds_up());
}

#[test]
fn f15_a_source_that_leaves_datagrams_unfinished_loses_its_own() {
    let mut lab = Lab::new();
    let of_dave = datagram(DAVE, 1).fragments(400);
    lab.send(of_dave[0].clone());
    for id in 0..200 {
        lab.send(datagram(ALICE, id).fragment(0, 400));
    }
    lab.send(of_dave[1].clone());
    assert_eq!(lab.try_send(datagram(ALICE, 100).fragment(400, 800)), Verdict::Hold);
    lab.send(datagram(ALICE, 199).fragment(400, 800));
}

#[test]
fn f15_early_fragments_of_one_source_do_not_push_out_those_of_another() {
    let mut desk = Desk::new();
    let of_dave = datagram(DAVE, 1).fragments(400);
    desk.arrive(Side::Lan, &of_dave[1]);
    for id in 0..200 {
        desk.arrive(Side::Lan, &datagram(ALICE, id).fragment(400, 800));
    }
    assert_eq!(desk.arrive(Side::Lan, &of_dave[0]).len(), 2);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_the_router_fragments_in_order_what_may_be_fragmented() {
    let mut desk = Desk::with_wan_mtu(1000);
    let large = datagram(ALICE, 7);
    let seen = desk.arrive(Side::Lan, &large);
    let parts: Vec<_> = seen.iter().map(|seen| seen.packet.clone()).collect();
    assert!(parts.iter().all(|part| part.bytes.len() <= 1000));
    assert!(parts.is_sorted_by_key(Packet::fragment_offset));
    assert_eq!(parts.len(), 2);
    let whole = Packet::reassemble(&parts).unwrap();
    assert!(whole.transport_is_intact());
    assert_eq!(whole.payload(), large.payload());
    assert_ne!(whole.id(), 7, "outside, the identification is ours");
    assert!(desk.adds_up());
}

#[test]
fn f16_fragments_are_fragmented_again() {
    let mut desk = Desk::with_wan_mtu(500);
    let seen: Vec<_> =
        datagram(ALICE, 7).fragments(800).iter().flat_map(|piece| desk.arrive(Side::Lan, piece)).collect();
    assert_eq!(seen.len(), 4);
    assert!(received(&seen, Side::Wan).unwrap().transport_is_intact());
}

#[test]
fn f16_an_unfinished_checksum_is_finished_before_a_packet_is_cut() {
    let mut desk = Desk::with_wan_mtu(1000);
    let seen = desk.arrive(Side::Lan, &datagram(ALICE, 7).partial());
    let parts: Vec<_> =
        seen.into_iter().map(|seen| Packet { checksum: napt::Checksum::Complete, ..seen.packet }).collect();
    assert!(Packet::reassemble(&parts).unwrap().transport_is_intact());
}

#[test]
fn rfc791_f16_options_are_in_every_piece_that_ought_to_have_them() {
    // Record route is in the first piece only, and full; 0x82, a copied option, is in all of them.
    let record_route = [7, 7, 8, 0, 0, 0, 0, 1];
    let copied = [0x82, 4, 1, 2];
    let mut desk = Desk::with_wan_mtu(600);
    let seen =
        desk.arrive(Side::Lan, &datagram(ALICE, 7).with_options(&[&record_route[..], &copied].concat()));
    let options: Vec<_> =
        seen.iter().map(|seen| seen.packet.bytes[20..seen.packet.header_len()].to_vec()).collect();
    assert_eq!(options.len(), 3);
    assert_eq!(options[0], [&record_route[..], &copied].concat());
    assert!(options[1..].iter().all(|rest| *rest == copied));
}

#[test]
fn f17_each_side_has_its_own_mtu() {
    let mut desk = Desk::with_mtus(600, 1000);
    let out = desk.arrive(Side::Lan, &datagram(ALICE, 7));
    assert_eq!(out.len(), 2);
    let answer = udp(BOB.port(53), out[0].packet.source()).with_payload(900).with_id(3).may_fragment();
    let back = desk.arrive(Side::Wan, &answer);
    assert_eq!(back.len(), 2);
    assert!(back.iter().all(|seen| seen.packet.bytes.len() <= 600));
    assert!(received(&back, Side::Lan).unwrap().transport_is_intact());
}

#[test]
fn f18_a_fragmented_echo_and_its_fragmented_reply_pass() {
    let mut lab = Lab::new();
    let large = |packet: Packet| {
        let mut packet = packet.changed(|bytes| bytes.extend([7; 2000]));
        let len = packet.bytes.len() as u16;
        packet = packet.changed(|bytes| bytes[2..4].copy_from_slice(&len.to_be_bytes())).with_id(5);
        packet.fix_transport();
        packet
    };
    let out: Vec<_> =
        large(echo(77, ALICE.0, BOB.0)).fragments(1480).into_iter().map(|piece| lab.send(piece)).collect();
    let request = Packet::reassemble(&out).unwrap();
    assert!(request.transport_is_intact());
    let reply = large(echo_reply(request.source().port(), BOB.0, OUTSIDE.0));
    let back: Vec<_> = reply.fragments(1480).into_iter().map(|piece| lab.deliver(piece)).collect();
    let reply = Packet::reassemble(&back).unwrap();
    assert!(reply.transport_is_intact());
    assert_eq!(reply.destination(), ALICE.port(77));
}

#[test]
fn f19_a_fragment_that_must_not_be_fragmented_keeps_saying_so() {
    let mut lab = Lab::new();
    let pieces = datagram(ALICE, 7).dont_fragment().fragments(400);
    assert!(pieces.into_iter().all(|piece| lab.send(piece).bytes[6] & 0x40 != 0));
    // And is answered, not cut, where it does not fit.
    let mut desk = Desk::with_wan_mtu(300);
    let seen = desk.arrive(Side::Lan, &datagram(ALICE, 7).dont_fragment().fragment(0, 400));
    assert_eq!((seen[0].side, seen[0].packet.transport()[..2].to_vec()), (Side::Lan, vec![3, 4]));
    let mut lab = Lab::with(|settings| settings.external_mtu = 300);
    let verdict = lab.try_send(datagram(ALICE, 7).dont_fragment().fragment(0, 400));
    assert_eq!(verdict, Verdict::Reject(RejectReason::FragmentationNeeded(Realm::External)));
}

#[test]
fn h05_fragments_are_hairpinned() {
    let mut desk = Desk::new();
    let external = desk.arrive(Side::Lan, &udp(DAVE.port(6000), BOB.port(53)))[0].packet.source();
    let mut pieces = udp(ALICE.port(5000), external).with_payload(1300).with_id(7).fragments(400);
    pieces.swap(0, 2);
    let seen: Vec<_> = pieces.iter().flat_map(|piece| desk.arrive(Side::Lan, piece)).collect();
    let whole = received(&seen, Side::Lan).unwrap();
    assert!(whole.transport_is_intact());
    assert_eq!((*whole.source().ip(), whole.destination()), (OUTSIDE.0, DAVE.port(6000)));
}

#[test]
fn f01_a_fragmented_segment_does_not_unsettle_its_connection() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S.", BOB.port(80), external));
    let large = tcp("P.", ALICE.port(5000), BOB.port(80)).with_payload(4000).with_id(7);
    large.fragments(1480).into_iter().for_each(|piece| drop(lab.send(piece)));
    // All of it may be acknowledged, and what follows is not taken for old.
    lab.deliver(tcp(".", BOB.port(80), external).ack(5001));
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)).seq(5001));
    lab.deliver(tcp("F.", BOB.port(80), external).ack(5002));
    lab.wait_secs(241);
    assert_ne!(lab.try_deliver(tcp(".", BOB.port(80), external)), Verdict::Forward(Realm::Internal));
}

#[test]
fn m13_a13_fragments_from_outside_make_no_state_and_lead_nowhere_else() {
    let mut lab = Lab::new();
    let stray = udp(BOB.port(53), ALICE.port(5000)).with_payload(100).with_id(1);
    lab.refuse(stray.fragment(48, 96), DropReason::NotOurs);
    lab.refuse(stray.fragment(0, 48), DropReason::NotOurs);
    let unknown = udp(BOB.port(53), OUTSIDE.port(5000)).with_payload(100).with_id(1);
    lab.refuse(unknown.fragment(0, 48), DropReason::NoMapping);
    assert_eq!(lab.try_deliver(unknown.fragment(48, 96)), Verdict::Hold);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn f01_a_forward_takes_fragments_from_anybody() {
    let mut lab = Lab::with_range(Protocols::Udp, 7000..=7000, ALICE.port(70));
    let pieces = udp(CAROL.port(1), OUTSIDE.port(7000)).with_payload(3000).with_id(1).fragments(1480);
    let inside: Vec<_> = pieces.into_iter().map(|piece| lab.deliver(piece)).collect();
    assert_eq!(Packet::reassemble(&inside).unwrap().destination(), ALICE.port(70));
}

/// Every order of the numbers below `n`.
fn permutations(n: usize) -> Vec<Vec<usize>> {
    match n {
        0 => vec![vec![]],
        n => permutations(n - 1)
            .into_iter()
            .flat_map(|order| {
                (0..n).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, n - 1);
                    order
                })
            })
            .collect(),
    }
}
