//! The latest frames, as they came and as they left, with what became of each: for an operator who wants to see them.
//!
//! It is the driver that shows the recorder a frame before the router has it and after that. Nothing is recorded unless
//! somebody wants to see it, and no longer than somebody looks.

use core::net::Ipv4Addr;

use napt::Instant;

use crate::counters::Summary;
use crate::fate::{Books, Fate};
use crate::port::{Disposition, Side};

/// How many frames are kept.
const FRAMES: usize = 256;

/// How much of one is kept as it came, and as it left: with the longest headers, what a name server is asked; and those headers.
const CAME: usize = 160;
const LEFT: usize = 96;

/// The length of an Ethernet header, in bytes.
const ETHERNET: usize = 14;

/// The numbers of the protocols that have ports.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// How long it records for somebody who does not look any more, in milliseconds.
const PATIENCE: u64 = 10_000;

/// Which frames are recorded: all that have whatever is given, as they came or as they left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pattern {
    /// The protocol's number.
    pub protocol: Option<u8>,
    /// An address.
    pub address: Option<Ipv4Addr>,
    /// A port.
    pub port: Option<u16>,
    /// Only what was not sent on.
    pub stopped: bool,
}

/// A frame that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded<'r> {
    /// Its number.
    pub number: u64,
    /// When it came.
    pub at: Instant,
    /// The side that it came in by, unless it is the box's own.
    pub came: Option<Side>,
    /// The side that it left by, if it was sent on as it lay.
    pub left: Option<Side>,
    /// What became of it.
    pub fate: Fate,
    /// How long it was.
    pub len: u32,
    /// Its beginning, as it came.
    pub frame: &'r [u8],
    /// Its beginning, as it left.
    pub sent: &'r [u8],
}

/// The frames, the oldest of which make room for others.
pub struct Recorder {
    until: Option<Instant>,
    pattern: Pattern,
    /// How many there have ever been.
    count: u64,
    /// What the books said before the frame that the router has now.
    before: Option<Books>,
    slots: [Slot; FRAMES],
}

#[derive(Clone, Copy)]
struct Slot {
    at: Instant,
    came: Option<Side>,
    left: Option<Side>,
    fate: Fate,
    len: u32,
    frame: Part<CAME>,
    sent: Part<LEFT>,
}

/// The beginning of a frame.
#[derive(Clone, Copy)]
struct Part<const ROOM: usize> {
    bytes: [u8; ROOM],
    len: u16,
}

impl Recorder {
    /// One that records nothing.
    pub const fn new() -> Self {
        let pattern = Pattern { protocol: None, address: None, port: None, stopped: false };
        Self { until: None, pattern, count: 0, before: None, slots: [Slot::EMPTY; FRAMES] }
    }

    /// Whether it wants to be shown frames.
    #[inline]
    pub const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Records what is like this for a while from now on.
    pub fn record(&mut self, now: Instant, pattern: Pattern) {
        self.until = Some(Instant::from_millis(now.millis() + PATIENCE));
        self.pattern = pattern;
    }

    /// The frames from a number on that are still there.
    pub fn frames(&self, from: u64) -> impl Iterator<Item = Recorded<'_>> {
        let oldest = self.count.saturating_sub(FRAMES as u64);
        (from.clamp(oldest, self.count)..self.count).filter_map(|number| {
            let Slot { at, came, left, fate, len, frame, sent } = self.slots.get(number as usize % FRAMES)?;
            let (frame, sent) = (frame.bytes(), sent.bytes());
            Some(Recorded { number, at: *at, came: *came, left: *left, fate: *fate, len: *len, frame, sent })
        })
    }

    /// How many there have ever been.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// A frame has come, and the router is to have it next.
    #[cold]
    pub fn comes(&mut self, now: Instant, side: Side, frame: &[u8], summary: &Summary<'_>) {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            return;
        }
        self.before = Some(Books::of(summary, side));
        let slot = self.next();
        (slot.at, slot.came, slot.len) = (now, Some(side), frame.len() as u32);
        slot.frame.set(frame);
    }

    /// That is what has become of the frame.
    #[cold]
    pub fn went(&mut self, disposition: Disposition, frame: &[u8], summary: &Summary<'_>) {
        let Some((before, side)) = self.before.take().zip(self.next().came) else { return };
        let fate = before.fate(disposition, &Books::of(summary, side));
        let slot = self.next();
        (slot.fate, slot.left) = (fate, None);
        slot.sent.set(&[]);
        if let Disposition::Send(out) = disposition {
            slot.left = Some(out);
            slot.sent.set(frame);
        }
        self.keep();
    }

    /// A frame of the box's own leaves.
    #[cold]
    pub fn leaves(&mut self, now: Instant, side: Side, frame: &[u8]) {
        let slot = self.next();
        (slot.at, slot.came, slot.left) = (now, None, Some(side));
        (slot.fate, slot.len) = (Fate::Forwarded, frame.len() as u32);
        slot.frame.set(&[]);
        slot.sent.set(frame);
        self.keep();
    }

    fn next(&mut self) -> &mut Slot {
        &mut self.slots[self.count as usize % FRAMES]
    }

    /// The next one stays, if it is wanted.
    fn keep(&mut self) {
        let pattern = self.pattern;
        let slot = self.next();
        let is_stopped = slot.fate != Fate::Forwarded;
        let is_like = pattern.fits(slot.frame.bytes()) || pattern.fits(slot.sent.bytes());
        if is_like && (is_stopped || !pattern.stopped) {
            self.count += 1;
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// All of it zeros, so that there is nothing of it in the program's file.
    const EMPTY: Self = Self {
        at: Instant::from_millis(0),
        came: Some(Side::Lan),
        left: Some(Side::Lan),
        fate: Fate::Forwarded,
        len: 0,
        frame: Part { bytes: [0; CAME], len: 0 },
        sent: Part { bytes: [0; LEFT], len: 0 },
    };
}

impl<const ROOM: usize> Part<ROOM> {
    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len.into()).unwrap_or_default()
    }

    fn set(&mut self, frame: &[u8]) {
        self.len = 0;
        for (place, byte) in self.bytes.iter_mut().zip(frame) {
            *place = *byte;
            self.len += 1;
        }
    }
}

impl Pattern {
    /// Whether a frame has what is asked for.
    fn fits(&self, frame: &[u8]) -> bool {
        let Self { protocol, address, port, .. } = *self;
        if protocol.is_none() && address.is_none() && port.is_none() {
            return true;
        }
        let Some(packet) = frame.get(ETHERNET..).filter(|_| frame.get(12..ETHERNET) == Some(&[8, 0])) else {
            return false;
        };
        // However little of it is there.
        let Some(header) = packet.first_chunk::<20>() else { return false };
        let [src, dst] =
            [12, 16].map(|at| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]));
        let ports = || {
            let is_first = [header[6] & 0x1F, header[7]] == [0, 0];
            let behind = packet.get(usize::from(header[0] & 15) * 4..)?;
            let [a, b, c, d] =
                *behind.first_chunk().filter(|_| is_first && matches!(header[9], TCP | UDP))?;
            Some([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])])
        };
        protocol.is_none_or(|wanted| wanted == header[9])
            && address.is_none_or(|wanted| [src, dst].contains(&wanted))
            && port.is_none_or(|wanted| ports().is_some_and(|ports| ports.contains(&wanted)))
    }
}
