//! The reference network: `lan host 192.0.2.1 - 192.0.2.254 router 203.0.113.254 - 203.0.113.1 wan host`.
//!
//! The router's configuration takes the way of every other: from TOML through the provisioning tool to a blob, and from
//! the blob to what the box understands.

use core::net::Ipv4Addr;
use core::time::Duration;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng as _, SeedableRng as _};
use config::Config;
use router::{Link as Port, Side};
use smoltcp::wire::{EthernetAddress, Ipv4Cidr};

use crate::host::{Host, HostSetup};
use crate::link::Link;
use crate::node::{HostId, RouterId};
use crate::routing::{RouterNode, Tables};
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
    random: ChaCha8Rng,
}

impl<'t> ReferenceNetwork<'t> {
    /// A network in which all that looks random follows from `seed`. The box works by `config`, in `tables` that nobody
    /// has used before.
    pub fn new(tables: &'t mut Tables, config: &Config, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut secret = napt::Seed::default();
        random.fill_bytes(&mut secret);
        let (lan_port, wan_port) = (config.lan().address(), config.wan().address());
        let ports = [lan_port, wan_port].map(|own| Port { hardware: hardware(own.address()).0, mtu: MTU });

        let mut world = World::default();
        let router = world.add_router(RouterNode::new(tables, config, ports, &secret));
        let mut host = |address, prefix_len, gateway| {
            let address = Ipv4Cidr::new(address, prefix_len);
            let (hardware, seed) = (hardware(address.address()), random.next_u64());
            world.add_host(Host::new(&HostSetup { hardware, address, gateway, seed }))
        };
        let lan = host(LAN_HOST, lan_port.prefix_len(), Some(lan_port.address()));
        let wan = host(WAN_HOST, wan_port.prefix_len(), None);
        world.add_link(Link { ends: [lan.jack(), router.jack(Side::Lan)], delay: LAN_DELAY });
        world.add_link(Link { ends: [wan.jack(), router.jack(Side::Wan)], delay: WAN_DELAY });
        world.tap(router.jack(Side::Lan), "lan");
        world.tap(router.jack(Side::Wan), "wan");
        for (side, port) in Side::ALL.into_iter().zip(ports) {
            world.link_up(router, side, port);
        }
        Self { world, lan, wan, router, random }
    }

    /// A port for a host's next connection, 49152 to 65535.
    pub fn dynamic_port(&mut self) -> u16 {
        self.random.next_u32() as u16 | FIRST_DYNAMIC_PORT
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

/// An Ethernet address to go with an IPv4 address: locally administered, and easy to recognise.
pub fn hardware(address: Ipv4Addr) -> EthernetAddress {
    let [a, b, c, d] = address.octets();
    EthernetAddress([2, 0, a, b, c, d])
}
