#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::missing_errors_doc,
    reason = "a fuzzer's targets panic to be heard"
)]
//! What a fuzzer throws at the engine, the router, the configuration and the operator's channel, and what must hold whatever it throws.
//!
//! Each target takes any bytes and panics if an invariant is broken. The fuzzer (`tests/fuzz`) calls them with what it
//! comes up with, the suite with what it once came up with. Nothing here knows how the engine works inside, and the
//! checksums are computed once more, so that no mistake of ours is made twice.
//!
//! The file has this name, and not `fuzz.rs`, because it is also the root of a library of its own: the fuzzer's, which
//! so does without everything else that tests need.

mod bench;
mod blob;
mod channel;
mod check;
mod fragments;
mod frames;
mod icmp_error;
mod packet;
mod sequence;
mod wire;

pub use blob::blob;
pub use channel::channel;
pub use check::{Passed, check};
pub use fragments::fragments;
pub use frames::frames;
pub use icmp_error::icmp_error;
pub use packet::packet;
pub use sequence::sequence;

/// A fuzz target.
pub type Target = fn(&[u8]);

/// Each of them, by the name that its file in `tests/fuzz/fuzz_targets` has.
pub const TARGETS: [(&str, Target); 7] = [
    ("packet", packet),
    ("sequence", sequence),
    ("icmp_error", icmp_error),
    ("fragments", fragments),
    ("frames", frames),
    ("blob", blob),
    ("channel", channel),
];
