//! Payload untouched: of a packet that goes on nothing changes but addresses, ports, time to live, checksums, the segment
//! size of a SYN, the identification of what comes from inside and may be fragmented, and what is recorded in options.
//! Padding behind it is zero (A24).

use router::Side;

use super::{Checker, Passage, View};
use crate::wire::{ICMP, TCP, UDP};

/// Options that routers write into (RFC 791).
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;

pub(super) struct Payload;

impl Checker for Payload {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let Some((from, before, Some((_, after)))) = passage.packet() else { return Ok(()) };
        if after.padding.iter().any(|byte| *byte != 0) {
            return Err("what is behind a packet leaves with it".to_owned());
        }
        if before.bytes.len() != after.bytes.len() {
            return Err(format!("{} bytes came, {} leave", before.bytes.len(), after.bytes.len()));
        }
        let may_change = changeable(&before, from);
        let header = before.header().len();
        for (at, (old, new)) in before.bytes.iter().zip(after.bytes).enumerate() {
            if old != new && !may_change(at, header) {
                return Err(format!("byte {at} has become {new:#04x}, from {old:#04x}"));
            }
        }
        Ok(())
    }
}

/// Which bytes of a packet may change, counted from its beginning, given where its transport begins.
fn changeable(before: &View<'_>, from: Side) -> impl Fn(usize, usize) -> bool {
    let must_stay_whole = before.word(6) & 0x4000 != 0;
    let gets_id = from == Side::Lan && (before.is_fragment() || !must_stay_whole);
    let options = before.header().get(20..).unwrap_or_default();
    let records = napt::Options(options).any(|option| matches!(option.kind, RECORD_ROUTE | TIMESTAMP));
    let (protocol, first, error) = (before.protocol(), before.is_first(), before.is_error());
    let syn = protocol == TCP && before.transport().get(13).is_some_and(|flags| flags & 2 != 0);
    let tcp_options = 20..usize::from(before.transport().get(12).map_or(0, |offset| offset >> 4)) * 4;
    move |at, header| {
        if at < header {
            return matches!(at, 8 | 10..20) || (gets_id && matches!(at, 4 | 5)) || (records && at >= 20);
        }
        let at = at - header;
        match protocol {
            _ if !first => false,
            // Checksum, and of the quoted packet its header and the beginning of its transport.
            ICMP if error => matches!(at, 2 | 3 | 8..),
            ICMP => matches!(at, 2..6),
            TCP => matches!(at, 0..4 | 16 | 17) || (syn && tcp_options.contains(&at)),
            UDP => matches!(at, 0..4 | 6 | 7),
            // DCCP and UDP-Lite have a checksum over addresses.
            33 | 136 => matches!(at, 6 | 7),
            _ => false,
        }
    }
}
