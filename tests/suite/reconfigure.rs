//! Other settings while the box works: what they do not touch lives on, what they do ends at once (X05 to X07).

use napt::{Dependence, DropReason, Protocols, Realm, Settings, Tables, Verdict};
use router::Side;
use sekisho_tests::{
    ALICE, BOB, Bench, CAROL, DAVE, Desk, Host, INSIDE, Lab, OUTSIDE, Packet, range, tcp, udp,
};

const IN: Verdict = Verdict::Forward(Realm::Internal);
const OUT: Verdict = Verdict::Forward(Realm::External);
const ELSEWHERE: Host = Host(std::net::Ipv4Addr::new(203, 0, 113, 77));

/// Applies changed settings to an engine.
fn change(lab: &mut Lab, change: impl FnOnce(&mut Settings)) {
    let mut settings = lab.engine.settings().clone();
    change(&mut settings);
    let now = lab.now();
    lab.engine.reconfigure(now, settings);
}

fn forward(settings: &mut Settings, external: u16, internal: std::net::SocketAddrV4) {
    let internal = napt::Endpoint::new(*internal.ip(), internal.port());
    let external = range(external, external);
    settings.forwards.push(napt::Forward { protocols: Protocols::Both, external, internal }).unwrap();
}

fn connect(lab: &mut Lab) -> std::net::SocketAddrV4 {
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S.", BOB.port(80), external));
    external
}

#[test]
fn x05_without_an_address_nothing_leaves_and_nothing_comes_in() {
    let mut lab = Lab::with(|settings| {
        settings.external = None;
        forward(settings, 8080, ALICE.port(80));
    });
    assert_eq!(lab.try_send(udp(ALICE.port(5000), BOB.port(53))), Verdict::Drop(DropReason::NoAddress));
    let unspecified = Host(std::net::Ipv4Addr::UNSPECIFIED);
    for to in [OUTSIDE, unspecified, ALICE] {
        lab.refuse(tcp("S", BOB.port(1), to.port(8080)), DropReason::NotOurs);
    }
    change(&mut lab, |settings| settings.external = Some(OUTSIDE.0));
    connect(&mut lab);
}

#[test]
fn x06_v1_another_address_ends_all_and_nothing_leaves_with_the_old_one() {
    let mut lab = Lab::without_shares();
    let before: Vec<_> =
        (0..250).map(|n| lab.send(udp(ALICE.port(2000 + n), BOB.port(53))).source()).collect();
    let connection = connect(&mut lab);
    change(&mut lab, |settings| settings.external = Some(ELSEWHERE.0));
    assert_eq!((lab.engine.occupancy().sessions, lab.engine.occupancy().mappings), (0, 0));
    for external in before {
        lab.refuse(udp(BOB.port(53), external), DropReason::NotOurs);
        lab.refuse(udp(BOB.port(53), ELSEWHERE.port(external.port())), DropReason::NoMapping);
    }
    lab.refuse(tcp(".", BOB.port(80), ELSEWHERE.port(connection.port())), DropReason::NoMapping);
    // The whole table can be used at once, and all of it has the new address.
    for n in 0..256 {
        let (verdict, out) = lab.translate(Realm::Internal, &udp(DAVE.port(2000 + n), BOB.port(53)));
        assert_eq!((verdict, *out.source().ip()), (Verdict::Forward(Realm::External), ELSEWHERE.0));
    }
}

#[test]
fn x06_fragments_under_way_do_not_leave_with_the_old_address() {
    let mut lab = Lab::new();
    let pieces = udp(ALICE.port(5000), BOB.port(53)).with_payload(1300).fragments(400);
    lab.send(pieces[0].clone());
    change(&mut lab, |settings| settings.external = Some(ELSEWHERE.0));
    assert_eq!(lab.try_send(pieces[1].clone()), Verdict::Hold);
}

#[test]
fn x07_what_other_settings_do_not_touch_lives_on() {
    let mut lab = Lab::with(|settings| forward(settings, 8080, DAVE.port(80)));
    let connection = connect(&mut lab);
    lab.deliver(tcp("S", CAROL.port(1), OUTSIDE.port(8080)));
    change(&mut lab, |settings| {
        forward(settings, 9090, DAVE.port(90));
        settings.timers.udp *= 2;
    });
    lab.deliver(tcp(".", BOB.port(80), connection));
    assert_eq!(lab.send(tcp("S.", DAVE.port(80), CAROL.port(1))).source(), OUTSIDE.port(8080));
    assert_eq!(lab.engine.forward_hits().map(|hits| hits.count).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(lab.engine.forwards_half_open().collect::<Vec<_>>(), [1, 0]);
    lab.wait_secs(7439);
    lab.deliver(tcp(".", BOB.port(80), connection));
}

#[test]
fn x07_the_same_settings_change_nothing() {
    let mut lab = Lab::with(|settings| forward(settings, 8080, DAVE.port(80)));
    let connection = connect(&mut lab);
    let before = lab.engine.occupancy();
    change(&mut lab, |_| ());
    assert_eq!(lab.engine.occupancy(), before);
    lab.deliver(tcp(".", BOB.port(80), connection));
}

#[test]
fn x07_a_forward_that_is_removed_or_leads_elsewhere_loses_its_sessions() {
    for target in [None, Some(ALICE.port(80)), Some(DAVE.port(81))] {
        let mut lab = Lab::with(|settings| forward(settings, 8080, DAVE.port(80)));
        lab.deliver(tcp("S", CAROL.port(1), OUTSIDE.port(8080)));
        lab.send(tcp("S.", DAVE.port(80), CAROL.port(1)));
        change(&mut lab, |settings| {
            settings.forwards = napt::Forwards::default();
            target.into_iter().for_each(|target| forward(settings, 8080, target));
        });
        assert_ne!(lab.try_deliver(tcp(".", CAROL.port(1), OUTSIDE.port(8080))), IN, "{target:?}");
        assert_eq!(lab.engine.occupancy().sessions, 0);
    }
}

/// The record of a connection that vouches for others stays until they end, cut or not: it still fills a place, which
/// the oracle did not expect.
#[test]
fn x07_a05_a_connection_that_is_cut_keeps_its_place_while_others_rest_on_it() {
    let mut tables = Tables::<8>::new();
    let mut settings = Settings::new(OUTSIDE.0);
    settings.mapping = Dependence::Address.into();
    settings.filtering = Dependence::AddressAndPort.into();
    forward(&mut settings, 8080, ALICE.port(80));
    let remaining = settings.clone();
    forward(&mut settings, 8081, ALICE.port(80));
    let mut bench = Bench::new(&mut tables, &settings, true);
    let mut judge = |from, packet| bench.translate(from, &packet).unwrap().0;
    for (from, to) in [(BOB.port(1), OUTSIDE.port(8081)), (BOB.port(2), OUTSIDE.port(8080))] {
        assert_eq!(judge(Realm::External, tcp("S", from, to)), IN);
        assert_eq!(judge(Realm::Internal, tcp("S.", ALICE.port(80), from)), OUT);
        assert_eq!(judge(Realm::External, tcp(".", from, to)), IN);
    }
    for port in 5000..5005 {
        assert_eq!(judge(Realm::Internal, udp(DAVE.port(port), BOB.port(53))), OUT);
    }
    bench.reconfigure(remaining).unwrap();
    assert_eq!(bench.engine.occupancy().sessions, 6);
    let (verdict, _) =
        bench.translate(Realm::External, &tcp("S", CAROL.port(1), OUTSIDE.port(8080))).unwrap();
    assert_eq!(verdict, Verdict::Drop(DropReason::Reserve));
}

#[test]
fn x07_m19_a_new_forward_takes_its_port_from_whoever_has_it() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_001));
    let of_alice = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let of_dave = lab.send(udp(DAVE.port(5001), BOB.port(53))).source();
    change(&mut lab, |settings| forward(settings, of_alice.port(), CAROL.port(1)));
    assert_ne!(lab.deliver(udp(BOB.port(53), of_alice)).destination(), ALICE.port(5000));
    lab.deliver(udp(BOB.port(53), of_dave));
    assert!(matches!(lab.try_send(udp(ALICE.port(5000), BOB.port(53))), Verdict::Reject(_)));
}

#[test]
fn x07_a_host_that_gets_a_forward_has_one_external_port_only() {
    let mut lab = Lab::new();
    let before = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    change(&mut lab, |settings| forward(settings, 8080, ALICE.port(5000)));
    assert_ne!(lab.try_deliver(udp(BOB.port(53), before)), IN);
    assert_eq!(lab.send(udp(ALICE.port(5000), BOB.port(53))).source(), OUTSIDE.port(8080));
}

/// With ports preserved, sessions on the others lived on, and their ports were given again when they had cooled down.
#[test]
fn x07_ports_that_are_no_longer_ours_to_give_are_given_up() {
    for preserve in [false, true] {
        let mut lab = Lab::with(|settings| {
            (settings.ports, settings.preserve_ports) = (range(40_000, 40_099), preserve);
        });
        let outs: Vec<_> =
            (0..50).map(|n| lab.send(udp(ALICE.port(2000 + n), BOB.port(53))).source()).collect();
        change(&mut lab, |settings| settings.ports = range(40_000, 40_049));
        for external in outs {
            let passes = lab.try_deliver(udp(BOB.port(53), external)) == IN;
            assert_eq!(passes, external.port() < 40_050, "{external}");
        }
        for n in 0..100 {
            let (verdict, out) = lab.translate(Realm::Internal, &udp(DAVE.port(2000 + n), BOB.port(53)));
            assert!(verdict != Verdict::Forward(Realm::External) || out.source().port() < 40_050);
        }
    }
}

#[test]
fn x07_other_behaviours_end_the_sessions_that_were_made_by_the_old() {
    let mut lab = Lab::new();
    let udp_external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    let connection = connect(&mut lab);
    change(&mut lab, |settings| settings.mapping.udp = Dependence::AddressAndPort);
    assert_ne!(lab.try_deliver(udp(BOB.port(53), udp_external)), IN);
    lab.deliver(tcp(".", BOB.port(80), connection));
    let [first, second] = [53, 54].map(|port| lab.send(udp(ALICE.port(5000), BOB.port(port))).source());
    assert_ne!(first, second);
}

#[test]
fn x07_cool_down_survives_other_settings() {
    let mut lab = Lab::with(|settings| settings.ports = range(40_000, 40_001));
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(310);
    change(&mut lab, |settings| settings.timers.icmp *= 2);
    let other = lab.send(udp(DAVE.port(6000), BOB.port(53))).source();
    assert_ne!(other, external);
}

#[test]
fn x06_a_router_that_changes_its_wan_address_says_so_and_starts_afresh() {
    let mut desk = Desk::new();
    let before = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].packet.source();
    desk.reconfigure(&Desk::configuration().replace("203.0.113.254/24", "203.0.113.77/24"));
    assert!(desk.arrive(Side::Wan, &udp(BOB.port(53), before)).is_empty());
    let after = &desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0];
    assert_eq!((after.side, *after.packet.source().ip()), (Side::Wan, ELSEWHERE.0));
    assert!(desk.adds_up());
}

#[test]
fn x07_a_router_that_changes_its_lan_keeps_nothing_of_the_old_one() {
    let mut desk = Desk::new();
    let before = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].packet.source();
    let elsewhere = Desk::configuration()
        .replace("192.0.2.254/24", "10.0.0.254/24")
        .replace("192.0.2.1:54321", "10.0.0.1:54321");
    desk.reconfigure(&elsewhere);
    assert!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))).is_empty());
    assert!(desk.arrive(Side::Wan, &udp(BOB.port(53), before)).is_empty());
    assert_ne!(INSIDE.0, std::net::Ipv4Addr::new(10, 0, 0, 254));
    assert!(desk.adds_up());
}

#[test]
fn x07_a_router_that_changes_its_own_address_on_the_lan_keeps_the_hosts_there() {
    for own in ["192.0.2.253/24", "192.0.2.254/23", "192.0.3.1/23"] {
        let mut desk = Desk::new();
        let before = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].packet.source();
        let config = Desk::configuration().replace("192.0.2.254/24", own);
        assert_eq!(desk.router.ended_by(desk.now(), &provision::compile(&config, "own.toml").unwrap()), 0);
        desk.reconfigure(&config);
        let back = desk.arrive(Side::Wan, &udp(BOB.port(53), before));
        assert_eq!(back.first().map(|seen| seen.packet.destination()), Some(ALICE.port(5000)), "{own}");
        assert!(desk.adds_up());
    }
    // Fewer addresses may be without some of the hosts.
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    desk.reconfigure(&Desk::configuration().replace("192.0.2.254/24", "192.0.2.2/25"));
    assert_eq!(desk.router.sessions(desk.now()).count(), 0);
}

#[test]
fn x07_a_router_that_gets_another_forward_goes_on() {
    let mut desk = Desk::new();
    let seen = desk.arrive(Side::Lan, &tcp("S", ALICE.port(5000), BOB.port(80)));
    let external = seen[0].packet.source();
    desk.reconfigure(&Desk::configuration().replace("54321\"\ninternal", "8080\"\ninternal"));
    let back: Vec<Packet> = desk
        .arrive(Side::Wan, &tcp("S.", BOB.port(80), external))
        .into_iter()
        .map(|seen| seen.packet)
        .collect();
    assert_eq!(back[0].destination(), ALICE.port(5000));
    assert!(desk.arrive(Side::Wan, &tcp("S", BOB.port(9), OUTSIDE.port(54321))).is_empty());
    assert_eq!(desk.arrive(Side::Wan, &tcp("S", BOB.port(9), OUTSIDE.port(8080))).len(), 1);
}
