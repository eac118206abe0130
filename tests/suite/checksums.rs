//! Checksums: RFC 1624 by exhaustion, and the corners of RFC 768; K01 to K06 of the catalogue.

use napt::{Checksum, Delta, checksum};
use sekisho_tests::{ALICE, BOB, Lab, Packet, echo, tcp, udp};

/// A word and its successor such that every carry and both zeros are met.
const WORDS: [u16; 9] = [0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFE, 0xFFFF, 0x1234, 0xEDCB];

#[test]
fn rfc1624_k01_an_update_equals_a_full_recomputation_for_every_checksum() {
    // Given a header of two words, the second of which makes the checksum come out as wanted, when its first word
    // changes, then the update of the checksum is what is computed anew.
    for old in WORDS {
        for new in WORDS {
            for filler in 0..=u16::MAX {
                let before = checksum(&[old.to_be_bytes(), filler.to_be_bytes()].concat());
                let after = checksum(&[new.to_be_bytes(), filler.to_be_bytes()].concat());
                let updated = Delta::word(old, new).apply(before);
                // All-zero data has no other sum than zero, which an update cannot tell from all ones; no header is.
                if (new, filler) != (0, 0) && (old, filler) != (0, 0) {
                    assert_eq!(updated, after, "{old:04x} -> {new:04x}, filler {filler:04x}");
                }
            }
        }
    }
}

#[test]
fn rfc1624_k01_the_corner_that_rfc1141_gets_wrong() {
    // RFC 1624 s.4: a checksum of 0xDD2F, and a word that goes from 0x5555 to 0x3285.
    assert_eq!(Delta::word(0x5555, 0x3285).apply(0xDD2F), 0x0000);
}

#[test]
fn rfc768_k02_no_checksum_stays_none() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)).changed(|bytes| bytes[26..28].fill(0)));
    assert_eq!(out.bytes[26..28], [0, 0]);
}

#[test]
fn rfc768_k03_a_sum_of_zero_is_sent_as_all_ones() {
    for checksum in 1..=u16::MAX {
        for (old, new) in [(0, checksum), (checksum, 0), (0xFFFF, checksum), (0x1234, 0x5678)] {
            assert_ne!(Delta::word(old, new).apply_udp(checksum), 0);
        }
    }
    assert_eq!(Delta::word(0x5555, 0x3285).apply_udp(0xDD2F), 0xFFFF);
}

#[test]
fn rfc3022_k04_what_is_broken_stays_broken() {
    for packet in [udp(ALICE.port(5000), BOB.port(53)), tcp("S", ALICE.port(5000), BOB.port(80))] {
        let out = Lab::new().send(packet.changed(|bytes| *bytes.last_mut().unwrap() ^= 0x55));
        assert!(!out.transport_is_intact());
    }
}

#[test]
fn k05_an_unfinished_checksum_is_moved_by_the_addresses_alone() {
    let mut lab = Lab::new();
    for packet in [udp(ALICE.port(5000), BOB.port(53)), tcp("S", ALICE.port(5000), BOB.port(80))] {
        let out = lab.send(packet.partial());
        assert_eq!(out.checksum, Checksum::Partial);
        assert!(out.transport_is_intact());
    }
}

#[test]
fn k05_an_unfinished_checksum_is_moved_on_the_way_in_and_in_a_hairpin() {
    let mut lab = Lab::with_forward();
    let inside = lab.deliver(udp(BOB.port(53), sekisho_tests::OUTSIDE.port(54321)).partial());
    assert!(inside.transport_is_intact());
    let inside = lab.hairpin(udp(sekisho_tests::DAVE.port(53), sekisho_tests::OUTSIDE.port(54321)).partial());
    assert!(inside.transport_is_intact());
}

#[test]
fn k06_payloads_of_any_length_keep_their_checksums() {
    let mut lab = Lab::new();
    for len in 0..70 {
        assert!(lab.send(udp(ALICE.port(5000), BOB.port(53)).with_payload(len)).transport_is_intact());
        assert!(lab.send(tcp("S", ALICE.port(5000), BOB.port(53)).with_payload(len)).transport_is_intact());
    }
}

#[test]
fn rfc3022_checksums_hold_for_every_external_port() {
    // Ten thousand mappings, each with an external port of its own: their packets are right both ways.
    let mut lab = Lab::without_shares();
    for round in 0..40 {
        for port in 0..250_u16 {
            let out = lab.send(udp(ALICE.port(2000 + round * 250 + port), BOB.port(53)));
            assert!(out.transport_is_intact());
            assert!(lab.deliver(udp(BOB.port(53), out.source())).transport_is_intact());
        }
        lab.wait_secs(500);
    }
}

#[test]
fn rfc792_identifiers_change_the_icmp_checksum_alone() {
    let mut lab = Lab::new();
    for id in (0..=u16::MAX).step_by(257) {
        let out: Packet = lab.send(echo(id, ALICE.0, BOB.0));
        assert!(out.transport_is_intact());
        lab.wait_secs(200);
    }
}
