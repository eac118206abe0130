//! An outlet: a node that is not of this world. It has a router's two jacks; what arrives at them is kept for whoever
//! carries it out of the world, and what comes back enters a link there.
//!
//! It has no time of its own and is never full: it is emptied after each event, by whoever runs the world (`live`).

use router::Side;

/// An outlet.
#[derive(Debug, Default)]
pub(crate) struct Outlet {
    arrived: Vec<(Side, Vec<u8>)>,
}

impl Outlet {
    /// Takes a frame that has arrived at one of its jacks.
    pub(crate) fn receive(&mut self, index: usize, frame: Vec<u8>) {
        self.arrived.push((Side::ALL[index], frame));
    }

    /// Gives away what has arrived, in its order.
    pub(crate) fn take(&mut self) -> Vec<(Side, Vec<u8>)> {
        core::mem::take(&mut self.arrived)
    }
}
