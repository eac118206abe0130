//! Frames that stand for many TCP segments or UDP datagrams (GSO), each too large for the next link (RFC 4787 REQ-13a).
//! Those that fit, and those that must not be fragmented, are `rfc5508`'s.

use napt::{Checksum, DropReason};
use router::{Refusal, Side};
use sekisho_tests::{ALICE, BOB, DAVE, Desk, OUTSIDE, Packet, Seen, raw, tcp, udp};

use crate::rfc1812::{complains, one};

/// A frame of TCP segments or UDP datagrams with `segment` bytes each, as a host leaves it to its network card.
fn large(packet: Packet, len: usize, segment: u16) -> Packet {
    let mut large = packet.with_payload(len).with_id(0xFFFE).may_fragment().partial();
    large.segment = segment.try_into().ok();
    large
}

fn stream(len: usize, segment: u16) -> Packet {
    large(tcp("P.", ALICE.port(5000), BOB.port(80)), len, segment)
}

fn datagrams(len: usize, segment: u16) -> Packet {
    large(udp(ALICE.port(5000), BOB.port(53)), len, segment)
}

/// A router with this MTU on the wan, where it knows BOB already: large frames do not wait.
fn narrow(mtu: u16) -> Desk {
    let mut desk = Desk::with_wan_mtu(mtu);
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))).len(), 1);
    desk
}

/// The datagrams that a host puts together from what it has seen: those of which every piece has come.
fn put_together(seen: &[Seen]) -> Vec<Packet> {
    let same = |a: &Seen, b: &Seen| a.packet.id() == b.packet.id();
    let datagrams = seen.chunk_by(same).map(|pieces| {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|seen| Packet { checksum: Checksum::Complete, ..seen.packet.clone() })
            .collect();
        Packet::reassemble(&pieces).expect("all of its pieces, or none")
    });
    datagrams.collect()
}

fn segment(seen: &Seen) -> Option<u16> {
    seen.packet.segment.map(std::num::NonZero::get)
}

#[test]
fn rfc4787_req13a_f16_segments_are_made_smaller_until_they_fit() {
    let mut desk = narrow(1280);
    let sent = stream(30_000, 1460);
    let seen = one(desk.arrive(Side::Lan, &sent));
    assert_eq!((seen.side, segment(&seen)), (Side::Wan, Some(1240)));
    assert_eq!(seen.packet.payload(), sent.payload());
    assert!(seen.packet.transport_is_intact());
    assert_eq!(desk.engine_dropped(Side::Lan, DropReason::TooLarge), 0);
    assert_eq!(desk.router.summary().router[0].forwarded, 2);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_headers_with_options_leave_less_room() {
    let timestamps = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0];
    let mut desk = narrow(1280);
    let sent = large(tcp("P.", ALICE.port(5000), BOB.port(80)).with_tcp_options(&timestamps), 30_000, 1448);
    assert_eq!(segment(&one(desk.arrive(Side::Lan, &sent))), Some(1228));
    let sent = sent.with_options(&[1; 8]);
    assert_eq!(segment(&one(desk.arrive(Side::Lan, &sent))), Some(1220));
}

#[test]
fn rfc4787_req13a_f17_the_next_link_is_the_one_that_counts() {
    let mut desk = Desk::with_mtus(1000, 1500);
    // From outside, through the forward.
    desk.arrive(Side::Wan, &tcp("S", BOB.port(4000), OUTSIDE.port(54321)));
    desk.arrive(Side::Lan, &tcp("S.", ALICE.port(54321), BOB.port(4000)));
    desk.arrive(Side::Wan, &tcp(".", BOB.port(4000), OUTSIDE.port(54321)));
    let sent = large(tcp("P.", BOB.port(4000), OUTSIDE.port(54321)), 8_000, 1460);
    let seen = one(desk.arrive(Side::Wan, &sent));
    assert_eq!((seen.side, segment(&seen)), (Side::Lan, Some(960)));
    // From inside to the same forward, and back inside.
    desk.arrive(Side::Lan, &tcp("S", DAVE.port(4000), OUTSIDE.port(54321)));
    let sent = large(tcp("P.", DAVE.port(4000), OUTSIDE.port(54321)), 8_000, 980);
    let seen = one(desk.arrive(Side::Lan, &sent));
    assert_eq!((seen.side, segment(&seen)), (Side::Lan, Some(960)));
    // And out, where there is room.
    assert_eq!(segment(&one(desk.arrive(Side::Lan, &stream(8_000, 1460)))), Some(1460));
    assert!(desk.adds_up());
}

#[test]
fn rfc1191_i21_what_must_not_be_fragmented_is_answered_as_ever() {
    let mut desk = narrow(1280);
    for sent in [stream(30_000, 1460), datagrams(30_000, 1460)].map(Packet::dont_fragment) {
        let error = one(desk.arrive(Side::Lan, &sent));
        complains(&error, Side::Lan, [3, 4], sekisho_tests::INSIDE, &sent);
    }
}

#[test]
fn rfc4787_req13a_f16_datagrams_are_made_and_then_cut() {
    let mut desk = narrow(1280);
    let sent = datagrams(3 * 1472 + 100, 1472);
    let seen = desk.arrive(Side::Lan, &sent);
    assert!(seen.iter().all(|seen| seen.side == Side::Wan && seen.packet.bytes.len() <= 1280));
    assert_eq!(seen.len(), 7, "two pieces of each, and the last is small enough");
    let (made, parts) = (put_together(&seen), sent.payload().chunks(1472));
    assert_eq!(made.len(), 4);
    for (datagram, part) in made.iter().zip(parts) {
        assert_eq!((datagram.source().ip(), datagram.destination()), (&OUTSIDE.0, BOB.port(53)));
        assert_eq!((datagram.payload(), datagram.ttl()), (part, 63));
        assert!(datagram.transport_is_intact());
    }
    assert!(made.iter().all(|datagram| datagram.source() == made[0].source()));
    let ids: std::collections::HashSet<_> = made.iter().map(Packet::id).collect();
    assert_eq!(ids.len(), made.len(), "each has an identification of ours");
    let counters = desk.router.summary().router[0];
    assert_eq!((counters.received, counters.forwarded), (5, 5));
    assert_eq!(desk.engine_dropped(Side::Lan, DropReason::TooLarge), 0);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_datagrams_for_which_there_is_no_room_are_lost_whole() {
    let mut desk = narrow(1280);
    let seen = desk.arrive(Side::Lan, &datagrams(44 * 1472, 1472));
    assert_eq!(put_together(&seen).len(), 32);
    assert_eq!(desk.refused(Side::Lan, Refusal::OutboxFull), 12);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_a_small_last_datagram_may_find_no_room_either() {
    let mut desk = narrow(1280);
    let seen = desk.arrive(Side::Lan, &datagrams(32 * 1472 + 100, 1472));
    assert_eq!(put_together(&seen).len(), 32);
    assert_eq!(desk.refused(Side::Lan, Refusal::OutboxFull), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_datagrams_to_an_unknown_neighbour_wait_like_any_other() {
    let mut desk = Desk::with_wan_mtu(1280);
    desk.leave(Side::Wan, BOB);
    assert_eq!(desk.arrive(Side::Lan, &datagrams(2 * 1472, 1472)), []);
    desk.join(Side::Wan, BOB);
    let seen = desk.wait(std::time::Duration::from_secs(2));
    assert_eq!(put_together(&seen).len(), 2);
    assert!(desk.adds_up());
}

#[test]
fn rfc791_r18_the_options_of_datagrams_are_in_each_and_marked() {
    let mut desk = narrow(1280);
    let sent = datagrams(2 * 1440, 1440).with_options(&[7, 7, 4, 0, 0, 0, 0, 0]);
    let made = put_together(&desk.arrive(Side::Lan, &sent));
    assert_eq!(made.len(), 2);
    assert!(made.iter().all(|datagram| datagram.bytes[20..28] == [7, 7, 8, 203, 0, 113, 254, 0]));
    assert!(made.iter().all(Packet::transport_is_intact));
}

#[test]
fn each_datagram_is_judged_by_itself() {
    let mut desk = narrow(1280);
    assert_eq!(desk.arrive(Side::Wan, &large(udp(BOB.port(53), OUTSIDE.port(9)), 4_000, 1472)), []);
    assert_eq!(desk.engine_dropped(Side::Wan, DropReason::NoMapping), 1);
    let seen = desk.arrive(Side::Lan, &datagrams(2 * 1472, 1472).with_ttl(1));
    assert_eq!(one(seen).packet.transport()[..2], [11, 0]);
    assert!(desk.adds_up());
}

#[test]
fn what_cannot_be_taken_apart_is_too_large() {
    let mut desk = narrow(68);
    let whole_sums = Packet { checksum: Checksum::Complete, ..datagrams(4_000, 1472).with_payload(4_000) };
    let many_options = tcp("P.", ALICE.port(5000), BOB.port(80)).with_tcp_options(&[1; 40]);
    let no_room = large(many_options, 4_000, 1460).with_options(&[1; 8]);
    let mut other = raw(47, ALICE.0, BOB.0, &[0; 4_000]).may_fragment();
    other.segment = 1472.try_into().ok();
    for sent in [whole_sums, no_room, other] {
        assert_eq!(desk.arrive(Side::Lan, &sent), []);
    }
    assert_eq!(desk.engine_dropped(Side::Lan, DropReason::TooLarge), 3);
    assert!(desk.adds_up());
}

#[test]
fn rfc4787_req13a_f16_a_packet_for_whose_pieces_there_is_no_room_is_lost_whole() {
    for (mtu, arrived) in [(1280, 1), (576, 0)] {
        let mut desk = narrow(mtu);
        let sent = udp(ALICE.port(5000), BOB.port(53)).with_payload(65_000).may_fragment();
        assert_eq!(put_together(&desk.arrive(Side::Lan, &sent)).len(), arrived);
        assert_eq!(desk.refused(Side::Lan, Refusal::OutboxFull), 1 - arrived as u64);
        assert!(desk.adds_up());
    }
}
