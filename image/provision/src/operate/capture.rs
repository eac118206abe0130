//! The frames of a box, as they come and as they leave, with what becomes of each: one a line, or as pcapng.
//!
//! What was recorded before, perhaps for somebody else, is not shown.

use std::fs::File;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use control::message::{Filter, Frame, Request, Response};
use etherparse::{Icmpv4Type, LaxPacketHeaders, NetHeaders, TransportHeader};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::command::Chosen;
use super::{Channel, words};
use crate::pcapng::{self, Packet, Way};
use crate::{Failure, files, grouped};

/// How soon to look again where nothing new was.
const PAUSE: Duration = Duration::from_millis(50);

/// How often to tell of frames that are missing.
const TELLING: Duration = Duration::from_secs(1);

/// The sides, by their numbers.
const SIDES: [&str; 2] = ["lan", "wan"];

/// What became of a frame, by its number.
const VERDICTS: [&str; 6] = ["forwarded", "arp", "for the box", "held", "rejected", "dropped"];

/// Which frames, and what to do with them.
#[derive(Args, Clone, Debug)]
pub struct Capture {
    #[command(flatten)]
    chosen: Chosen,
    /// Only those that are not sent on.
    #[arg(long)]
    stopped: bool,
    /// Write them to this file as pcapng, - for stdout, rather than to print them.
    #[arg(short, long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// End after so many.
    #[arg(short, long)]
    count: Option<u64>,
}

/// Shows what comes until it is told to stop, or has shown enough.
///
/// # Errors
/// The box does not answer, or the file cannot be written.
pub(super) fn capture(
    channel: &mut Channel,
    options: &Capture,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut missed = Missed::default();
    let shown = show(channel, options, &mut missed, print);
    if !matches!(shown, Err(Failure::Unread)) {
        files::explain(&missed.total())?;
    }
    shown
}

fn show(
    channel: &mut Channel,
    options: &Capture,
    missed: &mut Missed,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first ends the loop, a second one the program, wherever it is.
        signal_hook::flag::register_conditional_shutdown(signal, 1, is_over.clone())
            .and_then(|_| signal_hook::flag::register(signal, is_over.clone()))
            .map_err(|error| Failure::Operation(format!("signals: {error}")))?;
    }
    let begun = Instant::now();
    let filter = options.chosen.filter();
    let mut sink = options.write.as_deref().map(Sink::open).transpose()?;
    if let Some(sink) = &mut sink {
        sink.write(&pcapng::begin(concat!("provision ", env!("CARGO_PKG_VERSION")), SIDES))?;
    }
    // What the box calls zero.
    let began = wall_clock().saturating_sub(channel.now()?.saturating_mul(1_000));
    let (mut from, mut left) =
        (channel.frames(u64::MAX, filter, options.stopped)?.0, options.count.unwrap_or(u64::MAX));
    while left > 0 && !is_over.load(Ordering::Relaxed) {
        let (next, bytes) = channel.frames(from, filter, options.stopped)?;
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        while let Ok((frame, more)) = postcard::take_from_bytes::<Frame<'_>>(rest) {
            rest = more;
            missed.add(frame.number.saturating_sub(from));
            from = frame.number + 1;
            if left == 0 {
                break;
            }
            left -= 1;
            match sink {
                Some(_) => add(&mut seen, began, &frame),
                None => print(&(line(&frame) + "\n"))?,
            }
        }
        if let Some(sink) = &mut sink {
            sink.write(&seen)?;
        }
        files::explain(&missed.news(begun.elapsed()))?;
        if bytes.is_empty() {
            from = from.max(next);
            thread::sleep(PAUSE);
        }
    }
    Ok(())
}

impl Channel {
    /// Has frames recorded; from which number on there are more, and those that have been.
    fn frames(&mut self, from: u64, filter: Filter, stopped: bool) -> Result<(u64, Vec<u8>), Failure> {
        self.ask(&Request::Frames { from, filter, stopped }, |response| match response {
            Response::Frames(next, bytes) => Some((next, bytes.to_vec())),
            _ => None,
        })
    }
}

/// Where a capture is written to.
struct Sink {
    name: String,
    to: Box<dyn Write>,
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self { name: "<stdout>".to_owned(), to: Box::new(io::stdout()) });
        }
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Self { name, to: Box::new(file) }),
            Err(error) => Err(Failure::to_write(name, &error)),
        }
    }

    /// Writes at once, for whoever looks on.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.to.write_all(bytes).and_then(|()| self.to.flush());
        written.map_err(|error| Failure::to_print(&self.name, &error))
    }
}

/// Frames that came, and were gone before they could be shown.
#[derive(Debug, Default)]
struct Missed {
    all: u64,
    untold: u64,
    /// When it was last told of them, since the capture began.
    told: Option<Duration>,
}

impl Missed {
    fn add(&mut self, count: u64) {
        self.all += count;
        self.untold += count;
    }

    /// What there is to say about them at a time since the capture began: nothing, if there was just now.
    fn news(&mut self, now: Duration) -> String {
        if self.untold == 0 || self.told.is_some_and(|told| now < told + TELLING) {
            return String::new();
        }
        self.told = Some(now);
        let count = grouped(std::mem::take(&mut self.untold) as usize);
        format!(
            "{count} more came than there was room for; ask for fewer, by --address, --port, --protocol or --stopped\n"
        )
    }

    /// What there is to say at the end.
    fn total(&self) -> String {
        match self.all {
            0 => String::new(),
            all => format!("{} are missing in all, for which there was no room\n", grouped(all as usize)),
        }
    }
}

/// Microseconds since 1970.
fn wall_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Adds a frame to a capture, as it came and as it left.
fn add(file: &mut Vec<u8>, began: u64, frame: &Frame<'_>) {
    let micros = began + frame.at * 1_000;
    let len = frame.len.max(frame.frame.len() as u32);
    let comment = format!("{}: {}", frame.number, verdict(frame));
    let mut seen = |interface: u8, way, bytes| {
        let interface = u32::from(interface);
        pcapng::add(file, &Packet { interface, micros, len, bytes, way, comment: Some(&comment) });
    };
    if let Some(side) = frame.came {
        seen(side, Way::In, frame.frame);
    }
    if let Some(side) = frame.left {
        seen(side, Way::Out, &left(frame));
    }
}

/// A frame as it left: its headers, and behind them what they have left alone.
fn left(frame: &Frame<'_>) -> Vec<u8> {
    let behind = frame.frame.get(frame.sent.len()..).unwrap_or_default();
    [frame.sent, behind].concat()
}

/// A frame on one line: `12.345 lan 192.0.2.1:5000 > 203.0.113.1:53 udp, 72 bytes > wan 203.0.113.254:31007 > 203.0.113.1:53: forwarded`.
fn line(frame: &Frame<'_>) -> String {
    let side = |number: Option<u8>| number.and_then(|number| SIDES.get(usize::from(number))).copied();
    let time = format!("{:>6}.{:03}", frame.at / 1_000, frame.at % 1_000);
    let came = side(frame.came).map(|side| format!("{side} {}", described(frame.frame, Some(frame.len))));
    let len = frame.came.is_none().then_some(frame.len);
    let went = side(frame.left).map(|side| format!("{side} {}", described(frame.sent, len)));
    let ways = [came.or_else(|| Some("box".to_owned())), went].into_iter().flatten().collect::<Vec<_>>();
    format!("{time} {}: {}", ways.join(" -> "), verdict(frame))
}

fn verdict(frame: &Frame<'_>) -> String {
    let verdict = VERDICTS.get(usize::from(frame.verdict)).copied().unwrap_or("of no known fate");
    match (frame.came, frame.reason) {
        (None, _) => "the box's own".to_owned(),
        (_, "") => verdict.to_owned(),
        (_, reason) => format!("{verdict}: {reason}"),
    }
}

/// What is in a frame, of which the beginning is there.
fn described(frame: &[u8], len: Option<u32>) -> String {
    let len = len.map(|len| format!(", {len} bytes")).unwrap_or_default();
    let Ok(headers) = LaxPacketHeaders::from_ethernet(frame) else {
        return format!("no Ethernet frame{len}");
    };
    match headers.net {
        Some(NetHeaders::Ipv4(ip, _)) => {
            let [from, to] = [ip.source, ip.destination].map(Ipv4Addr::from);
            match headers.transport {
                Some(TransportHeader::Tcp(tcp)) => {
                    let flags =
                        [(tcp.syn, 'S'), (tcp.fin, 'F'), (tcp.rst, 'R'), (tcp.psh, 'P'), (tcp.ack, '.')];
                    let flags: String =
                        flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).collect();
                    let (source, destination) = (tcp.source_port, tcp.destination_port);
                    format!("{from}:{source} > {to}:{destination} tcp {flags}{len}")
                }
                Some(TransportHeader::Udp(udp)) => {
                    format!("{from}:{} > {to}:{} udp{len}", udp.source_port, udp.destination_port)
                }
                Some(TransportHeader::Icmpv4(icmp)) => {
                    format!("{from} > {to} {}{len}", message(&icmp.icmp_type))
                }
                _ => format!("{from} > {to} {}{len}", words::protocol(ip.protocol.0)),
            }
        }
        Some(NetHeaders::Arp(arp)) => {
            let address =
                |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from);
            let [from, to] = [arp.sender_protocol_addr(), arp.target_protocol_addr()].map(address);
            format!("arp {from} > {to}{len}")
        }
        _ => format!("no IPv4{len}"),
    }
}

/// An ICMP message, by its type and code, or as what it asks.
fn message(kind: &Icmpv4Type) -> String {
    match kind {
        Icmpv4Type::EchoRequest(echo) => format!("icmp echo request {}", echo.id),
        Icmpv4Type::EchoReply(echo) => format!("icmp echo reply {}", echo.id),
        Icmpv4Type::DestinationUnreachable(why) => format!("icmp unreachable {}", why.code_u8()),
        Icmpv4Type::TimeExceeded(_) => "icmp time exceeded".to_owned(),
        Icmpv4Type::Unknown { type_u8, code_u8, .. } => format!("icmp {type_u8}/{code_u8}"),
        _ => "icmp".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_of_once_a_second_and_summed_up() {
        let mut missed = Missed::default();
        let mut news = |count, millis| {
            missed.add(count);
            let said = missed.news(Duration::from_millis(millis));
            said.split(' ').next().map(str::to_owned).unwrap_or_default()
        };
        let said = [(0, 0), (3, 10), (5, 20), (1_200, 1_009), (1, 1_010), (0, 2_500), (0, 3_000), (7, 3_001)];
        let said = said.map(|(count, millis)| news(count, millis));
        assert_eq!(said, ["", "3", "", "", "1,206", "", "", "7"]);
        assert_eq!(missed.total(), "1,216 are missing in all, for which there was no room\n");
        assert_eq!(Missed::default().total(), "");
    }
}
