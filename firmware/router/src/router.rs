//! The way of a frame through the box.
//!
//! [`Router::receive`]: Ethernet; ARP to `arp` and `neighbours`; IPv4 through `rules` to the engine, and by its
//! verdict onwards to the next hop, into the box's own stack, back to the sender as an ICMP error, or nowhere. A frame
//! that is sent on is rewritten where it lies; everything else that leaves the box is written into the outbox.

use core::net::Ipv4Addr;
use core::num::NonZeroU16;

use config::{Config, Response};
use napt::{
    Checksum, DropReason, Engine, Instant, Packet, Protocol, Random, RejectReason, Seed, Tables, Verdict,
    checksum,
};
use smoltcp::wire::{EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet};

use crate::alarm::{Alarm, Alarms};
use crate::arp::{self, Say};
use crate::counters::{Counters, Refusal, Summary};
use crate::fragments::{self, Datagram, Early};
use crate::frames::{self, HELD, Hold, Origin, Outbox};
use crate::icmp::{self, Complaint};
use crate::limiter::{Limiter, Rate};
use crate::local::Local;
use crate::neighbours::{Lookup, Neighbours, Overdue, Rumour};
use crate::options::{self, Fault, Mark};
use crate::port::{Disposition, Link, Offload, Side};
use crate::reassembly::Reassembly;
use crate::rules::{Addresses, Recipient};
use crate::settings::settings;
use crate::unsolicited::{Kept, Unsolicited};

mod own;
mod segments;
mod views;

/// The length of an Ethernet header, in bytes.
const ETHERNET: usize = 14;

/// ICMP errors: enough for a traceroute and for path MTU discovery of many hosts, too few to flood anybody.
const ERRORS: Rate = Rate { per_second: 500, burst: 250 };
const ERRORS_EACH: Rate = Rate { per_second: 50, burst: 50 };

/// Answers to what the box is asked itself.
const ANSWERS: Rate = Rate { per_second: 2_000, burst: 1_000 };
const ANSWERS_EACH: Rate = Rate { per_second: 1_000, burst: 500 };

/// The box: two ports, the engine between them, and what a router owes to its links.
pub struct Router<'t, const SESSIONS: usize> {
    engine: Engine<'t, SESSIONS>,
    addresses: Addresses,
    ports: [Port; 2],
    outbox: Outbox,
    hold: Hold,
    early: Early,
    reassembly: Reassembly,
    refusals: Response,
    unsolicited_syn: Response,
    unsolicited: Unsolicited,
    errors: Limiter,
    answers: Limiter,
    alarms: Alarms,
    random: Random,
    smaller: Option<(Side, NonZeroU16)>,
}

/// What belongs to one port.
struct Port {
    link: Link,
    neighbours: Neighbours,
    local: Local,
    counters: Counters,
}

impl<'t, const SESSIONS: usize> Router<'t, SESSIONS> {
    /// A box that works by `config`, between two links, in `tables` that nobody has used before.
    pub fn new(tables: &'t mut Tables<SESSIONS>, config: &Config, lan: Link, wan: Link, seed: &Seed) -> Self {
        let addresses = Addresses::new(config);
        let mut random = Random::new(&reversed(seed));
        let mut port = |side: Side, link: Link| Port {
            link,
            neighbours: Neighbours::new(addresses.gateway_on(side), random.draw() as u32),
            local: Local::new(addresses.on(side), random.draw()),
            counters: Counters::default(),
        };
        Self {
            engine: Engine::new(tables, settings(config, lan.mtu, wan.mtu), seed),
            addresses,
            ports: [port(Side::Lan, lan), port(Side::Wan, wan)],
            outbox: Outbox::new(),
            hold: Hold::new(),
            early: Early::new(),
            reassembly: Reassembly::new(),
            refusals: config.nat().refusals,
            unsolicited_syn: config.nat().unsolicited_syn,
            unsolicited: Unsolicited::new(),
            errors: Limiter::new(ERRORS, ERRORS_EACH, &mut random),
            answers: Limiter::new(ANSWERS, ANSWERS_EACH, &mut random),
            alarms: Alarms::new(),
            random,
            smaller: None,
        }
    }

    /// Takes one Ethernet frame (without FCS) that `side` received.
    #[inline]
    pub fn receive(&mut self, now: Instant, side: Side, frame: &mut [u8], offload: Offload) -> Disposition {
        self.port(side).counters.received += 1;
        match self.take(now, side, frame, offload) {
            Ok(disposition) => disposition,
            Err(refusal) => {
                self.port(side).counters.refuse(refusal);
                Disposition::Done
            }
        }
    }

    /// The port by which the frame leaves that has just been given back as [`Disposition::SendSmaller`], and how many
    /// payload bytes each of its segments is to have. It is told apart from that, so that what becomes of any other frame
    /// is a matter of one byte.
    pub fn poll_smaller(&mut self) -> Option<(Side, NonZeroU16)> {
        self.smaller.take()
    }

    /// Has what the next frames of `side` will need at hand. `packets` are the beginnings of what lies behind their Ethernet
    /// headers, as [`Engine::look_ahead`] wants them.
    pub fn look_ahead(&self, side: Side, packets: impl Iterator<Item: AsRef<[u8]>>) {
        self.engine.look_ahead(side.realm(), packets);
    }

    /// The next frame that the box itself wants sent, whole and with finished checksums; call until `None`.
    pub fn poll_transmit(&mut self) -> Option<(Side, &[u8])> {
        self.outbox.pop()
    }

    /// When [`Router::handle_timeout`] next has something to do, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let neighbours = self.ports.iter().filter_map(|port| port.neighbours.due());
        let waiting = self.early.due().into_iter().chain(self.reassembly.due()).chain(self.unsolicited.due());
        neighbours.chain(self.engine.poll_timeout()).chain(waiting).min()
    }

    /// Does what is due at `now`: ends sessions, asks neighbours again, gives up on them and on datagrams that are not
    /// whole yet, answers unsolicited SYNs.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
        while let Some(waiting) = self.early.overdue(now) {
            self.lose_early(waiting.side());
        }
        self.expire_gathered(now);
        self.answer_unsolicited(now);
        for side in Side::ALL {
            while let Some(overdue) = self.port(side).neighbours.overdue(now) {
                match overdue {
                    Overdue::Ask(address) => self.say(side, Say::Ask { target: address }),
                    Overdue::Gone(address) => self.give_up(now, side, address),
                }
            }
        }
    }

    /// Tells the router that a port's link has come up, perhaps another one than before: neighbours learnt on it are
    /// forgotten, and with them the frames that waited for them; the box's own address is announced, and on the wan the
    /// gateway is asked for.
    pub fn link_up(&mut self, now: Instant, side: Side, link: Link) {
        let own = self.addresses.own(side);
        self.port(side).link = link;
        self.engine.set_mtu(side.realm(), link.mtu);
        self.port(side).neighbours.clear();
        while let Some(held) = self.hold.pop_any(side) {
            self.lose(held.origin);
        }
        self.say(side, Say::Ask { target: own });
        if let Some(gateway) = self.addresses.gateway_on(side) {
            self.find_neighbour(now, side, gateway);
        }
    }

    /// Works by `config` from now on. Sessions that it does not touch live on (see [`Engine::reconfigure`]); another
    /// network on the lan ends all. What waits to be sent on a side whose addresses change is lost, so that nothing
    /// leaves with an address of before.
    pub fn reconfigure(&mut self, now: Instant, config: &Config) {
        let before = self.addresses;
        self.addresses = Addresses::new(config);
        if before.lan != self.addresses.lan {
            self.engine.flush();
        }
        let [lan, wan] = [Side::Lan, Side::Wan].map(|side| self.port(side).link.mtu);
        self.engine.reconfigure(now, settings(config, lan, wan));
        self.refusals = config.nat().refusals;
        self.unsolicited_syn = config.nat().unsolicited_syn;
        if self.unsolicited_syn == Response::Silent || before.wan != self.addresses.wan {
            self.unsolicited = Unsolicited::new();
        }
        for side in Side::ALL {
            let (address, gateway) = (self.addresses.on(side), self.addresses.gateway_on(side));
            if (address, gateway) != (before.on(side), before.gateway_on(side)) {
                self.readdress(now, side);
            }
        }
    }

    /// Starts afresh on a side whose addresses have changed.
    fn readdress(&mut self, now: Instant, side: Side) {
        while let Some((side, _)) = self.outbox.pop() {
            self.ports[side as usize].counters.suppressed += 1;
        }
        self.forget_gathered(side);
        let (address, gateway) = (self.addresses.on(side), self.addresses.gateway_on(side));
        let seeds = [self.random.draw(), self.random.draw()];
        let port = self.port(side);
        port.neighbours = Neighbours::new(gateway, seeds[0] as u32);
        port.local = Local::new(address, seeds[1]);
        let link = port.link;
        self.link_up(now, side, link);
    }

    /// What an operator should hear of: the session table is 80, 95 or 100 percent full, once each.
    pub fn poll_alarm(&mut self) -> Option<Alarm> {
        self.alarms.poll(self.engine.occupancy())
    }

    /// What became of every frame so far.
    pub fn summary(&self) -> Summary<'_> {
        let [lan, wan] = &self.ports;
        Summary {
            router: [&lan.counters, &wan.counters],
            engine: [self.engine.counters(Side::Lan.realm()), self.engine.counters(Side::Wan.realm())],
            occupancy: self.engine.occupancy(),
        }
    }

    #[inline]
    fn take(
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
        self.take_other(now, side, frame, offload)
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
            _ => return self.take_special(now, side, frame, offload),
        };
        let end = ETHERNET + packet.total_len();
        match self.engine.translate(now, side.realm(), packet) {
            Verdict::Forward(realm) => self.send_on(now, side, Side::of(realm), frame, end, offload),
            verdict => self.carry_out(now, side, verdict, None, frame.get_mut(..end), offload),
        }
    }

    /// Takes a frame that is not plainly a packet for this box.
    #[cold]
    #[inline(never)]
    fn take_other(
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
            Ok(Recipient::Engine) => self.engine.translate(now, side.realm(), packet),
            Ok(Recipient::EngineWithOptions) => {
                // What the router writes into options comes after the verdict: what is not sent on stays as it was.
                let verdict = self.engine.translate(now, side.realm(), packet);
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
    fn carry_out(
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
            (Verdict::Reject(reason), _) => {
                let complaint = self.complaint(reason);
                if complaint != Complaint::Prohibited || self.refusals == Response::Answer {
                    self.complain(now, side, complaint, packet_in(frame, frame.len()));
                }
            }
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
                self.hold_unsolicited(now, packet_in(frame, frame.len()));
            }
            _ => (),
        }
        Ok(Disposition::Done)
    }

    /// Leaves the box's mark in the options of a packet that is sent on.
    #[cold]
    fn record(&mut self, now: Instant, verdict: Verdict, packet: &mut [u8]) {
        if let Verdict::Forward(to) = verdict {
            self.mark(now, Side::of(to)).write(packet);
        }
    }

    /// What the box writes into options of packets that leave by a port.
    fn mark(&self, now: Instant, leaves_by: Side) -> Mark {
        let ours = Side::ALL.map(|side| self.addresses.own(side));
        Mark { leaves_by: self.addresses.own(leaves_by), ours, now }
    }

    /// Tells the sender of a packet that may not come in why, where it is to be told.
    #[cold]
    fn explain(&mut self, now: Instant, side: Side, refusal: Refusal, packet: &[u8]) {
        match refusal {
            Refusal::NoRoute => self.complain(now, side, Complaint::NetworkUnreachable, packet),
            Refusal::Options => {
                if let Err(Fault::Malformed { pointer }) = options::check(options::of(packet)) {
                    self.complain(now, side, Complaint::ParameterProblem { pointer }, packet);
                }
            }
            _ => (),
        }
    }

    /// Gives a translated frame the addresses of its next hop, or lets it wait for them.
    #[inline(always)]
    fn send_on(
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
        self.send_on_carefully(now, from, to, frame, end, offload)
    }

    /// Does the same where the packet is large, or the next hop has not been heard of lately.
    #[cold]
    #[inline(never)]
    fn send_on_carefully(
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

    /// Lets a fragment wait that came before its datagram's first; if that has come, and was for the box, it is one more
    /// for the box.
    #[cold]
    fn hold_early(&mut self, now: Instant, datagram: Datagram, frame: &[u8]) -> Result<Disposition, Refusal> {
        if self.reassembly.knows(datagram) {
            return self.gather(now, datagram, packet_in(frame, frame.len()));
        }
        self.port(datagram.side()).counters.held += 1;
        if let Some(side) = self.early.push(now, datagram, frame) {
            self.lose_early(side);
        }
        Ok(Disposition::Done)
    }

    /// Sends the fragments on that waited for their datagram's first.
    #[cold]
    fn release_early(&mut self, now: Instant, datagram: Datagram) {
        while let Some(mut waiting) = self.early.pop(datagram) {
            let side = waiting.side();
            self.port(side).counters.held -= 1;
            match self.follow(now, side, waiting.bytes_mut()) {
                Ok(Disposition::Send(to)) if self.outbox.push(to, waiting.bytes_mut()).is_some() => (),
                Ok(Disposition::Send(_)) => self.port(side).counters.suppressed += 1,
                // A fragment never stands for many.
                Ok(Disposition::SendSmaller | Disposition::Done) => (),
                Err(refusal) => self.port(side).counters.refuse(refusal),
            }
        }
    }

    /// Translates a fragment that has waited for its datagram's first, or takes it for the box as that was. The rules
    /// have let it in before.
    fn follow(&mut self, now: Instant, side: Side, frame: &mut [u8]) -> Result<Disposition, Refusal> {
        let bytes = frame.get_mut(ETHERNET..).ok_or(Refusal::Runt)?;
        let Ok(packet) = Packet::parse(bytes, Checksum::Complete, None) else { return Err(Refusal::Runt) };
        let end = ETHERNET + packet.total_len();
        let datagram = Datagram::of(side, &packet).filter(|datagram| self.reassembly.knows(*datagram));
        let verdict = self.engine.translate(now, side.realm(), packet);
        self.record(now, verdict, frame.get_mut(ETHERNET..end).unwrap_or_default());
        match verdict {
            Verdict::Forward(realm) => {
                self.send_on(now, side, Side::of(realm), frame, end, Offload::default())
            }
            Verdict::Hold => match datagram {
                Some(datagram) => self.gather(now, datagram, packet_in(frame, end)),
                None => {
                    self.engine.count(side.realm(), Verdict::Drop(DropReason::FragmentEarly));
                    Ok(Disposition::Done)
                }
            },
            Verdict::Local | Verdict::Reject(_) | Verdict::Drop(_) => Ok(Disposition::Done),
        }
    }

    /// Counts a fragment whose first did not come.
    fn lose_early(&mut self, side: Side) {
        self.port(side).counters.held -= 1;
        self.engine.count(side.realm(), Verdict::Drop(DropReason::FragmentEarly));
    }

    /// Keeps a SYN that nobody had asked for, if the configuration wants it answered.
    #[cold]
    fn hold_unsolicited(&mut self, now: Instant, packet: &[u8]) {
        if self.unsolicited_syn == Response::Answer && self.unsolicited.push(now, packet) == Kept::NoRoom {
            self.port(Side::Wan).counters.suppressed += 1;
        }
    }

    /// Answers the SYNs that nobody has asked for meanwhile either. The others were one half of a connection that the
    /// inside was opening too: of those nothing is ever said (RFC 5382 REQ-4).
    fn answer_unsolicited(&mut self, now: Instant) {
        while let Some(syn) = self.unsolicited.overdue(now) {
            if !self.engine.has_session(now, Protocol::Tcp, syn.external, syn.remote) {
                self.send_error(now, Side::Wan, Complaint::PortUnreachable, syn.sender(), syn.bytes());
            }
        }
    }

    /// What to tell the sender of a packet that the engine rejects.
    fn complaint(&self, reason: RejectReason) -> Complaint {
        match reason {
            RejectReason::TtlExpired => Complaint::TtlExpired,
            RejectReason::FragmentationNeeded(to) => {
                Complaint::FragmentationNeeded { mtu: self.ports[Side::of(to) as usize].link.mtu }
            }
            RejectReason::TableFull | RejectReason::PortsExhausted | RejectReason::HostShare => {
                Complaint::Prohibited
            }
        }
    }

    /// Tells the sender of a packet, as `side` received it, what is wrong with it.
    fn complain(&mut self, now: Instant, side: Side, complaint: Complaint, packet: &[u8]) {
        if !icmp::may_complain_about(packet) {
            return;
        }
        let to = Ipv4Packet::new_unchecked(packet).src_addr();
        self.send_error(now, side, complaint, to, packet);
    }

    /// Sends an error about a packet, or as much of it as there is, to its sender.
    fn send_error(&mut self, now: Instant, side: Side, complaint: Complaint, to: Ipv4Addr, packet: &[u8]) {
        if !self.errors.allow(now, to, &mut self.random) {
            self.port(side).counters.suppressed += 1;
            return;
        }
        let mut buffer = [0; icmp::LONGEST];
        let len = icmp::write(complaint, self.addresses.own(side), packet, &mut buffer);
        if let Some(error) = buffer.get(..len) {
            self.send_own(now, side, error);
        }
    }

    /// Sends a packet of the box's own.
    fn send_own(&mut self, now: Instant, side: Side, packet: &[u8]) {
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

    #[inline]
    fn find_neighbour(&mut self, now: Instant, side: Side, address: Ipv4Addr) -> Lookup {
        let lookup = self.port(side).neighbours.look_up(now, address);
        if matches!(lookup, Lookup::Ask | Lookup::Doubted(_)) {
            self.say(side, Say::Ask { target: address });
        }
        lookup
    }

    fn take_arp(&mut self, now: Instant, side: Side, payload: &[u8]) -> Result<Disposition, Refusal> {
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
    fn give_up(&mut self, now: Instant, side: Side, next_hop: Ipv4Addr) {
        for _ in 0..HELD {
            let Some(held) = self.hold.pop(side, next_hop) else { return };
            self.lose(held.origin);
            if let Origin::Transit(from) = held.origin {
                self.complain_after_translation(now, from, side, held.bytes());
            }
        }
    }

    /// Counts a frame that waited for a neighbour in vain.
    fn lose(&mut self, origin: Origin) {
        match origin {
            Origin::Own => (),
            Origin::Transit(from) => {
                let counters = &mut self.port(from).counters;
                counters.held -= 1;
                counters.refuse(Refusal::NoNeighbour);
            }
        }
    }

    /// Complains about a packet that has been translated already: the error is made as a router behind the box would
    /// make it, and translated on its way back like any other.
    fn complain_after_translation(&mut self, now: Instant, from: Side, to: Side, frame: &[u8]) {
        let Some(packet) = frame.get(ETHERNET..).filter(|packet| icmp::may_complain_about(packet)) else {
            return;
        };
        let packet = whole_packet(packet);
        let mut buffer = [0; icmp::LONGEST];
        let len = icmp::write(Complaint::HostUnreachable, self.addresses.own(from), packet, &mut buffer);
        let Some(error) = buffer.get_mut(..len) else { return };
        let Ok(parsed) = Packet::parse(error, Checksum::Complete, None) else { return };
        if !matches!(self.engine.translate_own(now, to.realm(), parsed), Verdict::Forward(_)) {
            return;
        }
        let receiver = Ipv4Packet::new_unchecked(&*error).dst_addr();
        if self.errors.allow(now, receiver, &mut self.random) {
            self.send_own(now, from, error);
        } else {
            self.port(from).counters.suppressed += 1;
        }
    }

    /// Sends ARP.
    fn say(&mut self, side: Side, say: Say) {
        let frame = arp::write(say, self.hardware(side), self.addresses.own(side));
        if self.outbox.push(side, &frame).is_none() {
            self.port(side).counters.suppressed += 1;
        }
    }

    /// The neighbour to whom a frame goes on.
    #[inline(always)]
    fn next_hop(&self, side: Side, frame: &[u8]) -> Option<Ipv4Addr> {
        let [.., a, b, c, d] = *frame.first_chunk::<{ ETHERNET + 20 }>()?;
        self.addresses.next_hop(side, Ipv4Addr::new(a, b, c, d))
    }

    #[inline]
    fn hardware(&self, side: Side) -> EthernetAddress {
        EthernetAddress(self.ports[side as usize].link.hardware)
    }

    #[inline]
    fn port(&mut self, side: Side) -> &mut Port {
        &mut self.ports[side as usize]
    }
}

/// Another seed: the router's random numbers are not to be the engine's.
fn reversed(seed: &Seed) -> Seed {
    let mut seed = *seed;
    seed.reverse();
    seed
}

/// The packet in a frame that ends at `end`.
#[inline]
fn packet_in(frame: &[u8], end: usize) -> &[u8] {
    frame.get(ETHERNET..end).unwrap_or_default()
}

/// A packet without the padding behind it.
fn whole_packet(bytes: &[u8]) -> &[u8] {
    let len = Ipv4Packet::new_checked(bytes).map_or(0, |packet| packet.total_len());
    bytes.get(..usize::from(len)).unwrap_or_default()
}

/// Addresses a frame, which is at least an Ethernet header long.
#[inline]
fn address(frame: &mut [u8], from: EthernetAddress, to: EthernetAddress) {
    if let Some((destination, rest)) = frame.split_first_chunk_mut()
        && let Some(source) = rest.first_chunk_mut()
    {
        *destination = to.0;
        *source = from.0;
    }
}

/// Finishes the TCP or UDP checksum of a frame. The field holds the sum of the pseudo-header already.
fn finish_checksum(frame: &mut [u8]) {
    let mut packet = Ipv4Packet::new_unchecked(frame.get_mut(ETHERNET..).unwrap_or_default());
    let (protocol, payload) = (packet.next_header(), packet.payload_mut());
    let (offset, zero) = match protocol {
        IpProtocol::Tcp => (16, 0),
        // A sum of zero would mean "no checksum" (RFC 768).
        IpProtocol::Udp => (6, 0xFFFF),
        _ => return,
    };
    let sum = match checksum(payload) {
        0 => zero,
        sum => sum,
    };
    if let Some(field) = payload.get_mut(offset..offset + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}
