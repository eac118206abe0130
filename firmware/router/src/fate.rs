//! What became of a frame, read from the router's own counters: a frame is counted once, on the side it came in by.

use napt::{DropReason, RejectReason};

use crate::counters::{Refusal, Summary};
use crate::port::{Disposition, Side};

/// What a router has made of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Sent on, whole or in pieces.
    Forwarded,
    /// It was ARP.
    Arp,
    /// It was for the box, which has answered.
    Local,
    /// It waits, for its next hop's address or for the first fragment of its datagram.
    Held,
    /// Answered with an ICMP error, for the reason that the counters name so.
    Rejected(&'static str),
    /// Dropped, for the reason that the counters name so.
    Dropped(&'static str),
}

/// One side's counters at a moment.
#[derive(Clone, Debug)]
pub struct Books {
    arp: u64,
    local: u64,
    forwarded: u64,
    refused: [u64; Refusal::COUNT],
    rejected: [u64; RejectReason::COUNT],
    dropped: [u64; DropReason::COUNT],
}

impl Books {
    /// Those of a side, as they are now.
    pub fn of(summary: &Summary<'_>, side: Side) -> Self {
        let (router, engine) = (summary.router[side as usize], summary.engine[side as usize]);
        Self {
            arp: router.arp,
            local: router.local,
            forwarded: router.forwarded,
            refused: router.refused,
            rejected: engine.rejected,
            dropped: engine.dropped,
        }
    }

    /// What became of the frame that came in between these and the books `after` it.
    pub fn fate(&self, disposition: Disposition, after: &Self) -> Fate {
        if let Disposition::Send(_) = disposition {
            return Fate::Forwarded;
        }
        let reason = |names: &[&'static str], before: &[u64], after: &[u64]| {
            let more = before.iter().zip(after).position(|(before, after)| before < after)?;
            names.get(more).copied()
        };
        let dropped = || {
            reason(&Refusal::NAMES, &self.refused, &after.refused)
                .or_else(|| reason(&DropReason::NAMES, &self.dropped, &after.dropped))
        };
        match () {
            () if self.arp < after.arp => Fate::Arp,
            () if self.local < after.local => Fate::Local,
            () if self.forwarded < after.forwarded => Fate::Forwarded,
            () => reason(&RejectReason::NAMES, &self.rejected, &after.rejected)
                .map(Fate::Rejected)
                .or_else(|| dropped().map(Fate::Dropped))
                .unwrap_or(Fate::Held),
        }
    }
}
