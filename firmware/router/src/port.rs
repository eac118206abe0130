//! The box's two ports, and what a driver says of them and of a frame.

use core::fmt;
use core::num::NonZeroU16;

use napt::{Checksum, Realm};

/// One of the two ports, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The port towards the private network.
    Lan,
    /// The port towards the public network.
    Wan,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Lan, Self::Wan];

    /// The engine's word for it: this is the one place where roles meet realms.
    pub const fn realm(self) -> Realm {
        match self {
            Self::Lan => Realm::Internal,
            Self::Wan => Realm::External,
        }
    }

    /// The port on a realm's side.
    pub const fn of(realm: Realm) -> Self {
        match realm {
            Realm::Internal => Self::Lan,
            Realm::External => Self::Wan,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
        })
    }
}

/// What the driver knows of a frame besides its bytes (on Linux: the virtio-net header).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// Whether the TCP or UDP checksum is finished.
    pub checksum: Checksum,
    /// For a frame that stands for many (GSO): the payload bytes of each TCP segment or UDP datagram.
    pub segment: Option<NonZeroU16>,
}

/// What the driver knows of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The port's Ethernet address.
    pub hardware: [u8; 6],
    /// The largest IPv4 packet the port carries, in bytes.
    pub mtu: u16,
}

/// What has become of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a frame to send is lost if nobody sends it"]
pub enum Disposition {
    /// The frame was rewritten in place, Ethernet header included: send it out of this port, its offload unchanged.
    Send(Side),
    /// The same for a frame that stands for many TCP segments, but in smaller ones, because the next link carries no
    /// larger: [`crate::Router::poll_smaller`] tells where to, and how large.
    SendSmaller,
    /// The router has taken, answered or dropped it.
    Done,
}
