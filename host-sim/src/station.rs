//! A station: a source and a sink of packets without a stack, for attackers, for load, and for the rest of the world.
//!
//! It sends what it is given when it is told to, whatever that is, and remembers what it is sent only if asked to. It
//! answers ARP for as many addresses as it likes, so that one station can stand for a thousand hosts or for the whole
//! Internet behind a gateway. A station that *answers* turns UDP datagrams and echo requests round.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use smoltcp::wire::{EthernetAddress, IpProtocol, Ipv4Cidr, Ipv4Packet};

use crate::ether::{Ether, HEADER};
use crate::host::LAST_SYSTEM_PORT;
use crate::node::Departure;
use crate::time::Time;

/// What a station has to be told before it starts.
#[derive(Clone, Debug)]
pub struct StationSetup {
    /// Its Ethernet address.
    pub hardware: EthernetAddress,
    /// Its own address, and the prefix of its link.
    pub address: Ipv4Cidr,
    /// What else it answers ARP for.
    pub more: Vec<Ipv4Cidr>,
    /// Who takes what is not for its link, if it is not to be asked for there.
    pub gateway: Option<Ipv4Addr>,
    /// Whether it answers UDP datagrams and pings.
    pub answers: bool,
    /// Whether it keeps what it receives.
    pub keeps: bool,
}

/// What a station sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// An IPv4 packet, to its next hop.
    Packet(Vec<u8>),
    /// A whole Ethernet frame, as it is.
    Frame(Vec<u8>),
}

/// Frames that are sent by turns, one at a time, without end or so many.
#[derive(Clone, Debug)]
pub struct Load {
    /// The frames, whole.
    pub frames: Vec<Vec<u8>>,
    /// From one frame to the next.
    pub every: Duration,
    /// How many are still to be sent.
    pub left: u64,
}

/// A station.
#[derive(Debug)]
pub struct Station {
    ether: Ether,
    answers: bool,
    keeps: bool,
    /// What is to be sent, by when and in the order in which it was asked for.
    parcels: BTreeMap<(Time, u64), Parcel>,
    asked: u64,
    loads: Vec<(Time, usize, Load)>,
    received: u64,
    kept: VecDeque<(Time, Vec<u8>)>,
}

impl Station {
    /// A station that has nothing to send yet.
    pub fn new(setup: &StationSetup) -> Self {
        let StationSetup { hardware, address, ref more, gateway, answers, keeps } = *setup;
        Self {
            ether: Ether::new(0, hardware, address, more, gateway),
            answers,
            keeps,
            parcels: BTreeMap::new(),
            asked: 0,
            loads: Vec::new(),
            received: 0,
            kept: VecDeque::new(),
        }
    }

    /// Sends something at a time that is not over yet.
    pub fn send_at(&mut self, at: Time, parcel: Parcel) {
        self.asked += 1;
        self.parcels.insert((at, self.asked), parcel);
    }

    /// Sends frames by turns from a time on.
    ///
    /// # Panics
    /// If there are none.
    pub fn load_from(&mut self, at: Time, load: Load) {
        assert!(!load.frames.is_empty(), "a load has frames");
        self.loads.push((at, 0, load));
    }

    /// How many IPv4 packets for it have arrived.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The IPv4 packets that have arrived, if it keeps them, each with its time.
    pub fn kept(&self) -> impl Iterator<Item = (Time, &[u8])> {
        self.kept.iter().map(|(at, packet)| (*at, &packet[..]))
    }

    pub(crate) fn receive(&mut self, now: Time, frame: Vec<u8>, out: &mut Vec<Departure>) {
        let Some(frame) = self.ether.receive(now, frame, out) else { return };
        self.received += 1;
        if self.keeps {
            self.kept.push_back((now, frame[HEADER..].to_vec()));
        }
        if self.answers
            && let Some(answer) = answer(frame)
        {
            self.ether.send(now, None, answer, out);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Time> {
        let parcel = self.parcels.keys().next().map(|(at, _)| *at);
        let loads = self.loads.iter().map(|(at, ..)| *at);
        loads.chain(parcel).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Time, out: &mut Vec<Departure>) {
        while let Some(entry) = self.parcels.first_entry().filter(|entry| entry.key().0 <= now) {
            match entry.remove() {
                Parcel::Frame(frame) => out.push(Departure::own(0, frame)),
                Parcel::Packet(packet) => {
                    self.ether.send(now, None, [&[0; HEADER], &packet[..]].concat(), out);
                }
            }
        }
        for (at, turn, load) in &mut self.loads {
            while *at <= now && load.left > 0 {
                out.push(Departure::own(0, load.frames[*turn].clone()));
                *turn = (*turn + 1) % load.frames.len();
                *at = *at + load.every.max(Duration::from_micros(1));
                load.left -= 1;
            }
        }
        self.loads.retain(|(_, _, load)| load.left > 0);
    }
}

/// What is answered to a UDP datagram or an echo request: the same, turned round. Checksums stay as right as they were.
fn answer(mut frame: Vec<u8>) -> Option<Vec<u8>> {
    let mut packet = Ipv4Packet::new_checked(frame.get_mut(HEADER..)?).ok()?;
    if packet.frag_offset() != 0 || packet.more_frags() {
        return None;
    }
    let (from, to) = (packet.src_addr(), packet.dst_addr());
    packet.set_src_addr(to);
    packet.set_dst_addr(from);
    packet.set_hop_limit(64);
    packet.fill_checksum();
    let protocol = packet.next_header();
    match (protocol, packet.payload_mut()) {
        // Two services that answered each other would never stop.
        (IpProtocol::Udp, [a, b, c, d, ..]) if u16::from_be_bytes([*a, *b]) > LAST_SYSTEM_PORT => {
            [*a, *b, *c, *d] = [*c, *d, *a, *b];
            Some(frame)
        }
        (IpProtocol::Icmp, [kind @ 8, _, sum @ ..]) if sum.len() >= 6 => {
            *kind = 0;
            // The type is the upper half of the message's first word (RFC 1624).
            let word = u16::from_be_bytes([sum[0], sum[1]]);
            let (mended, carry) = word.overflowing_add(0x0800);
            sum[..2].copy_from_slice(&(mended + u16::from(carry)).to_be_bytes());
            Some(frame)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoltcp::wire::Icmpv4Packet;

    #[test]
    fn an_echo_request_is_turned_into_a_right_reply() {
        let mut frame = vec![0; HEADER + 20 + 8];
        frame[HEADER] = 0x45;
        frame[HEADER + 3] = 28;
        frame[HEADER + 9] = 1;
        frame[HEADER + 12..HEADER + 20].copy_from_slice(&[192, 0, 2, 1, 192, 0, 2, 2]);
        frame[HEADER + 20] = 8;
        Icmpv4Packet::new_unchecked(&mut frame[HEADER + 20..]).fill_checksum();

        let answer = answer(frame).unwrap();

        let packet = Ipv4Packet::new_checked(&answer[HEADER..]).unwrap();
        assert!(packet.verify_checksum());
        assert_eq!(packet.dst_addr(), Ipv4Addr::new(192, 0, 2, 1));
        let message = Icmpv4Packet::new_checked(packet.payload()).unwrap();
        assert!(message.verify_checksum());
        assert_eq!(message.msg_type(), smoltcp::wire::Icmpv4Message::EchoReply);
    }
}
