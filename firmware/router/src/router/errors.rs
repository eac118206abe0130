//! What the box tells of packets that it does not send on: ICMP errors, limited in rate, and nothing about some
//! (RFC 1812 s.4.3.2, RFC 5382 REQ-4).

use core::net::Ipv4Addr;

use config::Response;
use napt::policy::{Action, Asked, Rejection, Way};
use napt::{Checksum, Endpoint, Instant, Packet, Protocol, RejectReason, Verdict};
use smoltcp::wire::{IpProtocol, Ipv4Packet};

use super::{ETHERNET, Router};
use crate::counters::Refusal;
use crate::icmp::{self, Complaint};
use crate::options::{self, Fault};
use crate::port::Side;
use crate::reset;
use crate::unsolicited::Kept;

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    /// Tells the sender of a packet that may not come in why, where it is to be told.
    #[cold]
    pub(super) fn explain(&mut self, now: Instant, side: Side, refusal: Refusal, packet: &[u8]) {
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

    /// Tells the sender of a packet that the engine rejects why, unless the configuration would rather not.
    #[cold]
    pub(super) fn reject(&mut self, now: Instant, side: Side, reason: RejectReason, packet: &[u8]) {
        let complaint = match reason {
            RejectReason::Rule(how) => return self.turn_away(now, side, how, packet),
            RejectReason::TtlExpired => Complaint::TtlExpired,
            RejectReason::FragmentationNeeded(to) => {
                Complaint::FragmentationNeeded { mtu: self.ports[Side::of(to) as usize].link.mtu }
            }
            RejectReason::TableFull | RejectReason::PortsExhausted | RejectReason::HostShare => {
                Complaint::Prohibited
            }
        };
        if complaint != Complaint::Prohibited || self.refusals == Response::Answer {
            self.complain(now, side, complaint, packet);
        }
    }

    /// Whether the filter rules turn a packet away that no session has to do with: one for the box itself, or from the wan and
    /// for nobody. Its sender is told, where a rule says so.
    #[cold]
    pub(super) fn turns_away(&mut self, now: Instant, side: Side, way: Way, packet: &[u8]) -> bool {
        let Some(asked) = asked(way, packet) else { return false };
        match self.engine.ask(now, &asked, packet.len()) {
            Action::Accept => return false,
            Action::Drop => (),
            Action::Reject(how) => self.turn_away(now, side, how, packet),
        }
        true
    }

    /// Tells the sender of a packet that a filter rule rejects.
    #[cold]
    fn turn_away(&mut self, now: Instant, side: Side, how: Rejection, packet: &[u8]) {
        match how.code() {
            Some(code) => self.complain(now, side, Complaint::Ruled(code), packet),
            None => self.reset(now, side, packet),
        }
    }

    /// Answers a TCP segment with a reset, as from whom it was sent to.
    fn reset(&mut self, now: Instant, side: Side, packet: &[u8]) {
        let mut buffer = [0; reset::LEN];
        if reset::write(packet, &mut buffer).is_none() {
            return;
        }
        let to = Ipv4Packet::new_unchecked(packet).src_addr();
        if self.errors.allow(now, to, &mut self.random) {
            self.send_own(now, side, &buffer);
        } else {
            self.port(side).counters.suppressed += 1;
        }
    }

    /// Tells the sender of a packet, as `side` received it, what is wrong with it.
    pub(super) fn complain(&mut self, now: Instant, side: Side, complaint: Complaint, packet: &[u8]) {
        if !icmp::may_complain_about(packet) {
            return;
        }
        let to = Ipv4Packet::new_unchecked(packet).src_addr();
        self.send_error(now, side, complaint, to, packet);
    }

    /// Sends an error about a packet, or as much of it as there is, to its sender.
    pub(super) fn send_error(
        &mut self,
        now: Instant,
        side: Side,
        complaint: Complaint,
        to: Ipv4Addr,
        packet: &[u8],
    ) {
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

    /// Complains about a packet that has been translated already: the error is made as a router behind the box would
    /// make it, and translated on its way back like any other.
    pub(super) fn complain_after_translation(&mut self, now: Instant, from: Side, to: Side, frame: &[u8]) {
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

    /// Keeps a SYN that nobody had asked for, if the configuration wants it answered.
    #[cold]
    pub(super) fn hold_unsolicited(&mut self, now: Instant, packet: &[u8]) {
        if self.unsolicited_syn == Response::Answer && self.unsolicited.push(now, packet) == Kept::NoRoom {
            self.port(Side::Wan).counters.suppressed += 1;
        }
    }

    /// Answers the SYNs that nobody has asked for meanwhile either. The others were one half of a connection that the
    /// inside was opening too: of those nothing is ever said (RFC 5382 REQ-4).
    pub(super) fn answer_unsolicited(&mut self, now: Instant) {
        while let Some(syn) = self.unsolicited.overdue(now) {
            if !self.engine.has_session(now, Protocol::Tcp, syn.external, syn.remote) {
                self.send_error(now, Side::Wan, Complaint::PortUnreachable, syn.sender(), syn.bytes());
            }
        }
    }
}

/// What the filter rules are asked about a whole packet, if it is well-formed.
fn asked(way: Way, packet: &[u8]) -> Option<Asked> {
    let packet = Ipv4Packet::new_checked(packet).ok()?;
    let (protocol, payload) = (packet.next_header(), packet.payload());
    let ports = match protocol {
        IpProtocol::Tcp | IpProtocol::Udp => payload.first_chunk::<4>().copied()?,
        _ => [0; 4],
    };
    let [source, destination] = [[ports[0], ports[1]], [ports[2], ports[3]]].map(u16::from_be_bytes);
    Some(Asked {
        way,
        number: protocol.into(),
        source: Endpoint::new(packet.src_addr(), source),
        destination: Endpoint::new(packet.dst_addr(), destination),
    })
}

/// A packet without the padding behind it.
fn whole_packet(bytes: &[u8]) -> &[u8] {
    let len = Ipv4Packet::new_checked(bytes).map_or(0, |packet| packet.total_len());
    bytes.get(..usize::from(len)).unwrap_or_default()
}
