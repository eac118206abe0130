//! How fast the simulated network is: packets from a source through a router to a sink.
//!
//! Nothing here looks at a clock; whoever wants to know how long it takes does.

use std::num::NonZeroU16;
use std::time::Duration;

use router::{Link as Port, Side};
use smoltcp::wire::Ipv4Cidr;

use crate::link::{Faults, Link, Quality};
use crate::network::{LAN_HOST, WAN_HOST, hardware, reference_config};
use crate::node::{Jack, RouterId, StationId};
use crate::packet;
use crate::routing::{RouterSetup, Tables};
use crate::station::{Load, Station, StationSetup};
use crate::time::Time;
use crate::world::World;

/// From one packet to the next.
const EVERY: Duration = Duration::from_micros(10);

/// How long the network takes to find itself.
const BEGINNING: Time = Time::from_secs(1);

/// A network that does nothing but carry UDP datagrams of many flows, from the lan to the wan.
pub struct Course<'t> {
    world: World<'t>,
    router: RouterId,
    sink: StationId,
    end: Time,
}

impl<'t> Course<'t> {
    /// So many `packets` of so many `flows`, which wait to be sent. The router works in tables that nobody has used
    /// before, and may have every checker watch it.
    pub fn new(tables: &'t mut Tables, flows: NonZeroU16, packets: u32, checked: bool) -> Self {
        let config = reference_config();
        let mut world = World::new(1);
        let addresses = [config.lan().address().address(), config.wan().address().address()];
        let ports = addresses.map(|own| Port { hardware: hardware(own).0, mtu: 1500 });
        let setup = RouterSetup { config, ports, clock: Duration::ZERO };
        let router = world.add_router("box", vec![tables], &setup);
        if checked {
            world.check([(router, "box")]);
        }
        let mut station = |address| {
            let (hardware, address) = (hardware(address), Ipv4Cidr::new(address, 24));
            let (more, gateway) = (Vec::new(), None);
            let setup = StationSetup { hardware, address, more, gateway, answers: false, keeps: false };
            world.add_station(Station::new(&setup))
        };
        let (source, sink) = (station(LAN_HOST), station(WAN_HOST));
        world.add_link(link("lan", [source.jack(), router.jack(Side::Lan)]));
        world.add_link(link("wan", [sink.jack(), router.jack(Side::Wan)]));
        let header = [ports[0].hardware, hardware(LAN_HOST).0].concat();
        let frame = |flow: u16| {
            let datagram = packet::udp((LAN_HOST, 1024 + flow), (WAN_HOST, 9), &[0; 18]);
            [&header[..], &[8, 0], &datagram].concat()
        };
        let frames = (0..flows.get()).map(frame).collect();
        let load = Load { frames, every: EVERY, left: u64::from(packets) };
        world.on_station(source, |station| station.load_from(BEGINNING, load));
        world.run_to(BEGINNING);
        // Whatever is under way a second later will never arrive.
        let end = BEGINNING + EVERY * packets + Duration::from_secs(1);
        Self { world, router, sink, end }
    }

    /// Sends them all. Returns how many have arrived.
    pub fn run(&mut self) -> u64 {
        self.world.run_to(self.end);
        self.world.station(self.sink).received()
    }

    /// How much the checkers have found wrong.
    pub fn violations(&self) -> usize {
        self.world.violations().len()
    }

    /// What the router says became of them.
    pub fn summary(&self) -> String {
        self.world.router(self.router).summary().to_string()
    }
}

fn link(name: &str, ends: [Jack; 2]) -> Link {
    let quality = Quality { delay: Duration::from_micros(100), ..Quality::default() };
    Link { name: name.to_owned(), ends, quality, faults: Faults::default() }
}
