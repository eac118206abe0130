//! The envelope: what makes bytes a board of ours, and tells a damaged one from a good one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic, the letters `SKBD` |
//! | 4 | 2 | schema version, little-endian |
//! | 6 | 2 | length of the body in bytes, little-endian |
//! | 8 | 4 | CRC-32/ISO-HDLC of version, length and body, little-endian |
//! | 12 | length | the settings, as `schema` has them |
//!
//! Invariants: every byte is compared or covered by the checksum, so no change of one byte goes unnoticed; nothing may
//! follow the body; one board has one blob, byte for byte.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use crate::schema::{self, LONGEST};
use crate::{Board, Error};

/// The schema version that this program reads and writes. Program and board come in one image, so it reads no other.
pub const SCHEMA_VERSION: u16 = 1;

/// The longest blob in bytes.
pub const MAX_BOARD: usize = HEADER + LONGEST;

const MAGIC: [u8; 4] = *b"SKBD";
const HEADER: usize = 12;
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

const _: () = assert!(LONGEST <= u16::MAX as usize, "the length field must hold every body's length");

impl Board {
    /// Reads a blob.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::BufferTooSmall`]: first about the envelope, then about the settings.
    pub fn decode(blob: &[u8]) -> Result<Self, Error> {
        let body = open(blob)?;
        Self::new(schema::read(body)?)
    }

    /// Writes the board's blob to the front of `buffer`, and says how many bytes it took. [`MAX_BOARD`] bytes are always
    /// enough.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; what is in the buffer then is of no use.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let (header, body) = buffer.split_first_chunk_mut::<HEADER>().ok_or(Error::BufferTooSmall)?;
        let length = schema::write(self, body).ok_or(Error::BufferTooSmall)?;
        let body = body.get(..length).ok_or(Error::BufferTooSmall)?;
        let version = SCHEMA_VERSION.to_le_bytes();
        // No body is longer than LONGEST, whose fit is asserted above.
        let length = (body.len() as u16).to_le_bytes();
        let checksum = checksum(version, length, body).to_le_bytes();
        for (place, byte) in
            header.iter_mut().zip(MAGIC.into_iter().chain(version).chain(length).chain(checksum))
        {
            *place = byte;
        }
        Ok(HEADER + body.len())
    }
}

/// Checks the envelope and gives what is inside.
fn open(blob: &[u8]) -> Result<&[u8], Error> {
    let rest = blob.strip_prefix(&MAGIC).ok_or(Error::WrongMagic)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(Error::WrongLength)?;
    let number = u16::from_le_bytes(*version);
    if number != SCHEMA_VERSION {
        return Err(Error::UnsupportedVersion(number));
    }
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Error::WrongLength)?;
    let (stored, body) = rest.split_first_chunk::<4>().ok_or(Error::WrongLength)?;
    if body.len() != usize::from(u16::from_le_bytes(*length)) || body.len() > LONGEST {
        return Err(Error::WrongLength);
    }
    if u32::from_le_bytes(*stored) != checksum(*version, *length, body) {
        return Err(Error::WrongChecksum);
    }
    Ok(body)
}

fn checksum(version: [u8; 2], length: [u8; 2], body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&version);
    digest.update(&length);
    digest.update(body);
    digest.finalize()
}
