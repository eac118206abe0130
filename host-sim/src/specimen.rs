//! A *specimen*: one real router of the standard build by itself, all of whose neighbours answer.
//!
//! It is what questions are asked of (`explain`) and captures are played to (`replay`). There is no network around it:
//! frames are given to it, and whatever it makes of them is kept as an [`Event`]. Who it asks for by ARP answers at once,
//! so that nothing waits for a neighbour. What became of a frame is what the router's own counters say.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use config::Config;
use napt::{DropReason, Hits, Instant, MappingView, RejectReason, SessionView};
use router::{Disposition, Link, Offload, Refusal, Router, SESSIONS, Side, Summary};
use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol};

use crate::network::hardware;

/// A frame, and the side that it leaves by.
pub type Departed = (Side, Vec<u8>);

/// What the router has made of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Sent on, whole or in pieces.
    Forwarded,
    /// It was for the box, which has taken it.
    Local,
    /// It waits for the first fragment of its datagram, or for the others.
    Held,
    /// It was ARP.
    Arp,
    /// Dropped by the router's rules.
    Refused(Refusal),
    /// Dropped by the engine.
    Dropped(DropReason),
    /// Answered with an ICMP error by the engine's verdict.
    Rejected(RejectReason),
}

impl Outcome {
    /// What a machine is told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Local => "local",
            Self::Held => "held",
            Self::Arp => "arp",
            Self::Refused(_) | Self::Dropped(_) => "dropped",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Why, in the word that the counters have for it, if the packet went no further.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Refused(reason) => Some(Refusal::NAMES[reason as usize]),
            Self::Dropped(reason) => Some(DropReason::NAMES[reason.index()]),
            Self::Rejected(reason) => Some(RejectReason::NAMES[reason.index()]),
            Self::Forwarded | Self::Local | Self::Held | Self::Arp => None,
        }
    }
}

/// What came of one frame.
#[derive(Clone, Debug)]
pub struct Event {
    /// What the router has made of it.
    pub outcome: Outcome,
    /// What was sent on of it, and of fragments that had waited for it.
    pub forwarded: Vec<Departed>,
    /// What the box says itself.
    pub own: Vec<Departed>,
}

/// The tables at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The live sessions.
    pub sessions: Vec<SessionView>,
    /// The mappings.
    pub mappings: Vec<MappingView>,
    /// How often each forward was asked for.
    pub hits: Vec<Hits>,
    /// How many packets each filter rule has decided on.
    pub ruled: Vec<u64>,
}

/// The router, and a clock.
pub struct Specimen<'t> {
    router: Router<'t, SESSIONS>,
    now: Instant,
    own: [Ipv4Addr; 2],
    links: [Link; 2],
    neighbours: [BTreeMap<Ipv4Addr, EthernetAddress>; 2],
}

/// Tables for a specimen.
///
/// # Panics
/// If no thread can be started.
pub fn tables() -> Box<router::Tables> {
    // They may lie on the stack before they lie on the heap, and are larger than a thread's stack is by default.
    const STACK: usize = 8 * router::MEMORY;
    let made = thread::Builder::new().stack_size(STACK).spawn(|| Box::new(router::Tables::new()));
    made.ok().and_then(|thread| thread.join().ok()).expect("a thread can be started")
}

/// The ports of a box by itself: Ethernet addresses that go with its own, and MTUs, lan first.
pub fn ports(config: &Config, mtu: [u16; 2]) -> [Link; 2] {
    let [lan, wan] = [config.lan().address(), config.wan().address()].map(|own| hardware(own.address()).0);
    [Link { hardware: lan, mtu: mtu[0] }, Link { hardware: wan, mtu: mtu[1] }]
}

impl<'t> Specimen<'t> {
    /// A box that works by `config`, in tables that nobody has used before, with both links up and its clock at `now`.
    pub fn new(
        tables: &'t mut router::Tables,
        config: &Config,
        links: [Link; 2],
        now: Instant,
        seed: &napt::Seed,
    ) -> Self {
        let own = [config.lan().address(), config.wan().address()].map(config::InterfaceAddress::address);
        let router = Router::new(tables, config, links[0], links[1], seed);
        let mut specimen = Self { router, now, own, links, neighbours: Default::default() };
        for side in Side::ALL {
            specimen.router.link_up(now, side, links[side as usize]);
            specimen.own();
        }
        specimen
    }

    /// Whoever has `address` on a side has this Ethernet address; others have one made up for them.
    pub fn introduce(&mut self, side: Side, address: Ipv4Addr, hardware: EthernetAddress) {
        self.neighbours[side as usize].insert(address, hardware);
    }

    /// The neighbour who has an Ethernet address that this has given out.
    pub fn neighbour(&self, side: Side, hardware: EthernetAddress) -> Option<Ipv4Addr> {
        self.neighbours[side as usize]
            .iter()
            .find(|(_, known)| **known == hardware)
            .map(|(address, _)| *address)
    }

    /// What the clock says.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The box's ports, lan first.
    pub fn links(&self) -> [Link; 2] {
        self.links
    }

    /// Lets time pass until `end`, if that is not over; what the box says meanwhile.
    pub fn wait_until(&mut self, end: Instant) -> Vec<Departed> {
        let mut said = Vec::new();
        while let Some(due) = self.router.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.router.handle_timeout(self.now);
            said.extend(self.own());
        }
        self.now = self.now.max(end);
        said
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) -> Vec<Departed> {
        self.wait_until(self.now + time)
    }

    /// Gives the box a frame.
    pub fn feed(&mut self, side: Side, frame: &[u8], offload: Offload) -> Event {
        let is_arp = frame.get(12..14) == Some(&[0x08, 0x06]);
        let mut frame = frame.to_vec();
        let before = Books::of(&self.router.summary(), side);
        let disposition = self.router.receive(self.now, side, &mut frame, offload);
        let spoken = self.own();
        let after = Books::of(&self.router.summary(), side);
        let outcome = match disposition {
            Disposition::Send(_) | Disposition::SendSmaller => Outcome::Forwarded,
            Disposition::Done => before.outcome(&after, is_arp),
        };
        let sent = match disposition {
            Disposition::Send(to) => Some((to, frame)),
            Disposition::SendSmaller => self.router.poll_smaller().map(|(to, _)| (to, frame)),
            Disposition::Done => None,
        };
        match outcome {
            Outcome::Forwarded => {
                Event { outcome, forwarded: sent.into_iter().chain(spoken).collect(), own: Vec::new() }
            }
            _ => Event { outcome, forwarded: Vec::new(), own: spoken },
        }
    }

    /// The tables now.
    pub fn snapshot(&self) -> Snapshot {
        let mut sessions: Vec<_> = self.router.sessions(self.now).collect();
        let mut mappings: Vec<_> = self.router.mappings(self.now).collect();
        sessions.sort_by_key(|it| {
            (it.protocol as u8, it.internal.address, it.internal.port, it.remote.to_string())
        });
        mappings.sort_by_key(|it| (it.protocol as u8, it.internal.address, it.internal.port, it.external));
        let ruled = self.router.rules().map(|(_, used)| used.packets).collect();
        Snapshot { sessions, mappings, hits: self.router.forward_hits().collect(), ruled }
    }

    /// What became of every frame so far. The ARP that was answered for its neighbours is among them.
    pub fn summary(&self) -> Summary<'_> {
        self.router.summary()
    }

    /// What the box wants sent. Whom it asks for answers.
    fn own(&mut self) -> Vec<Departed> {
        let mut said = Vec::new();
        while let Some((side, frame)) =
            self.router.poll_transmit().map(|(side, frame)| (side, frame.to_vec()))
        {
            match asked(&frame) {
                // Nobody answers an announcement.
                Some(target) if target == self.own[side as usize] => (),
                Some(target) => self.answer(side, target),
                None => said.push((side, frame)),
            }
        }
        said
    }

    fn answer(&mut self, side: Side, target: Ipv4Addr) {
        let known = *self.neighbours[side as usize].entry(target).or_insert_with(|| hardware(target));
        let to = EthernetAddress(self.links[side as usize].hardware);
        let mut reply = reply(known, target, to, self.own[side as usize]);
        let _ = self.router.receive(self.now, side, &mut reply, Offload::default());
    }
}

/// Whom an ARP request asks for.
fn asked(frame: &[u8]) -> Option<Ipv4Addr> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let is_arp = ethernet.ethertype() == EthernetProtocol::Arp;
    let arp = ArpPacket::new_checked(ethernet.payload()).ok().filter(|_| is_arp)?;
    match ArpRepr::parse(&arp).ok()? {
        ArpRepr::EthernetIpv4 { operation: ArpOperation::Request, target_protocol_addr, .. } => {
            Some(target_protocol_addr)
        }
        _ => None,
    }
}

fn reply(from: EthernetAddress, address: Ipv4Addr, to: EthernetAddress, own: Ipv4Addr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: from,
        source_protocol_addr: address,
        target_hardware_addr: to,
        target_protocol_addr: own,
    };
    let mut payload = vec![0; arp.buffer_len()];
    arp.emit(&mut ArpPacket::new_unchecked(&mut payload[..]));
    frame(from, to, EthernetProtocol::Arp, &payload)
}

/// A frame that carries a payload.
pub(crate) fn frame(
    from: EthernetAddress,
    to: EthernetAddress,
    carries: EthernetProtocol,
    payload: &[u8],
) -> Vec<u8> {
    [&to.0[..], &from.0, &u16::from(carries).to_be_bytes(), payload].concat()
}

/// One side's counters at a moment.
struct Books {
    router: router::Counters,
    engine: napt::Counters,
}

impl Books {
    fn of(summary: &Summary<'_>, side: Side) -> Self {
        Self { router: summary.router[side as usize].clone(), engine: summary.engine[side as usize].clone() }
    }

    /// What became of the frame that came in between these and the books `after` it. A neighbour's answers to ARP are
    /// in them, too, and are not what is meant.
    fn outcome(&self, after: &Self, is_arp: bool) -> Outcome {
        let refused =
            more(&self.router.refused, &after.router.refused).map(|at| Outcome::Refused(Refusal::ALL[at]));
        let dropped =
            more(&self.engine.dropped, &after.engine.dropped).map(|at| Outcome::Dropped(DropReason::ALL[at]));
        let rejected = more(&self.engine.rejected, &after.engine.rejected)
            .map(|at| Outcome::Rejected(RejectReason::ALL[at]));
        refused.or(dropped).or(rejected).unwrap_or(match () {
            () if is_arp => Outcome::Arp,
            () if self.router.local < after.router.local => Outcome::Local,
            () if self.router.forwarded < after.router.forwarded => Outcome::Forwarded,
            () => Outcome::Held,
        })
    }
}

/// Which counter has gone up.
fn more(before: &[u64], after: &[u64]) -> Option<usize> {
    before.iter().zip(after).position(|(before, after)| before < after)
}
