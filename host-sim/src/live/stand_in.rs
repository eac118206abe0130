//! The firmware's router by itself between two lines, in real time: a box for whoever has no box, and needs no privileges.

use std::time::Duration;

use config::Config;
use router::{Link as Port, Side};

use super::{Broken, LineTally, Lines, Live};
use crate::link::{Faults, Link, Quality};
use crate::network::hardware;
use crate::routing::{RouterSetup, Size, Tables, tables};
use crate::world::World;

/// The largest packets on both sides, in bytes.
const MTU: u16 = 1500;

/// How a box's stay between two lines was.
#[derive(Debug)]
pub struct Stay {
    /// Why it has ended.
    pub end: Broken,
    /// The router's counters, in lines.
    pub summary: String,
    /// What went over the lines, lan first.
    pub tallies: [LineTally; 2],
}

/// Routes between two lines until one of them breaks.
pub fn stand_in(config: &Config, seed: u64, lines: Lines) -> Stay {
    let mut memory: Vec<Tables> = tables(Size::Large, 0);
    let mut world = World::new(seed);
    let own = [config.lan().address().address(), config.wan().address().address()];
    let ports = own.map(|own| Port { hardware: hardware(own).0, mtu: MTU });
    let setup = RouterSetup { config: config.clone(), ports, clock: Duration::ZERO };
    let router = world.add_router("box", memory.iter_mut().collect(), &setup);
    let outlet = world.add_outlet();
    for side in Side::ALL {
        let (quality, faults) = (Quality::default(), Faults::default());
        world.add_link(Link {
            name: side.to_string(),
            ends: [router.jack(side), outlet.jack(side)],
            quality,
            faults,
        });
    }
    let mut live = Live::new(outlet, lines);
    let end = loop {
        // For as long as anybody wants, an hour at a time.
        let hour = world.now() + Duration::from_secs(3_600);
        if let Err(broken) = live.run_to(&mut world, hour) {
            break broken;
        }
    };
    let summary = world.router(router).summary().to_string();
    Stay { end, summary, tallies: live.tallies() }
}
