//! Every key of the configuration that says how the NAT behaves, and a whole box that behaves so.

use std::time::Duration;

use napt::{DropReason, RejectReason};
use router::Side;
use sekisho_tests::{
    ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, Packet, Seen, echo, echo_reply, raw, tcp, udp,
};

use crate::rfc1812::{complains, one};

const GRE: u8 = 47;

/// A desk with these lines behind the reference network's configuration.
fn with(lines: &str) -> Desk {
    Desk::with(&format!("{}{lines}", Desk::configuration()))
}

/// What ALICE's or DAVE's packet becomes outside.
#[track_caller]
fn out(desk: &mut Desk, packet: &Packet) -> Packet {
    one(desk.arrive(Side::Lan, packet)).packet
}

fn rejected(desk: &Desk, reason: RejectReason) -> u64 {
    desk.router.summary().engine[0].rejected[reason.index()]
}

#[test]
fn rfc4787_req1_m03_m04_mapping_is_as_configured_for_each_protocol() {
    let mut desk = with("[nat]\nmapping = { udp = \"address-and-port-dependent\" }");
    let mut shares = |make: fn(Host) -> Packet| {
        out(&mut desk, &make(BOB)).source() == out(&mut desk, &make(CAROL)).source()
    };
    assert!(shares(|to| tcp("S", ALICE.port(5000), to.port(80))));
    assert!(!shares(|to| udp(ALICE.port(5000), to.port(53))));
    assert!(shares(|to| echo(5000, ALICE.0, to.0)));
}

#[test]
fn rfc5382_req3b_m11_filtering_is_as_configured_for_each_protocol() {
    let mut desk =
        with("[nat]\nfiltering = { tcp = \"endpoint-independent\", icmp = \"endpoint-independent\" }");
    let connection = out(&mut desk, &tcp("S", ALICE.port(5000), BOB.port(80))).source();
    let socket = out(&mut desk, &udp(ALICE.port(5000), BOB.port(53))).source();
    let query = out(&mut desk, &echo(5000, ALICE.0, BOB.0)).source().port();
    one(desk.arrive(Side::Wan, &tcp("S", CAROL.port(80), connection)));
    assert_eq!(desk.arrive(Side::Wan, &udp(CAROL.port(53), socket)), []);
    one(desk.arrive(Side::Wan, &echo_reply(query, CAROL.0, OUTSIDE.0)));
}

#[test]
fn rfc4787_s421_a_port_is_preserved_where_that_is_free_if_the_configuration_asks() {
    let mut desk = with("[nat]\npreserve-ports = true");
    let external =
        [5000, 5001].map(|port| out(&mut desk, &udp(ALICE.port(port), BOB.port(53))).source().port());
    assert_eq!(external, [5000, 5001]);
    assert_ne!(out(&mut desk, &udp(DAVE.port(5000), BOB.port(53))).source().port(), 5000);
}

#[test]
fn p01_other_protocols_are_dropped_if_the_configuration_asks() {
    let gre = raw(GRE, ALICE.0, BOB.0, &[0; 24]);
    one(Desk::new().arrive(Side::Lan, &gre));
    let mut desk = with("[nat]\nother-protocols = false");
    assert_eq!(desk.arrive(Side::Lan, &gre), []);
    assert_eq!(desk.engine_dropped(Side::Lan, DropReason::Protocol), 1);
}

#[test]
fn r19_a_segment_size_is_left_alone_if_the_configuration_asks() {
    let syn = tcp("S", ALICE.port(5000), BOB.port(80)).with_tcp_options(&[2, 4, 0x05, 0xB4]);
    for (line, expected) in [("", 1360), ("[nat]\nclamp-mss = false", 1460)] {
        let mut desk = Desk::with_mtu(&format!("{}{line}", Desk::configuration()), [1500, 1400]);
        let size = out(&mut desk, &syn).transport()[22..24].to_vec();
        assert_eq!(u16::from_be_bytes([size[0], size[1]]), expected);
    }
}

#[test]
fn rfc6888_req4_x03_a_host_has_its_share() {
    let mut desk = with("[nat.shares]\nhost = 3");
    for port in 5000..5003 {
        out(&mut desk, &udp(ALICE.port(port), BOB.port(53)));
    }
    desk.arrive(Side::Lan, &udp(ALICE.port(5003), BOB.port(53)));
    assert_eq!(rejected(&desk, RejectReason::HostShare), 1);
    out(&mut desk, &udp(DAVE.port(5000), BOB.port(53)));
}

#[test]
fn a5_x03_a_host_has_what_it_is_guaranteed_when_hardly_any_sessions_are_left() {
    // The desk's table has room for 256, of which the last 32 are for hosts below what they are guaranteed.
    let mut desk = with("[nat.shares]\nguaranteed = 5");
    for port in 5000..5224 {
        out(&mut desk, &udp(ALICE.port(port), BOB.port(53)));
    }
    for port in 5000..5010 {
        desk.arrive(Side::Lan, &udp(DAVE.port(port), BOB.port(53)));
    }
    assert_eq!(desk.router.summary().occupancy.sessions, 229);
}

#[test]
fn a6_x03_half_open_sessions_have_their_shares() {
    let syn = |from: u16| tcp("S", CAROL.port(4000 + from), OUTSIDE.port(54321));
    for (line, expected) in [("half-open-source = 2", 2), ("half-open-forward = 3", 3)] {
        let mut desk = with(&format!("[nat.shares]\n{line}"));
        let passed = (0..10).filter(|from| !desk.arrive(Side::Wan, &syn(*from)).is_empty()).count();
        assert_eq!(passed, expected, "{line}");
        let another = tcp("S", BOB.port(4000), OUTSIDE.port(54321));
        assert_eq!(desk.arrive(Side::Wan, &another).len(), usize::from(expected == 2), "{line}");
    }
}

#[test]
fn p01_t08_other_protocols_idle_for_as_long_as_configured() {
    for (wait, passes) in [(10, true), (12, false)] {
        let mut desk = with("[timers]\nother = \"11s\"");
        out(&mut desk, &raw(GRE, ALICE.0, BOB.0, &[0; 24]));
        desk.wait(Duration::from_secs(wait));
        let back = desk.arrive(Side::Wan, &raw(GRE, BOB.0, OUTSIDE.0, &[0; 24]));
        assert_eq!(back.len(), usize::from(passes), "after {wait} s");
    }
}

#[test]
fn f14_fragments_may_come_for_as_long_as_configured() {
    for (lines, passes) in [("", true), ("[timers]\nfragment = \"2s\"", false)] {
        let mut desk = with(lines);
        let pieces = udp(ALICE.port(5000), BOB.port(53)).with_payload(1000).fragments(504);
        one(desk.arrive(Side::Lan, &pieces[0]));
        desk.wait(Duration::from_secs(3));
        assert_eq!(desk.arrive(Side::Lan, &pieces[1]).len(), usize::from(passes), "{lines}");
    }
}

/// What comes of the first flow that is refused, for each reason there is; and how often it was.
fn refusals(manner: &str) -> [(Vec<Seen>, u64); 3] {
    let cases = [
        (RejectReason::HostShare, "[nat.shares]\nhost = 1", 1),
        (RejectReason::PortsExhausted, "ports = 5000", 1),
        (RejectReason::TableFull, "[nat.shares]\nguaranteed = 256", 256),
    ];
    cases.map(|(reason, lines, flows)| {
        let mut desk = with(&format!("[nat]\n{manner}{lines}"));
        for port in 0..flows {
            out(&mut desk, &udp(ALICE.port(2000 + port), BOB.port(53)));
        }
        let seen = desk.arrive(Side::Lan, &udp(ALICE.port(1999), BOB.port(53)));
        assert!(desk.adds_up());
        assert_eq!(desk.router.summary().router[0].suppressed, 0);
        (seen, rejected(&desk, reason))
    })
}

#[test]
fn rfc5508_req8_i24_a_flow_that_may_not_begin_is_answered() {
    for (seen, count) in refusals("") {
        complains(&one(seen), Side::Lan, [3, 13], INSIDE, &udp(ALICE.port(1999), BOB.port(53)));
        assert_eq!(count, 1);
    }
}

#[test]
fn rfc5508_req8_s10_i24_a_flow_that_may_not_begin_is_refused_in_silence_if_the_configuration_asks() {
    for (seen, count) in refusals("refusals = \"silent\"\n") {
        assert_eq!(seen, []);
        assert_eq!(count, 1, "it is counted all the same");
    }
}

#[test]
fn rfc5508_req8_s72_silence_about_refusals_is_not_silence_about_all() {
    let mut desk = with("[nat]\nrefusals = \"silent\"");
    let expiring = udp(ALICE.port(5000), BOB.port(53)).with_ttl(1);
    complains(&one(desk.arrive(Side::Lan, &expiring)), Side::Lan, [11, 0], INSIDE, &expiring);
    let large = udp(ALICE.port(5000), BOB.port(53)).with_payload(1473).dont_fragment();
    complains(&one(desk.arrive(Side::Lan, &large)), Side::Lan, [3, 4], INSIDE, &large);
}

#[test]
fn x07_another_configuration_changes_the_manner_of_refusing_at_once() {
    let configuration =
        |manner| format!("{}[nat]\nports = 5000\nrefusals = \"{manner}\"", Desk::configuration());
    let mut desk = Desk::with(&configuration("answer"));
    out(&mut desk, &udp(ALICE.port(5000), BOB.port(53)));
    desk.reconfigure(&configuration("silent"));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5001), BOB.port(53))), []);
    desk.reconfigure(&configuration("answer"));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5001), BOB.port(53))).len(), 1);
}
