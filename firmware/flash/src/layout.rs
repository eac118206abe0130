//! What the bytes of a slot mean. All numbers are little-endian; a sector is one of 4,096 bytes, or eight of 512.
//!
//! | sector | what |
//! |---|---|
//! | 0 | the header |
//! | 1, 2, 3 | the mark of the first, the second and the third try |
//! | 4 and on | the blob, signed or bare |
//!
//! Each begins its sector; the bytes behind it belong to nothing and are never looked at.
//!
//! | offset in the header | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic, the letters `SKSL` |
//! | 4 | 2 | format, 1 |
//! | 6 | 2 | length of the blob in bytes |
//! | 8 | 8 | sequence |
//! | 16 | 4 | CRC-32/ISO-HDLC of the blob |
//! | 20 | 4 | CRC-32/ISO-HDLC of what comes before it in the header |
//!
//! | offset in a mark | bytes | what |
//! |---|---|---|
//! | 0 | 3 | magic, the letters `TRY` |
//! | 3 | 1 | the digit 1, 2 or 3 |
//! | 4 | 8 | sequence of the header |
//! | 12 | 4 | the header's own checksum |
//!
//! Invariants: every byte of a header and of its blob is compared or covered by a checksum; every byte of a mark is
//! compared. What is blank, zeros or erased flash, is no header and no mark.

use core::fmt;

use config::signed::MAX_SIGNED;
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use crate::Problem;

/// How many times in a row a configuration is tried before it is passed over for the older one.
pub const TRIES: usize = 3;

/// The bytes that a slot takes up.
pub const SLOT_BYTES: u64 = BLOB_AT + (MAX_SIGNED as u64).next_multiple_of(SECTOR);

pub(crate) const HEADER_AT: u64 = 0;
pub(crate) const MARKS_AT: [u64; TRIES] = [SECTOR, 2 * SECTOR, 3 * SECTOR];
pub(crate) const BLOB_AT: u64 = 4 * SECTOR;

pub(crate) const HEADER: usize = 24;
pub(crate) const MARK: usize = 16;

/// The largest that disks and flash have; what lies in one of these has the smaller ones within for itself, too.
const SECTOR: u64 = 4096;
const MAGIC: [u8; 4] = *b"SKSL";
const FORMAT: u16 = 1;
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

const _: () = assert!(MAX_SIGNED <= u16::MAX as usize, "the length field must hold every blob's length");

/// The number of what was written: the higher, the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(u64);

/// What a slot says of the blob in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sequence: Sequence,
    length: u16,
    checksum: u32,
}

impl Sequence {
    /// The first there is.
    pub(crate) const FIRST: Self = Self(1);

    /// The next higher. There is none after 2⁶⁴ - 1, which is not written in the life of any flash.
    pub(crate) fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The bare number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Header {
    /// The header of a blob, which is a configuration's and hence at most [`MAX_SIGNED`] bytes.
    pub(crate) fn of(blob: &[u8], sequence: Sequence) -> Self {
        Self { sequence, length: blob.len() as u16, checksum: CRC.checksum(blob) }
    }

    /// Reads a header.
    pub(crate) fn decode(bytes: &[u8; HEADER]) -> Result<Self, Problem> {
        if *bytes == [0; HEADER] || *bytes == [0xff; HEADER] {
            return Err(Problem::Blank);
        }
        let (covered, own) = bytes.split_last_chunk::<4>().ok_or(Problem::TooSmall)?;
        let rest = covered.strip_prefix(&MAGIC).ok_or(Problem::WrongMagic)?;
        let (format, rest) = number::<2>(rest)?;
        let (length, rest) = number::<2>(rest)?;
        let (sequence, rest) = number::<8>(rest)?;
        let (checksum, _) = number::<4>(rest)?;
        let (format, length) = (u16::from_le_bytes(format), u16::from_le_bytes(length));
        if format != FORMAT {
            return Err(Problem::UnsupportedFormat(format));
        }
        if u32::from_le_bytes(*own) != CRC.checksum(covered) {
            return Err(Problem::DamagedHeader);
        }
        if usize::from(length) > MAX_SIGNED {
            return Err(Problem::TooLong);
        }
        let (sequence, checksum) = (Sequence(u64::from_le_bytes(sequence)), u32::from_le_bytes(checksum));
        Ok(Self { sequence, length, checksum })
    }

    pub(crate) fn encode(self) -> [u8; HEADER] {
        joined(&[&self.covered(), &self.own()])
    }

    /// The mark of the try with this index, counted from 0.
    pub(crate) fn mark(self, index: usize) -> [u8; MARK] {
        // There are three: one digit is enough.
        let digit = b'1' + index as u8;
        joined(&[b"TRY", &[digit], &self.sequence.0.to_le_bytes(), &self.own()])
    }

    pub(crate) fn length(self) -> usize {
        self.length.into()
    }

    pub(crate) fn is_of(self, blob: &[u8]) -> bool {
        self.checksum == CRC.checksum(blob)
    }

    /// All but the header's own checksum.
    fn covered(self) -> [u8; HEADER - 4] {
        joined(&[
            &MAGIC,
            &FORMAT.to_le_bytes(),
            &self.length.to_le_bytes(),
            &self.sequence.0.to_le_bytes(),
            &self.checksum.to_le_bytes(),
        ])
    }

    /// The header's own checksum, as it stands there.
    fn own(self) -> [u8; 4] {
        CRC.checksum(&self.covered()).to_le_bytes()
    }
}

/// These bytes, one behind the other, as many as there are places.
fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().zip(parts.iter().copied().flatten()) {
        *place = *byte;
    }
    bytes
}

/// The first bytes, and the rest.
fn number<const N: usize>(bytes: &[u8]) -> Result<([u8; N], &[u8]), Problem> {
    bytes.split_first_chunk().map(|(number, rest)| (*number, rest)).ok_or(Problem::TooSmall)
}
