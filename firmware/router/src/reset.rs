//! TCP resets that the box sends for others, where a filter rule says so (RFC 9293 s.3.10.7.1).

use smoltcp::wire::{IPV4_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TcpPacket};

const TCP_HEADER_LEN: usize = 20;
const HOP_LIMIT: u8 = 64;

/// The length of one, in bytes.
pub(crate) const LEN: usize = IPV4_HEADER_LEN + TCP_HEADER_LEN;

/// Writes the reset that answers a packet. None, if the packet is no TCP segment, or is a reset itself, or a fragment other
/// than the first.
pub(crate) fn write(packet: &[u8], buffer: &mut [u8; LEN]) -> Option<()> {
    let about = Ipv4Packet::new_checked(packet).ok()?;
    if about.next_header() != IpProtocol::Tcp || about.frag_offset() != 0 {
        return None;
    }
    let segment = TcpPacket::new_checked(about.payload()).ok().filter(|segment| !segment.rst())?;
    let (from, to) = (about.dst_addr(), about.src_addr());
    let header = Ipv4Repr {
        src_addr: from,
        dst_addr: to,
        next_header: IpProtocol::Tcp,
        payload_len: TCP_HEADER_LEN,
        hop_limit: HOP_LIMIT,
    };
    buffer.fill(0);
    let mut ip = Ipv4Packet::new_unchecked(&mut buffer[..]);
    header.emit(&mut ip, &Default::default());
    ip.fill_checksum();
    let mut reset = TcpPacket::new_unchecked(ip.payload_mut());
    reset.set_src_port(segment.dst_port());
    reset.set_dst_port(segment.src_port());
    reset.set_header_len(TCP_HEADER_LEN as u8);
    reset.set_rst(true);
    if segment.ack() {
        reset.set_seq_number(segment.ack_number());
    } else {
        reset.set_ack(true);
        reset.set_ack_number(segment.seq_number() + segment.segment_len());
    }
    reset.fill_checksum(&IpAddress::Ipv4(from), &IpAddress::Ipv4(to));
    Some(())
}
