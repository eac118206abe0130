//! RFC 4787, requirement by requirement: UDP behaviour of a NAT.

use napt::{Dependence, DropReason, Protocols, RejectReason, Verdict};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Host, Lab, OUTSIDE, error, range, tcp, udp};

#[test]
fn rfc4787_req1_m01_mapping_is_endpoint_independent() {
    let mut lab = Lab::new();
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let second = lab.send(udp(ALICE.port(5000), CAROL.port(53)));
    assert_eq!(first.source(), second.source());
}

#[test]
fn rfc4787_req1_m02_mapping_is_independent_of_the_remote_port() {
    let mut lab = Lab::new();
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let second = lab.send(udp(ALICE.port(5000), BOB.port(99)));
    assert_eq!(first.source(), second.source());
}

#[test]
fn rfc4787_m16_mapping_stays_for_later_packets() {
    let mut lab = Lab::new();
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for _ in 0..10 {
        lab.wait_secs(299);
        assert_eq!(lab.send(udp(ALICE.port(5000), BOB.port(53))).source(), first.source());
    }
}

#[test]
fn rfc4787_address_dependent_mapping_is_one_per_address() {
    let mut lab = Lab::with(|settings| settings.mapping = Dependence::Address.into());
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let same = lab.send(udp(ALICE.port(5000), BOB.port(99)));
    let other = lab.send(udp(ALICE.port(5000), CAROL.port(53)));
    assert_eq!(first.source(), same.source());
    assert_ne!(first.source(), other.source());
}

#[test]
fn rfc4787_address_dependent_mapping_is_one_per_address_for_tcp_too() {
    let mut lab = Lab::with(|settings| settings.mapping = Dependence::Address.into());
    let first = lab.send(tcp("S", ALICE.port(5000), BOB.port(53)));
    let same = lab.send(tcp("S", ALICE.port(5000), BOB.port(99)));
    let other = lab.send(tcp("S", ALICE.port(5000), CAROL.port(53)));
    assert_eq!(first.source(), same.source());
    assert_ne!(first.source(), other.source());
}

#[test]
fn rfc4787_address_and_port_dependent_mapping_is_one_per_endpoint() {
    let mut lab = Lab::with(|settings| settings.mapping = Dependence::AddressAndPort.into());
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let other = lab.send(udp(ALICE.port(5000), BOB.port(99)));
    assert_ne!(first.source(), other.source());
    assert_eq!(first.source(), lab.send(udp(ALICE.port(5000), BOB.port(53))).source());
}

#[test]
fn rfc4787_req3_m05_internal_endpoints_never_share_an_external_port() {
    let mut lab = Lab::new();
    let alice = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let dave = lab.send(udp(DAVE.port(5000), BOB.port(53)));
    assert_ne!(alice.source(), dave.source());
}

#[test]
fn rfc4787_req3a_m08_ports_keep_their_class() {
    let mut lab = Lab::new();
    for port in [1, 500, 1023] {
        assert!((1..1024).contains(&lab.send(udp(ALICE.port(port), BOB.port(53))).source().port()));
    }
    for port in [1024, 5000, 65535] {
        assert!(lab.send(udp(ALICE.port(port), BOB.port(53))).source().port() >= 1024);
    }
}

#[test]
fn rfc4787_req3a_a_range_without_low_ports_serves_low_ports_too() {
    let mut lab = Lab::with(|settings| settings.ports = range(1024, 65535));
    assert!(lab.send(udp(ALICE.port(500), BOB.port(500))).source().port() >= 1024);
}

#[test]
fn rfc4787_req4_m07_ports_keep_their_parity() {
    let mut lab = Lab::new();
    for port in 6000..6100 {
        assert_eq!(lab.send(udp(ALICE.port(port), BOB.port(53))).source().port() % 2, port % 2);
    }
}

#[test]
fn rfc4787_m09_edge_ports() {
    let mut lab = Lab::new();
    for port in [1, 1023, 1024, 65535] {
        let out = lab.send(udp(ALICE.port(port), BOB.port(port)));
        assert_eq!(lab.deliver(udp(BOB.port(port), out.source())).destination(), ALICE.port(port));
    }
    assert_eq!(lab.try_send(udp(ALICE.port(0), BOB.port(1))), Verdict::Drop(DropReason::PortZero));
    assert_eq!(lab.try_send(udp(ALICE.port(1), BOB.port(0))), Verdict::Drop(DropReason::PortZero));
}

#[test]
fn rfc4787_ports_stay_within_the_configured_range() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_099));
    for port in 2000..2100 {
        let out = lab.send(udp(ALICE.port(port), BOB.port(53)));
        assert!((40_000..=40_099).contains(&out.source().port()));
    }
}

#[test]
fn rfc7857_s5_m10_udp_and_tcp_mappings_are_independent() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_000));
    let datagram = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let segment = lab.send(tcp("S", DAVE.port(5000), BOB.port(53)));
    assert_eq!(datagram.source(), segment.source());
    assert_eq!(lab.deliver(udp(BOB.port(53), datagram.source())).destination(), ALICE.port(5000));
    assert_eq!(lab.deliver(tcp("S.", BOB.port(53), segment.source())).destination(), DAVE.port(5000));
}

#[test]
fn rfc4787_req5_t01_udp_lives_for_its_idle_time_and_not_longer() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(299);
    lab.deliver(udp(BOB.port(53), out.source()));
    lab.wait_secs(2);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc4787_req6_t11_outbound_refreshes() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(299);
    lab.deliver(udp(BOB.port(53), out.source()));
}

#[test]
fn rfc4787_req6_t12_inbound_does_not_refresh() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    lab.deliver(udp(BOB.port(53), out.source()));
    lab.wait_secs(101);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc4787_t14_timers_survive_the_wrap_of_32_bit_milliseconds() {
    let mut lab = Lab::new();
    lab.wait(std::time::Duration::from_millis((1 << 32) - 1_000_000 - 10_000));
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(299);
    lab.deliver(udp(BOB.port(53), out.source()));
    lab.wait_secs(2);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc4787_t15_expiry_needs_no_packet() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(302);
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc4787_req8_m11_endpoint_independent_filtering_lets_anybody_in() {
    let mut lab = Lab::with(|settings| settings.filtering = Dependence::Endpoint.into());
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    assert_eq!(lab.deliver(udp(CAROL.port(9), out.source())).destination(), ALICE.port(5000));
}

#[test]
fn rfc4787_req8_m11_address_dependent_filtering_lets_known_addresses_in() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    assert_eq!(lab.deliver(udp(BOB.port(9), out.source())).destination(), ALICE.port(5000));
    lab.refuse(udp(CAROL.port(53), out.source()), DropReason::Filtered);
}

#[test]
fn rfc4787_req8_m11_address_and_port_dependent_filtering_lets_known_endpoints_in() {
    let mut lab = Lab::with(|settings| settings.filtering = Dependence::AddressAndPort.into());
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.deliver(udp(BOB.port(53), out.source()));
    lab.refuse(udp(BOB.port(9), out.source()), DropReason::Filtered);
    lab.refuse(udp(CAROL.port(53), out.source()), DropReason::Filtered);
}

#[test]
fn rfc4787_m13_m14_what_is_not_let_in_makes_no_state_and_refreshes_nothing() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    let before = lab.engine.occupancy();
    lab.refuse(udp(CAROL.port(53), out.source()), DropReason::Filtered);
    lab.refuse(udp(CAROL.port(53), OUTSIDE.port(9)), DropReason::NoMapping);
    assert_eq!(lab.engine.occupancy(), before);
    lab.wait_secs(101);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc4787_m12_an_address_that_is_not_ours_is_not_matched() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.refuse(udp(BOB.port(53), ALICE.port(5000)), DropReason::NotOurs);
}

#[test]
fn rfc4787_req9_h01_h03_hairpin_shows_the_external_source() {
    let mut lab = Lab::new();
    let dave = lab.send(udp(DAVE.port(7000), BOB.port(53))).source();
    let alice = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let seen = lab.hairpin(udp(ALICE.port(5000), dave));
    assert_eq!((seen.source(), seen.destination()), (alice, DAVE.port(7000)));
}

#[test]
fn rfc4787_req9_h08_hairpin_replies_are_translated_alike() {
    let mut lab = Lab::new();
    let dave = lab.send(udp(DAVE.port(7000), BOB.port(53))).source();
    let seen = lab.hairpin(udp(ALICE.port(5000), dave));
    let reply = lab.hairpin(udp(DAVE.port(7000), seen.source()));
    assert_eq!((reply.source(), reply.destination()), (dave, ALICE.port(5000)));
}

#[test]
fn rfc4787_h06_a_host_that_hairpins_to_itself_gets_its_packet_once() {
    let mut lab = Lab::new();
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let seen = lab.hairpin(udp(ALICE.port(5000), external));
    assert_eq!((seen.source(), seen.destination()), (external, ALICE.port(5000)));
}

#[test]
fn rfc4787_req9_hairpin_needs_a_mapping_to_lead_to() {
    let mut lab = Lab::new();
    let verdict = lab.try_send(udp(ALICE.port(5000), OUTSIDE.port(7000)));
    assert_eq!(verdict, Verdict::Drop(DropReason::NoMapping));
    assert_eq!(lab.engine.occupancy().sessions, 0);
}

#[test]
fn rfc4787_req12_an_icmp_error_ends_no_mapping() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for code in [0, 1, 2, 3, 4, 13] {
        lab.deliver(error(3, code, CAROL.0, &out));
    }
    lab.deliver(udp(BOB.port(53), out.source()));
}

#[test]
fn rfc4787_req12_i13_no_icmp_message_of_any_kind_ends_a_mapping() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for kind in 0..=255 {
        let _ = lab.try_deliver(error(kind, 0, CAROL.0, &out));
    }
    assert_eq!(lab.deliver(udp(BOB.port(53), out.source())).destination(), ALICE.port(5000));
    assert_eq!(lab.send(udp(ALICE.port(5000), CAROL.port(53))).source(), out.source());
}

#[test]
fn rfc6888_req8_m18_t10_a_released_port_cools_before_another_host_gets_it() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_003));
    let released = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(302);
    let mut next = || lab.send(udp(DAVE.port(next_port()), BOB.port(53))).source();
    assert!((0..3).all(|_| next() != released));
}

#[test]
fn rfc6888_req8_m18_its_own_endpoint_gets_a_cooling_port_back() {
    let mut lab = Lab::new();
    let released = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(400);
    assert_eq!(lab.send(udp(ALICE.port(5000), CAROL.port(53))).source(), released);
}

#[test]
fn rfc6888_req8_x01_an_exhausted_pool_takes_a_cooling_port() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_000));
    let released = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(302);
    assert_eq!(lab.send(udp(DAVE.port(5000), BOB.port(53))).source(), released);
}

#[test]
fn rfc4787_m19_ports_of_forwards_are_never_allocated() {
    let mut lab = Lab::with(|settings| {
        settings.ports = range(40_000, 40_003);
        let external = range(40_000, 40_002);
        let internal = napt::Endpoint::new(DAVE.0, 80);
        settings.forwards.push(napt::Forward { protocols: Protocols::Udp, external, internal }).unwrap();
    });
    assert_eq!(lab.send(udp(ALICE.port(5000), BOB.port(53))).source().port(), 40_003);
    let verdict = lab.try_send(udp(ALICE.port(5001), BOB.port(53)));
    assert_eq!(verdict, Verdict::Reject(RejectReason::PortsExhausted));
}

#[test]
fn rfc4787_m17_ports_are_spread_evenly() {
    // Given 16 buckets of the user ports, when 10,000 allocations fall into them, then chi-square stays below what
    // one run in a thousand exceeds (37.7 for 15 degrees of freedom).
    let mut counts = [0_u32; 16];
    let mut lab = Lab::new();
    for round in 0..10_000_u32 {
        let host = Host(std::net::Ipv4Addr::from_bits(ALICE.0.to_bits() + round % 200));
        let port = lab.send(udp(host.port(2000 + (round / 200) as u16), BOB.port(53))).source().port();
        counts[usize::from((port - 1024) / 4032)] += 1;
        if round % 200 == 199 {
            lab.wait_secs(500);
        }
    }
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - 625.0).powi(2) / 625.0).sum();
    assert!(chi < 37.7, "{chi}: {counts:?}");
}

/// A range that is much smaller than the class: draws beyond it led to its first ports nearly always.
#[test]
fn rfc6056_m17_ports_of_a_narrow_range_are_spread_evenly() {
    let mut counts = [0_u32; 10];
    for seed in 0..40 {
        let mut lab = Lab::with_seed(&[seed; 32], |settings| settings.ports = range(50_000, 50_999));
        for n in 0..25 {
            let port = lab.send(udp(ALICE.port(2000 + 2 * n), BOB.port(53))).source().port();
            counts[usize::from((port - 50_000) / 100)] += 1;
        }
    }
    // By chance, one run in a thousand exceeds 27.9 for 9 degrees of freedom.
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - 100.0).powi(2) / 100.0).sum();
    assert!(chi < 27.9, "{chi}: {counts:?}");
}

/// Steps from one port to the next are as evenly spread as the ports, and another key takes other steps.
#[test]
fn rfc6056_m17_the_next_port_does_not_follow_from_the_last() {
    let ports = |seed: u8| -> Vec<u16> {
        let mut lab = Lab::with_seed(&[seed; 32], |_| ());
        (0..200).map(|n| lab.send(udp(ALICE.port(2000 + 2 * n), BOB.port(53))).source().port()).collect()
    };
    let mut counts = [0_u32; 8];
    for seed in 0..50 {
        for pair in ports(seed).windows(2) {
            counts[usize::from(pair[1].wrapping_sub(pair[0])) / 8192] += 1;
        }
    }
    // Two ports that are spread evenly over 63/64 of all numbers differ by any step, modulo 65,536, about as often. By
    // chance, one run in a thousand exceeds 24.3 for 7 degrees of freedom.
    let mean = f64::from(counts.iter().sum::<u32>()) / 8.0;
    let chi: f64 = counts.iter().map(|count| (f64::from(*count) - mean).powi(2) / mean).sum();
    assert!(chi < 24.3, "{chi}: {counts:?}");
    assert_ne!(ports(1), ports(2));
}

#[test]
fn rfc6888_req11_x01_exhausted_ports_refuse_new_flows_and_keep_old_ones() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_001));
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.send(udp(ALICE.port(5001), BOB.port(53)));
    let verdict = lab.try_send(udp(DAVE.port(5002), BOB.port(53)));
    assert_eq!(verdict, Verdict::Reject(RejectReason::PortsExhausted));
    lab.deliver(udp(BOB.port(53), first.source()));
}

#[test]
fn rfc6888_req11_x02_a_full_table_refuses_new_flows_and_keeps_old_ones() {
    let mut lab = Lab::without_shares();
    let outs: Vec<_> = (0..256).map(|n| lab.send(udp(ALICE.port(2000 + n), BOB.port(53)))).collect();
    let verdict = lab.try_send(udp(DAVE.port(5000), BOB.port(53)));
    assert_eq!(verdict, Verdict::Reject(RejectReason::TableFull));
    for (n, out) in (0..).zip(outs) {
        assert_eq!(lab.deliver(udp(BOB.port(53), out.source())).destination(), ALICE.port(2000 + n));
    }
}

#[test]
fn rfc6888_x04_expired_sessions_make_room() {
    let mut lab = Lab::without_shares();
    for round in 0..20 {
        for n in 0..256 {
            lab.send(udp(ALICE.port(2000 + round * 256 + n), BOB.port(53)));
        }
        lab.wait_secs(302);
    }
}

fn next_port() -> u16 {
    use std::sync::atomic::{AtomicU16, Ordering};
    static NEXT: AtomicU16 = AtomicU16::new(3000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn rfc4787_req5a_t02_a_well_known_destination_port_gets_no_shorter_timer() {
    for port in [53, 123, 1023] {
        let mut lab = Lab::new();
        let external = lab.send(udp(ALICE.port(5000), BOB.port(port))).source();
        lab.wait_secs(299);
        lab.deliver(udp(BOB.port(port), external));
    }
}

#[test]
fn rfc4787_req11_m15_behaviours_are_the_same_in_a_table_that_is_nearly_full() {
    let mut lab = Lab::without_shares();
    for n in 0..253 {
        lab.send(udp(DAVE.port(2000 + n), CAROL.port(53)));
    }
    let first = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let second = lab.send(udp(ALICE.port(5000), CAROL.port(99))).source();
    assert_eq!(first, second, "mapping is endpoint-independent");
    lab.deliver(udp(BOB.port(99), first));
    lab.refuse(udp(Host([198, 51, 100, 99].into()).port(53), first), DropReason::Filtered);
    let odd = lab.send(udp(ALICE.port(5001), BOB.port(53))).source();
    assert_eq!(odd.port() % 2, 1, "parity is kept");
}

#[test]
fn v5_an_external_endpoint_leads_to_one_internal_endpoint_and_back() {
    let mut lab = Lab::without_shares();
    let pairs: Vec<_> = (0..120)
        .flat_map(|n| [ALICE.port(2000 + n), DAVE.port(2000 + n)])
        .map(|internal| (internal, lab.send(udp(internal, BOB.port(53))).source()))
        .collect();
    for (internal, external) in &pairs {
        assert_eq!(pairs.iter().filter(|(_, other)| other == external).count(), 1);
        assert_eq!(lab.deliver(udp(BOB.port(53), *external)).destination(), *internal);
    }
}
