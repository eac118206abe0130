//! V7, as far as it can be seen from outside: one cause makes no more frames than the outbox holds, and one.

use super::{Checker, Passage};

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
