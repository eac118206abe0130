//! Attacks that are about the NAT as a whole rather than about one protocol.

use std::time::Duration;

use napt::{DropReason, Engine, Instant, Realm, Settings, Tables, Verdict};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Lab, OUTSIDE, Packet, range, tcp, udp};

/// What application-level gateways look for, by protocol and port.
const BAIT: [(u16, &[u8]); 7] = [
    (21, b"PORT 192,0,2,1,31,144\r\n"),
    (21, b"227 Entering Passive Mode (192,0,2,1,31,144)\r\n"),
    (5060, b"REGISTER sip:h.example SIP/2.0\r\nContact: <sip:a@192.0.2.1:8080;transport=tcp>\r\n\r\n"),
    (1720, b"\x03\x00\x00\x2c\x08\x02\x00\x01\x05\xc0\x00\x02\x01\x1f\x90"),
    (6667, b"PRIVMSG x :\x01DCC CHAT chat 3221225985 8080\x01\r\n"),
    (1723, b"\x00\x9c\x00\x01\x1a\x2b\x3c\x4d\x00\x07\x00\x00"),
    (554, b"SETUP rtsp://h.example/ RTSP/1.0\r\nTransport: RTP/AVP;client_port=8080-8081\r\n\r\n"),
];

fn carrying(packet: Packet, payload: &[u8]) -> Packet {
    let mut packet = packet.with_payload(payload.len());
    let start = packet.bytes.len() - payload.len();
    packet.bytes[start..].copy_from_slice(payload);
    packet.fix_transport();
    packet
}

#[test]
fn rfc4787_req10_rfc5382_req6_a01_no_payload_opens_a_port_or_is_changed() {
    for (port, payload) in BAIT {
        let mut lab = Lab::new();
        let first = lab.send(tcp("S", ALICE.port(5000), BOB.port(port)));
        lab.deliver(tcp("S.", BOB.port(port), first.source()));
        let sent = lab.send(carrying(tcp("P.", ALICE.port(5000), BOB.port(port)), payload));
        assert_eq!(sent.payload(), payload);
        let datagram = lab.send(carrying(udp(ALICE.port(5000), BOB.port(port)), payload));
        assert_eq!(datagram.payload(), payload);
        assert_eq!((lab.engine.occupancy().sessions, lab.engine.occupancy().mappings), (2, 2));
        for opened in [8080, 8081] {
            lab.refuse(tcp("S", BOB.port(20), OUTSIDE.port(opened)), DropReason::NoMapping);
            lab.refuse(udp(BOB.port(20), OUTSIDE.port(opened)), DropReason::NoMapping);
        }
    }
}

#[test]
fn a04_m19_nobody_inside_gets_a_port_that_a_forward_owns_by_asking_for_it() {
    // Even where ports are preserved: the port shadow of CVE-2021-3773.
    let mut lab = Lab::with(|settings| {
        settings.preserve_ports = true;
        let internal = napt::Endpoint::new(ALICE.0, 80);
        let protocols = napt::Protocols::Both;
        settings.forwards.push(napt::Forward { protocols, external: range(8080, 8080), internal }).unwrap();
    });
    let shadow = lab.send(udp(DAVE.port(8080), BOB.port(53))).source();
    assert_ne!(shadow.port(), 8080);
    assert_eq!(lab.deliver(udp(BOB.port(53), OUTSIDE.port(8080))).destination(), ALICE.port(80));
    assert_eq!(lab.deliver(udp(BOB.port(53), shadow)).destination(), DAVE.port(8080));
}

#[test]
fn rfc7857_s9_m19_where_ports_are_preserved_a_second_host_gets_another() {
    let mut lab = Lab::with(|settings| settings.preserve_ports = true);
    assert_eq!(lab.send(udp(ALICE.port(5000), BOB.port(53))).source(), OUTSIDE.port(5000));
    assert_ne!(lab.send(udp(DAVE.port(5000), BOB.port(53))).source(), OUTSIDE.port(5000));
    assert_eq!(lab.send(udp(DAVE.port(700), BOB.port(53))).source(), OUTSIDE.port(700));
}

#[test]
fn a08_v7_sessions_that_expire_together_are_ended_a_few_at_a_time() {
    let mut engine = Engine::new(Box::leak(Box::new(Tables::<4096>::new())), open_to_all(), &[7; 32]);
    let start = Instant::from_millis(1_000_000);
    for n in 0..4096_u32 {
        let mut packet = udp(ALICE.port(1024 + n as u16), BOB.port(53));
        let parsed = napt::Packet::parse(&mut packet.bytes, packet.checksum, None).unwrap();
        assert_eq!(engine.translate(start, Realm::Internal, parsed), Verdict::Forward(Realm::External));
    }
    let late = start + Duration::from_secs(400);
    let mut calls = 0;
    while engine.occupancy().sessions > 0 {
        let before = engine.occupancy().sessions;
        engine.handle_timeout(late);
        assert!(before - engine.occupancy().sessions <= 64);
        calls += 1;
    }
    assert!(calls >= 64);
    assert!(engine.poll_timeout().is_some_and(|due| due <= late + Duration::from_secs(121)));
}

#[test]
fn a28_t14_a_clock_that_jumps_ahead_ends_what_is_due_and_nothing_else() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    // An hour at once, without a call in between, as after a suspended machine wakes.
    let later = lab.now() + Duration::from_secs(3600);
    lab.engine.handle_timeout(later);
    lab.engine.handle_timeout(later);
    assert_eq!(lab.engine.occupancy().sessions, 1);
    lab.wait_secs(3600);
    lab.deliver(tcp(".", BOB.port(80), external));
}

#[test]
fn a11_a_host_that_talks_to_its_own_mapping_is_not_caught_in_a_loop() {
    let mut lab = Lab::new();
    let own = lab.send(udp(ALICE.port(5000), CAROL.port(53))).source();
    let back = lab.hairpin(udp(ALICE.port(5000), own));
    assert_eq!((back.source(), back.destination()), (own, ALICE.port(5000)));
    assert_eq!(back.ttl(), 63);
}

fn open_to_all() -> Settings {
    let mut settings = Settings::new(OUTSIDE.0);
    settings.shares.guaranteed = Some(u32::MAX);
    settings
}
