//! Who a neighbour is: what ARP says, and the frames that wait to know (RFC 826, RFC 1122 s.2.3.2).

use core::net::Ipv4Addr;

use napt::Instant;
use smoltcp::wire::EthernetAddress;

use super::{Router, address};
use crate::arp::{self, Say};
use crate::counters::Refusal;
use crate::frames::{HELD, Origin};
use crate::neighbours::{Lookup, Rumour};
use crate::port::{Disposition, Side};

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    #[inline]
    pub(super) fn find_neighbour(&mut self, now: Instant, side: Side, address: Ipv4Addr) -> Lookup {
        let lookup = self.port(side).neighbours.look_up(now, address);
        if matches!(lookup, Lookup::Ask | Lookup::Doubted(_)) {
            self.say(side, Say::Ask { target: address });
        }
        lookup
    }

    pub(super) fn take_arp(
        &mut self,
        now: Instant,
        side: Side,
        payload: &[u8],
    ) -> Result<Disposition, Refusal> {
        let heard = arp::read(payload).ok_or(Refusal::Arp)?;
        let (own, prefix) = (self.addresses.own(side), self.addresses.on(side));
        if heard.sender == own {
            return Err(Refusal::AddressConflict);
        }
        let to_us = heard.target == own;
        if heard.sender.is_unspecified() && heard.is_request && to_us {
            // A probe (RFC 5227): the address is taken.
            self.say(side, Say::Answer { to: heard.hardware, target: heard.sender });
        } else if !prefix.contains(heard.sender) {
            return Err(Refusal::Arp);
        } else {
            self.learn(now, side, heard, to_us);
        }
        self.port(side).counters.arp += 1;
        Ok(Disposition::Done)
    }

    fn learn(&mut self, now: Instant, side: Side, heard: arp::Heard, to_us: bool) {
        let asked_for_us = heard.is_request && to_us;
        if asked_for_us {
            self.say(side, Say::Answer { to: heard.hardware, target: heard.sender });
        }
        match self.port(side).neighbours.hear(now, heard.sender, heard.hardware, asked_for_us) {
            Rumour::Believed => self.release(side, heard.sender, heard.hardware),
            Rumour::Doubted => self.say(side, Say::Ask { target: heard.sender }),
            Rumour::Ignored => (),
        }
    }

    /// Sends the frames that waited for a neighbour.
    fn release(&mut self, side: Side, next_hop: Ipv4Addr, hardware: EthernetAddress) {
        while let Some(mut held) = self.hold.pop(side, next_hop) {
            address(held.bytes_mut(), self.hardware(side), hardware);
            let sent = self.outbox.push(side, held.bytes());
            match (held.origin, sent) {
                (Origin::Own, Some(())) => (),
                (Origin::Own, None) => self.port(side).counters.suppressed += 1,
                (Origin::Transit(from), sent) => {
                    let counters = &mut self.port(from).counters;
                    counters.held -= 1;
                    match sent {
                        Some(()) => counters.forwarded += 1,
                        None => counters.refuse(Refusal::HoldFull),
                    }
                }
            }
        }
    }

    /// Drops the frames that waited for a neighbour who does not answer, and tells their senders (RFC 1812 s.5.2.7.1).
    pub(super) fn give_up(&mut self, now: Instant, side: Side, next_hop: Ipv4Addr) {
        for _ in 0..HELD {
            let Some(held) = self.hold.pop(side, next_hop) else { return };
            self.lose(held.origin);
            if let Origin::Transit(from) = held.origin {
                self.complain_after_translation(now, from, side, held.bytes());
            }
        }
    }

    /// Counts a frame that waited for a neighbour in vain.
    pub(super) fn lose(&mut self, origin: Origin) {
        match origin {
            Origin::Own => (),
            Origin::Transit(from) => {
                let counters = &mut self.port(from).counters;
                counters.held -= 1;
                counters.refuse(Refusal::NoNeighbour);
            }
        }
    }

    /// Sends ARP.
    pub(super) fn say(&mut self, side: Side, say: Say) {
        let frame = arp::write(say, self.hardware(side), self.addresses.own(side));
        if self.outbox.push(side, &frame).is_none() {
            self.port(side).counters.suppressed += 1;
        }
    }
}
