//! The fragments that wait in a router for the first one of their datagram: so many, so many of one source, two seconds.
//!
//! Of those that came in the same millisecond the one in the foremost place is the oldest, so each has its place here, too.

use std::net::Ipv4Addr;
use std::time::Duration;

use napt::Instant;
use router::Side;

use crate::checkers::View;

/// How many wait, how many of one source, and how long.
const PLACES: usize = 64;
const PLACES_EACH: usize = 48;
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest packet that can wait.
const LONGEST: usize = 1500;

/// What the fragments of a datagram have in common, and where they come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) side: Side,
    protocol: u8,
    id: u16,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

impl Key {
    pub(super) fn of(side: Side, view: &View<'_>) -> Self {
        let (source, destination) = (view.source(), view.destination());
        Self { side, protocol: view.protocol(), id: view.word(4), source, destination }
    }
}

/// Those that wait, each in its place.
pub(super) struct Early {
    places: [Option<Waiting>; PLACES],
}

struct Waiting {
    key: Key,
    until: Instant,
    bytes: Vec<u8>,
}

impl Default for Early {
    fn default() -> Self {
        Self { places: [const { None }; PLACES] }
    }
}

impl Early {
    /// Lets one wait, in the place of the oldest, of its own source or of all, if there is no other.
    pub(super) fn push(&mut self, now: Instant, key: Key, bytes: &[u8]) {
        if bytes.len() > LONGEST {
            return;
        }
        let of_source = |waiting: &Waiting| waiting.key.source == key.source;
        let is_over =
            self.places.iter().flatten().filter(|waiting| of_source(waiting)).count() >= PLACES_EACH;
        let place = match self.places.iter().position(Option::is_none) {
            _ if is_over => self.oldest(of_source),
            None => self.oldest(|_| true),
            free => free,
        };
        if let Some(place) = place {
            self.places[place] = Some(Waiting { key, until: now + PATIENCE, bytes: bytes.to_vec() });
        }
    }

    /// Takes one of a datagram out, the oldest first.
    pub(super) fn take(&mut self, key: Key) -> Option<Vec<u8>> {
        let place = self.oldest(|waiting| waiting.key == key)?;
        self.places[place].take().map(|waiting| waiting.bytes)
    }

    /// Forgets those that have waited long enough.
    pub(super) fn forget(&mut self, now: Instant) {
        for place in &mut self.places {
            *place = place.take().filter(|waiting| waiting.until > now);
        }
    }

    fn oldest(&self, which: impl Fn(&Waiting) -> bool) -> Option<usize> {
        let taken = self.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.as_ref()?)));
        let candidates = taken.filter(|(_, waiting)| which(waiting));
        candidates.min_by_key(|(_, waiting)| waiting.until).map(|(at, _)| at)
    }
}
