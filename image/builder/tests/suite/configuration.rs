//! Replacing the configuration of an image, and saying what is there.

use std::fs;
use std::num::NonZeroU32;

use builder::unpacked::Unpacked;
use provision::signing::PrivateKey;

use crate::fixtures::{Desk, blob, image, other_blob, run};

/// Where the first slot's partition begins in these images, and how long it is.
const FIRST: usize = 2 << 20;
const MEBIBYTE: usize = 1 << 20;

fn desk(test: &str) -> Desk {
    let desk = Desk::new(&format!("configuration-{test}"));
    desk.put("router.img", &image(b"a kernel", &blob()).bytes);
    desk.put("other.blob", &other_blob());
    desk
}

fn disk(desk: &Desk) -> Vec<u8> {
    fs::read(desk.0.join("router.img")).unwrap()
}

#[test]
fn a_configuration_goes_to_the_other_slot_each_time_and_nothing_else_changes() {
    let desk = desk("other");
    let before = disk(&desk);

    let first = run(&desk, "config router.img other.blob");
    let between = disk(&desk);
    let second = run(&desk, "config router.img other.blob");

    let told = |slot, sequence| {
        format!("router.img: written to the {slot} slot and read back, with the sequence {sequence}\n")
    };
    assert_eq!(first, (0, told("second", 2), String::new()));
    assert_eq!(second, (0, told("first", 3), String::new()));
    let (second_slot, end) = (FIRST + MEBIBYTE, FIRST + 2 * MEBIBYTE);
    assert!(between[..second_slot] == before[..second_slot] && between[end..] == before[end..]);
    assert!(disk(&desk)[second_slot..] == between[second_slot..] && disk(&desk)[..FIRST] == before[..FIRST]);
    assert_eq!(provision::blob(&Unpacked::read(&disk(&desk)).unwrap().config.unwrap()), other_blob());
}

#[test]
fn what_is_in_both_slots_is_said_and_nothing_is_written() {
    let desk = desk("said");
    let new = run(&desk, "config router.img");
    assert_eq!(run(&desk, "config router.img other.blob").0, 0);
    let before = disk(&desk);

    let (code, out, err) = run(&desk, "config router.img");

    assert_eq!((code, &err[..]), (0, ""));
    let [first, second] = [
        "  first slot   sequence 1, lan 192.0.2.254/24, wan 203.0.113.254/24, forwards 1\n",
        "  second slot  sequence 2, lan 192.168.7.254/24, wan 203.0.113.254/24, forwards 1\n",
    ];
    assert_eq!(out, format!("router.img\n{first}{second}  boots with   the second slot\n"));
    assert_eq!(new.1, format!("router.img\n{first}  second slot  is blank\n  boots with   the first slot\n"));
    assert!(disk(&desk) == before);
}

#[test]
fn a_signed_configuration_is_built_in_and_written_like_a_bare_one_and_its_sequence_is_said() {
    let desk = desk("signed");
    let sign =
        |blob: &[u8], sequence| PrivateKey::new(&[7; 32]).sign(blob, NonZeroU32::new(sequence).unwrap());
    desk.put("router.img", &image(b"a kernel", &sign(&blob(), 4)).bytes);
    desk.put("signed.blob", &sign(&other_blob(), 5));

    assert_eq!(run(&desk, "config router.img signed.blob").0, 0);

    let shown = run(&desk, "config router.img").1;
    assert!(shown.contains("first slot   sequence 1, signed with 4, lan 192.0.2.254/24"), "{shown}");
    assert!(shown.contains("second slot  sequence 2, signed with 5, lan 192.168.7.254/24"), "{shown}");
    assert_eq!(provision::blob(&Unpacked::read(&disk(&desk)).unwrap().config.unwrap()), other_blob());
}

#[test]
fn a_damaged_slot_is_said_and_written_first() {
    let desk = desk("damaged");
    let mut bytes = disk(&desk);
    bytes[FIRST + 16_384] ^= 1;
    desk.put("router.img", &bytes);

    let shown = run(&desk, "config router.img").1;
    let written = run(&desk, "config router.img other.blob");

    assert!(shown.contains("first slot   has a damaged blob: wrong checksum\n"), "{shown}");
    assert!(shown.ends_with("boots with   none of them: the box would not forward\n"), "{shown}");
    assert!(written.1.contains("to the first slot"), "{written:?}");
}

#[test]
fn what_is_no_blob_and_what_is_no_disk_of_ours_are_refused_untouched() {
    let desk = desk("refused");
    let good = disk(&desk);
    desk.put("text", b"SKSH?");
    let spoiled = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        spoil(&mut bytes);
        bytes
    };
    // The kinds of partitions are at the beginning of their entries, the table's two copies 16 KiB and a sector apart.
    let entries = |bytes: &[u8]| [1024 + 128, bytes.len() - 33 * 512 + 128];
    for (name, bytes, reason) in [
        ("empty", Vec::new(), "has no partition table: "),
        ("blank", vec![0; 4 << 20], "has no partition table: "),
        (
            "short",
            good[..FIRST + 4096].to_vec(),
            "has a partition sekisho-config-1 that cannot be: bytes 2097152 to ",
        ),
        (
            "tables",
            spoiled(&|bytes| entries(bytes).into_iter().for_each(|at| bytes[at] ^= 1)),
            "has no partition table: ",
        ),
    ] {
        desk.put(name, &bytes);
        for arguments in [format!("config {name}"), format!("config {name} other.blob")] {
            let (code, out, err) = run(&desk, &arguments);

            assert_eq!((code, &out[..]), (2, ""), "{arguments}: {err}");
            assert!(err.starts_with(&format!("{name}: {reason}")), "{err}");
            assert!(
                err.ends_with("; give an image that sekisho-image build wrote, or a disk with one\n"),
                "{err}"
            );
        }
        assert!(fs::read(desk.0.join(name)).unwrap() == bytes, "{name}");
    }
    let (code, _, err) = run(&desk, "config router.img text");
    assert_eq!((code, err.starts_with("text: ")), (2, true), "{err}");
    assert_eq!(run(&desk, "config nothing other.blob").0, 1);
    assert!(disk(&desk) == good);
}
