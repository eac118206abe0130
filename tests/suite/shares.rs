//! Who may have how much of the tables (RFC 6888 REQ-4, REQ-5, REQ-11; A5, A6), and the counters of it. The lab's
//! tables have room for 256 sessions: the last 32 are for hosts with fewer than two, a forward may have 16 half-open
//! ones, a source outside four.

use napt::{DropReason, Hits, HostUse, Protocols, Realm, RejectReason, Verdict};
use router::Side;
use sekisho_tests::{ALICE, BOB, DAVE, Desk, Host, Lab, OUTSIDE, range, tcp, udp};
use std::time::Duration;

const OUT: Verdict = Verdict::Forward(Realm::External);
const IN: Verdict = Verdict::Forward(Realm::Internal);
const OVER: Verdict = Verdict::Reject(RejectReason::HostShare);

fn remote(n: u16) -> Host {
    let [a, b] = n.to_be_bytes();
    Host([198, 51, a + 100, b].into())
}

fn internal(n: u16) -> Host {
    let [a, b] = n.to_be_bytes();
    Host([192, 0, a, b].into())
}

fn of(lab: &Lab, host: Host) -> HostUse {
    lab.engine.hosts().find(|of| of.address == host.0).unwrap()
}

#[test]
fn rfc6888_req4_x03_a_host_may_begin_as_many_sessions_as_the_settings_say() {
    let mut lab = Lab::with(|settings| settings.shares.each_host = Some(10));
    for n in 0..10 {
        lab.send(udp(ALICE.port(5000 + n), BOB.port(53)));
    }
    assert_eq!(lab.try_send(udp(ALICE.port(6000), BOB.port(53))), OVER);
    assert_eq!(lab.try_send(udp(ALICE.port(5000), BOB.port(53))), OUT, "what she has goes on");
    assert_eq!(lab.try_send(udp(DAVE.port(6000), BOB.port(53))), OUT);
    lab.wait_secs(301);
    assert_eq!(lab.try_send(udp(ALICE.port(6000), BOB.port(53))), OUT);
}

#[test]
fn rfc6888_req4_x03_the_reserve_gives_nobody_more_than_its_share() {
    let mut lab = Lab::with(|settings| settings.shares.each_host = Some(1));
    for n in 0..224 {
        lab.send(udp(internal(1000 + n).port(1), BOB.port(53)));
    }
    lab.send(udp(ALICE.port(1), BOB.port(53)));
    assert_eq!(lab.try_send(udp(ALICE.port(2), BOB.port(53))), OVER);
}

#[test]
fn a5_a_host_that_scans_the_world_leaves_room_for_others() {
    let mut lab = Lab::new();
    let idle = lab.send(tcp("S", DAVE.port(22), BOB.port(22))).source();
    lab.deliver(tcp("S.", BOB.port(22), idle));
    for n in 0..2000 {
        let verdict = lab.try_send(tcp("S", ALICE.port(5000 + n), remote(n).port(80)));
        assert_eq!(verdict == OUT, n < 223, "{n}");
    }
    assert_eq!(lab.engine.occupancy().sessions, 224);
    // DAVE has one already and may have one more; sixteen others may have two each, less his.
    assert_eq!(lab.try_send(udp(DAVE.port(5000), BOB.port(53))), OUT);
    assert_eq!(lab.try_send(udp(DAVE.port(5001), BOB.port(53))), OVER);
    for n in 0..15 {
        lab.send(udp(internal(1000 + n).port(1), BOB.port(53)));
        lab.send(udp(internal(1000 + n).port(2), BOB.port(53)));
    }
    lab.deliver(tcp(".", BOB.port(22), idle));
}

#[test]
fn rfc6888_req11_x02_the_last_session_of_all_is_refused_for_want_of_room() {
    let mut lab = Lab::without_shares();
    (0..256).for_each(|n| drop(lab.send(udp(ALICE.port(5000 + n), BOB.port(53)))));
    assert_eq!(lab.try_send(udp(DAVE.port(5000), BOB.port(53))), Verdict::Reject(RejectReason::TableFull));
}

#[test]
fn a6_sessions_from_outside_do_not_count_for_the_host_inside() {
    let mut lab = Lab::with_forward();
    lab.deliver(tcp("S", BOB.port(1), OUTSIDE.port(54321)));
    assert!(lab.engine.hosts().all(|of| of.address != ALICE.0));
}

#[test]
fn a6_a_source_may_have_four_half_open_sessions_and_a_forward_sixteen() {
    let mut lab = Lab::with_forward();
    let mut syn = |from: Host, port: u16| lab.try_deliver(tcp("S", from.port(port), OUTSIDE.port(54321)));
    assert!((0..4).all(|port| syn(BOB, 1000 + port) == IN));
    assert_eq!(syn(BOB, 2000), Verdict::Drop(DropReason::HalfOpen));
    assert!((0..12).all(|n| syn(remote(n), 1) == IN));
    assert_eq!(syn(remote(500), 1), Verdict::Drop(DropReason::HalfOpen));
    assert_eq!(syn(BOB, 1000), IN, "who is in may repeat");
    assert_eq!(lab.engine.forwards_half_open().next(), Some(16));
}

#[test]
fn a6_what_is_established_or_over_is_not_half_open() {
    let mut lab = Lab::with_forward();
    for port in 1000..1100 {
        lab.deliver(tcp("S", BOB.port(port), OUTSIDE.port(54321)));
        lab.send(tcp("S.", ALICE.port(80), BOB.port(port)));
        lab.deliver(tcp(".", BOB.port(port), OUTSIDE.port(54321)));
    }
    assert_eq!(lab.engine.forwards_half_open().next(), Some(0));
    for port in 2000..2004 {
        lab.deliver(tcp("S", BOB.port(port), OUTSIDE.port(54321)));
    }
    lab.wait_secs(241);
    lab.deliver(tcp("S", BOB.port(3000), OUTSIDE.port(54321)));
    assert_eq!(lab.engine.forwards_half_open().next(), Some(1));
}

#[test]
fn a6_a_refused_connection_stays_half_open_for_the_count() {
    let mut lab = Lab::with_forward();
    for port in 1000..1004 {
        lab.deliver(tcp("S", BOB.port(port), OUTSIDE.port(54321)));
        lab.send(tcp("R.", ALICE.port(80), BOB.port(port)));
    }
    lab.refuse(tcp("S", BOB.port(1004), OUTSIDE.port(54321)), DropReason::HalfOpen);
}

#[test]
fn a6_a_datagram_is_half_open_until_it_is_answered() {
    let mut lab = Lab::with_forward();
    for n in 0..16 {
        lab.deliver(udp(remote(n).port(1), OUTSIDE.port(54321)));
    }
    lab.refuse(udp(BOB.port(1), OUTSIDE.port(54321)), DropReason::HalfOpen);
    lab.send(udp(ALICE.port(80), remote(3).port(1)));
    lab.deliver(udp(BOB.port(1), OUTSIDE.port(54321)));
}

#[test]
fn a6_the_last_eighth_is_not_for_the_outside() {
    let mut lab = Lab::with(|settings| {
        settings.shares.half_open_each_source = Some(u32::MAX);
        settings.shares.half_open_each_forward = Some(u32::MAX);
        let internal = napt::Endpoint::new(ALICE.0, 80);
        let external = range(54321, 54321);
        settings.forwards.push(napt::Forward { protocols: Protocols::Tcp, external, internal }).unwrap();
    });
    for n in 0..224 {
        lab.deliver(tcp("S", remote(n).port(1), OUTSIDE.port(54321)));
    }
    lab.refuse(tcp("S", BOB.port(1), OUTSIDE.port(54321)), DropReason::Reserve);
    lab.send(tcp("S", DAVE.port(1), BOB.port(80)));
}

#[test]
fn x03_a_forward_counts_who_comes_from_inside_too_and_no_session_twice() {
    let mut lab = Lab::with_forward();
    for _ in 0..2 {
        assert_eq!(lab.try_send(tcp("S", DAVE.port(1), OUTSIDE.port(54321))), IN);
    }
    lab.deliver(tcp("S", BOB.port(1), OUTSIDE.port(54321)));
    let last = lab.now();
    assert_eq!(lab.engine.forward_hits().next(), Some(Hits { count: 2, bytes: 80, last: Some(last) }));
}

#[test]
fn x03_hosts_and_forwards_are_counted() {
    let mut lab = Lab::with_forward();
    for port in 0..5 {
        lab.send(udp(DAVE.port(5000 + port), BOB.port(53)));
    }
    lab.deliver(tcp("S", BOB.port(1), OUTSIDE.port(54321)));
    let last = lab.now();
    assert_eq!(lab.engine.forward_hits().next(), Some(Hits { count: 1, bytes: 40, last: Some(last) }));
    lab.wait_secs(301);
    lab.send(udp(DAVE.port(5000), BOB.port(53)));
    assert_eq!(of(&lab, DAVE), HostUse { address: DAVE.0, sessions: 1, most: 5 });
    assert_eq!((lab.engine.occupancy().sessions, lab.engine.occupancy().most), (1, 6));
}

#[test]
fn v6_v7_a_thousand_hosts_may_have_sessions_and_more_may_come_when_they_have_none() {
    let mut lab = Lab::without_shares();
    for round in 0..40 {
        for n in 0..256 {
            lab.send(udp(internal(round * 256 + n).port(1), BOB.port(53)));
        }
        assert_eq!(lab.engine.hosts().map(|of| of.sessions).sum::<u32>(), 256);
        lab.wait_secs(302);
    }
    assert_eq!(lab.engine.hosts().count(), napt::HOSTS);
}

/// Slots that only wait to be freed are not room for the outside.
#[test]
fn a06_who_is_outside_is_refused_in_silence_however_the_table_is_full() {
    let mut lab = Lab::with(|settings| {
        settings.shares.half_open_each_forward = Some(u32::MAX);
        settings.shares.half_open_each_source = Some(u32::MAX);
        let internal = napt::Endpoint::new(ALICE.0, 80);
        let external = range(54321, 54321);
        settings.forwards.push(napt::Forward { protocols: Protocols::Udp, external, internal }).unwrap();
    });
    let call = |lab: &mut Lab, n| lab.try_deliver(udp(remote(n).port(1), OUTSIDE.port(54321)));
    for n in 0..300 {
        let verdict = call(&mut lab, n);
        assert_eq!(verdict == Verdict::Forward(Realm::Internal), n < 224, "{n}: {verdict:?}");
    }
    // They have expired, but the wheel has not met them yet.
    lab.wait(Duration::from_secs(300));
    for n in 300..600 {
        let verdict = call(&mut lab, n);
        assert!(!matches!(verdict, Verdict::Reject(_)), "{n}: {verdict:?}");
    }
}

#[test]
fn x02_one_line_is_said_when_the_table_is_80_95_and_100_percent_full() {
    // Hosts with sixteen sessions each, until two of the last eighth are all that each may have.
    let mut desk = Desk::new();
    let mut said = Vec::new();
    let mut fill = |desk: &mut Desk, hosts: std::ops::Range<u8>, each: u16| {
        for (host, port) in hosts.flat_map(|host| (0..each).map(move |port| (host, 1000 + port))) {
            desk.arrive(Side::Lan, &udp(Host([192, 0, 2, host].into()).port(port), BOB.port(53)));
            said.extend(desk.router.poll_alarm().map(|alarm| (alarm.level, alarm.occupancy.sessions)));
        }
    };
    fill(&mut desk, 10..24, 16);
    fill(&mut desk, 100..120, 2);
    desk.wait(Duration::from_secs(310));
    assert_eq!(desk.router.poll_alarm(), None);
    fill(&mut desk, 10..24, 16);
    assert_eq!(said, [(80, 205), (95, 244), (100, 256), (80, 205)]);
}
