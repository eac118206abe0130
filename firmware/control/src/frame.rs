//! Frames: where a message begins and ends in a stream of bytes, and whether it came whole.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | zero |
//! | … | COBS of what follows, so that there is no zero in it: |
//! | 1 | the kind |
//! | 0 to 1,044 | the content |
//! | 4 | CRC-32/ISO-HDLC of kind and content, little-endian |
//! | 1 | zero |
//!
//! The zero before it parts a frame from whatever else is in the stream: the log of a box that has one serial port for both. What is
//! between two zeros and is no frame is such other text, or was damaged on its way; either is of no account.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};

/// The longest content, in bytes.
pub const MAX_CONTENT: usize = 1044;

/// The longest frame, in bytes, with both zeros.
pub const MAX_FRAME: usize = 2 + cobs::max_encoding_length(BARE);

const BARE: usize = 1 + MAX_CONTENT + SUM;
const SUM: usize = 4;
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Collects the bytes of a stream until they are a frame.
#[derive(Debug)]
pub struct Reader {
    bytes: [u8; MAX_FRAME],
    len: usize,
    /// Whether what comes is longer than any frame.
    is_lost: bool,
}

impl Reader {
    /// Nothing has come yet.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_FRAME], len: 0, is_lost: false }
    }

    /// Takes bytes out of `stream`, up to the end of a frame: its kind and content, which may be changed where they lie. Nothing
    /// if all bytes have been taken and no frame was whole; what was none is counted in `strays`.
    pub fn next(&mut self, stream: &mut &[u8], strays: &mut u64) -> Option<(u8, &mut [u8])> {
        let len = loop {
            let (byte, rest) = stream.split_first()?;
            *stream = rest;
            if *byte != 0 {
                self.push(*byte);
                continue;
            }
            match (self.len, self.end()) {
                // Two zeros, one after the other.
                (0, _) => {}
                (_, Some(len)) => break len,
                (_, None) => *strays += 1,
            }
        };
        let (kind, content) = self.bytes.split_first_mut()?;
        Some((*kind, content.get_mut(..len)?))
    }

    fn push(&mut self, byte: u8) {
        match self.bytes.get_mut(self.len) {
            Some(place) => *place = byte,
            None => self.is_lost = true,
        }
        self.len = MAX_FRAME.min(self.len + 1);
    }

    /// What has come is all there is between two zeros: how long its content is, if it is a frame.
    fn end(&mut self) -> Option<usize> {
        let (len, is_lost) = (self.len, self.is_lost);
        (self.len, self.is_lost) = (0, false);
        let bytes = self.bytes.get_mut(..len).filter(|_| !is_lost)?;
        let len = cobs::decode_in_place(bytes).ok()?;
        let (bare, sum) = bytes.get(..len)?.split_last_chunk::<SUM>()?;
        let is_frame = u32::from_le_bytes(*sum) == CRC.checksum(bare);
        bare.len().checked_sub(1).filter(|content| is_frame && *content <= MAX_CONTENT)
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a frame of at most [`MAX_CONTENT`] bytes at the front of `frame`; its length, nothing for a longer content.
pub fn write(kind: u8, content: &[u8], frame: &mut [u8; MAX_FRAME]) -> usize {
    let mut bare = [0; BARE];
    let end = 1 + content.len();
    let Some(place) = bare.get_mut(1..end).filter(|_| content.len() <= MAX_CONTENT) else { return 0 };
    place.copy_from_slice(content);
    bare[0] = kind;
    let sum = CRC.checksum(&bare[..end]).to_le_bytes();
    bare[end..end + SUM].copy_from_slice(&sum);
    frame.fill(0);
    let [_, room @ .., _] = frame;
    // There is room for what is longest.
    let len = cobs::try_encode(&bare[..end + SUM], room).unwrap_or(0);
    // Behind a block that ends just there, the encoder has begun another.
    if let Some(end) = frame.get_mut(1 + len) {
        *end = 0;
    }
    if len == 0 { 0 } else { len + 2 }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn frame(kind: u8, content: &[u8]) -> Vec<u8> {
        let mut frame = [0; MAX_FRAME];
        let len = write(kind, content, &mut frame);
        frame[..len].to_vec()
    }

    /// What a reader makes of a stream that comes in pieces of so many bytes; and how much was no frame.
    fn read(stream: &[u8], piece: usize) -> (Vec<(u8, Vec<u8>)>, u64) {
        let (mut reader, mut read, mut strays) = (Reader::new(), Vec::new(), 0);
        for mut piece in stream.chunks(piece) {
            while let Some((kind, content)) = reader.next(&mut piece, &mut strays) {
                read.push((kind, content.to_vec()));
            }
        }
        (read, strays)
    }

    #[test]
    fn what_is_written_is_read_however_it_comes() {
        let contents: [&[u8]; 5] = [&[], &[0], &[0; 300], &[7; MAX_CONTENT], b"said\0and done"];
        let stream: Vec<u8> = contents.iter().flat_map(|content| frame(3, content)).collect();
        for piece in [1, 2, 7, 4096] {
            let (read, strays) = read(&stream, piece);
            assert_eq!(strays, 0);
            assert!(read.iter().map(|(kind, content)| (*kind, &content[..])).eq(contents.map(|it| (3, it))));
        }
        assert_eq!(write(3, &[0; MAX_CONTENT + 1], &mut [0; MAX_FRAME]), 0);
    }

    #[test]
    fn a_frame_ends_with_a_zero_wherever_its_last_block_ends() {
        // COBS parts what has no zero into blocks of 254 bytes. All that is not zero here is the content, and the sum.
        for len in 0..MAX_CONTENT {
            for kind in 1..=4 {
                let content = [0x55; MAX_CONTENT];
                let (read, strays) = read(&frame(kind, &content[..len]), 4096);
                assert_eq!((read.len(), strays), (1, 0), "kind {kind}, {len} bytes");
            }
        }
    }

    #[test]
    fn a_log_between_frames_does_no_harm() {
        let stream =
            [b"sekisho: gw0: link up\r\n", &frame(1, b"one")[..], b"more", &frame(1, b"two")].concat();
        let (read, strays) = read(&stream, 5);
        assert_eq!(read, [(1, b"one".to_vec()), (1, b"two".to_vec())]);
        assert_eq!(strays, 2);
    }

    #[test]
    fn a27_no_change_of_a_byte_and_no_flood_is_taken_for_a_frame() {
        let whole = frame(2, b"counted");
        for at in 1..whole.len() - 1 {
            for byte in (0..=255).filter(|byte| *byte != whole[at]) {
                let mut changed = whole.clone();
                changed[at] = byte;
                assert_eq!(read(&changed, 4096).0, [], "{byte} at {at}");
            }
        }
        let flood = [&[1; 5 * MAX_FRAME][..], &frame(2, b"after it")].concat();
        assert_eq!(read(&flood, 999), ([(2, b"after it".to_vec())].into(), 1));
    }
}
