//! V6: no table holds more than it has room for.

use super::{Checker, Passage};

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
