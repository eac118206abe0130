//! TCP connections as a NAT sees them (RFC 6146 s.3.5.2.2, RFC 7857 s.2, RFC 5382 REQ-5), in rules instead of a table.
//!
//! * A connection is *opening* until both sides have agreed to it: the outside has answered our SYN with a SYN-ACK, or
//!   anything of it that acknowledges has come after SYNs of both sides, or after a segment in mid-connection.
//! * It is *open* until both sides have sent their FIN, or either a RST; then it is *closing*. So is what either side
//!   ends before anybody knows how it began.
//! * A SYN begins it anew when it is closing, and nothing else does.
//!
//! Only a segment that fits into the connection's windows moves it at all: see `streams`.

use super::streams::Streams;

/// What matters about a segment's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SYN alone.
    Syn,
    /// SYN with ACK.
    SynAck,
    /// ACK, with or without data.
    Ack,
    /// FIN, with ACK.
    Fin,
    /// RST, with or without ACK.
    Rst,
}

impl Kind {
    /// `None` for flags that no connection sends (C28).
    pub fn of_flags(flags: u8) -> Option<Self> {
        let [fin, syn, rst, ack] = [1, 2, 4, 16].map(|bit| flags & bit != 0);
        match (syn, fin, rst, ack) {
            (true, false, false, false) => Some(Self::Syn),
            (true, false, false, true) => Some(Self::SynAck),
            (false, false, false, true) => Some(Self::Ack),
            (false, true, false, true) => Some(Self::Fin),
            (false, false, true, _) => Some(Self::Rst),
            _ => None,
        }
    }
}

/// A segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Its flags.
    pub kind: Kind,
    /// Its first sequence number.
    pub first: u32,
    /// The sequence number after its last.
    pub next: u32,
    /// What it acknowledges.
    pub ack: Option<u32>,
    /// The window it offers, as it is written.
    pub window: u16,
    /// The scale that a SYN announces for those to come.
    pub scale: Option<u8>,
}

impl Segment {
    pub(super) fn new(
        kind: Kind,
        flags: u8,
        (first, ack): (u32, u32),
        data: u32,
        window: u16,
        scale: Option<u8>,
    ) -> Self {
        let counts = u32::from([Kind::Syn, Kind::SynAck, Kind::Fin].contains(&kind));
        let scale = scale.filter(|_| [Kind::Syn, Kind::SynAck].contains(&kind));
        let ack = (flags & 16 != 0).then_some(ack);
        Self { kind, first, next: first.wrapping_add(data).wrapping_add(counts), ack, window, scale }
    }
}

/// The direction of a segment across the NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From inside.
    Out,
    /// From outside.
    In,
}

impl Way {
    pub(super) fn back(self) -> Self {
        if self == Self::Out { Self::In } else { Self::Out }
    }
}

/// Which timer a connection runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Not agreed to by both sides.
    Opening,
    /// Agreed to, and open in one direction at least.
    Open,
    /// Closed on both sides, or reset.
    Closing,
}

/// What is known of a connection; of the two directions, out and in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection {
    /// Its timer.
    pub phase: Phase,
    /// Who has sent a SYN.
    pub(super) syn: [bool; 2],
    fin: [bool; 2],
    /// Whether it began before we saw it, and the outside has yet to be heard of.
    pub(super) mid: bool,
}

impl Connection {
    /// A connection that begins with a segment, and its streams; `None` if none does (C26, M13).
    pub fn begin(way: Way, segment: &Segment) -> Option<(Self, Streams)> {
        let connection = match (segment.kind, way) {
            (Kind::Syn, _) => NEW.after(way, segment.kind),
            (Kind::Ack | Kind::Fin, Way::Out) => Self { mid: true, ..NEW }.after(way, segment.kind),
            _ => return None,
        };
        Some((connection, Streams::begin(way, segment)))
    }

    /// The connection after a segment that fits.
    pub fn after(mut self, way: Way, segment: Kind) -> Self {
        match (self.phase, segment) {
            (_, Kind::Rst) => self.to(Phase::Closing),
            (Phase::Closing, Kind::Syn) => NEW.after(way, segment),
            (Phase::Closing, _) => self,
            (Phase::Opening, _) => self.opening(way, segment),
            (Phase::Open, Kind::Fin) => {
                self.fin[way as usize] = true;
                if self.fin == [true; 2] { self.to(Phase::Closing) } else { self }
            }
            (Phase::Open, _) => self,
        }
    }

    fn opening(mut self, way: Way, segment: Kind) -> Self {
        let [ours, theirs] = self.syn;
        match (segment, way) {
            (Kind::Syn, Way::Out) if self.mid => NEW.after(way, segment),
            (Kind::Syn | Kind::SynAck, _) if self.mid => self,
            (Kind::Syn, _) => self.with_syn(way),
            (Kind::SynAck, Way::Out) => self.with_syn(way),
            (Kind::SynAck, Way::In) if ours => self.to(Phase::Open),
            (Kind::Ack, Way::In) if self.mid || (ours && theirs) => self.to(Phase::Open),
            (Kind::Fin, _) if self.mid => self.to(Phase::Closing),
            // The outside's acknowledges our SYN; ours before that opens nothing.
            (Kind::Fin, Way::In) if ours && theirs => {
                self.fin[way as usize] = true;
                self.to(Phase::Open)
            }
            _ => self,
        }
    }

    fn to(self, phase: Phase) -> Self {
        Self { phase, mid: self.mid && phase == Phase::Opening, ..self }
    }

    fn with_syn(mut self, way: Way) -> Self {
        self.syn[way as usize] = true;
        self
    }

    /// Whether the segment that made `self` of `before` restarts the timer: from outside only one that opens a
    /// connection or closes an open one (T12), from inside any but the retries of an opening (C23) and of a RST
    /// (RFC 7857 s.7.1).
    pub fn refreshed(&self, way: Way, segment: Kind, before: &Self) -> bool {
        match way {
            Way::Out => self != before || (self.phase != Phase::Opening && segment != Kind::Rst),
            Way::In => (self.phase == Phase::Open) != (before.phase == Phase::Open),
        }
    }

    /// Whether SYNs are being exchanged.
    pub(super) fn is_beginning(&self) -> bool {
        self.phase == Phase::Opening && !self.mid
    }

    /// Whether a side has begun its half, as far as we have seen.
    pub(super) fn has_begun(&self, way: Way) -> bool {
        match self.phase {
            Phase::Opening if self.mid => way == Way::Out,
            Phase::Opening => self.syn[way as usize],
            _ => true,
        }
    }

    /// Whether either side has finished, or both.
    pub(super) fn is_ending(&self) -> bool {
        self.phase == Phase::Closing || self.fin != [false; 2]
    }
}

const NEW: Connection = Connection { phase: Phase::Opening, syn: [false; 2], fin: [false; 2], mid: false };
