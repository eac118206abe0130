//! One frame as `tcpdump -n` prints it: who to whom, and what it says, up to TCP, UDP and ICMP but not what they carry.
//!
//! A *line* is a row of *fields*, so that the line of a packet before it was rewritten and the one after can be laid
//! beside each other and the fields that differ be found. Any bytes make a line: what is cut off or contradicts itself
//! is printed as far as it can be understood, and then in brackets, `[|tcp]`.

mod icmp;
mod tcp;

use std::fmt;
use std::net::Ipv4Addr;

use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol,
    Ipv4Packet, UdpPacket,
};

use tcp::Conversations;

/// How much of a line is printed. What is not essential goes first where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Neither TCP's window nor its options.
    Essential,
    /// The window, but no options.
    Window,
    /// Everything.
    Full,
}

impl Detail {
    /// All, the most detailed first.
    pub const ALL: [Self; 3] = [Self::Full, Self::Window, Self::Essential];
}

/// One piece of a line: an address with its port, a flag, a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What stands between it and the field before.
    pub before: &'static str,
    /// The field itself.
    pub text: String,
    /// It is printed at this detail and above.
    pub detail: Detail,
}

/// What is printed of one frame; [`Display`](fmt::Display) prints all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    fields: Vec<Field>,
}

impl Line {
    /// The fields that are printed at a detail.
    pub fn fields(&self, detail: Detail) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.detail <= detail)
    }

    /// How many columns it takes.
    pub fn width(&self, detail: Detail) -> usize {
        self.fields(detail).map(|field| field.before.len() + field.text.chars().count()).sum()
    }

    fn add(&mut self, before: &'static str, text: impl fmt::Display) {
        self.add_at(Detail::Essential, before, text);
    }

    fn add_at(&mut self, detail: Detail, before: &'static str, text: impl fmt::Display) {
        self.fields.push(Field { before, text: text.to_string(), detail });
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields.iter().try_for_each(|field| write!(f, "{}{}", field.before, field.text))
    }
}

/// What makes lines of the frames that one tap has seen, in their order. It remembers where TCP's sequence numbers
/// began, and counts them from there.
#[derive(Clone, Debug, Default)]
pub struct Printer {
    conversations: Conversations,
}

impl Printer {
    /// The line of a whole Ethernet frame, without FCS.
    pub fn line(&mut self, frame: &[u8]) -> Line {
        let mut line = Line::default();
        let Ok(frame) = EthernetFrame::new_checked(frame) else {
            line.add("", "[|ether]");
            return line;
        };
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => self.packet(&mut line, frame.payload()),
            EthernetProtocol::Arp => arp(&mut line, frame.payload()),
            other => {
                line.add("ethertype ", format_args!("0x{:04x}", u16::from(other)));
                line.add(", length ", frame.payload().len());
            }
        }
        line
    }

    fn packet(&mut self, line: &mut Line, bytes: &[u8]) {
        let Ok(packet) = Ipv4Packet::new_checked(bytes).and_then(version_4) else {
            line.add("", "[|ip]");
            return;
        };
        let (from, to) = (packet.src_addr(), packet.dst_addr());
        let (protocol, payload) = (packet.next_header(), packet.payload());
        if packet.frag_offset() > 0 {
            addresses(line, from, to);
            line.add(": ", protocol_name(protocol));
            return;
        }
        match protocol {
            IpProtocol::Tcp => self.conversations.segment(line, from, to, payload),
            IpProtocol::Udp => datagram(line, from, to, payload),
            IpProtocol::Icmp => icmp::message(line, from, to, payload),
            _ => {
                addresses(line, from, to);
                line.add(":  ", protocol_name(protocol));
                line.add(" ", payload.len());
            }
        }
    }
}

/// A frame in a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brief {
    /// Who to whom.
    pub ends: String,
    /// What it says: flags and length of a segment, the kind of a message.
    pub what: String,
}

/// A frame in a few words, by itself: nothing is counted from what came before.
pub fn brief(frame: &[u8]) -> Brief {
    let line = Printer::default().line(frame);
    let mut fields = line.fields.iter();
    match EthernetFrame::new_checked(frame).map(|frame| frame.ethertype()) {
        Ok(EthernetProtocol::Ipv4) => {
            let ends = fields.by_ref().take(2).map(|field| [field.before, &field.text].concat()).collect();
            let what = icmp::brief(frame).unwrap_or_else(|| what(&mut fields));
            Brief { ends, what }
        }
        _ => {
            let text = line.to_string();
            let text = text.trim_start_matches("ARP, Request ").trim_start_matches("ARP, Reply ");
            let end = text.find(", length").unwrap_or(text.len());
            let (text, kind) = (&text[..end], if line.to_string().starts_with("ARP") { "arp" } else { "" });
            // Whom a request is sent to is nobody yet, or everybody.
            let ends = match (text.split_once(" ("), text.split_once(") ")) {
                (Some((asked, _)), Some((_, by))) => format!("{asked} {by}"),
                _ => text.to_owned(),
            };
            Brief { ends, what: kind.to_owned() }
        }
    }
}

/// What the fields behind the ends say, in short.
fn what<'f>(fields: &mut impl Iterator<Item = &'f Field>) -> String {
    let mut words = Vec::new();
    for Field { before, text, .. } in fields {
        match *before {
            ": Flags " => words.push(text.trim_matches(['[', ']']).to_owned()),
            ": UDP, length " => words.push(format!("udp {text}")),
            ": " | ":  " => words.push(text.clone()),
            ", length " if text != "0" && words.len() == 1 => words.push(text.clone()),
            _ => (),
        }
    }
    words.join(" ")
}

fn version_4(packet: Ipv4Packet<&[u8]>) -> Result<Ipv4Packet<&[u8]>, smoltcp::wire::Error> {
    if packet.version() == 4 { Ok(packet) } else { Err(smoltcp::wire::Error) }
}

fn arp(line: &mut Line, payload: &[u8]) {
    let parsed = ArpPacket::new_checked(payload).and_then(|packet| ArpRepr::parse(&packet));
    let Ok(ArpRepr::EthernetIpv4 {
        operation,
        source_hardware_addr,
        source_protocol_addr,
        target_hardware_addr,
        target_protocol_addr,
    }) = parsed
    else {
        line.add("", "[|arp]");
        return;
    };
    match operation {
        ArpOperation::Request => {
            line.add("ARP, Request who-has ", target_protocol_addr);
            if target_hardware_addr.0 != [0; 6] {
                line.add(" ", format_args!("({})", station(target_hardware_addr)));
            }
            line.add(" tell ", source_protocol_addr);
        }
        ArpOperation::Reply => {
            line.add("ARP, Reply ", source_protocol_addr);
            line.add(" is-at ", station(source_hardware_addr));
        }
        ArpOperation::Unknown(code) => line.add("ARP, Unknown ", format_args!("({code})")),
    }
    line.add(", length ", payload.len());
}

fn station(address: EthernetAddress) -> String {
    address.0.map(|byte| format!("{byte:02x}")).join(":")
}

fn datagram(line: &mut Line, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) {
    let Ok(datagram) = UdpPacket::new_checked(payload) else {
        addresses(line, from, to);
        line.add(": ", "[|udp]");
        return;
    };
    endpoints(line, (from, datagram.src_port()), (to, datagram.dst_port()));
    line.add(": UDP, length ", datagram.payload().len());
}

fn addresses(line: &mut Line, from: Ipv4Addr, to: Ipv4Addr) {
    line.add("", from);
    line.add(" > ", to);
}

fn endpoints(line: &mut Line, from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) {
    line.add("", format_args!("{}.{}", from.0, from.1));
    line.add(" > ", format_args!("{}.{}", to.0, to.1));
}

fn protocol_name(protocol: IpProtocol) -> String {
    match protocol {
        IpProtocol::Tcp => "tcp".to_owned(),
        IpProtocol::Udp => "udp".to_owned(),
        IpProtocol::Icmp => "icmp".to_owned(),
        other => format!("ip-proto-{}", u8::from(other)),
    }
}

#[cfg(test)]
mod tests;
