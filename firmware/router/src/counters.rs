//! What became of every frame, by reason (invariant: received = arp + local + forwarded + held + refused).
//!
//! A frame is counted once, at the port it came in by. What the engine decides it counts itself; here are the frames
//! that never reach it, and those that are lost after it.

use core::fmt;

use napt::{DropReason, Occupancy, RejectReason};

use crate::port::Side;

/// Why the router, rather than the engine, drops a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// Shorter than an Ethernet header.
    Runt,
    /// To another station's address.
    OtherStation,
    /// Neither IPv4 nor ARP.
    EtherType,
    /// To every station, or a group, on the link, but not to every host on it; such packets are not forwarded (RFC 1812
    /// s.5.3.4).
    LinkBroadcast,
    /// ARP that is malformed or none of our business.
    Arp,
    /// Somebody else uses our address.
    AddressConflict,
    /// A source that no host can have (RFC 1812 s.5.3.7).
    MartianSource,
    /// A destination that no host can have (RFC 1812 s.5.3.7).
    MartianDestination,
    /// A link-local source or destination (RFC 3927 s.7).
    LinkLocal,
    /// A source that does not belong on this side (RFC 2827).
    SpoofedSource,
    /// To a multicast group.
    Multicast,
    /// To the broadcast address of a prefix (RFC 2644).
    Broadcast,
    /// From the lan to the lan: neighbours talk without us.
    LanToLan,
    /// A malformed option: answered with 12/0 (RFC 1812 s.4.3.3.5).
    Options,
    /// A source route (RFC 7126 s.4.3, s.4.4).
    SourceRoute,
    /// To the wan, beyond its prefix, and there is no gateway: answered with 3/0 (RFC 1812 s.4.3.3.1).
    NoRoute,
    /// To the box itself, and a filter rule does not want it.
    Rule,
    /// To the box itself, which has no such service or answers no more often.
    NotServed,
    /// The next hop is being asked for, and no room is left to wait.
    HoldFull,
    /// The next hop is being asked for, and the frame is too large to wait.
    HoldTooLarge,
    /// The next hop did not answer: 3/1 (RFC 1812 s.4.3.3.1).
    NoNeighbour,
    /// The neighbour table has no room for the next hop.
    NeighboursFull,
    /// To be fragmented, or one of many datagrams that came as one frame, and the driver has yet to fetch so many frames
    /// that there is no room for it.
    OutboxFull,
}

impl Refusal {
    /// How many there are.
    pub const COUNT: usize = 23;

    /// Each of them, in the order of the counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Runt,
        Self::OtherStation,
        Self::EtherType,
        Self::LinkBroadcast,
        Self::Arp,
        Self::AddressConflict,
        Self::MartianSource,
        Self::MartianDestination,
        Self::LinkLocal,
        Self::SpoofedSource,
        Self::Multicast,
        Self::Broadcast,
        Self::LanToLan,
        Self::Options,
        Self::SourceRoute,
        Self::NoRoute,
        Self::Rule,
        Self::NotServed,
        Self::HoldFull,
        Self::HoldTooLarge,
        Self::NoNeighbour,
        Self::NeighboursFull,
        Self::OutboxFull,
    ];

    /// What the summary calls each, in the order of the variants.
    pub const NAMES: [&str; Self::COUNT] = [
        "runt",
        "other station",
        "ether type",
        "link broadcast",
        "arp",
        "address conflict",
        "martian source",
        "martian destination",
        "link-local",
        "spoofed source",
        "multicast",
        "broadcast",
        "lan to lan",
        "options",
        "source route",
        "no route",
        "rule for the box",
        "not served",
        "hold queue full",
        "too large to hold",
        "no neighbour",
        "neighbours full",
        "outbox full",
    ];
}

const _: () = {
    let mut at = 0;
    while at < Refusal::COUNT {
        assert!(Refusal::ALL[at] as usize == at);
        at += 1;
    }
};

/// The frames that came in by one port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All of them; of a frame of many datagrams that was taken apart, each of these.
    pub received: u64,
    /// The bytes of these, from the Ethernet header on.
    pub bytes: u64,
    /// ARP for us.
    pub arp: u64,
    /// Packets for the box: those that it answered, and broadcasts, of which it makes nothing.
    pub local: u64,
    /// Packets sent on.
    pub forwarded: u64,
    /// Packets that wait now: for their next hop's address, or for the first fragment of their datagram.
    pub held: u64,
    /// Frames dropped by the router, by [`Refusal`].
    pub refused: [u64; Refusal::COUNT],
    /// Packets of the box's own that were not sent, because of a rate limit or for lack of room. What the configuration
    /// wants unsaid is not among them: the engine has counted the packet that would have been answered.
    pub suppressed: u64,
}

impl Counters {
    pub(crate) fn refuse(&mut self, reason: Refusal) {
        if let Some(counter) = self.refused.get_mut(reason as usize) {
            *counter += 1;
        }
    }
}

/// All counters of a box at one moment; prints as a summary of several lines.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// The router's, lan first.
    pub router: [&'a Counters; 2],
    /// The engine's, lan first.
    pub engine: [&'a napt::Counters; 2],
    /// How full the tables are.
    pub occupancy: Occupancy,
}

impl Summary<'_> {
    /// Whether every frame that `side` received is accounted for.
    pub fn adds_up(&self, side: Side) -> bool {
        let (router, engine) = (self.router[side as usize], self.engine[side as usize]);
        let refused: u64 = router.refused.iter().chain(&engine.rejected).chain(&engine.dropped).sum();
        router.received == router.arp + router.local + router.forwarded + router.held + refused
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occupancy { sessions, most, mappings, capacity } = self.occupancy;
        writeln!(f, "sessions {sessions} (at most {most}) mappings {mappings} of {capacity}")?;
        for side in Side::ALL {
            self.print_side(f, side)?;
        }
        Ok(())
    }
}

impl Summary<'_> {
    fn print_side(&self, f: &mut fmt::Formatter<'_>, side: Side) -> fmt::Result {
        let (router, engine) = (self.router[side as usize], self.engine[side as usize]);
        let Counters { received, arp, local, forwarded, held, suppressed, .. } = router;
        writeln!(
            f,
            "{side} received {received} = forwarded {forwarded} + local {local} + arp {arp} + held {held}"
        )?;
        print_reasons(f, side, "dropped", &Refusal::NAMES, &router.refused)?;
        print_reasons(f, side, "dropped", &DropReason::NAMES, &engine.dropped)?;
        print_reasons(f, side, "rejected", &RejectReason::NAMES, &engine.rejected)?;
        match suppressed {
            0 => Ok(()),
            suppressed => writeln!(f, "{side}   own packets suppressed {suppressed}"),
        }
    }
}

fn print_reasons(
    f: &mut fmt::Formatter<'_>,
    side: Side,
    what: &str,
    names: &[&str],
    counts: &[u64],
) -> fmt::Result {
    let happened = names.iter().zip(counts).filter(|(_, count)| **count > 0);
    for (name, count) in happened {
        writeln!(f, "{side}   + {what} {count} ({name})")?;
    }
    Ok(())
}
