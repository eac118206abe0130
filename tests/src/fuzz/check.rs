//! What must hold of every packet that the engine has met: V1 to V3 of ARCHITECTURE.md, and that nothing changes which
//! must not.

use napt::{Checksum, Realm};

use super::wire::{
    DCCP, ICMP, OUTSIDE, TCP, UDP, UDP_LITE, destination, folded, header_len, is_error, is_fragment,
    pseudo_sum, source, sum, total_len, transport_sum, word,
};

/// A packet that was forwarded, and as what.
#[derive(Clone, Copy, Debug)]
pub struct Passed<'a> {
    pub before: &'a [u8],
    pub after: &'a [u8],
    pub from: Realm,
    pub to: Realm,
    pub checksum: Checksum,
}

/// Panics if something about the packet is not as it must be.
#[track_caller]
pub fn check(passed: Passed<'_>) {
    let Passed { before, after, from, to, checksum } = passed;
    check_header(before, after);
    let may_be_cut = is_fragment(before) || (from == Realm::Internal && before[6] & 0x40 == 0);
    assert!(may_be_cut || before[4..6] == after[4..6], "the identification of what stays whole stays");
    if from == Realm::Internal {
        assert_eq!(source(after), OUTSIDE, "V1: what comes from inside has our address");
    } else {
        assert_eq!((source(after), to), (source(before), Realm::Internal), "inbound, the source stays");
    }
    if to == Realm::External {
        assert_eq!(destination(after), destination(before), "outbound, the destination stays");
    }
    assert_eq!(before[total_len(before)..], after[total_len(before)..], "what is behind the packet stays");
    let (before, after) = (&before[..total_len(before)], &after[..total_len(before)]);
    if is_fragment(before) && word(before, 6) & 0x1FFF != 0 {
        assert_eq!(before[header_len(before)..], after[header_len(before)..], "there is no header in there");
    } else if is_error(before) {
        check_error(before, after, to);
    } else {
        check_transport(before, after, checksum);
    }
}

fn check_header(before: &[u8], after: &[u8]) {
    let len = header_len(before);
    assert_eq!(before.len(), after.len());
    assert_eq!(before[..4], after[..4], "version, lengths, DSCP and ECN stay");
    assert_eq!(before[6..8], after[6..8], "the fragment fields stay");
    assert!(before[8] > 1 && after[8] == before[8] - 1, "V3: the hop is counted");
    assert_eq!(before[9], after[9]);
    assert_eq!(before[20..len], after[20..len], "options stay");
    assert_eq!(folded(sum(&after[..len])), 0xFFFF, "V2: the header checksum is right");
}

/// Of a transport header, only ports and checksum change, and what a SYN says of its segments; the checksum is right if,
/// and only if, it came right.
fn check_transport(before: &[u8], after: &[u8], checksum: Checksum) {
    let start = header_len(before);
    let (old, new) = (&before[start..], &after[start..]);
    let (ports, field) = match before[9] {
        TCP => (0..4, 16),
        UDP => (0..4, 6),
        ICMP => (4..6, 2),
        DCCP | UDP_LITE => (0..0, 6),
        _ => return assert_eq!(old, new, "of other protocols, nothing but the addresses changes"),
    };
    let options = if before[9] == TCP && old[13] & 2 != 0 { 20..usize::from(old[12] >> 4) * 4 } else { 0..0 };
    let fixed = |at: &usize| !ports.contains(at) && !(field..field + 2).contains(at) && !options.contains(at);
    assert!((0..old.len()).filter(fixed).all(|at| old[at] == new[at]), "nothing else changes");
    check_options(old.get(options.clone()), new.get(options));
    if before[9] == UDP && checksum == Checksum::Complete {
        assert_eq!(word(old, 6) == 0, word(new, 6) == 0, "K02, K03: no checksum stays none");
    }
    if !is_fragment(before) && matches!(before[9], ICMP | TCP | UDP) {
        assert_eq!(error_in(before, checksum), error_in(after, checksum), "V2, K04: as right as it came");
    }
}

/// Of a SYN's options, only the two bytes of a maximum segment size change, and that only becomes smaller (R19).
fn check_options(old: Option<&[u8]>, new: Option<&[u8]>) {
    let (Some(old), Some(new)) = (old, new) else { return };
    let changed: Vec<_> = (0..old.len()).filter(|at| old[*at] != new[*at]).collect();
    let Some(first) = changed.first() else { return };
    let at = [2, 3].into_iter().filter_map(|back| first.checked_sub(back));
    let is_size = |at: &usize| old.get(*at..at + 2) == Some(&[2, 4]) && changed.iter().all(|n| n - at < 4);
    let at = at.into_iter().find(is_size).expect("nothing but the segment size changes");
    assert!(word(new, at + 2) < word(old, at + 2), "the segment size only becomes smaller");
}

/// How far the transport checksum is from right: 0 is right. What a packet says is missing is not wrong.
fn error_in(packet: &[u8], checksum: Checksum) -> u16 {
    let start = header_len(packet);
    let len = packet.len() - start;
    let field = |at| word(packet, start + at);
    let error = match (packet[9], checksum) {
        (UDP, Checksum::Complete) if field(6) == 0 => return 0,
        (UDP, Checksum::Complete) => transport_sum(packet, usize::from(field(4))),
        (UDP, Checksum::Partial) => pseudo_sum(packet, len) + u64::from(!field(6)),
        (TCP, Checksum::Partial) => pseudo_sum(packet, len) + u64::from(!field(16)),
        _ => transport_sum(packet, len),
    };
    // Two zeros: 0xFFFF and 0 are the same number.
    !folded(error) % 0xFFFF
}

/// Of an ICMP error, the checksum and the quoted packet change; of that, addresses, ports and checksums.
fn check_error(before: &[u8], after: &[u8], to: Realm) {
    let start = header_len(before);
    let (old, new) = (&before[start..], &after[start..]);
    assert_eq!((&old[..2], &old[4..8]), (&new[..2], &new[4..8]), "RFC 5508 REQ-4b: type, code and rest stay");
    assert!(is_fragment(before) || folded(sum(new)) == 0xFFFF, "I06: the outer checksum is right");
    let (old, new) = (&old[8..], &new[8..]);
    assert_eq!(source(old), destination(before), "I15: an error goes to the quoted packet's sender");
    let inner = header_len(old);
    assert_eq!(folded(sum(&new[..inner])), 0xFFFF, "I05: the quoted header's checksum is right");
    assert_eq!((&old[..10], &old[20..inner]), (&new[..10], &new[20..inner]), "the rest of that header stays");
    match to {
        Realm::External => assert_eq!(destination(new), OUTSIDE, "no address from inside leaves in a quote"),
        Realm::Internal => assert_eq!(source(new), destination(after), "RFC 5508 REQ-4c"),
    }
    check_quoted(old, new);
}

fn check_quoted(old: &[u8], new: &[u8]) {
    let inner = header_len(old);
    if total_len(old) == old.len() && !is_fragment(old) && old.len() >= inner + shortest(old) {
        return check_transport(old, new, Checksum::Complete);
    }
    let (old, new) = (&old[inner..], &new[inner..]);
    assert_eq!(old.len(), new.len());
    let tail = if old.len() < 18 { old.len().min(8) } else { 18 };
    assert_eq!(old[tail..], new[tail..], "the quoted payload stays");
}

/// A header that can be checked: for UDP, only one whose length is the packet's.
fn shortest(quoted: &[u8]) -> usize {
    let inner = header_len(quoted);
    match quoted[9] {
        TCP => 20,
        UDP if quoted.get(inner + 4..inner + 6)
            != Some(&((quoted.len() - inner) as u16).to_be_bytes()[..]) =>
        {
            usize::MAX / 2
        }
        _ => 8,
    }
}
