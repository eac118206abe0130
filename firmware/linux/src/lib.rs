#![no_std]
#![allow(unsafe_code)] // The one crate that may: see below, and the SAFETY comment of each block.
//! Linux, as the router needs it: two network ports, something to sleep on, a clock, entropy and a console;
//! and what the first program of a machine needs beside that: mounts, modules, devices, partitions, a watchdog.
//!
//! This crate is the wall between the sans-IO crates and the kernel. It alone contains `unsafe`, one wrapper a file,
//! each with a safe signature:
//!
//! | file | what it wraps |
//! |---|---|
//! | `memory.rs` | `mmap`, and the lifetime of what it returns |
//! | `ring.rs` | slots of a packet ring, owned by us or by the kernel in turn |
//! | `socket.rs` | packet sockets: address, options, statistics |
//! | `interface.rs` | the interface `ioctl`s |
//! | `signals.rs` | the signal mask and `signalfd` |
//! | `process.rs` | `exit_group` |
//! | `consoles.rs` | descriptors that are never closed |
//! | `cache.rs` | the instruction that has memory fetched |
//! | `watchdog.rs` | the watchdog's `ioctl` |
//!
//! Everything is mapped and opened at start; afterwards nothing allocates, here or in the kernel's view of us. The one
//! exception is an interface that was deleted and created again: its sockets and rings are then opened anew.
//!
//! Read `Documentation/networking/packet_mmap.rst` of the Linux tree first.

mod buttons;
mod cache;
mod channel;
pub mod clock;
pub mod console;
mod consoles;
mod devices;
mod directory;
pub mod entropy;
mod error;
mod events;
pub mod file;
mod interface;
pub mod journal;
mod links;
mod memory;
pub mod module;
pub mod mount;
pub mod partition;
mod port;
pub mod power;
pub mod process;
mod receiver;
mod ring;
mod signals;
mod socket;
mod stats;
mod transmitter;
mod vnet;
mod watchdog;

pub use cache::fetch;
pub use channel::{Broken, Listener, Stream, Wakeup};
pub use consoles::serial;
pub use devices::{Device, Devices};
pub use error::{Error, Failure, InterfaceError};
pub use events::{Events, Wake};
pub use interface::{Name, switch_on};
pub use memory::lock_memory;
pub use port::{LinkChange, Port};
pub use receiver::{Received, Receiver};
pub use signals::Signal;
pub use stats::Stats;
pub use transmitter::{Transmitter, Unsent};
pub use vnet::VnetHeader;
pub use watchdog::Watchdog;
