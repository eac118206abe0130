//! Fragments: those that came before their datagram's first, and those that we make (RFC 791 s.3.2).
//!
//! The engine translates a fragment by what became of its datagram's first. One that comes too early waits here for a
//! while; there is room for a whole datagram's worth from one source, and not for a flood: the oldest goes first, the
//! source's own before anybody else's.

use core::net::Ipv4Addr;
use core::time::Duration;

use napt::packet::HEADER;
use napt::{Instant, Options, Packet, checksum};

use crate::frames::{Frame, LONGEST};
use crate::port::Side;

/// How many fragments wait for their first, and how many of them from one source.
const EARLY: usize = 64;
const EARLY_EACH: usize = 48;

/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(2);

const ETHERNET: usize = 14;

/// What the fragments of a datagram have in common: identification, protocol and both addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Datagram {
    side: Side,
    id: [u8; 2],
    protocol: u8,
    addresses: [u8; 8],
}

impl Datagram {
    /// The datagram that a packet, as `side` received it, is a fragment of, if it is one.
    #[inline]
    pub(crate) fn of(side: Side, packet: &Packet<'_>) -> Option<Self> {
        let [_, _, _, _, id0, id1, _, _, _, protocol, _, _, addresses @ ..] = *packet.header();
        packet.is_fragment().then_some(Self { side, id: [id0, id1], protocol, addresses })
    }

    pub(crate) fn side(self) -> Side {
        self.side
    }

    pub(crate) fn source(self) -> Ipv4Addr {
        let [a, b, c, d, ..] = self.addresses;
        Ipv4Addr::new(a, b, c, d)
    }
}

/// A fragment that came before its datagram's first.
pub(crate) struct Waiting {
    datagram: Datagram,
    until: Instant,
    frame: Frame,
}

impl Waiting {
    /// The port it came in by.
    pub(crate) fn side(&self) -> Side {
        self.datagram.side
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        self.frame.bytes_mut()
    }
}

/// The fragments that came before their first.
pub(crate) struct Early {
    places: [Option<Waiting>; EARLY],
}

impl Early {
    pub(crate) const fn new() -> Self {
        Self { places: [const { None }; EARLY] }
    }

    /// Lets a frame wait. What had to go for it; the frame itself, if it is too long to wait.
    pub(crate) fn push(&mut self, now: Instant, datagram: Datagram, bytes: &[u8]) -> Option<Side> {
        let mut frame = Frame::EMPTY;
        if frame.set(bytes).is_none() {
            return Some(datagram.side);
        }
        let place = self.place(datagram.source());
        let waiting = Waiting { datagram, until: now + PATIENCE, frame };
        let before = self.places.get_mut(place).and_then(|place| place.replace(waiting));
        before.map(|before| before.datagram.side)
    }

    /// Takes one of a datagram's fragments out, the oldest first.
    pub(crate) fn pop(&mut self, datagram: Datagram) -> Option<Waiting> {
        self.take_oldest(|waiting| waiting.datagram == datagram)
    }

    /// Takes one out that has waited long enough.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Waiting> {
        self.take_oldest(|waiting| waiting.until <= now)
    }

    /// When the next has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.places.iter().flatten().map(|waiting| waiting.until).min()
    }

    fn place(&self, source: Ipv4Addr) -> usize {
        let from_source = |waiting: &Waiting| waiting.datagram.source() == source;
        let own = self.places.iter().flatten().filter(|waiting| from_source(waiting)).count();
        let free = self.places.iter().position(Option::is_none).filter(|_| own < EARLY_EACH);
        let oldest = || match own {
            EARLY_EACH.. => self.oldest(from_source),
            _ => self.oldest(|_| true),
        };
        free.or_else(oldest).unwrap_or(0)
    }

    fn take_oldest(&mut self, which: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let place = self.oldest(which)?;
        self.places.get_mut(place)?.take()
    }

    fn oldest(&self, which: impl Fn(&Waiting) -> bool) -> Option<usize> {
        let waiting = self.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.as_ref()?)));
        let candidates = waiting.filter(|(_, waiting)| which(waiting));
        candidates.min_by_key(|(_, waiting)| waiting.until).map(|(at, _)| at)
    }
}

const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1FFF;

/// How many pieces [`cut`] makes of a packet, at most.
pub(crate) fn pieces(packet: &[u8], mtu: usize) -> usize {
    let mtu = mtu.min(LONGEST - ETHERNET);
    let room = |header: &[u8]| (mtu.saturating_sub(header.len()) & !7).max(1);
    split(packet).map_or(0, |(header, data)| data.len().div_ceil(room(header)))
}

/// Cuts a packet into pieces of at most `mtu` bytes and hands them to `send`, the first one first. All options are in
/// the first piece, in the others those that say so (RFC 791 s.3.1).
pub(crate) fn cut(packet: &[u8], mtu: usize, mut send: impl FnMut(&[u8])) {
    let mtu = mtu.min(LONGEST - ETHERNET);
    let Some((header, data)) = split(packet) else { return };
    let [_, _, _, _, _, _, high, low, ..] = *header else { return };
    let (flags, more) = (u16::from_be_bytes([high, low]), u16::from_be_bytes([high, low]) & MORE_FRAGMENTS);
    let mut piece = [0; LONGEST];
    let mut header_len = copy(&mut piece, header);
    let (mut offset, mut rest) = (flags & OFFSET, data);
    while !rest.is_empty() {
        let room = mtu.saturating_sub(header_len) & !7;
        let len = if rest.len() + header_len <= mtu { rest.len() } else { room };
        let Some((now, later)) = rest.split_at_checked(len).filter(|(now, _)| !now.is_empty()) else {
            return;
        };
        let end = header_len + len;
        let Some(body) = piece.get_mut(header_len..end) else { return };
        body.copy_from_slice(now);
        let more = if later.is_empty() { more } else { MORE_FRAGMENTS };
        finish(&mut piece, header_len, end, offset | more);
        send(piece.get(..end).unwrap_or_default());
        if offset == flags & OFFSET {
            header_len = keep_copied_options(&mut piece, header_len);
        }
        offset += (len / 8) as u16;
        rest = later;
    }
}

fn split(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    let header_len = usize::from(packet.first()? & 0x0F) * 4;
    packet.split_at_checked(header_len)
}

fn copy(piece: &mut [u8; LONGEST], header: &[u8]) -> usize {
    piece.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
    header.len()
}

/// Sets what is different in each piece.
fn finish(piece: &mut [u8; LONGEST], header_len: usize, end: usize, flags: u16) {
    let [_, _, len0, len1, _, _, flags0, flags1, _, _, sum0, sum1, ..] = piece;
    [*len0, *len1] = (end as u16).to_be_bytes();
    [*flags0, *flags1] = flags.to_be_bytes();
    [*sum0, *sum1] = [0, 0];
    let sum = checksum(piece.get(..header_len).unwrap_or_default()).to_be_bytes();
    let [_, _, _, _, _, _, _, _, _, _, sum0, sum1, ..] = piece;
    [*sum0, *sum1] = sum;
}

/// Leaves only those options in a header that belong into every piece; the header's length now.
fn keep_copied_options(piece: &mut [u8; LONGEST], header_len: usize) -> usize {
    const COPIED: u8 = 0x80;
    let mut kept = [0; 40];
    let mut len = 0;
    let copied = Options(piece.get(HEADER..header_len).unwrap_or_default())
        .filter(|option| option.kind & COPIED != 0)
        .filter_map(|option| option.bytes);
    for option in copied {
        if let Some(place) = kept.get_mut(len..len + option.len()) {
            place.copy_from_slice(option);
            len += option.len();
        }
    }
    // What is behind the last option is zero, which is the end of the list.
    let header_len = HEADER + len.next_multiple_of(4);
    if let Some(options) = piece.get_mut(HEADER..header_len) {
        options.iter_mut().zip(kept).for_each(|(to, from)| *to = from);
    }
    piece[0] = 0x40 | (header_len / 4) as u8;
    header_len
}
