//! The pool of external ports of one protocol, and choosing from it (RFC 6056, RFC 4787 s.4.2).
//!
//! Ports are chosen at random, because a port that can be guessed invites off-path attackers; within the class and the
//! parity of the internal port, because some applications rely on them (REQ-3a, REQ-4). A port that is drawn and taken
//! leads to the next free one in its word of 64. Where four words have none, two summaries find one that has, so that the
//! last free port costs no more than a few hundred instructions and an exhausted pool even less.

use crate::PortRange;
use crate::keys::THIRD;

const WORDS: usize = 1024;
const SUMMARIES: usize = WORDS / 64;
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;
const DRAWS: usize = 4;

/// The words that hold a class of ports. Classes begin and end with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    first: usize,
    last: usize,
}

impl Class {
    /// Ports below 1024.
    pub(crate) const SYSTEM: Self = Self { first: 0, last: 15 };
    /// Ports from 1024 on.
    pub(crate) const USER: Self = Self { first: 16, last: WORDS - 1 };
    /// All of them: query identifiers know no classes.
    pub(crate) const ANY: Self = Self { first: 0, last: WORDS - 1 };

    /// The class of a port (RFC 4787 REQ-3a).
    pub(crate) const fn of(port: u16) -> Self {
        if port < 1024 { Self::SYSTEM } else { Self::USER }
    }

    /// Whether `port` is of this class.
    pub(crate) const fn contains(self, port: u16) -> bool {
        let word = port as usize / 64;
        self.first <= word && word <= self.last
    }

    const fn first_port(self) -> u16 {
        self.first as u16 * 64
    }

    const fn last_port(self) -> u16 {
        self.last as u16 * 64 + 63
    }
}

/// Which ports suit an internal port's parity (RFC 4787 REQ-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parity {
    Even,
    Odd,
}

impl Parity {
    pub(crate) const fn of(port: u16) -> Self {
        if port.is_multiple_of(2) { Self::Even } else { Self::Odd }
    }

    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }

    const fn bits(self) -> u64 {
        match self {
            Self::Even => EVEN_BITS,
            Self::Odd => !EVEN_BITS,
        }
    }
}

/// One bit a port, set while the port is free.
pub(crate) struct Ports {
    free: [u64; WORDS],
    /// One bit a word, set while the word has a free even, or odd, port.
    even: [u64; SUMMARIES],
    odd: [u64; SUMMARIES],
}

impl Ports {
    /// A pool without a port: all zero.
    pub(crate) const fn new() -> Self {
        Self { free: [0; WORDS], even: [0; SUMMARIES], odd: [0; SUMMARIES] }
    }

    /// Takes every port out of the pool.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    pub(crate) fn is_free(&self, port: u16) -> bool {
        self.free[usize::from(port / 64)] & bit(port) != 0
    }

    /// Puts a port into the pool.
    pub(crate) fn release(&mut self, port: u16) {
        self.free[usize::from(port / 64)] |= bit(port);
        self.summarise(usize::from(port / 64));
    }

    /// Takes a port out of the pool; nothing if it is not there.
    pub(crate) fn take(&mut self, port: u16) {
        let word = usize::from(port / 64);
        self.free[word] &= !bit(port);
        let of_parity = Parity::of(port).bits();
        if self.free[word] & of_parity == 0 {
            self.summarise(word);
        }
    }

    /// A free port of `class` and `parity`, if there is one, of a pool that has none beyond `range`; `draw` gives random
    /// bits. The port stays in the pool.
    #[inline(always)]
    pub(crate) fn choose(
        &self,
        class: Class,
        range: PortRange,
        parity: Parity,
        mut draw: impl FnMut() -> u32,
    ) -> Option<u16> {
        let (first, last) = (range.first().max(class.first_port()), range.last().min(class.last_port()));
        let count = u64::from(last.checked_sub(first)?) + 1;
        for _ in 0..DRAWS {
            let port = (first + below(count, draw()) as u16) & !1 | parity as u16;
            if let Some(port) = self.next_in(usize::from(port / 64), parity, u32::from(port) % 64) {
                return Some(port);
            }
        }
        self.search(class, parity, draw())
    }

    /// The first suitable port of a word from a bit on and around, if there is one (RFC 6056 s.3.3.1).
    #[inline(always)]
    fn next_in(&self, word: usize, parity: Parity, from: u32) -> Option<u16> {
        let suitable = self.free[word % WORDS] & parity.bits();
        let bit = (suitable.rotate_right(from).trailing_zeros() + from) % 64;
        (suitable != 0).then_some((word as u32 * 64 + bit) as u16)
    }

    /// The first word with a suitable port, from a random one on and around; a random port in it.
    #[cold]
    fn search(&self, class: Class, parity: Parity, random: u32) -> Option<u16> {
        let words = (class.last - class.first + 1) as u64;
        let start = class.first + below(words, random) as usize;
        let word = self
            .word_with(parity, start, class.last)
            .or_else(|| self.word_with(parity, class.first, start))?;
        self.next_in(word, parity, random % 64)
    }

    /// The first word from `from` to `to` that has a free port of `parity`.
    fn word_with(&self, parity: Parity, from: usize, to: usize) -> Option<usize> {
        let summary = match parity {
            Parity::Even => &self.even,
            Parity::Odd => &self.odd,
        };
        let mut ahead = !0 << (from % 64);
        for block in from / 64..=to / 64 {
            let found = summary[block % SUMMARIES] & ahead;
            if found != 0 {
                let word = block * 64 + found.trailing_zeros() as usize;
                return (word <= to).then_some(word);
            }
            ahead = !0;
        }
        None
    }

    fn summarise(&mut self, word: usize) {
        let free = self.free[word % WORDS];
        let (block, bit) = (word / 64 % SUMMARIES, 1 << (word % 64));
        for (summary, bits) in [(&mut self.even, EVEN_BITS), (&mut self.odd, !EVEN_BITS)] {
            summary[block] = if free & bits == 0 { summary[block] & !bit } else { summary[block] | bit };
        }
    }
}

const fn bit(port: u16) -> u64 {
    1 << (port % 64)
}

/// A number below `limit`, from [`THIRD`] random bits.
const fn below(limit: u64, random: u32) -> u64 {
    (random as u64 * limit) >> THIRD
}
