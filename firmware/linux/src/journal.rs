//! What was logged last, to be read again: as much as there is room for, in memory alone.
//!
//! Each line begins with when it was logged, in seconds since the machine's start. Who reads it goes on from the byte where the part
//! before ended; what has been overwritten meanwhile is skipped.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// How much is kept.
const ROOM: usize = 16_384;

static BYTES: [AtomicU8; ROOM] = [const { AtomicU8::new(0) }; ROOM];

/// How many bytes there have ever been.
static WRITTEN: AtomicU64 = AtomicU64::new(0);

/// Adds a line, with its end.
pub(crate) fn add(now: u64, line: &[u8]) {
    // Writing here cannot fail.
    let _ = write!(End, "{:>6}.{:03} ", now / 1000, now % 1000);
    push(line);
}

/// Copies what has been written from a byte on into a buffer, whole lines if possible: which byte it begins with, and how many.
pub fn read(from: u64, buffer: &mut [u8]) -> (u64, usize) {
    let end = WRITTEN.load(Ordering::Relaxed);
    let oldest = end.saturating_sub(ROOM as u64);
    let mut begin = from.clamp(oldest, end);
    let at = |byte: u64| BYTES[byte as usize % ROOM].load(Ordering::Relaxed);
    // The line that was half overwritten is none.
    if begin == oldest && oldest > 0 {
        begin = (begin..end).find(|byte| at(*byte) == b'\n').map_or(end, |byte| byte + 1);
    }
    let mut len = 0;
    for (place, byte) in buffer.iter_mut().zip(begin..end) {
        (*place, len) = (at(byte), len + 1);
    }
    let whole = buffer[..len].iter().rposition(|byte| *byte == b'\n').map_or(len, |last| last + 1);
    (begin, whole)
}

fn push(bytes: &[u8]) {
    let written = WRITTEN.load(Ordering::Relaxed);
    for (byte, at) in bytes.iter().zip(written..) {
        BYTES[at as usize % ROOM].store(*byte, Ordering::Relaxed);
    }
    WRITTEN.store(written + bytes.len() as u64, Ordering::Relaxed);
}

/// Where the next byte goes.
struct End;

impl Write for End {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    fn all(mut from: u64) -> (String, u64) {
        let (mut text, mut buffer) = (String::new(), [0; 100]);
        loop {
            let (begin, len) = read(from, &mut buffer);
            if len == 0 {
                return (text, from);
            }
            text += &String::from_utf8_lossy(&buffer[..len]);
            from = begin + len as u64;
        }
    }

    /// All of it in one test: there is one journal.
    #[test]
    fn lines_are_read_in_order_and_the_oldest_are_lost() {
        add(1_234, b"first\n");
        add(65_000, b"second\n");
        let (text, end) = all(0);
        assert_eq!(text, "     1.234 first\n    65.000 second\n");
        assert_eq!(all(end).0, "");
        for number in 0..2_000 {
            add(number, std::format!("line {number}\n").as_bytes());
        }
        let (text, _) = all(end);
        assert!(text.len() <= ROOM && text.len() > ROOM - 40);
        assert!(text.ends_with("     1.999 line 1999\n"));
        let numbers = text.lines().filter_map(|line| line.split(' ').next_back()?.parse::<u64>().ok());
        let numbers: std::vec::Vec<u64> = numbers.collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]) && numbers.len() == text.lines().count()
        );
    }
}
