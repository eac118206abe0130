//! The way of a packet: Ethernet, the rules, the engine, and by its verdict onwards.
//!
//! Nearly all go the quick way, `take_packet` and `send_on`. Whatever is special about one goes `take_special` and
//! `send_on_carefully`, which know everything; from the quick way they are reached through pointers (`Rarely`), and through
//! functions that say how rare that is.

use core::net::Ipv4Addr;

use napt::policy::Way;
use napt::{Checksum, DropReason, Instant, Packet, Realm, Verdict};
use smoltcp::wire::{EthernetFrame, EthernetProtocol};

use super::{ETHERNET, Router, address, finish_checksum, packet_in};
use crate::counters::Refusal;
use crate::fragments::{self, Datagram};
use crate::frames::{self, Origin};
use crate::neighbours::Lookup;
use crate::options::Mark;
use crate::port::{Disposition, Offload, Side};
use crate::rules::Recipient;

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    #[inline]
    pub(super) fn take(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        const IPV4: [u8; 2] = [0x08, 0x00];
        let header = frame.first_chunk::<ETHERNET>().ok_or(Refusal::Runt)?;
        let is_for_us = header.first_chunk() == Some(&self.ports[side as usize].link.hardware);
        if is_for_us && header.last_chunk() == Some(&IPV4) {
            return self.take_packet(now, side, frame, offload);
        }
        self.take_rarely(now, side, frame, offload)
    }

    /// Takes a packet. Here is the quick way, that of nearly all: no rule has anything to say of it, the engine sends it
    /// on, and the next hop is known. Whatever is special about one, it leaves this way and is taken apart again.
    #[inline(always)]
    fn take_packet(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let bytes = frame.get_mut(ETHERNET..).ok_or(Refusal::Runt)?;
        let packet = match Packet::parse(bytes, offload.checksum, offload.segment) {
            Ok(packet) if packet.is_plain() && self.addresses.is_plain(side, &packet) => packet,
            _ => return self.take_rarely(now, side, frame, offload),
        };
        let end = ETHERNET + packet.total_len();
        match self.engine.translate(now, side.realm(), packet) {
            Verdict::Forward(realm) => self.send_on(now, side, Side::of(realm), frame, end, offload),
            verdict => self.carry_out_rarely(now, side, verdict, frame.get_mut(..end), offload),
        }
    }

    /// Takes a frame that is not plainly a packet for this box, or a packet that is not plain.
    #[cold]
    #[inline(never)]
    fn take_rarely(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        (self.rarely.take)(self, now, side, frame, offload)
    }

    /// Does what a verdict on a plain packet asks for, other than `Forward`.
    #[cold]
    #[inline(never)]
    fn carry_out_rarely(
        &mut self,
        now: Instant,
        side: Side,
        verdict: Verdict,
        frame: Option<&mut [u8]>,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        (self.rarely.carry_out)(self, now, side, verdict, None, frame, offload)
    }

    /// Sends a packet on that is large, or whose next hop has not been heard of lately.
    #[cold]
    #[inline(never)]
    fn send_on_rarely(
        &mut self,
        now: Instant,
        from: Side,
        to: Side,
        frame: &mut [u8],
        end: usize,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        (self.rarely.send_on)(self, now, from, to, frame, end, offload)
    }

    /// Takes a frame that may be anything.
    #[cold]
    #[inline(never)]
    pub(super) fn take_other(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let ethernet = EthernetFrame::new_checked(&*frame).map_err(|_| Refusal::Runt)?;
        let to = ethernet.dst_addr();
        if to.is_unicast() && to != self.hardware(side) {
            return Err(Refusal::OtherStation);
        }
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 if to.is_unicast() => self.take_special(now, side, frame, offload),
            EthernetProtocol::Ipv4 => self.take_broadcast(side, frame, offload),
            EthernetProtocol::Arp => self.take_arp(now, side, ethernet.payload()),
            _ => Err(Refusal::EtherType),
        }
    }

    /// Takes a packet that came to every station, or to a group: it is for the box if it is for every host on the link,
    /// and goes no further in any case (RFC 1812 s.5.3.4).
    fn take_broadcast(
        &mut self,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let bytes = frame.get_mut(ETHERNET..).ok_or(Refusal::Runt)?;
        match Packet::parse(bytes, offload.checksum, offload.segment) {
            Ok(packet) if self.addresses.admit(side, &packet)? == Recipient::Everybody => self.hear(side),
            Ok(_) => Err(Refusal::LinkBroadcast),
            Err(reason) => {
                self.engine.count(side.realm(), Verdict::Drop(reason));
                Ok(Disposition::Done)
            }
        }
    }

    /// Takes a packet that may be anything.
    #[cold]
    #[inline(never)]
    fn take_special(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let bytes = frame.get_mut(ETHERNET..).ok_or(Refusal::Runt)?;
        let packet = match Packet::parse(bytes, offload.checksum, offload.segment) {
            Ok(packet) => packet,
            Err(reason) => {
                self.engine.count(side.realm(), Verdict::Drop(reason));
                return Ok(Disposition::Done);
            }
        };
        let end = ETHERNET + packet.total_len();
        let datagram = Datagram::of(side, &packet);
        let verdict = match self.addresses.admit(side, &packet) {
            Ok(Recipient::Engine) => self.engine.translate_rare(now, side.realm(), packet),
            Ok(Recipient::EngineWithOptions) => {
                // What the router writes into options comes after the verdict: what is not sent on stays as it was.
                let verdict = self.engine.translate_rare(now, side.realm(), packet);
                self.record(now, verdict, frame.get_mut(ETHERNET..end).unwrap_or_default());
                verdict
            }
            Ok(Recipient::Own) => Verdict::Local,
            Ok(Recipient::Everybody) => return self.hear(side),
            Err(refusal) => {
                self.explain(now, side, refusal, packet_in(frame, end));
                return Err(refusal);
            }
        };
        match verdict {
            Verdict::Forward(realm) => {
                let disposition = self.send_on(now, side, Side::of(realm), frame, end, offload);
                if let Some(datagram) = datagram {
                    self.release_early(now, datagram);
                }
                disposition
            }
            verdict => self.carry_out(now, side, verdict, datagram, frame.get_mut(..end), offload),
        }
    }

    /// Does what a verdict other than `Forward` asks for.
    #[cold]
    #[inline(never)]
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        side: Side,
        verdict: Verdict,
        datagram: Option<Datagram>,
        frame: Option<&mut [u8]>,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let frame = frame.ok_or(Refusal::Runt)?;
        match (verdict, datagram) {
            (Verdict::Hold, Some(datagram)) => return self.hold_early(now, datagram, frame),
            (Verdict::Hold | Verdict::Forward(_), _) => (),
            (Verdict::Local, _) => {
                return self.deliver(now, side, datagram, frame.get_mut(ETHERNET..).unwrap_or_default());
            }
            (Verdict::Reject(reason), _) => self.reject(now, side, reason, packet_in(frame, frame.len())),
            (Verdict::Drop(reason), _) => return self.after_drop(now, side, reason, frame, offload),
        }
        Ok(Disposition::Done)
    }

    /// Does what there is to do about a packet that the engine has dropped.
    fn after_drop(
        &mut self,
        now: Instant,
        side: Side,
        reason: DropReason,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        match reason {
            DropReason::TooLarge => return self.take_apart(now, side, frame, offload),
            DropReason::NoMapping | DropReason::Filtered if side == Side::Wan => {
                let packet = packet_in(frame, frame.len());
                if !self.turns_away(now, side, Way::Own(Realm::External), packet) {
                    self.hold_unsolicited(now, packet);
                }
            }
            // Somebody on the wan has taken the box for a router to the lan.
            DropReason::NotOurs => {
                self.turns_away(now, side, Way::Inbound, packet_in(frame, frame.len()));
            }
            _ => (),
        }
        Ok(Disposition::Done)
    }

    /// Leaves the box's mark in the options of a packet that is sent on.
    #[cold]
    pub(super) fn record(&mut self, now: Instant, verdict: Verdict, packet: &mut [u8]) {
        if let Verdict::Forward(to) = verdict {
            self.mark(now, Side::of(to)).write(packet);
        }
    }

    /// What the box writes into options of packets that leave by a port.
    pub(super) fn mark(&self, now: Instant, leaves_by: Side) -> Mark {
        let ours = Side::ALL.map(|side| self.addresses.own(side));
        Mark { leaves_by: self.addresses.own(leaves_by), ours, now }
    }

    /// Gives a translated frame the addresses of its next hop, or lets it wait for them.
    #[inline(always)]
    pub(super) fn send_on(
        &mut self,
        now: Instant,
        from: Side,
        to: Side,
        frame: &mut [u8],
        end: usize,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        // What lies behind the packet is its sender's padding, and nobody else's business (A24).
        if end < frame.len()
            && let Some(padding) = frame.get_mut(end..)
        {
            padding.fill(0);
        }
        let mtu = usize::from(self.port(to).link.mtu);
        if end - ETHERNET <= mtu
            && let Some(next_hop) = self.next_hop(to, frame)
            && let Some(hardware) = self.port(to).neighbours.is_at(now, next_hop)
        {
            address(frame, self.hardware(to), hardware);
            self.port(from).counters.forwarded += 1;
            return Ok(Disposition::Send(to));
        }
        self.send_on_rarely(now, from, to, frame, end, offload)
    }

    /// Does the same where the packet is large, or the next hop has not been heard of lately.
    #[cold]
    #[inline(never)]
    pub(super) fn send_on_carefully(
        &mut self,
        now: Instant,
        from: Side,
        to: Side,
        frame: &mut [u8],
        end: usize,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let next_hop = self.next_hop(to, frame).ok_or(Refusal::NoRoute)?;
        let mtu = usize::from(self.port(to).link.mtu);
        if end - ETHERNET > mtu && offload.segment.is_none() {
            self.send_in_pieces(now, to, frame.get_mut(..end).unwrap_or_default(), mtu, offload)?;
            self.port(from).counters.forwarded += 1;
            return Ok(Disposition::Done);
        }
        match self.find_neighbour(now, to, next_hop) {
            Lookup::Known(hardware) | Lookup::Doubted(hardware) => {
                address(frame, self.hardware(to), hardware);
                self.port(from).counters.forwarded += 1;
                Ok(Disposition::Send(to))
            }
            Lookup::Full => Err(Refusal::NeighboursFull),
            Lookup::Ask | Lookup::Wait => {
                let whole = frame.get_mut(..end).ok_or(Refusal::Runt)?;
                if whole.len() > frames::LONGEST || offload.segment.is_some() {
                    return Err(Refusal::HoldTooLarge);
                }
                if offload.checksum == Checksum::Partial {
                    finish_checksum(whole);
                }
                self.hold.push(Origin::Transit(from), to, next_hop, whole).ok_or(Refusal::HoldFull)?;
                self.port(from).counters.held += 1;
                Ok(Disposition::Done)
            }
        }
    }

    /// Fragments a packet that is larger than the next link carries (RFC 4787 REQ-13a), if there is room for all of its
    /// pieces: the others would be of no use to anybody.
    #[cold]
    fn send_in_pieces(
        &mut self,
        now: Instant,
        to: Side,
        frame: &mut [u8],
        mtu: usize,
        offload: Offload,
    ) -> Result<(), Refusal> {
        if fragments::pieces(packet_in(frame, frame.len()), mtu) > self.outbox.room() {
            return Err(Refusal::OutboxFull);
        }
        if offload.checksum == Checksum::Partial {
            finish_checksum(frame);
        }
        let packet = packet_in(frame, frame.len());
        fragments::cut(packet, mtu, |piece| self.send_own(now, to, piece));
        Ok(())
    }

    /// Sends a packet of the box's own.
    pub(super) fn send_own(&mut self, now: Instant, side: Side, packet: &[u8]) {
        let mut frame = [0; frames::LONGEST];
        let end = ETHERNET + packet.len();
        let Some(frame) = frame.get_mut(..end) else { return };
        EthernetFrame::new_unchecked(&mut *frame).set_ethertype(EthernetProtocol::Ipv4);
        EthernetFrame::new_unchecked(&mut *frame).payload_mut().copy_from_slice(packet);
        let Some(next_hop) = self.next_hop(side, frame) else { return };
        let sent = match self.find_neighbour(now, side, next_hop) {
            Lookup::Known(hardware) | Lookup::Doubted(hardware) => {
                address(frame, self.hardware(side), hardware);
                self.outbox.push(side, frame)
            }
            Lookup::Ask | Lookup::Wait => self.hold.push(Origin::Own, side, next_hop, frame),
            Lookup::Full => None,
        };
        if sent.is_none() {
            self.port(side).counters.suppressed += 1;
        }
    }

    /// The neighbour to whom a frame goes on.
    #[inline(always)]
    pub(super) fn next_hop(&self, side: Side, frame: &[u8]) -> Option<Ipv4Addr> {
        let [.., a, b, c, d] = *frame.first_chunk::<{ ETHERNET + 20 }>()?;
        self.addresses.next_hop(side, Ipv4Addr::new(a, b, c, d))
    }
}
