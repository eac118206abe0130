//! From values to bytes, as `reader` takes them.

use crate::Error;

/// Fills a buffer from front to back. What does not fit is counted and told at the end.
pub(super) struct Writer<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Writer<'b> {
    /// At the beginning of a buffer.
    pub(super) const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// How many bytes there are.
    pub(super) const fn end(&self) -> Result<usize, Error> {
        if self.length > self.buffer.len() { Err(Error::BufferTooSmall) } else { Ok(self.length) }
    }

    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(place) = self.buffer.get_mut(self.length) {
            *place = byte;
        }
        self.length += 1;
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.byte(*byte));
    }

    pub(super) fn number(&mut self, number: impl Into<u32>) {
        let mut rest = number.into();
        while rest > 0x7f {
            self.byte(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.byte(rest as u8);
    }

    pub(super) fn truth(&mut self, truth: bool) {
        self.byte(truth.into());
    }

    /// One of several, by its place among them. One that is not there is written as what no reader takes.
    pub(super) fn choice<T: PartialEq>(&mut self, all: &[T], chosen: &T) {
        let place = all.iter().position(|one| one == chosen).unwrap_or(all.len());
        self.length_of(place);
    }

    /// How long a text or a list is, which is never more than a few hundred.
    pub(super) fn length_of(&mut self, length: usize) {
        self.number(length as u32);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.length_of(text.len());
        self.bytes(text.as_bytes());
    }

    /// What may be left out.
    pub(super) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.truth(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }
}
