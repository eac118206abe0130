//! The world: nodes, the links between them, and the agenda of what happens next.
//!
//! Two kinds of thing happen: a frame arrives, or a node wakes because it asked for it. Both are on the agenda, which
//! is sorted by time and, within one microsecond, by when an entry was made. There is nothing else that could decide
//! the order, so there is nothing that could make two runs differ.

use std::collections::BTreeMap;

use router::Side;

use crate::host::Host;
use crate::link::Link;
use crate::node::{Departure, HostId, Jack, NodeId, PacketId, RouterId};
use crate::routing::RouterNode;
use crate::time::Time;
use crate::trace::{Trace, Way};

/// More events than this within one microsecond, and some node goes round in circles.
const EVENTS_AT_ONCE: u32 = 1_000_000;

/// A network and its time. Hosts and routers are named by the ids that this world gave them; those of another world
/// make it panic.
#[derive(Default)]
pub struct World<'t> {
    now: Time,
    agenda: Agenda,
    /// The time at which each node is to wake. Other entries on the agenda are out of date.
    wakes: BTreeMap<NodeId, Time>,
    hosts: Vec<Host>,
    routers: Vec<RouterNode<'t>>,
    links: Vec<Link>,
    packets: u64,
    trace: Trace,
}

#[derive(Default)]
struct Agenda {
    entries: BTreeMap<(Time, u64), Event>,
    entered: u64,
}

enum Event {
    Arrival { at: Jack, packet: PacketId, frame: Vec<u8> },
    Wake(NodeId),
}

impl<'t> World<'t> {
    /// Adds a host.
    pub fn add_host(&mut self, host: Host) -> HostId {
        self.hosts.push(host);
        HostId(self.hosts.len() - 1)
    }

    /// Adds a router, whose links are down.
    pub fn add_router(&mut self, router: RouterNode<'t>) -> RouterId {
        self.routers.push(router);
        RouterId(self.routers.len() - 1)
    }

    /// Connects two jacks.
    pub fn add_link(&mut self, link: Link) {
        self.links.push(link);
    }

    /// Watches a jack from now on.
    pub fn tap(&mut self, jack: Jack, name: &'static str) {
        self.trace.tap(jack, name);
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// A host, to look at.
    pub fn host(&self, host: HostId) -> &Host {
        &self.hosts[host.0]
    }

    /// A router, to look at.
    pub fn router(&self, router: RouterId) -> &RouterNode<'t> {
        &self.routers[router.0]
    }

    /// What the taps have seen.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Somebody does something on a host, which sends what follows from that.
    pub fn on_host<R>(&mut self, host: HostId, act: impl FnOnce(&mut Host) -> R) -> R {
        let result = act(&mut self.hosts[host.0]);
        let departures = self.hosts[host.0].handle_timeout(self.now);
        self.send(NodeId::Host(host), departures);
        result
    }

    /// A router's link comes up.
    pub fn link_up(&mut self, router: RouterId, side: Side, link: router::Link) {
        let departures = self.routers[router.0].link_up(self.now, side, link);
        self.send(NodeId::Router(router), departures);
    }

    /// Lets everything happen that happens before `end` or then.
    pub fn run_to(&mut self, end: Time) {
        self.run_until(end, |_| false);
    }

    /// Lets things happen until `done`, but nothing after `limit`. Returns whether it is done; if not, the time is
    /// `limit`.
    pub fn run_until(&mut self, limit: Time, mut done: impl FnMut(&Self) -> bool) -> bool {
        let mut at_once = 0;
        while !done(self) {
            let Some((at, event)) = self.agenda.next(limit) else {
                self.now = self.now.max(limit);
                return false;
            };
            at_once = if at == self.now { at_once + 1 } else { 0 };
            assert!(at_once < EVENTS_AT_ONCE, "time stands still at {at}");
            self.now = at;
            self.happen(event);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival { at, packet, frame } => self.arrive(at, packet, frame),
            Event::Wake(node) if self.wakes.get(&node) == Some(&self.now) => {
                self.wakes.remove(&node);
                self.wake(node);
            }
            Event::Wake(_) => (),
        }
    }

    fn arrive(&mut self, at: Jack, packet: PacketId, frame: Vec<u8>) {
        self.trace.pass(self.now, at, Way::In, packet, &frame);
        let departures = match at.node {
            NodeId::Host(host) => self.hosts[host.0].receive(self.now, frame),
            NodeId::Router(router) => self.routers[router.0].receive(self.now, at.index, packet, frame),
        };
        self.send(at.node, departures);
    }

    fn wake(&mut self, node: NodeId) {
        let departures = match node {
            NodeId::Host(host) => self.hosts[host.0].handle_timeout(self.now),
            NodeId::Router(router) => self.routers[router.0].handle_timeout(self.now),
        };
        self.send(node, departures);
    }

    /// Puts what a node sends on the links, and sees to it that the node wakes when it wants to.
    fn send(&mut self, node: NodeId, departures: Vec<Departure>) {
        for Departure { index, frame, packet } in departures {
            let from = Jack { node, index };
            let packet = packet.unwrap_or_else(|| self.new_packet());
            self.trace.pass(self.now, from, Way::Out, packet, &frame);
            let link = self.links.iter().find_map(|link| Some((link.opposite(from)?, link.delay)));
            if let Some((at, delay)) = link {
                self.agenda.enter(self.now + delay, Event::Arrival { at, packet, frame });
            }
        }
        self.plan_to_wake(node);
    }

    fn new_packet(&mut self) -> PacketId {
        self.packets += 1;
        PacketId(self.packets)
    }

    fn plan_to_wake(&mut self, node: NodeId) {
        let wanted = match node {
            NodeId::Host(host) => self.hosts[host.0].poll_timeout(self.now),
            NodeId::Router(router) => self.routers[router.0].poll_timeout(),
        };
        let Some(wanted) = wanted.map(|wanted| wanted.max(self.now)) else { return };
        if self.wakes.get(&node).is_none_or(|planned| wanted < *planned) {
            self.wakes.insert(node, wanted);
            self.agenda.enter(wanted, Event::Wake(node));
        }
    }
}

impl Agenda {
    fn enter(&mut self, at: Time, event: Event) {
        self.entered += 1;
        self.entries.insert((at, self.entered), event);
    }

    /// Takes out what comes next, if it comes by `limit`.
    fn next(&mut self, limit: Time) -> Option<(Time, Event)> {
        let first = self.entries.first_entry().filter(|entry| entry.key().0 <= limit)?;
        let (at, _) = *first.key();
        Some((at, first.remove()))
    }
}
