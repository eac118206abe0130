//! RFC 5382, requirement by requirement: TCP behaviour of a NAT; with RFC 7857 s.2.

use std::time::Duration;

use napt::{Dependence, DropReason, Protocols, RejectReason, Verdict};
use router::Side;
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Desk, Lab, OUTSIDE, Packet, error, range, tcp};

const ESTABLISHED: u64 = 7440;
const TRANSITORY: u64 = 240;

#[test]
fn rfc5382_req1_m03_mapping_is_endpoint_independent() {
    let mut lab = Lab::new();
    let first = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    let second = lab.send(tcp("S", ALICE.port(5000), CAROL.port(443)));
    assert_eq!(first.source(), second.source());
}

#[test]
fn rfc5382_req7_m05_connections_of_two_hosts_never_share_an_external_port() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_001));
    let alice = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    let dave = lab.send(tcp("S", DAVE.port(5000), CAROL.port(80))).source();
    assert_ne!(alice, dave);
    let third = lab.try_send(tcp("S", DAVE.port(5001), CAROL.port(443)));
    assert_eq!(third, Verdict::Reject(RejectReason::PortsExhausted), "rather none than one of theirs");
}

#[test]
fn rfc5382_req2_c01_a_connection_opens_talks_and_closes() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("P.", ALICE.port(5000), BOB.port(80)).with_payload(100));
    lab.deliver(tcp("P.", BOB.port(80), external).with_payload(100));
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("F.", BOB.port(80), external));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
}

#[test]
fn rfc5382_req2_c01_a_connection_from_outside_opens_talks_and_closes() {
    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(54321)));
    lab.send(tcp("S.", ALICE.port(80), BOB.port(4000)));
    lab.deliver(tcp(".", BOB.port(4000), OUTSIDE.port(54321)));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp("P.", BOB.port(4000), OUTSIDE.port(54321)).with_payload(100));
    lab.send(tcp("P.", ALICE.port(80), BOB.port(4000)).with_payload(100));
    lab.deliver(tcp("F.", BOB.port(4000), OUTSIDE.port(54321)));
    lab.send(tcp("F.", ALICE.port(80), BOB.port(4000)));
    lab.wait_secs(TRANSITORY + 2);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc5382_req2a_c02_simultaneous_open() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(5000))).source();
    lab.deliver(tcp("S", BOB.port(5000), external));
    lab.send(tcp("S.", ALICE.port(5000), BOB.port(5000)));
    lab.deliver(tcp("S.", BOB.port(5000), external));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(5000), external));
}

#[test]
fn rfc5382_req5_t03_an_established_connection_idles_for_two_hours_and_four_minutes() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external));
    lab.wait_secs(2);
    gone(&mut lab, tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_req5_t04_a_half_open_connection_lives_for_four_minutes() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.wait_secs(TRANSITORY - 1);
    lab.deliver(tcp("S.", BOB.port(80), external));
    let external = lab.send(tcp("S", ALICE.port(5001), BOB.port(80))).source();
    lab.wait_secs(TRANSITORY + 1);
    gone(&mut lab, tcp("S.", BOB.port(80), external));
}

#[test]
fn rfc5382_req5_t04_a_closed_connection_lives_for_four_minutes() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("F.", BOB.port(80), external));
    lab.wait_secs(TRANSITORY - 1);
    lab.deliver(tcp("F.", BOB.port(80), external));
    lab.wait_secs(2);
    gone(&mut lab, tcp("F.", BOB.port(80), external));
}

#[test]
fn rfc7857_s22_t05_a_reset_passes_and_its_session_lives_for_four_minutes() {
    for (flags, from_inside) in [("R", true), ("R.", true), ("R", false), ("R.", false)] {
        let mut lab = Lab::new();
        let external = connect(&mut lab).source();
        if from_inside {
            lab.send(tcp(flags, ALICE.port(5000), BOB.port(80)));
        } else {
            lab.deliver(tcp(flags, BOB.port(80), external));
        }
        lab.wait_secs(TRANSITORY - 1);
        lab.deliver(tcp(".", BOB.port(80), external));
        lab.wait_secs(2);
        gone(&mut lab, tcp(".", BOB.port(80), external));
    }
}

#[test]
fn rfc7857_c17_data_after_a_reset_passes_and_leaves_the_session_transitory() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.deliver(tcp("R", BOB.port(80), external));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
    lab.wait_secs(TRANSITORY + 1);
    gone(&mut lab, tcp(".", BOB.port(80), external));
}

#[test]
fn rfc7857_c18_a_syn_after_a_reset_begins_anew() {
    let mut lab = Lab::new();
    let before = connect(&mut lab).source();
    lab.deliver(tcp("R", BOB.port(80), before));
    assert_eq!(connect(&mut lab).source(), before);
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), before));
}

#[test]
fn rfc6146_c07_a_half_closed_connection_keeps_the_long_timer() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.wait_secs(3600);
    lab.deliver(tcp("P.", BOB.port(80), external).with_payload(1000));
    lab.wait_secs(ESTABLISHED - 3600 - 1);
    lab.deliver(tcp("P.", BOB.port(80), external).with_payload(1000));
}

#[test]
fn rfc5382_c08_one_syn_does_not_reopen_a_closed_connection() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("F.", BOB.port(80), external));
    lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    lab.wait_secs(TRANSITORY + 1);
    gone(&mut lab, tcp("S.", BOB.port(80), external));
}

#[test]
fn rfc5382_c09_a_syn_in_time_wait_reopens() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("F.", BOB.port(80), external));
    assert_eq!(connect(&mut lab).source(), external);
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_c10_a_challenge_ack_to_a_syn_passes_and_opens_nothing() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp(".", BOB.port(80), external));
    lab.wait_secs(TRANSITORY + 1);
    gone(&mut lab, tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_c23_retries_alone_do_not_keep_an_unanswered_session() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    for _ in 0..3 {
        lab.wait_secs(60);
        lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    }
    lab.wait_secs(61);
    gone(&mut lab, tcp("S.", BOB.port(80), external));
}

#[test]
fn rfc5382_c26_a_connection_is_picked_up_from_inside_after_a_restart() {
    let mut lab = Lab::new();
    let external = lab.send(tcp(".", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp(".", BOB.port(80), external));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_c26_a_reset_or_syn_ack_from_inside_begins_nothing() {
    let mut lab = Lab::new();
    for flags in ["R", "R.", "S."] {
        let verdict = lab.try_send(tcp(flags, ALICE.port(5000), BOB.port(80)));
        assert_eq!(verdict, Verdict::Drop(DropReason::NoSession));
    }
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc5382_c27_fin_ack_ack_reset_leaves_nothing_established() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp(".", BOB.port(80), external));
    lab.deliver(tcp(".", BOB.port(80), external));
    lab.send(tcp("R.", ALICE.port(5000), BOB.port(80)));
    lab.wait_secs(TRANSITORY + 1);
    gone(&mut lab, tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_c28_flags_that_no_connection_sends_are_dropped() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    for flags in ["", "FPU", "SF", "SF.", "SR", "F", "FR."] {
        lab.refuse(tcp(flags, BOB.port(80), external), DropReason::TcpFlags);
    }
}

#[test]
fn rfc5382_c25_unusual_but_valid_flags_pass_untouched() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.deliver(tcp("PU.", BOB.port(80), external));
    let mut ecn = tcp(".", BOB.port(80), external).changed(|bytes| bytes[33] |= 0xC0);
    ecn.fix_transport();
    lab.deliver(ecn);
}

#[test]
fn rfc5382_req4_c19_an_unsolicited_syn_is_dropped_silently() {
    let mut lab = Lab::new();
    lab.refuse(tcp("S", BOB.port(80), OUTSIDE.port(5000)), DropReason::NoMapping);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc5382_req4_of_a_syn_that_came_before_ours_nothing_is_ever_said() {
    // Given a mapping of ALICE's, when BOB's SYN comes before hers goes out, then hers opens the connection.
    let mut desk = Desk::new();
    let external = desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(80)))[0].packet.source();
    assert_eq!(desk.arrive(Side::Wan, &tcp("S", BOB.port(80), external)), []);
    assert_eq!(desk.wait(Duration::from_secs(3)), []);
    let ours = desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), BOB.port(80)));
    assert_eq!((ours.len(), ours[0].packet.source()), (1, external));
    assert_eq!(desk.wait(Duration::from_secs(60)), []);
    let again = desk.arrive(Side::Wan, &tcp("S", BOB.port(80), external));
    assert_eq!(again[0].packet.destination(), ALICE.port(5000));
}

#[test]
fn rfc5382_req3_m11_filtering_lets_syns_in_as_configured() {
    let cases = [
        (Dependence::Endpoint, true, true),
        (Dependence::Address, true, false),
        (Dependence::AddressAndPort, false, false),
    ];
    for (filtering, same_address, other_address) in cases {
        let mut lab = Lab::with(|settings| settings.filtering = filtering.into());
        let external = connect(&mut lab).source();
        let mut passes = |packet: Packet| matches!(lab.try_deliver(packet), Verdict::Forward(_));
        assert_eq!(passes(tcp("S", BOB.port(9), external)), same_address, "{filtering:?}");
        assert_eq!(passes(tcp("S", CAROL.port(80), external)), other_address, "{filtering:?}");
    }
}

#[test]
fn rfc5382_m11_an_address_is_known_until_its_last_session_ends() {
    // Given two connections to one address, of which the first ends, then the second still vouches for the address.
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.deliver(tcp("R", BOB.port(80), external));
    lab.send(tcp("S", ALICE.port(5000), BOB.port(81)));
    lab.deliver(tcp("S.", BOB.port(81), external));
    lab.wait_secs(TRANSITORY + 100);
    assert_eq!(lab.engine.occupancy().sessions, 1);
    lab.deliver(tcp("S", BOB.port(99), external));
    lab.wait_secs(ESTABLISHED + 70);
    assert_eq!(lab.engine.occupancy().sessions, 0);
    gone(&mut lab, tcp("S", BOB.port(99), external));
}

#[test]
fn rfc5382_m13_only_a_syn_comes_in_through_a_forward() {
    let mut lab = Lab::with_forward();
    for flags in [".", "S.", "F.", "R", "P."] {
        lab.refuse(tcp(flags, BOB.port(4000), OUTSIDE.port(54321)), DropReason::NoSession);
    }
    let inside = lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(54321)));
    assert_eq!((inside.source(), inside.destination()), (BOB.port(4000), ALICE.port(80)));
}

#[test]
fn rfc5382_a06_a_forged_syn_through_a_forward_holds_a_session_for_minutes_only() {
    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(54321)));
    lab.send(tcp("S.", ALICE.port(80), BOB.port(4000)));
    lab.wait_secs(TRANSITORY + 2);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn forwards_answer_with_the_external_port() {
    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(54321)));
    let reply = lab.send(tcp("S.", ALICE.port(80), BOB.port(4000)));
    assert_eq!((reply.source(), reply.destination()), (OUTSIDE.port(54321), BOB.port(4000)));
}

#[test]
fn forwards_keep_the_external_port_for_what_their_host_sends_itself() {
    let mut lab = Lab::with_forward();
    let out = lab.send(tcp("S", ALICE.port(80), CAROL.port(25)));
    assert_eq!(out.source(), OUTSIDE.port(54321));
    assert_ne!(lab.send(tcp("S", DAVE.port(80), CAROL.port(25))).source(), OUTSIDE.port(54321));
}

#[test]
fn forwards_of_a_range_keep_the_offset() {
    let mut lab = Lab::with_range(Protocols::Tcp, 5000..=5099, DAVE.port(8000));
    for port in [5000, 5001, 5099] {
        let inside = lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(port)));
        assert_eq!(inside.destination(), DAVE.port(port + 3000));
    }
    for port in [4999, 5100] {
        lab.refuse(tcp("S", BOB.port(4000), OUTSIDE.port(port)), DropReason::NoMapping);
    }
}

#[test]
fn forwards_of_one_protocol_leave_the_other_alone() {
    let mut lab = Lab::with_range(Protocols::Udp, 53..=53, DAVE.port(53));
    lab.refuse(tcp("S", BOB.port(4000), OUTSIDE.port(53)), DropReason::NoMapping);
    assert_eq!(
        lab.deliver(sekisho_tests::udp(BOB.port(4000), OUTSIDE.port(53))).destination(),
        DAVE.port(53)
    );
}

#[test]
fn two_forwards_cannot_lead_one_remote_endpoint_to_one_internal_endpoint() {
    let mut lab = Lab::with(|settings| {
        for port in [8080_u16, 8081] {
            let port = port.try_into().unwrap();
            let external = napt::PortRange::new(port, port).unwrap();
            let internal = napt::Endpoint::new(ALICE.0, 80);
            settings.forwards.push(napt::Forward { protocols: Protocols::Tcp, external, internal }).unwrap();
        }
    });
    lab.deliver(tcp("S", BOB.port(4000), OUTSIDE.port(8080)));
    lab.refuse(tcp("S", BOB.port(4000), OUTSIDE.port(8081)), DropReason::Ambiguous);
    lab.deliver(tcp("S", BOB.port(4001), OUTSIDE.port(8081)));
}

#[test]
fn rfc5382_req8_h02_hairpin_through_a_forward() {
    let mut lab = Lab::with_forward();
    let seen = lab.hairpin(tcp("S", DAVE.port(5000), OUTSIDE.port(54321)));
    assert_eq!(seen.destination(), ALICE.port(80));
    assert_eq!(*seen.source().ip(), OUTSIDE.0);
    let reply = lab.hairpin(tcp("S.", ALICE.port(80), seen.source()));
    assert_eq!((reply.source(), reply.destination()), (OUTSIDE.port(54321), DAVE.port(5000)));
    lab.hairpin(tcp(".", DAVE.port(5000), OUTSIDE.port(54321)));
    lab.wait_secs(ESTABLISHED - 1);
    lab.hairpin(tcp(".", DAVE.port(5000), OUTSIDE.port(54321)));
}

#[test]
fn rfc5382_h02_a_hairpinned_connection_begins_with_a_syn() {
    let mut lab = Lab::with_forward();
    let verdict = lab.try_send(tcp(".", DAVE.port(5000), OUTSIDE.port(54321)));
    assert_eq!(verdict, Verdict::Drop(DropReason::NoSession));
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc5382_req10_no_icmp_error_ends_a_connection() {
    let mut lab = Lab::new();
    let out = connect(&mut lab);
    for code in [2, 3, 4] {
        lab.deliver(error(3, code, CAROL.0, &out));
    }
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), out.source()));
}

#[test]
fn rfc5382_req9_i04_every_code_of_destination_unreachable_is_translated() {
    let mut lab = Lab::new();
    let syn = connect(&mut lab);
    for code in 0..=15 {
        let inside = lab.deliver(error(3, code, CAROL.0, &syn));
        assert_eq!(inside.transport()[..2], [3, code]);
        assert_eq!(inside.quoted().source(), ALICE.port(5000));
    }
}

/// Opens a connection from ALICE's port 5000 to BOB's port 80; its SYN as seen outside.
#[track_caller]
fn connect(lab: &mut Lab) -> Packet {
    let syn = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("S.", BOB.port(80), syn.source()));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
    syn
}

/// Asserts that a packet from outside finds no session any more.
#[track_caller]
fn gone(lab: &mut Lab, packet: Packet) {
    let verdict = lab.try_deliver(packet);
    assert!(matches!(verdict, Verdict::Drop(DropReason::NoMapping | DropReason::Filtered)), "{verdict:?}");
}

#[test]
fn rfc5382_req2_c04_a_syn_ack_may_be_repeated_once_and_twice() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("P.", BOB.port(80), external).with_payload(10));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external));
}

#[test]
fn rfc5382_req2_c05_either_side_closes_first_or_both_at_once() {
    let mut lab = Lab::new();
    for closes in ["inside first", "outside first", "both at once"] {
        let external = connect(&mut lab).source();
        let fin_out = || tcp("F.", ALICE.port(5000), BOB.port(80));
        let fin_in = || tcp("F.", BOB.port(80), external);
        let (last_out, last_in) = match closes {
            "inside first" => (lab.send(fin_out()), lab.deliver(fin_in().ack(1002))),
            "outside first" => {
                let first = lab.deliver(fin_in());
                (lab.send(fin_out().ack(1002)), first)
            }
            _ => (lab.send(fin_out()), lab.deliver(fin_in())),
        };
        assert_eq!((last_out.source(), last_in.destination()), (external, ALICE.port(5000)), "{closes}");
        lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).seq(1002).ack(1002));
        lab.deliver(tcp(".", BOB.port(80), external).seq(1002).ack(1002));
        lab.wait_secs(TRANSITORY + 2);
        assert_eq!(lab.engine.occupancy().sessions, 0, "{closes}");
    }
}

#[test]
fn rfc5382_req2_c06_fins_and_acks_may_be_repeated_after_the_close() {
    let mut lab = Lab::new();
    let external = connect(&mut lab).source();
    lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)));
    lab.deliver(tcp("F.", BOB.port(80), external).ack(1002));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).seq(1002).ack(1002));
    for _ in 0..3 {
        lab.deliver(tcp("F.", BOB.port(80), external).ack(1002));
        lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).seq(1002).ack(1002));
        lab.send(tcp("F.", ALICE.port(5000), BOB.port(80)).ack(1002));
        lab.deliver(tcp(".", BOB.port(80), external).seq(1002).ack(1002));
    }
}
