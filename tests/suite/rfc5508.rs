//! RFC 5508, requirement by requirement: ICMP behaviour of a NAT; with RFC 792 and RFC 1812 where they say how.

use napt::{DropReason, Realm, RejectReason, Verdict};
use sekisho_tests::{ALICE, BOB, CAROL, DAVE, Lab, OUTSIDE, Packet, echo, echo_reply, error, tcp, udp};

#[test]
fn rfc5508_req1_i01_a_ping_and_its_answer_pass() {
    let mut lab = Lab::new();
    let out = lab.send(echo(77, ALICE.0, BOB.0));
    let back = lab.deliver(echo_reply(out.source().port(), BOB.0, OUTSIDE.0));
    assert_eq!(back.destination(), ALICE.port(77));
}

#[test]
fn rfc5508_req1a_m04_query_identifiers_are_endpoint_independent() {
    let mut lab = Lab::new();
    let first = lab.send(echo(77, ALICE.0, BOB.0));
    let second = lab.send(echo(77, ALICE.0, CAROL.0));
    assert_eq!(first.source(), second.source());
}

#[test]
fn rfc5508_m06_i02_equal_identifiers_of_two_hosts_are_told_apart() {
    let mut lab = Lab::new();
    let alice = lab.send(echo(77, ALICE.0, BOB.0));
    let dave = lab.send(echo(77, DAVE.0, BOB.0));
    assert_ne!(alice.source(), dave.source());
    let back = lab.deliver(echo_reply(dave.source().port(), BOB.0, OUTSIDE.0));
    assert_eq!(back.destination(), DAVE.port(77));
}

#[test]
fn rfc5508_req2_t07_a_query_lives_for_sixty_seconds() {
    let mut lab = Lab::new();
    let id = lab.send(echo(77, ALICE.0, BOB.0)).source().port();
    lab.wait_secs(59);
    lab.deliver(echo_reply(id, BOB.0, OUTSIDE.0));
    lab.wait_secs(2);
    assert!(matches!(lab.try_deliver(echo_reply(id, BOB.0, OUTSIDE.0)), Verdict::Drop(_)));
}

#[test]
fn rfc5508_i26_timestamp_queries_pass_like_pings() {
    let mut lab = Lab::new();
    let kind = |kind: u8| {
        move |bytes: &mut Vec<u8>| {
            let sum = u16::from_be_bytes([bytes[22], bytes[23]]);
            let sum = napt::Delta::word(u16::from_be_bytes([bytes[20], bytes[21]]), u16::from(kind) << 8)
                .apply(sum);
            bytes[22..24].copy_from_slice(&sum.to_be_bytes());
            bytes[20] = kind;
        }
    };
    let out = lab.send(echo(77, ALICE.0, BOB.0).changed(kind(13)));
    let back = lab.deliver(echo_reply(out.source().port(), BOB.0, OUTSIDE.0).changed(kind(14)));
    assert_eq!(back.destination(), ALICE.port(77));
}

#[test]
fn rfc5508_pings_to_the_external_address_are_for_the_box() {
    let mut lab = Lab::new();
    assert_eq!(lab.try_deliver(echo(1, BOB.0, OUTSIDE.0)), Verdict::Local);
    let inside = lab.try_send(echo(1, ALICE.0, OUTSIDE.0));
    assert_eq!(inside, Verdict::Drop(DropReason::NoMapping));
}

#[test]
fn rfc5508_m13_unasked_replies_pass_nowhere() {
    let mut lab = Lab::new();
    lab.refuse(echo_reply(1, BOB.0, OUTSIDE.0), DropReason::NoMapping);
    assert_eq!(lab.try_send(echo_reply(1, ALICE.0, BOB.0)), Verdict::Drop(DropReason::NoSession));
}

#[test]
fn rfc5508_req4_i04_i05_i06_v2_an_error_from_outside_is_translated_inside_out() {
    for (original, kind, code) in [
        (udp(ALICE.port(5000), BOB.port(53)), 3, 3),
        (tcp("S", ALICE.port(5000), BOB.port(80)), 3, 1),
        (echo(77, ALICE.0, BOB.0), 11, 0),
        (udp(ALICE.port(5000), BOB.port(53)), 12, 0),
    ] {
        let mut lab = Lab::new();
        let out = lab.send(original.clone());
        let inside = lab.deliver(error(kind, code, CAROL.0, &out));
        assert_eq!((*inside.source().ip(), *inside.destination().ip()), (CAROL.0, ALICE.0));
        assert_eq!(inside.transport()[..2], [kind, code]);
        let quoted = inside.quoted();
        assert!(quoted.header_is_intact() && quoted.transport_is_intact());
        assert_eq!(quoted, original.with_ttl(63));
    }
}

#[test]
fn rfc5508_i05_a_quote_without_udp_checksum_keeps_none() {
    let mut lab = Lab::new();
    let original = udp(ALICE.port(5000), BOB.port(53)).changed(|bytes| bytes[26..28].fill(0));
    let out = lab.send(original.clone());
    let inside = lab.deliver(error(3, 3, BOB.0, &out));
    assert_eq!(inside.quoted(), original.with_ttl(63));
}

#[test]
fn rfc5508_i05_i16_a_quote_may_stop_after_eight_bytes() {
    for quoted in [8, 9, 16, 17, 18, 19, 20] {
        let mut lab = Lab::new();
        let original = tcp("S", ALICE.port(5000), BOB.port(80));
        let mut out = lab.send(original.clone());
        out.bytes.truncate(20 + quoted);
        let inside = lab.deliver(error(3, 1, CAROL.0, &out)).quoted();
        assert_eq!(inside.source(), ALICE.port(5000));
        let expected = original.with_ttl(63);
        // The checksum is 16 bytes into TCP's header: right when it is quoted whole, left alone when it is not.
        let compared = if quoted >= 18 { 20 + quoted } else { 20 + quoted.min(16) };
        assert_eq!(inside.bytes[..compared], expected.bytes[..compared]);
    }
}

#[test]
fn rfc5508_req3b_i07_options_in_the_quoted_header_are_skipped() {
    let mut lab = Lab::new();
    let original = udp(ALICE.port(5000), BOB.port(53)).with_options(&[1, 1, 1, 0]);
    let out = lab.send(original.clone());
    let inside = lab.deliver(error(3, 3, BOB.0, &out));
    assert_eq!(inside.quoted(), original.with_ttl(63));
}

#[test]
fn rfc5508_s73_a12_a_source_route_does_not_leave_in_a_quote() {
    for (options, leaves) in [([131, 4, 4, 0], false), ([1, 137, 3, 4], false), ([7, 4, 4, 0], true)] {
        let mut lab = Lab::new();
        let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
        let delivered = lab.deliver(udp(BOB.port(53), external).with_options(&options));
        let verdict = lab.try_send(error(3, 3, ALICE.0, &delivered));
        assert_eq!(verdict == Verdict::Forward(Realm::External), leaves, "{options:?}: {verdict:?}");
    }
}

#[test]
fn rfc5508_req3_i08_a_wrong_icmp_checksum_is_dropped() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for byte in [20, 21, 22, 23, 27, 28, 40, 55] {
        let wrong = error(3, 3, BOB.0, &out).changed(|bytes| bytes[byte] ^= 0x40);
        assert!(matches!(
            lab.try_deliver(wrong),
            Verdict::Drop(DropReason::IcmpChecksum | DropReason::IcmpType)
        ));
    }
}

#[test]
fn rfc5508_req3a_i09_a_wrong_quoted_header_checksum_is_dropped() {
    let mut lab = Lab::new();
    let mut out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    out.bytes[10] ^= 1;
    lab.refuse(error(3, 3, BOB.0, &out), DropReason::Embedded);
}

#[test]
fn rfc5508_req3c_i10_a_wrong_quoted_transport_checksum_passes_and_stays_wrong() {
    let mut lab = Lab::new();
    let mut out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    out.bytes[26] ^= 1;
    assert!(!lab.deliver(error(3, 3, BOB.0, &out)).quoted().transport_is_intact());
}

#[test]
fn rfc5508_req3d_i11_extensions_behind_the_quote_stay() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)).with_payload(100));
    let mut quote = out.clone();
    quote.bytes.extend_from_slice(&[0x20, 0, 0, 0, 0, 8, 1, 1, 0, 0, 0x10, 1]);
    let mut message = error(11, 0, CAROL.0, &quote);
    message.bytes[25] = 32;
    message.fix_transport();
    let inside = lab.deliver(message.clone());
    assert_eq!(inside.bytes[inside.bytes.len() - 12..], message.bytes[message.bytes.len() - 12..]);
    assert_eq!(inside.bytes[25], 32);
}

#[test]
fn rfc5508_req4_i12_an_error_about_no_session_is_dropped() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let stranger = udp(OUTSIDE.port(9), BOB.port(53));
    lab.refuse(error(3, 3, BOB.0, &stranger), DropReason::EmbeddedNoSession);
}

#[test]
fn rfc5508_req5_i12_an_error_from_inside_about_no_session_is_dropped() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let stranger = udp(BOB.port(53), ALICE.port(9));
    let verdict = lab.try_send(error(3, 3, ALICE.0, &stranger));
    assert_eq!(verdict, Verdict::Drop(DropReason::EmbeddedNoSession));
}

#[test]
fn rfc5508_req6_i13_an_error_refreshes_nothing() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    lab.deliver(error(3, 3, BOB.0, &out));
    lab.wait_secs(101);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc5508_req6_i13_an_error_about_a_query_neither_ends_nor_refreshes_it() {
    let mut lab = Lab::new();
    let out = lab.send(echo(77, ALICE.0, BOB.0));
    lab.wait_secs(59);
    lab.deliver(error(11, 0, CAROL.0, &out));
    lab.deliver(echo_reply(out.source().port(), BOB.0, OUTSIDE.0));
    lab.wait_secs(2);
    let late = lab.try_deliver(echo_reply(out.source().port(), BOB.0, OUTSIDE.0));
    assert!(matches!(late, Verdict::Drop(_)));
}

#[test]
fn rfc7857_s71_t13_an_error_from_inside_refreshes_nothing() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    lab.wait_secs(200);
    let inside = lab.deliver(udp(BOB.port(53), out.source()));
    lab.send(error(3, 3, ALICE.0, &inside));
    lab.wait_secs(101);
    assert!(matches!(lab.try_deliver(udp(BOB.port(53), out.source())), Verdict::Drop(_)));
}

#[test]
fn rfc5508_req5_i14_an_error_from_inside_comes_from_the_external_address() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let inside = lab.deliver(udp(BOB.port(53), out.source()));
    // A router inside, not ALICE herself, complains: outside it is still ours.
    let seen = lab.send(error(3, 1, DAVE.0, &inside));
    assert_eq!((*seen.source().ip(), *seen.destination().ip()), (OUTSIDE.0, BOB.0));
    let quoted = seen.quoted();
    assert!(quoted.header_is_intact() && quoted.transport_is_intact());
    assert_eq!((quoted.source(), quoted.destination()), (BOB.port(53), out.source()));
}

#[test]
fn rfc5508_req5b_i14_an_error_from_inside_keeps_type_and_code() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let inside = lab.deliver(udp(BOB.port(53), out.source()));
    for [kind, code] in [[3, 0], [3, 3], [3, 13], [11, 0], [11, 1], [12, 0]] {
        assert_eq!(lab.send(error(kind, code, ALICE.0, &inside)).transport()[..2], [kind, code]);
    }
}

#[test]
fn rfc5508_s712_i20_a_reported_mtu_reaches_the_sender_unchanged() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)).with_payload(1400).dont_fragment());
    let mut report = error(3, 4, CAROL.0, &out.changed(|bytes| bytes.truncate(548)));
    report.bytes[26..28].copy_from_slice(&1280_u16.to_be_bytes());
    report.fix_transport();
    let inside = lab.deliver(report);
    assert_eq!((*inside.destination().ip(), inside.bytes.len()), (ALICE.0, 576));
    assert_eq!(inside.transport()[4..8], [0, 0, 0x05, 0x00]);
    assert_eq!(inside.quoted().source(), ALICE.port(5000));
}

#[test]
fn rfc5508_i15_an_error_goes_back_to_the_source_it_quotes_or_nowhere() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let inside = lab.deliver(udp(BOB.port(53), out.source()));
    let mut astray = error(3, 3, CAROL.0, &inside);
    astray.bytes[16..20].copy_from_slice(&OUTSIDE.0.octets());
    astray.fix_header();
    lab.refuse(astray, DropReason::EmbeddedMismatch);
    let mut astray = error(3, 3, ALICE.0, &inside);
    astray.bytes[16..20].copy_from_slice(&CAROL.0.octets());
    astray.fix_header();
    assert_eq!(lab.try_send(astray), Verdict::Drop(DropReason::EmbeddedMismatch));
}

#[test]
fn rfc5508_i16_a_quote_that_lies_about_its_lengths_is_dropped() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for first in [0x4F, 0x44, 0x40, 0x65, 0x05] {
        let mut lie = error(3, 3, BOB.0, &out);
        lie.bytes[28] = first;
        lie.fix_transport();
        lab.refuse(lie, DropReason::Embedded);
    }
    for len in 0..28 {
        let whole = error(3, 3, BOB.0, &out);
        let mut message = sekisho_tests::raw(1, BOB.0, OUTSIDE.0, &whole.transport()[..8 + len]);
        message.fix_transport();
        lab.refuse(message, DropReason::Embedded);
    }
}

#[test]
fn rfc5508_i17_an_error_about_a_later_fragment_is_dropped() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let fragment = out.changed(|bytes| bytes[7] = 1);
    lab.refuse(error(11, 1, BOB.0, &fragment), DropReason::EmbeddedFragment);
}

#[test]
fn rfc5508_i22_an_error_about_an_error_is_dropped() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    let mut inner = error(3, 3, OUTSIDE.0, &out);
    inner.bytes[12..16].copy_from_slice(&OUTSIDE.0.octets());
    inner.fix_header();
    let mut outer = error(3, 3, BOB.0, &inner);
    outer.bytes[16..20].copy_from_slice(&OUTSIDE.0.octets());
    outer.fix_header();
    lab.refuse(outer, DropReason::Embedded);
}

#[test]
fn rfc5508_req10_i25_redirect_quench_and_unknown_types_are_dropped() {
    let mut lab = Lab::new();
    let out = lab.send(udp(ALICE.port(5000), BOB.port(53)));
    for kind in [4, 5, 6, 9, 10, 15, 16, 17, 18, 30, 255] {
        lab.refuse(error(kind, 0, BOB.0, &out), DropReason::IcmpType);
    }
}

#[test]
fn rfc5508_req7_h04_hairpinned_errors_are_translated_on_both_ends() {
    let mut lab = Lab::with_forward();
    let original = udp(DAVE.port(5000), OUTSIDE.port(54321));
    let seen = lab.hairpin(original.clone());
    let back = lab.hairpin(error(3, 3, ALICE.0, &seen));
    assert_eq!((*back.source().ip(), *back.destination().ip()), (OUTSIDE.0, DAVE.0));
    let quoted = back.quoted();
    assert!(quoted.transport_is_intact());
    assert_eq!((quoted.source(), quoted.destination()), (DAVE.port(5000), OUTSIDE.port(54321)));
}

#[test]
fn rfc1812_i18_a_ttl_that_runs_out_is_rejected_both_ways_before_any_state() {
    let mut lab = Lab::with_forward();
    for ttl in [0, 1] {
        let expired = Verdict::Reject(RejectReason::TtlExpired);
        assert_eq!(lab.try_send(udp(ALICE.port(5000), BOB.port(53)).with_ttl(ttl)), expired);
        assert_eq!(lab.try_deliver(tcp("S", BOB.port(4000), OUTSIDE.port(54321)).with_ttl(ttl)), expired);
    }
    assert_eq!(lab.engine.occupancy().sessions, 0);
    lab.send(udp(ALICE.port(5000), BOB.port(53)).with_ttl(2));
}

#[test]
fn rfc1191_i21_a_packet_too_large_for_the_next_link_is_rejected_with_its_mtu() {
    let mut lab = Lab::with(|settings| settings.external_mtu = 1400);
    let packet = |len: usize| udp(ALICE.port(5000), BOB.port(53)).with_payload(len - 28).dont_fragment();
    lab.send(packet(1400));
    let verdict = lab.try_send(packet(1401));
    assert_eq!(verdict, Verdict::Reject(RejectReason::FragmentationNeeded(Realm::External)));
}

#[test]
fn rfc1191_a_large_frame_is_judged_by_the_segments_it_stands_for() {
    let mut lab = Lab::new();
    let gso = |segment: u16| {
        let mut packet = tcp("P.", ALICE.port(5000), BOB.port(80)).with_payload(30_000).dont_fragment();
        packet.segment = segment.try_into().ok();
        packet
    };
    lab.send(gso(1460));
    let verdict = lab.try_send(gso(1461));
    assert_eq!(verdict, Verdict::Reject(RejectReason::FragmentationNeeded(Realm::External)));
}

#[test]
fn a_large_frame_of_segments_too_large_for_the_next_link_is_dropped_if_they_may_be_fragmented() {
    let mut lab = Lab::with(|settings| settings.external_mtu = 1400);
    let mut frame = tcp("P.", ALICE.port(5000), BOB.port(80)).with_payload(30_000).may_fragment();
    frame.segment = 1460.try_into().ok();
    assert_eq!(lab.try_send(frame.clone()), Verdict::Drop(DropReason::TooLarge));
    frame.segment = 1360.try_into().ok();
    lab.send(frame);
}

#[test]
fn a21_malformed_headers_are_dropped_by_name() {
    let mut lab = Lab::new();
    let mut drop = |packet: Packet, reason: DropReason| {
        assert_eq!(lab.translate(Realm::Internal, &packet).0, Verdict::Drop(reason));
    };
    let good = || udp(ALICE.port(5000), BOB.port(53));
    for len in 0..20 {
        let mut short = good();
        short.bytes.truncate(len);
        drop(short, DropReason::Truncated);
    }
    drop(good().changed(|b| b[0] = 0x65), DropReason::Version);
    drop(good().changed(|b| b[0] = 0x44), DropReason::HeaderLength);
    drop(good().changed(|b| b[3] += 1), DropReason::TotalLength);
    drop(good().changed(|b| b[2..4].copy_from_slice(&[0, 19])), DropReason::TotalLength);
    drop(good().changed(|b| b[0] = 0x4F), DropReason::HeaderLength);
    let with_options = good().with_payload(40).changed(|b| b[..4].copy_from_slice(&[0x4F, 0, 0, 59]));
    drop(with_options, DropReason::TotalLength);
    let mut broken = good();
    broken.bytes[11] ^= 1;
    drop(broken, DropReason::HeaderChecksum);
    drop(good().changed(|b| b[2..4].copy_from_slice(&[0, 22])), DropReason::Transport);
    drop(good().changed(|b| b[24..26].copy_from_slice(&[0, 7])), DropReason::Transport);
    drop(good().changed(|b| b[24..26].copy_from_slice(&[1, 0])), DropReason::Transport);
    let segment = || tcp("S", ALICE.port(5000), BOB.port(80));
    drop(segment().changed(|b| b[32] = 0x40), DropReason::Transport);
    drop(segment().changed(|b| b[32] = 0x60), DropReason::Transport);
    drop(sekisho_tests::raw(6, ALICE.0, BOB.0, &[0; 19]), DropReason::Transport);
    drop(sekisho_tests::raw(1, ALICE.0, BOB.0, &[8; 7]), DropReason::Transport);
}
