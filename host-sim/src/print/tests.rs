//! Lines of handmade frames. Those of whole IPv4 and ARP frames are what tcpdump 4.99 prints of the same bytes with `-n`.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{Ipv4Repr, TcpControl, TcpRepr, TcpSeqNumber};

use super::*;

const ALICE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const BOB: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

#[test]
fn arp_says_who_asks_and_who_answers() {
    let request = arp_frame(1, [0; 6]);
    let to_all = arp_frame(1, [0xFF; 6]);
    let reply = arp_frame(2, [2, 0, 0, 0, 0, 9]);

    assert_eq!(line(&request), "ARP, Request who-has 192.0.2.254 tell 192.0.2.1, length 28");
    assert_eq!(
        line(&to_all),
        "ARP, Request who-has 192.0.2.254 (ff:ff:ff:ff:ff:ff) tell 192.0.2.1, length 28"
    );
    assert_eq!(line(&reply), "ARP, Reply 192.0.2.1 is-at 02:00:00:00:00:07, length 28");
}

#[test]
fn padding_counts_in_arp_as_it_does_for_tcpdump() {
    let mut padded = arp_frame(1, [0; 6]);
    padded.resize(60, 0);

    assert_eq!(line(&padded), "ARP, Request who-has 192.0.2.254 tell 192.0.2.1, length 46");
}

#[test]
fn udp_says_how_much_it_carries() {
    let datagram = packet_frame(IpProtocol::Udp, &udp(5000, 6000, 12));

    assert_eq!(line(&datagram), "192.0.2.1.5000 > 203.0.113.1.6000: UDP, length 12");
}

#[test]
fn padding_behind_a_packet_is_none_of_it() {
    let mut padded = packet_frame(IpProtocol::Udp, &udp(5000, 6000, 1));
    padded.resize(60, 0xAA);

    assert_eq!(line(&padded), "192.0.2.1.5000 > 203.0.113.1.6000: UDP, length 1");
}

#[test]
fn icmp_echoes_have_an_id_and_a_number() {
    let request = packet_frame(IpProtocol::Icmp, &icmp(8, 0, [0, 1, 0, 2], &[0; 56]));
    let reply = packet_frame(IpProtocol::Icmp, &icmp(0, 0, [0x61, 0x51, 0, 2], &[0; 56]));

    assert_eq!(line(&request), "192.0.2.1 > 203.0.113.1: ICMP echo request, id 1, seq 2, length 64");
    assert_eq!(line(&reply), "192.0.2.1 > 203.0.113.1: ICMP echo reply, id 24913, seq 2, length 64");
}

#[test]
fn icmp_errors_say_what_they_are_about() {
    let about = packet(IpProtocol::Udp, 0, &udp(5000, 53, 0));
    let error = |kind, code, rest| line(&packet_frame(IpProtocol::Icmp, &icmp(kind, code, rest, &about)));
    let from = "192.0.2.1 > 203.0.113.1: ICMP";

    assert_eq!(error(3, 0, [0; 4]), format!("{from} net 203.0.113.1 unreachable, length 36"));
    assert_eq!(error(3, 1, [0; 4]), format!("{from} host 203.0.113.1 unreachable, length 36"));
    assert_eq!(error(3, 2, [0; 4]), format!("{from} 203.0.113.1 protocol 17 unreachable, length 36"));
    assert_eq!(error(3, 3, [0; 4]), format!("{from} 203.0.113.1 udp port 53 unreachable, length 36"));
    assert_eq!(
        error(3, 4, [0, 0, 5, 120]),
        format!("{from} 203.0.113.1 unreachable - need to frag (mtu 1400), length 36")
    );
    assert_eq!(
        error(3, 13, [0; 4]),
        format!("{from} host 203.0.113.1 unreachable - admin prohibited filter, length 36")
    );
    assert_eq!(error(11, 0, [0; 4]), format!("{from} time exceeded in-transit, length 36"));
    assert_eq!(error(11, 1, [0; 4]), format!("{from} ip reassembly time exceeded, length 36"));
}

#[test]
fn tcp_counts_from_where_a_conversation_began() {
    let mut printer = Printer::default();
    let mut say = |segment: &TcpRepr<'_>| printer.line(&segment_frame(segment)).to_string();
    let syn =
        TcpRepr { control: TcpControl::Syn, max_seg_size: Some(1460), window_scale: Some(7), ..segment() };
    let data = TcpRepr { payload: b"hello", control: TcpControl::Psh, ..answer(1, 1) };
    let end = TcpRepr { control: TcpControl::Fin, ..answer(6, 1) };

    let to = "192.0.2.1.49152 > 203.0.113.1.80";
    let options = "options [mss 1460,wscale 7,eol]";
    assert_eq!(say(&syn), format!("{to}: Flags [S], seq 4294967290, win 64240, {options}, length 0"));
    let back = "203.0.113.1.80 > 192.0.2.1.49152";
    let synack = backwards(&TcpRepr { control: TcpControl::Syn, ..answer(0, 0) });
    assert_eq!(
        printer.line(&synack).to_string(),
        format!("{back}: Flags [S.], seq 77, ack 4294967291, win 64240, length 0")
    );
    let mut say = |segment: &TcpRepr<'_>| printer.line(&segment_frame(segment)).to_string();
    assert_eq!(say(&answer(1, 1)), format!("{to}: Flags [.], ack 1, win 64240, length 0"));
    assert_eq!(say(&data), format!("{to}: Flags [P.], seq 1:6, ack 1, win 64240, length 5"));
    assert_eq!(say(&end), format!("{to}: Flags [F.], seq 6, ack 1, win 64240, length 0"));
}

#[test]
fn a_line_says_less_where_there_is_no_room() {
    let syn = TcpRepr { control: TcpControl::Syn, max_seg_size: Some(1460), ..segment() };

    let line = Printer::default().line(&segment_frame(&syn));

    let texts = |detail| line.fields(detail).map(|field| field.text.as_str()).collect::<Vec<_>>();
    let ends = ["192.0.2.1.49152", "203.0.113.1.80", "[S]", "4294967290"];
    assert_eq!(texts(Detail::Full), [&ends[..], &["64240", "[mss 1460]", "0"]].concat());
    assert_eq!(texts(Detail::Window), [&ends[..], &["64240", "0"]].concat());
    assert_eq!(texts(Detail::Essential), [&ends[..], &["0"]].concat());
    assert_eq!(line.width(Detail::Full), line.to_string().len());
}

#[test]
fn later_fragments_have_no_ports() {
    let fragment = ethernet(0x0800, &packet(IpProtocol::Udp, 185, &udp(5000, 6000, 12)));

    assert_eq!(line(&fragment), "192.0.2.1 > 203.0.113.1: udp");
}

#[test]
fn other_protocols_are_named_by_number() {
    assert_eq!(
        line(&packet_frame(IpProtocol::Unknown(99), &[0; 9])),
        "192.0.2.1 > 203.0.113.1:  ip-proto-99 9"
    );
    assert_eq!(line(&ethernet(0x86DD, &[0x60; 40])), "ethertype 0x86dd, length 40");
}

#[test]
fn no_frame_is_cut_too_short_to_be_printed() {
    for whole in every_kind() {
        for len in 0..whole.len() {
            let mut printer = Printer::default();
            let cut = printer.line(&whole[..len]).to_string();
            assert!(len >= 14 || cut == "[|ether]", "{cut}");
            assert!(!cut.is_empty());
        }
    }
}

#[test]
fn no_packet_is_cut_too_short_to_be_printed() {
    for whole in every_kind().iter().filter(|frame| frame[12..14] == [8, 0]) {
        let (protocol, payload) = (IpProtocol::from(whole[23]), &whole[34..]);
        for len in 0..payload.len() {
            let cut = line(&packet_frame(protocol, &payload[..len]));
            assert!(cut.starts_with("192.0.2.1") && cut.contains(" > 203.0.113.1"), "{cut}");
        }
    }
}

#[test]
fn no_byte_can_be_so_wrong_that_a_frame_is_not_printed() {
    for whole in every_kind() {
        for place in 0..whole.len() {
            for wrong in [0, 1, 0x0F, 0x45, 0x4F, 0x7F, 0x80, 0xF0, 0xFF] {
                let mut frame = whole.clone();
                frame[place] = wrong;
                assert!(!line(&frame).is_empty());
            }
        }
    }
}

#[test]
fn what_is_cut_short_inside_a_packet_is_named() {
    let cut = |protocol, payload: &[u8]| line(&packet_frame(protocol, payload));

    assert_eq!(cut(IpProtocol::Tcp, &[0; 19]), "192.0.2.1 > 203.0.113.1: [|tcp]");
    assert_eq!(cut(IpProtocol::Udp, &[0; 7]), "192.0.2.1 > 203.0.113.1: [|udp]");
    assert_eq!(cut(IpProtocol::Icmp, &[0; 7]), "192.0.2.1 > 203.0.113.1: [|icmp]");
    assert_eq!(line(&ethernet(0x0800, &[0x45; 19])), "[|ip]");
    assert_eq!(line(&ethernet(0x0806, &[0; 27])), "[|arp]");
}

fn line(frame: &[u8]) -> String {
    Printer::default().line(frame).to_string()
}

fn every_kind() -> Vec<Vec<u8>> {
    let about = packet(IpProtocol::Tcp, 0, &[0; 20]);
    let syn = TcpRepr {
        control: TcpControl::Syn,
        max_seg_size: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        ..segment()
    };
    let sack = TcpRepr { sack_ranges: [Some((1, 9)), Some((20, 29)), None], ..answer(1, 1) };
    vec![
        arp_frame(1, [0; 6]),
        arp_frame(2, [2; 6]),
        packet_frame(IpProtocol::Udp, &udp(5000, 6000, 12)),
        packet_frame(IpProtocol::Icmp, &icmp(8, 0, [0; 4], &[0; 56])),
        packet_frame(IpProtocol::Icmp, &icmp(3, 3, [0; 4], &about)),
        segment_frame(&syn),
        segment_frame(&sack),
    ]
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let addresses = [2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 7];
    [&addresses[..], &kind.to_be_bytes(), payload].concat()
}

/// From 192.0.2.1, at 02:00:00:00:00:07, about 192.0.2.254.
fn arp_frame(operation: u8, target_hardware: [u8; 6]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 7, 192, 0, 2, 1];
    ethernet(0x0806, &[&head[..], &target_hardware, &[192, 0, 2, 254]].concat())
}

fn packet_frame(protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    ethernet(0x0800, &packet(protocol, 0, payload))
}

/// From Alice to Bob; the offset is in units of 8 bytes.
fn packet(protocol: IpProtocol, fragment_offset: u16, payload: &[u8]) -> Vec<u8> {
    addressed(ALICE, BOB, protocol, fragment_offset, payload)
}

fn addressed(from: Ipv4Addr, to: Ipv4Addr, protocol: IpProtocol, offset: u16, payload: &[u8]) -> Vec<u8> {
    let header = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; 20 + payload.len()];
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[..]);
    header.emit(&mut packet, &ChecksumCapabilities::default());
    packet.set_dont_frag(false);
    packet.set_frag_offset(offset * 8);
    packet.fill_checksum();
    packet.payload_mut().copy_from_slice(payload);
    bytes
}

fn udp(from: u16, to: u16, data: usize) -> Vec<u8> {
    let len = 8 + data as u16;
    let header = [from.to_be_bytes(), to.to_be_bytes(), len.to_be_bytes(), [0, 0]].concat();
    [header, vec![0; data]].concat()
}

fn icmp(kind: u8, code: u8, rest: [u8; 4], data: &[u8]) -> Vec<u8> {
    [&[kind, code, 0, 0], &rest[..], data].concat()
}

/// The first segment of Alice's conversation with Bob's port 80.
fn segment() -> TcpRepr<'static> {
    TcpRepr {
        src_port: 49_152,
        dst_port: 80,
        control: TcpControl::None,
        seq_number: TcpSeqNumber(-6),
        ack_number: None,
        window_len: 64_240,
        window_scale: None,
        max_seg_size: None,
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: b"",
    }
}

/// A later segment of Alice's, so many bytes after her SYN and Bob's (whose number is 77).
fn answer(sent: usize, received: usize) -> TcpRepr<'static> {
    let [mine, theirs] = [TcpSeqNumber(-6) + sent, TcpSeqNumber(77) + received];
    TcpRepr { seq_number: mine, ack_number: Some(theirs), ..segment() }
}

fn segment_frame(segment: &TcpRepr<'_>) -> Vec<u8> {
    packet_frame(IpProtocol::Tcp, &written(segment))
}

/// Bob's answer to Alice's SYN.
fn backwards(segment: &TcpRepr<'_>) -> Vec<u8> {
    let segment = TcpRepr {
        src_port: segment.dst_port,
        dst_port: segment.src_port,
        seq_number: TcpSeqNumber(77),
        ack_number: Some(TcpSeqNumber(-5)),
        ..*segment
    };
    ethernet(0x0800, &addressed(BOB, ALICE, IpProtocol::Tcp, 0, &written(&segment)))
}

fn written(segment: &TcpRepr<'_>) -> Vec<u8> {
    let mut bytes = vec![0; segment.buffer_len()];
    let mut packet = smoltcp::wire::TcpPacket::new_unchecked(&mut bytes[..]);
    segment.emit(&mut packet, &ALICE.into(), &BOB.into(), &ChecksumCapabilities::default());
    bytes
}
