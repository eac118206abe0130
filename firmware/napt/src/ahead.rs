//! Looking ahead: finding the sessions of the next packets while the first of them is still far from needing its own.
//!
//! A packet of one of many sessions waits for memory three times: for its place in the index, for the other place
//! if it is not there, and for the record. Those of a batch of packets can wait together, and while some wait others are
//! hashed and searched for: who calls brings an instruction that has memory *fetched* without waiting for it, which
//! safe code does not have. Where there is none, it may do nothing; then only the searching is done ahead.
//!
//! What the index says of a packet, before anybody has looked at the record, is a *guess*. It is kept until the packet
//! comes; if the record then says that it is right, the packet needs no other search. Nothing is decided here and nothing
//! changes: a packet that was not looked ahead for, or has changed since, or whose session has, only takes longer.

use crate::Realm;
use crate::endpoint::{Endpoint, Protocol};
use crate::engine::Engine;
use crate::index::Slot;
use crate::packet::{self, HEADER, word};
use crate::transport::{TCP, UDP};

/// How many packets to look ahead for at once: so many that memory has time to come, so few that what has come is still
/// near when it is needed.
pub const BATCH: usize = 32;

/// With fewer sessions than this, all that is needed is in the nearest caches anyway.
const MANY: u32 = 4096;

/// Room for guesses: for so many more than there are at once that few lose their place to another.
const PLACES: usize = 16 * BATCH;

/// The sessions that packets to come probably belong to.
pub(crate) struct Guesses {
    slots: [Option<Slot>; PLACES],
    /// Whether anybody looks ahead.
    are_made: bool,
}

impl Guesses {
    /// None: all zero.
    pub(crate) const fn new() -> Self {
        Self { slots: [None; PLACES], are_made: false }
    }

    /// The guess for a packet from one endpoint to another.
    #[inline(always)]
    pub(crate) fn between(&self, source: Endpoint, destination: Endpoint) -> Option<Slot> {
        if !self.are_made {
            return None;
        }
        self.slots[place(source, destination)]
    }
}

/// The place of the guess for a packet. Whoever aims at another's only makes it take longer.
#[inline(always)]
const fn place(source: Endpoint, destination: Endpoint) -> usize {
    const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15; // 2^64 / 1.618…, whose multiples are far from each other.
    let mixed = (source.word() ^ destination.word().rotate_left(24)).wrapping_mul(FACTOR);
    (mixed >> 48) as usize % PLACES
}

/// A packet to come: where its session lies, and where the guess.
#[derive(Clone, Copy, Default)]
struct Coming {
    key: u64,
    place: u16,
    is_tcp: bool,
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Finds what translating `packets` from realm `from` will need, for the first [`BATCH`] of them. Their headers and
    /// ports are enough of them. With so few sessions that it would be in vain, nobody asks for a packet. `fetch` has the
    /// cache line fetched that an address lies in.
    pub fn look_ahead(
        &mut self,
        from: Realm,
        packets: impl Iterator<Item: AsRef<[u8]>>,
        fetch: impl Fn(*const ()),
    ) {
        let are_made = self.tables.sessions.live() >= MANY;
        self.tables.guesses.are_made = are_made;
        if !are_made {
            return;
        }
        let mut coming = [Coming::default(); BATCH];
        let mut count = 0;
        let plain = packets.take(BATCH).filter_map(|packet| self.coming(from, packet.as_ref()));
        let sessions = &self.tables.sessions;
        for (place, packet) in coming.iter_mut().zip(plain) {
            sessions.fetch_first(packet.key, &fetch);
            *place = packet;
            count += 1;
        }
        // Those that are not in their first bucket come to the front, and wait for the second.
        let mut left = 0;
        for n in 0..count {
            let packet = coming[n % BATCH];
            let guess = sessions.guess_first(packet.key);
            match guess {
                Some(slot) => sessions.fetch_record(slot, packet.is_tcp, &fetch),
                None => {
                    sessions.fetch_second(packet.key, &fetch);
                    coming[left % BATCH] = packet;
                    left += 1;
                }
            }
            self.tables.guesses.slots[usize::from(packet.place) % PLACES] = guess;
        }
        for packet in coming.iter().take(left) {
            let guess = sessions.guess_second(packet.key);
            guess.iter().for_each(|slot| sessions.fetch_record(*slot, packet.is_tcp, &fetch));
            self.tables.guesses.slots[usize::from(packet.place) % PLACES] = guess;
        }
    }

    /// Where the session of a packet lies, if that is plain to see.
    #[inline(always)]
    fn coming(&self, from: Realm, packet: &[u8]) -> Option<Coming> {
        let (header, payload) = packet.split_first_chunk::<HEADER>()?;
        let ports = payload.first_chunk::<4>()?;
        let protocol = match (header[0], header[9]) {
            (packet::PLAIN, TCP) => Protocol::Tcp,
            (packet::PLAIN, UDP) => Protocol::Udp,
            _ => return None,
        };
        let source = Endpoint::new(packet::source(header), word(ports, 0));
        let destination = Endpoint::new(packet::destination(header), word(ports, 2));
        let key = match from {
            Realm::Internal => self.outbound_key(protocol, source, destination),
            Realm::External => self.inbound_key(protocol, destination.port, source),
        };
        Some(Coming { key, place: place(source, destination) as u16, is_tcp: protocol == Protocol::Tcp })
    }
}

/// Where something lies.
#[inline(always)]
pub(crate) fn address<T: ?Sized>(thing: &T) -> *const () {
    (&raw const *thing).cast()
}
