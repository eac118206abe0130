//! A link: what is sent at one end arrives at the other.

use core::time::Duration;

use crate::node::Jack;

/// A cable between two jacks. Frames keep their order, and none is lost.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Its two ends.
    pub ends: [Jack; 2],
    /// How long a frame is under way.
    pub delay: Duration,
}

impl Link {
    /// Where a frame comes out that was sent at `from`; `None` if the link does not end there.
    pub(crate) fn opposite(&self, from: Jack) -> Option<Jack> {
        match self.ends {
            [one, other] if one == from => Some(other),
            [one, other] if other == from => Some(one),
            _ => None,
        }
    }
}
