//! RFC 5961 and RFC 7323 as a NAT sees them: which segments can belong to a connection, and what a RST may do; with
//! the ICMP attacks of RFC 5927.

use napt::{DropReason, Realm, Verdict};
use sekisho_tests::{ALICE, BOB, CAROL, Lab, Packet, error, tcp};

const ESTABLISHED: u64 = 7440;
const TRANSITORY: u64 = 240;

/// Window scale 7, and 14, as TCP options.
const SCALE_7: &[u8] = &[1, 3, 3, 7];
const SCALE_14: &[u8] = &[1, 3, 3, 14];

/// A connection between ALICE and BOB, each with a window of 8,192 bytes; both have sent nothing but their SYN.
struct Connection {
    lab: Lab,
    external: std::net::SocketAddrV4,
}

impl Connection {
    fn open() -> Self {
        Self::open_with(&[])
    }

    fn open_with(options: &[u8]) -> Self {
        let mut lab = Lab::new();
        let syn = tcp("S", ALICE.port(5000), BOB.port(80)).with_tcp_options(options);
        let external = lab.send(syn).source();
        lab.deliver(tcp("S.", BOB.port(80), external).with_tcp_options(options));
        lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
        Self { lab, external }
    }

    fn out(&self, flags: &str) -> Packet {
        tcp(flags, ALICE.port(5000), BOB.port(80))
    }

    fn back(&self, flags: &str) -> Packet {
        tcp(flags, BOB.port(80), self.external)
    }

    fn deliver(&mut self, packet: Packet) {
        self.lab.deliver(packet);
    }

    /// Whether the session is still there after so many seconds without a packet.
    fn outlives(&mut self, seconds: u64) -> bool {
        self.lab.wait_secs(seconds);
        self.lab.try_deliver(self.back(".")) == Verdict::Forward(Realm::Internal)
    }
}

#[test]
fn rfc5961_c13_a_reset_with_the_exact_number_closes() {
    let mut connection = Connection::open();
    connection.deliver(connection.back("R").seq(1001));
    assert!(!connection.outlives(TRANSITORY + 1));
}

#[test]
fn rfc5961_c13_an_inexact_reset_passes_and_closes_nothing() {
    let mut connection = Connection::open();
    connection.deliver(connection.back("R").seq(1002));
    connection.deliver(connection.back("R").seq(1001 + 8192));
    assert!(connection.outlives(ESTABLISHED - 1));
}

#[test]
fn rfc5961_c13_a2_a_reset_outside_the_window_is_dropped() {
    let mut connection = Connection::open();
    for seq in [1001 + 8194, 0x8000_0000, 1001_u32.wrapping_sub(2_000_000)] {
        connection.lab.refuse(connection.back("R").seq(seq), DropReason::OutOfWindow);
        connection.lab.refuse(connection.back("R.").seq(seq), DropReason::OutOfWindow);
    }
    assert!(connection.outlives(ESTABLISHED - 1));
}

#[test]
fn c13_a3_a_reset_from_inside_outside_the_window_closes_nothing() {
    let mut connection = Connection::open();
    connection.lab.send(connection.out("R").seq(500_000));
    assert!(connection.outlives(ESTABLISHED - 1));
}

#[test]
fn c14_a_reset_that_acknowledges_zero_does_not_end_an_opening() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)).seq(1_000_000)).source();
    lab.deliver(tcp("R.", BOB.port(80), external).seq(0).ack(0));
    lab.deliver(tcp("S.", BOB.port(80), external).ack(1_000_001));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external).ack(1_000_001));
}

#[test]
fn c14_a_reset_that_refuses_our_syn_ends_its_opening() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("R.", BOB.port(80), external).seq(0));
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.wait_secs(TRANSITORY + 1);
    assert_ne!(lab.try_deliver(tcp(".", BOB.port(80), external)), Verdict::Forward(Realm::Internal));
}

#[test]
fn c15_a_reset_behind_a_segment_that_got_lost_closes() {
    let mut connection = Connection::open();
    connection.deliver(connection.back("P.").with_payload(19));
    connection.deliver(connection.back("R").seq(1001 + 19));
    assert!(!connection.outlives(TRANSITORY + 1));
}

#[test]
fn c16_after_a_fin_an_inexact_reset_closes() {
    let mut connection = Connection::open();
    connection.deliver(connection.back("F."));
    connection.deliver(connection.back("R").seq(1500));
    assert!(!connection.outlives(TRANSITORY + 1));
}

#[test]
fn c10_a_challenge_ack_passes_and_the_client_can_reset_and_retry() {
    // Given: ALICE has forgotten a connection that BOB remembers, and opens it anew.
    let mut connection = Connection::open();
    connection.lab.send(connection.out("S").seq(700_000));
    // When: BOB challenges, ALICE resets with the number that he acknowledged.
    connection.deliver(connection.back("."));
    connection.lab.send(connection.out("R").seq(1001));
    // Then: her next attempt opens.
    connection.lab.send(connection.out("S").seq(700_000));
    connection.deliver(connection.back("S.").seq(9000).ack(700_001));
    connection.lab.send(connection.out(".").seq(700_001).ack(9001));
    connection.lab.wait_secs(ESTABLISHED - 1);
    connection.deliver(connection.back(".").seq(9001).ack(700_001));
}

#[test]
fn c10_a_challenge_ack_passes_to_who_has_just_sent_a_syn() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp(".", BOB.port(80), external).seq(123).ack(456));
    lab.send(tcp("R", ALICE.port(5000), BOB.port(80)).seq(456));
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external));
}

#[test]
fn c11_a_stale_syn_ack_passes_and_poisons_nothing() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    lab.deliver(tcp("S.", BOB.port(80), external).seq(77).ack(3_000_000));
    // The stale one did not establish; the right one does, with its own numbers.
    lab.deliver(tcp("S.", BOB.port(80), external).seq(9000));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).ack(9001));
    lab.deliver(tcp("P.", BOB.port(80), external).seq(9001).with_payload(100));
    lab.refuse(tcp("P.", BOB.port(80), external).seq(5_000_000), DropReason::OutOfWindow);
}

#[test]
fn c12_data_that_was_acknowledged_already_passes_again() {
    let mut connection = Connection::open();
    connection.deliver(connection.back("P.").with_payload(1000));
    connection.lab.send(connection.out(".").ack(2001));
    connection.deliver(connection.back("P.").with_payload(1000));
    connection.lab.send(connection.out("P.").with_payload(500));
    connection.deliver(connection.back(".").ack(1501).seq(2001));
    connection.lab.send(connection.out("P.").with_payload(500).ack(2001));
}

#[test]
fn c03_a_syn_may_be_repeated_with_another_number() {
    let mut lab = Lab::new();
    lab.send(tcp("S", ALICE.port(5000), BOB.port(80)));
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)).seq(600_000)).source();
    lab.deliver(tcp("S.", BOB.port(80), external).ack(600_001));
    lab.wait_secs(ESTABLISHED - 1);
    lab.deliver(tcp(".", BOB.port(80), external).ack(600_001));
}

#[test]
fn c21_data_far_outside_the_window_is_dropped_from_outside_and_counts_for_nothing_from_inside() {
    let mut connection = Connection::open();
    connection.lab.refuse(connection.back("P.").seq(1001 + 8193), DropReason::OutOfWindow);
    connection.lab.refuse(connection.back("P.").ack(5000), DropReason::OutOfWindow);
    connection
        .lab
        .refuse(connection.back("P.").ack(1001_u32.wrapping_sub(2_000_000)), DropReason::OutOfWindow);
    connection.lab.refuse(connection.back("F.").seq(1_000_000), DropReason::OutOfWindow);
    // What ALICE is said to have sent far ahead does not let BOB acknowledge it.
    connection.lab.send(connection.out("P.").seq(4_000_000).with_payload(10));
    connection.lab.refuse(connection.back(".").ack(4_000_010), DropReason::OutOfWindow);
    connection.deliver(connection.back("."));
}

#[test]
fn c22_windows_are_scaled_if_both_sides_say_so() {
    let mut connection = Connection::open_with(SCALE_14);
    connection.deliver(connection.back("P.").seq(1001 + (8192 << 14)));
    connection.lab.refuse(connection.back("P.").seq(1001 + (8192 << 14) + 1), DropReason::OutOfWindow);
}

#[test]
fn rfc7323_s23_c22_a_shift_beyond_14_counts_as_14() {
    for shift in [15, 16, 255] {
        let mut connection = Connection::open_with(&[1, 3, 3, shift]);
        connection.deliver(connection.back("P.").seq(1001 + (8192 << 14)));
        connection.lab.refuse(connection.back("P.").seq(1001 + (8192 << 14) + 1), DropReason::OutOfWindow);
    }
}

#[test]
fn c22_windows_are_not_scaled_if_one_side_does_not() {
    let mut lab = Lab::new();
    let syn = tcp("S", ALICE.port(5000), BOB.port(80)).with_tcp_options(SCALE_7);
    let external = lab.send(syn).source();
    lab.deliver(tcp("S.", BOB.port(80), external));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)));
    lab.refuse(tcp("P.", BOB.port(80), external).seq(1001 + 65_537), DropReason::OutOfWindow);
    lab.deliver(tcp("P.", BOB.port(80), external).seq(1001 + 8192));
}

#[test]
fn c25_a_syn_may_carry_data_and_be_answered_for_all_of_it_or_none() {
    for acknowledged in [1001, 1101] {
        let mut lab = Lab::new();
        let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)).with_payload(100)).source();
        lab.deliver(tcp("S.", BOB.port(80), external).ack(acknowledged));
        lab.deliver(tcp("P.", BOB.port(80), external).with_payload(1000).ack(acknowledged));
        lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).seq(acknowledged).ack(2001));
        lab.wait_secs(ESTABLISHED - 1);
        lab.deliver(tcp(".", BOB.port(80), external).seq(2001).ack(acknowledged));
    }
}

#[test]
fn c26_a_connection_met_in_the_middle_goes_on() {
    // Given: a connection that began before this box did; ALICE repeats an old segment of several in flight.
    let mut lab = Lab::new();
    let old = tcp("P.", ALICE.port(5000), BOB.port(80)).seq(50_000).ack(80_000).with_payload(1000);
    let external = lab.send(old).source();
    // When: BOB acknowledges all of them, and sends from where he is.
    lab.deliver(tcp("P.", BOB.port(80), external).seq(80_000).ack(58_000).with_payload(500));
    // Then: both go on, and strangers to the connection do not.
    lab.send(tcp("P.", ALICE.port(5000), BOB.port(80)).seq(58_000).ack(80_500).with_payload(1000));
    lab.deliver(tcp(".", BOB.port(80), external).seq(80_500).ack(59_000));
    lab.refuse(tcp(".", BOB.port(80), external).seq(80_500).ack(3_000_000_000), DropReason::OutOfWindow);
}

#[test]
fn rfc7857_s71_t13_a_reset_does_not_keep_a_closing_connection_alive() {
    let mut connection = Connection::open();
    connection.lab.send(connection.out("R"));
    connection.lab.wait_secs(TRANSITORY - 1);
    connection.lab.send(connection.out("R"));
    assert!(!connection.outlives(2));
}

#[test]
fn a10_an_icmp_error_about_a_segment_that_is_not_under_way_is_dropped() {
    let mut connection = Connection::open();
    let sent = connection.lab.send(connection.out("P.").with_payload(100));
    connection.deliver(error(3, 4, CAROL.0, &sent));
    let guessed = sent.seq(2_000_000);
    connection.lab.refuse(error(3, 4, CAROL.0, &guessed), DropReason::EmbeddedOutOfWindow);
}

#[test]
fn a10_an_absurd_mtu_is_not_relayed() {
    let mut connection = Connection::open();
    let sent = connection.lab.send(connection.out("P.").with_payload(100));
    for (mtu, passes) in [(0, true), (1, false), (67, false), (68, true), (1280, true)] {
        let told = error(3, 4, CAROL.0, &sent).changed(|bytes| bytes[27] = mtu as u8).changed(|bytes| {
            bytes[26] = (mtu >> 8) as u8;
        });
        let mut told = told;
        told.fix_transport();
        assert_eq!(connection.lab.try_deliver(told) == Verdict::Forward(Realm::Internal), passes, "{mtu}");
    }
}

#[test]
fn c13_sequence_numbers_may_wrap() {
    let mut lab = Lab::new();
    let near_the_end = u32::MAX - 10;
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80)).seq(near_the_end)).source();
    let next = near_the_end.wrapping_add(1);
    lab.deliver(tcp("S.", BOB.port(80), external).seq(near_the_end).ack(next));
    lab.send(tcp("P.", ALICE.port(5000), BOB.port(80)).seq(next).ack(next).with_payload(100));
    let beyond = next.wrapping_add(100);
    lab.deliver(tcp("P.", BOB.port(80), external).seq(next).ack(beyond).with_payload(100));
    lab.send(tcp(".", ALICE.port(5000), BOB.port(80)).seq(beyond).ack(beyond));
    lab.refuse(tcp("R", BOB.port(80), external).seq(beyond.wrapping_add(9000)), DropReason::OutOfWindow);
}
