//! V1: nothing leaves by the wan with another source than the wan's own address, nor speaks ARP for another; and the box
//! speaks ARP on the lan for its address there alone. It answers ARP when it is asked for its own address, and only then.

use std::net::Ipv4Addr;

use router::Side;

use super::{Cause, Checker, Passage, View};
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
            if is_answer(&departure.frame) && !asks_for(passage, own) {
                return Err(format!("an answer leaves by the {side} that nobody has asked for"));
            }
            if let Some(other) = source.filter(|source| *source != own) {
                return Err(format!("a frame leaves by the {side} from {other}, not {own}"));
            }
        }
        Ok(())
    }
}

/// Whether a frame is ARP's answer.
fn is_answer(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 6]) && frame.get(20..22) == Some(&[0, 2])
}

/// Whether the frame that came is ARP's question for an address.
fn asks_for(passage: &Passage<'_, '_>, own: Ipv4Addr) -> bool {
    let Cause::Frame { before, .. } = passage.cause else { return false };
    before.get(20..22) == Some(&[0, 1]) && checks::addresses(before).get(1) == Some(&own)
}
