//! The disk: a table of partitions, the EFI system partition, and the two that keep the configuration.
//!
//! | partition | name | what |
//! |---|---|---|
//! | 1 | `sekisho-boot` | the EFI system partition |
//! | 2 | `sekisho-config-1` | the first slot of `flash` |
//! | 3 | `sekisho-config-2` | the second slot |
//!
//! All begin at whole mebibytes, with one before the first for the table, and one behind the last for its copy. The program
//! finds its partitions by their names. Read first: the UEFI specification, section 5.
//!
//! Nothing is left to chance: what is to be unique in the world is derived from what is on the disk.

use std::collections::BTreeMap;
use std::io::{self, Cursor};

use config::signed;
use embedded_io_adapters::std::FromStd;
use flash::{Place, SLOT_BYTES, Store};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition::Partition;
use gpt::partition_types::{EFI, OperatingSystem, Type};
use gpt::{DiskDevice, GptConfig, GptDisk};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::ends::Ends;
pub use crate::ends::{HEAD, TAIL};

/// The names of the partitions, in their order.
pub const NAMES: [&str; 3] = ["sekisho-boot", "sekisho-config-1", "sekisho-config-2"];

/// What a partition of a slot is: ours alone, so that nobody else takes it for a file system of theirs.
const CONFIGURATION: Uuid = Uuid::from_u128(0x7c2f_98d6_50b1_4e0a_b7c4_5365_6b69_7368);

const SECTOR: LogicalBlockSize = LogicalBlockSize::Lb512;
const MEBIBYTE: usize = 1 << 20;
const SLOT_PARTITION: usize = MEBIBYTE;

/// Where a slot may begin: see `flash::Place`.
const ALIGNMENT: u64 = 4096;

const _: () = assert!(SLOT_BYTES <= SLOT_PARTITION as u64, "a slot fits into its partition");

/// A disk that boots the program in this file system, with a configuration in its first slot.
///
/// # Errors
/// If something of ours does not fit, or the blob is none.
pub fn build(system: &[u8], blob: &[u8]) -> Result<Vec<u8>, String> {
    let slots = slots(blob)?;
    let parts = [system, &slots[0], &slots[1]];
    let length = parts.iter().map(|part| part.len()).sum::<usize>() + 2 * MEBIBYTE;
    let mut bytes = vec![0; length];
    let mut at = MEBIBYTE;
    let mut partitions = BTreeMap::new();
    for ((number, name), part) in (1..).zip(NAMES).zip(parts) {
        partitions.insert(number, partition(name, at, part));
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    let own = identity("disk", &parts.concat());
    write_table(Cursor::new(&mut bytes[..]), sectors(length as u64), own, partitions)
        .map_err(|error| format!("partition table: {error}"))?;
    Ok(bytes)
}

/// The content of the partition with this name.
///
/// # Errors
/// If this is no disk of ours.
pub fn partition_of<'d>(disk: &'d [u8], name: &str) -> Result<&'d [u8], String> {
    let table =
        open(ReadOnly(Cursor::new(disk))).map_err(|error| format!("has no partition table: {error}"))?;
    let found = table.partitions().values().find(|partition| partition.name == name);
    let found = found.ok_or_else(|| format!("has no partition {name}"))?;
    let range = found.bytes_start(SECTOR).and_then(|start| Ok((start, found.bytes_len(SECTOR)?)));
    let (start, length) = range.map_err(|error| format!("has a partition {name} that cannot be: {error}"))?;
    let end = start.saturating_add(length);
    disk.get(start as usize..end as usize).ok_or_else(|| format!("ends before its partition {name} does"))
}

/// Where the partitions of the slots begin, in bytes.
///
/// # Errors
/// If this is no disk of ours.
pub fn slots_of(device: impl DiskDevice) -> Result<[u64; 2], String> {
    let mut table = open(device).map_err(|error| format!("has no partition table: {error}"))?;
    let length = table.device_mut().seek(io::SeekFrom::End(0)).map_err(|error| error.to_string())?;
    let [_, names @ ..] = NAMES;
    let mut starts = [0; 2];
    for (start, name) in starts.iter_mut().zip(names) {
        let of_name = |partition: &&Partition| partition.name == name;
        let found =
            table.partitions().values().find(of_name).ok_or_else(|| format!("has no partition {name}"))?;
        if found.part_type_guid.guid != CONFIGURATION {
            return Err(format!("has a partition {name} of another kind than ours"));
        }
        let sectors = found.last_lba.saturating_sub(found.first_lba).saturating_add(1);
        *start = found.first_lba.saturating_mul(SECTOR.as_u64());
        let end = start.saturating_add(sectors.saturating_mul(SECTOR.as_u64()));
        if end > length || end - *start < SLOT_BYTES || *start % ALIGNMENT != 0 {
            return Err(format!("has a partition {name} that cannot be: bytes {start} to {end} of {length}"));
        }
    }
    let apart = starts[0].abs_diff(starts[1]) >= SLOT_BYTES;
    if apart { Ok(starts) } else { Err("has both configurations at one place".to_owned()) }
}

/// The table of an image, for a disk of another length: what the disk begins with, and what it ends with.
///
/// # Errors
/// If this is no image, or it does not fit.
pub fn ends(image: &[u8], length: u64) -> Result<(Vec<u8>, Vec<u8>), String> {
    if length < image.len() as u64 {
        return Err(format!("is too small: {length} bytes, and the image has {}", image.len()));
    }
    let table =
        open(ReadOnly(Cursor::new(image))).map_err(|error| format!("has no partition table: {error}"))?;
    let mut ends = Ends::new(whole(length));
    write_table(&mut ends, sectors(length), *table.guid(), table.partitions().clone())
        .map_err(|error| format!("partition table: {error}"))?;
    Ok((ends.head, ends.tail))
}

/// How many of so many bytes are in whole sectors.
pub const fn whole(bytes: u64) -> u64 {
    sectors(bytes) * SECTOR.as_u64()
}

/// A partition of any disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is called.
    pub name: String,
    /// Where it begins, in bytes.
    pub start: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// The partitions of a disk, if it has a table of this kind.
pub fn partitions_of(device: impl DiskDevice) -> Option<Vec<Found>> {
    let found = |partition: &Partition| Found {
        name: partition.name.clone(),
        start: partition.first_lba.saturating_mul(SECTOR.as_u64()),
        bytes: partition
            .last_lba
            .saturating_sub(partition.first_lba)
            .saturating_add(1)
            .saturating_mul(SECTOR.as_u64()),
    };
    Some(
        open(device).ok()?.partitions().values().filter(|partition| partition.is_used()).map(found).collect(),
    )
}

/// A number for what has to have one, from what it is and what is in it.
pub fn serial(content: &[u8]) -> u32 {
    let [first, second, third, fourth, ..] = identity("serial", content).into_bytes();
    u32::from_le_bytes([first, second, third, fourth])
}

/// Both partitions of slots, with the blob written to the first as the box would write it.
fn slots(blob: &[u8]) -> Result<[Vec<u8>; 2], String> {
    signed::open(blob).and_then(|opened| opened.config()).map_err(|error| error.to_string())?;
    let [mut first, mut second] = [(); 2].map(|()| vec![0; SLOT_PARTITION]);
    let places =
        [&mut first, &mut second].map(|bytes| Place::new(FromStd::new(Cursor::new(&mut bytes[..])), 0));
    let [one, other] = places;
    Store::new(one, other).write(blob).map_err(|error| error.to_string())?;
    Ok([first, second])
}

fn partition(name: &str, at: usize, content: &[u8]) -> Partition {
    let sector = SECTOR.as_u64();
    let is_boot = name == NAMES[0];
    let ours = Type { guid: CONFIGURATION, os: OperatingSystem::Custom("Sekisho".to_owned()) };
    Partition {
        part_type_guid: if is_boot { EFI } else { ours },
        part_guid: identity(name, content),
        first_lba: at as u64 / sector,
        last_lba: (at + content.len()) as u64 / sector - 1,
        flags: 0,
        name: name.to_owned(),
    }
}

/// Writes the table, its copy, and the old table that says that the disk is taken.
fn write_table(
    mut device: impl DiskDevice,
    sectors: u64,
    own: Uuid,
    partitions: BTreeMap<u32, Partition>,
) -> io::Result<()> {
    let sectors = u32::try_from(sectors).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(sectors - 1).overwrite_lba0(&mut device).map_err(io::Error::other)?;
    let settings = GptConfig::new().writable(true).logical_block_size(SECTOR);
    let mut table = settings.create_from_device(device, Some(own)).map_err(io::Error::other)?;
    table.update_partitions(partitions).map_err(io::Error::other)?;
    table.write_inplace().map_err(io::Error::other)
}

const fn sectors(bytes: u64) -> u64 {
    bytes / SECTOR.as_u64()
}

fn open<D: DiskDevice>(device: D) -> io::Result<GptDisk<D>> {
    let settings = GptConfig::new().logical_block_size(SECTOR);
    settings.open_from_device(device).map_err(io::Error::other)
}

/// What the table's crate takes for a disk, which it never writes to unless told.
#[derive(Debug)]
struct ReadOnly<'d>(Cursor<&'d [u8]>);

impl io::Read for ReadOnly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl io::Seek for ReadOnly<'_> {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        self.0.seek(position)
    }
}

impl io::Write for ReadOnly<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is unique in the world because its content is (RFC 9562, section 5.8).
fn identity(what: &str, content: &[u8]) -> Uuid {
    let digest = Sha256::new().chain_update(what).chain_update([0]).chain_update(content).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(place, byte)| *place = byte);
    Builder::from_custom_bytes(bytes).into_uuid()
}
