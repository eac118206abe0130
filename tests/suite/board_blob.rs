//! The board's blob: nothing damaged is taken, nothing crashes, everything valid survives the way through.
//!
//! The program reads these bytes before it can do anything else, so every refusal has to be an error with a name.

use board::{
    Board, BoardName, Draft, Error, Field, FilePath, MAX_BOARD, MAX_MODULES, Mac, PathPart, Problem, Selector,
};
use proptest::prelude::*;

const HEADER: usize = 12;

#[test]
fn a_board_is_read_as_it_was_written() {
    let board = Board::new(virtual_machine()).unwrap();

    let read = Board::decode(&blob(&board)).unwrap();

    assert_eq!(read, board);
    assert_eq!(read.name(), "qemu-x86_64");
    assert_eq!(read.modules().collect::<Vec<_>>(), ["/modules/failover.ko", "/modules/virtio_net.ko"]);
    assert_eq!(read.lan(), &Selector::Order(0));
    assert_eq!(read.wan(), &path("0000:00:03.0"));
    assert_eq!(read.watchdog(), Some("/dev/watchdog"));
}

#[test]
fn the_blob_of_a_board_is_these_bytes() {
    let board = Board::new(Draft { modules: Default::default(), watchdog: None, ..virtual_machine() });

    let blob = blob(&board.unwrap());

    assert_eq!(blob[..8], *b"SKBD\x01\x00\x1e\x00");
    assert_eq!(blob[HEADER..], b"\x0bqemu-x86_64\x00\x00\x00\x02\x0c0000:00:03.0\x00"[..]);
}

#[test]
fn every_change_of_one_byte_and_every_other_length_is_refused() {
    let whole = blob(&Board::new(virtual_machine()).unwrap());
    for offset in 0..whole.len() {
        for change in 1..=255 {
            let mut damaged = whole.clone();
            damaged[offset] ^= change;
            let error = Board::decode(&damaged).expect_err("a damaged board was taken");
            let expected = match offset {
                0..4 => Error::WrongMagic,
                4..6 => Error::UnsupportedVersion(u16::from_le_bytes([damaged[4], damaged[5]])),
                6..8 => Error::WrongLength,
                _ => Error::WrongChecksum,
            };
            assert_eq!(error, expected, "byte {offset} ^ {change:#04x}");
        }
    }
    for length in 0..whole.len() {
        let expected = if length < 4 { Error::WrongMagic } else { Error::WrongLength };
        assert_eq!(Board::decode(&whole[..length]), Err(expected));
    }
    assert_eq!(Board::decode(&[&whole[..], &[0]].concat()), Err(Error::WrongLength));
}

#[test]
fn a_sound_envelope_around_settings_of_another_shape_is_refused() {
    let whole = blob(&Board::new(virtual_machine()).unwrap());
    let body = &whole[HEADER..];

    assert_eq!(Board::decode(&sealed(&body[..body.len() - 1])), Err(Error::MalformedBody));
    assert_eq!(Board::decode(&sealed(&[body, &[0]].concat())), Err(Error::MalformedBody));
    // The length of the name in two bytes, where one would do.
    let wordy = [&[0x8b, 0x00], &body[1..]].concat();
    assert_eq!(Board::decode(&sealed(&wordy)), Err(Error::NotCanonical));
    let nameless = [&[0], &body[12..]].concat();
    let expected = Problem::NotABoardName.with(Field::Name);
    assert_eq!(Board::decode(&sealed(&nameless)), Err(expected));
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let refused = |draft| Board::new(draft).unwrap_err();
    let mut twice = virtual_machine();
    twice.modules.push(file("/modules/failover.ko")).unwrap();

    let missing = |field| Problem::Missing.with(field);
    assert_eq!(refused(Draft { name: None, ..virtual_machine() }), missing(Field::Name));
    assert_eq!(refused(Draft { lan: None, ..virtual_machine() }), missing(Field::Lan));
    assert_eq!(refused(Draft { wan: None, ..virtual_machine() }), missing(Field::Wan));
    let one_device = Draft { wan: Some(Selector::Order(0)), ..virtual_machine() };
    assert_eq!(refused(one_device), Problem::SameDevice.with(Field::Wan));
    assert_eq!(refused(twice), Problem::Duplicate(0).with(Field::Module(2)));
}

#[test]
fn names_paths_and_addresses_that_cannot_be_are_refused() {
    for name in ["", ".", "../x", "Board", "a b", "é", &"x".repeat(32)] {
        assert_eq!(BoardName::new(name), Err(Problem::NotABoardName), "{name:?}");
    }
    for path in ["", "/", "x.ko", "//x", "/x/", "/x/../y", "/./x", "/x y", "/x\n", &format!("/{:x<63}", "")] {
        assert_eq!(FilePath::new(path), Err(Problem::NotAFilePath), "{path:?}");
    }
    for part in ["", "a b", "\u{7f}", &"x".repeat(64)] {
        assert_eq!(PathPart::new(part), Err(Problem::NotAPathPart), "{part:?}");
    }
    for octets in [[0; 6], [1, 0, 0, 0, 0, 0], [0xff; 6]] {
        assert_eq!(Mac::new(octets), Err(Problem::NotADevicesAddress));
    }
    assert!(FilePath::new(&format!("/{:x<62}", "")).is_ok());
    assert_eq!(Mac::new([2, 0, 0, 0, 0, 10]).unwrap().to_string(), "02:00:00:00:00:0a");
}

#[test]
fn the_longest_board_there_can_be_fits_and_no_smaller_buffer_does() {
    let longest = |index: usize| file(&format!("/{index:02}{:x<60}", ""));
    let draft = Draft {
        name: BoardName::new(&"x".repeat(31)).ok(),
        modules: (0..MAX_MODULES).map(longest).collect(),
        lan: Some(path(&"l".repeat(63))),
        wan: Some(path(&"w".repeat(63))),
        watchdog: Some(longest(99)),
    };
    let board = Board::new(draft).unwrap();

    let blob = blob(&board);

    assert_eq!(blob.len(), MAX_BOARD);
    assert_eq!(Board::decode(&blob), Ok(board.clone()));
    for length in [0, HEADER - 1, HEADER, MAX_BOARD - 1] {
        assert_eq!(board.encode(&mut vec![0; length]), Err(Error::BufferTooSmall), "{length}");
    }
}

proptest! {
    #[test]
    fn no_bytes_crash_the_reader_and_what_it_takes_is_canonical(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Board::decode(&body);
        let sealed = sealed(&body);
        if let Ok(board) = Board::decode(&sealed) {
            prop_assert_eq!(blob(&board), sealed);
        }
    }
}

fn virtual_machine() -> Draft {
    Draft {
        name: BoardName::new("qemu-x86_64").ok(),
        modules: ["/modules/failover.ko", "/modules/virtio_net.ko"].into_iter().map(file).collect(),
        lan: Some(Selector::Order(0)),
        wan: Some(path("0000:00:03.0")),
        watchdog: Some(file("/dev/watchdog")),
    }
}

fn file(path: &str) -> FilePath {
    FilePath::new(path).unwrap()
}

fn path(part: &str) -> Selector {
    Selector::Path(PathPart::new(part).unwrap())
}

fn blob(board: &Board) -> Vec<u8> {
    let mut buffer = vec![0; MAX_BOARD];
    let length = board.encode(&mut buffer).unwrap();
    buffer.truncate(length);
    buffer
}

/// A sound envelope around any body, its checksum reckoned bit by bit.
fn sealed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_le_bytes();
    let covered = [&[1, 0], &length, body].concat();
    let checksum = !covered.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    });
    [&b"SKBD"[..], &[1, 0], &length, &checksum.to_le_bytes(), body].concat()
}
