//! The options of an IPv4 header (RFC 791 s.3.1) and of a TCP header (RFC 9293 s.3.1), which are written alike.
//!
//! A list that contradicts itself ends where it does: what is behind that was not said.

use core::ops::Range;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const LOOSE_SOURCE_ROUTE: u8 = 131;
const STRICT_SOURCE_ROUTE: u8 = 137;
const SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;

/// A list of options, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a>(pub &'a [u8]);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct HeaderOption<'a> {
    /// Which it is.
    pub kind: u8,
    /// All of it, kind and length included; `None` if its length cannot be, and then it is the last.
    pub bytes: Option<&'a [u8]>,
}

impl HeaderOption<'_> {
    /// Whether it is a source route, loose or strict.
    pub const fn is_source_route(&self) -> bool {
        matches!(self.kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE)
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = HeaderOption<'a>;

    fn next(&mut self) -> Option<HeaderOption<'a>> {
        let (kind, len) = match self.0 {
            [] | [END, ..] => return None,
            [NO_OPERATION, ..] => (NO_OPERATION, 1),
            [kind, len, ..] if *len >= 2 => (*kind, usize::from(*len)),
            [kind, ..] => (*kind, usize::MAX),
        };
        let split = self.0.split_at_checked(len);
        self.0 = split.map_or(&[], |(_, rest)| rest);
        Some(HeaderOption { kind, bytes: split.map(|(option, _)| option) })
    }
}

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
    for option in Options(options) {
        let end = at + option.bytes?.len();
        if option.kind == wanted {
            return Some(at + 2..end);
        }
        at = end;
    }
    None
}
