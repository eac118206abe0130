//! A network, made as a scenario wants it.

use std::collections::BTreeMap;

use router::{Link as Port, Side};
use smoltcp::wire::Ipv4Cidr;

use super::{Kind, LinkPlan, Plan, Plug, Scenario, steps};
use crate::host::{Host, HostSetup};
use crate::link::Link;
use crate::nat::NatSetup;
use crate::network::hardware;
use crate::node::{HostId, Jack, LinkId, NatId, OutletId, RouterId, StationId, SwitchId};
use crate::routing::{RouterSetup, Tables, tables};
use crate::station::{Station, StationSetup};
use crate::world::World;

/// The tables of each router, in the order of the plan, one pair for each of its lives. One is left out if it is not to be
/// part of the world.
pub(super) fn memory(scenario: &Scenario, left_out: Option<&str>) -> Vec<Vec<Tables>> {
    let of = |plan: &Plan| match plan.kind {
        Kind::Router { .. } if left_out == Some(&plan.name) => None,
        Kind::Router { size, .. } => Some(tables(size, steps::reboots(&scenario.steps, &plan.name))),
        _ => None,
    };
    scenario.nodes.iter().filter_map(of).collect()
}

/// A network and the names of what is in it.
pub(super) struct Net<'t> {
    pub(super) world: World<'t>,
    pub(super) hosts: BTreeMap<String, HostId>,
    pub(super) routers: BTreeMap<String, RouterId>,
    pub(super) stations: BTreeMap<String, StationId>,
    pub(super) links: BTreeMap<String, LinkId>,
    /// What stands in the place of the router that is left out.
    pub(super) outlet: Option<(String, OutletId)>,
    switches: BTreeMap<String, SwitchId>,
    nats: BTreeMap<String, NatId>,
    ends: BTreeMap<String, [String; 2]>,
}

impl<'t> Net<'t> {
    pub(super) fn new(
        scenario: &Scenario,
        seed: u64,
        left_out: Option<&str>,
        memory: &'t mut [Vec<Tables>],
    ) -> Self {
        let mut net = Self {
            world: World::new(seed),
            hosts: BTreeMap::new(),
            routers: BTreeMap::new(),
            stations: BTreeMap::new(),
            links: BTreeMap::new(),
            outlet: None,
            switches: BTreeMap::new(),
            nats: BTreeMap::new(),
            ends: BTreeMap::new(),
        };
        let mut memory = memory.iter_mut();
        for plan in &scenario.nodes {
            if left_out == Some(&plan.name) {
                net.outlet = Some((plan.name.clone(), net.world.add_outlet()));
            } else {
                net.add(plan, &mut memory);
            }
        }
        // Taps first: what a router says when its links come up is to be seen.
        for (name, router) in &net.routers {
            for side in Side::ALL {
                net.world.tap(router.jack(side), &format!("{name}.{side}"));
            }
        }
        if let Some((name, outlet)) = &net.outlet {
            for side in Side::ALL {
                net.world.tap(outlet.jack(side), &format!("{name}.{side}"));
            }
        }
        net.world.check(net.routers.iter().map(|(name, router)| (*router, &name[..])));
        for plan in &scenario.links {
            net.link(plan);
        }
        net
    }

    fn add(&mut self, plan: &Plan, memory: &mut impl Iterator<Item = &'t mut Vec<Tables>>) {
        let name = plan.name.clone();
        match &plan.kind {
            Kind::Host { address, gateway, mtu, user_timeout } => {
                let seed = self.world.stream(&format!("host {name}")).word();
                let hardware = hardware(address.address());
                let (address, gateway, mtu, user_timeout) = (*address, *gateway, *mtu, *user_timeout);
                let setup = HostSetup { hardware, address, gateway, mtu, user_timeout, seed };
                self.hosts.insert(name, self.world.add_host(Host::new(&setup)));
            }
            Kind::Switch => {
                self.switches.insert(name, self.world.add_switch());
            }
            Kind::Router { config, clock, mtu, .. } => {
                let own = [config.lan().address().address(), config.wan().address().address()];
                let port = |side: usize| Port { hardware: hardware(own[side]).0, mtu: mtu[side] };
                let setup =
                    RouterSetup { config: (**config).clone(), ports: [port(0), port(1)], clock: *clock };
                let tables = memory.next().expect("there are tables for every router").iter_mut().collect();
                self.routers.insert(name.clone(), self.world.add_router(&name, tables, &setup));
            }
            Kind::Nat { lan, wan, gateway, behaviour } => {
                let hardware = [*lan, *wan].map(|own| hardware(own.address()));
                let setup =
                    NatSetup { hardware, lan: *lan, wan: *wan, gateway: *gateway, behaviour: *behaviour };
                self.nats.insert(name.clone(), self.world.add_nat(&name, &setup));
            }
            Kind::Station { address, more, gateway, answers } => {
                let setup = StationSetup {
                    hardware: hardware(address.address()),
                    address: *address,
                    more: more.iter().map(Ipv4Cidr::network).collect(),
                    gateway: *gateway,
                    answers: *answers,
                    keeps: false,
                };
                self.stations.insert(name, self.world.add_station(Station::new(&setup)));
            }
        }
    }

    fn link(&mut self, plan: &LinkPlan) {
        let ends = plan.ends.each_ref().map(|end| self.jack(end));
        self.ends.insert(plan.name.clone(), plan.ends.each_ref().map(|end| end.node.clone()));
        let LinkPlan { name, quality, faults, .. } = plan.clone();
        let link = self.world.add_link(Link { name: name.clone(), ends, quality, faults });
        self.links.insert(name, link);
    }

    /// The node at an end of a link.
    pub(super) fn plugged_into(&self, link: &str, end: usize) -> Option<&String> {
        self.ends.get(link)?.get(end)
    }

    fn jack(&self, plug: &Plug) -> Jack {
        let (name, side) = (&plug.node, plug.side.unwrap_or(Side::Lan));
        let host = self.hosts.get(name).map(|host| host.jack());
        let router = self.routers.get(name).map(|router| router.jack(side));
        let nat = self.nats.get(name).map(|nat| nat.jack(side));
        let station = self.stations.get(name).map(|station| station.jack());
        let switch = self.switches.get(name).map(|switch| self.world.free_jack(*switch));
        let outlet = self.outlet.as_ref().filter(|(left_out, _)| left_out == name);
        let outlet = outlet.map(|(_, outlet)| outlet.jack(side));
        host.or(outlet).or(router).or(nat).or(station).or(switch).expect("every end is a node's")
    }
}
