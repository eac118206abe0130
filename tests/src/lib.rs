#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::missing_panics_doc,
    reason = "what the lab cannot do, the test has failed to do"
)]
//! The lab: what the tests of the suite are made with.
//!
//! [`Packet`] makes packets and checks them with code that is not ours (etherparse); [`Lab`] has an engine on the
//! bench, [`Desk`] a whole router, [`Bench`] an engine beside its oracle. Time is virtual. Every packet that the first
//! two let through is checked for what must hold of all of them: valid checksums, a lower TTL, an untouched payload, no
//! private source outside.

mod bench;
mod desk;
pub mod fuzz;
mod lab;
pub mod netns;
mod packet;

pub use bench::Bench;
pub use desk::{Desk, Seen, arp_request, frame_for, hardware};
pub use lab::Lab;
pub use packet::{Packet, echo, echo_reply, error, raw, tcp, udp};

use std::net::{Ipv4Addr, SocketAddrV4};

/// A host of the lab, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Host(pub Ipv4Addr);

impl Host {
    /// The host's endpoint at `port`.
    pub const fn port(self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.0, port)
    }
}

/// The ports from `first` to `last`, neither of them 0.
pub fn range(first: u16, last: u16) -> napt::PortRange {
    napt::PortRange::new(first.try_into().unwrap(), last.try_into().unwrap()).unwrap()
}

/// A host inside.
pub const ALICE: Host = Host(Ipv4Addr::new(192, 0, 2, 1));
/// Another host inside.
pub const DAVE: Host = Host(Ipv4Addr::new(192, 0, 2, 2));
/// A host outside, on the wan link; also the gateway.
pub const BOB: Host = Host(Ipv4Addr::new(203, 0, 113, 1));
/// A host outside, behind the gateway.
pub const CAROL: Host = Host(Ipv4Addr::new(198, 51, 100, 7));
/// The box, seen from outside.
pub const OUTSIDE: Host = Host(Ipv4Addr::new(203, 0, 113, 254));
/// The box, seen from inside.
pub const INSIDE: Host = Host(Ipv4Addr::new(192, 0, 2, 254));
