//! What a translation may change in a packet (RFC 3022 s.4, RFC 4459 s.3.2, RFC 6864).
//!
//! [`Change::check`] compares what came out with what ought to have: every byte but the checksums literally, the
//! checksums by the sum they complete. That sum, the *remainder*, is 0 for a right checksum and the same before and
//! after for a wrong one: what was broken stays as broken as it was.

use std::net::SocketAddrV4;
use std::ops::Range;

use napt::Checksum;

use super::Packet;
use super::wire::{ICMP, TCP, UDP, covers_addresses, header, is_fragment, option, sum, word};

/// A translation: the ends that a packet gets. What has no port keeps none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Its source.
    pub(super) source: SocketAddrV4,
    /// Its destination.
    pub(super) destination: SocketAddrV4,
    /// For an ICMP error, the ends of the packet it quotes.
    pub(super) quoted: Option<(SocketAddrV4, SocketAddrV4)>,
    /// Its identification, if it gets another.
    pub(super) id: Option<u16>,
    /// The largest segment size that a SYN may ask for.
    pub(super) segment_size: Option<u16>,
}

impl Change {
    pub(super) fn new(source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        Self { source, destination, quoted: None, id: None, segment_size: None }
    }

    pub(super) fn quoting(self, source: SocketAddrV4, destination: SocketAddrV4) -> Self {
        Self { quoted: Some((source, destination)), ..self }
    }

    /// Whether `after` is what becomes of `before`, a packet without faults.
    pub(super) fn check(&self, before: Packet<'_>, after: Packet<'_>) -> Result<(), String> {
        let (start, len) = header(before.bytes).map_err(|fault| format!("{fault:?} has passed"))?;
        let mut want = before.bytes.to_vec();
        want[8] -= 1;
        if let Some(id) = self.id {
            want[4..6].copy_from_slice(&id.to_be_bytes());
        }
        if is_fragment(&want) && word(&want, 6) & 0x1FFF != 0 {
            readdress(&mut want, self.source, self.destination);
            return same(&want, after.bytes);
        }
        readdress(&mut want, self.source, self.destination);
        if self.quoted.is_none() {
            set_ports(&mut want, self.source, self.destination);
            clamp(&mut want[start..len], before.bytes[9], self.segment_size);
        }
        checksum_stays(before, after, start..len)?;
        if let Some((source, destination)) = self.quoted {
            let inner = start + 8..len;
            readdress(&mut want[inner.clone()], source, destination);
            set_ports(&mut want[inner.clone()], source, destination);
            complete_stays(&before.bytes[inner.clone()], &after.bytes[inner.clone()])?;
            copy_checksum(&mut want[inner.clone()], &after.bytes[inner]);
        }
        copy_checksum(&mut want, after.bytes);
        same(&want, after.bytes)
    }
}

fn same(want: &[u8], got: &[u8]) -> Result<(), String> {
    let differs = (0..want.len().max(got.len())).find(|at| want.get(*at) != got.get(*at));
    differs.map_or(Ok(()), |at| Err(format!("byte {at}: {got:02x?}, not {want:02x?}")))
}

/// Gives a packet, or the quoted beginning of one, new addresses and a header checksum that is computed anew.
fn readdress(bytes: &mut [u8], source: SocketAddrV4, destination: SocketAddrV4) {
    let start = usize::from(bytes[0] & 15) * 4;
    bytes[12..16].copy_from_slice(&source.ip().octets());
    bytes[16..20].copy_from_slice(&destination.ip().octets());
    bytes[10..12].fill(0);
    // A header is never all zeros, so its sum is never that zero of the two whose complement is 0xFFFF (RFC 1624 s.3).
    let checksum = match sum(&bytes[..start]) {
        0 => 0,
        sum => 0xFFFF - sum,
    };
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn set_ports(bytes: &mut [u8], source: SocketAddrV4, destination: SocketAddrV4) {
    let start = usize::from(bytes[0] & 15) * 4;
    let (protocol, kind) = (bytes[9], bytes.get(start).copied());
    let mut set =
        |at: usize, port: u16| bytes[start + at..start + at + 2].copy_from_slice(&port.to_be_bytes());
    match (protocol, kind) {
        (ICMP, Some(8 | 13)) => set(4, source.port()),
        (ICMP, _) => set(4, destination.port()),
        (TCP | UDP, _) => {
            set(0, source.port());
            set(2, destination.port());
        }
        _ => (),
    }
}

/// Lowers the segment size that a SYN asks for (R19).
fn clamp(transport: &mut [u8], protocol: u8, most: Option<u16>) {
    let Some(most) = most.filter(|_| protocol == TCP && transport[13] & 2 != 0) else { return };
    let end = usize::from(transport[12] >> 4) * 4;
    let options = &mut transport[20..end];
    let Some(value) = option(options, 2).filter(|value| value.len() == 2) else { return };
    let size = word(options, value.start).min(most);
    options[value].copy_from_slice(&size.to_be_bytes());
}

/// Where the transport checksum of a packet lies, if it has one and the packet, or what is quoted of it, is long enough.
fn checksum_at(bytes: &[u8]) -> Option<usize> {
    let within = match bytes[9] {
        TCP => 16,
        ICMP => 2,
        protocol if protocol == UDP || covers_addresses(protocol) => 6,
        _ => return None,
    };
    let at = usize::from(bytes[0] & 15) * 4 + within;
    (at + 2 <= bytes.len()).then_some(at)
}

/// Takes the transport checksum over from what came out: it is judged elsewhere.
fn copy_checksum(want: &mut [u8], got: &[u8]) {
    if let Some(at) = checksum_at(want) {
        want[at..at + 2].copy_from_slice(&got[at..at + 2]);
    }
}

/// Whether the transport checksum is as right, or as wrong, as it was (V2, K02 to K05).
fn checksum_stays(before: Packet<'_>, after: Packet<'_>, transport: Range<usize>) -> Result<(), String> {
    let bytes = |packet: Packet<'_>| packet.bytes[..transport.end].to_vec();
    match before.checksum {
        Checksum::Partial if [TCP, UDP].contains(&before.bytes[9]) => {
            // The field holds the pseudo-header's sum: what it falls short of that stays the same.
            let at = checksum_at(before.bytes).ok_or("no checksum")?;
            let short = |packet: Packet<'_>| {
                let pseudo = u32::from(sum(&packet.bytes[12..20]));
                (pseudo + 0xFFFF - u32::from(word(packet.bytes, at))) % 0xFFFF
            };
            let same = short(before) == short(after);
            same.then_some(()).ok_or("a partial checksum went wrong".into())
        }
        _ => complete_stays(&bytes(before), &bytes(after)),
    }
}

/// The same for a quoted packet: what is not quoted is not changed either, so the sum of the rest decides.
fn complete_stays(before: &[u8], after: &[u8]) -> Result<(), String> {
    let Some(at) = checksum_at(before) else { return Ok(()) };
    let (old, new) = (word(before, at), word(after, at));
    let start = usize::from(before[0] & 15) * 4;
    let pseudo = |bytes: &[u8]| if bytes[9] == ICMP { 0 } else { sum(&bytes[12..20]) };
    let remainder = |bytes: &[u8]| (u32::from(pseudo(bytes)) + u32::from(sum(&bytes[start..]))) % 0xFFFF;
    match before[9] {
        UDP if old == 0 || new == 0 => (old == new).then_some(()).ok_or("K02, K03: no checksum".to_string()),
        _ if remainder(before) == remainder(after) => Ok(()),
        _ => Err(format!("V2: a checksum of {old:04x} became {new:04x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k01_a_header_checksum_is_never_all_ones() {
        let mut header = [0x45, 0, 0, 0x1D, 3, 0xD0, 0, 0, 0x3E, 17, 0x12, 0x34, 10, 0, 0, 1, 203, 0, 113, 1];
        let [source, destination] =
            [[203, 0, 113, 254], [203, 0, 113, 1]].map(|end| SocketAddrV4::new(end.into(), 0));

        readdress(&mut header, source, destination);

        assert_eq!(header[10..12], [0, 0]);
    }
}
