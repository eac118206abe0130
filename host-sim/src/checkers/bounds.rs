//! V4, V6 and V7: nothing without a cause, nothing beyond what there is room for, and never much at once.

use super::{Cause, Checker, Passage};

/// V4: a router that is woken when nothing is due says nothing.
pub(super) struct Causes;

impl Checker for Causes {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let Cause::Timer { due } = passage.cause else { return Ok(()) };
        let now = passage.router.clock(passage.at);
        if due.is_none_or(|due| due > now) && !passage.out.is_empty() {
            return Err(format!("{} frames leave, and nothing was due", passage.out.len()));
        }
        Ok(())
    }
}

/// V6: no table holds more than it has room for.
pub(super) struct Capacity;

impl Checker for Capacity {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let occupancy = passage.router.summary().occupancy;
        if occupancy.sessions.max(occupancy.mappings) > occupancy.capacity {
            return Err(format!("the tables hold {occupancy:?}"));
        }
        Ok(())
    }
}

/// V7, as far as it can be seen from outside: one cause makes no more frames than the outbox holds, and one.
pub(super) struct Work;

/// The frame itself, and what `router` has room for.
const FRAMES: usize = 1 + 64;

impl Checker for Work {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        match passage.out.len() {
            0..=FRAMES => Ok(()),
            more => Err(format!("{more} frames leave at once")),
        }
    }
}
