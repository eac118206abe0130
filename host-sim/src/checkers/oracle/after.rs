//! A packet as the engine has left it.

use napt::Verdict;

use super::ETHERNET;
use crate::checkers::view::header_error;
use crate::checkers::{Passage, View};

/// What has become of a packet, as far as the engine is concerned.
pub(super) fn after(passage: &Passage<'_, '_>, verdict: Verdict, before: &View<'_>) -> Vec<u8> {
    // Of what is for the box itself the answer may have been made, where it lies.
    if verdict == Verdict::Local {
        return before.bytes.to_vec();
    }
    let sent = passage.out.iter().find(|departure| departure.packet.is_some());
    let frame = sent.map_or(passage.router.left(), |sent| &sent.frame);
    let mut after = frame.get(ETHERNET..).unwrap_or_default().to_vec();
    after.truncate(before.bytes.len());
    if matches!(verdict, Verdict::Forward(_)) {
        take_back_marks(&mut after, before.header());
    }
    after
}

/// The packet in a frame, if it may be what became of a fragment.
pub(super) fn translated<'a>(fragment: &[u8], frame: &'a [u8]) -> Option<&'a [u8]> {
    let after = View::of(frame)?.bytes;
    let is_it = after.len() == fragment.len() && after[6..8] == fragment[6..8] && after[9] == fragment[9];
    is_it.then_some(after)
}

/// Takes back what the router has written into the options of a packet that had this header. It has left the header's
/// checksum right, or another rule says so.
fn take_back_marks(after: &mut [u8], before: &[u8]) {
    let Some(header) = after.get_mut(..before.len()).filter(|header| header[20..] != before[20..]) else {
        return;
    };
    header[20..].copy_from_slice(&before[20..]);
    header[10..12].fill(0);
    let checksum = header_error(header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}
