#![forbid(unsafe_code)]
//! The simulated network: the firmware's own router among hosts that do not exist, in time that does not pass.
//!
//! Nothing here reads a clock or a random device. Virtual time jumps to the next event, whatever looks random follows
//! from one seed, and so the same seed gives the same frames in the same microseconds, on any machine.
//!
//! Words: a *node* is a host or a router; a *jack* is a place on a node where a link ends; a *tap* watches a jack, as
//! tcpdump watches an interface, and what it has seen is a *sighting*.
//!
//! | room | what it owns |
//! |---|---|
//! | `world` | nodes, links and the agenda: what happens next |
//! | `time`, `link`, `node` | virtual time, how frames get from jack to jack, the words of both |
//! | `host` | a host: a whole TCP/IP stack (smoltcp), and what a user does on it |
//! | `routing` | the firmware's router as a node |
//! | `trace` | what was seen where, when |
//! | `print` | one frame as tcpdump prints it |
//! | `network` | the reference network |
//! | `demo`, `checks`, `report` | what is done on it, what must be seen then, and how that is shown |

mod checks;
pub mod demo;
mod host;
mod link;
mod network;
mod node;
pub mod print;
pub mod report;
mod routing;
mod time;
mod trace;
mod world;

pub use checks::{Crossing, Ends, crossings, private_on_wan};
pub use host::{Connection, Echo, Host, HostSetup, Pinger};
pub use link::Link;
pub use network::{LAN_HOST, ReferenceNetwork, WAN_HOST, hardware, reference_config};
pub use node::{HostId, Jack, NodeId, PacketId, RouterId};
pub use routing::{RouterNode, SESSIONS, Tables};
pub use time::Time;
pub use trace::{Sighting, Trace, Way};
pub use world::World;
