//! Secrets: where a table entry lies and which port comes next, so that nobody outside can aim at either (A7, RFC 6056).
//!
//! Table positions are SipHash-1-3, with a key of its own for each kind of entry and each protocol, so that what is
//! hashed is nothing but addresses and ports; those of external ports alone are a cheaper keyed hash. Those keys, and
//! random numbers, are SipHash of a counter, under the two halves of the seed.

use core::net::Ipv4Addr;

use crate::Seed;
use crate::endpoint::{Endpoint, Protocol};
use crate::sip::Sip;

/// How many bits a third of a draw has.
pub(crate) const THIRD: u32 = 21;

/// The keys of one engine, from its seed.
#[derive(Clone)]
pub(crate) struct Keys {
    outbound: [Sip; Protocol::COUNT],
    inbound: [Sip; Protocol::COUNT],
    peer: [Sip; Protocol::COUNT],
    internal: [Sip; Protocol::COUNT],
    external: Fold,
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
    /// What is left of a draw, and how many thirds of it.
    rest: u64,
    thirds: u8,
}

impl Random {
    /// The numbers that follow from the second half of `seed`.
    pub fn new(seed: &Seed) -> Self {
        let [_, _, k0, k1] = words(seed);
        Self::keyed(k0, k1)
    }

    const fn keyed(k0: u64, k1: u64) -> Self {
        Self { function: Sip::new(k0, k1), drawn: 0, rest: 0, thirds: 0 }
    }

    /// The next [`THIRD`] bits.
    #[inline(always)]
    pub(crate) fn draw_third(&mut self) -> u32 {
        if self.thirds == 0 {
            (self.rest, self.thirds) = (self.draw(), 3);
        }
        let third = self.rest as u32 % (1 << THIRD);
        (self.rest, self.thirds) = (self.rest >> THIRD, self.thirds - 1);
        third
    }

    /// The next 64 bits.
    #[inline(always)]
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
        let external = Fold::new(&mut source);
        let mut key = || Sip::new(source.draw(), source.draw());
        let mut each = || Protocol::ALL.map(|_| key());
        let [outbound, inbound, peer, internal] = [(); 4].map(|()| each());
        let [host, source, shuffle] = [(); 3].map(|()| key());
        Self { outbound, inbound, peer, internal, external, host, source, shuffle, random: Random::new(seed) }
    }

    /// 64 unpredictable bits.
    pub(crate) fn draw(&mut self) -> u64 {
        self.random.draw()
    }

    /// [`THIRD`] unpredictable bits.
    #[inline(always)]
    pub(crate) fn draw_third(&mut self) -> u32 {
        self.random.draw_third()
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
        mark(Kind::External, self.external.of(u64::from(external) | (protocol as u64) << 16))
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

/// A keyed hash that costs a tenth of SipHash and is not as strong: two products, folded. It will do for external ports,
/// which we choose ourselves, or of which at least nobody can have more than there are.
#[derive(Clone, Copy)]
struct Fold {
    mask: u64,
    factors: [u64; 2],
}

impl Fold {
    fn new(key: &mut Random) -> Self {
        Self { mask: key.draw(), factors: [key.draw() | 1, key.draw() | 1] }
    }

    #[inline(always)]
    const fn of(self, word: u64) -> u64 {
        let [first, second] = self.factors;
        let once = (word ^ self.mask).wrapping_mul(first);
        let twice = (once ^ once >> 32).wrapping_mul(second);
        twice ^ twice >> 32
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
