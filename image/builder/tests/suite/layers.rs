//! The layers of an image, each read here a second time, by hand or by another crate.

use builder::cpio::Archive;
use builder::{Architecture, disk, esp, uki};
use object::read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _, PeFile64};
use object::{Object as _, ObjectSection as _};

use crate::fixtures::{blob, stub};

#[test]
fn an_archive_has_what_was_put_in_and_nothing_of_this_machine() {
    let mut archive = Archive::default();
    archive.directory("dev");
    archive.characters("dev/console", (5, 1));
    archive.program("init", b"code");
    archive.file("board", b"four!");

    let entries = entries(&archive.finish());

    let names: Vec<_> = entries.iter().map(|entry| (&entry.name[..], entry.numbers[1])).collect();
    let modes = [0o040_755, 0o020_600, 0o100_755, 0o100_644, 0];
    let expected = ["dev", "dev/console", "init", "board", "TRAILER!!!"];
    assert_eq!(names, expected.into_iter().zip(modes).collect::<Vec<_>>());
    assert_eq!(entries[1].numbers[9..11], [5, 1]);
    assert_eq!((&entries[2].content[..], &entries[3].content[..]), (&b"code"[..], &b"four!"[..]));
    // Owner, group and time.
    assert!(entries.iter().all(|entry| entry.numbers[2..4] == [0, 0] && entry.numbers[5] == 0));
    let inodes: Vec<_> = entries.iter().map(|entry| entry.numbers[0]).collect();
    assert_eq!(inodes, [1, 2, 3, 4, 0]);
}

#[test]
fn a_unified_kernel_has_the_stubs_sections_and_ours_apart_from_each_other() {
    let (kernel, initrd) = (vec![7; 100_000], vec![8; 5_001]);
    let ours = [(uki::OS_RELEASE, &b"ID=x"[..]), (uki::INITRD, &initrd[..]), (uki::LINUX, &kernel[..])];

    let unified = uki::build(&stub(3), &ours).unwrap();

    let file = PeFile64::parse(&unified[..]).unwrap();
    assert_eq!(&file.section_by_name(".text").unwrap().data().unwrap()[..5], b"stub!");
    for (name, content) in ours {
        assert_eq!(uki::section(&unified, name), Some(content), "{name}");
    }
    assert_eq!(uki::section(&unified, uki::COMMAND_LINE), None);
    let places: Vec<_> = file.sections().map(|section| (section.address(), section.size())).collect();
    assert!(
        places.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0 && two[1].0 % 4096 == 0),
        "{places:?}"
    );
    let in_file: Vec<_> = file.sections().filter_map(|section| section.file_range()).collect();
    assert!(
        in_file.windows(2).all(|two| two[0].0 + two[0].1 <= two[1].0 && two[1].0 % 16 == 0),
        "{in_file:?}"
    );
    let (end, header) = (places.last().unwrap(), file.nt_headers().optional_header());
    assert_eq!(u64::from(header.size_of_image()), (end.0 + end.1).next_multiple_of(4096));
    assert_eq!(header.check_sum(), checksum(&unified));
}

#[test]
fn the_checksum_of_a_unified_kernel_is_right_for_any_bytes_and_length() {
    for byte in 0..=255 {
        let kernel = vec![byte; 70_000 + usize::from(byte)];

        let unified = uki::build(&stub(1), &[(uki::LINUX, &kernel)]).unwrap();

        let file = PeFile64::parse(&unified[..]).unwrap();
        assert_eq!(file.nt_headers().optional_header().check_sum(), checksum(&unified), "{byte}");
    }
}

#[test]
fn a_stub_without_room_in_its_headers_and_what_is_no_stub_are_refused() {
    let section = (uki::LINUX, &b"kernel"[..]);

    let full = uki::build(&stub(0), &[section]).unwrap_err();
    let none = uki::build(b"MZ but no more", &[section]).unwrap_err();

    assert_eq!(full, "has no room in its headers for a section .linux");
    assert!(none.starts_with("is no EFI program: "), "{none}");
}

#[test]
fn the_system_partition_has_its_label_and_the_program_of_its_machine() {
    for architecture in Architecture::ALL {
        for length in [0, 511, 3 << 20, 40 << 20] {
            let program = vec![9; length];

            let system = esp::build(&program, architecture, 0x0bad_cafe).unwrap();

            assert_eq!(esp::program(&system).unwrap(), (architecture, program));
            assert_eq!((&system[510..512], system.len() % (1 << 20)), (&[0x55, 0xaa][..], 0));
            // The boot sector of a FAT12 or FAT16 file system, or of a FAT32 one.
            let at = if system[22..24] == [0, 0] { 67 } else { 39 };
            assert_eq!(&system[at..at + 4], [0xfe, 0xca, 0xad, 0x0b]);
            assert_eq!(&system[at + 4..at + 15], b"SEKISHO    ");
            // The directory is of FAT's first day, the first of the first month.
            let entry = system.windows(12).position(|window| window == b"EFI        \x10").unwrap();
            assert_eq!(system[entry + 24..entry + 26], [1 << 5 | 1, 0]);
        }
    }
}

#[test]
fn a_disk_has_its_table_twice_and_the_configuration_in_the_first_slot() {
    let (system, blob) = (vec![5; 3 << 20], blob());

    let disk = disk::build(&system, &blob).unwrap();

    assert_eq!((disk.len(), &disk[510..512], disk[450]), (7 << 20, &[0x55, 0xaa][..], 0xee));
    for header in [512, disk.len() - 512] {
        let header = &disk[header..header + 92];
        assert_eq!(&header[..8], b"EFI PART");
        let mut blank = header.to_vec();
        blank[16..20].fill(0);
        assert_eq!(header[16..20], crc(&blank).to_le_bytes());
        let entries = 512 * u64::from_le_bytes(header[72..80].try_into().unwrap()) as usize;
        assert_eq!(header[88..92], crc(&disk[entries..entries + 128 * 128]).to_le_bytes());
        assert!(utf16(&disk[entries + 56..entries + 128]).starts_with("sekisho-boot\0"));
    }
    assert_eq!(disk::partition_of(&disk, "sekisho-boot").unwrap(), system);
    let [first, second] = [1, 2].map(|slot| &disk[(3 + slot) << 20..(4 + slot) << 20]);
    assert_eq!(disk::partition_of(&disk, "sekisho-config-1").unwrap(), first);
    assert_eq!((&first[..4], &first[16384..16384 + blob.len()]), (&b"SKSL"[..], &blob[..]));
    assert!(second.iter().all(|byte| *byte == 0));
}

#[test]
fn no_two_partitions_and_no_two_disks_are_called_the_same() {
    let disk = |system: &[u8]| disk::build(&system.repeat(1 << 20), &blob()).unwrap();
    let (one, other) = (disk(b"a"), disk(b"b"));

    let identities = |disk: &[u8]| {
        let own = disk[512 + 56..512 + 72].to_vec();
        [0, 1, 2]
            .map(|entry| disk[1024 + 128 * entry + 16..][..16].to_vec())
            .into_iter()
            .chain([own])
            .collect()
    };
    let (one, other): (Vec<_>, Vec<_>) = (identities(&one), identities(&other));

    let distinct: std::collections::BTreeSet<_> = one.iter().collect();
    assert_eq!(distinct.len(), 4);
    assert!(one[0] != other[0] && one[3] != other[3]);
}

#[test]
fn what_is_no_disk_of_ours_is_refused_with_a_reason() {
    let mut disk = disk::build(&[0; 1 << 20], &blob()).unwrap();
    let refused = |disk: &[u8]| disk::partition_of(disk, "sekisho-boot").unwrap_err();

    assert!(refused(&[]).starts_with("has no partition table: "));
    assert!(refused(&vec![0; 1 << 20]).starts_with("has no partition table: "));
    assert_eq!(disk::partition_of(&disk, "other").unwrap_err(), "has no partition other");
    disk.truncate(3 << 19);
    assert_eq!(refused(&disk), "ends before its partition sekisho-boot does");
    assert!(disk::build(&[0; 1 << 20], b"SKSH?").unwrap_err().starts_with("wrong length"));
}

/// What there is of one file in an archive.
struct Entry {
    name: String,
    /// The thirteen numbers of its header, in their order.
    numbers: Vec<usize>,
    content: Vec<u8>,
}

fn entries(archive: &[u8]) -> Vec<Entry> {
    let (mut rest, mut entries) = (archive, Vec::new());
    while !rest.is_empty() {
        assert_eq!(&rest[..6], b"070701");
        let text = std::str::from_utf8(&rest[6..110]).unwrap();
        let number = |index: usize| usize::from_str_radix(&text[8 * index..8 * index + 8], 16).unwrap();
        let numbers: Vec<_> = (0..13).map(number).collect();
        let name = String::from_utf8(rest[110..110 + numbers[11] - 1].to_vec()).unwrap();
        let content = (110 + numbers[11]).next_multiple_of(4);
        let end = content + numbers[6];
        entries.push(Entry { name, content: rest[content..end].to_vec(), numbers });
        rest = &rest[end.next_multiple_of(4)..];
    }
    entries
}

/// The sum of a PE file, whose own field is left out, folded word by word.
fn checksum(file: &[u8]) -> u32 {
    let own = 0x98 + 64;
    let words = file.chunks(2).enumerate().filter(|(index, _)| ![own / 2, own / 2 + 1].contains(index));
    let sum = words.fold(0u32, |sum, (_, pair)| {
        let sum = sum + u32::from(pair[0]) + (u32::from(*pair.get(1).unwrap_or(&0)) << 8);
        (sum & 0xffff) + (sum >> 16)
    });
    sum + file.len() as u32
}

/// CRC-32, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

fn utf16(bytes: &[u8]) -> String {
    let units: Vec<_> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16(&units).unwrap()
}
