//! The two byte streams of a connection, and which segments fit into them (RFC 9293 s.3.10.7.4, RFC 5961, RFC 7323).
//!
//! Of each side we know the number after the last it has sent, the highest acknowledgement it has sent, and the largest
//! window it has offered. A segment *fits* if it begins within its receiver's window, or up to a window before what has
//! been acknowledged already, and acknowledges nothing that was not sent. What is a megabyte older than either may just
//! have been slow. SYNs have rules of their own, as have RSTs, which have to be exact where that matters.

use super::tcp::{Connection, Kind, Phase, Segment, Way};

/// How much older a segment or an acknowledgement may be.
const STALE: u64 = 1 << 20;

/// How much data a SYN may carry, and have acknowledged or not (RFC 7413).
const SYN_DATA: u64 = 65_535;

/// What a segment is to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It belongs there, and moves it.
    Fits,
    /// There may be reasons for it: it passes, and moves nothing.
    Odd,
    /// It does not belong there.
    Foreign,
}

/// What each side, out and in, has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Streams {
    /// The number after the last that it has sent.
    pub next: [u32; 2],
    /// The highest that it has acknowledged.
    pub acked: [u32; 2],
    /// The largest window that it has offered, as it is written.
    window: [u64; 2],
    /// What its windows are shifted by; `None` if its SYN did not say.
    scale: [Option<u8>; 2],
}

impl Streams {
    /// Those of a connection that a segment begins, or that it is the first we see of.
    pub(super) fn begin(way: Way, segment: &Segment) -> Self {
        let mut streams = Self { next: [0; 2], acked: [0; 2], window: [0; 2], scale: [Some(0); 2] };
        if segment.kind == Kind::Syn {
            streams.begin_side(way, segment);
            return streams;
        }
        let (own, other) = (way as usize, way.back() as usize);
        let ack = segment.ack.unwrap_or_default();
        (streams.next[own], streams.acked[other]) = (segment.next, segment.first);
        (streams.next[other], streams.acked[own]) = (ack, ack);
        // Nobody has told us the scales: the largest there is.
        Self { window: [65_535; 2], scale: [Some(14); 2], ..streams }
    }

    /// What a segment is to a connection. If it fits, it is taken note of.
    pub(super) fn fit(&mut self, connection: &Connection, way: Way, segment: &Segment) -> Fit {
        match segment.kind {
            Kind::Ack | Kind::Fin => self.fit_data(connection, way, segment),
            Kind::Syn => self.fit_syn(connection, way, segment),
            Kind::SynAck if connection.is_beginning() && self.answers(connection, way, segment) => {
                self.begin_side(way, segment);
                self.acked[way as usize] = segment.ack.unwrap_or_default();
                self.agree_on_scales();
                Fit::Fits
            }
            Kind::SynAck => Fit::Odd,
            Kind::Rst => self.fit_reset(connection, way, segment),
        }
    }

    /// Whether it is left open what a segment is: windows count, and the SYN of a side, which said nothing of scales, has
    /// not been answered.
    pub(super) fn is_open(&self, connection: &Connection, kind: Kind) -> bool {
        let has_windows = match kind {
            Kind::Ack | Kind::Fin => !connection.is_beginning() || connection.syn == [true; 2],
            Kind::Rst => connection.phase != Phase::Opening,
            Kind::Syn | Kind::SynAck => false,
        };
        has_windows && self.scale.contains(&None)
    }

    /// Whether the SYN of a side said nothing of scales, and has not been answered.
    pub(super) fn is_unscaled(&self, way: Way) -> bool {
        self.scale[way as usize].is_none()
    }

    /// Whether a segment from inside that an error quotes may be under way still (RFC 5927 s.4.1).
    pub(super) fn may_be_under_way(&self, first: u32) -> bool {
        distance(first, self.next[Way::Out as usize]) <= self.window_of(Way::In) + STALE
    }

    fn fit_data(&mut self, connection: &Connection, way: Way, segment: &Segment) -> Fit {
        // A challenge, or somebody in a hurry.
        if connection.is_beginning() && connection.syn != [true; 2] {
            return Fit::Odd;
        }
        // The first that the outside says of a connection met in the middle is what we know of it.
        let is_news = connection.mid && way == Way::In;
        if is_news || self.is_inside(way, segment) {
            self.note(way, segment);
            return Fit::Fits;
        }
        Fit::Foreign
    }

    fn note(&mut self, way: Way, segment: &Segment) {
        let (own, other) = (way as usize, way.back() as usize);
        self.next[own] = later(self.next[own], segment.next);
        self.acked[own] = later(self.acked[own], segment.ack.unwrap_or(self.acked[own]));
        self.window[own] = self.window[own].max(segment.window.into());
        self.next[other] = later(self.next[other], self.acked[own]);
    }

    /// A SYN begins a connection that is not, or its half of one that is beginning; of any other it is the receiver's to
    /// make something (RFC 5961 s.4).
    fn fit_syn(&mut self, connection: &Connection, way: Way, segment: &Segment) -> Fit {
        let anew = connection.phase == Phase::Closing || (connection.mid && way == Way::Out);
        if !anew && !connection.is_beginning() {
            return Fit::Odd;
        }
        let before = self.next[way as usize];
        let again = !anew && connection.has_begun(way);
        self.begin_side(way, segment);
        // One that comes again without its data does not take it back.
        if again && distance(segment.next, before) <= SYN_DATA {
            self.next[way as usize] = before;
        }
        Fit::Fits
    }

    /// RFC 5961 s.3.2. Before a connection is open, a RST refuses it if it acknowledges the SYN; what comes after a
    /// FIN need not be exact (C13 to C16).
    fn fit_reset(&self, connection: &Connection, way: Way, segment: &Segment) -> Fit {
        let expected = [self.acked[way.back() as usize], self.next[way as usize]];
        let is_exact = expected.contains(&segment.first);
        if connection.phase == Phase::Opening {
            let exact = connection.has_begun(way) && is_exact;
            return if exact || self.answers(connection, way, segment) { Fit::Fits } else { Fit::Odd };
        }
        match () {
            () if is_exact => Fit::Fits,
            () if !self.is_in_window(way, segment) => Fit::Foreign,
            () if connection.is_ending() => Fit::Fits,
            () => Fit::Odd,
        }
    }

    /// Whether a segment acknowledges the SYN of the other side.
    fn answers(&self, connection: &Connection, way: Way, segment: &Segment) -> bool {
        let sent = self.next[way.back() as usize];
        connection.has_begun(way.back()) && segment.ack.is_some_and(|ack| distance(ack, sent) <= SYN_DATA)
    }

    fn is_inside(&self, way: Way, segment: &Segment) -> bool {
        let sent = self.next[way.back() as usize];
        let unacknowledged = distance(self.acked[way as usize], sent);
        let is_known = segment.ack.is_none_or(|ack| distance(ack, sent) <= unacknowledged + STALE);
        is_known && (segment.first == self.next[way as usize] || self.is_in_window(way, segment))
    }

    fn is_in_window(&self, way: Way, segment: &Segment) -> bool {
        let (acked, window) = (self.acked[way.back() as usize], self.window_of(way.back()));
        let ahead = distance(acked, segment.first);
        let behind = distance(segment.first, acked);
        ahead <= window || behind <= window + STALE
    }

    fn window_of(&self, way: Way) -> u64 {
        self.window[way as usize] << self.scale[way as usize].unwrap_or(0)
    }

    /// Takes note of a SYN, which the other side will acknowledge.
    fn begin_side(&mut self, way: Way, segment: &Segment) {
        let (own, other) = (way as usize, way.back() as usize);
        self.next[own] = segment.next;
        self.acked[other] = segment.first.wrapping_add(1);
        self.scale[own] = segment.scale.map(|scale| scale.min(14));
        // The window of the SYN itself is not shifted.
        let unit = 1 << self.scale[own].unwrap_or(0);
        self.window[own] = u64::from(segment.window).div_ceil(unit);
    }

    /// Windows are shifted if both sides have said so (RFC 7323 s.2.2).
    fn agree_on_scales(&mut self) {
        if self.scale.contains(&None) {
            for way in [Way::Out, Way::In] {
                if self.scale[way as usize].is_some() {
                    self.window[way as usize] = 65_535;
                }
            }
            self.scale = [Some(0); 2];
        }
    }
}

/// How far behind `from` the number `to` is.
fn distance(from: u32, to: u32) -> u64 {
    to.wrapping_sub(from).into()
}

/// The later of two numbers. Half the space apart, where RFC 1982 s.3.2 leaves it open, the `other` is the later one.
fn later(one: u32, other: u32) -> u32 {
    if distance(one, other) <= 1 << 31 { other } else { one }
}
