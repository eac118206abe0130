//! The reference network: `lan host 192.0.2.1 - 192.0.2.254 router 203.0.113.254 - 203.0.113.1 wan host`.
//!
//! The router's configuration takes the way of every other: from TOML through the provisioning tool to a blob, and from
//! the blob to what the box understands.

use core::net::Ipv4Addr;
use core::time::Duration;

use config::Config;
use router::{Link as Port, Side};
use smoltcp::wire::{EthernetAddress, Ipv4Cidr};

use crate::chance::Stream;
use crate::host::{Host, HostSetup};
use crate::link::{Faults, Link, Quality};
use crate::node::{HostId, Jack, RouterId};
use crate::routing::{RouterSetup, Tables};
use crate::world::World;

/// The host inside.
pub const LAN_HOST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The host outside, which is the router's gateway too.
pub const WAN_HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

const SOURCE: &str = include_str!("../../image/provision/examples/reference.toml");

/// One way, each: a switch in the next room, and a provider some hundred kilometres away.
const LAN_DELAY: Duration = Duration::from_micros(150);
const WAN_DELAY: Duration = Duration::from_micros(2_350);

const MTU: u16 = 1500;

/// The first port that a host takes for connections of its own (RFC 6335 s.6).
const FIRST_DYNAMIC_PORT: u16 = 49_152;

/// The network, with its links up, and whatever happens on it still to come.
pub struct ReferenceNetwork<'t> {
    /// Everything.
    pub world: World<'t>,
    /// The host inside.
    pub lan: HostId,
    /// The host outside.
    pub wan: HostId,
    /// The box between them. Taps `lan` and `wan` watch its jacks.
    pub router: RouterId,
    stream: Stream,
}

impl<'t> ReferenceNetwork<'t> {
    /// A network in which all that looks random follows from `seed`. The box works by `config`, in `tables` that nobody
    /// has used before.
    pub fn new(tables: &'t mut Tables, config: &Config, seed: u64) -> Self {
        let (lan_port, wan_port) = (config.lan().address(), config.wan().address());
        let ports = [lan_port, wan_port].map(|own| Port { hardware: hardware(own.address()).0, mtu: MTU });
        let setup = RouterSetup { config: config.clone(), ports, clock: Duration::ZERO };

        let mut world = World::new(seed);
        let router = world.add_router("box", vec![tables], &setup);
        world.tap(router.jack(Side::Lan), "lan");
        world.tap(router.jack(Side::Wan), "wan");
        world.check([(router, "box")]);
        let mut host = |name, address, prefix_len, gateway| {
            let address = Ipv4Cidr::new(address, prefix_len);
            let (hardware, seed) = (hardware(address.address()), world.stream(name).word());
            world.add_host(Host::new(&HostSetup {
                hardware,
                address,
                gateway,
                mtu: MTU,
                user_timeout: None,
                seed,
            }))
        };
        let lan = host("host lan", LAN_HOST, lan_port.prefix_len(), Some(lan_port.address()));
        let wan = host("host wan", WAN_HOST, wan_port.prefix_len(), None);
        world.add_link(cable("lan", [lan.jack(), router.jack(Side::Lan)], LAN_DELAY));
        world.add_link(cable("wan", [wan.jack(), router.jack(Side::Wan)], WAN_DELAY));
        let stream = world.stream("ports");
        Self { world, lan, wan, router, stream }
    }

    /// A port for a host's next connection, 49152 to 65535.
    pub fn dynamic_port(&mut self) -> u16 {
        self.stream.word() as u16 | FIRST_DYNAMIC_PORT
    }
}

/// The reference network's configuration, out of its blob.
///
/// # Panics
/// If the example that it is made from no longer compiles.
pub fn reference_config() -> Config {
    let compiled = provision::compile(SOURCE, "reference.toml").expect("the example is valid");
    Config::decode(&provision::blob(&compiled)).expect("the box understands what the tool writes")
}

fn cable(name: &str, ends: [Jack; 2], delay: Duration) -> Link {
    let quality = Quality { delay, ..Quality::default() };
    Link { name: name.to_owned(), ends, quality, faults: Faults::default() }
}

/// An Ethernet address to go with an IPv4 address: locally administered, and easy to recognise.
pub fn hardware(address: Ipv4Addr) -> EthernetAddress {
    let [a, b, c, d] = address.octets();
    EthernetAddress([2, 0, a, b, c, d])
}
