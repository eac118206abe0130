//! A field capture, played to a real router with the capture's own time stamps.
//!
//! What came to the router that a capture was taken on comes to a [`Specimen`], which works by a configuration; what left
//! that one is only compared: a packet that left there and is dropped here, or the other way round, is a *difference*.
//! Our router chooses other external ports; `readdress` has what comes for theirs come for ours.
//!
//! `sides` finds out which interface is which, and who came by it; `likeness`, which packet left as which; `report` prints
//! what came of it.

pub mod json;
pub(crate) mod likeness;
mod readdress;
mod report;
mod sides;

use std::num::NonZeroU16;

use config::Config;
use napt::Instant;
use router::{Link, Offload, Side};
use smoltcp::wire::{EthernetFrame, EthernetProtocol, Ipv4Packet, TcpPacket};

use crate::capture::{Capture, Captured};
use crate::chance::Stream;
use crate::ether::HEADER;
use crate::node::PacketId;
use crate::routing::Fate;
use crate::specimen::{self, Event, Outcome, Snapshot, Specimen};
use crate::time::Time;
use crate::trace::{Next, Sighting, Way};
use crate::wire::{self, TCP};

use likeness::Seen;
use readdress::Ports;

pub use report::report;

/// How a capture is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The names of the interfaces, lan first, if they have to be told.
    pub names: [Option<String>; 2],
    /// The MTUs, lan first.
    pub mtu: [u16; 2],
    /// What our router's ports follow from.
    pub seed: u64,
}

/// What came of a capture.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The packets that came to the router, in their order.
    pub played: Vec<Played>,
    /// The interfaces' names, lan first.
    pub names: [Option<String>; 2],
    /// How many packets had left the router that the capture was taken on.
    pub left: usize,
    /// What one has to know to read this aright.
    pub notes: Vec<String>,
    /// The tables at the end.
    pub tables: Snapshot,
    /// Our router's counters, printed.
    pub summary: String,
    /// What our router says of the external address.
    pub external: std::net::Ipv4Addr,
    /// When the capture begins.
    pub begins: Time,
}

/// A packet that was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// When.
    pub at: Time,
    /// The side it came by.
    pub side: Side,
    /// As it came to our router.
    pub frame: Vec<u8>,
    /// What that made of it.
    pub event: Event,
    /// Whether it left the router that the capture was taken on, if the capture shows that.
    pub left_there: Option<bool>,
}

/// In what two routers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The router of the capture let it through, and ours does not.
    DroppedHere,
    /// Ours lets it through, and the other did not.
    DroppedThere,
}

impl Played {
    /// In what the routers differ over it.
    pub fn difference(&self) -> Option<Difference> {
        match (self.left_there?, self.event.outcome) {
            (false, Outcome::Forwarded) => Some(Difference::DroppedThere),
            (true, Outcome::Refused(_) | Outcome::Dropped(_) | Outcome::Rejected(_)) => {
                Some(Difference::DroppedHere)
            }
            _ => None,
        }
    }

    fn is_ipv4(&self) -> bool {
        EthernetFrame::new_checked(&self.frame[..]).is_ok_and(|it| it.ethertype() == EthernetProtocol::Ipv4)
    }
}

/// Plays a capture to a box that works by `config`.
///
/// # Errors
/// What is missing to know which interface is which.
pub fn replay(capture: &Capture, config: &Config, plan: &Plan) -> Result<Replay, String> {
    let sides = sides::sides(capture, config, &plan.names)?;
    let placed: Vec<_> = capture
        .packets
        .iter()
        .filter_map(|packet| sides.place(packet, config).map(|(side, way)| (packet, side, way)))
        .collect();
    let seen: Vec<_> = placed
        .iter()
        .map(|(packet, side, way)| Seen { at: packet.at, side: *side, way: *way, frame: &packet.frame })
        .collect();
    let has_both = sides.interfaces.iter().all(Option::is_some) && seen.iter().any(|it| it.way == Way::Out);
    let pairs = likeness::pairs(&seen);

    let begins = placed.first().map_or(Time::ZERO, |(packet, ..)| packet.at);
    let mut links = specimen::ports(config, plan.mtu);
    for (link, router) in links.iter_mut().zip(sides.router) {
        link.hardware = router.map_or(link.hardware, |router| router.0);
    }
    let mut tables = specimen::tables();
    let entropy = Stream::new(plan.seed, "replay").seed();
    let mut player = Player {
        specimen: Specimen::new(&mut tables, config, links, Instant::from_millis(0), &entropy),
        ports: Ports::default(),
        links,
        begins,
    };
    for side in Side::ALL {
        for (address, hardware) in &sides.hosts[side as usize] {
            player.specimen.introduce(side, *address, *hardware);
        }
    }
    let mut played = Vec::new();
    for (at, (packet, side, way)) in placed.iter().enumerate() {
        if *way == Way::In {
            let left = pairs[at].map(|out| seen[out].frame);
            let one = player.play(packet, *side, left);
            played.push(Played { left_there: has_both.then_some(left.is_some()), ..one });
        }
    }
    let names = sides.interfaces.map(|at| at.map(|at| capture.interfaces[at].name.clone()));
    Ok(Replay {
        left: placed.len() - played.len(),
        notes: notes(capture, config, &placed, has_both, &names),
        tables: player.specimen.snapshot(),
        summary: player.specimen.summary().to_string(),
        external: config.wan().address().address(),
        played,
        names,
        begins,
    })
}

struct Player<'t> {
    specimen: Specimen<'t>,
    ports: Ports,
    links: [Link; 2],
    begins: Time,
}

impl Player<'_> {
    /// Plays a packet, which left the router of the capture so, if it did.
    fn play(&mut self, packet: &Captured, side: Side, left: Option<&[u8]>) -> Played {
        let since = packet.at.micros().saturating_sub(self.begins.micros());
        let said = self.specimen.wait_until(Instant::from_millis(since / 1_000));
        let to = smoltcp::wire::EthernetAddress(self.links[side as usize].hardware);
        let mut frame = sides::dress(packet, to);
        if side == Side::Wan {
            self.ports.readdress(&mut frame);
        }
        let offload = offload(&frame, self.links);
        let mut event = self.specimen.feed(side, &frame, offload);
        event.own.splice(0..0, said);
        if side == Side::Lan
            && let (Some(theirs), Some((Side::Wan, ours))) = (left, event.forwarded.first())
        {
            self.learn(theirs, ours);
        }
        Played { at: packet.at, side, frame, event, left_there: None }
    }

    /// Learns our external port for one of theirs.
    fn learn(&mut self, theirs: &[u8], ours: &[u8]) {
        let flow = |frame: &[u8]| wire::flow(frame.get(HEADER..)?);
        if let (Some(theirs), Some(ours)) = (flow(theirs), flow(ours))
            && theirs.quoted.is_none()
        {
            self.ports.learn(theirs.protocol, theirs.from.1, ours.from.1);
        }
    }
}

/// What stands for many segments, because the capturing machine's card or kernel had put them together (GRO), is to be
/// sent on as such: in segments that fit both links.
fn offload(frame: &[u8], links: [Link; 2]) -> Offload {
    let mtu = usize::from(links[0].mtu.min(links[1].mtu));
    let segment = || {
        let packet = Ipv4Packet::new_checked(frame.get(HEADER..)?).ok()?;
        let is_large = u8::from(packet.next_header()) == TCP && usize::from(packet.total_len()) > mtu;
        let segment = TcpPacket::new_checked(packet.payload()).ok().filter(|_| is_large)?;
        let headers = usize::from(packet.header_len()) + usize::from(segment.header_len());
        NonZeroU16::new(mtu.saturating_sub(headers) as u16)
    };
    Offload { segment: segment(), ..Offload::default() }
}

/// What one has to know to read a replay aright.
fn notes(
    capture: &Capture,
    config: &Config,
    placed: &[(&Captured, Side, Way)],
    has_both: bool,
    names: &[Option<String>; 2],
) -> Vec<String> {
    let external = config.wan().address().address();
    let mut notes = Vec::new();
    if capture.is_cut {
        notes.push("the file ends within a packet; what is before that was played".to_owned());
    }
    match names {
        [Some(_), None] => notes.push(
            "the lan's side alone: the answers of the outside are not in it, so no connection is ever established".to_owned(),
        ),
        [None, Some(_)] => notes.push(
            "the wan's side alone: what the inside sent is not in it, so what answers it finds no mapping".to_owned(),
        ),
        _ if !has_both => notes.push(
            "nothing in it has left a router, so there is nothing to compare with; were both interfaces captured on one?".to_owned(),
        ),
        _ => (),
    }
    let cut = placed.iter().filter(|(packet, ..)| packet.is_cut).count();
    if cut > 0 {
        notes.push(format!(
            "{cut} packets are longer than what was captured of them; the rest was taken for zeros"
        ));
    }
    let to = placed.iter().filter(|(_, side, way)| (*side, *way) == (Side::Wan, Way::In));
    let to: Vec<_> = to.filter_map(|(packet, ..)| Some(sides::addresses(&packet.frame)?.1)).collect();
    if !to.is_empty() && !to.contains(&external) {
        notes.push(format!(
            "nothing came to {external}, the external address; is it this router's configuration?"
        ));
    }
    let others = capture.packets.len() - placed.len();
    if others > 0 {
        notes.push(format!("{others} packets of other interfaces were left out"));
    }
    notes
}

impl Replay {
    /// Whether all that left the router of the capture leaves ours, too.
    pub fn passed(&self) -> bool {
        self.played.iter().all(|it| it.difference() != Some(Difference::DroppedHere))
    }

    /// What came to our router and what left it, as taps with these names would have seen it, lan first; times from the
    /// beginning of the capture on.
    pub(crate) fn sightings<'r>(
        &'r self,
        names: [&'r str; 2],
        which: impl Fn(&Played) -> bool + 'r,
    ) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        for (number, played) in self.played.iter().enumerate().filter(|(_, played)| which(played)) {
            let packet = PacketId(2 * number as u64);
            let mut see = |side: Side, way, packet, frame: &[u8], next| {
                let tap = names[side as usize].into();
                sightings.push(Sighting { at: played.at, tap, way, packet, frame: frame.to_vec(), next });
            };
            see(played.side, Way::In, packet, &played.frame, Next::Met(fate(played.event.outcome)));
            for (side, frame) in &played.event.forwarded {
                see(*side, Way::Out, packet, frame, Next::Met(Fate::Forwarded));
            }
            for (side, frame) in &played.event.own {
                see(*side, Way::Out, PacketId(packet.0 + 1), frame, Next::Gone);
            }
        }
        sightings
    }

    /// The same as a capture, with the interfaces' names.
    pub fn capture(&self) -> Vec<u8> {
        let [lan, wan] =
            [0, 1].map(|side: usize| self.names[side].as_deref().unwrap_or(["lan", "wan"][side]));
        crate::pcapng::capture(&self.sightings([lan, wan], |_| true))
    }
}

/// The word for it that runs use.
fn fate(outcome: Outcome) -> Fate {
    let reason = outcome.reason().unwrap_or_default();
    match outcome {
        Outcome::Forwarded => Fate::Forwarded,
        Outcome::Local => Fate::Local,
        Outcome::Held => Fate::Held,
        Outcome::Arp => Fate::Arp,
        Outcome::Refused(_) | Outcome::Dropped(_) => Fate::Dropped(reason),
        Outcome::Rejected(_) => Fate::Rejected(reason),
    }
}
