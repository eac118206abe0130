//! Writing an image to a disk so that a disk is never left that looks whole and is not.
//!
//! First both places of the partition table are blanked, then everything but the table is written, read back and compared, and
//! last comes the table, its copy at the very end of the disk, however large that is. Cut short before that, the disk has no
//! table, and no firmware boots from it.

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};

use crate::disk::{self, HEAD, TAIL};
use crate::medium::Medium;

/// How much is written and read at a time.
const CHUNK: usize = 1 << 20;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Writing.
    Write,
    /// Reading back.
    Compare,
}

/// Writes an image to a disk that is at least as large. Each step is told with how many bytes it has done more.
///
/// # Errors
/// What went wrong, and where.
pub fn write(medium: &Medium, image: &[u8], done: &dyn Fn(Step, usize)) -> Result<(), String> {
    let length = medium.length().map_err(|error| format!("has no length: {error}"))?;
    let (head, tail) = disk::ends(image, length)?;
    let behind = disk::whole(length) - TAIL as u64;
    let content = image.get(HEAD..image.len() - TAIL).ok_or("is no image")?;
    let ignored = |_, _| {};
    for (at, blank) in [(0, HEAD), (behind, TAIL)] {
        put(medium, at, &vec![0; blank], &ignored)?;
    }
    put(medium, HEAD as u64, content, done)?;
    compare(medium, HEAD as u64, content, done)?;
    // The copy first: a disk with that alone is mended, one with the first alone is believed.
    for (at, table) in [(behind, &tail), (0, &head)] {
        put(medium, at, table, done)?;
        compare(medium, at, table, done)?;
    }
    Ok(())
}

fn put(medium: &Medium, at: u64, bytes: &[u8], done: &dyn Fn(Step, usize)) -> Result<(), String> {
    let failed = |at: u64, error: &io::Error| format!("cannot be written at byte {at}: {error}");
    let mut medium = medium.clone();
    medium.seek(SeekFrom::Start(at)).map_err(|error| failed(at, &error))?;
    for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
        let at = at + (index * CHUNK) as u64;
        medium.write_all(chunk).map_err(|error| failed(at, &error))?;
        done(Step::Write, chunk.len());
    }
    medium.flush().map_err(|error| failed(at, &error))
}

fn compare(medium: &Medium, at: u64, bytes: &[u8], done: &dyn Fn(Step, usize)) -> Result<(), String> {
    let failed = |at: u64, error: &io::Error| format!("cannot be read back at byte {at}: {error}");
    let mut medium = medium.clone();
    medium.seek(SeekFrom::Start(at)).map_err(|error| failed(at, &error))?;
    let mut found = vec![0; CHUNK];
    for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
        let at = at + (index * CHUNK) as u64;
        let found = &mut found[..chunk.len()];
        medium.read_exact(found).map_err(|error| failed(at, &error))?;
        if let Some(other) = found.iter().zip(chunk).position(|(found, written)| found != written) {
            let at = at + other as u64;
            return Err(format!("did not keep what was written: something else was read back at byte {at}"));
        }
        done(Step::Compare, chunk.len());
    }
    Ok(())
}
