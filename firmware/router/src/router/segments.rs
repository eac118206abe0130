//! Frames that stand for many (GSO), each of them too large for the next link, where fragmenting them is not forbidden
//! (RFC 4787 REQ-13a, RFC 1812 s.4.2.2.7).
//!
//! *TCP*: the frame gets a smaller segment size, and whoever cuts it makes segments that fit. TCP is a stream of bytes;
//! where one segment ends and the next begins means nothing to it (RFC 9293 s.3.8), and a sender that repeats itself
//! may draw the line elsewhere (s.3.8.1). What the requirement is for, that data arrives which may be fragmented, is
//! reached without fragments, and without what becomes of a segment that loses one.
//!
//! *UDP*: datagrams end where they end. Each is made, where its data lies, and goes its way like one that came alone: it
//! is counted, translated, and cut. The datagrams before it are gone by then, so that its headers can be written over
//! their data. What the outbox has no room for is lost, as any datagram may be, whole and not in part.
//!
//! The engine finds out that segments are too large, when nothing has been done yet; what is made of the frame is
//! presented to it again.

use core::num::NonZeroU16;

use napt::packet::HEADER;
use napt::{Checksum, DropReason, Instant, Verdict, checksum};

use super::{ETHERNET, Router, finish_checksum};
use crate::counters::Refusal;
use crate::port::{Disposition, Offload, Side};

const TCP: u8 = 6;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const LONGEST_HEADER: usize = 60;

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    /// Makes something that fits of a frame that the engine has counted as too large, or leaves it at that.
    pub(super) fn take_apart(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        let mtu = self.mtu_behind(side, frame);
        match (frame.get(ETHERNET + 9), offload.segment) {
            (Some(&TCP), Some(before)) => match segment_that_fits(frame, mtu) {
                Some(segment) if segment < before => self.take_smaller(now, side, frame, segment, offload),
                _ => Ok(Disposition::Done),
            },
            // A finished sum over all of them is none of any of them.
            (Some(&UDP), Some(size)) if offload.checksum == Checksum::Partial => {
                self.take_datagrams(now, side, frame, size)
            }
            _ => Ok(Disposition::Done),
        }
    }

    /// Presents the frame again, as one of smaller segments.
    fn take_smaller(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        segment: NonZeroU16,
        offload: Offload,
    ) -> Result<Disposition, Refusal> {
        self.engine.uncount(side.realm(), Verdict::Drop(DropReason::TooLarge));
        let smaller = Offload { segment: Some(segment), ..offload };
        match self.take_other(now, side, frame, smaller)? {
            Disposition::Send(to) => {
                self.smaller = Some((to, segment));
                Ok(Disposition::SendSmaller)
            }
            other => Ok(other),
        }
    }

    /// Presents each datagram of the frame, as if that had come alone.
    fn take_datagrams(
        &mut self,
        now: Instant,
        side: Side,
        frame: &mut [u8],
        size: NonZeroU16,
    ) -> Result<Disposition, Refusal> {
        let Some(headers) = Headers::of(frame) else { return Ok(Disposition::Done) };
        self.engine.uncount(side.realm(), Verdict::Drop(DropReason::TooLarge));
        // The frame has been counted once already, and is not one of them.
        self.port(side).counters.received -= 1;
        let (mut begin, mut number) = (headers.len, 0);
        while begin < frame.len() {
            let end = frame.len().min(begin + usize::from(size.get()));
            if let Some(datagram) = frame.get_mut(begin - headers.len..end) {
                headers.write(datagram, number);
                self.take_datagram(now, side, datagram);
            }
            (begin, number) = (end, number + 1);
        }
        Ok(Disposition::Done)
    }

    fn take_datagram(&mut self, now: Instant, side: Side, frame: &mut [u8]) {
        self.port(side).counters.received += 1;
        let offload = Offload { checksum: Checksum::Partial, segment: None };
        match self.take_other(now, side, frame, offload) {
            Ok(Disposition::Send(to)) => {
                finish_checksum(frame);
                if self.outbox.push(to, frame).is_none() {
                    self.port(side).counters.forwarded -= 1;
                    self.port(side).counters.refuse(Refusal::OutboxFull);
                }
            }
            Ok(_) => (),
            Err(refusal) => self.port(side).counters.refuse(refusal),
        }
    }

    /// What the link carries by which a frame from `side` will leave.
    fn mtu_behind(&mut self, side: Side, frame: &[u8]) -> usize {
        let destination = frame.get(ETHERNET + 16..ETHERNET + HEADER);
        let is_hairpin = destination == Some(&self.addresses.own(Side::Wan).octets());
        let to = if side == Side::Lan && !is_hairpin { Side::Wan } else { Side::Lan };
        self.port(to).link.mtu.into()
    }
}

/// The payload of the largest TCP segment, with headers like those of this frame, that a link with `mtu` carries.
fn segment_that_fits(frame: &[u8], mtu: usize) -> Option<NonZeroU16> {
    let ip = usize::from(frame.get(ETHERNET)? & 0x0F) * 4;
    let tcp = usize::from(frame.get(ETHERNET + ip + 12)? >> 4) * 4;
    NonZeroU16::new(mtu.checked_sub(ip + tcp)? as u16)
}

/// The headers of a frame of datagrams: those of each, but for lengths, identification and sums.
struct Headers {
    len: usize,
    bytes: [u8; ETHERNET + LONGEST_HEADER + UDP_HEADER],
}

impl Headers {
    fn of(frame: &[u8]) -> Option<Self> {
        let len = ETHERNET + usize::from(frame.get(ETHERNET)? & 0x0F) * 4 + UDP_HEADER;
        let mut bytes = [0; ETHERNET + LONGEST_HEADER + UDP_HEADER];
        bytes.get_mut(..len)?.iter_mut().zip(frame.get(..len)?).for_each(|(to, from)| *to = *from);
        Some(Self { len, bytes })
    }

    /// Writes the headers of a datagram, the one with this number, before its data.
    fn write(&self, frame: &mut [u8], number: u16) {
        let total = frame.len() - ETHERNET;
        frame.iter_mut().zip(&self.bytes).take(self.len).for_each(|(to, from)| *to = *from);
        let Some(packet) = frame.get_mut(ETHERNET..) else { return };
        let Some((ip, udp)) = packet.split_at_mut_checked(self.len - ETHERNET - UDP_HEADER) else { return };
        if let (Some(ip), Some(udp)) = (ip.first_chunk_mut(), udp.first_chunk_mut()) {
            write_ip(ip, total, number);
            write_udp(udp, ip, total - (self.len - ETHERNET - UDP_HEADER));
        }
        let sum = checksum(ip).to_be_bytes();
        if let Some([_, _, _, _, _, _, _, _, _, _, sum0, sum1]) = ip.first_chunk_mut() {
            [*sum0, *sum1] = sum;
        }
    }
}

fn write_ip(header: &mut [u8; HEADER], total: usize, number: u16) {
    let [_, _, len0, len1, id0, id1, _, _, _, _, sum0, sum1, ..] = header;
    [*len0, *len1] = (total as u16).to_be_bytes();
    [*id0, *id1] = u16::from_be_bytes([*id0, *id1]).wrapping_add(number).to_be_bytes();
    [*sum0, *sum1] = [0, 0];
}

/// Leaves the sum unfinished: it is that of the pseudo-header.
fn write_udp(header: &mut [u8; UDP_HEADER], ip: &[u8; HEADER], len: usize) {
    let [high, low] = (len as u16).to_be_bytes();
    let [.., a, b, c, d, e, f, g, h] = *ip;
    let sum = !checksum(&[a, b, c, d, e, f, g, h, 0, UDP, high, low]);
    let [_, _, _, _, len0, len1, sum0, sum1] = header;
    [*len0, *len1] = [high, low];
    [*sum0, *sum1] = sum.to_be_bytes();
}
