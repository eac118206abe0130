//! IPv4 addresses that a host can have, and the address and prefix of an interface.
//!
//! Words: a *prefix* is a block of addresses with their first `prefix_len` bits in common; its *network* address
//! is the first of them, its *broadcast* address the last. A /31 has two hosts and neither of these (RFC 3021),
//! a /32 is one host alone.

use core::fmt;
use core::net::Ipv4Addr;

use crate::Problem;

/// An interface's own address with the length of its link's prefix: `192.0.2.254/24`.
///
/// The address is always one that a host can have on that link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    address: Ipv4Addr,
    prefix_len: u8,
}

impl InterfaceAddress {
    /// An interface address; `prefix_len` is 1 to 32 bits.
    ///
    /// # Errors
    /// [`Problem::PrefixLength`]; the block the address is from, if no host has an address from it; [`Problem::NetworkAddress`] or
    /// [`Problem::BroadcastAddress`] if the address is not a host of its prefix.
    pub fn new(address: Ipv4Addr, prefix_len: u8) -> Result<Self, Problem> {
        if !(1..=32).contains(&prefix_len) {
            return Err(Problem::PrefixLength);
        }
        let this = Self { address, prefix_len };
        check_host(address)?;
        this.check_neighbour(address)?;
        Ok(this)
    }

    /// The interface's own address.
    pub const fn address(self) -> Ipv4Addr {
        self.address
    }

    /// The length of the link's prefix, 1 to 32 bits.
    pub const fn prefix_len(self) -> u8 {
        self.prefix_len
    }

    /// The first address of the prefix.
    pub const fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask())
    }

    /// The prefix's broadcast address; a /31 and a /32 have none (RFC 3021, section 2.1).
    pub const fn broadcast(self) -> Option<Ipv4Addr> {
        if self.prefix_len >= 31 {
            return None;
        }
        Some(Ipv4Addr::from_bits(self.address.to_bits() | !self.mask()))
    }

    /// Whether `other` is in the prefix.
    pub const fn contains(self, other: Ipv4Addr) -> bool {
        other.to_bits() & self.mask() == self.network().to_bits()
    }

    /// Whether the two prefixes have an address in common, whichever is the larger.
    pub const fn overlaps(self, other: Self) -> bool {
        self.contains(other.network()) || other.contains(self.network())
    }

    /// Refuses an address of the prefix that no host on the link can have.
    pub(crate) fn check_neighbour(self, other: Ipv4Addr) -> Result<(), Problem> {
        let Some(broadcast) = self.broadcast() else { return Ok(()) };
        if other == broadcast {
            return Err(Problem::BroadcastAddress);
        }
        if other == self.network() {
            return Err(Problem::NetworkAddress);
        }
        Ok(())
    }

    const fn mask(self) -> u32 {
        // The length is 1 to 32, so the shift is 0 to 31.
        u32::MAX << (32 - self.prefix_len)
    }
}

impl fmt::Display for InterfaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

/// Refuses the blocks that no host has an address from (RFC 1812, section 5.3.7; RFC 3927, section 7).
pub(crate) fn check_host(address: Ipv4Addr) -> Result<(), Problem> {
    match address.octets() {
        [0, ..] => Err(Problem::ThisNetwork),
        [127, ..] => Err(Problem::Loopback),
        [169, 254, ..] => Err(Problem::LinkLocal),
        [224..=239, ..] => Err(Problem::Multicast),
        [240..=255, ..] => Err(Problem::Reserved),
        _ => Ok(()),
    }
}
