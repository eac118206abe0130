#![forbid(unsafe_code)]
//! The simulated network: the firmware's own router among hosts that do not exist, in time that does not pass.
//!
//! Nothing here reads a clock or a random device, but for `live`, which is about clocks. Virtual time jumps to the next event, whatever looks random follows
//! from one seed, and so the same seed gives the same frames in the same microseconds, on any machine.
//!
//! Words: a *node* is anything with network cards, a host, a router, a switch; a *jack* is a place on a node where a link ends; a *tap* watches a jack, as
//! tcpdump watches an interface, and what it has seen is a *sighting*.
//!
//! | room | what it owns |
//! |---|---|
//! | `world`, `agenda` | nodes, links and what happens next |
//! | `time`, `chance`, `seed` | virtual time; what looks random, and follows from the seed |
//! | `node`, `link` | the words for nodes and frames; what a link does to what it carries |
//! | `host` | a host: a whole TCP/IP stack (smoltcp), and what a user does on it |
//! | `routing` | the firmware's router as a node |
//! | `nat` | somebody else's NAT, as good or bad as a test wants it |
//! | `switch`, `station` | a learning switch; a source and sink of any packets |
//! | `outlet`, `live` | a place for a router that is not of this world; a world in real time, joined to one over Unix sockets |
//! | `ether`, `wire` | ARP and checksums for those who have no stack |
//! | `scenario` | networks and what is done on them, as files |
//! | `swarm` | random scenarios, and making those smaller that fail |
//! | `checkers` | what must hold of every frame that a router meets |
//! | `oracle` | a naive NAT, which judges what the engine makes of packets |
//! | `trace` | what was seen where, when |
//! | `packet` | packets made to order, and their notation |
//! | `print` | one frame as tcpdump prints it |
//! | `ladder`, `pcapng`, `json` | a run to look at: in a terminal, in Wireshark, by a machine |
//! | `specimen` | one real router by itself, to ask and to play captures to |
//! | `explain` | what a box would do with a packet, and why |
//! | `capture`, `replay` | captures as they are read, and played to a box |
//! | `speed` | how many packets a second the network carries |
//! | `household` | hosts that do a little, for days: an idle home's speed, and memory that stays as it is |
//! | `network` | the reference network |
//! | `demo`, `checks`, `report` | what is done on it, what must be seen then, and how that is shown |

mod agenda;
pub mod capture;
mod chance;
pub mod checkers;
mod checks;
pub mod demo;
mod ether;
pub mod explain;
mod host;
pub mod household;
pub mod json;
pub mod ladder;
mod link;
pub mod live;
mod nat;
mod network;
mod node;
pub mod oracle;
mod outlet;
pub mod packet;
pub mod pcapng;
pub mod print;
pub mod replay;
pub mod report;
mod routing;
pub mod scenario;
mod seed;
pub mod specimen;
pub mod speed;
mod station;
pub mod swarm;
mod switch;
mod time;
mod trace;
mod wire;
mod world;

pub use chance::{Chance, Stream};
pub use checks::{Crossing, Ends, crossings, private_on_wan};
pub use host::{Connection, Datagram, Echo, Host, HostSetup, Mailbox, Pinger};
pub use link::{Faults, Link, Loss, Quality, Sent, Tally};
pub use nat::{Nat, NatBehaviour, NatSetup, PortChoice, Refresh};
pub use network::{LAN_HOST, ReferenceNetwork, WAN_HOST, hardware, reference_config};
pub use node::{HostId, Jack, LinkId, NatId, NodeId, PacketId, RouterId, StationId, SwitchId};
pub use routing::{Fate, RouterNode, RouterSetup, Size, Tables, tables};
pub use seed::Seed;
pub use station::{Load, Parcel, Station, StationSetup};
pub use time::Time;
pub use trace::{Next, Sighting, Trace, Way};
pub use world::World;
