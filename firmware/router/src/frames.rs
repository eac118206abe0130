//! Frames that wait: those of the box's own for the driver, and those whose next hop is being asked for.
//!
//! A waiting frame is at most [`LONGEST`] bytes. Both rooms are fixed; what finds them full is dropped and counted by
//! whoever brought it.

use core::net::Ipv4Addr;

use crate::port::Side;

/// The longest frame that can wait: a full Ethernet frame, without FCS.
pub(crate) const LONGEST: usize = 14 + 1500;

/// The shortest frame on Ethernet, without FCS; shorter ones are filled up with zeros (A24).
const SHORTEST: usize = 60;

/// How many frames of the box's own wait for the driver.
const OUTBOX: usize = 64;

/// How many frames wait for next hops, and how many of them for the same one (RFC 1122 s.2.3.2.2).
pub(crate) const HELD: usize = 32;
const HELD_EACH: usize = 4;

#[derive(Clone, Copy)]
pub(crate) struct Frame {
    len: usize,
    bytes: [u8; LONGEST],
}

impl Frame {
    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; LONGEST] };

    pub(crate) fn set(&mut self, bytes: &[u8]) -> Option<()> {
        let len = bytes.len().max(SHORTEST);
        self.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        self.bytes.get_mut(bytes.len()..len)?.fill(0);
        self.len = len;
        Some(())
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

/// The frames that the driver is to fetch, first in, first out.
pub(crate) struct Outbox {
    frames: [(Side, Frame); OUTBOX],
    first: usize,
    len: usize,
}

impl Outbox {
    pub(crate) const fn new() -> Self {
        Self { frames: [(Side::Lan, Frame::EMPTY); OUTBOX], first: 0, len: 0 }
    }

    /// How many frames more there is room for.
    pub(crate) fn room(&self) -> usize {
        OUTBOX - self.len
    }

    /// Adds a frame. `None` if it is too long or there is no room.
    pub(crate) fn push(&mut self, side: Side, bytes: &[u8]) -> Option<()> {
        if self.len == OUTBOX {
            return None;
        }
        let (to, frame) = self.frames.get_mut((self.first + self.len) % OUTBOX)?;
        frame.set(bytes)?;
        *to = side;
        self.len += 1;
        Some(())
    }

    /// The next frame, which stays readable until another is added.
    pub(crate) fn pop(&mut self) -> Option<(Side, &[u8])> {
        if self.len == 0 {
            return None;
        }
        let first = self.first;
        self.first = (first + 1) % OUTBOX;
        self.len -= 1;
        self.frames.get(first).map(|(side, frame)| (*side, frame.bytes()))
    }
}

/// Where a held frame came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was received by this port and is on its way through.
    Transit(Side),
    /// The box made it.
    Own,
}

/// A frame that waits for `next_hop`'s address.
pub(crate) struct Held {
    pub(crate) origin: Origin,
    side: Side,
    next_hop: Ipv4Addr,
    frame: Frame,
}

impl Held {
    pub(crate) fn bytes(&self) -> &[u8] {
        self.frame.bytes()
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.frame.bytes_mut()
    }
}

/// The frames that wait for next hops.
pub(crate) struct Hold {
    places: [Option<Held>; HELD],
}

impl Hold {
    pub(crate) const fn new() -> Self {
        Self { places: [const { None }; HELD] }
    }

    /// Adds a frame to go out of `side` to `next_hop`. `None` if too much waits already, or the frame is too long.
    pub(crate) fn push(
        &mut self,
        origin: Origin,
        side: Side,
        next_hop: Ipv4Addr,
        bytes: &[u8],
    ) -> Option<()> {
        let waiting = self.places.iter().flatten().filter(|held| held.is_for(side, next_hop)).count();
        if waiting >= HELD_EACH {
            return None;
        }
        let place = self.places.iter_mut().find(|place| place.is_none())?;
        let mut frame = Frame::EMPTY;
        frame.set(bytes)?;
        *place = Some(Held { origin, side, next_hop, frame });
        Some(())
    }

    /// Takes one frame out that waits to leave by `side`, whoever it waits for.
    pub(crate) fn pop_any(&mut self, side: Side) -> Option<Held> {
        let waits = |place: &&mut Option<Held>| place.as_ref().is_some_and(|held| held.side == side);
        self.places.iter_mut().find(waits)?.take()
    }

    /// Takes one frame out that waits for `next_hop`. Order among frames of one next hop is kept.
    pub(crate) fn pop(&mut self, side: Side, next_hop: Ipv4Addr) -> Option<Held> {
        let place = self
            .places
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|held| held.is_for(side, next_hop)))?;
        place.take()
    }
}

impl Held {
    fn is_for(&self, side: Side, next_hop: Ipv4Addr) -> bool {
        self.side == side && self.next_hop == next_hop
    }
}
