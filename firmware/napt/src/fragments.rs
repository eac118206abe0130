//! Fragments (RFC 791 s.3.2, RFC 3022 s.6.3, RFC 4787 REQ-14), translated without putting datagrams together.
//!
//! Only the first fragment of a datagram has ports. When it has been translated, like any packet, what became of its
//! addresses is kept here, and the others are translated alike, in whatever order they come. Those that come before
//! the first are for the caller to hold and to present again ([`crate::Verdict::Hold`]).
//!
//! What has passed is kept as spans, so that no byte of a datagram passes twice: whatever overlaps is dropped, and
//! the receiver never has to choose between two versions (RFC 1858, RFC 3128, RFC 5722).
//!
//! Nobody gets a place here who has not had a first fragment translated, so a flood of others leaves those that come in
//! order alone (REQ-14a). Out of places, a source first loses its own oldest datagram, then the oldest of all goes.

use core::net::Ipv4Addr;
use core::time::Duration;

use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::keys::Keys;
use crate::packet::{self, HEADER, MORE_FRAGMENTS, Shape, word};
use crate::rewrite::{self, Rewrite};
use crate::time::Instant;
use crate::transit::Transit;
use crate::transport::TCP;
use crate::verdict::Verdict;
use crate::{DropReason, Realm};

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Takes a fragment: a first one like any packet, another by what became of its first.
    #[cold]
    #[inline(never)]
    pub(crate) fn fragment(
        &mut self,
        now: Instant,
        from: Realm,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let key = Key::of(from, header);
        let part = match Part::of(header, payload) {
            Ok(part) => part,
            Err(reason) => return self.refuse(from, reason),
        };
        match (self.tables.fragments.find(now, &key), part.is_first()) {
            (None, true) => self.first_fragment(now, key, part, header, payload, shape),
            (Some(translated), false) => {
                let transit = Transit::of(header, payload, shape);
                let passed = self.next_fragment(now, &key, part, translated, transit);
                if passed.is_ok() {
                    translated.apply(header);
                }
                self.settle(from, passed)
            }
            (Some(_), true) => self.refuse(from, DropReason::FragmentOverlap),
            (None, false) if from == Realm::External && key.destination != self.external => {
                self.refuse(from, DropReason::NotOurs)
            }
            (None, false) => Verdict::Hold,
        }
    }

    fn first_fragment(
        &mut self,
        now: Instant,
        key: Key,
        part: Part,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let verdict = self.pass_other(now, key.from, header, payload, shape);
        if let Verdict::Forward(to) = verdict {
            self.begin_fragments(now, key, part, to, header);
        }
        verdict
    }

    fn next_fragment(
        &mut self,
        now: Instant,
        key: &Key,
        part: Part,
        translated: Translated,
        transit: Transit,
    ) -> Result<Realm, Verdict> {
        self.may_pass(transit, 0, translated.to)?;
        self.tables.fragments.pass(now, key, part)?;
        Ok(translated.to)
    }

    /// Notes what became of a first fragment.
    fn begin_fragments(&mut self, now: Instant, key: Key, part: Part, to: Realm, header: &mut [u8; HEADER]) {
        if key.from == Realm::Internal {
            self.identify(header);
        }
        let (source, destination) = (packet::source(header), packet::destination(header));
        let translated = Translated { to, id: word(header, 4), source, destination };
        self.tables.fragments.open(now, key, part, translated, self.idle.fragment);
    }

    /// Gives a packet that leaves with our address and may be fragmented an identification of ours (RFC 6864 s.5.3.1).
    pub fn identify(&mut self, header: &mut [u8; HEADER]) {
        let id = self.identifications.draw(&self.keys);
        rewrite::identification(header, id);
    }
}

/// How many datagrams can be under way in pieces, and how many of them from one source.
const DATAGRAMS: usize = 128;
const DATAGRAMS_EACH: usize = 32;

/// How many gaps, less one, the pieces that have come may have between them.
const SPANS: usize = 16;

/// What all fragments of a datagram have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    from: Realm,
    protocol: u8,
    id: u16,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

impl Key {
    pub(crate) fn of(from: Realm, header: &[u8; HEADER]) -> Self {
        let (source, destination) = (packet::source(header), packet::destination(header));
        Self { from, protocol: header[9], id: word(header, 4), source, destination }
    }
}

/// Which part of its datagram a fragment is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// In units of eight bytes, the last one begun.
    span: Span,
    is_last: bool,
}

impl Part {
    /// The part that a fragment is.
    ///
    /// # Errors
    /// [`DropReason::FragmentShape`] for what no sender makes: an empty one, one that is not the last and not a
    /// multiple of eight bytes long, one that ends beyond what a datagram can be, and one that begins inside a TCP
    /// header (RFC 3128).
    fn of(header: &[u8; HEADER], payload: &[u8]) -> Result<Self, DropReason> {
        let first = packet::fragment_offset(header);
        let len = payload.len();
        let is_last = word(header, 6) & MORE_FRAGMENTS == 0;
        let end = usize::from(first) * 8 + len;
        let header_len = usize::from(word(header, 2)) - len;
        let is_odd = len == 0
            || (!is_last && !len.is_multiple_of(8))
            || header_len + end > usize::from(u16::MAX)
            || (first == 1 && header[9] == TCP);
        if is_odd {
            return Err(DropReason::FragmentShape);
        }
        Ok(Self { span: Span { first, end: end.div_ceil(8) as u16 }, is_last })
    }

    /// Whether it has the transport header.
    pub(crate) fn is_first(self) -> bool {
        self.span.first == 0
    }
}

/// What became of a datagram's first fragment.
#[derive(Clone, Copy)]
pub(crate) struct Translated {
    to: Realm,
    id: u16,
    source: Ipv4Addr,
    destination: Ipv4Addr,
}

impl Translated {
    /// Makes the same of another.
    fn apply(self, header: &mut [u8; HEADER]) {
        let end = |address| Some(Endpoint::new(address, 0));
        let rewrite =
            Rewrite { source: end(self.source), destination: end(self.destination), segment_size: None };
        rewrite::header(&rewrite, header);
        rewrite::identification(header, self.id);
    }
}

/// The datagrams that are under way in pieces.
pub(crate) struct Fragments {
    datagrams: [Datagram; DATAGRAMS],
}

#[derive(Clone, Copy)]
struct Datagram {
    is_used: bool,
    until: Instant,
    key: Key,
    translated: Translated,
    spans: Spans,
}

impl Datagram {
    const FREE: Self = Self {
        is_used: false,
        until: Instant::ZERO,
        key: Key {
            from: Realm::Internal,
            protocol: 0,
            id: 0,
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::UNSPECIFIED,
        },
        translated: Translated {
            to: Realm::Internal,
            id: 0,
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::UNSPECIFIED,
        },
        spans: Spans { list: [Span { first: 0, end: 0 }; SPANS], count: 0, total: None },
    };

    fn is_live(&self, now: Instant) -> bool {
        self.is_used && now < self.until
    }
}

impl Fragments {
    /// None: all zero.
    pub(crate) const fn new() -> Self {
        Self { datagrams: [Datagram::FREE; DATAGRAMS] }
    }

    /// What became of the first fragment of a datagram, if it has passed.
    #[inline]
    pub(crate) fn find(&self, now: Instant, key: &Key) -> Option<Translated> {
        self.datagrams
            .iter()
            .find(|datagram| datagram.is_live(now) && datagram.key == *key)
            .map(|it| it.translated)
    }

    /// Notes that the first fragment of a datagram has passed. The others have `millis` to follow.
    #[inline]
    pub(crate) fn open(&mut self, now: Instant, key: Key, part: Part, translated: Translated, millis: u32) {
        let place = self.place(now, key.source);
        let mut datagram = Datagram {
            is_used: true,
            until: now + Duration::from_millis(millis.into()),
            key,
            translated,
            ..Datagram::FREE
        };
        // The first span always fits.
        let _ = datagram.spans.add(part);
        if let Some(place) = self.datagrams.get_mut(place) {
            *place = datagram;
        }
    }

    /// Notes that another part of a datagram passes.
    ///
    /// # Errors
    /// Why it must not.
    #[inline]
    pub(crate) fn pass(&mut self, now: Instant, key: &Key, part: Part) -> Result<(), DropReason> {
        let found = self.datagrams.iter_mut().find(|datagram| datagram.is_live(now) && datagram.key == *key);
        let datagram = found.ok_or(DropReason::FragmentEarly)?;
        datagram.spans.add(part)?;
        datagram.is_used = !datagram.spans.is_complete();
        Ok(())
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.datagrams = [Datagram::FREE; DATAGRAMS];
    }

    /// Where a datagram of `source` may be noted.
    fn place(&self, now: Instant, source: Ipv4Addr) -> usize {
        let of_source = |datagram: &Datagram| datagram.is_live(now) && datagram.key.source == source;
        if self.datagrams.iter().filter(|datagram| of_source(datagram)).count() >= DATAGRAMS_EACH {
            return self.oldest(of_source);
        }
        let free = self.datagrams.iter().position(|datagram| !datagram.is_live(now));
        free.unwrap_or_else(|| self.oldest(|_| true))
    }

    fn oldest(&self, which: impl Fn(&Datagram) -> bool) -> usize {
        let candidates = self.datagrams.iter().enumerate().filter(|(_, datagram)| which(datagram));
        candidates.min_by_key(|(_, datagram)| datagram.until).map_or(0, |(place, _)| place)
    }
}

/// From `first` up to, but not including, `end`.
#[derive(Clone, Copy, Debug)]
struct Span {
    first: u16,
    end: u16,
}

/// The parts of a datagram that have passed: no two of them touch.
#[derive(Clone, Copy)]
struct Spans {
    list: [Span; SPANS],
    count: usize,
    /// Where the datagram ends, once its last part has passed.
    total: Option<u16>,
}

impl Spans {
    #[inline]
    fn add(&mut self, part: Part) -> Result<(), DropReason> {
        let Part { mut span, is_last } = part;
        let overlaps = |other: &Span| span.first < other.end && other.first < span.end;
        let beyond = |other: &Span| is_last && other.end > span.end;
        let too_far = self.total.is_some_and(|total| span.end > total || is_last);
        if too_far || self.iter().any(|other| overlaps(other) || beyond(other)) {
            return Err(DropReason::FragmentOverlap);
        }
        let touching = self.iter().filter(|other| other.end == span.first || other.first == span.end).count();
        if self.count + 1 - touching > SPANS {
            return Err(DropReason::FragmentsTooMany);
        }
        self.total = self.total.or(is_last.then_some(span.end));
        let mut kept = 0;
        for at in 0..self.count {
            let Some(other) = self.list.get(at).copied() else { break };
            if other.end == span.first {
                span.first = other.first;
            } else if other.first == span.end {
                span.end = other.end;
            } else if let Some(place) = self.list.get_mut(kept) {
                *place = other;
                kept += 1;
            }
        }
        if let Some(place) = self.list.get_mut(kept) {
            *place = span;
        }
        self.count = kept + 1;
        Ok(())
    }

    #[inline]
    fn is_complete(&self) -> bool {
        let whole = |span: &Span| span.first == 0 && Some(span.end) == self.total;
        self.count == 1 && self.iter().any(whole)
    }

    fn iter(&self) -> impl Iterator<Item = &Span> {
        self.list.iter().take(self.count)
    }
}

/// Identifications for what may be fragmented: none comes twice within 65,536, so that two internal hosts that chose
/// the same do not meet outside (RFC 6864 s.5.3.1), and nobody can count them (A15).
#[derive(Clone)]
pub(crate) struct Identifications {
    next: u16,
}

impl Identifications {
    pub(crate) fn new(keys: &mut Keys) -> Self {
        Self { next: keys.draw() as u16 }
    }

    pub(crate) fn draw(&mut self, keys: &Keys) -> u16 {
        self.next = self.next.wrapping_add(1);
        keys.shuffle(self.next)
    }
}
