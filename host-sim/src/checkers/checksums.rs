//! V2: a header checksum that leaves is right; a transport's is as right, or as wrong, as it came, and right in what the
//! box sends itself.

use router::Side;

use super::{Checker, Passage, View};

pub(super) struct Checksums;

impl Checker for Checksums {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        for (side, departure) in passage.sent() {
            let Some(packet) = View::of(&departure.frame) else { continue };
            if packet.header_error() != 0 {
                return Err(format!("a header leaves by the {side} with a wrong checksum"));
            }
            let inside = passage.router.config().lan().address().address();
            let is_own = side == Side::Lan && packet.source() == inside;
            if is_own && packet.transport_error().is_some_and(|error| error != 0) {
                return Err("what the box says inside has a wrong checksum".to_owned());
            }
        }
        // What came early or waited leaves among the box's own packets, so nothing is known of how it came.
        let Some((_, before, Some((_, after)))) = passage.packet() else { return Ok(()) };
        match (before.transport_error(), after.transport_error()) {
            (Some(before), Some(after)) if before != after => {
                Err(format!("a checksum came {before:#06x} from right and leaves {after:#06x} from it"))
            }
            _ => Ok(()),
        }
    }
}
