//! RFC 826 and what keeps it honest: ARP, the neighbour table and the frames that wait for it (A23).

use std::net::Ipv4Addr;
use std::time::Duration;

use router::{Refusal, Side};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Desk, Host, INSIDE, OUTSIDE, hardware, udp};
use smoltcp::wire::{ArpOperation, ArpRepr, EthernetAddress};

#[test]
fn rfc826_the_box_answers_for_its_own_address_on_each_side_and_no_other() {
    let mut desk = Desk::new();
    for (side, asker, own) in [(Side::Lan, ALICE, INSIDE), (Side::Wan, BOB, OUTSIDE)] {
        let said = desk.arp(side, &request(asker, own));
        let [(answered, ArpRepr::EthernetIpv4 { operation, source_protocol_addr, target_hardware_addr, .. })] =
            said[..]
        else {
            panic!("{said:?}");
        };
        assert_eq!((answered, operation), (side, ArpOperation::Reply));
        assert_eq!((source_protocol_addr, target_hardware_addr), (own.0, hardware(asker)));
    }
    assert_eq!(desk.arp(Side::Lan, &request(ALICE, OUTSIDE)), []);
    assert_eq!(desk.arp(Side::Lan, &request(ALICE, DAVE)), []);
    assert_eq!(desk.arp(Side::Wan, &request(BOB, INSIDE)), []);
    assert!(desk.adds_up());
}

#[test]
fn rfc826_who_is_not_on_the_link_is_neither_answered_nor_learnt() {
    let mut desk = Desk::new();
    assert_eq!(desk.arp(Side::Lan, &request(CAROL, INSIDE)), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::Arp), 1);
}

#[test]
fn rfc5227_a_probe_for_our_address_is_answered() {
    let probe = request(Host(Ipv4Addr::UNSPECIFIED), INSIDE);
    assert_eq!(Desk::new().arp(Side::Lan, &probe).len(), 1);
}

#[test]
fn rfc5227_another_user_of_our_address_is_counted() {
    let mut desk = Desk::new();
    assert_eq!(desk.arp(Side::Lan, &request(INSIDE, INSIDE)), []);
    assert_eq!(desk.refused(Side::Lan, Refusal::AddressConflict), 1);
}

#[test]
fn rfc1122_s2322_packets_wait_for_their_neighbour_in_order() {
    let mut desk = Desk::new();
    desk.leave(Side::Wan, BOB);
    for port in [53, 54] {
        assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(port))), []);
    }
    assert!(desk.adds_up());
    desk.join(Side::Wan, BOB);
    let seen = desk.wait(Duration::from_secs(2));
    assert_eq!(seen.iter().map(|seen| seen.packet.destination().port()).collect::<Vec<_>>(), [53, 54]);
    assert!(desk.adds_up());
}

#[test]
fn k05_a_packet_that_waited_leaves_with_a_finished_checksum() {
    let mut desk = Desk::new();
    for sent in [udp(ALICE.port(5000), BOB.port(53)), sekisho_tests::tcp("S", ALICE.port(5000), BOB.port(53))]
    {
        let seen = desk.arrive(Side::Lan, &sent.partial());
        let checked = seen.iter().all(|seen| seen.packet.transport_is_intact());
        assert!(seen.len() == 1 && checked);
    }
}

#[test]
fn v7_only_a_few_packets_wait_for_each_neighbour() {
    let mut desk = Desk::new();
    desk.leave(Side::Wan, BOB);
    for port in 2000..2100 {
        desk.arrive(Side::Lan, &udp(ALICE.port(port), BOB.port(53)));
    }
    assert_eq!(desk.refused(Side::Lan, Refusal::HoldFull), 96);
    desk.join(Side::Wan, BOB);
    assert_eq!(desk.wait(Duration::from_secs(2)).len(), 4);
    assert!(desk.adds_up());
}

#[test]
fn a_large_frame_does_not_wait() {
    let mut desk = Desk::new();
    desk.leave(Side::Wan, BOB);
    let mut sent = sekisho_tests::tcp("S", ALICE.port(5000), BOB.port(80)).with_payload(9000);
    sent.segment = 1460.try_into().ok();
    desk.arrive(Side::Lan, &sent);
    assert_eq!(desk.refused(Side::Lan, Refusal::HoldTooLarge), 1);
}

#[test]
fn a23_a_neighbour_is_asked_again_while_it_is_used_and_forgotten_when_it_is_silent() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    desk.leave(Side::Wan, BOB);
    desk.wait(Duration::from_secs(61));
    let still = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    assert_eq!(still.len(), 1, "a stale neighbour is used while it is asked");
    desk.wait(Duration::from_secs(4));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))), []);
}

#[test]
fn a23_an_unasked_reply_teaches_nothing() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    desk.wait(Duration::from_secs(2));
    let said = desk.arp(Side::Wan, &reply(BOB, EthernetAddress([2, 6, 6, 6, 6, 6]), OUTSIDE));
    assert_eq!(said.len(), 1, "the router asks before it believes");
    let out = desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    assert_eq!(out[0].to, hardware(BOB));
    desk.arp(Side::Wan, &reply(CAROL, EthernetAddress([2, 6, 6, 6, 6, 6]), OUTSIDE));
    assert_eq!(desk.refused(Side::Wan, Refusal::Arp), 1);
}

#[test]
fn a23_a_neighbour_that_has_moved_is_followed_after_it_was_asked() {
    let mut desk = Desk::new();
    desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)));
    desk.wait(Duration::from_secs(2));
    let moved = EthernetAddress([2, 7, 7, 7, 7, 7]);
    desk.arp(Side::Wan, &reply(BOB, moved, OUTSIDE));
    desk.arp(Side::Wan, &reply(BOB, moved, OUTSIDE));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53)))[0].to, moved);
}

#[test]
fn a23_a_scan_for_absent_neighbours_harms_nobody_else() {
    let configuration = r#"
        wan = { interface = "w", address = "198.51.0.254/16", gateway = "198.51.0.1" }
        lan = { interface = "l", address = "192.0.2.254/24" }
    "#;
    let mut desk = Desk::with(configuration);
    let gateway = Host(Ipv4Addr::new(198, 51, 0, 1));
    desk.join(Side::Wan, gateway);
    for host in 0..5_000_u32 {
        let absent = Host(Ipv4Addr::from_bits(u32::from_be_bytes([198, 51, 1, 0]) + host));
        desk.arrive(Side::Lan, &udp(ALICE.port(5000), absent.port(53)));
    }
    assert!(desk.adds_up());
    desk.wait(Duration::from_secs(10));
    assert_eq!(desk.arrive(Side::Lan, &udp(ALICE.port(5000), BOB.port(53))).len(), 1);
    assert!(desk.adds_up());
}

#[test]
fn a_link_that_comes_up_announces_the_box_and_asks_for_the_gateway() {
    let mut desk = Desk::new();
    let link = router::Link { hardware: [2, 0, 0, 0, 0, 0x0B], mtu: 1500 };
    desk.router.link_up(napt::Instant::from_millis(5_000), Side::Wan, link);
    desk.wait(Duration::from_millis(1));
    desk.arrive(Side::Wan, &udp(BOB.port(1), OUTSIDE.port(1)));
    assert_eq!(desk.asked(), [(Side::Wan, OUTSIDE.0), (Side::Wan, BOB.0)]);
}

fn request(sender: Host, target: Host) -> ArpRepr {
    arp(ArpOperation::Request, sender, hardware(sender), target)
}

fn reply(sender: Host, hardware: EthernetAddress, target: Host) -> ArpRepr {
    arp(ArpOperation::Reply, sender, hardware, target)
}

fn arp(operation: ArpOperation, sender: Host, hardware: EthernetAddress, target: Host) -> ArpRepr {
    ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr: hardware,
        source_protocol_addr: sender.0,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target.0,
    }
}
