//! The two slots for the configuration on a disk: where they are, what is in them, and writing the other one.
//!
//! A slot's partition is found by its name and has to be of our kind. Nothing outside of the two is ever written. What is
//! in a slot is `flash`'s.

use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Seek as _, SeekFrom};

use config::Config;
use embedded_io_adapters::std::FromStd;
use flash::{Boot, Content, Error, Fault, Place, SLOT_BYTES, Sequence, Slot, Store};

use crate::disk;
use crate::medium::Medium;

/// The slots of a disk.
#[derive(Debug)]
pub struct Slots {
    medium: Medium,
    starts: [u64; 2],
}

/// Why a configuration was not written.
#[derive(Debug)]
pub enum Refusal {
    /// The blob is no configuration.
    Blob(config::Error),
    /// The disk, or what is on it.
    Disk(Error),
}

impl Slots {
    /// Finds them on a disk.
    ///
    /// # Errors
    /// What is missing from it.
    pub fn find(medium: Medium) -> Result<Self, String> {
        let starts = disk::slots_of(medium.clone())?;
        Ok(Self { medium, starts })
    }

    /// Writes a blob to the slot that would not be booted now. Says which that is, and its sequence.
    ///
    /// # Errors
    /// Why it was not written.
    pub fn write(&self, blob: &[u8]) -> Result<(Slot, Sequence), Refusal> {
        let [first, second] = self.starts.map(|start| Place::new(FromStd::new(self.medium.clone()), start));
        Store::new(first, second).write(blob).map_err(|error| match error {
            Error::Refused(error) => Refusal::Blob(error),
            error => Refusal::Disk(error),
        })
    }

    /// What is in both, a line each, and what would be booted. Changes nothing.
    ///
    /// # Errors
    /// If the disk cannot be read.
    pub fn describe(&self) -> Result<String, String> {
        let mut copies = Vec::new();
        for start in self.starts {
            let mut bytes = vec![0; SLOT_BYTES as usize];
            let mut medium = self.medium.clone();
            let read = medium.seek(SeekFrom::Start(start)).and_then(|_| medium.read_exact(&mut bytes));
            read.map_err(|error| format!("cannot be read at byte {start}: {error}"))?;
            copies.push(bytes);
        }
        let mut places =
            copies.iter_mut().map(|bytes| Place::new(FromStd::new(Cursor::new(&mut bytes[..])), 0));
        let (Some(first), Some(second)) = (places.next(), places.next()) else { return Ok(String::new()) };
        let mut store = Store::new(first, second);
        let mut text: String = store.slots().iter().map(|slot| format!("  {}\n", line(slot))).collect();
        // Whoever boots counts it as a try: of a copy.
        let boots = match store.boot() {
            Boot::Run(booted) => format!("the {} slot", booted.slot),
            Boot::Safe(_) => "none of them: the box would not forward".to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  boots with   {boots}");
        Ok(text)
    }
}

/// What is in a slot.
fn line(slot: &Result<Content, Fault>) -> String {
    match slot {
        Ok(content) => {
            let Content { slot, sequence, config, seal, .. } = content;
            let signed = seal.map_or_else(String::new, |seal| format!("signed with {}, ", seal.sequence));
            let failed = if content.has_failed() { ", failed at three boots" } else { "" };
            format!("{:<12} sequence {sequence}, {signed}{}{failed}", format!("{slot} slot"), summary(config))
        }
        Err(Fault { slot, problem }) => format!("{:<12} {problem}", format!("{slot} slot")),
    }
}

fn summary(config: &Config) -> String {
    let forwards = config.forwards().len();
    format!("lan {}, wan {}, forwards {forwards}", config.lan().address(), config.wan().address())
}
