//! A foreign NAT: somebody else's box, with whichever of RFC 4787's behaviours a test wants it to have.
//!
//! It is a peer for hole punching and double NAT, not a model of ours: vectors and maps, checksums computed anew, no TCP
//! states, no fragments but those that need no port. It may behave as badly as boxes do: let what comes in refresh a
//! mapping, keep ports where it can and overload them where it cannot, forget after seconds.
//!
//! Words: a *binding* is what it remembers of an internal endpoint and, as far as its mapping behaviour looks, of the
//! remote one: the external port, and whom that has talked to.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use napt::Dependence;
use router::Side;
use smoltcp::wire::{EthernetAddress, Ipv4Cidr};

use crate::chance::Stream;
use crate::ether::{Ether, HEADER};
use crate::node::{Departure, PacketId};
use crate::time::Time;
use crate::wire::{self, End, Flow};

/// How many bindings it has room for; beyond that it forgets the oldest.
const BINDINGS: usize = 4096;

/// What a foreign NAT has to be told before it starts.
#[derive(Clone, Debug)]
pub struct NatSetup {
    /// Its Ethernet addresses, lan first.
    pub hardware: [EthernetAddress; 2],
    /// Its own address inside, and the prefix there.
    pub lan: Ipv4Cidr,
    /// Its own address outside, and the prefix there.
    pub wan: Ipv4Cidr,
    /// Who reaches the rest of the world.
    pub gateway: Option<Ipv4Addr>,
    /// What it does.
    pub behaviour: NatBehaviour,
}

/// What a foreign NAT does (RFC 4787).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NatBehaviour {
    /// Section 4.1.
    pub mapping: Dependence,
    /// Section 5.
    pub filtering: Dependence,
    /// Section 4.3: which way a packet goes that keeps a binding alive.
    pub refresh: Refresh,
    /// Section 4.2: which external port a binding gets.
    pub ports: PortChoice,
    /// Section 6: whether hosts inside reach each other by their external endpoints.
    pub hairpin: bool,
    /// How long a binding of UDP lives unused.
    pub udp: Duration,
    /// Of TCP.
    pub tcp: Duration,
    /// Of pings.
    pub icmp: Duration,
}

/// Which packets keep a binding alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Those that go out (REQ-6).
    Outbound,
    /// Those that come in.
    Inbound,
    /// Both.
    Both,
}

/// Which external port a binding gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// The internal one where it is free.
    Preserve,
    /// One after the other.
    Sequential,
    /// Any.
    Random,
}

impl Default for NatBehaviour {
    /// What the RFC recommends.
    fn default() -> Self {
        Self {
            mapping: Dependence::Endpoint,
            filtering: Dependence::Address,
            refresh: Refresh::Outbound,
            ports: PortChoice::Preserve,
            hairpin: true,
            udp: Duration::from_secs(300),
            tcp: Duration::from_secs(7440),
            icmp: Duration::from_secs(60),
        }
    }
}

/// A foreign NAT.
#[derive(Debug)]
pub struct Nat {
    lan: Ether,
    wan: Ether,
    external: Ipv4Addr,
    own: Ipv4Addr,
    behaviour: NatBehaviour,
    bindings: Vec<Binding>,
    next_port: u16,
    stream: Stream,
}

#[derive(Clone, Debug)]
struct Binding {
    protocol: u8,
    internal: End,
    /// As much of the remote end as the mapping behaviour looks at.
    scope: End,
    external: u16,
    last: Time,
    /// Whom it has sent to.
    spoken_to: BTreeSet<End>,
}

impl Nat {
    /// A NAT that has seen nothing yet.
    pub(crate) fn new(setup: &NatSetup, stream: Stream) -> Self {
        let NatSetup { hardware: [lan_card, wan_card], lan, wan, gateway, behaviour } = *setup;
        Self {
            lan: Ether::new(Side::Lan as usize, lan_card, lan, &[], None),
            wan: Ether::new(Side::Wan as usize, wan_card, wan, &[], gateway),
            external: wan.address(),
            own: lan.address(),
            behaviour,
            bindings: Vec::new(),
            next_port: 1024,
            stream,
        }
    }

    /// How many bindings it remembers.
    pub fn bindings(&self) -> usize {
        self.bindings.len()
    }

    pub(crate) fn receive(
        &mut self,
        now: Time,
        index: usize,
        packet: PacketId,
        frame: Vec<u8>,
        out: &mut Vec<Departure>,
    ) {
        let from = Side::ALL[index];
        let card = if from == Side::Lan { &mut self.lan } else { &mut self.wan };
        let Some(mut frame) = card.receive(now, frame, out) else { return };
        self.forget(now);
        let Some(to) = self.translate(now, from, &mut frame[HEADER..]) else { return };
        let card = if to == Side::Lan { &mut self.lan } else { &mut self.wan };
        card.send(now, Some(packet), frame, out);
    }

    /// Translates a packet in place. Returns where it goes on, if it does.
    fn translate(&mut self, now: Time, from: Side, bytes: &mut [u8]) -> Option<Side> {
        let flow = wire::flow(bytes)?;
        if !wire::count_hop(bytes) || flow.to.0 == self.own {
            return None;
        }
        if let Some(quoted) = flow.quoted {
            return self.translate_error(from, &flow, quoted, bytes);
        }
        match from {
            Side::Lan if flow.to.0 == self.external && self.behaviour.hairpin => {
                let source = (self.external, self.outbound(now, &flow)?);
                let internal = self.inbound(now, flow.protocol, source, flow.to)?;
                wire::rewrite(bytes, source, internal);
                Some(Side::Lan)
            }
            Side::Lan if flow.to.0 == self.external => None,
            Side::Lan => {
                let source = (self.external, self.outbound(now, &flow)?);
                wire::rewrite(bytes, source, flow.to);
                Some(Side::Wan)
            }
            Side::Wan if flow.to.0 == self.external => {
                let internal = self.inbound(now, flow.protocol, flow.from, flow.to)?;
                wire::rewrite(bytes, flow.from, internal);
                Some(Side::Lan)
            }
            Side::Wan => None,
        }
    }

    /// An error goes to whoever sent the packet that it quotes, and quotes it as that one sent it.
    fn translate_error(
        &self,
        from: Side,
        flow: &Flow,
        quoted: (u8, End, End),
        bytes: &mut [u8],
    ) -> Option<Side> {
        let (protocol, sender, receiver) = quoted;
        match from {
            Side::Wan => {
                let binding =
                    self.bindings.iter().find(|it| (it.protocol, it.external) == (protocol, sender.1))?;
                wire::rewrite_error(bytes, (flow.from.0, binding.internal.0), (binding.internal, receiver));
                Some(Side::Lan)
            }
            Side::Lan => {
                let binding =
                    self.bindings.iter().find(|it| (it.protocol, it.internal) == (protocol, receiver))?;
                let external = (self.external, binding.external);
                wire::rewrite_error(bytes, (self.external, flow.to.0), (sender, external));
                Some(Side::Wan)
            }
        }
    }

    /// The external port of a packet from inside, whose binding is made if there is none.
    fn outbound(&mut self, now: Time, flow: &Flow) -> Option<u16> {
        let key = (flow.protocol, flow.from, scope(self.behaviour.mapping, flow.to));
        let known = self.bindings.iter().position(|it| (it.protocol, it.internal, it.scope) == key);
        let at = match known {
            Some(at) => at,
            None => self.bind(now, flow, key.2)?,
        };
        let refreshes = self.behaviour.refresh != Refresh::Inbound;
        let binding = &mut self.bindings[at];
        if refreshes {
            binding.last = now;
        }
        binding.spoken_to.insert(flow.to);
        Some(binding.external)
    }

    fn bind(&mut self, now: Time, flow: &Flow, scope: End) -> Option<usize> {
        let external = self.choose(flow)?;
        if self.bindings.len() == BINDINGS {
            self.bindings.remove(0);
        }
        let (protocol, internal) = (flow.protocol, flow.from);
        self.bindings.push(Binding {
            protocol,
            internal,
            scope,
            external,
            last: now,
            spoken_to: BTreeSet::new(),
        });
        Some(self.bindings.len() - 1)
    }

    /// A port that no other binding of the protocol has, if there is one.
    fn choose(&mut self, flow: &Flow) -> Option<u16> {
        let taken = |port| self.bindings.iter().any(|it| (it.protocol, it.external) == (flow.protocol, port));
        if self.behaviour.ports == PortChoice::Preserve && !taken(flow.from.1) {
            return Some(flow.from.1);
        }
        for _ in 0..u16::MAX {
            let port = match self.behaviour.ports {
                PortChoice::Random => 1024 + self.stream.below(64_512) as u16,
                PortChoice::Preserve | PortChoice::Sequential => self.next_port,
            };
            self.next_port = self.next_port.checked_add(1).unwrap_or(1024);
            if !self.bindings.iter().any(|it| (it.protocol, it.external) == (flow.protocol, port)) {
                return Some(port);
            }
        }
        None
    }

    /// The internal end that a packet from outside is for, if the filter lets it in.
    fn inbound(&mut self, now: Time, protocol: u8, remote: End, to: End) -> Option<End> {
        let NatBehaviour { filtering, refresh, .. } = self.behaviour;
        let lets_in = |it: &&mut Binding| {
            let mut known = it.spoken_to.iter().map(|spoken_to| scope(filtering, *spoken_to));
            (it.protocol, it.external) == (protocol, to.1)
                && known.any(|known| known == scope(filtering, remote))
        };
        let binding = self.bindings.iter_mut().find(lets_in)?;
        if refresh != Refresh::Outbound {
            binding.last = now;
        }
        Some(binding.internal)
    }

    fn forget(&mut self, now: Time) {
        let NatBehaviour { udp, tcp, icmp, .. } = self.behaviour;
        self.bindings.retain(|binding| {
            let idle = match binding.protocol {
                wire::UDP => udp,
                wire::TCP => tcp,
                _ => icmp,
            };
            binding.last + idle > now
        });
    }
}

/// As much of a remote end as a behaviour looks at; the rest is zero.
fn scope(looks: Dependence, (address, port): End) -> End {
    match looks {
        Dependence::Endpoint => (Ipv4Addr::UNSPECIFIED, 0),
        Dependence::Address => (address, 0),
        Dependence::AddressAndPort => (address, port),
    }
}
