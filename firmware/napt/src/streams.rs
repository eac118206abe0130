//! The two byte streams of a TCP connection, and which segments can belong to them (RFC 9293 s.3.10.7.4, RFC 5961).
//!
//! For each side we keep the end of what it has sent, what it has acknowledged, and the largest window it has offered.
//! A segment is *inside* if it lies between what its receiver may still have to hear again and what the receiver has
//! made room for, and acknowledges no more than was sent. What is outside never moves the state of a session; from
//! the WAN it does not even pass. A forged segment would have to guess a sequence number *and* an acknowledgement.
//!
//! Connections that began before we did are met in the middle. Of those we know no window scale and assume the
//! largest, which loses nothing but strictness.

use crate::tcp::{Direction, Flags, Segment, State};

/// What is known of both sides, each array by [`Direction`] of the sender. Packed: a session has no byte to spare.
#[derive(Clone, Copy)]
#[repr(Rust, packed)]
pub(crate) struct Streams {
    /// The sequence number after the last that the side has sent.
    ends: [u32; 2],
    /// The highest acknowledgement the side has sent.
    acked: [u32; 2],
    /// The largest window the side has offered, in units of its scale.
    windows: [u16; 2],
    /// The scale of either side's window, four bits each.
    scales: u8,
}

/// What a segment is to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It belongs, and the state moves with it.
    Inside,
    /// It may have its reasons, such as a challenge ACK or a stale SYN-ACK: it passes, and changes nothing.
    Odd,
    /// It cannot belong.
    Outside,
}

/// The largest shift there is (RFC 7323 s.2.3), for sides whose own is unknown.
const LARGEST_SCALE: u8 = 14;

/// In the place of a scale: the side's SYN had no such option.
const NO_SCALE: u8 = 15;

/// How far behind a segment or an acknowledgement may be beyond what the windows say: old duplicates, and what was
/// reordered on a fast link.
const STALE: u32 = 1 << 20;

/// How far below the end of a SYN's stream an answer may acknowledge: a SYN may carry data (RFC 7413).
const SYN_DATA: u32 = 0xFFFF;

impl Streams {
    /// Of no connection: all zero.
    pub(crate) const NONE: Self = Self { ends: [0; 2], acked: [0; 2], windows: [0; 2], scales: 0 };

    /// Those of a connection that `segment` begins for us, from `side`.
    pub(crate) fn begin(side: Direction, segment: &Segment) -> Self {
        let mut streams = Self::NONE;
        if segment.flags == Flags::Syn {
            streams.begin_side(side, segment);
            return streams;
        }
        let ack = segment.ack.unwrap_or_default();
        streams.ends = by_side(side, segment.end, ack);
        streams.acked = by_side(side, ack, segment.seq);
        streams.windows = [u16::MAX; 2];
        streams.scales = LARGEST_SCALE << 4 | LARGEST_SCALE;
        streams
    }

    /// Takes note of a segment of data from `side` in an established connection, if it is inside; whether it is.
    #[inline(always)]
    pub(crate) fn take_data(&mut self, side: Direction, segment: &Segment) -> bool {
        let is_inside = self.is_inside(side, segment);
        if is_inside {
            self.note_own(side, segment);
        }
        is_inside
    }

    /// What a segment from `side` is to a connection in `state`. If it is `Inside`, it is taken note of.
    pub(crate) fn fit(&mut self, state: State, side: Direction, segment: &Segment) -> Fit {
        match segment.flags {
            Flags::Ack | Flags::Fin => self.fit_data(state, side, segment),
            Flags::Syn => self.fit_syn(state, side, segment),
            Flags::SynAck => self.fit_syn_ack(state, side, segment),
            Flags::Rst => self.fit_reset(state, side, segment),
        }
    }

    /// Whether what an ICMP error quotes of what `side` has sent may still be under way (RFC 5927 s.4.1).
    pub(crate) fn may_be_in_flight(&self, side: Direction, seq: u32) -> bool {
        let room = self.window(side.other()) + STALE;
        self.ends[side as usize].wrapping_sub(seq) <= room
    }

    fn fit_data(&mut self, state: State, side: Direction, segment: &Segment) -> Fit {
        match state {
            // A challenge ACK, or a SYN's sender being early.
            State::SynOut | State::SynIn => return Fit::Odd,
            // The first we hear of the other side says what ours had sent before.
            State::PickedUp if side == Direction::Inbound => (),
            _ if !self.is_inside(side, segment) => return Fit::Outside,
            _ => (),
        }
        self.note(side, segment);
        Fit::Inside
    }

    /// A SYN begins a connection, or its half of one. In any other state it is the receiver's to challenge (RFC 5961 s.4).
    fn fit_syn(&mut self, state: State, side: Direction, segment: &Segment) -> Fit {
        if !state.next(side, Flags::Syn).is_opening() {
            return Fit::Odd;
        }
        let repeated = state.is_opening() && state.has_begun(side);
        let before = self.ends[side as usize];
        self.begin_side(side, segment);
        // One that is repeated without its data still covers it.
        if repeated && before.wrapping_sub(segment.end) <= SYN_DATA {
            self.ends[side as usize] = before;
        }
        Fit::Inside
    }

    /// A SYN-ACK counts if it answers the SYN that we know (C11).
    fn fit_syn_ack(&mut self, state: State, side: Direction, segment: &Segment) -> Fit {
        if !state.is_opening() || !self.answers(state, side, segment) {
            return Fit::Odd;
        }
        self.begin_side(side, segment);
        self.acked[side as usize] = segment.ack.unwrap_or_default();
        self.agree_on_scales();
        Fit::Inside
    }

    /// A RST counts if it has exactly the sequence number that its receiver expects, or that its sender would use next
    /// (RFC 5961 s.3.2; C13, C15); once a side has closed, if it is anywhere inside (C16).
    fn fit_reset(&mut self, state: State, side: Direction, segment: &Segment) -> Fit {
        if state.is_opening() || state == State::PickedUp {
            let exact = state.has_begun(side) && self.is_next(side, segment);
            return if exact || self.answers(state, side, segment) { Fit::Inside } else { Fit::Odd };
        }
        match state {
            _ if self.is_next(side, segment) => Fit::Inside,
            _ if !self.is_in_window(side, segment) => Fit::Outside,
            State::Established => Fit::Odd,
            _ => Fit::Inside,
        }
    }

    fn is_next(&self, side: Direction, segment: &Segment) -> bool {
        segment.seq == self.acked[side.other() as usize] || segment.seq == self.ends[side as usize]
    }

    /// Whether a segment acknowledges the SYN of the other side.
    fn answers(&self, state: State, side: Direction, segment: &Segment) -> bool {
        let sent = self.ends[side.other() as usize];
        state.has_begun(side.other()) && segment.ack.is_some_and(|ack| sent.wrapping_sub(ack) <= SYN_DATA)
    }

    /// Whether a segment comes next or is in its receiver's window, and acknowledges what has been sent, and not long ago.
    #[inline(always)]
    fn is_inside(&self, side: Direction, segment: &Segment) -> bool {
        let (own, other) = (side as usize, side.other() as usize);
        let sent = self.ends[other];
        let unacknowledged = sent.wrapping_sub(self.acked[own]).wrapping_add(STALE);
        let is_new = sent.wrapping_sub(segment.ack.unwrap_or(sent)) <= unacknowledged;
        // Nearly all segments come next. Nobody guesses that number, whatever the window.
        is_new && (segment.seq == self.ends[own] || self.is_in_window(side, segment))
    }

    /// Whether a segment begins before the end of its receiver's window, and no more than a window before what has
    /// been acknowledged: that much may come again, if acknowledgements got lost.
    #[inline(always)]
    fn is_in_window(&self, side: Direction, segment: &Segment) -> bool {
        let window = self.window(side.other());
        let room = self.acked[side.other() as usize].wrapping_add(window).wrapping_sub(segment.seq);
        room <= 2 * window + STALE
    }

    /// The largest window that a side has offered, in bytes: at most a gigabyte.
    #[inline]
    fn window(&self, side: Direction) -> u32 {
        u32::from(self.windows[side as usize]) << self.scale(side)
    }

    #[inline(always)]
    fn scale(&self, side: Direction) -> u8 {
        match self.kept_scale(side) {
            // Nothing has been agreed on yet.
            NO_SCALE => 0,
            scale => scale,
        }
    }

    #[inline(always)]
    fn kept_scale(&self, side: Direction) -> u8 {
        self.scales >> (side as u8 * 4) & 0x0F
    }

    fn set_scale(&mut self, side: Direction, scale: u8) {
        self.scales = self.scales & !(0x0F << (side as u8 * 4)) | scale << (side as u8 * 4);
    }

    fn note(&mut self, side: Direction, segment: &Segment) {
        self.note_own(side, segment);
        // Only of a connection met in the middle is more acknowledged than we have seen sent.
        let other = side.other() as usize;
        self.ends[other] = later(self.ends[other], self.acked[side as usize]);
    }

    #[inline(always)]
    fn note_own(&mut self, side: Direction, segment: &Segment) {
        let own = side as usize;
        self.ends[own] = later(self.ends[own], segment.end);
        self.acked[own] = later(self.acked[own], segment.ack.unwrap_or(self.acked[own]));
        self.windows[own] = self.windows[own].max(segment.window);
    }

    /// Notes the SYN of a side, and that the other will acknowledge it at least.
    fn begin_side(&mut self, side: Direction, segment: &Segment) {
        self.ends[side as usize] = segment.end;
        self.acked[side.other() as usize] = segment.seq.wrapping_add(1);
        let scale = segment.scale.map(|scale| scale.min(LARGEST_SCALE));
        // The window of a SYN is not scaled, those that follow are.
        self.windows[side as usize] = segment.window.div_ceil(1 << scale.unwrap_or(0));
        self.set_scale(side, scale.unwrap_or(NO_SCALE));
    }

    /// Windows are scaled if both sides have said so (RFC 7323 s.2.2).
    fn agree_on_scales(&mut self) {
        let sides = [Direction::Outbound, Direction::Inbound];
        if sides.iter().all(|side| self.kept_scale(*side) != NO_SCALE) {
            return;
        }
        // Whoever has said so alone has a larger window than we have kept of it.
        for side in sides {
            if self.kept_scale(side) != NO_SCALE {
                self.windows[side as usize] = u16::MAX;
            }
        }
        self.scales = 0;
    }
}

/// The later of two sequence numbers.
#[inline]
const fn later(a: u32, b: u32) -> u32 {
    if (a.wrapping_sub(b) as i32) < 0 { b } else { a }
}

const fn by_side(side: Direction, own: u32, other: u32) -> [u32; 2] {
    match side {
        Direction::Outbound => [own, other],
        Direction::Inbound => [other, own],
    }
}
