//! What is on a disk before it is overwritten: its partitions and file systems, as far as a look at a few bytes can tell.

use std::io::{Read as _, Seek as _, SeekFrom};

use provision::grouped;

use crate::disk;
use crate::medium::Medium;

/// How far into a file system the last of what is looked at is.
const LOOKED_AT: usize = 0x1_0000 + 0x300;

/// What something is known by: where it stands, what stands there, what it is, and where its label is.
struct Signature {
    at: usize,
    bytes: &'static [u8],
    name: &'static str,
    label: Option<(usize, usize)>,
}

const fn known(
    at: usize,
    bytes: &'static [u8],
    name: &'static str,
    label: Option<(usize, usize)>,
) -> Signature {
    Signature { at, bytes, name, label }
}

const KNOWN: [Signature; 12] = [
    known(0x438, &[0x53, 0xef], "ext4", Some((0x478, 16))),
    known(0x52, b"FAT32", "FAT", Some((0x47, 11))),
    known(0x36, b"FAT", "FAT", Some((0x2b, 11))),
    known(3, b"NTFS", "NTFS", None),
    known(3, b"EXFAT", "exFAT", None),
    known(0, b"XFSB", "XFS", Some((0x6c, 12))),
    known(0x1_0040, b"_BHRfS_M", "btrfs", Some((0x1_012b, 64))),
    known(0x8001, b"CD001", "ISO 9660", Some((0x8028, 32))),
    known(0, b"hsqs", "squashfs", None),
    known(4086, b"SWAPSPACE2", "swap", Some((0x41c, 16))),
    known(0, b"LUKS\xba\xbe", "LUKS", None),
    known(0x218, b"LVM2 001", "LVM", None),
];

/// A line for the disk, and one for each of its partitions.
pub fn describe(medium: &Medium) -> String {
    if let Some(partitions) = disk::partitions_of(medium.clone()) {
        let lines = partitions.iter().map(|partition| {
            let (name, bytes) = (plain(partition.name.as_bytes()), grouped(partition.bytes as usize));
            let content = look(medium, partition.start).unwrap_or_default();
            format!("  {name:<20} {bytes} bytes {content}").trim_end().to_owned() + "\n"
        });
        return format!("  a table of {} partitions (GPT)\n{}", partitions.len(), lines.collect::<String>());
    }
    if let Some(found) = look(medium, 0) {
        return format!("  {found}\n");
    }
    match primary_partitions(medium) {
        0 => "  nothing that we know\n".to_owned(),
        count => format!("  a table of {count} partitions (MBR)\n"),
    }
}

/// What begins at a place.
fn look(medium: &Medium, at: u64) -> Option<String> {
    let mut bytes = Vec::new();
    let mut medium = medium.clone();
    medium.seek(SeekFrom::Start(at)).ok()?;
    medium.take(LOOKED_AT as u64).read_to_end(&mut bytes).ok()?;
    let is_there =
        |known: &&Signature| bytes.get(known.at..).is_some_and(|rest| rest.starts_with(known.bytes));
    let found = KNOWN.iter().find(is_there)?;
    let label =
        found.label.and_then(|(at, length)| bytes.get(at..at + length)).map(plain).unwrap_or_default();
    let label = if label.is_empty() { label } else { format!(" {label:?}") };
    Some(format!("{}{label}", found.name))
}

/// How many entries of the old kind of table are in use.
fn primary_partitions(medium: &Medium) -> usize {
    let mut sector = [0; 512];
    let mut medium = medium.clone();
    let read = medium.seek(SeekFrom::Start(0)).and_then(|_| medium.read_exact(&mut sector));
    if read.is_err() || sector[510..] != [0x55, 0xaa] {
        return 0;
    }
    sector[446..510].chunks(16).filter(|entry| entry[4] != 0).count()
}

/// Text as it may be shown: up to its end, without what a terminal would take for more than text.
fn plain(bytes: &[u8]) -> String {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect();
    text.trim().to_owned()
}
