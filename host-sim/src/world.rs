//! The world: nodes, the links between them, and time, which jumps from one event on the agenda to the next.
//!
//! Frames are moved, never copied, but for taps, doubles and broadcasts. A node is found by its place, and so is the
//! link at a jack: nothing is searched for while frames are under way. What can be seen of it all is `world/look.rs`.

mod look;

use config::Config;
use router::Side;

use crate::agenda::{Agenda, Event};
use crate::chance::Stream;
use crate::checkers::{Cause, Checkers, Deed, Passage};
use crate::host::Host;
use crate::link::{Cable, Delivery, Faults, Link, Quality};
use crate::nat::{Nat, NatSetup};
use crate::node::{
    Departure, HostId, Jack, LinkId, NatId, Node, NodeId, OutletId, PacketId, RouterId, StationId, SwitchId,
};
use crate::outlet::Outlet;
use crate::routing::{RouterNode, RouterSetup, Tables};
use crate::station::Station;
use crate::switch::Switch;
use crate::time::Time;
use crate::trace::{Next, Trace, Way};

/// More events than this within one microsecond, and some node goes round in circles.
const EVENTS_AT_ONCE: u32 = 1_000_000;

/// A network and its time. Nodes and links are named by the ids that this world gave them; those of another world make
/// it panic.
pub struct World<'t> {
    seed: u64,
    now: Time,
    agenda: Agenda,
    places: Vec<Place<'t>>,
    cables: Vec<Cable>,
    /// Whether links do what they should not.
    faulty: bool,
    packets: u64,
    trace: Trace,
    /// What a node has just sent; empty between events.
    departures: Vec<Departure>,
    /// Those of each node, while they are on.
    checkers: Vec<Option<Checkers>>,
    /// The frame that is being checked, as it came.
    came: Vec<u8>,
}

/// A node and what the world knows of it.
struct Place<'t> {
    node: Node<'t>,
    /// Which end of which link is plugged into each jack.
    plugs: Vec<Option<Plug>>,
    /// The time at which it is to wake. Other entries on the agenda are out of date.
    wake: Option<Time>,
}

#[derive(Clone, Copy)]
struct Plug {
    cable: usize,
    end: usize,
}

impl<'t> World<'t> {
    /// An empty world, in which all that looks random follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: Time::ZERO,
            agenda: Agenda::default(),
            places: Vec::new(),
            cables: Vec::new(),
            faulty: true,
            packets: 0,
            trace: Trace::default(),
            departures: Vec::new(),
            checkers: Vec::new(),
            came: Vec::new(),
        }
    }

    /// The numbers that whoever has this name draws in this world.
    pub fn stream(&self, name: &str) -> Stream {
        Stream::new(self.seed, name)
    }

    /// Adds a host.
    pub fn add_host(&mut self, host: Host) -> HostId {
        HostId(self.add(Node::Host(Box::new(host))))
    }

    /// Adds a router, whose links are down until something is plugged in. It works in the first of these tables, which
    /// nobody has used before, and in the next after each reboot.
    pub fn add_router(&mut self, name: &str, tables: Vec<&'t mut Tables>, setup: &RouterSetup) -> RouterId {
        let router = RouterNode::new(tables, setup, self.stream(&format!("router {name}")));
        RouterId(self.add(Node::Router(Box::new(router))))
    }

    /// Adds a switch.
    pub fn add_switch(&mut self) -> SwitchId {
        SwitchId(self.add(Node::Switch(Switch::default())))
    }

    /// Adds a switch that asks for an address only where it is.
    pub(crate) fn add_quiet_switch(&mut self) -> SwitchId {
        SwitchId(self.add(Node::Switch(Switch::quiet())))
    }

    /// Adds a foreign NAT.
    pub fn add_nat(&mut self, name: &str, setup: &NatSetup) -> NatId {
        let nat = Nat::new(setup, self.stream(&format!("nat {name}")));
        NatId(self.add(Node::Nat(Box::new(nat))))
    }

    /// Adds a station.
    pub fn add_station(&mut self, station: Station) -> StationId {
        StationId(self.add(Node::Station(Box::new(station))))
    }

    /// Adds an outlet, in the place of a router.
    pub(crate) fn add_outlet(&mut self) -> OutletId {
        OutletId(self.add(Node::Outlet(Outlet::default())))
    }

    /// A jack of a switch that nothing is plugged into.
    pub fn free_jack(&self, switch: SwitchId) -> Jack {
        let Node::Switch(node) = &self.places[switch.0.0].node else { return switch.jack(0) };
        switch.jack(node.free_jack())
    }

    /// Connects two jacks. A router at either of them learns that its link is up.
    ///
    /// # Panics
    /// If something is plugged in there already.
    pub fn add_link(&mut self, link: Link) -> LinkId {
        let (id, ends) = (self.cables.len(), link.ends);
        self.cables.push(Cable::new(link, self.seed));
        for (end, jack) in ends.into_iter().enumerate() {
            let place = &mut self.places[jack.node.0];
            if let Node::Switch(switch) = &mut place.node {
                switch.plug(jack.index);
            }
            if place.plugs.len() <= jack.index {
                place.plugs.resize_with(jack.index + 1, || None);
            }
            let before = place.plugs[jack.index].replace(Plug { cable: id, end });
            assert!(before.is_none(), "something is plugged into {jack:?} already");
        }
        ends.into_iter().for_each(|jack| self.bring_up(jack));
        LinkId(id)
    }

    /// Watches a jack from now on, under a name.
    pub fn tap(&mut self, jack: Jack, name: &str) {
        if let Node::Router(router) = &mut self.places[jack.node.0].node {
            router.watch();
        }
        self.trace.tap(jack, name);
    }

    /// Has everything checked that the routers do from now on; see [`checkers`](crate::checkers). They are to be told
    /// apart by these names.
    pub fn check<'n>(&mut self, routers: impl IntoIterator<Item = (RouterId, &'n str)>) {
        self.checkers.resize_with(self.places.len(), || None);
        for (router, name) in routers {
            if let Node::Router(node) = &mut self.places[router.0.0].node {
                node.watch();
            }
            self.checkers[router.0.0] = Some(Checkers::new(name));
        }
    }

    /// Keeps what is sent into a link from now on.
    pub fn record(&mut self, link: LinkId) {
        self.cables[link.0].record.get_or_insert_default();
    }

    /// What the taps have seen.
    pub fn trace(&mut self) -> &mut Trace {
        &mut self.trace
    }

    /// Somebody does something on a host, which sends what follows from that.
    pub fn on_host<R>(&mut self, host: HostId, act: impl FnOnce(&mut Host) -> R) -> R {
        let Node::Host(node) = &mut self.places[host.0.0].node else {
            unreachable!("this world gave the id to a host")
        };
        let result = act(node);
        node.handle_timeout(self.now, &mut self.departures);
        self.send(host.0);
        result
    }

    /// Somebody asks a station to send something.
    pub fn on_station<R>(&mut self, station: StationId, act: impl FnOnce(&mut Station) -> R) -> R {
        let Node::Station(node) = &mut self.places[station.0.0].node else {
            unreachable!("this world gave the id to a station")
        };
        let result = act(node);
        node.handle_timeout(self.now, &mut self.departures);
        self.send(station.0);
        result
    }

    /// Takes out of the world what has arrived at an outlet.
    pub(crate) fn take_out(&mut self, outlet: OutletId) -> Vec<(Side, Vec<u8>)> {
        match &mut self.places[outlet.0.0].node {
            Node::Outlet(outlet) => outlet.take(),
            _ => unreachable!("this world gave the id to an outlet"),
        }
    }

    /// Puts a frame on the link at an outlet's jack, now.
    pub(crate) fn put_in(&mut self, outlet: OutletId, side: Side, frame: Vec<u8>) {
        self.depart(outlet.0, Departure::own(side as usize, frame));
    }

    /// When something happens next, if at all.
    pub(crate) fn next_event(&self) -> Option<Time> {
        self.agenda.first()
    }

    /// A router works by another configuration from now on.
    pub fn reconfigure(&mut self, router: RouterId, config: &Config) {
        let now = self.now;
        self.on_router(router, Deed::Reconfigured, |node, out| node.reconfigure(now, config, out));
    }

    /// A router loses all its state and begins again.
    ///
    /// # Panics
    /// If it has no tables left for that.
    pub fn reboot(&mut self, router: RouterId) {
        let now = self.now;
        self.on_router(router, Deed::Restarted, |node, out| node.reboot(now, out));
    }

    /// A link comes up, or goes down. What is under way arrives all the same.
    pub fn set_up(&mut self, link: LinkId, up: bool) {
        let came_up = up && !self.cables[link.0].up;
        self.cables[link.0].up = up;
        if came_up {
            self.cables[link.0].link.ends.into_iter().for_each(|jack| self.bring_up(jack));
        }
    }

    /// A link has other qualities and faults from now on.
    pub fn set_quality(&mut self, link: LinkId, quality: Quality, faults: Faults) {
        let link = &mut self.cables[link.0].link;
        (link.quality, link.faults) = (quality, faults);
    }

    /// Whether links do what they should not, from now on. They do in a new world.
    pub fn set_faulty(&mut self, faulty: bool) {
        self.faulty = faulty;
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

    fn add(&mut self, node: Node<'t>) -> NodeId {
        self.places.push(Place { node, plugs: Vec::new(), wake: None });
        NodeId(self.places.len() - 1)
    }

    fn on_router(
        &mut self,
        router: RouterId,
        deed: Deed,
        act: impl FnOnce(&mut RouterNode<'t>, &mut Vec<Departure>),
    ) {
        let Node::Router(node) = &mut self.places[router.0.0].node else {
            unreachable!("this world gave the id to a router")
        };
        act(node, &mut self.departures);
        self.inspect(router.0, Cause::Operator(deed));
        self.send(router.0);
    }

    /// Tells a router that the link at a jack of its is up.
    fn bring_up(&mut self, jack: Jack) {
        let now = self.now;
        if let Node::Router(router) = &mut self.places[jack.node.0].node {
            router.link_up(now, Side::ALL[jack.index], &mut self.departures);
            self.inspect(jack.node, Cause::LinkUp);
            self.send(jack.node);
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival { at, packet, frame } => self.arrive(at, packet, frame),
            Event::Wake(node) => {
                let place = &mut self.places[node.0];
                if place.wake == Some(self.now) {
                    place.wake = None;
                    let due = place.node.due();
                    place.node.handle_timeout(self.now, &mut self.departures);
                    self.inspect(node, Cause::Timer { due });
                    self.send(node);
                }
            }
        }
    }

    fn arrive(&mut self, at: Jack, packet: PacketId, frame: Vec<u8>) {
        let seen = self.trace.pass(self.now, at, Way::In, packet, &frame);
        let checked = self.checkers.get(at.node.0).is_some_and(Option::is_some);
        if checked {
            self.came.clear();
            self.came.extend_from_slice(&frame);
        }
        let node = &mut self.places[at.node.0].node;
        node.receive(self.now, at.index, packet, frame, &mut self.departures);
        if let Node::Router(router) = node
            && let Some(fate) = router.fate()
        {
            self.trace.note(seen, Next::Met(fate));
            if checked {
                let came = core::mem::take(&mut self.came);
                self.inspect(at.node, Cause::Frame { side: Side::ALL[at.index], before: &came, fate });
                self.came = came;
            }
        }
        self.send(at.node);
    }

    /// Shows the checkers what a router has just done, if they are on.
    fn inspect(&mut self, node: NodeId, cause: Cause<'_>) {
        if let (Some(Some(checkers)), Node::Router(router)) =
            (self.checkers.get_mut(node.0), &self.places[node.0].node)
        {
            checkers.see(&Passage { at: self.now, cause, out: &self.departures, router });
        }
    }

    /// Puts what a node has sent on the links, and sees to it that the node wakes when it wants to.
    fn send(&mut self, node: NodeId) {
        let mut departures = core::mem::take(&mut self.departures);
        for departure in departures.drain(..) {
            self.depart(node, departure);
        }
        self.departures = departures;
        self.plan_to_wake(node);
    }

    fn depart(&mut self, node: NodeId, Departure { index, frame, packet }: Departure) {
        let from = Jack { node, index };
        let packet = packet.unwrap_or_else(|| self.new_packet());
        let seen = self.trace.pass(self.now, from, Way::Out, packet, &frame);
        let Some(Plug { cable, end }) = self.places[node.0].plugs.get(index).copied().flatten() else {
            return;
        };
        let cable = &mut self.cables[cable];
        let at = cable.link.ends[1 - end];
        match cable.carry(self.now, end, frame, self.faulty) {
            Ok(Delivery { at: when, frame, copy }) => {
                self.agenda.enter(when, Event::Arrival { at, packet, frame });
                if let Some((when, frame)) = copy {
                    self.agenda.enter(when, Event::Arrival { at, packet, frame });
                }
            }
            Err(loss) => self.trace.note(seen, Next::Lost(loss)),
        }
    }

    fn new_packet(&mut self) -> PacketId {
        self.packets += 1;
        PacketId(self.packets)
    }

    fn plan_to_wake(&mut self, node: NodeId) {
        let place = &mut self.places[node.0];
        let Some(wanted) = place.node.poll_timeout(self.now) else { return };
        let wanted = wanted.max(self.now);
        if place.wake.is_none_or(|planned| wanted < planned) {
            place.wake = Some(wanted);
            self.agenda.enter(wanted, Event::Wake(node));
        }
    }
}
