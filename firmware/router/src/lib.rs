#![no_std]
#![forbid(unsafe_code)]
//! The whole box, sans-IO: Ethernet frames in, Ethernet frames out; no clock, no I/O, no allocation.
//!
//! A driver calls four verbs of [`Router`]: [`receive`](Router::receive) for every frame,
//! [`poll_transmit`](Router::poll_transmit) for the frames that the box itself wants sent,
//! [`poll_timeout`](Router::poll_timeout) and [`handle_timeout`](Router::handle_timeout) for time.
//!
//! | room | what it owns | read first |
//! |---|---|---|
//! | `router` | the way of a frame through all the other rooms | RFC 1812 s.5.2 |
//! | `rules` | which packets may come in, and whom they are for | RFC 1812 s.5.3, 2827 |
//! | `options` | Record Route and Timestamp | RFC 1812 s.5.3.13 |
//! | `neighbours` | who has which Ethernet address | RFC 826, 1122 s.2.3.2 |
//! | `arp` | reading and writing ARP | RFC 826 |
//! | `icmp`, `limiter` | errors of the box's own, and how often | RFC 1812 s.4.3, 5508 s.7 |
//! | `unsolicited` | SYNs from outside that nobody had asked for | RFC 5382 REQ-4 |
//! | `echo`, `local` | answers to pings; the box's own stack | RFC 1812 s.4.3.3.6 |
//! | `connections` | the operator's, by TCP on the lan | RFC 9293 |
//! | `reassembly` | datagrams for the box that came in fragments | RFC 1122 s.3.3.2 |
//! | `frames` | frames that wait, for the driver or for a neighbour | – |
//! | `counters`, `fate` | what became of every frame, and of one | – |
//! | `recorder` | the latest frames, if somebody wants to see them | – |
//! | `port`, `settings` | words: sides, links, and the configuration in the engine's terms | – |

mod alarm;
mod arp;
mod connections;
mod counters;
mod echo;
mod fate;
mod fragments;
mod frames;
mod icmp;
mod limiter;
mod local;
mod neighbours;
mod options;
mod port;
mod reassembly;
mod recorder;
mod reset;
mod router;
mod rules;
mod ruling;
mod settings;
mod unsolicited;

pub use alarm::Alarm;
pub use connections::{CONNECTIONS, Connection, Connections};
pub use counters::{Counters, Refusal, Summary};
pub use fate::{Books, Fate};
pub use port::{Disposition, Link, Offload, Side};
pub use recorder::{Pattern, Recorded, Recorder};
pub use router::Router;
pub use ruling::Ruling;
pub use settings::settings;

/// Sessions, and mappings, that the standard build has room for.
pub const SESSIONS: usize = 65_536;

/// The standard build's tables.
pub type Tables = napt::Tables<SESSIONS>;

/// The memory of the standard build's tables, router and operator's connections, in bytes, whatever the configuration. It is rounded
/// up, because a stack that is built for a host is a little larger.
pub const MEMORY: usize =
    (size_of::<Tables>() + size_of::<Router<'static, SESSIONS>>() + size_of::<Connections<'static>>())
        .next_multiple_of(1024);
