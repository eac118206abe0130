//! What a box would do with a packet, and why, step by step.
//!
//! A question is one packet or several (`notation`), a [`Specimen`] is given them one after the other, and an [`Answer`]
//! says of each what came of it. Nothing is foretold: the real router of the standard build takes the packet, and the
//! `steps` hang on what it shows afterwards: its counters, its tables before and after, and the bytes that left it. The
//! words for each reason are `reasons`, and what could be changed `hints`.

mod hints;
pub mod json;
mod notation;
pub(crate) mod reasons;
mod steps;

use std::fmt;
use std::net::Ipv4Addr;

use config::Config;
use napt::{Instant, MappingView};
use router::{Offload, Side};
use smoltcp::wire::{EthernetAddress, EthernetProtocol, Ipv4Packet};

use crate::chance::Stream;
use crate::ether::HEADER;
use crate::network::hardware;
use crate::packet::{Draft, End, Kind};
use crate::print::Printer;
use crate::report::Palette;
use crate::specimen::{self, Event, Outcome, Snapshot, Specimen};
use crate::wire::{self, Flow};

use notation::{Question, What};

/// What a packet goes through, in the order in which it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which step.
    pub what: &'static str,
    /// What happens in it.
    pub says: String,
    /// Who wants it so.
    pub by: &'static str,
}

/// What came of one packet.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The packet, as tcpdump would print it.
    pub packet: String,
    /// The side it came by.
    pub side: Side,
    /// What the router has made of it; nothing if it could not be sent.
    pub outcome: Option<Outcome>,
    /// Its way through the box.
    pub steps: Vec<Step>,
}

/// What the words for a reason may speak of.
pub(crate) struct Case<'a> {
    pub(crate) config: &'a Config,
    pub(crate) side: Side,
    /// What the packet is about, if it is whole and of a kind that has ends.
    pub(crate) flow: Option<Flow>,
    pub(crate) source: Option<Ipv4Addr>,
    pub(crate) destination: Option<Ipv4Addr>,
    pub(crate) before: &'a Snapshot,
}

impl Case<'_> {
    /// The mapping of an external port, before the packet came.
    pub(crate) fn mapping(&self, protocol: u8, external: u16) -> Option<&MappingView> {
        let protocol = steps::protocol(protocol);
        self.before.mappings.iter().find(|it| (it.protocol, it.external) == (protocol, external))
    }
}

/// Asks a box that works by `config`, over links of these MTUs, lan first, about the packets of a question.
///
/// # Errors
/// What cannot be understood of the question, and how to write it.
pub fn explain(config: &Config, mtu: [u16; 2], seed: u64, text: &str) -> Result<Vec<Answer>, String> {
    let questions = notation::read(text)?;
    let mut tables = specimen::tables();
    let links = specimen::ports(config, mtu);
    let entropy = Stream::new(seed, "explain").seed();
    let mut asker = Asker {
        config,
        specimen: Specimen::new(&mut tables, config, links, Instant::from_millis(0), &entropy),
        sources: Vec::new(),
        last: None,
    };
    Ok(questions.iter().map(|question| asker.ask(question)).collect())
}

struct Asker<'a> {
    config: &'a Config,
    specimen: Specimen<'a>,
    /// What each packet so far had as its source when it left.
    sources: Vec<Option<End>>,
    /// The packet before, and by which side and with what in its header it left.
    last: Option<(Draft, Option<(Side, Flow)>)>,
}

impl Asker<'_> {
    fn ask(&mut self, question: &Question) -> Answer {
        let said = self.specimen.wait(question.after);
        let (draft, side) = match self.draft(question) {
            Ok(found) => found,
            Err(why) => {
                self.sources.push(None);
                return unasked(&why);
            }
        };
        let packet = draft.bytes();
        let frame = self.frame(side, &packet);
        let before = self.specimen.snapshot();
        let event = self.specimen.feed(side, &frame, Offload::default());
        let after = self.specimen.snapshot();
        self.remember(draft, &event);

        let addresses = Ipv4Packet::new_checked(&packet[..]).ok();
        let case = Case {
            config: self.config,
            side,
            flow: ends(&packet).filter(steps::has_ends),
            source: addresses.as_ref().map(Ipv4Packet::src_addr),
            destination: addresses.as_ref().map(Ipv4Packet::dst_addr),
            before: &before,
        };
        let told = question.side.is_some();
        let way = steps::Way { case, event: &event, after: &after, frame: &frame, told, said: &said };
        Answer {
            packet: Printer::default().line(&frame).to_string(),
            side,
            outcome: Some(event.outcome),
            steps: steps::steps(&way, &self.specimen),
        }
    }

    /// The packet that is meant, and the side it comes by.
    fn draft(&self, question: &Question) -> Result<(Draft, Side), String> {
        match &question.what {
            What::Packet(words) => {
                let draft = words.packet(&self.sources)?;
                let is_inside = self.config.lan().address().contains(draft.from.0);
                let side = if is_inside { Side::Lan } else { Side::Wan };
                Ok((draft, question.side.unwrap_or(side)))
            }
            What::Answer(words) => {
                let (mut draft, side) = self.answer()?;
                draft.particulars(&mut words.0.iter().map(String::as_str))?;
                Ok((draft, question.side.unwrap_or(side)))
            }
        }
    }

    /// What whoever received the packet before would send back.
    fn answer(&self) -> Result<(Draft, Side), String> {
        let (asked, left) = self.last.as_ref().ok_or("is an answer, and there is none before it")?;
        let (side, flow) = left.ok_or("is an answer to a packet that nobody has received")?;
        let kind = match &asked.kind {
            Kind::Udp => Kind::Udp,
            Kind::Other(number) => Kind::Other(*number),
            Kind::Tcp { flags, seq, ack, window } => tcp_answer(*flags, *seq, *ack, *window, asked.len),
            Kind::Echo { seq, .. } => {
                Kind::Echo { reply: true, ident: flow.from.1.max(flow.to.1), seq: *seq }
            }
            Kind::Error { .. } => return Err("is an answer to an ICMP error, which has none".to_owned()),
        };
        let ports = !matches!(kind, Kind::Echo { .. });
        let end = |(address, port): End| (address, if ports { port } else { 0 });
        Ok((Draft::new(kind, end(flow.to), end(flow.from)), side))
    }

    fn remember(&mut self, draft: Draft, event: &Event) {
        let left =
            event.forwarded.first().and_then(|(side, frame)| Some((*side, ends(frame.get(HEADER..)?)?)));
        self.sources.push(left.map(|(_, flow)| flow.from));
        self.last = Some((draft, left));
    }

    fn frame(&self, side: Side, packet: &[u8]) -> Vec<u8> {
        let source = packet.get(12..16).and_then(|it| <[u8; 4]>::try_from(it).ok()).unwrap_or_default();
        let to = EthernetAddress(self.specimen.links()[side as usize].hardware);
        specimen::frame(hardware(source.into()), to, EthernetProtocol::Ipv4, packet)
    }
}

/// The ends of a packet; of one that has no ports, its addresses.
fn ends(packet: &[u8]) -> Option<Flow> {
    let addresses = || {
        let packet = Ipv4Packet::new_checked(packet).ok()?;
        let (from, to) = ((packet.src_addr(), 0), (packet.dst_addr(), 0));
        Some(Flow { protocol: packet.next_header().into(), from, to, quoted: None })
    };
    wire::flow(packet).or_else(addresses)
}

/// A SYN is answered by a SYN-ACK, anything else by an ACK.
fn tcp_answer(flags: u8, seq: u32, ack: u32, window: u16, len: usize) -> Kind {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;
    let is_first = flags & (SYN | ACK) == SYN;
    let counted = len as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
    Kind::Tcp {
        flags: if is_first { SYN | ACK } else { ACK },
        seq: ack,
        ack: seq.wrapping_add(counted),
        window,
    }
}

/// The answer to a question that speaks of what has not happened.
fn unasked(why: &str) -> Answer {
    let says = format!("this packet {why}");
    let steps = vec![Step { what: "question", says, by: "" }];
    Answer { packet: "?".to_owned(), side: Side::Lan, outcome: None, steps }
}

/// How wide the names of the steps may be, and the whole.
const NAME: usize = 10;
const WIDTH: usize = 110;

/// Answers on paper, in lines of at most 110 columns.
pub fn report(answers: &[Answer], palette: &Palette) -> String {
    let numbered = answers.iter().enumerate();
    let texts: Vec<_> =
        numbered.map(|(at, answer)| Paper { number: at + 1, answer, palette }.to_string()).collect();
    texts.join("\n")
}

struct Paper<'a> {
    number: usize,
    answer: &'a Answer,
    palette: &'a Palette,
}

impl fmt::Display for Paper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Palette { title, margin, good, bad, .. } = self.palette;
        writeln!(f, "{title}{}. {}{title:#}", self.number, self.answer.packet)?;
        let passed = matches!(
            self.answer.outcome,
            Some(Outcome::Forwarded | Outcome::Local | Outcome::Arp | Outcome::Held)
        );
        for Step { what, says, by } in &self.answer.steps {
            let style = match (*what, passed) {
                ("verdict", true) => good,
                ("verdict", false) => bad,
                _ => margin,
            };
            for (at, line) in lines(says, by).iter().enumerate() {
                let name = if at == 0 { what } else { "" };
                writeln!(f, "   {style}{name:NAME$}{style:#} {line}")?;
            }
        }
        Ok(())
    }
}

/// A step in lines; what is on lines of its own stays there.
fn lines(says: &str, by: &str) -> Vec<String> {
    const ROOM: usize = WIDTH - NAME - 4;
    let mut lines = Vec::new();
    // A space that does not break, until the lines stand.
    const TIED: &str = "\u{a0}";
    let by = if by.is_empty() {
        String::new()
    } else {
        format!(" [{}]", by.replace("RFC ", &format!("RFC{TIED}")))
    };
    let count = says.lines().count();
    for (at, text) in says.lines().enumerate() {
        let whole = if at + 1 == count { format!("{text}{by}") } else { text.to_owned() };
        let mut line = String::new();
        for word in whole.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > ROOM {
                lines.push(std::mem::take(&mut line).replace(TIED, " "));
            }
            let gap = if line.is_empty() { "" } else { " " };
            line = format!("{line}{gap}{word}");
        }
        lines.push(line.replace(TIED, " "));
    }
    lines
}
