//! What a port has counted since start, reopenings included.

use core::fmt;

/// Counters of one port, in frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Received and handed on.
    pub received: u64,
    /// Dropped by the kernel because our ring or our socket was full.
    pub kernel_drops: u64,
    /// Received too large for a slot, and the rest lost because the socket was full.
    pub truncated: u64,
    /// Received with a VLAN tag, hence not ours.
    pub vlan: u64,
    /// Handed to the kernel to send.
    pub sent: u64,
    /// Not sent: the ring was full of frames that the device still holds.
    pub transmit_full: u64,
    /// Not sent: the kernel refused the frame, or the link was down.
    pub transmit_errors: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "received {} (kernel drops {}, truncated {}, vlan {}), sent {} (full {}, errors {})",
            self.received,
            self.kernel_drops,
            self.truncated,
            self.vlan,
            self.sent,
            self.transmit_full,
            self.transmit_errors
        )
    }
}
