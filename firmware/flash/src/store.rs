//! The two slots: which is booted, which is written, and the tries. Read the crate's documentation first.

use config::Config;
use config::signed::{self, MAX_SIGNED, Seal};
use embedded_io::{Read, Seek, Write};

use crate::layout::{BLOB_AT, HEADER, HEADER_AT, Header, MARK, MARKS_AT};
use crate::{Error, Fault, Place, Problem, Sequence, Slot, TRIES};

/// Both slots. Nothing of what is in them is kept here: each call reads them anew.
#[derive(Clone, Debug)]
pub struct Store<D> {
    first: Place<D>,
    second: Place<D>,
}

/// A valid slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Which it is.
    pub slot: Slot,
    /// How new it is.
    pub sequence: Sequence,
    /// What was written.
    pub config: Config,
    /// Its seal, if it is signed. Whether rightly so was asked before it was written.
    pub seal: Option<Seal>,
    header: Header,
    marks: [bool; TRIES],
}

/// What the box is to do.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them, and nowhere else to put a configuration"
)]
pub enum Boot {
    /// Run with a configuration.
    Run(Booted),
    /// Nothing: no slot is valid, for these reasons.
    Safe([Fault; 2]),
}

/// The configuration to run with, and what is to be said about it on the console.
#[derive(Debug, PartialEq, Eq)]
pub struct Booted {
    /// The slot it comes from, for [`Store::confirm`].
    pub slot: Slot,
    /// How new it is.
    pub sequence: Sequence,
    /// The configuration.
    pub config: Config,
    /// Its seal, if it is signed.
    pub seal: Option<Seal>,
    /// Which try this is, from 1 to [`TRIES`].
    pub attempt: usize,
    /// Why the other slot was passed over. Nothing, if it is valid and older.
    pub why_not_other: Option<Fault>,
    /// Whether every valid slot had failed, so that all their tries were forgotten.
    pub all_had_failed: bool,
    /// Why this try will not be remembered. Nothing, if it will.
    pub uncounted: Option<Fault>,
}

impl<D: Read + Write + Seek> Store<D> {
    /// The slots at two places, which may be two partitions, or two parts of a file that was opened twice.
    pub const fn new(first: Place<D>, second: Place<D>) -> Self {
        Self { first, second }
    }

    /// Chooses the configuration to run with, and counts this as a try of it. Call it once a boot, before anything is
    /// done with the configuration.
    pub fn boot(&mut self) -> Boot {
        let (mut content, why_not_other) = match choose(self.slots()) {
            Ok(choice) => choice,
            Err(faults) => return Boot::Safe(faults),
        };
        let all_had_failed = content.has_failed();
        if all_had_failed {
            self.forget_all(&mut content);
        }
        let attempt = TRIES.min(content.tries() + 1);
        let uncounted = self.count(&content).err().map(|problem| problem.of(content.slot));
        let Content { slot, sequence, config, seal, .. } = content;
        Boot::Run(Booted { slot, sequence, config, seal, attempt, why_not_other, all_had_failed, uncounted })
    }

    /// Takes back the tries of a slot, because the box runs well with what was booted from it.
    ///
    /// # Errors
    /// What is wrong with the slot's device; the tries may then be remembered.
    pub fn confirm(&mut self, slot: Slot) -> Result<(), Fault> {
        forget(self.place(slot)).map_err(|problem| problem.of(slot))
    }

    /// Writes a blob, signed or bare, to the slot that would not be booted now, so that it will be. Says which that is, and the blob's
    /// sequence.
    ///
    /// # Errors
    /// Any [`Error`]. What would have been booted before is booted after it, except if the device fails at the very
    /// end and then refuses to have the slot blanked: that may be booted, and it has all of the new blob.
    pub fn write(&mut self, blob: &[u8]) -> Result<(Slot, Sequence), Error> {
        signed::open(blob).and_then(|opened| opened.config()).map_err(Error::Refused)?;
        let slots = self.slots();
        let newest = slots.iter().flatten().map(|content| content.sequence).max();
        let sequence = newest.map_or(Some(Sequence::FIRST), Sequence::next).ok_or(Error::NoSequenceLeft)?;
        let slot = choose(slots).map_or(Slot::First, |(content, _)| content.slot.other());
        fill(self.place(slot), blob, sequence).map_err(|problem| Error::Slot(problem.of(slot)))?;
        Ok((slot, sequence))
    }

    /// The blob in a slot, as it was written: signed or bare.
    ///
    /// # Errors
    /// What is wrong with the slot.
    pub fn read<'b>(&mut self, slot: Slot, buffer: &'b mut [u8; MAX_SIGNED]) -> Result<&'b [u8], Fault> {
        let read = read(self.place(slot), buffer).map_err(|problem| problem.of(slot));
        read.map(|(_, blob)| blob)
    }

    /// What is in each slot, in order. Counts nothing and changes nothing.
    pub fn slots(&mut self) -> [Result<Content, Fault>; 2] {
        Slot::ALL.map(|slot| examine(self.place(slot), slot).map_err(|problem| problem.of(slot)))
    }

    /// Makes the next mark.
    fn count(&mut self, content: &Content) -> Result<(), Problem> {
        let Some(index) = content.marks.iter().position(|is_made| !is_made) else {
            return Err(Problem::NotKept); // They were blanked before, and yet they are there.
        };
        let Some(&at) = MARKS_AT.get(index) else { return Ok(()) };
        self.place(content.slot).put(at, &content.header.mark(index))
    }

    /// Takes back the tries of both slots. The one that is booted now comes last: cut short before, it stays failed,
    /// and the other has three tries first.
    fn forget_all(&mut self, content: &mut Content) {
        // The other may be no valid slot, on a broken device.
        let _ = forget(self.place(content.slot.other()));
        if forget(self.place(content.slot)).is_ok() {
            content.marks = [false; TRIES];
        }
    }

    fn place(&mut self, slot: Slot) -> &mut Place<D> {
        match slot {
            Slot::First => &mut self.first,
            Slot::Second => &mut self.second,
        }
    }
}

impl Content {
    /// How many times in a row the box was booted with it and did not confirm that it runs.
    pub fn tries(&self) -> usize {
        self.marks.iter().filter(|is_made| **is_made).count()
    }

    /// Whether it has had all its tries.
    pub fn has_failed(&self) -> bool {
        self.tries() == TRIES
    }
}

/// The slot to boot, and why it is not the other.
fn choose(slots: [Result<Content, Fault>; 2]) -> Result<(Content, Option<Fault>), [Fault; 2]> {
    let (first, second) = match slots {
        [Err(first), Err(second)] => return Err([first, second]),
        [Ok(content), Err(fault)] | [Err(fault), Ok(content)] => return Ok((content, Some(fault))),
        [Ok(first), Ok(second)] => (first, second),
    };
    let (newer, older) = if second.sequence > first.sequence { (second, first) } else { (first, second) };
    if newer.has_failed() && !older.has_failed() {
        return Ok((older, Some(Problem::Failed.of(newer.slot))));
    }
    Ok((newer, None))
}

/// Reads a slot.
fn examine<D: Read + Write + Seek>(place: &mut Place<D>, slot: Slot) -> Result<Content, Problem> {
    let mut buffer = [0; MAX_SIGNED];
    let (header, blob) = read(place, &mut buffer)?;
    let opened = signed::open(blob).map_err(Problem::Refused)?;
    let config = opened.config().map_err(Problem::Refused)?;
    let mut marks = [false; TRIES];
    for (index, (is_made, at)) in marks.iter_mut().zip(MARKS_AT).enumerate() {
        // A mark that cannot be read is no reason to do without a configuration that can.
        *is_made = place.holds(at, &header.mark(index)).unwrap_or(false);
    }
    Ok(Content { slot, sequence: header.sequence, config, seal: opened.seal, header, marks })
}

/// Reads a slot's header and blob, which is the one that was written, whatever it says.
fn read<'b, D: Read + Write + Seek>(
    place: &mut Place<D>,
    buffer: &'b mut [u8; MAX_SIGNED],
) -> Result<(Header, &'b [u8]), Problem> {
    let mut bytes = [0; HEADER];
    place.read(HEADER_AT, &mut bytes)?;
    let header = Header::decode(&bytes)?;
    let (blob, _) = buffer.split_at_mut_checked(header.length()).ok_or(Problem::TooLong)?;
    place.read(BLOB_AT, blob)?;
    if header.is_of(blob) { Ok((header, blob)) } else { Err(Problem::DamagedBlob) }
}

/// Writes a slot.
fn fill<D: Read + Write + Seek>(
    place: &mut Place<D>,
    blob: &[u8],
    sequence: Sequence,
) -> Result<(), Problem> {
    place.put(HEADER_AT, &[0; HEADER])?;
    forget(place)?;
    place.put(BLOB_AT, blob)?;
    place.put(HEADER_AT, &Header::of(blob, sequence).encode()).inspect_err(|_| {
        // It is reported as not written, so it had better not be. The device may well refuse this, too.
        let _ = place.put(HEADER_AT, &[0; HEADER]);
    })
}

/// Blanks the marks of a slot, those that are not blank: flash wears out by what is written.
fn forget<D: Read + Write + Seek>(place: &mut Place<D>) -> Result<(), Problem> {
    for at in MARKS_AT {
        if !place.holds(at, &[0; MARK])? {
            place.put(at, &[0; MARK])?;
        }
    }
    Ok(())
}
