//! TCP options (RFC 9293 s.3.1), of which two concern us: the window scale and the maximum segment size of a SYN.
//!
//! A list that contradicts itself ends where it does: what is behind that was not said.

use core::ops::Range;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;

/// The length of a TCP header's options.
pub(crate) fn len(header: &[u8; 20]) -> usize {
    (usize::from(header[12] >> 4) * 4).saturating_sub(header.len())
}

/// The shift of the window scale option (RFC 7323 s.2.2).
pub(crate) fn window_scale(options: &[u8]) -> Option<u8> {
    match options.get(find(options, WINDOW_SCALE)?)? {
        [scale] => Some(*scale),
        _ => None,
    }
}

/// Where the value of the maximum segment size option lies (RFC 9293 s.3.7.1); at an odd place, perhaps.
pub(crate) fn segment_size(options: &[u8]) -> Option<Range<usize>> {
    find(options, SEGMENT_SIZE).filter(|value| value.len() == 2)
}

/// Where the value of the first option of a kind lies.
fn find(options: &[u8], wanted: u8) -> Option<Range<usize>> {
    let mut at = 0;
    loop {
        match *options.get(at)? {
            END => return None,
            NO_OPERATION => at += 1,
            kind => {
                let len = usize::from(*options.get(at + 1)?);
                let value = at + 2..at + len;
                options.get(value.clone())?;
                if kind == wanted {
                    return Some(value);
                }
                at += len;
            }
        }
    }
}
