#![no_std]
#![forbid(unsafe_code)]
//! The whole box, sans-IO.

use core::fmt;
use core::num::NonZeroU16;

use config::Config;
use napt::{Checksum, Instant, Seed};

/// One of the box's two ports, by its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The port towards the private network.
    Lan,
    /// The port towards the public network.
    Wan,
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
    /// The frame was rewritten in place, Ethernet header included: send it out of this port, with its offload as it came.
    Send(Side),
    /// The router has taken, answered or dropped it.
    Done,
}

/// The router.
pub struct Router {}

impl Router {
    /// Makes a router.
    pub fn new(_config: &Config, _lan: Link, _wan: Link, _seed: &Seed) -> Self {
        Self {}
    }

    /// Takes one Ethernet frame (without FCS) that `side` received.
    pub fn receive(
        &mut self,
        _now: Instant,
        _side: Side,
        _frame: &mut [u8],
        _offload: Offload,
    ) -> Disposition {
        Disposition::Done
    }

    /// The next frame that the box itself wants sent, whole and with finished checksums; call until `None`.
    pub fn poll_transmit(&mut self) -> Option<(Side, &[u8])> {
        None
    }

    /// When `handle_timeout` next wants to be called, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at `now`: expiry, ARP retries, ageing.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Tells the router that a port's link has come up: neighbours learnt on it are forgotten, its gateway is asked for.
    pub fn link_up(&mut self, _now: Instant, _side: Side) {}

    /// The counters, as a readable summary of several lines.
    pub fn summary(&self) -> impl fmt::Display + '_ {
        "counters"
    }
}
