//! TCP connections as a NAT sees them (RFC 6146 s.3.5.2.2, RFC 7857 s.2, RFC 5382 REQ-5), in rules instead of a table.
//!
//! * A connection is *opening* until both sides have agreed to it: the outside has answered our SYN with a SYN-ACK, or
//!   anything of it that acknowledges has come after SYNs of both sides, or after a segment in mid-connection.
//! * It is *open* until both sides have sent their FIN, or either a RST; then it is *closing*. So is what the inside
//!   ends before it has opened, or either side before anybody knows how it began.
//! * A SYN begins it anew when it is closing, and nothing else does.
//!
//! Windows are not looked at; this is the place for them, and for what a RST has to prove.

/// What matters about a segment's flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
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

impl Segment {
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

/// The direction of a segment across the NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From inside.
    Out,
    /// From outside.
    In,
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
    syn: [bool; 2],
    fin: [bool; 2],
    mid: bool,
}

impl Connection {
    /// A connection that begins with a segment; `None` if none does (C26, M13).
    pub fn begin(way: Way, segment: Segment) -> Option<Self> {
        match (segment, way) {
            (Segment::Syn, _) => Some(NEW.after(way, segment)),
            (Segment::Ack | Segment::Fin, Way::Out) => Some(Self { mid: true, ..NEW }.after(way, segment)),
            _ => None,
        }
    }

    /// The connection after a segment.
    pub fn after(mut self, way: Way, segment: Segment) -> Self {
        match (self.phase, segment) {
            (_, Segment::Rst) => self.to(Phase::Closing),
            (Phase::Closing, Segment::Syn) => NEW.after(way, segment),
            (Phase::Closing, _) => self,
            (Phase::Opening, _) => self.opening(way, segment),
            (Phase::Open, Segment::Fin) => {
                self.fin[way as usize] = true;
                if self.fin == [true; 2] { self.to(Phase::Closing) } else { self }
            }
            (Phase::Open, _) => self,
        }
    }

    fn opening(mut self, way: Way, segment: Segment) -> Self {
        let [ours, theirs] = self.syn;
        match (segment, way) {
            (Segment::Syn, Way::Out) if self.mid => NEW.after(way, segment),
            (Segment::Syn | Segment::SynAck, _) if self.mid => self,
            (Segment::Syn, _) => self.with_syn(way),
            (Segment::SynAck, Way::Out) => self.with_syn(way),
            (Segment::SynAck, Way::In) if ours => self.to(Phase::Open),
            (Segment::Ack, Way::In) if self.mid || (ours && theirs) => self.to(Phase::Open),
            // Whoever ends what has not opened does not open it.
            (Segment::Fin, Way::Out) if self.mid || ours => self.to(Phase::Closing),
            (Segment::Fin, Way::In) if self.mid => self.to(Phase::Closing),
            (Segment::Fin, Way::In) if ours && theirs => {
                self.fin[way as usize] = true;
                self.to(Phase::Open)
            }
            _ => self,
        }
    }

    fn to(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    fn with_syn(mut self, way: Way) -> Self {
        self.syn[way as usize] = true;
        self
    }

    /// Whether the segment that made `self` of `before` restarts the timer: from outside only one that opens a
    /// connection or closes an open one (T12), from inside any but the retries of an opening (C23).
    pub fn refreshed(&self, way: Way, before: &Self) -> bool {
        match way {
            Way::Out => self.phase != Phase::Opening || self != before,
            Way::In => (self.phase == Phase::Open) != (before.phase == Phase::Open),
        }
    }

    /// Whether both sides have sent their SYN, and the outside has yet to answer ours.
    pub fn is_half_agreed(&self) -> bool {
        self.phase == Phase::Opening && self.syn == [true; 2]
    }
}

const NEW: Connection = Connection { phase: Phase::Opening, syn: [false; 2], fin: [false; 2], mid: false };
