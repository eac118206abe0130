//! V1: nothing leaves by the wan with another source than the wan's own address, nor speaks ARP for another; and the box
//! speaks ARP on the lan for its address there alone.

use router::Side;

use super::{Checker, Passage, View};
use crate::checks;

pub(super) struct Sources;

impl Checker for Sources {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let config = passage.router.config();
        for (side, departure) in passage.sent() {
            let own = match side {
                Side::Lan => config.lan().address().address(),
                Side::Wan => config.wan().address().address(),
            };
            let source = match View::of(&departure.frame) {
                Some(_) if side == Side::Lan => continue,
                Some(packet) => Some(packet.source()),
                None => checks::addresses(&departure.frame).first().copied(),
            };
            if let Some(other) = source.filter(|source| *source != own) {
                return Err(format!("a frame leaves by the {side} from {other}, not {own}"));
            }
        }
        Ok(())
    }
}
