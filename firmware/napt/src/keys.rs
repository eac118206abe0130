//! Secrets: where a table entry lies and which port comes next, so that nobody outside can aim at either (A7, RFC 6056).
//!
//! Table positions are SipHash-1-3, and random numbers SipHash-2-4 over a counter, each with a 128-bit key of its own
//! from the seed. A table's key is thirteen bytes: both addresses, both ports, and the protocol with the kind of key it is.

use core::net::Ipv4Addr;

use siphasher::sip::SipHasher24;

use crate::Seed;
use crate::endpoint::{Endpoint, Protocol};
use crate::sip::Sip;

/// The keys of one engine, from its seed.
#[derive(Clone)]
pub(crate) struct Keys {
    table: Sip,
    random: Random,
}

/// Random numbers that nobody can predict who does not know the seed.
#[derive(Clone)]
pub struct Random {
    function: SipHasher24,
    drawn: u64,
}

impl Random {
    /// The numbers that follow from the second half of `seed`.
    pub fn new(seed: &Seed) -> Self {
        let [_, _, k0, k1] = words(seed);
        Self { function: SipHasher24::new_with_keys(k0, k1), drawn: 0 }
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.function.hash(&self.drawn.to_le_bytes())
    }
}

fn words(seed: &Seed) -> [u64; 4] {
    let (words, _) = seed.as_chunks::<8>();
    [0, 1, 2, 3].map(|i| words.get(i).map_or(0, |word| u64::from_le_bytes(*word)))
}

impl Keys {
    pub(crate) fn new(seed: &Seed) -> Self {
        let [k0, k1, _, _] = words(seed);
        Self { table: Sip::new(k0, k1), random: Random::new(seed) }
    }

    /// 64 unpredictable bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.random.draw()
    }

    /// Where a session lies, seen from inside.
    #[inline]
    pub(crate) fn outbound(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> u64 {
        self.hash(Kind::Outbound, protocol, internal, remote)
    }

    /// Where a session lies, seen from outside.
    #[inline]
    pub(crate) fn inbound(&self, protocol: Protocol, external: u16, remote: Endpoint) -> u64 {
        self.hash(Kind::Inbound, protocol, at(external), remote)
    }

    /// Where the first of the sessions between a near end and a remote address lies.
    pub(crate) fn peer(&self, protocol: Protocol, near: Endpoint, remote: Ipv4Addr) -> u64 {
        self.hash(Kind::Peer, protocol, near, Endpoint::new(remote, 0))
    }

    /// Where a mapping lies, seen from inside.
    pub(crate) fn internal(&self, protocol: Protocol, internal: Endpoint) -> u64 {
        self.hash(Kind::Internal, protocol, internal, at(0))
    }

    /// Where a mapping lies, seen from outside.
    pub(crate) fn external(&self, protocol: Protocol, external: u16) -> u64 {
        self.hash(Kind::External, protocol, at(external), at(0))
    }

    /// Where an internal host lies.
    pub(crate) fn host(&self, address: Ipv4Addr) -> u64 {
        self.hash(Kind::Host, Protocol::Other, Endpoint::new(address, 0), at(0))
    }

    /// The class of a remote source.
    pub(crate) fn source(&self, address: Ipv4Addr) -> u64 {
        self.hash(Kind::Source, Protocol::Other, at(0), Endpoint::new(address, 0))
    }

    /// A permutation of all 16-bit numbers: a Feistel network of four rounds.
    pub(crate) fn shuffle(&self, number: u16) -> u16 {
        let [mut left, mut right] = number.to_be_bytes();
        for round in 0..4 {
            let key = u64::from(right) << 8 | round;
            (left, right) = (right, left ^ self.table.hash(key, (Kind::Shuffle as u64) << 4) as u8);
        }
        u16::from_be_bytes([left, right])
    }

    #[inline]
    fn hash(&self, kind: Kind, protocol: Protocol, near: Endpoint, far: Endpoint) -> u64 {
        let address = |end: Endpoint| u64::from(u32::from_le_bytes(end.address.octets()));
        let addresses = address(near) << 32 | address(far);
        let ports = u64::from(near.port) << 24 | u64::from(far.port) << 8;
        let hash = self.table.hash(addresses, ports | (kind as u64) << 4 | protocol as u64);
        hash & !KIND | (kind as u64) << KIND.trailing_zeros()
    }
}

/// Keeps keys of different kinds apart.
#[derive(Clone, Copy)]
enum Kind {
    Outbound,
    Inbound,
    Peer,
    Internal,
    External,
    Host,
    Source,
    Shuffle,
}

/// The bits of a hash that say its kind. An index keeps them in its tags, so that no two entries of one record are
/// equal: of the five kinds, no two in the same index have the same two bits.
const KIND: u64 = 3 << 62;

/// The external end: its address is always ours and need not be in a key.
pub(crate) const fn at(external: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::UNSPECIFIED, external)
}
