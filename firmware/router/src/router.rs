//! The box, and its life: frames that come, time that passes, links and configurations that change.
//!
//! [`Router::receive`] is the door. What becomes of a frame stands in `router/way.rs`: ARP goes to `resolution`; IPv4
//! through `rules` to the engine, and by its verdict onwards to the next hop, into the box's own stack (`own`), back to the
//! sender as an ICMP error (`errors`), or nowhere; fragments wait in `early`, frames that stand for many are taken apart in
//! `segments`. A frame that is sent on is rewritten where it lies; everything else that leaves the box is written into the
//! outbox.

use core::num::NonZeroU16;

use config::{Config, MAX_RULES, Name, Response};
use napt::{Engine, Instant, Random, Seed, Tables, Verdict, checksum};
use smoltcp::wire::{EthernetAddress, IpProtocol, Ipv4Packet};

use crate::alarm::{Alarm, Alarms};
use crate::arp::Say;
use crate::counters::{Counters, Refusal, Summary};
use crate::fragments::{Datagram, Early};
use crate::frames::{Hold, Outbox};
use crate::limiter::{Limiter, Rate};
use crate::local::Local;
use crate::neighbours::{Neighbours, Overdue};
use crate::port::{Disposition, Link, Offload, Side};
use crate::reassembly::Reassembly;
use crate::rules::Addresses;
use crate::ruling::Ruling;
use crate::settings::settings;
use crate::unsolicited::Unsolicited;

mod early;
mod errors;
mod own;
mod resolution;
mod segments;
mod views;
mod way;

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
    ports: [Port<'t>; 2],
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
    /// What the operator calls the filter rules, in their order.
    names: [Option<Name>; MAX_RULES],
    rarely: Rarely<'t, SESSIONS>,
}

/// What is done to few frames, behind pointers, for the reason that the engine has for its own: `gateway`, which receives
/// frames, is compiled for speed and gets no code for it; that is in `init`, which makes the router and is to be small.
struct Rarely<'t, const SESSIONS: usize> {
    /// [`Router::take_other`].
    take: Take<'t, SESSIONS>,
    /// [`Router::carry_out`].
    carry_out: CarryOut<'t, SESSIONS>,
    /// [`Router::send_on_carefully`].
    send_on: SendOn<'t, SESSIONS>,
}

type Take<'t, const SESSIONS: usize> =
    fn(&mut Router<'t, SESSIONS>, Instant, Side, &mut [u8], Offload) -> Result<Disposition, Refusal>;

type CarryOut<'t, const SESSIONS: usize> = fn(
    &mut Router<'t, SESSIONS>,
    Instant,
    Side,
    Verdict,
    Option<Datagram>,
    Option<&mut [u8]>,
    Offload,
) -> Result<Disposition, Refusal>;

type SendOn<'t, const SESSIONS: usize> = fn(
    &mut Router<'t, SESSIONS>,
    Instant,
    Side,
    Side,
    &mut [u8],
    usize,
    Offload,
) -> Result<Disposition, Refusal>;

/// What belongs to one port.
struct Port<'t> {
    link: Link,
    neighbours: Neighbours,
    local: Local<'t>,
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
            names: names(config),
            rarely: Rarely {
                take: Self::take_other,
                carry_out: Self::carry_out,
                send_on: Self::send_on_carefully,
            },
        }
    }

    /// Takes one Ethernet frame (without FCS) that `side` received.
    #[inline]
    pub fn receive(&mut self, now: Instant, side: Side, frame: &mut [u8], offload: Offload) -> Disposition {
        let counters = &mut self.port(side).counters;
        counters.received += 1;
        counters.bytes += frame.len() as u64;
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
    /// headers, and `fetch` has memory fetched, as [`Engine::look_ahead`] wants them.
    pub fn look_ahead(
        &mut self,
        side: Side,
        packets: impl Iterator<Item: AsRef<[u8]>>,
        fetch: impl Fn(*const ()),
    ) {
        self.engine.look_ahead(side.realm(), packets, fetch);
    }

    /// The next frame that the box itself wants sent, whole and with finished checksums; call until `None`.
    pub fn poll_transmit(&mut self) -> Option<(Side, &[u8])> {
        self.outbox.pop()
    }

    /// When [`Router::handle_timeout`] next has something to do, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let neighbours = self.ports.iter().filter_map(|port| port.neighbours.due());
        let waiting = self.early.due().into_iter().chain(self.reassembly.due()).chain(self.unsolicited.due());
        let waiting = waiting.chain(self.ports[Side::Lan as usize].local.due());
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
        self.poll_connections(now);
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

    /// Works by `config` from now on. Sessions that it does not touch live on (see [`Engine::reconfigure`]); a lan
    /// that is not all of the one before ends all. What waits to be sent on a side whose addresses change is lost, so that nothing
    /// leaves with an address of before.
    pub fn reconfigure(&mut self, now: Instant, config: &Config) {
        let before = self.addresses;
        self.addresses = Addresses::new(config);
        if !self.addresses.has_the_lan_of(&before) {
            self.engine.flush();
        }
        let [lan, wan] = [Side::Lan, Side::Wan].map(|side| self.port(side).link.mtu);
        self.engine.reconfigure(now, settings(config, lan, wan));
        self.names = names(config);
        self.refusals = config.nat().refusals;
        self.unsolicited_syn = config.nat().unsolicited_syn;
        self.port(Side::Lan).local.listen(lan_port(config));
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
        port.local.readdress(address, seeds[1]);
        let link = port.link;
        self.link_up(now, side, link);
    }

    /// What an operator should hear of: the session table is 80, 95 or 100 percent full, once each.
    pub fn poll_alarm(&mut self) -> Option<Alarm> {
        self.alarms.poll(self.engine.occupancy())
    }

    /// What a filter rule that is to be logged has decided, once; prints as a line.
    pub fn poll_ruling(&mut self) -> Option<Ruling<'_>> {
        let note = self.engine.poll_note()?;
        Some(Ruling { name: self.names.get(note.rule)?.as_ref()?, note })
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
    fn hardware(&self, side: Side) -> EthernetAddress {
        EthernetAddress(self.ports[side as usize].link.hardware)
    }

    #[inline]
    fn port(&mut self, side: Side) -> &mut Port<'t> {
        &mut self.ports[side as usize]
    }
}

/// Where an operator comes by TCP.
fn lan_port(config: &Config) -> Option<NonZeroU16> {
    config.control().and_then(|control| control.lan_port)
}

/// What the operator calls the filter rules.
fn names(config: &Config) -> [Option<Name>; MAX_RULES] {
    let mut names = [const { None }; MAX_RULES];
    for (place, rule) in names.iter_mut().zip(config.rules()) {
        *place = Some(rule.name.clone());
    }
    names
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
