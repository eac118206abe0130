//! TCP tracking, as a table (RFC 6146 s.3.5.2.2, RFC 7857 s.2, RFC 5382 REQ-2 and REQ-5).
//!
//! A session's state says how long it may idle and what a SYN may do to it. Which segments may move it at all is the
//! business of `streams`. Two deviations from RFC 6146, both towards caution: a connection that was opened from outside
//! is established only when the outside has answered our SYN-ACK, so that forged SYNs hold a session for minutes, not
//! hours; and what follows a RST other than a SYN does not bring the session back (the rule VPP arrived at, because a
//! FIN, ACK, ACK, RST close otherwise left sessions established), it only keeps the closing timer running.

/// The flags of a segment, as tracking sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flags {
    Syn,
    SynAck,
    Ack,
    Fin,
    Rst,
}

impl Flags {
    /// Whether a flags octet is [`Flags::Ack`]'s.
    #[inline(always)]
    pub(crate) const fn is_ack(octet: u8) -> bool {
        octet & (FIN | SYN | RST | ACK) == ACK
    }

    /// Sorts a flags octet; `None` for combinations that no connection sends (C28). ECN, URG and PSH do not matter.
    #[inline]
    pub(crate) const fn new(octet: u8) -> Option<Self> {
        const RST_ACK: u8 = RST | ACK;
        const SYN_ACK: u8 = SYN | ACK;
        const FIN_ACK: u8 = FIN | ACK;
        match octet & (FIN | SYN | RST | ACK) {
            ACK => Some(Self::Ack),
            SYN => Some(Self::Syn),
            SYN_ACK => Some(Self::SynAck),
            FIN_ACK => Some(Self::Fin),
            RST | RST_ACK => Some(Self::Rst),
            _ => None,
        }
    }
}

const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

/// What tracking knows of one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) flags: Flags,
    /// Its first sequence number.
    pub(crate) seq: u32,
    /// The sequence number after its last, SYN and FIN counted.
    pub(crate) end: u32,
    /// What it acknowledges, if anything. Only a SYN and some RSTs acknowledge nothing.
    pub(crate) ack: Option<u32>,
    /// The window it offers, before scaling.
    pub(crate) window: u16,
    /// The window scale option of a SYN or SYN-ACK (RFC 7323 s.2.2).
    pub(crate) scale: Option<u8>,
}

/// The direction of a segment across the NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Outbound,
    Inbound,
}

impl Direction {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Outbound => Self::Inbound,
            Self::Inbound => Self::Outbound,
        }
    }
}

/// The state of a connection. `Out` and `In` say who began, or who has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// A SYN has gone out.
    SynOut,
    /// A SYN has come in, through a forward or an open filter.
    SynIn,
    /// Both sides have sent a SYN; ours is not yet acknowledged.
    SynBoth,
    /// Met in the middle, from inside: this box was restarted, or the session had expired.
    PickedUp,
    /// Both sides have answered.
    Established,
    /// The inside has finished sending.
    FinOut,
    /// The outside has finished sending.
    FinIn,
    /// Both have.
    FinBoth,
    /// A RST has passed.
    Reset,
}

/// Which of the configured timers a state runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Opening,
    Established,
    Closing,
}

impl State {
    /// How many there are.
    pub const COUNT: usize = 9;

    /// Each of them.
    pub const ALL: [Self; Self::COUNT] = [
        Self::SynOut,
        Self::SynIn,
        Self::SynBoth,
        Self::PickedUp,
        Self::Established,
        Self::FinOut,
        Self::FinIn,
        Self::FinBoth,
        Self::Reset,
    ];

    /// What each is called where sessions are listed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SynOut => "syn out",
            Self::SynIn => "syn in",
            Self::SynBoth => "syn both",
            Self::PickedUp => "picked up",
            Self::Established => "established",
            Self::FinOut => "fin out",
            Self::FinIn => "fin in",
            Self::FinBoth => "fin both",
            Self::Reset => "reset",
        }
    }

    /// The state of a session that begins with a segment; `None` if it cannot begin one. From inside, a segment in
    /// mid-connection may (C26), and closes its half at once if it is a FIN; from outside, only a SYN (M13).
    pub(crate) const fn first(direction: Direction, flags: Flags) -> Option<Self> {
        match (direction, flags) {
            (Direction::Outbound, Flags::Syn) => Some(Self::SynOut),
            (Direction::Inbound, Flags::Syn) => Some(Self::SynIn),
            (Direction::Outbound, Flags::Ack) => Some(Self::PickedUp),
            (Direction::Outbound, Flags::Fin) => Some(Self::PickedUp.next(direction, flags)),
            _ => None,
        }
    }

    /// The state after a segment.
    #[inline]
    pub(crate) const fn next(self, direction: Direction, flags: Flags) -> Self {
        NEXT[self as usize][flags as usize * 2 + direction as usize]
    }

    /// The timer this state runs on.
    pub(crate) const fn phase(self) -> Phase {
        match self {
            Self::SynOut | Self::SynIn | Self::SynBoth | Self::PickedUp => Phase::Opening,
            // RFC 6146 keeps the long timer for a connection that is closed on one side only: half-closed is not idle.
            Self::Established | Self::FinOut | Self::FinIn => Phase::Established,
            Self::FinBoth | Self::Reset => Phase::Closing,
        }
    }

    /// Whether a side has begun its half of the connection, as far as we have seen.
    pub(crate) const fn has_begun(self, side: Direction) -> bool {
        match self {
            Self::SynOut | Self::PickedUp => matches!(side, Direction::Outbound),
            Self::SynIn => matches!(side, Direction::Inbound),
            _ => true,
        }
    }

    /// Whether SYNs are still being exchanged.
    pub(crate) const fn is_opening(self) -> bool {
        matches!(self, Self::SynOut | Self::SynIn | Self::SynBoth)
    }

    /// Whether a segment restarts the timer: an outbound one that changes the state, or any but a RST (RFC 7857 s.7.1)
    /// once the connection has opened, so that retries alone do not keep an unanswered session alive (C23); an inbound
    /// one only if with it the connection opens or closes, so that nobody outside keeps one alive alone (T12).
    #[inline]
    pub(crate) fn refreshes(self, next: Self, direction: Direction, flags: Flags) -> bool {
        match direction {
            Direction::Outbound => self != next || (self.phase() != Phase::Opening && flags != Flags::Rst),
            Direction::Inbound => self.is_open() != next.is_open(),
        }
    }

    /// Whether both sides have answered, and not both have finished.
    #[inline]
    pub(crate) fn is_open(self) -> bool {
        self.phase() == Phase::Established
    }
}

/// The state after a segment, by state, flags and direction (`>` outbound, `<` inbound). Only a SYN leads out of `Rst`;
/// RFC 6146 s.3.5.2.2 would let any segment lead back to `Est`.
#[rustfmt::skip]
const NEXT: [[State; 10]; State::COUNT] = {
    use State::{
        Established as Est, FinBoth as Fbo, FinIn as Fin, FinOut as Fou, PickedUp as Pup, Reset as Rst,
        SynBoth as Sbo, SynIn as Sin, SynOut as Sou,
    };
    [
        //            SYN>  SYN<  S+A>  S+A<  ACK>  ACK<  FIN>  FIN<  RST>  RST<
        /* Sou */ [   Sou,  Sbo,  Sou,  Est,  Sou,  Sou,  Sou,  Sou,  Rst,  Rst ],
        /* Sin */ [   Sbo,  Sin,  Sbo,  Sin,  Sin,  Sin,  Sin,  Sin,  Rst,  Rst ],
        /* Sbo */ [   Sbo,  Sbo,  Sbo,  Est,  Sbo,  Est,  Sbo,  Fin,  Rst,  Rst ],
        /* Pup */ [   Sou,  Pup,  Pup,  Pup,  Pup,  Est,  Fbo,  Fbo,  Rst,  Rst ],
        /* Est */ [   Est,  Est,  Est,  Est,  Est,  Est,  Fou,  Fin,  Rst,  Rst ],
        /* Fou */ [   Fou,  Fou,  Fou,  Fou,  Fou,  Fou,  Fou,  Fbo,  Rst,  Rst ],
        /* Fin */ [   Fin,  Fin,  Fin,  Fin,  Fin,  Fin,  Fbo,  Fin,  Rst,  Rst ],
        /* Fbo */ [   Sou,  Sin,  Fbo,  Fbo,  Fbo,  Fbo,  Fbo,  Fbo,  Fbo,  Fbo ],
        /* Rst */ [   Sou,  Sin,  Rst,  Rst,  Rst,  Rst,  Rst,  Rst,  Rst,  Rst ],
    ]
};
