#![no_std]
#![forbid(unsafe_code)]
//! The NAPT engine: IPv4 packets in place, fixed memory, no I/O, no clock, no allocation.
//!
//! A packet meets one function, [`Engine::translate`], and everything it can do is visible there: it is parsed once
//! ([`packet`]), met with a [`Verdict`], and only when that is `Forward` has a byte of it been changed.
//!
//! | room | what it owns | read first |
//! |---|---|---|
//! | `engine`, `quick`, `ways` | the door; the way of nearly every packet; the ways of all: outbound, inbound, hairpin | RFC 4787, 5382 |
//! | `packet`, `transport` | views of a packet as fixed-size pieces, nothing left to check after parsing | RFC 791, 1812 s.5.2.2 |
//! | `embedded` | ICMP errors and the packet inside them | RFC 5508 s.4 |
//! | `fragments` | datagrams in pieces, in any order | RFC 791 s.3.2, 4787 REQ-14 |
//! | `rewrite`, `checksum` | changing addresses and ports, and every checksum over them | RFC 1624, 3022 s.4 |
//! | `conntrack` | opening, finding and ending sessions, in step with their mappings | RFC 4787 s.4, 6888 |
//! | `session`, `mapping`, `slots` | the two tables themselves | RFC 6146 s.3.1 |
//! | `reconfigure` | other settings, another address, while it works | – |
//! | `hosts`, `half_open` | who has how much of the tables, inside and from outside | RFC 6888 REQ-4 |
//! | `ahead` | having the next packets' sessions near before they are needed | – |
//! | `index`, `wheel`, `keys`, `sip` | how the tables find and how they expire | – |
//! | `ports` | which external ports are free, and choosing one | RFC 6056, 4787 s.4.2 |
//! | `tcp`, `streams`, `options` | TCP tracking: states as a table, windows, options | RFC 6146 s.3.5.2.2, 7857 s.2, 5961 |
//! | `forward` | configured mappings from outside to inside | – |
//! | `views` | sessions and mappings to look at | – |
//! | `settings`, `verdict`, `time`, `endpoint` | the words the door is spoken to with | – |

mod ahead;
mod checksum;
mod conntrack;
mod embedded;
mod endpoint;
mod engine;
mod errors;
mod forward;
mod fragments;
mod half_open;
mod hosts;
mod index;
mod keys;
mod mapping;
mod options;
pub mod packet;
pub mod policy;
mod ports;
mod quick;
mod reconfigure;
mod rewrite;
mod session;
mod settings;
mod sip;
mod slots;
mod streams;
mod tcp;
mod time;
mod transit;
mod transport;
mod verdict;
mod views;
mod ways;
mod wheel;

pub use ahead::BATCH;
pub use checksum::{Delta, checksum};
pub use conntrack::Tables;
pub use endpoint::{Endpoint, Protocol};
pub use engine::{Engine, Hits, Occupancy};
pub use forward::{Forward, Forwards, MAX_FORWARDS, Protocols};
pub use hosts::{HOSTS, HostUse};
pub use keys::Random;
pub use mapping::MAPPING_BYTES;
pub use options::{HeaderOption, Options};
pub use packet::{Checksum, Packet};
pub use policy::{MAX_RULES, Policy};
pub use session::{Begun, SESSION_BYTES};
pub use settings::{ByProtocol, Dependence, PortRange, Settings, Shares, Timers};
pub use tcp::State as TcpState;
pub use time::Instant;
pub use verdict::{Counters, DropReason, RejectReason, Verdict};
pub use views::{MappingPhase, MappingView, Remote, SessionView};

/// Which side of the NAT a packet came from or goes to (RFC 2663).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// The private network.
    Internal,
    /// The public network.
    External,
}

/// Entropy for hash keys and port choice: 32 bytes from the kernel, new at every start.
pub type Seed = [u8; 32];
