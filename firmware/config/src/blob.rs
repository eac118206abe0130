//! The envelope: what makes bytes a blob of ours, and tells a damaged one from a good one.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic, the letters `SKSH` |
//! | 4 | 2 | schema version, little-endian |
//! | 6 | 2 | length of the body in bytes, little-endian |
//! | 8 | 4 | CRC-32/ISO-HDLC of version, length and body, little-endian |
//! | 12 | length | the settings, as `schema` has them |
//!
//! Invariants: every byte is compared or covered by the checksum, so no change of one byte goes unnoticed;
//! nothing may follow the body; one configuration has one blob of a version, byte for byte.
//!
//! Every schema version there ever was is read; the newest is written.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

use crate::schema::{self, MAX_BODY};
use crate::{Config, Error};

/// The schema version that this program writes. It reads this one and all before it.
pub const SCHEMA_VERSION: u16 = schema::NEWEST;

/// The longest blob in bytes.
pub const MAX_BLOB: usize = HEADER + MAX_BODY;

const MAGIC: [u8; 4] = *b"SKSH";
const HEADER: usize = 12;
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

const _: () = assert!(MAX_BODY <= u16::MAX as usize, "the length field must hold every body's length");

impl Config {
    /// Reads a blob.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::BufferTooSmall`]: first about the envelope, then about the settings.
    pub fn decode(blob: &[u8]) -> Result<Self, Error> {
        let (version, body) = open(blob)?;
        Self::new(schema::read(version, body)?)
    }

    /// Writes the configuration's blob to the front of `buffer`, and says how many bytes it took.
    /// [`MAX_BLOB`] bytes are always enough.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; what is in the buffer then is of no use.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let (header, body) = buffer.split_first_chunk_mut::<HEADER>().ok_or(Error::BufferTooSmall)?;
        let length = schema::write(self, body)?;
        let body = body.get(..length).ok_or(Error::BufferTooSmall)?;
        let version = SCHEMA_VERSION.to_le_bytes();
        // No body is longer than MAX_BODY, whose fit is asserted above.
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

/// Checks the envelope and gives what is inside, with its schema version, which is one that is known.
fn open(blob: &[u8]) -> Result<(u16, &[u8]), Error> {
    let rest = blob.strip_prefix(&MAGIC).ok_or(Error::WrongMagic)?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(Error::WrongLength)?;
    let number = u16::from_le_bytes(*version);
    if !(1..=SCHEMA_VERSION).contains(&number) {
        return Err(Error::UnsupportedVersion(number));
    }
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(Error::WrongLength)?;
    let (stored, body) = rest.split_first_chunk::<4>().ok_or(Error::WrongLength)?;
    if body.len() != usize::from(u16::from_le_bytes(*length)) || body.len() > MAX_BODY {
        return Err(Error::WrongLength);
    }
    if u32::from_le_bytes(*stored) != checksum(*version, *length, body) {
        return Err(Error::WrongChecksum);
    }
    Ok((number, body))
}

fn checksum(version: [u8; 2], length: [u8; 2], body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&version);
    digest.update(&length);
    digest.update(body);
    digest.finalize()
}
