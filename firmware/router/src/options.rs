//! The header options that a router writes into: Record Route and Timestamp (RFC 791 s.3.1, RFC 1812 s.5.3.13.5,
//! s.5.3.13.6).
//!
//! Both are lists with a *pointer*, counted from one, to the next free place; beyond the option's end, the list is full.
//! A full route is left as it is, what finds no place in a full list of times is counted. Of the addresses that a sender
//! has filled in itself, those are ours that either port has.
//!
//! A time is milliseconds since midnight UT, which the box does not know. What it writes has the highest bit set, and
//! that is how such a time says that it is some other clock's (RFC 792 on Timestamp, RFC 1122 s.3.2.2.8).
//!
//! All other options pass as they are, but a malformed one stops its packet, and so does a source route (RFC 7126).

use core::net::Ipv4Addr;

use napt::packet::HEADER;
use napt::{Instant, Options, checksum};

const NO_OPERATION: u8 = 1;
const RECORD_ROUTE: u8 = 7;
const TIMESTAMP: u8 = 68;

/// The flags of a Timestamp: what it has of each router; the last of those alone whose addresses it has already.
const TIMES: u8 = 0;
const ADDRESSES_AND_TIMES: u8 = 1;
const TIMES_OF_NAMED: u8 = 3;

const ADDRESS: usize = 4;
const TIME: usize = 4;

/// Why a packet does not pass with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// One is a source route.
    SourceRoute,
    /// One is malformed.
    Malformed {
        /// The octet that is wrong, counted from the beginning of the header.
        pointer: u8,
    },
}

/// Judges the options of a packet before anything else is done with it.
pub(crate) fn check(options: &[u8]) -> Result<(), Fault> {
    let mut at = 0;
    for option in Options(options) {
        if option.is_source_route() {
            return Err(Fault::SourceRoute);
        }
        let malformed = |offset: usize| {
            let last = options.len().saturating_sub(1);
            Fault::Malformed { pointer: (HEADER + (at + offset).min(last)) as u8 }
        };
        let bytes = option.bytes.ok_or(malformed(1))?;
        entry(bytes).map_err(malformed)?;
        at += bytes.len();
    }
    Ok(())
}

/// What the box writes into options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// The address of the port that the packet leaves by.
    pub(crate) leaves_by: Ipv4Addr,
    /// All addresses of the box.
    pub(crate) ours: [Ipv4Addr; 2],
    pub(crate) now: Instant,
}

impl Mark {
    /// Writes into the options of a well-formed packet, and sets its header checksum right.
    pub(crate) fn write(&self, packet: &mut [u8]) {
        for_each(options_mut(packet), |option| self.write_into(option));
        let header = header_mut(packet);
        set_checksum(header, 0);
        let sum = checksum(header);
        set_checksum(header, sum);
    }

    fn write_into(&self, option: &mut [u8]) {
        let written = match entry(option) {
            Ok(Entry::Address(at)) => put(option, at, self.leaves_by.octets()),
            Ok(Entry::Time(at)) => put(option, at, self.time()),
            Ok(Entry::AddressAndTime(at)) => {
                put(option, at, self.leaves_by.octets()) + put(option, at + ADDRESS, self.time())
            }
            Ok(Entry::TimeOfNamed(at)) if self.is_named(option, at) => {
                ADDRESS + put(option, at + ADDRESS, self.time())
            }
            Ok(Entry::Overflow) => return count_overflow(option),
            Ok(Entry::TimeOfNamed(_) | Entry::Nothing) | Err(_) => return,
        };
        if let Some(pointer) = option.get_mut(2) {
            *pointer = pointer.wrapping_add(written as u8);
        }
    }

    /// Whether the address in this place is ours.
    fn is_named(&self, option: &[u8], at: usize) -> bool {
        let named = option.get(at..at + ADDRESS);
        self.ours.iter().any(|ours| named == Some(&ours.octets()))
    }

    fn time(&self) -> [u8; TIME] {
        const OF_ANOTHER_CLOCK: u32 = 1 << 31;
        (self.now.millis() as u32 | OF_ANOTHER_CLOCK).to_be_bytes()
    }
}

/// Leaves nothing in a packet's options but what routers write into: that is what a reply repeats (RFC 1812 s.4.3.3.6).
pub(crate) fn keep_records(packet: &mut [u8]) {
    for_each(options_mut(packet), |option| match option {
        [RECORD_ROUTE | TIMESTAMP, ..] => (),
        _ => option.fill(NO_OPERATION),
    });
}

/// What a router has to write into an option, and where.
enum Entry {
    Nothing,
    Address(usize),
    Time(usize),
    AddressAndTime(usize),
    /// Its time, behind an address, if that is its own.
    TimeOfNamed(usize),
    /// That there was no room.
    Overflow,
}

/// The next entry of an option; of one that is malformed, the octet that is wrong.
fn entry(option: &[u8]) -> Result<Entry, usize> {
    match option {
        [RECORD_ROUTE, _, pointer, ..] => {
            Ok(next(option, *pointer, 4, ADDRESS)?.map_or(Entry::Nothing, Entry::Address))
        }
        [TIMESTAMP, _, pointer, flags, ..] => times(option, *pointer, flags & 0x0F, flags >> 4),
        [RECORD_ROUTE | TIMESTAMP, ..] => Err(1),
        _ => Ok(Entry::Nothing),
    }
}

fn times(option: &[u8], pointer: u8, flag: u8, overflow: u8) -> Result<Entry, usize> {
    let (size, kind): (usize, fn(usize) -> Entry) = match flag {
        TIMES => (TIME, Entry::Time),
        ADDRESSES_AND_TIMES => (ADDRESS + TIME, Entry::AddressAndTime),
        TIMES_OF_NAMED => (ADDRESS + TIME, Entry::TimeOfNamed),
        _ => return Ok(Entry::Nothing),
    };
    match next(option, pointer, 5, size)? {
        Some(at) => Ok(kind(at)),
        // Nobody else is named.
        None if flag == TIMES_OF_NAMED => Ok(Entry::Nothing),
        None if overflow == 0x0F => Err(3),
        None => Ok(Entry::Overflow),
    }
}

/// Where the next entry of `size` bytes belongs; `None` in a full list.
fn next(option: &[u8], pointer: u8, first: u8, size: usize) -> Result<Option<usize>, usize> {
    let at = usize::from(pointer).wrapping_sub(1);
    match option.len() {
        _ if pointer < first => Err(2),
        len if at >= len => Ok(None),
        len if at + size > len => Err(2),
        _ => Ok(Some(at)),
    }
}

fn count_overflow(option: &mut [u8]) {
    if let Some(flags) = option.get_mut(3) {
        *flags = flags.wrapping_add(0x10);
    }
}

/// Writes an address or a time; its length.
fn put(option: &mut [u8], at: usize, value: [u8; 4]) -> usize {
    if let Some(place) = option.get_mut(at..at + value.len()) {
        place.copy_from_slice(&value);
    }
    value.len()
}

fn set_checksum(header: &mut [u8], sum: u16) {
    if let Some(field) = header.get_mut(10..12) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

/// The options of a well-formed packet.
pub(crate) fn of(packet: &[u8]) -> &[u8] {
    let len = usize::from(packet.first().map_or(0, |first| first & 0x0F)) * 4;
    packet.get(HEADER..len).unwrap_or_default()
}

/// The header, options included.
fn header_mut(packet: &mut [u8]) -> &mut [u8] {
    let len = usize::from(packet.first().map_or(0, |first| first & 0x0F)) * 4;
    packet.get_mut(..len).unwrap_or_default()
}

fn options_mut(packet: &mut [u8]) -> &mut [u8] {
    header_mut(packet).get_mut(HEADER..).unwrap_or_default()
}

/// Does something to each option that has a length.
fn for_each(mut options: &mut [u8], act: impl Fn(&mut [u8])) {
    while let Some(option) = Options(options).next().and_then(|option| option.bytes) {
        let len = option.len();
        let Some((option, rest)) = options.split_at_mut_checked(len) else { return };
        act(option);
        options = rest;
    }
}
