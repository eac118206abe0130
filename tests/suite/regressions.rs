//! Bugs that were found: each test here failed when it was written.

use std::net::Ipv4Addr;
use std::time::Duration;

use napt::{Dependence, DropReason, Instant, Protocols, Realm, RejectReason, Verdict};
use router::{Link, Side};
use sekisho_tests::{
    ALICE, BOB, CAROL, DAVE, Desk, Host, Lab, OUTSIDE, echo, error, hardware, range, tcp, udp,
};
use smoltcp::wire::{ArpOperation, ArpRepr, EthernetAddress};

/// A full session table is tidied in the middle of opening a session; the mapping that the session was to revive is
/// removed under its hands, and its slot then put into the queue of cooling mappings although it is free.
#[test]
fn x02_tidying_a_full_table_does_not_remove_the_mapping_in_hand() {
    let mut lab = Lab::without_shares();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    for n in 0..255 {
        lab.send(udp(DAVE.port(6000), remote(n).port(53)));
    }
    lab.wait_secs(150);
    lab.send(udp(DAVE.port(6000), remote(255).port(53)));
    // ALICE's session ended at 1,300,480 ms, a tick after 300 s. Her mapping has just cooled down, the wheel's next
    // tick is at 1,421,312 ms.
    lab.wait(Duration::from_millis(1_420_900 - lab.now().millis()));
    assert_eq!(lab.engine.occupancy().sessions, 256);
    assert_eq!(lab.try_send(udp(ALICE.port(5000), BOB.port(53))), Verdict::Reject(RejectReason::TableFull));
    lab.wait_secs(3600);
    lab.engine.handle_timeout(lab.now());
    assert_eq!((lab.engine.occupancy().sessions, lab.engine.occupancy().mappings), (0, 0));
    let (first, second) = (next_source(&mut lab, 7000), next_source(&mut lab, 7001));
    assert_ne!(first, second);
}

/// Sessions of one internal endpoint with one remote address may use different external ports, if some of them came
/// in from outside. The host of their group remembers only one port, and may outlive its mapping.
#[test]
fn rfc4787_req3_m05_address_dependent_mapping_never_shares_a_port() {
    let mut lab = Lab::with(|settings| {
        settings.mapping = Dependence::Address.into();
        settings.filtering = Dependence::Endpoint.into();
        settings.ports = range(2000, 2001);
        settings.timers.port_cooldown = Duration::ZERO;
    });
    let to_bob = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    let to_carol = lab.send(tcp("S", ALICE.port(5000), CAROL.port(80))).source();
    assert_ne!(to_bob, to_carol);
    lab.deliver(tcp("S", CAROL.port(99), to_bob));
    lab.send(tcp("S.", ALICE.port(5000), CAROL.port(99)));
    lab.deliver(tcp(".", CAROL.port(99), to_bob));
    lab.wait_secs(300);
    let daves = lab.send(tcp("S", DAVE.port(6000), BOB.port(80))).source();
    assert_eq!(daves, to_carol, "the one free port");
    let (_, out) = lab.translate(Realm::Internal, &tcp("S", ALICE.port(5000), CAROL.port(81)));
    assert_ne!(out.source(), daves, "REQ-3: two internal endpoints share an external port");
}

#[test]
fn x02_a_flow_that_is_refused_takes_no_port() {
    let mut lab = Lab::without_shares();
    for n in 0..256 {
        lab.send(udp(DAVE.port(6000), remote(n).port(53)));
    }
    assert_eq!(lab.try_send(udp(ALICE.port(5000), BOB.port(53))), Verdict::Reject(RejectReason::TableFull));
    assert_eq!(lab.engine.occupancy().mappings, 1);
}

#[test]
fn rfc6888_req8_t15_mappings_that_have_cooled_down_need_no_packet_to_go() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(3600);
    assert_eq!(lab.engine.occupancy().mappings, 0);
}

/// A cooling mapping's deadline is kept in 32 bits, and nobody looks at it while there are no sessions.
#[test]
fn t14_a_mapping_that_cooled_down_a_month_ago_has_cooled_down() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(30 * 24 * 3600);
    lab.engine.handle_timeout(lab.now());
    assert_eq!(lab.engine.occupancy().mappings, 0);
}

/// When a class has no free port, ports of other classes are none of its business.
#[test]
fn rfc6888_req8_m18_a_dry_class_does_not_end_the_cool_down_of_another() {
    let mut lab = Lab::with(|settings| settings.ports = range(1023, 65535));
    let before = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(302);
    lab.send(udp(DAVE.port(500), BOB.port(53)));
    lab.send(udp(DAVE.port(501), BOB.port(53)));
    assert_eq!(lab.send(udp(ALICE.port(5000), BOB.port(53))).source(), before);
}

/// BOB's ports are different, so ALICE's answers can be told apart.
#[test]
fn two_udp_forwards_to_one_endpoint_serve_two_ports_of_one_host() {
    let mut lab = Lab::with_range(Protocols::Udp, 1000..=1000, ALICE.port(53));
    lab = Lab::with(|settings| {
        *settings = lab.engine.settings().clone();
        let second = napt::Endpoint::new(ALICE.0, 53);
        let forward =
            napt::Forward { protocols: Protocols::Udp, external: range(2000, 2000), internal: second };
        settings.forwards.push(forward).unwrap();
    });
    lab.deliver(udp(BOB.port(5000), OUTSIDE.port(1000)));
    lab.deliver(udp(BOB.port(6000), OUTSIDE.port(2000)));
}

#[test]
fn t12_nothing_from_outside_alone_keeps_a_connection_alive() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("R", BOB.port(80), external));
    for _ in 0..10 {
        lab.wait_secs(200);
        let _ = lab.try_deliver(tcp("S", BOB.port(80), external));
        lab.wait_secs(200);
        let _ = lab.try_deliver(tcp("R", BOB.port(80), external));
    }
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

/// A mapping may outlive its last session by a tick of the wheel, and no longer.
#[test]
fn t04_an_open_filter_lets_nobody_in_after_the_last_session_has_expired() {
    let mut lab = Lab::with(|settings| settings.filtering = Dependence::Endpoint.into());
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.wait(Duration::from_millis(240_000 + 1_024));
    lab.refuse(tcp("S", CAROL.port(99), external), DropReason::NoMapping);
}

/// Sessions that nobody inside has answered kept the mapping, and the mapping let more of them in.
#[test]
fn t12_nobody_outside_keeps_an_open_filter_open() {
    let mut lab = Lab::with(|settings| settings.filtering = Dependence::Endpoint.into());
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.wait_secs(200);
    lab.deliver(tcp("S", CAROL.port(1), external));
    lab.wait_secs(42);
    lab.refuse(tcp("S", CAROL.port(2), external), DropReason::NoMapping);
    lab.deliver(tcp("S", CAROL.port(1), external));
    let again = lab.send(tcp("S", ALICE.port(5000), BOB.port(443))).source();
    assert_eq!(again, external, "REQ-1: it has kept its port");
    lab.deliver(tcp("S", CAROL.port(2), external));
}

/// What waits for an answer on a mapping was counted up to 127, and one sender could use that up for all others.
#[test]
fn a06_one_source_does_not_shut_others_out_of_a_mapping() {
    let mut lab = Lab::with(|settings| {
        settings.filtering = Dependence::Endpoint.into();
        settings.shares.half_open_each_source = Some(140);
        settings.shares.half_open_each_forward = Some(256);
    });
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    for port in 1000..1150 {
        let _ = lab.try_deliver(tcp("S", CAROL.port(port), external));
    }
    lab.deliver(tcp("S", BOB.port(1234), external));
}

/// The filter has no say inside: a hairpinned flow whose sessions live goes on, wanted or not.
#[test]
fn h08_t12_a_hairpinned_session_that_waits_goes_on() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.wait_secs(200);
    lab.hairpin(tcp("S", DAVE.port(6000), external));
    lab.wait_secs(42);
    lab.hairpin(tcp("S", DAVE.port(6000), external));
}

/// An answer from inside is as good as a session that began there.
#[test]
fn t12_an_open_filter_stays_open_for_what_the_inside_has_answered() {
    let mut lab = Lab::with(|settings| settings.filtering = Dependence::Endpoint.into());
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S", CAROL.port(1), external));
    lab.send(tcp("S.", ALICE.port(5000), CAROL.port(1)));
    lab.deliver(tcp(".", CAROL.port(1), external));
    lab.wait_secs(242);
    lab.deliver(tcp("S", CAROL.port(2), external));
}

#[test]
fn a06_half_open_connections_from_outside_leave_room_for_the_inside() {
    let mut lab = Lab::with_forward();
    for n in 0..256 {
        let _ = lab.try_deliver(tcp("S", remote(n).port(1234), OUTSIDE.port(54321)));
    }
    lab.send(udp(DAVE.port(5000), BOB.port(53)));
}

#[test]
fn a06_one_server_cannot_fill_the_table_through_an_address_dependent_filter() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    for port in 1000..1300 {
        let _ = lab.try_deliver(tcp("S", BOB.port(port), external));
    }
    lab.send(udp(DAVE.port(5000), BOB.port(53)));
}

#[test]
fn rfc1191_a_link_that_comes_back_with_another_mtu_is_obeyed() {
    let mut desk = Desk::new();
    let link = Link { hardware: [2, 0, 0, 0, 0, 0x0B], mtu: 1400 };
    desk.router.link_up(Instant::from_millis(5_000), Side::Wan, link);
    let large = udp(ALICE.port(5000), BOB.port(53)).with_payload(1450).dont_fragment();
    let seen = desk.arrive(Side::Lan, &large);
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].side, &seen[0].packet.transport()[..2]), (Side::Lan, &[3, 4][..]));
}

#[test]
fn frames_that_wait_do_not_wait_for_ever_when_their_link_comes_up_again() {
    let mut desk = Desk::new();
    for n in 50..82 {
        desk.arrive(Side::Lan, &udp(ALICE.port(5000), on_wan(n).port(53)));
    }
    desk.router.link_up(
        Instant::from_millis(5_000),
        Side::Wan,
        Link { hardware: [2, 0, 0, 0, 0, 0x0B], mtu: 1500 },
    );
    desk.wait(Duration::from_secs(600));
    assert_eq!(desk.router.summary().router[Side::Lan as usize].held, 0);
    desk.join(Side::Wan, on_wan(99));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), on_wan(99).port(53))).len(), 1);
}

/// Two hosts have the same address, and both answer whenever they are asked.
#[test]
fn rfc1122_s2321_two_hosts_with_one_address_do_not_make_the_box_flood_the_link() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    let twins = [hardware(BOB), EthernetAddress([2, 7, 7, 7, 7, 7])];
    let mut asked = 0;
    // One of them announces itself; then both answer every question, all at the same moment.
    let mut questions = desk.arp(Side::Wan, &answer(BOB, twins[1])).len();
    while questions > 0 && asked < 100 {
        asked += questions;
        questions = twins.map(|twin| desk.arp(Side::Wan, &answer(BOB, twin)).len()).iter().sum();
    }
    assert!(asked <= 3, "asked {asked} times at one moment");
}

/// ALICE looks for hosts on the wan that are not there, a few hundred of them; the way to the gateway stays known.
#[test]
fn a23_a_scan_of_the_wan_does_not_push_the_gateway_out() {
    let mut desk = Desk::with(WIDE);
    desk.arrive(Side::Lan, &udp(DAVE.port(5000), CAROL.port(53)));
    for round in 0..5 {
        for n in 0..1_000u16 {
            let [high, low] = n.to_be_bytes();
            let absent = Host(Ipv4Addr::new(203, 0, 64 + high, low.max(1)));
            desk.arrive(Side::Lan, &udp(ALICE.port(5000), absent.port(53)));
        }
        let seen = desk.arrive(Side::Lan, &udp(DAVE.port(5000), CAROL.port(53)));
        assert!(seen.iter().any(|seen| seen.packet.destination() == CAROL.port(53)), "round {round}");
        desk.wait(Duration::from_secs(1));
    }
}

const WIDE: &str = r#"
[wan]
interface = "gw1"
address = "203.0.113.254/16"
gateway = "203.0.113.1"

[lan]
interface = "gw0"
address = "192.0.2.254/24"

# One session for all that ALICE sends: neighbours run out before sessions do, as in a table of 65,536.
[nat]
filtering = "endpoint-independent"
"#;

fn remote(n: u16) -> Host {
    let [high, low] = n.to_be_bytes();
    Host(Ipv4Addr::new(198, 18, high, low))
}

fn on_wan(n: u8) -> Host {
    Host(Ipv4Addr::new(203, 0, 113, n))
}

fn next_source(lab: &mut Lab, port: u16) -> std::net::SocketAddrV4 {
    lab.send(udp(DAVE.port(port), BOB.port(53))).source()
}

fn answer(sender: Host, hardware: EthernetAddress) -> ArpRepr {
    ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: hardware,
        source_protocol_addr: sender.0,
        target_hardware_addr: EthernetAddress([2, 0, 0, 0, 0, 0x0B]),
        target_protocol_addr: OUTSIDE.0,
    }
}

/// The first of the sessions that an address-dependent mapping was shared by has ended, and its port with it; those
/// that outlive it use another.
#[test]
fn m01_an_address_dependent_mapping_outlives_the_first_session_that_used_it() {
    let mut lab = Lab::with(|settings| {
        settings.mapping = Dependence::Address.into();
        settings.filtering = Dependence::Endpoint.into();
    });
    lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    let to_carol = lab.send(tcp("S", ALICE.port(5000), CAROL.port(80))).source();
    lab.deliver(tcp("S", BOB.port(99), to_carol));
    lab.send(tcp("S.", ALICE.port(5000), BOB.port(99)));
    lab.deliver(tcp(".", BOB.port(99), to_carol));
    lab.wait_secs(400);
    let [first, second] = [81, 82].map(|port| lab.send(tcp("S", ALICE.port(5000), BOB.port(port))).source());
    assert_eq!(first, second);
}

/// Somebody outside who was let in because the inside had once called keeps calling, and nobody answers.
#[test]
fn rfc4787_req6_t12_who_is_not_answered_does_not_keep_a_filter_open() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    let mut last = 0;
    for round in 0..40 {
        let call = tcp("S", BOB.port(1000 + round), external);
        if lab.try_deliver(call) == Verdict::Forward(Realm::Internal) {
            last = 200 * u64::from(round);
        }
        lab.wait_secs(200);
    }
    assert!(last <= 240, "let in after {last} s");
    assert_eq!(lab.engine.occupancy().mappings, 0);
}

/// A hairpinned packet opens two sessions, or none.
#[test]
fn h01_a_hairpin_that_is_refused_leaves_nothing() {
    let mut lab = Lab::without_shares();
    let daves = lab.send(udp(DAVE.port(6000), BOB.port(53))).source();
    for n in 0..254 {
        lab.send(udp(DAVE.port(6000), remote(n).port(53)));
    }
    let before = lab.engine.occupancy();
    assert_eq!(lab.try_send(udp(ALICE.port(5000), daves)), Verdict::Reject(RejectReason::TableFull));
    assert_eq!(lab.engine.occupancy(), before);
}

/// A server that closes before its SYN-ACK was acknowledged does not make a forged SYN last two hours.
#[test]
fn c05_a_fin_does_not_open_a_connection() {
    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(1), OUTSIDE.port(54321)));
    lab.send(tcp("S.", ALICE.port(80), BOB.port(1)));
    lab.send(tcp("F.", ALICE.port(80), BOB.port(1)));
    lab.wait_secs(242);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

/// What makes room for a mapping is what has cooled longest, of whatever protocol.
#[test]
fn rfc6888_req8_m18_room_is_made_by_what_has_cooled_longest() {
    let mut lab = Lab::with(|settings| {
        settings.shares.guaranteed = Some(u32::MAX);
        settings.timers.port_cooldown = Duration::from_secs(10_000);
    });
    // UDP mappings cool from 300 s on, those of TCP from 240 s after that.
    for n in 0..200 {
        lab.send(udp(ALICE.port(2000 + n), BOB.port(53)));
    }
    lab.wait_secs(400);
    let tcps: Vec<_> =
        (0..56).map(|n| lab.send(tcp("S", DAVE.port(2000 + n), BOB.port(80))).source()).collect();
    lab.wait_secs(400);
    assert_eq!((lab.engine.occupancy().sessions, lab.engine.occupancy().mappings), (0, 256));
    // Ten new ones need room; DAVE's own are still his.
    for n in 0..10 {
        lab.send(udp(CAROL_INSIDE.port(n + 1000), BOB.port(53)));
    }
    for (n, before) in (0..).zip(tcps) {
        assert_eq!(lab.send(tcp("S", DAVE.port(2000 + n), BOB.port(80))).source(), before);
    }
}

/// A mapping that cools for the second time kept its place among those that cool, so that others behind it went on cooling when they
/// had cooled down, and its own port was given away before theirs.
#[test]
fn rfc6888_req8_m18_who_cools_again_keeps_nobody_waiting() {
    let mut lab = Lab::with(|settings| settings.ports = range(2000, 2002));
    lab.send(echo(9, CAROL_INSIDE.0, BOB.0));
    lab.wait_secs(5);
    let of_alice = lab.send(echo(1, ALICE.0, BOB.0)).source();
    lab.wait_secs(5);
    lab.send(echo(2, DAVE.0, BOB.0));
    // ALICE's cools from 65 s to 185 s, and again from 130 s to 250 s; DAVE's from 70 s to 190 s.
    lab.wait_secs(60);
    assert_eq!(lab.send(echo(1, ALICE.0, BOB.0)).source(), of_alice);
    lab.wait_secs(130);
    assert_eq!(lab.engine.occupancy().mappings, 1);
    assert_ne!(lab.send(echo(3, CAROL_INSIDE.0, BOB.0)).source(), of_alice);
    assert_ne!(lab.send(echo(4, CAROL_INSIDE.0, BOB.0)).source(), of_alice);
    assert_eq!(lab.send(echo(1, ALICE.0, BOB.0)).source(), of_alice);
}

const CAROL_INSIDE: Host = Host(Ipv4Addr::new(192, 0, 2, 3));

/// A flow that is refused for want of a port has cost nobody the rest of a cool-down.
#[test]
fn rfc6888_req8_m18_a_refused_flow_ends_no_cool_down() {
    let mut lab = Lab::with(|settings| {
        settings.shares.guaranteed = Some(u32::MAX);
        settings.ports = range(1024, 1223);
        settings.timers.port_cooldown = Duration::from_secs(10_000);
    });
    for n in 0..56 {
        lab.send(tcp("S", DAVE.port(2000 + n), BOB.port(80)));
    }
    lab.wait_secs(250);
    for n in 0..200 {
        lab.send(udp(ALICE.port(2000 + n), BOB.port(53)));
    }
    assert_eq!(lab.engine.occupancy().mappings, 256);
    let refused = lab.try_send(udp(DAVE.port(2000), BOB.port(53)));
    assert_eq!(refused, Verdict::Reject(RejectReason::PortsExhausted));
    assert_eq!(lab.engine.occupancy().mappings, 256);
}

/// While no SYN-ACK had agreed on window scales, "no such option" was taken for a scale of 15.
#[test]
fn c22_windows_are_not_scaled_before_that_has_been_agreed_on() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)).window(65_535)).source();
    lab.deliver(tcp("R.", BOB.port(80), external));
    lab.deliver(tcp(".", BOB.port(80), external));

    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(1), OUTSIDE.port(54321)));
    lab.send(tcp("S", ALICE.port(80), BOB.port(1)).window(65_535));
    let far = tcp(".", BOB.port(1), OUTSIDE.port(54321)).seq(1001 + 200_000);
    lab.refuse(far, DropReason::OutOfWindow);
    lab.deliver(tcp(".", BOB.port(1), OUTSIDE.port(54321)));
}

/// Identifiers know no class: the one that has cooled longest goes first, whichever side of 1024 it lies on.
#[test]
fn rfc6888_req8_m18_without_classes_what_has_cooled_longest_goes_first() {
    let mut lab = Lab::with(|settings| {
        settings.ports = range(1022, 1025);
        settings.preserve_ports = true;
    });
    for id in [1022, 1023] {
        lab.send(echo(id, ALICE.0, BOB.0));
    }
    lab.wait_secs(50);
    for id in [1024, 1025] {
        lab.send(echo(id, ALICE.0, BOB.0));
    }
    lab.wait_secs(62);
    let given = lab.send(echo(7, DAVE.0, BOB.0)).source().port();
    assert!(matches!(given, 1022 | 1023), "{given}");
}

/// An error from inside that is cut on its way out gets an identification of ours, like everything that is.
#[test]
fn rfc6864_f13_an_error_that_leaves_in_pieces_gets_an_identification_of_ours() {
    let mut lab = Lab::with(|settings| settings.external_mtu = 600);
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let delivered = lab.deliver(udp(BOB.port(53), external).with_payload(1000));
    let refused = error(3, 3, ALICE.0, &delivered).with_id(77).may_fragment();
    assert_ne!(lab.send(refused).id(), 77);
}
