//! RFC 1812 and its neighbours: the router around the engine; rows of BEHAVIOUR 1.10 and 1.11, R01 to R18.

use std::net::Ipv4Addr;
use std::time::Duration;

use napt::RejectReason;
use router::{Offload, Refusal, Side};
use sekisho_tests::{
    ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, Packet, Seen, echo, echo_reply, frame_for,
    hardware, raw,
};
use sekisho_tests::{tcp, udp};

#[test]
fn r01_a_packet_goes_out_and_its_answer_comes_back() {
    let mut desk = Desk::new();
    let out = one(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))));
    assert_eq!((out.side, out.to), (Side::Wan, hardware(BOB)));
    let back = one(desk.arrive(Side::Wan, &udp(BOB.port(53), out.packet.source())));
    assert_eq!(
        (back.side, back.to, back.packet.destination()),
        (Side::Lan, hardware(ALICE), ALICE.port(5000))
    );
    assert!(desk.adds_up());
}

#[test]
fn r01_what_is_not_on_the_link_goes_to_the_gateway() {
    let out = one(Desk::new().arrive(Side::Lan, &udp(ALICE.port(5000), CAROL.port(53))));
    assert_eq!((out.to, out.packet.destination()), (hardware(BOB), CAROL.port(53)));
}

#[test]
fn rfc1812_s4331_r02_without_a_route_the_sender_is_told() {
    let mut desk = Desk::without("gateway = \"203.0.113.1\"\n");
    let sent = udp(ALICE.port(5000), CAROL.port(53));
    let error = one(desk.arrive(Side::Lan, &sent));
    complains(&error, Side::Lan, [3, 0], INSIDE, &sent);
    assert_eq!(desk.refused(Side::Lan, Refusal::NoRoute), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s4331_r03_without_a_neighbour_the_sender_is_told() {
    let mut desk = Desk::new();
    desk.leave(Side::Wan, BOB);
    let sent = udp(ALICE.port(5000), BOB.port(53));
    assert_eq!(desk.arrive(Side::Lan, &sent), []);
    let error = one(desk.wait(Duration::from_secs(4)));
    // It was translated before it waited: the quote is what ALICE sent all the same, one hop older.
    complains(&error, Side::Lan, [3, 1], INSIDE, &sent.with_ttl(63));
    assert_eq!(desk.asked().iter().filter(|(side, _)| *side == Side::Wan).count(), 3);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s4331_r03_a_silent_forwarded_host_is_reported_outside_by_our_address() {
    let mut desk = Desk::new();
    desk.leave(Side::Lan, ALICE);
    let sent = tcp("S", BOB.port(4000), OUTSIDE.port(54321));
    assert_eq!(desk.arrive(Side::Wan, &sent), []);
    let error = one(desk.wait(Duration::from_secs(4)));
    complains(&error, Side::Wan, [3, 1], OUTSIDE, &sent.with_ttl(63));
}

#[test]
fn rfc1812_s531_r04_i18_an_expired_ttl_is_answered_with_the_packet_as_it_was_received() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), CAROL.port(33434)).with_ttl(1);
    complains(&one(desk.arrive(Side::Lan, &sent)), Side::Lan, [11, 0], INSIDE, &sent);
    let sent = tcp("S", CAROL.port(5000), OUTSIDE.port(54321)).with_ttl(1);
    complains(&one(desk.arrive(Side::Wan, &sent)), Side::Wan, [11, 0], OUTSIDE, &sent);
}

#[test]
fn rfc1812_s4229_r05_a_packet_for_the_box_may_have_any_ttl() {
    for ttl in [0, 1] {
        let reply = one(Desk::new().arrive(Side::Lan, &echo(1, ALICE.0, INSIDE.0).with_ttl(ttl)));
        assert_eq!(reply.packet.transport()[0], 0);
    }
}

#[test]
fn r06_the_box_answers_pings_to_either_address_on_its_own_side() {
    let mut desk = Desk::new();
    let inside = one(desk.arrive(Side::Lan, &echo(1, ALICE.0, INSIDE.0)));
    assert_eq!(
        (inside.side, *inside.packet.source().ip(), inside.to),
        (Side::Lan, INSIDE.0, hardware(ALICE))
    );
    let outside = one(desk.arrive(Side::Wan, &echo(1, BOB.0, OUTSIDE.0)));
    assert_eq!(
        (outside.side, *outside.packet.source().ip(), outside.to),
        (Side::Wan, OUTSIDE.0, hardware(BOB))
    );
    assert!(inside.packet.transport_is_intact() && outside.packet.transport_is_intact());
    assert!(desk.adds_up());
}

#[test]
fn rfc1122_s3334_r07_the_other_sides_address_is_not_answered() {
    let mut desk = Desk::new();
    assert_eq!(desk.arrive(Side::Lan, &echo(1, ALICE.0, OUTSIDE.0)), []);
    assert_eq!(desk.arrive(Side::Wan, &echo(1, BOB.0, INSIDE.0)), []);
    assert!(desk.adds_up());
}

#[test]
fn a26_closed_ports_of_the_box_answer_on_the_lan_and_not_on_the_wan() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), INSIDE.port(33434));
    assert_eq!(one(desk.arrive(Side::Lan, &sent)).packet.transport()[..2], [3, 3]);
    let reset = one(desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), INSIDE.port(22))));
    assert_eq!(reset.packet.transport()[13] & 0x04, 0x04);
    assert_eq!(desk.arrive(Side::Wan, &udp(BOB.port(5000), OUTSIDE.port(33434))), []);
    assert_eq!(desk.arrive(Side::Wan, &tcp("S", BOB.port(5000), OUTSIDE.port(22))), []);
}

#[test]
fn rfc1812_s537_r08_martian_sources_are_dropped_silently() {
    let mut desk = Desk::new();
    let martians = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"];
    for source in martians.map(address) {
        for side in Side::ALL {
            assert_eq!(desk.arrive(side, &udp(Host(source).port(5000), target(side))), []);
        }
    }
    for side in Side::ALL {
        assert_eq!(desk.refused(side, Refusal::MartianSource), martians.len() as u64);
    }
    for source in ["203.0.113.0", "203.0.113.255"].map(address) {
        assert_eq!(desk.arrive(Side::Wan, &udp(Host(source).port(5000), target(Side::Wan))), []);
    }
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s537_r09_martian_destinations_are_dropped_silently() {
    let mut desk = Desk::new();
    for destination in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "240.0.0.1", "255.255.255.254"].map(address) {
        assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), Host(destination).port(53))), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::MartianDestination), 5);
}

#[test]
fn rfc3927_s7_r10_link_local_addresses_are_never_forwarded() {
    let mut desk = Desk::new();
    let link_local = Host(address("169.254.1.1"));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), link_local.port(53))), []);
    assert_eq!(desk.arrive(Side::Lan, &udp(link_local.port(5000), BOB.port(53))), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::LinkLocal), 2);
}

#[test]
fn rfc2644_r11_broadcasts_and_multicasts_are_not_forwarded() {
    let mut desk = Desk::new();
    for destination in ["192.0.2.255", "192.0.2.0", "203.0.113.255", "203.0.113.0"].map(address) {
        assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), Host(destination).port(53))), []);
    }
    for destination in ["203.0.113.255", "203.0.113.0"].map(address) {
        assert_eq!(desk.arrive(Side::Wan, &udp(BOB.port(5000), Host(destination).port(53))), []);
    }
    assert_eq!([4, 2], Side::ALL.map(|side| desk.refused(side, Refusal::Broadcast)));
    let igmp = raw(2, ALICE.0, address("224.0.0.22"), &[0x22; 8]);
    assert_eq!(desk.arrive(Side::Lan, &igmp), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::Multicast), 1);
}

#[test]
fn rfc1812_s5351_r11_limited_broadcasts_are_for_the_box_and_for_nobody_behind_it() {
    let mut desk = Desk::new();
    let everybody = Host(Ipv4Addr::BROADCAST);
    for (side, host) in [(Side::Lan, ALICE), (Side::Wan, BOB)] {
        let unnamed = Host(Ipv4Addr::UNSPECIFIED);
        let heard = [
            udp(host.port(5000), everybody.port(53)),
            udp(host.port(5000), everybody.port(53)).with_ttl(1),
            udp(unnamed.port(68), everybody.port(67)),
            tcp("S", host.port(5000), everybody.port(80)),
            echo(1, host.0, everybody.0),
            raw(2, host.0, everybody.0, &[0x11; 8]),
        ];
        for packet in &heard {
            let mut frame = frame_for(side, packet);
            assert_eq!(desk.arrive(side, packet), []);
            frame[..6].fill(0xFF);
            assert_eq!(desk.arrive_frame(side, frame, Offload::default()), []);
        }
        assert_eq!(desk.router.summary().router[side as usize].local, 2 * heard.len() as u64);
    }
    assert_eq!(desk.wait(Duration::from_secs(10)), []);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s537_r08_r11_broadcasts_of_nobody_are_not_heard() {
    let mut desk = Desk::new();
    let everybody = Host(Ipv4Addr::BROADCAST);
    for (side, source, reason) in [
        (Side::Lan, "203.0.113.1", Refusal::SpoofedSource),
        (Side::Wan, "192.0.2.1", Refusal::SpoofedSource),
        (Side::Wan, "203.0.113.255", Refusal::MartianSource),
        (Side::Lan, "127.0.0.1", Refusal::MartianSource),
    ] {
        let mut frame = frame_for(side, &udp(Host(address(source)).port(5000), everybody.port(53)));
        frame[..6].fill(0xFF);
        let before = desk.refused(side, reason);
        assert_eq!(desk.arrive_frame(side, frame, Offload::default()), []);
        assert_eq!(desk.refused(side, reason), before + 1, "{source}");
    }
    assert!(desk.adds_up());
}

#[test]
fn a21_malformed_packets_in_broadcast_frames_are_dropped_by_name() {
    let mut desk = Desk::new();
    let mut frame = frame_for(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    frame[..6].fill(0xFF);
    frame[24] ^= 1;
    assert_eq!(desk.arrive_frame(Side::Lan, frame, Offload::default()), []);
    assert_eq!(desk.engine_dropped(Side::Lan, napt::DropReason::HeaderChecksum), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc1812_s534_r12_unicast_packets_in_broadcast_frames_are_dropped() {
    let mut desk = Desk::new();
    for first in [0xFF, 0x01] {
        let mut frame = frame_for(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
        frame[..6].fill(first);
        assert_eq!(desk.arrive_frame(Side::Lan, frame, Offload::default()), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::LinkBroadcast), 2);
}

#[test]
fn r12_frames_for_other_stations_are_left_alone() {
    let mut desk = Desk::new();
    let mut frame = frame_for(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    frame[5] ^= 1;
    assert_eq!(desk.arrive_frame(Side::Lan, frame, Offload::default()), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::OtherStation), 1);
}

#[test]
fn rfc2827_r13_a14_sources_that_do_not_belong_to_the_lan_are_dropped_before_the_nat() {
    let mut desk = Desk::new();
    for source in ["10.0.0.1", "203.0.113.77", "203.0.113.254", "192.0.2.254", "192.0.2.0", "192.0.2.255"] {
        assert_eq!(desk.arrive(Side::Lan, &udp(Host(address(source)).port(5000), BOB.port(53))), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::SpoofedSource), 6);
    assert_eq!(desk.router.summary().occupancy.sessions, 0);
}

#[test]
fn rfc2827_r14_a11_sources_of_ours_are_dropped_on_the_wan() {
    let mut desk = Desk::new();
    for source in [ALICE, INSIDE, OUTSIDE] {
        assert_eq!(desk.arrive(Side::Wan, &tcp("S", source.port(5000), OUTSIDE.port(54321))), []);
    }
    assert_eq!(desk.refused(Side::Wan, Refusal::SpoofedSource), 3);
}

#[test]
fn a13_r15_a_neighbour_on_the_wan_reaches_no_inside_address() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    assert_eq!(desk.arrive(Side::Wan, &udp(BOB.port(53), ALICE.port(5000))), []);
    assert_eq!(desk.arrive(Side::Wan, &udp(BOB.port(53), INSIDE.port(53))), []);
    assert_eq!(desk.router.summary().engine[1].dropped[napt::DropReason::NotOurs.index()], 2);
}

#[test]
fn r16_neighbours_on_the_lan_talk_without_us() {
    let mut desk = Desk::new();
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), DAVE.port(53))), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::LanToLan), 1);
}

#[test]
fn rfc3021_r16_both_addresses_of_a_31_are_hosts() {
    let configuration = r#"
        wan = { interface = "w", address = "198.51.100.0/31", gateway = "198.51.100.1" }
        lan = { interface = "l", address = "192.0.2.254/24" }
    "#;
    let config = provision::compile(configuration, "x.toml").unwrap();
    assert_eq!(config.wan().address().broadcast(), None);
}

#[test]
fn rfc1191_r17_i21_a_packet_that_fits_exactly_passes_and_a_larger_one_is_answered_with_the_mtu() {
    let configuration = r#"
        wan = { interface = "w", address = "203.0.113.254/24", gateway = "203.0.113.1" }
        lan = { interface = "l", address = "192.0.2.254/24" }
    "#;
    let mut desk = Desk::with_mtu(configuration, [1500, 1280]);
    let packet = |len: usize| udp(ALICE.port(5000), BOB.port(53)).with_payload(len - 28).dont_fragment();
    assert_eq!(one(desk.arrive(Side::Lan, &packet(1280))).side, Side::Wan);
    let error = one(desk.arrive(Side::Lan, &packet(1281)));
    complains(&error, Side::Lan, [3, 4], INSIDE, &packet(1281));
    assert_eq!(error.packet.transport()[4..8], [0, 0, 0x05, 0x00]);
    assert_eq!(error.packet.bytes.len(), 576);
}

#[test]
fn rfc7126_r18_a12_source_routes_are_dropped_and_other_options_pass() {
    let mut desk = Desk::new();
    let sent = |options: &[u8]| udp(ALICE.port(5000), BOB.port(53)).with_options(options);
    for options in [[131, 3, 4, 0], [137, 3, 4, 0], [1, 131, 3, 4]] {
        assert_eq!(desk.arrive(Side::Lan, &sent(&options)), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::SourceRoute), 3);
    for options in [[7, 3, 4, 0], [1, 1, 1, 1], [148, 4, 0, 0], [0, 131, 3, 4]] {
        let out = one(desk.arrive(Side::Lan, &sent(&options)));
        assert_eq!(out.packet.bytes[20..24], options);
    }
}

#[test]
fn rfc1812_s4327_i22_errors_and_later_fragments_draw_no_error() {
    // An error about a packet of a session there is, whose TTL runs out here: any other packet would be answered.
    let mut desk = Desk::new();
    let out = one(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))));
    let inside = one(desk.arrive(Side::Wan, &udp(BOB.port(53), out.packet.source())));
    let error = sekisho_tests::error(3, 3, ALICE.0, &inside.packet);
    assert_eq!(desk.arrive(Side::Lan, &error.clone().with_ttl(1)), []);
    assert_eq!(desk.arrive(Side::Lan, &error).len(), 1);
    let ping = echo(1, ALICE.0, CAROL.0).with_ttl(1);
    assert_eq!(desk.arrive(Side::Lan, &ping).len(), 1);
}

#[test]
fn rfc1812_s4327_i22_of_a_datagram_in_fragments_only_the_first_draws_an_error() {
    let mut desk = Desk::new();
    let datagram = udp(ALICE.port(5000), CAROL.port(53)).with_payload(1300).with_id(7).may_fragment();
    let (first, second) = (datagram.fragment(0, 400), datagram.fragment(400, 800));
    assert_eq!(desk.arrive(Side::Lan, &first).len(), 1);
    assert_eq!(desk.arrive(Side::Lan, &second.with_ttl(1)), []);
    assert_eq!(desk.router.summary().engine[0].rejected[RejectReason::TtlExpired.index()], 1);
    let another = datagram.with_id(8).fragment(0, 400).with_ttl(1);
    complains(&one(desk.arrive(Side::Lan, &another)), Side::Lan, [11, 0], INSIDE, &another);
}

#[test]
fn rfc5508_s77_i27_errors_copy_the_dscp() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), CAROL.port(33434)).with_ttl(1).changed(|bytes| bytes[1] = 46 << 2);
    assert_eq!(one(desk.arrive(Side::Lan, &sent)).packet.bytes[1], 46 << 2);
}

#[test]
fn rfc1812_s4328_i23_a25_errors_are_rate_limited_for_each_receiver_and_for_all() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), CAROL.port(33434)).with_ttl(1);
    let burst = (0..500).filter(|_| !desk.arrive(Side::Lan, &sent).is_empty()).count();
    assert!((1..=50).contains(&burst), "{burst}");
    let mut all = 0;
    for host in 1..=200 {
        let host = Host(Ipv4Addr::new(192, 0, 2, host));
        desk.join(Side::Lan, host);
        let sent = udp(host.port(5000), CAROL.port(33434)).with_ttl(1);
        all += (0..50).filter(|_| !desk.arrive(Side::Lan, &sent).is_empty()).count();
    }
    assert!((50..=250).contains(&all), "{all}");
    desk.wait(Duration::from_secs(10));
    assert_eq!(desk.arrive(Side::Lan, &sent).len(), 1);
    assert!(desk.adds_up());
}

#[test]
fn rfc5508_req8_i24_a_full_table_is_answered_with_3_13() {
    let mut desk = Desk::new();
    for port in 2000..2224 {
        desk.arrive(Side::Lan, &udp(ALICE.port(port), BOB.port(53)));
    }
    let sent = udp(ALICE.port(5000), BOB.port(53));
    complains(&one(desk.arrive(Side::Lan, &sent)), Side::Lan, [3, 13], INSIDE, &sent);
}

#[test]
fn a24_padding_is_not_passed_on() {
    let mut desk = Desk::new();
    let sent = udp(ALICE.port(5000), BOB.port(53)).with_payload(1);
    desk.arrive(Side::Lan, &sent);
    let mut frame = frame_for(Side::Lan, &sent);
    frame.resize(60, 0xEE);
    let out = one(desk.arrive_frame(Side::Lan, frame, Offload::default()));
    assert_eq!(out.padding, [0; 17]);
}

#[test]
fn p03_other_ethernet_protocols_are_ignored() {
    let mut desk = Desk::new();
    for ethertype in [[0x86, 0xDD], [0x81, 0x00], [0x00, 0x40], [0x88, 0x47]] {
        let mut frame = frame_for(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
        frame[12..14].copy_from_slice(&ethertype);
        assert_eq!(desk.arrive_frame(Side::Lan, frame, Offload::default()), []);
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::EtherType), 4);
    assert!(desk.adds_up());
}

/// The one packet that was seen.
#[track_caller]
pub(crate) fn one(seen: Vec<Seen>) -> Seen {
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen.into_iter().next().unwrap()
}

/// Asserts that a packet is an ICMP error of this type and code from `source`, on `side`, about `about`.
#[track_caller]
pub(crate) fn complains(seen: &Seen, side: Side, kind: [u8; 2], source: Host, about: &Packet) {
    assert_eq!(seen.side, side);
    assert_eq!(seen.packet.transport()[..2], kind);
    assert_eq!(
        (*seen.packet.source().ip(), *seen.packet.destination().ip()),
        (source.0, *about.source().ip())
    );
    assert!(seen.packet.transport_is_intact());
    let quoted = seen.packet.quoted().bytes;
    assert_eq!(quoted[..], about.bytes[..quoted.len()]);
}

/// Where a packet that `side` receives would go through the box.
fn target(side: Side) -> std::net::SocketAddrV4 {
    match side {
        Side::Lan => BOB.port(53),
        Side::Wan => OUTSIDE.port(54321),
    }
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

#[test]
fn i03_a_reply_with_a_trailer_is_as_long_as_its_header_says() {
    // An echo reply of 28 bytes in a frame of 60: what is behind it is Ethernet's, not part of any checksum.
    let mut desk = Desk::new();
    let out = one(desk.arrive(Side::Lan, &echo(77, ALICE.0, BOB.0)));
    let reply = echo_reply(out.packet.source().port(), BOB.0, OUTSIDE.0);
    let mut frame = frame_for(Side::Wan, &reply);
    frame.extend([0xAA; 18]);
    let inside = one(desk.arrive_frame(Side::Wan, frame, Offload::default()));
    assert_eq!(inside.packet.bytes.len(), reply.bytes.len());
    assert!(inside.packet.transport_is_intact());
    assert!(inside.padding.iter().all(|byte| *byte == 0));
}

#[test]
fn v3_v4_nothing_leaves_without_a_frame_a_timer_or_a_link_and_every_hop_counts() {
    let mut desk = Desk::new();
    assert_eq!(desk.wait(Duration::from_secs(600)), []);
    let sent = udp(ALICE.port(5000), BOB.port(53));
    let out = one(desk.arrive(Side::Lan, &sent));
    assert_eq!(out.packet.ttl(), sent.ttl() - 1);
    assert_eq!(desk.wait(Duration::from_secs(600)), []);
}
