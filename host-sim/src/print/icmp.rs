//! ICMP messages: echoes, and errors about packets.

use std::net::Ipv4Addr;

use smoltcp::wire::{
    Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Icmpv4TimeExceeded, IpProtocol, Ipv4Packet,
};

use super::{Line, addresses, protocol_name};

pub(super) fn message(line: &mut Line, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) {
    addresses(line, from, to);
    let Ok(message) = Icmpv4Packet::new_checked(payload) else {
        line.add(": ", "[|icmp]");
        return;
    };
    match message.msg_type() {
        Icmpv4Message::EchoRequest => echo(line, "request", &message),
        Icmpv4Message::EchoReply => echo(line, "reply", &message),
        Icmpv4Message::DstUnreachable => line.add(": ICMP ", unreachable(&message)),
        Icmpv4Message::TimeExceeded => line.add(": ICMP ", exceeded(message.msg_code())),
        other => {
            line.add(": ICMP ", format_args!("type-#{}", u8::from(other)));
        }
    }
    line.add(", length ", payload.len());
}

/// A message in a few words: an echo by its name, an error by type and code. `None` if the frame has none.
pub(super) fn brief(frame: &[u8]) -> Option<String> {
    let packet = Ipv4Packet::new_checked(frame.get(14..)?).ok()?;
    if packet.next_header() != IpProtocol::Icmp || packet.frag_offset() > 0 {
        return None;
    }
    let message = Icmpv4Packet::new_checked(packet.payload()).ok()?;
    Some(match message.msg_type() {
        Icmpv4Message::EchoRequest => "echo".to_owned(),
        Icmpv4Message::EchoReply => "echo reply".to_owned(),
        kind => format!("icmp {}/{}", u8::from(kind), message.msg_code()),
    })
}

fn echo(line: &mut Line, what: &str, message: &Icmpv4Packet<&[u8]>) {
    line.add(": ICMP echo ", what);
    line.add(", id ", message.echo_ident());
    line.add(", seq ", message.echo_seq_no());
}

fn exceeded(code: u8) -> String {
    match Icmpv4TimeExceeded::from(code) {
        Icmpv4TimeExceeded::TtlExpired => "time exceeded in-transit".to_owned(),
        Icmpv4TimeExceeded::FragExpired => "ip reassembly time exceeded".to_owned(),
        Icmpv4TimeExceeded::Unknown(code) => format!("time exceeded-#{code}"),
    }
}

/// What the packet that the message quotes could not reach.
fn unreachable(message: &Icmpv4Packet<&[u8]>) -> String {
    let Some(quoted) = Quoted::read(message.data()) else { return "unreachable [|icmp]".to_owned() };
    let to = quoted.to;
    match (Icmpv4DstUnreachable::from(message.msg_code()), quoted.port) {
        (Icmpv4DstUnreachable::NetUnreachable, _) => format!("net {to} unreachable"),
        (Icmpv4DstUnreachable::HostUnreachable, _) => format!("host {to} unreachable"),
        (Icmpv4DstUnreachable::ProtoUnreachable, _) => {
            format!("{to} protocol {} unreachable", u8::from(quoted.protocol))
        }
        (Icmpv4DstUnreachable::PortUnreachable, Some(port)) => {
            format!("{to} {} port {port} unreachable", protocol_name(quoted.protocol))
        }
        (Icmpv4DstUnreachable::FragRequired, _) => {
            format!("{to} unreachable - need to frag{}", mtu(message))
        }
        (Icmpv4DstUnreachable::CommProhibited, _) => {
            format!("host {to} unreachable - admin prohibited filter")
        }
        _ => format!("{to} unreachable - #{}", message.msg_code()),
    }
}

fn mtu(message: &Icmpv4Packet<&[u8]>) -> String {
    // The low half of the header's second word (RFC 1191 s.4); smoltcp calls it a sequence number.
    match message.echo_seq_no() {
        0 => String::new(),
        mtu => format!(" (mtu {mtu})"),
    }
}

/// What an error says of the packet that it is about.
struct Quoted {
    to: Ipv4Addr,
    protocol: IpProtocol,
    /// Where it went, if it has ports and enough of it is quoted.
    port: Option<u16>,
}

impl Quoted {
    /// A quoted packet is nearly always cut short, so its total length says nothing.
    fn read(bytes: &[u8]) -> Option<Self> {
        bytes.get(..20)?;
        let packet = Ipv4Packet::new_unchecked(bytes);
        let protocol = packet.next_header();
        let payload = bytes.get(usize::from(packet.header_len())..).unwrap_or_default();
        let port = match protocol {
            IpProtocol::Tcp | IpProtocol::Udp => payload.get(2..4)?.first_chunk().copied(),
            _ => None,
        };
        Some(Self { to: packet.dst_addr(), protocol, port: port.map(u16::from_be_bytes) })
    }
}
