//! A device to lose power: sectors behind a cache, and a log of what was on its way to them.
//!
//! What is written is in the cache until `flush`. Between two flushes the device may take the sectors in any order, so
//! a power cut leaves any of them new and the others old, and one of them torn: at any byte, with what was there
//! before or rubbish for the rest.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::rc::Rc;

use embedded_io::{ErrorKind, ErrorType, Read, Seek, SeekFrom, Write};

/// A handle to a device; a clone is another handle to the same.
#[derive(Clone)]
pub(super) struct Device {
    inner: Rc<RefCell<Inner>>,
    position: usize,
}

struct Inner {
    medium: Vec<u8>,
    cache: Vec<u8>,
    written: Vec<Range<usize>>,
    epochs: Vec<Epoch>,
    flaw: Flaw,
    writes: usize,
}

/// What may be wrong with a device.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Flaw {
    Nothing,
    /// It has this many writes left, then each fails.
    Dies(usize),
    /// It has this many writes left, then it says that it writes, and does not.
    Forgets(usize),
}

/// All that happens between two flushes.
pub(super) struct Epoch {
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    written: Vec<Range<usize>>,
}

impl Device {
    pub(super) fn new(medium: Vec<u8>) -> Self {
        Self::flawed(medium, Flaw::Nothing)
    }

    pub(super) fn flawed(medium: Vec<u8>, flaw: Flaw) -> Self {
        let cache = medium.clone();
        let inner = Inner { medium, cache, written: Vec::new(), epochs: Vec::new(), flaw, writes: 0 };
        Self { inner: Rc::new(RefCell::new(inner)), position: 0 }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.inner.borrow().medium.clone()
    }

    pub(super) fn writes(&self) -> usize {
        self.inner.borrow().writes
    }

    /// What has happened, flush by flush.
    pub(super) fn epochs(&self) -> Vec<Epoch> {
        std::mem::take(&mut self.inner.borrow_mut().epochs)
    }
}

impl Epoch {
    /// Shows everything that a power cut can leave, if the device has sectors of this size.
    pub(super) fn cut(&self, sector: usize, mut show: impl FnMut(Vec<u8>)) {
        let sectors: BTreeSet<_> =
            self.written.iter().flat_map(|range| range.start / sector..=(range.end - 1) / sector).collect();
        for torn in &sectors {
            let others: Vec<_> = sectors.iter().filter(|other| *other != torn).collect();
            for arrived in 0..1_u32 << others.len() {
                let mut left = self.before.clone();
                for (_, other) in others.iter().enumerate().filter(|(bit, _)| arrived >> bit & 1 == 1) {
                    let range = *other * sector..(*other + 1) * sector;
                    left[range.clone()].copy_from_slice(&self.after[range]);
                }
                let range = torn * sector..(torn + 1) * sector;
                for bytes in tears(&self.before[range.clone()], &self.after[range.clone()]) {
                    left[range.clone()].copy_from_slice(&bytes);
                    show(left.clone());
                }
            }
        }
    }
}

/// Every sector that there can be if writing is cut short.
fn tears(old: &[u8], new: &[u8]) -> BTreeSet<Vec<u8>> {
    let rubbish: Vec<_> = (0..old.len()).map(|at| (at * 151 + 89) as u8).collect();
    // At every byte where the usual blob and all else that is written lies; of a longer one, here and there.
    let at = (0..=old.len()).filter(|at| *at < 128 || at % 64 == 0);
    at.flat_map(|at| {
        let halves = [(new, old), (old, new), (new, &rubbish), (&rubbish, new), (&rubbish, old)];
        halves.map(|(first, second)| [&first[..at], &second[at..]].concat())
    })
    .collect()
}

impl ErrorType for Device {
    type Error = ErrorKind;
}

impl Read for Device {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let inner = self.inner.borrow();
        let rest = inner.cache.get(self.position..).unwrap_or_default();
        // Never more than some at once: nobody has to give everything that is asked for.
        let length = rest.len().min(buffer.len()).min(50);
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length;
        Ok(length)
    }
}

impl Write for Device {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut inner = self.inner.borrow_mut();
        inner.writes += 1;
        let length = inner.cache.len().saturating_sub(self.position).min(bytes.len()).min(1000);
        let range = self.position..self.position + length;
        self.position += length;
        match &mut inner.flaw {
            Flaw::Dies(0) => return Err(ErrorKind::Other),
            Flaw::Forgets(0) => return Ok(length),
            Flaw::Dies(left) | Flaw::Forgets(left) => *left -= 1,
            Flaw::Nothing => {}
        }
        if length > 0 {
            inner.cache[range.clone()].copy_from_slice(&bytes[..length]);
            inner.written.push(range);
        }
        Ok(length)
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        let inner = &mut *self.inner.borrow_mut();
        let written = std::mem::take(&mut inner.written);
        if !written.is_empty() {
            let (before, after) = (inner.medium.clone(), inner.cache.clone());
            inner.medium.clone_from(&after);
            inner.epochs.push(Epoch { before, after, written });
        }
        Ok(())
    }
}

impl Seek for Device {
    fn seek(&mut self, to: SeekFrom) -> Result<u64, ErrorKind> {
        let SeekFrom::Start(position) = to else { return Err(ErrorKind::Unsupported) };
        self.position = position as usize;
        Ok(position)
    }
}
