//! Filter rules: what may begin, who is told that it may not, and what it costs.

use std::time::Duration;

use napt::{DropReason, RejectReason};
use router::{Refusal, Side};
use sekisho_tests::{
    ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, Packet, Seen, echo, raw, tcp, udp,
};

use crate::rfc1812::{complains, one};

/// A desk whose router has these rules, each a table's inside.
fn desk(rules: &[&str]) -> Desk {
    let mut desk = Desk::with(&configuration(rules));
    // The gateway is known from here on; what becomes of the packet is nobody's business.
    desk.arrive(Side::Lan, &udp(DAVE.port(9), CAROL.port(9)));
    desk
}

fn configuration(rules: &[&str]) -> String {
    let rule =
        |(n, rule): (usize, &&str)| format!("[[rule]]\nname = \"{n}\"\n{}\n", rule.replace(", ", "\n"));
    rules.iter().enumerate().map(rule).fold(Desk::configuration().to_owned(), |all, rule| all + &rule)
}

/// Packets and bytes of each rule.
fn uses(desk: &Desk) -> Vec<(u64, u64)> {
    desk.router.rules().map(|(_, used)| (used.packets, used.bytes)).collect()
}

/// Asserts that nothing comes of a packet, and why.
#[track_caller]
fn dropped(desk: &mut Desk, side: Side, packet: &Packet) {
    let before = desk.engine_dropped(side, DropReason::Rule);
    assert_eq!(desk.arrive(side, packet), []);
    assert_eq!(desk.engine_dropped(side, DropReason::Rule), before + 1);
    assert!(desk.adds_up());
}

#[track_caller]
fn passes(desk: &mut Desk, side: Side, packet: &Packet) -> Seen {
    let seen = one(desk.arrive(side, packet));
    assert_ne!(seen.side, side);
    seen
}

const NO_MAIL: &str = r#"direction = "lan-to-wan", protocol = "tcp", port = 25, action = "drop""#;

#[test]
fn a_rule_stops_what_it_matches_and_nothing_else() {
    let mut desk = desk(&[NO_MAIL]);
    dropped(&mut desk, Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(25)));
    passes(&mut desk, Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(26)));
    passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(25)));
    passes(&mut desk, Side::Lan, &echo(25, ALICE.0, CAROL.0));
    assert_eq!(uses(&desk), [(1, 40)]);
}

#[test]
fn the_first_rule_that_matches_decides() {
    let mut desk = desk(&[
        r#"direction = "lan-to-wan", source = "192.0.2.2", protocol = "tcp", port = 25, action = "accept""#,
        NO_MAIL,
    ]);
    passes(&mut desk, Side::Lan, &tcp("S", DAVE.port(5000), CAROL.port(25)));
    dropped(&mut desk, Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(25)));
    assert_eq!(uses(&desk), [(1, 40), (1, 40)]);
}

#[test]
fn addresses_ports_and_protocols_are_told_apart() {
    let mut desk = desk(&[
        r#"direction = "lan-to-wan", destination = "!198.51.100.0/24", protocol = "udp", action = "drop""#,
        r#"direction = "lan-to-wan", source-port = "6000-6001", protocol = "both", action = "drop""#,
        r#"direction = "lan-to-wan", protocol = 47, action = "drop""#,
        r#"direction = "lan-to-wan", protocol = "icmp", destination = "198.51.100.8/29", action = "drop""#,
    ]);
    let other = Host([198, 51, 100, 8].into());
    dropped(&mut desk, Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(53)));
    dropped(&mut desk, Side::Lan, &udp(ALICE.port(6001), CAROL.port(53)));
    dropped(&mut desk, Side::Lan, &tcp("S", ALICE.port(6000), CAROL.port(53)));
    passes(&mut desk, Side::Lan, &tcp("S", ALICE.port(6002), CAROL.port(53)));
    dropped(&mut desk, Side::Lan, &raw(47, ALICE.0, CAROL.0, &[0; 8]));
    passes(&mut desk, Side::Lan, &raw(50, ALICE.0, CAROL.0, &[0; 8]));
    dropped(&mut desk, Side::Lan, &echo(1, ALICE.0, other.0));
    passes(&mut desk, Side::Lan, &echo(1, ALICE.0, CAROL.0));
}

#[test]
fn a_rejected_packet_is_answered_as_the_rule_says() {
    let codes = [
        ("net-unreachable", 0),
        ("host-unreachable", 1),
        ("protocol-unreachable", 2),
        ("port-unreachable", 3),
        ("net-prohibited", 9),
        ("host-prohibited", 10),
        ("admin-prohibited", 13),
    ];
    for (with, code) in codes {
        let mut desk = desk(&[&format!(
            r#"direction = "lan-to-wan", port = 25, protocol = "tcp", action = "reject", with = "{with}""#
        )]);
        let syn = tcp("S", ALICE.port(5000), CAROL.port(25));
        complains(&one(desk.arrive(Side::Lan, &syn)), Side::Lan, [3, code], INSIDE, &syn);
        let rejected = desk.router.summary().engine[0].rejected;
        assert_eq!(rejected.iter().sum::<u64>(), 1, "{rejected:?}");
        assert_eq!(rejected[RejectReason::COUNT - 1], 1);
        assert!(desk.adds_up());
    }
}

#[test]
fn rfc9293_s31071_a_reset_is_what_the_receiver_would_have_sent() {
    let mut desk =
        desk(&[r#"direction = "lan-to-wan", protocol = "tcp", action = "reject", with = "tcp-reset""#]);
    let syn = tcp("S", ALICE.port(5000), CAROL.port(25)).seq(1000);
    let reset = one(desk.arrive(Side::Lan, &syn));
    assert_eq!(
        (reset.side, reset.packet.source(), reset.packet.destination()),
        (Side::Lan, CAROL.port(25), ALICE.port(5000))
    );
    let header = reset.packet.transport();
    assert_eq!((&header[4..12], header[13], header.len()), (&[0, 0, 0, 0, 0, 0, 3, 233][..], 0x14, 20));
    assert!(reset.packet.header_is_intact() && reset.packet.transport_is_intact());
    // What begins with an acknowledgement is answered by its number, and a reset by nothing.
    let ack = tcp(".", ALICE.port(5000), CAROL.port(25)).seq(7).ack(9);
    let reset = one(desk.arrive(Side::Lan, &ack)).packet;
    assert_eq!((&reset.transport()[4..8], reset.transport()[13]), (&[0, 0, 0, 9][..], 0x04));
    assert_eq!(desk.arrive(Side::Lan, &tcp("R", ALICE.port(5000), CAROL.port(25))), []);
}

#[test]
fn what_comes_in_by_a_forward_is_asked_about_as_it_will_be_inside() {
    let mut desk = desk(&[
        r#"direction = "wan-to-lan", source = "203.0.113.0/24", action = "accept""#,
        r#"direction = "wan-to-lan", destination = "192.0.2.1", protocol = "tcp", port = 54321, action = "reject", with = "host-prohibited""#,
    ]);
    passes(&mut desk, Side::Wan, &tcp("S", BOB.port(5000), OUTSIDE.port(54321)));
    let syn = tcp("S", CAROL.port(5000), OUTSIDE.port(54321));
    complains(&one(desk.arrive(Side::Wan, &syn)), Side::Wan, [3, 10], OUTSIDE, &syn);
}

#[test]
fn an_accepting_rule_opens_no_door_that_nat_keeps_shut() {
    let mut desk = desk(&[
        r#"direction = "wan-to-lan", action = "accept""#,
        r#"direction = "wan-to-box", action = "accept""#,
    ]);
    assert_eq!(desk.arrive(Side::Wan, &tcp("S", BOB.port(5000), OUTSIDE.port(80))), []);
    assert_eq!(desk.arrive(Side::Wan, &tcp("S", BOB.port(5000), ALICE.port(80))), []);
    assert_eq!(desk.engine_dropped(Side::Wan, DropReason::NoMapping), 1);
    assert_eq!(desk.engine_dropped(Side::Wan, DropReason::NotOurs), 1);
}

#[test]
fn answers_and_errors_pass_whatever_the_rules_say() {
    let mut desk = desk(&[r#"direction = "wan-to-lan", action = "drop""#]);
    let out = passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(53))).packet;
    passes(&mut desk, Side::Wan, &udp(CAROL.port(53), out.source()));
    passes(&mut desk, Side::Wan, &sekisho_tests::error(3, 3, CAROL.0, &out));
    let syn = passes(&mut desk, Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(80)).seq(9)).packet;
    passes(&mut desk, Side::Wan, &tcp("S.", CAROL.port(80), syn.source()).ack(10));
    assert_eq!(uses(&desk), [(0, 0)]);
}

#[test]
fn an_established_flow_is_not_asked_about_again() {
    let mut desk = desk(&[r#"direction = "lan-to-wan", action = "accept""#]);
    let before = uses(&desk)[0].0;
    for _ in 0..5 {
        passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(53)));
    }
    assert_eq!(uses(&desk)[0].0, before + 1);
}

#[test]
fn what_nobody_inside_has_is_rejected_where_a_rule_says_so() {
    let mut desk = desk(&[
        r#"direction = "wan-to-box", protocol = "tcp", port = 113, action = "reject", with = "tcp-reset""#,
        r#"direction = "wan-to-box", protocol = "icmp", action = "accept""#,
        r#"direction = "wan-to-box", action = "reject", with = "admin-prohibited""#,
        r#"direction = "wan-to-lan", action = "reject""#,
    ]);
    let ident = tcp("S", BOB.port(5000), OUTSIDE.port(113)).seq(1);
    let reset = one(desk.arrive(Side::Wan, &ident));
    assert_eq!(
        (reset.side, reset.packet.source(), reset.packet.transport()[13]),
        (Side::Wan, OUTSIDE.port(113), 0x14)
    );
    let syn = tcp("S", BOB.port(5000), OUTSIDE.port(80));
    complains(&one(desk.arrive(Side::Wan, &syn)), Side::Wan, [3, 13], OUTSIDE, &syn);
    // Straight to a host inside, as by a neighbour who takes the box for a router.
    let astray = udp(BOB.port(5000), ALICE.port(80));
    complains(&one(desk.arrive(Side::Wan, &astray)), Side::Wan, [3, 3], OUTSIDE, &astray);
    one(desk.arrive(Side::Wan, &echo(1, BOB.0, OUTSIDE.0)));
    assert_eq!(uses(&desk).iter().map(|used| used.0).collect::<Vec<_>>(), [1, 1, 1, 1]);
    assert!(desk.adds_up());
}

#[test]
fn the_box_itself_is_spoken_to_as_the_rules_say() {
    let mut desk = desk(&[
        r#"direction = "lan-to-box", source = "192.0.2.2", action = "drop""#,
        r#"direction = "wan-to-box", protocol = "icmp", action = "reject", with = "host-prohibited""#,
    ]);
    let refused =
        |desk: &Desk, side: Side| desk.router.summary().router[side as usize].refused[Refusal::Rule as usize];
    one(desk.arrive(Side::Lan, &echo(1, ALICE.0, INSIDE.0)));
    assert_eq!(desk.arrive(Side::Lan, &echo(1, DAVE.0, INSIDE.0)), []);
    assert_eq!(refused(&desk, Side::Lan), 1);
    let ping = echo(1, BOB.0, OUTSIDE.0);
    complains(&one(desk.arrive(Side::Wan, &ping)), Side::Wan, [3, 10], OUTSIDE, &ping);
    assert_eq!(refused(&desk, Side::Wan), 1);
    assert!(desk.adds_up());
}

#[test]
fn a_rate_lets_a_rule_match_so_often_and_the_next_ones_decide_beyond() {
    let mut desk = desk(&[
        r#"direction = "lan-to-wan", protocol = "icmp", action = "accept", rate = "6/m", burst = 3"#,
        r#"direction = "lan-to-wan", protocol = "icmp", action = "drop""#,
    ]);
    let mut id = 0;
    let mut passed = |desk: &mut Desk| {
        id += 1;
        !desk.arrive(Side::Lan, &echo(id, ALICE.0, CAROL.0)).is_empty()
    };
    assert_eq!([(); 5].map(|()| passed(&mut desk)), [true, true, true, false, false]);
    desk.wait(Duration::from_millis(9_999));
    assert!(!passed(&mut desk));
    desk.wait(Duration::from_millis(1));
    assert_eq!([(); 2].map(|()| passed(&mut desk)), [true, false]);
    desk.wait(Duration::from_secs(3600));
    assert_eq!([(); 4].map(|()| passed(&mut desk)), [true, true, true, false]);
}

#[test]
fn x07_rules_that_change_end_just_the_sessions_that_they_would_not_let_begin() {
    let mut desk = desk(&[r#"direction = "lan-to-wan", protocol = "tcp", port = 443, action = "accept""#]);
    let open = |desk: &mut Desk, port| {
        let syn = passes(desk, Side::Lan, &tcp("S", ALICE.port(5000), CAROL.port(port)).seq(9)).packet;
        passes(desk, Side::Wan, &tcp("S.", CAROL.port(port), syn.source()).ack(10));
    };
    open(&mut desk, 25);
    open(&mut desk, 443);
    let inward = tcp("S", BOB.port(5000), OUTSIDE.port(54321));
    passes(&mut desk, Side::Wan, &inward);
    let sessions = desk.router.summary().occupancy.sessions;
    let used = uses(&desk);

    // The same again changes nothing, counters included.
    desk.reconfigure(&configuration(&[
        r#"direction = "lan-to-wan", protocol = "tcp", port = 443, action = "accept""#,
    ]));
    assert_eq!((desk.router.summary().occupancy.sessions, uses(&desk)), (sessions, used.clone()));

    desk.reconfigure(&configuration(&[
        NO_MAIL,
        r#"direction = "lan-to-wan", protocol = "tcp", port = 443, action = "accept""#,
    ]));
    assert_eq!(desk.router.summary().occupancy.sessions, sessions - 1);
    assert_eq!(uses(&desk), [(0, 0), used[0]]);
    passes(&mut desk, Side::Lan, &tcp(".", ALICE.port(5000), CAROL.port(443)).seq(10).ack(1));
    dropped(&mut desk, Side::Lan, &tcp(".", ALICE.port(5000), CAROL.port(25)).seq(10).ack(1));
    assert_eq!(uses(&desk)[0].0, 1);

    desk.reconfigure(&configuration(&[r#"direction = "wan-to-lan", action = "drop""#]));
    assert_eq!(desk.router.summary().occupancy.sessions, sessions - 2);
    dropped(&mut desk, Side::Wan, &inward);
}

#[test]
fn a_rule_about_ports_tells_datagrams_to_one_host_apart() {
    let mut desk = desk(&[r#"direction = "lan-to-wan", protocol = "udp", port = 5353, action = "drop""#]);
    passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(53)));
    dropped(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(5353)));
    passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(53)));
}

#[test]
fn what_a_rule_logs_is_a_line_each_and_no_flood() {
    let logged = format!("{NO_MAIL}, log = true");
    let mut desk =
        desk(&[&logged, r#"direction = "lan-to-wan", protocol = "icmp", action = "accept", log = true"#]);
    for port in 5000..5100 {
        dropped(&mut desk, Side::Lan, &tcp("S", ALICE.port(port), CAROL.port(25)));
    }
    let mut lines = vec![];
    while let Some(ruling) = desk.router.poll_ruling() {
        lines.push(ruling.to_string());
    }
    assert_eq!(lines.len(), 8);
    assert_eq!(lines[1], "rule \"0\" drops lan-to-wan tcp 192.0.2.1:5001 > 198.51.100.7:25");
    desk.wait(Duration::from_secs(1));
    passes(&mut desk, Side::Lan, &echo(7, ALICE.0, CAROL.0));
    let line = desk.router.poll_ruling().unwrap().to_string();
    assert_eq!(line, "rule \"1\" accepts lan-to-wan icmp 192.0.2.1 > 198.51.100.7");
    assert!(desk.router.poll_ruling().is_none());
}

#[test]
fn a27_whoever_sends_what_is_logged_fills_no_log() {
    let mut desk = desk(&[&format!("{NO_MAIL}, log = true")]);
    // Given a flood of ten seconds, and lines that are read as soon as there are any ...
    let mut lines = 0;
    for number in 0..10_000 {
        dropped(&mut desk, Side::Lan, &tcp("S", ALICE.port(5000 + number), CAROL.port(25)));
        while desk.router.poll_ruling().is_some() {
            lines += 1;
        }
        desk.wait(Duration::from_millis(1));
    }
    // ... there are eight at once and ten a second.
    assert!((100..=108).contains(&lines), "{lines}");
    assert_eq!(uses(&desk)[0].0, 10_000);
}

#[test]
fn what_is_hairpinned_is_between_hosts_inside_and_no_rules_business() {
    let mut desk = desk(&[
        r#"direction = "lan-to-wan", action = "drop""#,
        r#"direction = "wan-to-lan", action = "drop""#,
    ]);
    let seen = one(desk.arrive(Side::Lan, &tcp("S", DAVE.port(5000), OUTSIDE.port(54321))));
    assert_eq!((seen.side, seen.packet.destination()), (Side::Lan, ALICE.port(54321)));
}

#[test]
fn x07_what_is_hairpinned_lives_on_whatever_rules_come() {
    let mut desk = desk(&[]);
    let out = passes(&mut desk, Side::Lan, &udp(ALICE.port(6000), CAROL.port(9))).packet.source();
    let hairpinned = udp(DAVE.port(5000), out);
    assert_eq!(one(desk.arrive(Side::Lan, &hairpinned)).side, Side::Lan);
    let before = desk.router.summary().occupancy.sessions;
    desk.reconfigure(&configuration(&[
        r#"direction = "lan-to-wan", destination = "!203.0.113.254", action = "accept""#,
        r#"direction = "lan-to-wan", action = "drop""#,
        r#"direction = "wan-to-lan", action = "drop""#,
    ]));
    assert_eq!(desk.router.summary().occupancy.sessions, before);
}

#[test]
fn two_hundred_and_fifty_six_rules_are_asked_to_the_last() {
    let rule = |n: usize| {
        format!("direction = \"lan-to-wan\", protocol = \"udp\", port = {}, action = \"drop\"", n + 1)
    };
    let rules: Vec<_> = (0..256).map(rule).collect();
    let mut desk = desk(&rules.iter().map(String::as_str).collect::<Vec<_>>()[1..]);
    dropped(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(256)));
    passes(&mut desk, Side::Lan, &udp(ALICE.port(5000), CAROL.port(257)));
}
