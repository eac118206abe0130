//! From bytes to values. Each value has one spelling only; any other is refused.

use core::str;

use crate::Error;

/// Goes through the body of a blob, from front to back.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
    version: u16,
}

impl<'b> Reader<'b> {
    /// At the beginning of a body of this version.
    pub(super) const fn new(version: u16, body: &'b [u8]) -> Self {
        Self { rest: body, version }
    }

    /// Whether the body has what came with a version.
    pub(super) const fn is_since(&self, version: u16) -> bool {
        self.version >= version
    }

    /// Nothing may follow.
    pub(super) const fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() { Ok(()) } else { Err(Error::MalformedBody) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        let (byte, rest) = self.rest.split_first().ok_or(Error::MalformedBody)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Error::MalformedBody)?;
        self.rest = rest;
        Ok(*array)
    }

    /// A number of up to 32 bits.
    pub(super) fn number(&mut self) -> Result<u32, Error> {
        let mut number = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            let bits = u32::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(Error::MalformedBody);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                // The last byte of a longer number is 0 only if it need not be there.
                let is_short = byte != 0 || shift == 0;
                return if is_short { Ok(number) } else { Err(Error::NotCanonical) };
            }
        }
        Err(Error::MalformedBody)
    }

    /// A number of up to 16 bits.
    pub(super) fn short(&mut self) -> Result<u16, Error> {
        self.number()?.try_into().map_err(|_| Error::MalformedBody)
    }

    pub(super) fn truth(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::MalformedBody),
        }
    }

    /// One of several, by its place among them.
    pub(super) fn choice<T: Copy>(&mut self, all: &[T]) -> Result<T, Error> {
        let place = self.number()? as usize;
        all.get(place).copied().ok_or(Error::MalformedBody)
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Error> {
        let length = self.number()? as usize;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Error::MalformedBody)?;
        self.rest = rest;
        str::from_utf8(text).map_err(|_| Error::MalformedBody)
    }

    /// What may be left out.
    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.truth()? { read(self).map(Some) } else { Ok(None) }
    }
}
