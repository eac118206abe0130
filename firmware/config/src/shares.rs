//! How many sessions anybody may have, so that nobody takes them all (RFC 6888, REQ-4 and REQ-5).
//!
//! A share that is not set follows from the size of the box's tables, which a configuration does not know.

use core::num::NonZeroU32;

/// One of the shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The sessions that a host inside may begin.
    Host,
    /// Those that it may begin even when hardly any are left; at most what it may begin at all.
    Guaranteed,
    /// The sessions of one source outside that nobody inside has answered yet.
    HalfOpenSource,
    /// The sessions through one forward that nobody inside has answered yet.
    HalfOpenForward,
}

impl Share {
    /// Every share, in the order of a blob.
    pub const ALL: [Self; 4] = [Self::Host, Self::Guaranteed, Self::HalfOpenSource, Self::HalfOpenForward];

    /// The share's key in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Guaranteed => "guaranteed",
            Self::HalfOpenSource => "half-open-source",
            Self::HalfOpenForward => "half-open-forward",
        }
    }
}

/// All shares, in sessions. None of them is 0: a box that lets nobody do something has another setting for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    host: Option<NonZeroU32>,
    guaranteed: Option<NonZeroU32>,
    half_open_source: Option<NonZeroU32>,
    half_open_forward: Option<NonZeroU32>,
}

impl Shares {
    /// The same shares with one of them changed.
    #[must_use]
    pub const fn with(mut self, share: Share, sessions: Option<NonZeroU32>) -> Self {
        match share {
            Share::Host => self.host = sessions,
            Share::Guaranteed => self.guaranteed = sessions,
            Share::HalfOpenSource => self.half_open_source = sessions,
            Share::HalfOpenForward => self.half_open_forward = sessions,
        }
        self
    }

    /// One share; `None` if it is not set.
    pub const fn sessions(self, share: Share) -> Option<NonZeroU32> {
        match share {
            Share::Host => self.host,
            Share::Guaranteed => self.guaranteed,
            Share::HalfOpenSource => self.half_open_source,
            Share::HalfOpenForward => self.half_open_forward,
        }
    }
}
