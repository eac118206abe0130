#![no_std]
#![forbid(unsafe_code)]
//! The NAPT engine.

mod time;

pub use time::Instant;

/// Which side of the NAT a packet came from (RFC 2663).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realm {
    /// The private network.
    Internal,
    /// The public network.
    External,
}

/// Whether a packet's TCP or UDP checksum field is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// The field holds what RFC 9293 and RFC 768 ask for.
    #[default]
    Complete,
    /// The sender left the sum to its hardware: the field holds the folded, uninverted sum of the pseudo-header.
    Partial,
}

/// Entropy for hash keys and port choice: 32 bytes from the kernel, new at every start.
pub type Seed = [u8; 32];
