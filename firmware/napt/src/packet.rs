//! One IPv4 packet, parsed once (RFC 791; the checks are RFC 1812 s.5.2.2).
//!
//! A [`Packet`] is two disjoint pieces of the caller's buffer: the fixed header as an array, and what follows it, options
//! and payload, up to the header's total length. What lies behind that, Ethernet padding say, is not part of it. Because
//! the header is an array, reading and writing its fields cannot fail, and later code has nothing left to check.

use core::net::Ipv4Addr;
use core::num::NonZeroU16;

use crate::DropReason;
use crate::checksum::{is_whole, sum, sum_of_header};

/// The length of an IPv4 header without options, in bytes.
pub const HEADER: usize = 20;

/// Whether a packet's TCP or UDP checksum field is finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// The field holds what RFC 9293 and RFC 768 ask for.
    #[default]
    Complete,
    /// The sender left the sum to its hardware: the field holds the folded, uninverted sum of the pseudo-header.
    Partial,
}

/// A well-formed IPv4 packet, still in the caller's buffer.
#[derive(Debug)]
pub struct Packet<'a> {
    pub(crate) header: &'a mut [u8; HEADER],
    /// The header's options, and the payload.
    pub(crate) body: &'a mut [u8],
    pub(crate) shape: Shape,
}

/// What a driver says of a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) checksum: Checksum,
    /// The payload size of each segment where one large packet stands for many.
    pub(crate) segment: Option<NonZeroU16>,
}

impl<'a> Packet<'a> {
    /// Parses the packet at the start of `bytes`.
    ///
    /// `segment` is the payload size of each TCP segment or UDP datagram where one large packet stands for many (GSO).
    ///
    /// # Errors
    /// The reason to drop it, if its header is not that of a well-formed IPv4 packet.
    #[inline]
    pub fn parse(
        bytes: &'a mut [u8],
        checksum: Checksum,
        segment: Option<NonZeroU16>,
    ) -> Result<Self, DropReason> {
        let (header, rest) = bytes.split_first_chunk_mut().ok_or(DropReason::Truncated)?;
        if header[0] != PLAIN || !is_whole(sum_of_header(header)) {
            check_carefully(header, rest)?;
        }
        let body = body_of(header, rest).ok_or(DropReason::TotalLength)?;
        Ok(Self { header, body, shape: Shape { checksum, segment } })
    }

    /// The header without its options.
    pub fn header(&self) -> &[u8; HEADER] {
        self.header
    }

    /// The source address.
    pub fn source(&self) -> Ipv4Addr {
        source(self.header)
    }

    /// The destination address.
    pub fn destination(&self) -> Ipv4Addr {
        destination(self.header)
    }

    /// The header's options; empty in nearly every packet.
    pub fn options(&self) -> &[u8] {
        self.body.get(..options_len(self.header)).unwrap_or_default()
    }

    /// Whether nothing is special about it: it has no options and is no fragment.
    #[inline(always)]
    pub fn is_plain(&self) -> bool {
        self.header[0] == PLAIN && !is_fragment(self.header)
    }

    /// Whether this is one of several fragments of a datagram.
    pub fn is_fragment(&self) -> bool {
        is_fragment(self.header)
    }

    /// The packet's length in bytes.
    pub fn total_len(&self) -> usize {
        HEADER + self.body.len()
    }
}

/// The first octet of nearly every packet: version 4, no options.
pub(crate) const PLAIN: u8 = 0x45;

const DONT_FRAGMENT: u16 = 0x4000;
pub(crate) const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1FFF;

/// Checks a header that has options, or something wrong with it.
#[cold]
fn check_carefully(header: &[u8; HEADER], rest: &[u8]) -> Result<(), DropReason> {
    let options_len = header_len(header)? - HEADER;
    let options = rest.get(..options_len).ok_or(DropReason::HeaderLength)?;
    if !is_whole(sum(header) + sum(options)) {
        return Err(DropReason::HeaderChecksum);
    }
    let has_room = usize::from(word(header, 2)) >= HEADER + options_len;
    if has_room { Ok(()) } else { Err(DropReason::TotalLength) }
}

/// What is behind the fixed header, up to the total length.
#[inline(always)]
fn body_of<'a>(header: &[u8; HEADER], rest: &'a mut [u8]) -> Option<&'a mut [u8]> {
    let len = usize::from(word(header, 2)).checked_sub(HEADER)?;
    rest.get_mut(..len)
}

/// The length of the options behind a header that has been checked, in bytes.
pub(crate) fn options_len(header: &[u8; HEADER]) -> usize {
    (usize::from(header[0] & 0x0F) * 4).saturating_sub(HEADER)
}

/// Whether a header forbids fragmentation.
#[inline(always)]
pub(crate) fn must_stay_whole(header: &[u8; HEADER]) -> bool {
    raw(header, 6) & DONT_FRAGMENT.to_be() != 0
}

/// Whether a header is that of a fragment.
#[inline(always)]
pub(crate) fn is_fragment(header: &[u8; HEADER]) -> bool {
    raw(header, 6) & (MORE_FRAGMENTS | FRAGMENT_OFFSET).to_be() != 0
}

/// The length that a header states, options included: at least 20 bytes.
#[inline]
pub(crate) fn header_len(header: &[u8; HEADER]) -> Result<usize, DropReason> {
    if header[0] >> 4 != 4 {
        return Err(DropReason::Version);
    }
    match usize::from(header[0] & 0x0F) * 4 {
        len if len < HEADER => Err(DropReason::HeaderLength),
        len => Ok(len),
    }
}

#[inline(always)]
pub(crate) fn source(header: &[u8; HEADER]) -> Ipv4Addr {
    four(header, 12).into()
}

#[inline(always)]
pub(crate) fn destination(header: &[u8; HEADER]) -> Ipv4Addr {
    four(header, 16).into()
}

/// The part of a datagram this is, in units of eight bytes.
pub(crate) fn fragment_offset(header: &[u8; HEADER]) -> u16 {
    word(header, 6) & FRAGMENT_OFFSET
}

/// The 16-bit field at `offset` as it lies in memory, for checksums; `offset` is a constant wherever this is called.
#[inline(always)]
pub(crate) fn raw<const N: usize>(bytes: &[u8; N], offset: usize) -> u16 {
    u16::from_ne_bytes(bytes.as_chunks().0[offset / 2])
}

/// Sets the 16-bit field at `offset` to what [`raw`] gave, or what became of it.
#[inline(always)]
pub(crate) fn set_raw<const N: usize>(bytes: &mut [u8; N], offset: usize, value: u16) {
    bytes.as_chunks_mut().0[offset / 2] = value.to_ne_bytes();
}

/// The 16-bit field at `offset`, which is even and a constant wherever this is called.
#[inline(always)]
pub(crate) fn word<const N: usize>(bytes: &[u8; N], offset: usize) -> u16 {
    u16::from_be(raw(bytes, offset))
}

/// The 32-bit field at `offset`, which is a multiple of four and a constant wherever this is called.
#[inline(always)]
pub(crate) fn long<const N: usize>(bytes: &[u8; N], offset: usize) -> u32 {
    u32::from_be_bytes(four(bytes, offset))
}

/// The four bytes at `offset`.
#[inline(always)]
fn four<const N: usize>(bytes: &[u8; N], offset: usize) -> [u8; 4] {
    bytes.as_chunks().0[offset / 4]
}
