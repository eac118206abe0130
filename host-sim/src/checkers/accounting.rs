//! Every frame is accounted for: as many were received as came, and received = forwarded + local + arp + held + each
//! reason, after every single one.

use router::Side;

use super::{Cause, Checker, Passage};

/// How many frames came by each side.
#[derive(Default)]
pub(super) struct Accounting {
    came: [u64; 2],
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
            if !summary.adds_up(side) {
                return Err(format!("the counters of the {side} do not add up:\n{summary}"));
            }
        }
        Ok(())
    }
}
