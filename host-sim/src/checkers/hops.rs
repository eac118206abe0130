//! V3: a packet that goes on has come one hop further.

use super::{Checker, Passage};

pub(super) struct Hops;

impl Checker for Hops {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let Some((_, before, Some((_, after)))) = passage.packet() else { return Ok(()) };
        let (came, left) = (before.ttl(), after.ttl());
        if came > 1 && left == came - 1 {
            Ok(())
        } else {
            Err(format!("came with {came} hops, leaves with {left}"))
        }
    }
}
