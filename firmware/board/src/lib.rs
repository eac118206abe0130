#![no_std]
#![forbid(unsafe_code)]
//! What the program must know of the board it boots on: a small blob in the image, and the types it becomes once it has
//! been understood.
//!
//! This crate owns the blob's format ([`MAX_BOARD`], [`Board::decode`], [`Board::encode`]), the types that its settings are
//! held in, and every rule they have to keep. The tool that builds the image and the program in it both come through
//! [`Board::new`], so the program refuses exactly what the tool refuses.
//!
//! Words: a *draft* is a set of settings, each of them fine by itself; a *board* is a draft whose settings also fit together.
//! A *selector* says which network device of the board plays a role, lan or wan. A *module* is a file with a part of the
//! kernel that is loaded at boot.
//!
//! Invariants: a value of any public type here is valid by construction; nothing allocates; no input bytes make anything
//! here panic.
//!
//! Navigating: `blob` is the envelope, `schema` the settings on the wire, `draft` the rules across settings, `names` and
//! `selector` hold the settings, `error` everything that can be wrong.

mod blob;
mod draft;
mod error;
mod names;
mod schema;
mod selector;

pub use blob::{MAX_BOARD, SCHEMA_VERSION};
pub use draft::{Board, Draft, MAX_MODULES};
pub use error::{Error, Field, Problem};
pub use names::{BoardName, FilePath, PathPart};
pub use selector::{Mac, Selector};
