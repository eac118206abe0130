//! TCP segments, with sequence numbers counted from where each direction of a conversation began.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use smoltcp::wire::{TcpOption, TcpPacket};

use super::{Detail, Line, addresses, endpoints};

type Endpoint = (Ipv4Addr, u16);

/// The conversations that a tap has seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversations {
    /// Where the sequence numbers from one endpoint to another began.
    origins: BTreeMap<(Endpoint, Endpoint), u32>,
}

impl Conversations {
    pub(super) fn segment(&mut self, line: &mut Line, from: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) {
        let Ok(segment) = TcpPacket::new_checked(payload) else {
            addresses(line, from, to);
            line.add(": ", "[|tcp]");
            return;
        };
        let (from, to) = ((from, segment.src_port()), (to, segment.dst_port()));
        let (sequence, acknowledgement) = self.counted(from, to, &segment);
        let length = segment.payload().len();

        endpoints(line, from, to);
        line.add(": Flags ", format_args!("[{}]", flags(&segment)));
        if length > 0 {
            line.add(", seq ", format_args!("{sequence}:{}", sequence.wrapping_add(length as u32)));
        } else if segment.syn() || segment.fin() || segment.rst() {
            line.add(", seq ", sequence);
        }
        if segment.ack() {
            line.add(", ack ", acknowledgement);
        }
        line.add_at(Detail::Window, ", win ", segment.window_len());
        if segment.urg() {
            line.add(", urg ", segment.urgent_at());
        }
        if let Some(options) = options(segment.options()) {
            line.add_at(Detail::Full, ", options ", format_args!("[{options}]"));
        }
        line.add(", length ", length);
    }

    /// Both numbers as they are printed: as they are where a conversation begins, and counted from there afterwards.
    fn counted(&mut self, from: Endpoint, to: Endpoint, segment: &TcpPacket<&[u8]>) -> (u32, u32) {
        let sequence = segment.seq_number().0 as u32;
        let acknowledgement = segment.ack_number().0 as u32;
        match (self.origins.get(&(from, to)), self.origins.get(&(to, from))) {
            (Some(mine), Some(theirs)) if !segment.syn() => {
                (sequence.wrapping_sub(*mine), acknowledgement.wrapping_sub(*theirs))
            }
            _ => {
                self.origins.insert((from, to), sequence);
                self.origins.insert((to, from), acknowledgement.wrapping_sub(1));
                (sequence, acknowledgement)
            }
        }
    }
}

fn flags(segment: &TcpPacket<&[u8]>) -> String {
    let flags = [
        (segment.fin(), 'F'),
        (segment.syn(), 'S'),
        (segment.rst(), 'R'),
        (segment.psh(), 'P'),
        (segment.ack(), '.'),
        (segment.urg(), 'U'),
        (segment.ece(), 'E'),
        (segment.cwr(), 'W'),
    ];
    let set: String = flags.into_iter().filter_map(|(set, letter)| set.then_some(letter)).collect();
    if set.is_empty() { "none".to_owned() } else { set }
}

/// The options, if there are any, up to the first that cannot be read.
fn options(mut bytes: &[u8]) -> Option<String> {
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let Ok((rest, option)) = TcpOption::parse(bytes) else {
            names.push("bad opt".to_owned());
            break;
        };
        names.push(name(&option));
        if option == TcpOption::EndOfList {
            break;
        }
        bytes = rest;
    }
    (!names.is_empty()).then(|| names.join(","))
}

fn name(option: &TcpOption<'_>) -> String {
    match option {
        TcpOption::EndOfList => "eol".to_owned(),
        TcpOption::NoOperation => "nop".to_owned(),
        TcpOption::MaxSegmentSize(size) => format!("mss {size}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".to_owned(),
        TcpOption::SackRange(ranges) => {
            let ranges: Vec<_> =
                ranges.iter().flatten().map(|(from, to)| format!("{{{from}:{to}}}")).collect();
            format!("sack {} {}", ranges.len(), ranges.concat())
        }
        TcpOption::TimeStamp { tsval, tsecr } => format!("TS val {tsval} ecr {tsecr}"),
        TcpOption::Unknown { kind, .. } => format!("unknown-{kind}"),
    }
}
