//! The settings on the wire. Order and type of every field are the format: a change is a new version beside this one, never an
//! edit.
//!
//! | what | its bytes |
//! |---|---|
//! | a number of 8 bits | one byte |
//! | a text, a list | the number of its bytes or members, in one byte, and then these |
//! | a selector | 0 and a number, 1 and the six bytes of an address, or 2 and a text |
//! | what may be left out | 0; or 1, and then itself |
//!
//! These are the rules of postcard, where no length is above 127. Each value has one spelling, so what was read would be
//! written the same.

use core::str;

use heapless::Vec;

use crate::names::{MAX_BOARD_NAME, MAX_FILE_PATH, MAX_PATH_PART};
use crate::{Board, BoardName, Draft, Error, Field, FilePath, MAX_MODULES, Mac, PathPart, Problem, Selector};

/// The longest body in bytes: the length of a text or list, an option, the kind of a selector and a byte take 1 each.
pub(crate) const LONGEST: usize = {
    let selector = 1 + 1 + MAX_PATH_PART;
    let modules = 1 + MAX_MODULES * (1 + MAX_FILE_PATH);
    1 + MAX_BOARD_NAME + modules + 2 * selector + 1 + 1 + MAX_FILE_PATH
};

/// The highest bit of a length says that it goes on in another byte, as none of ours does.
const GOES_ON: u8 = 0x80;

/// Reads the settings, and checks each by itself.
pub(crate) fn read(body: &[u8]) -> Result<Draft, Error> {
    let mut from = Reader { rest: body };
    let name = from.text(MAX_BOARD_NAME)?;
    let mut draft = Draft {
        name: Some(BoardName::new(name).map_err(|problem| problem.with(Field::Name))?),
        ..Draft::default()
    };
    draft.modules = from.modules()?;
    draft.lan = Some(from.selector(Field::Lan)?);
    draft.wan = Some(from.selector(Field::Wan)?);
    draft.watchdog = match from.byte()? {
        0 => None,
        1 => Some(from.path(Field::Watchdog)?),
        _ => return Err(Error::MalformedBody),
    };
    if from.rest.is_empty() { Ok(draft) } else { Err(Error::MalformedBody) }
}

/// Writes the settings to the front of a buffer, and says how many bytes that took, if it is large enough.
pub(crate) fn write(board: &Board, buffer: &mut [u8]) -> Option<usize> {
    let room = buffer.len();
    let mut to = Writer { rest: buffer };
    to.text(board.name())?;
    // Neither texts nor modules are as many as a byte cannot say.
    to.bytes(&[board.modules().len() as u8])?;
    board.modules().try_for_each(|path| to.text(path))?;
    to.selector(board.lan())?;
    to.selector(board.wan())?;
    match board.watchdog() {
        None => to.bytes(&[0])?,
        Some(path) => {
            to.bytes(&[1])?;
            to.text(path)?;
        }
    }
    Some(room - to.rest.len())
}

/// Goes through a body, from front to back.
struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Error::MalformedBody)?;
        self.rest = rest;
        Ok(*array)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// How many there are, of as many as there may be.
    fn length(&mut self, most: usize) -> Result<usize, Error> {
        match self.byte()? {
            GOES_ON.. => Err(Error::NotCanonical),
            length if usize::from(length) > most => Err(Error::MalformedBody),
            length => Ok(length.into()),
        }
    }

    fn text(&mut self, longest: usize) -> Result<&'b str, Error> {
        let length = self.length(longest)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Error::MalformedBody)?;
        self.rest = rest;
        str::from_utf8(text).map_err(|_| Error::MalformedBody)
    }

    fn path(&mut self, field: Field) -> Result<FilePath, Error> {
        FilePath::new(self.text(MAX_FILE_PATH)?).map_err(|problem| problem.with(field))
    }

    fn modules(&mut self) -> Result<Vec<FilePath, MAX_MODULES>, Error> {
        let mut modules = Vec::new();
        for index in 0..self.length(MAX_MODULES)? {
            let path = self.path(Field::Module(index))?;
            modules.push(path).map_err(|_| Problem::TooMany.with(Field::Modules))?;
        }
        Ok(modules)
    }

    fn selector(&mut self, field: Field) -> Result<Selector, Error> {
        let selector = match self.byte()? {
            0 => Ok(Selector::Order(self.byte()?)),
            1 => Mac::new(self.array()?).map(Selector::Mac),
            2 => PathPart::new(self.text(MAX_PATH_PART)?).map(Selector::Path),
            GOES_ON.. => return Err(Error::NotCanonical),
            _ => return Err(Error::MalformedBody),
        };
        selector.map_err(|problem| problem.with(field))
    }
}

/// Fills a buffer from front to back.
struct Writer<'b> {
    rest: &'b mut [u8],
}

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest.split_off_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(())
    }

    fn text(&mut self, text: &str) -> Option<()> {
        self.bytes(&[text.len() as u8])?;
        self.bytes(text.as_bytes())
    }

    fn selector(&mut self, selector: &Selector) -> Option<()> {
        match selector {
            Selector::Order(index) => self.bytes(&[0, *index]),
            Selector::Mac(mac) => {
                self.bytes(&[1])?;
                self.bytes(&mac.octets())
            }
            Selector::Path(part) => {
                self.bytes(&[2])?;
                self.text(part.as_str())
            }
        }
    }
}
