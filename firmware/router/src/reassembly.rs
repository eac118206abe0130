//! Datagrams for the box itself that come in fragments, put together (RFC 791 s.3.2, RFC 1122 s.3.3.2, RFC 1812
//! s.4.2.2.8).
//!
//! There is room for a few datagrams, each as large as the largest packet that Ethernet links carry, jumbo frames
//! included: what a neighbour can send whole, others may send in fragments (RFC 1812 s.4.3.3.6). A *place* has one
//! datagram's data where it belongs, and room for its header before that; which eighths of bytes have come is a bitmap.
//!
//! Nothing here is shared with the fragments that only pass: those are translated one by one, and whoever floods the
//! box takes places from the box alone. One source has two at most; where there is none, the oldest datagram goes, a
//! source's own before anybody else's.
//!
//! What overlaps ruins its datagram, because nobody can tell which version was meant (RFC 1858, RFC 5722). A ruined
//! datagram keeps its place until its time is up, so that what still comes of it is not taken for another.

use core::array;
use core::net::Ipv4Addr;
use core::time::Duration;

use napt::{DropReason, Instant, checksum};

use crate::fragments::Datagram;
use crate::icmp;
use crate::port::Side;

/// How many datagrams come in fragments at a time, and how many of them from one source.
const PLACES: usize = 4;
const PLACES_EACH: usize = 2;

/// How long the fragments of a datagram have to come, from the first to come (RFC 1122 s.3.3.2 wants 60 s to 120 s).
const PATIENCE: Duration = Duration::from_secs(60);

/// The most data behind a datagram's header, in bytes, and in the units that fragments are cut at.
const DATA: usize = 9_216;
const UNIT: usize = 8;
const WORDS: usize = DATA / UNIT / 64;

const LONGEST_HEADER: usize = 60;

/// The datagrams for the box that are not whole yet.
pub(crate) struct Reassembly {
    places: [Option<Place>; PLACES],
}

/// What has become of a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It waits for the others.
    Waits,
    /// It was the last that was missing.
    Whole,
    /// It is lost, perhaps with others.
    Lost(Lost),
}

/// Fragments that have come in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// The port they came in by.
    pub(crate) side: Side,
    /// How many of them have waited.
    pub(crate) waited: u16,
    /// Why.
    pub(crate) reason: DropReason,
}

/// A datagram whose time is up.
pub(crate) struct Expired {
    pub(crate) lost: Lost,
    /// What an error about it quotes, if one may be sent.
    pub(crate) quote: Option<Quote>,
}

/// As much of a datagram's first fragment as an error can quote.
pub(crate) struct Quote {
    pub(crate) source: Ipv4Addr,
    len: usize,
    bytes: [u8; icmp::LONGEST],
}

impl Quote {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Reassembly {
    pub(crate) fn new() -> Self {
        // One by one: a place that is written as a whole would be in the program as one, nine kilobytes of zeros.
        Self { places: array::from_fn(|_| None) }
    }

    /// Whether some of this datagram has come.
    pub(crate) fn knows(&self, datagram: Datagram) -> bool {
        self.places.iter().flatten().any(|place| place.datagram == datagram)
    }

    /// Gives a datagram a place, unless it has one; what had to go for it.
    pub(crate) fn open(&mut self, now: Instant, datagram: Datagram) -> Option<Lost> {
        if self.knows(datagram) {
            return None;
        }
        let place = self.place(datagram.source());
        self.places
            .get_mut(place)?
            .replace(Place::new(now, datagram))
            .map(|before| before.lost(DropReason::Fragment))
    }

    /// Adds a fragment to its datagram, which has a place.
    pub(crate) fn add(&mut self, datagram: Datagram, fragment: &Fragment<'_>) -> Added {
        match self.find(datagram) {
            Some(place) if !place.is_ruined => place.add(fragment),
            _ => Added::Lost(Lost { side: datagram.side(), waited: 0, reason: DropReason::Fragment }),
        }
    }

    /// Takes a datagram out that is whole.
    pub(crate) fn take(&mut self, datagram: Datagram) -> Option<Whole> {
        let is_it = |place: &&mut Option<Place>| place.as_ref().is_some_and(|it| it.datagram == datagram);
        self.places.iter_mut().find(is_it)?.take()?.finish()
    }

    /// Takes one out whose time is up.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Expired> {
        let is_due = |place: &&mut Option<Place>| place.as_ref().is_some_and(|it| it.until <= now);
        let place = self.places.iter_mut().find(is_due)?;
        let expired = place.as_ref().map(Place::expire);
        *place = None;
        expired
    }

    /// When the next one's time is up.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.places.iter().flatten().map(|place| place.until).min()
    }

    /// Takes one out that came in by `side`.
    pub(crate) fn forget(&mut self, side: Side) -> Option<Lost> {
        let is_of = |place: &&mut Option<Place>| place.as_ref().is_some_and(|it| it.datagram.side() == side);
        let place = self.places.iter_mut().find(is_of)?;
        let lost = place.as_ref().map(|it| it.lost(DropReason::Fragment));
        *place = None;
        lost
    }

    fn find(&mut self, datagram: Datagram) -> Option<&mut Place> {
        self.places.iter_mut().flatten().find(|place| place.datagram == datagram)
    }

    /// Where a datagram of `source` may be put together.
    fn place(&self, source: Ipv4Addr) -> usize {
        let of_source = |place: &Place| place.datagram.source() == source;
        if self.places.iter().flatten().filter(|place| of_source(place)).count() >= PLACES_EACH {
            return self.oldest(of_source);
        }
        let free = self.places.iter().position(Option::is_none);
        free.unwrap_or_else(|| self.oldest(|_| true))
    }

    fn oldest(&self, which: impl Fn(&Place) -> bool) -> usize {
        let places = self.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.as_ref()?)));
        let candidates = places.filter(|(_, place)| which(place));
        candidates.min_by_key(|(_, place)| place.until).map_or(0, |(at, _)| at)
    }
}

/// A fragment, taken apart.
pub(crate) struct Fragment<'a> {
    header: &'a [u8],
    data: &'a [u8],
    /// Where its data begins and ends in the datagram's, in bytes.
    begin: usize,
    end: usize,
    is_last: bool,
}

impl<'a> Fragment<'a> {
    /// Reads a well-formed packet. `None` for what no sender makes: an empty one, one that is not the last and not a
    /// multiple of eight bytes long, and one that ends beyond what a datagram can be.
    pub(crate) fn read(packet: &'a [u8]) -> Option<Self> {
        let [first, _, _, _, _, _, high, low, ..] = *packet.first_chunk::<20>()?;
        let (header, data) = packet.split_at_checked(usize::from(first & 0x0F) * 4)?;
        let flags = u16::from_be_bytes([high, low]);
        let begin = usize::from(flags & 0x1FFF) * UNIT;
        let (end, is_last) = (begin + data.len(), flags & 0x2000 == 0);
        let is_odd = data.is_empty()
            || (!is_last && !data.len().is_multiple_of(UNIT))
            || header.len() + end > usize::from(u16::MAX);
        (!is_odd).then_some(Self { header, data, begin, end, is_last })
    }
}

/// One datagram, as far as it has come.
struct Place {
    datagram: Datagram,
    until: Instant,
    is_ruined: bool,
    /// How many fragments have come.
    fragments: u16,
    /// The lengths of the first fragment's header and data, once that has come.
    first: Option<(usize, usize)>,
    /// Where the data ends, once the last fragment has come.
    end: Option<usize>,
    /// Where what has come of it ends.
    reach: usize,
    /// Which units have come.
    units: [u64; WORDS],
    /// The header, up to where the data begins; then the data.
    bytes: [u8; LONGEST_HEADER + DATA],
}

impl Place {
    fn new(now: Instant, datagram: Datagram) -> Self {
        Self {
            datagram,
            until: now + PATIENCE,
            is_ruined: false,
            fragments: 0,
            first: None,
            end: None,
            reach: 0,
            units: [0; WORDS],
            bytes: [0; LONGEST_HEADER + DATA],
        }
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Added {
        if let Err(reason) = self.check(fragment) {
            let lost = self.lost(reason);
            (self.is_ruined, self.fragments) = (true, 0);
            return Added::Lost(lost);
        }
        self.fragments += 1;
        self.mark(fragment);
        self.keep(fragment);
        if self.is_whole() { Added::Whole } else { Added::Waits }
    }

    /// Whether a fragment can be one of this datagram.
    fn check(&self, fragment: &Fragment<'_>) -> Result<(), DropReason> {
        let Fragment { begin, end, is_last, .. } = *fragment;
        if end > DATA {
            return Err(DropReason::Fragment);
        }
        let is_beyond = self.end.is_some_and(|last| end > last || is_last);
        let is_short = is_last && end < self.reach;
        let overlaps = units(begin, end).any(|unit| self.has(unit));
        if is_beyond || is_short || overlaps { Err(DropReason::FragmentOverlap) } else { Ok(()) }
    }

    fn has(&self, unit: usize) -> bool {
        self.units.get(unit / 64).is_some_and(|word| word & (1 << (unit % 64)) != 0)
    }

    fn mark(&mut self, fragment: &Fragment<'_>) {
        for unit in units(fragment.begin, fragment.end) {
            if let Some(word) = self.units.get_mut(unit / 64) {
                *word |= 1 << (unit % 64);
            }
        }
        self.reach = self.reach.max(fragment.end);
        self.end = self.end.or(fragment.is_last.then_some(fragment.end));
    }

    fn keep(&mut self, fragment: &Fragment<'_>) {
        let Fragment { header, data, begin, end, .. } = *fragment;
        let (before, place) = self.bytes.split_at_mut(LONGEST_HEADER);
        if let Some(place) = place.get_mut(begin..end) {
            place.copy_from_slice(data);
        }
        if begin == 0 {
            self.first = Some((header.len(), data.len()));
            before.iter_mut().rev().zip(header.iter().rev()).for_each(|(to, from)| *to = *from);
        }
    }

    /// Whether every unit has come, the first and the last among them.
    fn is_whole(&self) -> bool {
        let come: usize = self.units.iter().map(|word| word.count_ones() as usize).sum();
        self.end.is_some_and(|end| come == end.div_ceil(UNIT))
    }

    /// The datagram, with the header of one that was never in fragments.
    fn finish(mut self) -> Option<Whole> {
        let ((header_len, _), end) = (self.first?, self.end?);
        let start = LONGEST_HEADER - header_len;
        let header = self.bytes.get_mut(start..LONGEST_HEADER)?;
        let [_, _, len0, len1, _, _, flags0, flags1, _, _, sum0, sum1, ..] =
            header.first_chunk_mut::<20>()?;
        [*len0, *len1] = ((header_len + end) as u16).to_be_bytes();
        [*flags0, *flags1, *sum0, *sum1] = [0; 4];
        let sum = checksum(header).to_be_bytes();
        header.get_mut(10..12)?.copy_from_slice(&sum);
        Some(Whole { fragments: self.fragments, start, end: LONGEST_HEADER + end, bytes: self.bytes })
    }

    fn expire(&self) -> Expired {
        Expired { lost: self.lost(DropReason::Fragment), quote: self.quote() }
    }

    /// What an error about the datagram quotes: its first fragment, if it has come (RFC 1122 s.3.3.2).
    fn quote(&self) -> Option<Quote> {
        let (header_len, len) = self.first.filter(|_| !self.is_ruined)?;
        let first = self.bytes.get(LONGEST_HEADER - header_len..LONGEST_HEADER + len)?;
        if !icmp::may_complain_about(first) {
            return None;
        }
        let mut bytes = [0; icmp::LONGEST];
        bytes.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
        Some(Quote { source: self.datagram.source(), len: first.len().min(icmp::LONGEST), bytes })
    }

    fn lost(&self, reason: DropReason) -> Lost {
        Lost { side: self.datagram.side(), waited: self.fragments, reason }
    }
}

/// The units from one byte to another.
fn units(begin: usize, end: usize) -> core::ops::Range<usize> {
    begin / UNIT..end.div_ceil(UNIT)
}

/// A datagram that has been put together.
pub(crate) struct Whole {
    /// Of how many fragments.
    pub(crate) fragments: u16,
    start: usize,
    end: usize,
    bytes: [u8; LONGEST_HEADER + DATA],
}

impl Whole {
    pub(crate) fn packet_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.start..self.end).unwrap_or_default()
    }
}
