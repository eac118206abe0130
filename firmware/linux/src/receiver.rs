//! The receiving half of a port.
//!
//! Words: a frame that fits a slot is used in place. One that does not (GSO makes frames of up to 64 KB) is *copied*:
//! the kernel puts its beginning into a slot as usual, marks the slot `TP_STATUS_COPY`, and queues the whole frame on
//! the socket, where we read it into the *large buffer*. If the socket is full there is no copy: the frame is
//! *truncated*, and dropped here.
//!
//! Invariant: slots marked COPY and frames queued on the socket are one to one and in the same order (the kernel adds
//! both under one lock), so for every such slot, wanted or not, exactly one frame is read from the socket.

use core::iter;

use linux_raw_sys::if_packet::tpacket_versions::TPACKET_V2;
use linux_raw_sys::if_packet::{TP_STATUS_COPY, TP_STATUS_KERNEL, TP_STATUS_USER, TP_STATUS_VLAN_VALID};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use crate::error::Failure;
use crate::memory::Buffer;
use crate::ring::{BODY_BYTES, Give, Ring, SLOT_BYTES};
use crate::socket::{self, PacketOption};
use crate::vnet::VnetHeader;

/// 1,024 slots, 2 MB: what arrives in 2 ms at 500,000 frames a second, while we serve the other port.
const RING_BLOCKS: u16 = 32;
/// The largest frame: an IPv4 packet, an Ethernet header, and its vnet header before it.
const LARGE_BYTES: usize = 65_535 + ETHERNET + VnetHeader::BYTES;

/// The length of an Ethernet header, in bytes.
const ETHERNET: usize = 14;

/// How much [`Receiver::glance`] shows of a packet, in bytes: a header without options, and ports.
const GLANCE: usize = 24;

/// Receives the frames of one interface.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    ring: Ring,
    large: Buffer,
    pub(crate) counts: ReceiveCounts,
}

/// What the receiving half has counted, in frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReceiveCounts {
    pub(crate) received: u64,
    pub(crate) kernel_drops: u64,
    pub(crate) truncated: u64,
    pub(crate) vlan: u64,
}

/// A received frame. Its slot goes back to the kernel when this is dropped, so the frame is lent, never given away:
///
/// ```compile_fail
/// fn keep<'a>(receiver: &'a mut linux::Receiver) -> Option<&'a mut [u8]> {
///     receiver.receive().map(|mut received| received.frame())
/// }
/// ```
#[derive(Debug)]
pub struct Received<'a> {
    frame: &'a mut [u8],
    /// What its sender left unfinished.
    pub vnet: VnetHeader,
    _slot: Option<ReturnOnDrop<'a>>,
}

impl Receiver {
    /// Starts to receive from the interface `index`.
    pub(crate) fn open(index: u32) -> Result<Self, Failure> {
        let socket = socket::open()?;
        socket::set(&socket, PacketOption::Version, TPACKET_V2 as u32)?;
        socket::set(&socket, PacketOption::CopyThreshold, 1)?;
        socket::set(&socket, PacketOption::IgnoreOutgoing, 1)?;
        socket::widen(&socket)?;
        let ring = Ring::new(&socket, PacketOption::ReceiveRing, RING_BLOCKS)?;
        let large = Buffer::new(LARGE_BYTES)?;
        // Last: before this, nothing is received.
        socket::attach(&socket, index, true)?;
        Ok(Self { socket, ring, large, counts: ReceiveCounts::default() })
    }

    /// The next frame, if there is one.
    pub fn receive(&mut self) -> Option<Received<'_>> {
        let arrival = self.next_wanted()?;
        self.counts.received += 1;
        match arrival {
            Arrival::Large { bytes } => Received::large(&mut self.large.bytes()[..bytes]),
            Arrival::InSlot { index, start, end } => {
                let slot = self.ring.slot(index, is_user)?;
                Received::in_slot(&mut slot.body[start..end], slot.give)
            }
        }
    }

    /// The beginnings of what lies behind the Ethernet headers of frames that have arrived, for a look, as far as they lie
    /// in the ring.
    pub fn glance(&mut self) -> impl Iterator<Item = [u8; GLANCE]> {
        let mut count = 0;
        iter::from_fn(move || {
            let index = self.ring.ahead(count);
            count += 1;
            let slot = self.ring.slot(index, is_user)?;
            let place = Header::read(slot.word, slot.body).wanted_in_slot(index);
            let Some(Arrival::InSlot { start, .. }) = place else { return Some([0; GLANCE]) };
            let packet = slot.body.get(start + VnetHeader::BYTES + ETHERNET..);
            Some(packet.and_then(|packet| packet.first_chunk().copied()).unwrap_or([0; GLANCE]))
        })
    }

    /// Looks through what has arrived, counts what is not for us and gives it back, stops at the first frame that is.
    fn next_wanted(&mut self) -> Option<Arrival> {
        loop {
            let index = self.ring.next();
            let slot = self.ring.slot(index, is_user)?;
            let header = Header::read(slot.word, slot.body);
            let in_slot = header.wanted_in_slot(index);
            if in_slot.is_none() {
                slot.give.to_kernel(TP_STATUS_KERNEL);
            }
            self.ring.advance();
            let arrival = in_slot.or_else(|| self.not_in_slot(&header));
            if arrival.is_some() {
                return arrival;
            }
        }
    }

    /// A frame that is not used from its slot: fetches it if it was queued, and counts it if nobody will see it.
    fn not_in_slot(&mut self, header: &Header) -> Option<Arrival> {
        let fetched = if header.copied { self.fetch() } else { None };
        if header.vlan {
            self.counts.vlan += 1;
            return None;
        }
        let whole = fetched.filter(|&bytes| bytes == header.length + VnetHeader::BYTES);
        if whole.is_none() {
            self.counts.truncated += 1;
        }
        whole.map(|bytes| Arrival::Large { bytes })
    }

    /// Reads the frame queued first on the socket into the large buffer; its length with the vnet header, if it fits.
    fn fetch(&mut self) -> Option<usize> {
        let buffer = self.large.bytes();
        let room = buffer.len();
        // TRUNC makes the call return the frame's length even if the buffer is shorter.
        let read = |buffer: &mut [u8]| recv(&self.socket, buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC);
        let bytes = match read(buffer) {
            // A pending socket error is reported instead of the frame, which is still there.
            Err(Errno::NETDOWN) => read(buffer),
            other => other,
        };
        bytes.ok().map(|(_, bytes)| bytes).filter(|&bytes| bytes <= room)
    }

    /// The counters, after asking the kernel for its own.
    pub(crate) fn count(&mut self) -> ReceiveCounts {
        self.counts.kernel_drops += u64::from(socket::take_drops(&self.socket));
        self.counts
    }
}

impl AsFd for Receiver {
    /// The socket to poll: readable when a frame has arrived.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where the next frame is.
#[derive(Clone, Copy)]
enum Arrival {
    /// In this slot, its vnet header and itself at these offsets of the body.
    InSlot { index: usize, start: usize, end: usize },
    /// In the large buffer: so many bytes, vnet header included.
    Large { bytes: usize },
}

/// The interesting part of a `tpacket2_hdr`.
struct Header {
    /// The frame's length on the wire.
    length: usize,
    /// How much of it is in the slot.
    present: usize,
    /// Where in the slot.
    offset: usize,
    copied: bool,
    vlan: bool,
}

impl Header {
    /// Reads it from a slot's status word and the body behind that.
    fn read(status: u32, body: &[u8]) -> Self {
        let word =
            |at: usize| u32::from_ne_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]) as usize;
        Self {
            length: word(0),
            present: word(4),
            offset: usize::from(u16::from_ne_bytes([body[8], body[9]])),
            copied: status & TP_STATUS_COPY != 0,
            vlan: status & TP_STATUS_VLAN_VALID != 0,
        }
    }

    /// The frame's place in slot `index`, if it is there whole and ours.
    fn wanted_in_slot(&self, index: usize) -> Option<Arrival> {
        if self.vlan || self.copied || self.present < self.length {
            return None;
        }
        let frame = self.offset.checked_sub(SLOT_BYTES - BODY_BYTES)?;
        let (start, end) = (frame.checked_sub(VnetHeader::BYTES)?, frame.checked_add(self.length)?);
        (end <= BODY_BYTES).then_some(Arrival::InSlot { index, start, end })
    }
}

impl<'a> Received<'a> {
    fn in_slot(bytes: &'a mut [u8], give: Give<'a>) -> Option<Self> {
        Self::split(bytes, Some(ReturnOnDrop(give)))
    }

    fn large(bytes: &'a mut [u8]) -> Option<Self> {
        Self::split(bytes, None)
    }

    /// The Ethernet frame, without FCS.
    pub fn frame(&mut self) -> &mut [u8] {
        self.frame
    }

    /// Parts the vnet header from the frame behind it.
    fn split(bytes: &'a mut [u8], slot: Option<ReturnOnDrop<'a>>) -> Option<Self> {
        let (vnet, frame) = bytes.split_first_chunk_mut()?;
        Some(Self { frame, vnet: VnetHeader::from_bytes(*vnet), _slot: slot })
    }
}

/// Gives a slot back to the kernel, empty.
#[derive(Debug)]
struct ReturnOnDrop<'a>(Give<'a>);

impl Drop for ReturnOnDrop<'_> {
    fn drop(&mut self) {
        self.0.to_kernel(TP_STATUS_KERNEL);
    }
}

fn is_user(status: u32) -> bool {
    status & TP_STATUS_USER != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(length: u32, present: u32, mac: u16) -> [u8; BODY_BYTES] {
        let mut body = [0; BODY_BYTES];
        body[..4].copy_from_slice(&length.to_ne_bytes());
        body[4..8].copy_from_slice(&present.to_ne_bytes());
        body[8..10].copy_from_slice(&mac.to_ne_bytes());
        body
    }

    fn place(status: u32, body: &[u8]) -> Option<(usize, usize)> {
        match Header::read(status, body).wanted_in_slot(0)? {
            Arrival::InSlot { start, end, .. } => Some((start, end)),
            Arrival::Large { .. } => None,
        }
    }

    #[test]
    fn a_whole_frame_is_used_where_it_lies() {
        assert_eq!(place(TP_STATUS_USER, &body(60, 60, 76)), Some((62, 132)));
        assert_eq!(place(TP_STATUS_USER, &body(1972, 1972, 76)), Some((62, 2044)));
    }

    #[test]
    fn a_copied_tagged_or_truncated_frame_is_not() {
        assert_eq!(place(TP_STATUS_USER | TP_STATUS_COPY, &body(9000, 1972, 76)), None);
        assert_eq!(place(TP_STATUS_USER | TP_STATUS_VLAN_VALID, &body(60, 60, 76)), None);
        assert_eq!(place(TP_STATUS_USER, &body(9000, 1972, 76)), None);
    }

    #[test]
    fn a_header_that_points_out_of_its_slot_is_not_followed() {
        assert_eq!(place(TP_STATUS_USER, &body(60, 60, 0)), None);
        assert_eq!(place(TP_STATUS_USER, &body(60, 60, 12)), None);
        assert_eq!(place(TP_STATUS_USER, &body(1973, 1973, 76)), None);
        assert_eq!(place(TP_STATUS_USER, &body(u32::MAX, u32::MAX, 76)), None);
    }
}
