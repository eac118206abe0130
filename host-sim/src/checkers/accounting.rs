//! Every frame is accounted for: as many were received as came, and received = forwarded + local + arp + held + each
//! reason, after every single one. Nothing is held for ever.

use std::time::Duration;

use router::Side;

use super::{Cause, Checker, Passage};
use crate::time::Time;

/// Longer than anything waits, for its next hop or for the rest of its datagram.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many frames came by each side, and how many were held then, the last of them since when.
#[derive(Default)]
pub(super) struct Accounting {
    came: [u64; 2],
    held: [(u64, Time); 2],
}

impl Checker for Accounting {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let summary = passage.router.summary();
        match passage.cause {
            Cause::Frame { side, .. } => self.came[side as usize] += 1,
            // After a restart the counters begin anew.
            Cause::Operator(_) => self.came = Side::ALL.map(|side| summary.router[side as usize].received),
            Cause::Timer { .. } | Cause::LinkUp => (),
        }
        for side in Side::ALL {
            let (came, received) = (self.came[side as usize], summary.router[side as usize].received);
            if came != received {
                return Err(format!("{came} frames came by the {side}, {received} are counted"));
            }
            let held = summary.router[side as usize].held;
            let (before, since) = &mut self.held[side as usize];
            if held > *before {
                *since = passage.at;
            }
            *before = held;
            if held > 0 && *since + PATIENCE < passage.at {
                return Err(format!("{held} frames of the {side} are held since {since}"));
            }
            if !summary.adds_up(side) {
                return Err(format!("the counters of the {side} do not add up:\n{summary}"));
            }
        }
        Ok(())
    }
}
