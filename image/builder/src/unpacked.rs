//! An image taken apart again: what direct boot needs of it, and which board it is for.

use std::io::Cursor;

use config::Config;
use embedded_io_adapters::std::FromStd;
use flash::{Boot, Place, Store};

use crate::{Architecture, disk, esp, image, uki};

/// What is in an image.
#[derive(Clone, Debug)]
pub struct Unpacked {
    /// The kind of machine that it is for.
    pub architecture: Architecture,
    /// The board that it is for.
    pub board: String,
    /// The kernel.
    pub kernel: Vec<u8>,
    /// The first file system, packed.
    pub initrd: Vec<u8>,
    /// What the kernel is told.
    pub command_line: String,
    /// The configuration that it would boot with, or why it has none.
    pub config: Result<Config, String>,
}

impl Unpacked {
    /// Takes an image apart.
    ///
    /// # Errors
    /// What is missing from it.
    pub fn read(image: &[u8]) -> Result<Self, String> {
        let [boot, first, second] = disk::NAMES;
        let (architecture, unified) = esp::program(disk::partition_of(image, boot)?)
            .map_err(|error| format!("cannot be booted: {error}"))?;
        let section = |name: &str| {
            let missing = || format!("has no section {name} in {}", architecture.boot_file());
            uki::section(&unified, name).ok_or_else(missing)
        };
        let text = |name: &str| section(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let release = text(uki::OS_RELEASE)?;
        let board = image::board_of(&release).ok_or("does not say which board it is for")?;
        let slots = [disk::partition_of(image, first)?, disk::partition_of(image, second)?];
        Ok(Self {
            architecture,
            board: board.to_owned(),
            kernel: section(uki::LINUX)?.to_vec(),
            initrd: section(uki::INITRD)?.to_vec(),
            command_line: text(uki::COMMAND_LINE)?,
            config: configuration(slots),
        })
    }
}

/// The configuration that the program would boot with.
fn configuration(slots: [&[u8]; 2]) -> Result<Config, String> {
    // Whoever boots counts it as a try: of a copy.
    let [mut first, mut second] = slots.map(<[u8]>::to_vec);
    let places =
        [&mut first, &mut second].map(|bytes| Place::new(FromStd::new(Cursor::new(&mut bytes[..])), 0));
    let [one, other] = places;
    match Store::new(one, other).boot() {
        Boot::Run(booted) => Ok(booted.config),
        Boot::Safe(faults) => Err(faults.map(|fault| fault.to_string()).join(", ")),
    }
}
