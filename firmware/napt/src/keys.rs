//! Secrets: where a table entry lies and which port comes next, so that nobody outside can aim at either (A7, RFC 6056).
//!
//! Table positions are SipHash-1-3, with a key of its own for each kind of entry and each protocol, so that what is
//! hashed is nothing but addresses and ports. Those keys, and random numbers, are the same function of a counter, under
//! the two halves of the seed.

use core::net::Ipv4Addr;

use crate::Seed;
use crate::endpoint::{Endpoint, Protocol};
use crate::sip::Sip;

/// The keys of one engine, from its seed.
#[derive(Clone)]
pub(crate) struct Keys {
    outbound: [Sip; Protocol::COUNT],
    inbound: [Sip; Protocol::COUNT],
    peer: [Sip; Protocol::COUNT],
    internal: [Sip; Protocol::COUNT],
    external: [Sip; Protocol::COUNT],
    host: Sip,
    source: Sip,
    shuffle: Sip,
    random: Random,
}

/// Random numbers that nobody can predict who does not know the seed.
#[derive(Clone)]
pub struct Random {
    function: Sip,
    drawn: u64,
    /// Half of a draw that nobody has asked for yet.
    spare: Option<u32>,
}

impl Random {
    /// The numbers that follow from the second half of `seed`.
    pub fn new(seed: &Seed) -> Self {
        let [_, _, k0, k1] = words(seed);
        Self::keyed(k0, k1)
    }

    const fn keyed(k0: u64, k1: u64) -> Self {
        Self { function: Sip::new(k0, k1), drawn: 0, spare: None }
    }

    /// The next 32 bits.
    pub(crate) fn draw_half(&mut self) -> u32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let both = self.draw();
        self.spare = Some((both >> 32) as u32);
        both as u32
    }

    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        self.function.one(self.drawn)
    }
}

fn words(seed: &Seed) -> [u64; 4] {
    let (words, _) = seed.as_chunks::<8>();
    [0, 1, 2, 3].map(|i| words.get(i).map_or(0, |word| u64::from_le_bytes(*word)))
}

impl Keys {
    pub(crate) fn new(seed: &Seed) -> Self {
        let [k0, k1, _, _] = words(seed);
        let mut source = Random::keyed(k0, k1);
        let mut key = || Sip::new(source.draw(), source.draw());
        let mut each = || Protocol::ALL.map(|_| key());
        let [outbound, inbound, peer, internal, external] = [(); 5].map(|()| each());
        let [host, source, shuffle] = [(); 3].map(|()| key());
        Self { outbound, inbound, peer, internal, external, host, source, shuffle, random: Random::new(seed) }
    }

    /// 64 unpredictable bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.random.draw()
    }

    /// 32 unpredictable bits.
    pub(crate) fn draw_half(&mut self) -> u32 {
        self.random.draw_half()
    }

    /// Where a session lies, seen from inside.
    #[inline(always)]
    pub(crate) fn outbound(&self, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> u64 {
        let key = self.outbound[protocol as usize];
        mark(Kind::Outbound, key.two(internal.word(), remote.word()))
    }

    /// Where a session lies, seen from outside.
    #[inline(always)]
    pub(crate) fn inbound(&self, protocol: Protocol, external: u16, remote: Endpoint) -> u64 {
        let key = self.inbound[protocol as usize];
        mark(Kind::Inbound, key.one(remote.word() | u64::from(external) << 48))
    }

    /// Where the first of the sessions between a near end and a remote address lies.
    pub(crate) fn peer(&self, protocol: Protocol, near: Endpoint, remote: Ipv4Addr) -> u64 {
        let key = self.peer[protocol as usize];
        mark(Kind::Peer, key.two(near.word(), Endpoint::new(remote, 0).word()))
    }

    /// Where a mapping lies, seen from inside.
    #[inline(always)]
    pub(crate) fn internal(&self, protocol: Protocol, internal: Endpoint) -> u64 {
        mark(Kind::Internal, self.internal[protocol as usize].one(internal.word()))
    }

    /// Where a mapping lies, seen from outside.
    #[inline]
    pub(crate) fn external(&self, protocol: Protocol, external: u16) -> u64 {
        mark(Kind::External, self.external[protocol as usize].one(external.into()))
    }

    /// Where an internal host lies.
    pub(crate) fn host(&self, address: Ipv4Addr) -> u64 {
        self.host.one(Endpoint::new(address, 0).word())
    }

    /// The class of a remote source.
    pub(crate) fn source(&self, address: Ipv4Addr) -> u64 {
        self.source.one(Endpoint::new(address, 0).word())
    }

    /// A permutation of all 16-bit numbers: a Feistel network of four rounds.
    pub(crate) fn shuffle(&self, number: u16) -> u16 {
        let [mut left, mut right] = number.to_be_bytes();
        for round in 0..4 {
            (left, right) = (right, left ^ self.shuffle.one(u64::from(right) << 8 | round) as u8);
        }
        u16::from_be_bytes([left, right])
    }
}

/// The kinds of entries, two bits of them: of those in the same index, no two have the same.
#[derive(Clone, Copy)]
enum Kind {
    Outbound = 0,
    Inbound = 1,
    Peer = 2,
    Internal = 3,
    External = 4,
}

/// Writes a kind into a hash. An index keeps these bits in its tags, so that no two entries of one record are equal.
#[inline(always)]
const fn mark(kind: Kind, hash: u64) -> u64 {
    hash >> 2 | (kind as u64) << 62
}

/// The external end: its address is always ours and need not be in a key.
pub(crate) const fn at(external: u16) -> Endpoint {
    Endpoint::new(Ipv4Addr::UNSPECIFIED, external)
}
