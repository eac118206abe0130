//! Looking ahead: fetching what the next packets will need while the first of them is still far from needing it.
//!
//! A packet of one of a million sessions waits for memory three times: for its place in the index, for the other place
//! if it is not there, and for the record. Those of a batch of packets can wait together. Nothing is decided here and
//! nothing changes; a packet that was not looked ahead for, or has changed since, only takes longer.

use core::hint::black_box;

use crate::Realm;
use crate::endpoint::{Endpoint, Protocol};
use crate::engine::Engine;
use crate::packet::{self, HEADER, word};
use crate::transport::{TCP, UDP};

/// How many packets to look ahead for at once.
pub const BATCH: usize = 32;

/// With fewer sessions than this, all that is needed is in the nearest caches anyway.
const MANY: u32 = 4096;

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Fetches what translating `packets` from realm `from` will need, for the first [`BATCH`] of them. Their headers and
    /// ports are enough of them. With so few sessions that it would be in vain, nobody asks for a packet.
    pub fn look_ahead(&self, from: Realm, packets: impl Iterator<Item: AsRef<[u8]>>) {
        let sessions = &self.tables.sessions;
        if sessions.live() < MANY {
            return;
        }
        let mut keys = [0; BATCH];
        let mut count = 0;
        for (place, packet) in keys.iter_mut().zip(packets) {
            *place = self.key_of(from, packet.as_ref()).unwrap_or_default();
            count += 1;
        }
        let keys = keys.get(..count).unwrap_or_default();
        keys.iter().for_each(|key| sessions.touch_first(*key));
        let mut guesses = [None; BATCH];
        for (guess, key) in guesses.iter_mut().zip(keys) {
            *guess = sessions.guess_first(*key);
        }
        for (guess, key) in guesses.iter().zip(keys) {
            sessions.touch_record(*key, *guess);
        }
    }

    /// Where the session of a packet lies, if that is plain to see.
    fn key_of(&self, from: Realm, packet: &[u8]) -> Option<u64> {
        let (header, payload) = packet.split_first_chunk::<HEADER>()?;
        let ports = payload.first_chunk::<4>()?;
        let protocol = match (header[0], header[9]) {
            (packet::PLAIN, TCP) => Protocol::Tcp,
            (packet::PLAIN, UDP) => Protocol::Udp,
            _ => return None,
        };
        let source = Endpoint::new(packet::source(header), word(ports, 0));
        let destination = Endpoint::new(packet::destination(header), word(ports, 2));
        Some(match from {
            Realm::Internal => self.outbound_key(protocol, source, destination),
            Realm::External => self.inbound_key(protocol, destination.port, source),
        })
    }
}

/// Reads something for no other reason than to have it near.
#[inline(always)]
pub(crate) fn touch<T: Copy>(thing: &T) {
    black_box(*thing);
}
