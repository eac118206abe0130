//! V4: nothing without a cause. A router that is woken when nothing is due says nothing.

use super::{Cause, Checker, Passage};

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
