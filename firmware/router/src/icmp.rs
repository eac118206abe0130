//! ICMP errors that the box sends itself (RFC 792, RFC 1812 s.4.3, RFC 1191, RFC 5508 s.7).
//!
//! An error quotes the packet as it was received, as much of it as fits into 576 bytes, and copies its DSCP. Whether
//! one may be sent at all is decided here, too; how often, by `limiter`.

use core::net::Ipv4Addr;

use napt::checksum;
use smoltcp::wire::{IPV4_HEADER_LEN, IpProtocol};
use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Icmpv4TimeExceeded, Ipv4Packet, Ipv4Repr,
};

/// The longest error, in bytes (RFC 1812 s.4.3.2.3).
pub(crate) const LONGEST: usize = 576;

const ICMP_HEADER_LEN: usize = 8;
const HOP_LIMIT: u8 = 64;

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// 3/0: there is no way to the destination.
    NetworkUnreachable,
    /// 3/1: the next hop does not answer.
    HostUnreachable,
    /// 3/3: nobody has answered.
    PortUnreachable,
    /// 3/4: the next link carries packets of no more than `mtu` bytes.
    FragmentationNeeded {
        /// What it carries.
        mtu: u16,
    },
    /// 3/13: its flow may not begin (RFC 5508 REQ-8; RFC 6888 REQ-11 would have 3/1).
    Prohibited,
    /// 3 with this code: a filter rule does not let its flow begin.
    Ruled(u8),
    /// 11/0: it has come too far.
    TtlExpired,
    /// 12/0: this octet of the header is wrong.
    ParameterProblem {
        /// Counted from the header's beginning.
        pointer: u8,
    },
    /// 11/1: the fragments of a datagram for the box have not all come in time.
    ReassemblyTime,
}

impl Complaint {
    fn kind(self) -> (Icmpv4Message, u8) {
        let unreachable = |code: Icmpv4DstUnreachable| (Icmpv4Message::DstUnreachable, code.into());
        match self {
            Self::NetworkUnreachable => unreachable(Icmpv4DstUnreachable::NetUnreachable),
            Self::HostUnreachable => unreachable(Icmpv4DstUnreachable::HostUnreachable),
            Self::PortUnreachable => unreachable(Icmpv4DstUnreachable::PortUnreachable),
            Self::FragmentationNeeded { .. } => unreachable(Icmpv4DstUnreachable::FragRequired),
            Self::Prohibited => unreachable(Icmpv4DstUnreachable::CommProhibited),
            Self::Ruled(code) => (Icmpv4Message::DstUnreachable, code),
            Self::TtlExpired => (Icmpv4Message::TimeExceeded, Icmpv4TimeExceeded::TtlExpired.into()),
            Self::ParameterProblem { .. } => (Icmpv4Message::ParamProblem, 0),
            Self::ReassemblyTime => (Icmpv4Message::TimeExceeded, Icmpv4TimeExceeded::FragExpired.into()),
        }
    }

    /// The second word of the ICMP header: the next hop's MTU in its low half (RFC 1191 s.4), a pointer in its first
    /// octet (RFC 792), or nothing.
    fn parameter(self) -> [u8; 4] {
        match self {
            Self::FragmentationNeeded { mtu } => u32::from(mtu).to_be_bytes(),
            Self::ParameterProblem { pointer } => [pointer, 0, 0, 0],
            _ => [0; 4],
        }
    }
}

/// Whether an error about `packet` may be sent: not about another error, nor about a fragment other than the first
/// (RFC 1812 s.4.3.2.7). Broadcasts, multicasts and sources that are no hosts do not get this far.
pub(crate) fn may_complain_about(packet: &[u8]) -> bool {
    let Ok(packet) = Ipv4Packet::new_checked(packet) else { return false };
    let is_error = match (packet.next_header(), packet.payload()) {
        (IpProtocol::Icmp, [3 | 4 | 5 | 11 | 12, ..]) => true,
        (IpProtocol::Icmp, kind) => kind.is_empty(),
        _ => false,
    };
    !is_error && packet.frag_offset() == 0
}

/// Writes an error from `source` about `packet` into `buffer`; its length. `packet` is well-formed.
pub(crate) fn write(
    complaint: Complaint,
    source: Ipv4Addr,
    packet: &[u8],
    buffer: &mut [u8; LONGEST],
) -> usize {
    let quoted = packet.len().min(LONGEST - IPV4_HEADER_LEN - ICMP_HEADER_LEN);
    let len = IPV4_HEADER_LEN + ICMP_HEADER_LEN + quoted;
    let (kind, code) = complaint.kind();
    let about = Ipv4Packet::new_unchecked(packet);
    let (destination, dscp) = (about.src_addr(), about.dscp());

    let message = &mut buffer[IPV4_HEADER_LEN..len];
    message[..ICMP_HEADER_LEN].fill(0);
    message[4..8].copy_from_slice(&complaint.parameter());
    message[ICMP_HEADER_LEN..].copy_from_slice(&packet[..quoted]);
    let mut icmp = Icmpv4Packet::new_unchecked(&mut *message);
    icmp.set_msg_type(kind);
    icmp.set_msg_code(code);
    let sum = checksum(message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let header = Ipv4Repr {
        src_addr: source,
        dst_addr: destination,
        next_header: IpProtocol::Icmp,
        payload_len: len - IPV4_HEADER_LEN,
        hop_limit: HOP_LIMIT,
    };
    let mut ip = Ipv4Packet::new_unchecked(&mut buffer[..len]);
    header.emit(&mut ip, &Default::default());
    ip.set_dscp(dscp);
    ip.fill_checksum();
    len
}
