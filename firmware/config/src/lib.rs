#![no_std]
#![forbid(unsafe_code)]
//! The box's only configuration: a small binary blob, and the types it becomes once it has been understood.
//!
//! This crate owns the blob's format ([`MAX_BLOB`], [`Config::decode`], [`Config::encode`]), the types that a
//! setting is held in, and every rule a configuration has to keep. The provisioning tool and the firmware
//! both come through [`Config::new`], so the box refuses exactly what the tool refuses.
//!
//! Words: a *draft* is a set of settings, each of them fine by itself; a *config* is a draft whose settings
//! also fit together. An *envelope* is what surrounds the settings in a blob: magic, version, length, checksum.
//!
//! Invariants: a value of any public type here is valid by construction; nothing allocates; no input bytes
//! make anything here panic.
//!
//! Read first: RFC 4787 (sections 4 and 5), 5382 (sections 4 and 5), 5508 (section 3), 6888 (section 3).
//!
//! Navigating: `blob` is the envelope, `signed` the one around it that has a signature, `schema` the settings on the wire, version by version, `draft` the rules
//! across settings, `error` everything that can be wrong; the other files hold one kind of setting each.

mod address;
mod blob;
mod control;
mod draft;
mod error;
mod forward;
mod interface;
mod name;
mod nat;
mod ports;
mod rule;
mod schema;
mod shares;
pub mod signed;
mod timers;

pub use address::InterfaceAddress;
pub use blob::{MAX_BLOB, SCHEMA_VERSION};
pub use control::{Control, ControlKey, Signer};
pub use draft::{Config, Draft, Lan, Wan};
pub use error::{Error, Field, Problem};
pub use forward::{Forward, MAX_FORWARDS, Protocols};
pub use interface::InterfaceName;
pub use name::Name;
pub use nat::{Behaviour, Behaviours, Nat, Response};
pub use ports::PortRange;
pub use rule::{Action, Addresses, Direction, MAX_RULES, Per, Rate, Rejection, Rule, RuleProtocol};
pub use shares::{Share, Shares};
pub use timers::{Bounds, Timer, Timers};
