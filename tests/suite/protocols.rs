//! Protocols other than TCP, UDP and ICMP: translated by address, one internal host at a time for each remote host.

use napt::{DropReason, Realm, Verdict};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Host, Lab, OUTSIDE, Packet, error, raw, udp};

const GRE: u8 = 47;
const ESP: u8 = 50;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

const PAYLOAD: [u8; 24] = [0x5A; 24];

fn packet(protocol: u8, from: Host, to: Host) -> Packet {
    raw(protocol, from.0, to.0, &PAYLOAD)
}

#[test]
fn p01_every_other_protocol_goes_out_and_its_answers_come_back() {
    for protocol in (3..=254).filter(|protocol| ![6, 17, 51].contains(protocol)) {
        let mut lab = Lab::new();
        let out = lab.send(packet(protocol, ALICE, BOB));
        assert_eq!((*out.source().ip(), *out.destination().ip()), (OUTSIDE.0, BOB.0), "{protocol}");
        let back = lab.deliver(packet(protocol, BOB, OUTSIDE));
        assert_eq!((*back.source().ip(), *back.destination().ip()), (BOB.0, ALICE.0), "{protocol}");
    }
}

#[test]
fn p01_v1_what_cannot_be_translated_is_dropped() {
    for protocol in [0, 2, 51, 255] {
        let mut lab = Lab::new();
        assert_eq!(
            lab.try_send(packet(protocol, ALICE, BOB)),
            Verdict::Drop(DropReason::Protocol),
            "{protocol}"
        );
        lab.refuse(packet(protocol, BOB, OUTSIDE), DropReason::Protocol);
    }
}

#[test]
fn p02_igmp_is_never_forwarded() {
    let mut lab = Lab::new();
    assert_eq!(lab.try_send(packet(2, ALICE, BOB)), Verdict::Drop(DropReason::Protocol));
}

#[test]
fn p01_m13_nothing_of_them_comes_in_unasked() {
    let mut lab = Lab::new();
    lab.refuse(packet(GRE, BOB, OUTSIDE), DropReason::NoMapping);
    lab.send(packet(GRE, ALICE, BOB));
    lab.refuse(packet(GRE, CAROL, OUTSIDE), DropReason::NoMapping);
    lab.refuse(packet(ESP, BOB, OUTSIDE), DropReason::NoMapping);
    assert_eq!(lab.engine.occupancy().sessions, 1);
}

#[test]
fn p01_two_hosts_cannot_speak_one_of_them_with_the_same_remote_host() {
    let mut lab = Lab::new();
    lab.send(packet(GRE, ALICE, BOB));
    assert_eq!(lab.try_send(packet(GRE, DAVE, BOB)), Verdict::Drop(DropReason::ProtocolTaken));
    lab.send(packet(GRE, DAVE, CAROL));
    lab.send(packet(ESP, DAVE, BOB));
    assert_eq!(*lab.deliver(packet(GRE, BOB, OUTSIDE)).destination().ip(), ALICE.0);
    assert_eq!(*lab.deliver(packet(GRE, CAROL, OUTSIDE)).destination().ip(), DAVE.0);
}

#[test]
fn p01_t08_they_idle_for_ten_minutes_and_only_the_inside_refreshes() {
    let mut lab = Lab::new();
    lab.send(packet(ESP, ALICE, BOB));
    lab.wait_secs(599);
    lab.deliver(packet(ESP, BOB, OUTSIDE));
    lab.wait_secs(2);
    lab.refuse(packet(ESP, BOB, OUTSIDE), DropReason::NoMapping);
    lab.send(packet(ESP, DAVE, BOB));
    assert_eq!(*lab.deliver(packet(ESP, BOB, OUTSIDE)).destination().ip(), DAVE.0);
}

#[test]
fn p01_checksums_over_addresses_stay_as_right_as_they_were() {
    for protocol in [DCCP, UDP_LITE] {
        for wrong_by in [0, 1] {
            let mut lab = Lab::new();
            let sent = packet(protocol, ALICE, BOB).changed(|bytes| cover(bytes, wrong_by));
            let out = lab.send(sent);
            assert_eq!(error_of(&out), wrong_by, "{protocol}");
        }
    }
}

#[test]
fn p01_sctp_is_not_touched() {
    let mut lab = Lab::new();
    assert_eq!(lab.send(packet(SCTP, ALICE, BOB)).transport(), PAYLOAD);
}

#[test]
fn p01_a_header_too_short_for_its_checksum_is_dropped() {
    let mut lab = Lab::new();
    let short = raw(UDP_LITE, ALICE.0, BOB.0, &[0; 7]);
    assert_eq!(lab.try_send(short), Verdict::Drop(DropReason::Transport));
    lab.send(raw(GRE, ALICE.0, BOB.0, &[]));
}

#[test]
fn i04_errors_about_them_are_translated() {
    for protocol in [GRE, ESP, SCTP, DCCP, UDP_LITE] {
        let mut lab = Lab::new();
        let sent = packet(protocol, ALICE, BOB).changed(|bytes| cover(bytes, 0));
        let out = lab.send(sent.clone());
        let back = lab.deliver(error(3, 2, BOB.0, &out));
        let quoted = back.quoted();
        assert_eq!(*back.destination().ip(), ALICE.0);
        assert_eq!(quoted.address_pair(), sent.address_pair());
        assert_eq!(quoted.transport(), sent.transport());
        // And the other way: what came in and was refused inside.
        let delivered = lab.deliver(packet(protocol, BOB, OUTSIDE));
        let refused = lab.send(error(3, 2, ALICE.0, &delivered));
        assert_eq!(*refused.quoted().destination().ip(), OUTSIDE.0);
    }
}

#[test]
fn h07_they_are_not_hairpinned() {
    let mut lab = Lab::new();
    lab.send(packet(GRE, ALICE, BOB));
    assert_eq!(lab.try_send(packet(GRE, DAVE, OUTSIDE)), Verdict::Drop(DropReason::NoMapping));
}

#[test]
fn p01_where_the_settings_say_so_they_are_dropped() {
    let mut lab = Lab::with(|settings| settings.other_protocols = false);
    assert_eq!(lab.try_send(packet(GRE, ALICE, BOB)), Verdict::Drop(DropReason::Protocol));
    assert_eq!(
        lab.translate(Realm::Internal, &udp(ALICE.port(1), BOB.port(1))).0,
        Verdict::Forward(Realm::External)
    );
}

/// Sets the checksum at offset 6 to what the whole payload and the pseudo-header ask for, and `wrong_by` more.
fn cover(bytes: &mut [u8], wrong_by: u16) {
    bytes[26..28].fill(0);
    let sum = !total(bytes);
    let field = u32::from(sum) + u32::from(wrong_by);
    let field = ((field & 0xFFFF) + (field >> 16)) as u16;
    bytes[26..28].copy_from_slice(&field.to_be_bytes());
}

/// How wrong the checksum at offset 6 is.
fn error_of(packet: &Packet) -> u16 {
    match total(&packet.bytes) {
        0xFFFF => 0,
        sum => sum,
    }
}

/// The sum of the payload, the pseudo-header included.
fn total(bytes: &[u8]) -> u16 {
    let words = |bytes: &[u8]| {
        bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u32>()
    };
    let mut sum = words(&bytes[12..]) + u32::from(bytes[9]) + (bytes.len() - 20) as u32;
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}
