//! A packet in a frame, as the checkers look at it: by hand, with nothing of the engine's.

use std::net::Ipv4Addr;

use crate::wire::{ICMP, TCP, UDP};

/// Where a packet begins in its frame.
const ETHERNET: usize = 14;

/// An IPv4 packet whose header and lengths make sense.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    /// The packet, without what is behind it in the frame.
    pub(super) bytes: &'a [u8],
    /// What is behind it.
    pub(super) padding: &'a [u8],
    header: usize,
}

impl<'a> View<'a> {
    pub(super) fn of(frame: &'a [u8]) -> Option<Self> {
        if frame.get(12..ETHERNET)? != [8, 0] {
            return None;
        }
        let packet = &frame[ETHERNET..];
        let header = usize::from(packet.first()? & 15) * 4;
        let len = usize::from(word(packet, 2)?);
        let makes_sense = packet[0] >> 4 == 4 && header >= 20 && len >= header && len <= packet.len();
        makes_sense.then(|| Self { bytes: &packet[..len], padding: &packet[len..], header })
    }

    pub(super) fn source(&self) -> Ipv4Addr {
        self.address(12)
    }

    pub(super) fn destination(&self) -> Ipv4Addr {
        self.address(16)
    }

    pub(super) fn protocol(&self) -> u8 {
        self.bytes[9]
    }

    pub(super) fn ttl(&self) -> u8 {
        self.bytes[8]
    }

    pub(super) fn header(&self) -> &'a [u8] {
        &self.bytes[..self.header]
    }

    /// What is behind the header.
    pub(super) fn transport(&self) -> &'a [u8] {
        &self.bytes[self.header..]
    }

    pub(super) fn is_fragment(&self) -> bool {
        self.word(6) & 0x3FFF != 0
    }

    pub(super) fn is_first(&self) -> bool {
        self.word(6) & 0x1FFF == 0
    }

    /// Whether it is an ICMP error, which quotes another packet.
    pub(super) fn is_error(&self) -> bool {
        self.protocol() == ICMP
            && self.is_first()
            && matches!(self.transport().first(), Some(3 | 4 | 5 | 11 | 12))
    }

    /// Source and destination port; of a query its identifier at its sender's end, of a reply at its receiver's.
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        let transport = self.transport();
        if !self.is_first() {
            return None;
        }
        match (self.protocol(), transport.first()?) {
            (TCP | UDP, _) => Some((word(transport, 0)?, word(transport, 2)?)),
            (ICMP, 8 | 13) => Some((word(transport, 4)?, 0)),
            (ICMP, 0 | 14) => Some((0, word(transport, 4)?)),
            _ => None,
        }
    }

    /// The sum over the header, 0 if its checksum is right.
    pub(super) fn header_error(&self) -> u16 {
        header_error(self.header())
    }

    /// How far the transport's checksum is from right, 0 if it is or if there is none; `None` if it cannot be told.
    pub(super) fn transport_error(&self) -> Option<u16> {
        let transport = self.transport();
        if self.is_fragment() {
            return None;
        }
        let pseudo = sum(&self.bytes[12..20]) + u64::from(self.protocol());
        let total = match self.protocol() {
            ICMP => sum(transport),
            TCP if transport.len() >= 20 => pseudo + transport.len() as u64 + sum(transport),
            UDP if word(transport, 6)? == 0 => return Some(0),
            UDP => {
                let len = usize::from(word(transport, 4)?);
                pseudo + len as u64 + sum(transport.get(..len)?)
            }
            _ => return None,
        };
        // Zero has two forms in this arithmetic.
        Some(!fold(total) % 0xFFFF)
    }

    pub(super) fn word(&self, at: usize) -> u16 {
        word(self.bytes, at).unwrap_or_default()
    }

    fn address(&self, at: usize) -> Ipv4Addr {
        Ipv4Addr::new(self.bytes[at], self.bytes[at + 1], self.bytes[at + 2], self.bytes[at + 3])
    }
}

/// The sum over a header, 0 if its checksum is right.
pub(super) fn header_error(header: &[u8]) -> u16 {
    !fold(sum(header))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn sum(bytes: &[u8]) -> u64 {
    let (pairs, last) = bytes.as_chunks::<2>();
    let words = pairs.iter().map(|pair| u64::from(u16::from_be_bytes(*pair)));
    words.sum::<u64>() + last.first().map_or(0, |last| u64::from(*last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    sum as u16
}
