//! Answers to pings (RFC 792, RFC 1812 s.4.3.3.6), made of the request, where it lies.
//!
//! The data comes back as it came, however much it is, and so do the DSCP and those options in which routers leave their
//! mark, ours included: they tell of the way there and back. A request that is not intact gets no answer.

use napt::packet::HEADER;
use napt::{Delta, checksum};

use crate::options::{self, Mark};

const ICMP: u8 = 1;
const HOP_LIMIT: u8 = 64;

/// The first word of a request and of a reply: type and code.
const REQUEST: u16 = 0x0800;
const REPLY: u16 = 0x0000;

/// Makes an echo request its own reply. `None`, and the packet as it was, if it is none or not intact. `packet` is
/// well-formed, and no fragment.
pub(crate) fn answer(packet: &mut [u8], mark: &Mark) -> Option<()> {
    let header_len = usize::from(packet.first()? & 0x0F) * 4;
    let (header, message) = packet.split_at_mut_checked(header_len)?;
    let fixed = header.first_chunk_mut::<HEADER>()?;
    if fixed[9] != ICMP {
        return None;
    }
    turn(message)?;
    address(fixed);
    options::keep_records(packet);
    mark.write(packet);
    Some(())
}

/// Makes the message the answer.
fn turn(message: &mut [u8]) -> Option<()> {
    let is_intact = checksum(message) == 0;
    let [t0, t1, sum0, sum1, ..] = message.first_chunk_mut::<8>()?;
    if u16::from_be_bytes([*t0, *t1]) != REQUEST || !is_intact {
        return None;
    }
    [*t0, *t1] = REPLY.to_be_bytes();
    let sum = u16::from_be_bytes([*sum0, *sum1]);
    [*sum0, *sum1] = Delta::word(REQUEST, REPLY).apply(sum).to_be_bytes();
    Some(())
}

/// Sends the packet back, in one piece and hence without identification (RFC 6864 s.4.1). ECN is for those who can
/// slow down. The checksum is left to others.
fn address(header: &mut [u8; HEADER]) {
    let [_, tos, _, _, id0, id1, flags0, flags1, ttl, _, _, _, source @ .., d0, d1, d2, d3] = header;
    *tos &= 0xFC;
    [*id0, *id1, *flags0, *flags1] = [0, 0, 0x40, 0];
    *ttl = HOP_LIMIT;
    let destination = [*d0, *d1, *d2, *d3];
    [*d0, *d1, *d2, *d3] = *source;
    *source = destination;
}
