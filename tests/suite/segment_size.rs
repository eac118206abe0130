//! The maximum segment size that a connection agrees on, kept to what both links carry (RFC 4459 s.3.2, RFC 2923).

use sekisho_tests::{ALICE, BOB, Lab, Packet, tcp};

const MSS_1400: &[u8] = &[2, 4, 0x05, 0x78];

fn clamping_to(mtu: u16) -> Lab {
    Lab::with(|settings| settings.external_mtu = mtu)
}

fn mss(packet: &Packet, at: usize) -> u16 {
    let options = &packet.transport()[20..];
    u16::from_be_bytes([options[at], options[at + 1]])
}

fn syn(options: &[u8]) -> Packet {
    tcp("S", ALICE.port(5000), BOB.port(80)).with_tcp_options(options)
}

#[test]
fn r19_a_larger_one_is_lowered_in_syn_and_syn_ack() {
    let mut lab = clamping_to(1040);
    let out = lab.send(syn(MSS_1400));
    assert_eq!(mss(&out, 2), 1000);
    let back = lab.deliver(tcp("S.", BOB.port(80), out.source()).with_tcp_options(MSS_1400));
    assert_eq!(mss(&back, 2), 1000);
}

#[test]
fn r19_the_smaller_link_decides_on_whichever_side_it_is() {
    let mut lab = Lab::with(|settings| settings.internal_mtu = 1040);
    assert_eq!(mss(&lab.send(syn(MSS_1400)), 2), 1000);
}

#[test]
fn r19_a_smaller_one_is_never_raised() {
    let mut lab = clamping_to(1500);
    assert_eq!(mss(&lab.send(syn(MSS_1400)), 2), 1400);
}

#[test]
fn r19_it_stays_if_clamping_is_off() {
    let mut lab = Lab::with(|settings| {
        settings.external_mtu = 1040;
        settings.clamp_segment_size = false;
    });
    assert_eq!(mss(&lab.send(syn(MSS_1400)), 2), 1400);
}

#[test]
fn r19_it_is_not_inserted_where_it_is_absent() {
    let mut lab = clamping_to(1040);
    let out = lab.send(syn(&[1, 1, 4, 2]));
    assert_eq!(out.transport()[20..24], [1, 1, 4, 2]);
}

#[test]
fn r19_it_may_lie_at_an_odd_place() {
    let mut lab = clamping_to(1040);
    let out = lab.send(syn(&[1, 2, 4, 0x05, 0x78, 1, 1, 0]));
    assert_eq!(mss(&out, 3), 1000);
    assert!(out.transport_is_intact());
}

#[test]
fn r19_an_unfinished_checksum_does_not_cover_it() {
    let mut lab = clamping_to(1040);
    let out = lab.send(syn(MSS_1400).partial());
    assert_eq!(mss(&out, 2), 1000);
    assert!(out.transport_is_intact());
}

#[test]
fn r19_a_list_that_contradicts_itself_is_left_alone() {
    for options in
        [[2, 0, 5, 0x78], [2, 1, 5, 0x78], [2, 5, 5, 0x78], [2, 3, 5, 0x78], [0, 2, 4, 5], [1, 1, 1, 2]]
    {
        let mut lab = clamping_to(1040);
        let out = lab.send(syn(&options));
        assert_eq!(out.transport()[20..24], options);
    }
}

#[test]
fn r19_nothing_but_a_syn_is_touched() {
    let mut lab = clamping_to(1040);
    let out = lab.send(syn(&[1, 1, 1, 1]));
    lab.deliver(tcp("S.", BOB.port(80), out.source()));
    let data = lab.send(tcp("P.", ALICE.port(5000), BOB.port(80)).with_tcp_options(MSS_1400));
    assert_eq!(mss(&data, 2), 1400);
}
