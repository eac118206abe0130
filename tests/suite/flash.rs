//! The two slots of the configuration: whatever happens to a write, to the flash, or to the box, it boots.
//!
//! The device is a model that loses power (`device`). The layout of a slot is written a second time here, by hand.

mod device;

use std::num::NonZeroU32;

use ::flash::{Boot, Booted, Content, Error, Fault, Place, Problem, SLOT_BYTES, Slot, Store, TRIES};
use config::Config;
use config::signed::{self, MAX_SIGNED};
use proptest::prelude::*;

use provision::signing::PrivateKey;

use crate::config_blob::crc32;
use device::{Device, Flaw};

const SECTOR: usize = 4096;
const SLOT: usize = SLOT_BYTES as usize;
const HEADER: usize = 24;
const BLOB: usize = 4 * SECTOR;
/// What lies before the first slot, between both and behind the second, and is nobody's.
const GAP: usize = SECTOR;

#[test]
fn what_is_written_is_booted_and_the_slots_take_turns() {
    let mut store = store(&blank());
    for sequence in 1..=5 {
        let (slot, written) = store.write(&small(sequence)).unwrap();
        assert_eq!(slot, if sequence % 2 == 1 { Slot::First } else { Slot::Second });
        assert_eq!(written.number(), sequence);

        let booted = run(store.boot());
        assert_eq!((booted.slot, booted.sequence, booted.config), (slot, written, config(&small(sequence))));
    }
}

#[test]
fn a_slot_holds_a_signed_configuration_as_it_holds_a_bare_one_and_tells_the_seal() {
    let signed = PrivateKey::new(&[7; 32]).sign(&small(2), NonZeroU32::new(55).unwrap());
    let mut store = store(&blank());
    store.write(&small(1)).unwrap();
    assert_eq!(run(store.boot()).seal, None);

    let (slot, written) = store.write(&signed).unwrap();

    let seal = signed::open(&signed).unwrap().seal;
    let booted = run(store.boot());
    assert_eq!((booted.slot, booted.sequence, booted.config), (slot, written, config(&small(2))));
    assert_eq!((booted.seal, booted.seal.unwrap().sequence.get()), (seal, 55));
    assert_eq!(store.slots().map(|content| content.unwrap().seal), [None, seal]);
}

#[test]
fn what_is_signed_and_no_configuration_is_not_written() {
    let sign = |blob: &[u8]| PrivateKey::new(&[7; 32]).sign(blob, NonZeroU32::MIN);
    let device = both();
    let before = device.bytes();
    for (blob, reason) in [
        (sign(b"no blob"), config::Error::WrongMagic),
        (sign(&sign(&small(1))), config::Error::WrongMagic),
        (sign(&small(1))[..50].to_vec(), config::Error::WrongLength),
    ] {
        assert_eq!(store(&device).write(&blob), Err(Error::Refused(reason)));
    }
    assert!(device.bytes() == before);
}

#[test]
fn nothing_on_the_flash_is_safe_mode_with_both_reasons() {
    let Boot::Safe(faults) = store(&blank()).boot() else { panic!("there is nothing to run with") };
    assert_eq!(faults.map(|fault| fault.to_string()), ["first slot is blank", "second slot is blank"]);
    let Boot::Safe(faults) = store(&Device::new(vec![0; GAP + 10])).boot() else { panic!("no slots") };
    let text = "slot is cut short: the device ends before it does";
    assert_eq!(faults.map(|fault| fault.to_string()), [format!("first {text}"), format!("second {text}")]);
}

#[test]
fn a_power_cut_in_a_write_leaves_the_old_or_the_new_configuration() {
    for (name, start) in starts() {
        let before = configuration(&start);
        for (blob, sector) in [(small(77), 4096), (large(), 512)] {
            let device = Device::new(start.clone());
            store(&device).write(&blob).unwrap();
            let new = Some(config(&blob));
            assert_eq!(configuration(&device.bytes()), new, "{name}");

            let mut seen = [0; 2];
            for (step, epoch) in device.epochs().iter().enumerate() {
                epoch.cut(sector, |left| {
                    let after = configuration(&left);
                    let is_new = after == new;
                    assert!(is_new || after == before, "{name}, step {step}, sectors of {sector}");
                    seen[usize::from(is_new)] += 1;
                });
            }
            assert!(seen.iter().all(|count| *count > 0), "{name}: {seen:?}");
        }
    }
}

#[test]
fn after_a_power_cut_in_a_write_the_next_write_counts() {
    for (name, start) in starts() {
        let device = Device::new(start);
        store(&device).write(&small(77)).unwrap();
        for epoch in device.epochs() {
            epoch.cut(512, |left| {
                let device = Device::new(left);
                store(&device).write(&small(78)).unwrap();
                let booted = run(store(&device).boot());
                assert_eq!((booted.config, booted.attempt), (config(&small(78)), 1), "{name}");
            });
        }
    }
}

#[test]
fn a_power_cut_in_a_boot_or_a_confirmation_changes_no_configuration() {
    for (name, start) in starts().into_iter().skip(1) {
        let device = Device::new(start.clone());
        let booted = run(store(&device).boot());
        store(&device).confirm(booted.slot).unwrap();
        for (step, epoch) in device.epochs().iter().enumerate() {
            epoch.cut(512, |left| {
                // Where all have failed, the tries are forgotten one by one, and the other may get its own first.
                let is_one_of_them = contents(&left).iter().any(|content| content.config == booted.config);
                assert!(is_one_of_them, "{name}, step {step}");
                if !booted.all_had_failed {
                    assert_eq!(configuration(&left), Some(booted.config.clone()), "{name}, step {step}");
                }
            });
        }
        assert_eq!(contents(&start).len(), contents(&device.bytes()).len());
    }
}

#[test]
fn a_power_cut_in_a_boot_counts_it_once_or_not_at_all() {
    let device = both();
    for tries in 0..TRIES {
        assert_eq!(newest(&device.bytes()).tries(), tries);
        run(store(&device).boot());
        for epoch in device.epochs() {
            epoch.cut(512, |left| assert!((tries..=tries + 1).contains(&newest(&left).tries())));
        }
    }
}

#[test]
fn any_byte_damaged_in_either_slot_boots_the_other_and_says_why() {
    let good = both().bytes();
    for (slot, start, other) in [(Slot::First, GAP, 2), (Slot::Second, 2 * GAP + SLOT, 1)] {
        let blob = BLOB..BLOB + small(1).len();
        for offset in (0..HEADER).chain(blob) {
            for change in 1..=255 {
                let mut damaged = good.clone();
                damaged[start + offset] ^= change;

                let booted = run(store(&Device::new(damaged)).boot());

                assert_eq!(booted.config, config(&small(other)), "{slot:?}, byte {offset}");
                let Some(Fault { slot: named, problem }) = booted.why_not_other else { panic!("no reason") };
                assert_eq!(named, slot);
                match offset {
                    0..4 => assert_eq!(problem, Problem::WrongMagic),
                    4..6 => assert!(matches!(problem, Problem::UnsupportedFormat(format) if format != 1)),
                    6..HEADER => assert_eq!(problem, Problem::DamagedHeader),
                    _ => assert_eq!(problem, Problem::DamagedBlob),
                }
            }
        }
    }
}

#[test]
fn any_byte_damaged_anywhere_still_boots_and_beside_header_and_blob_it_changes_nothing() {
    let device = both();
    run(store(&device).boot());
    let good = device.bytes();
    for offset in 0..good.len() {
        let mut damaged = good.clone();
        damaged[offset] ^= 0x55;
        assert!(configuration(&damaged).is_some(), "byte {offset}");
    }
    for offset in (HEADER..BLOB).flat_map(|offset| [GAP + offset, 2 * GAP + SLOT + offset]) {
        let mut damaged = good.clone();
        damaged[offset] ^= 0x55;
        assert_eq!(configuration(&damaged), Some(config(&small(2))), "byte {offset}");
    }
}

#[test]
fn either_slot_destroyed_whole_boots_the_other_and_says_why() {
    let good = both().bytes();
    for (start, name, other) in [(GAP, "first", 2), (2 * GAP + SLOT, "second", 1)] {
        for (rubbish, text) in [(0, "is blank"), (0xff, "is blank"), (0x5a, "does not begin with SKSL")] {
            let mut damaged = good.clone();
            damaged[start..start + SLOT].fill(rubbish);
            let booted = run(store(&Device::new(damaged)).boot());
            assert_eq!(booted.config, config(&small(other)));
            assert_eq!(booted.why_not_other.unwrap().to_string(), format!("{name} slot {text}"));
        }
    }
}

#[test]
fn three_boots_that_nobody_confirms_pass_a_configuration_over_for_the_older() {
    let mut store = store(&both());
    for attempt in 1..=TRIES {
        let booted = run(store.boot());
        assert_eq!((booted.config, booted.attempt), (config(&small(2)), attempt));
        assert_eq!(booted.why_not_other, None);
    }
    let booted = run(store.boot());
    assert_eq!((booted.config, booted.attempt), (config(&small(1)), 1));
    assert_eq!(booted.why_not_other.unwrap().to_string(), "second slot failed at three boots in a row");
}

#[test]
fn a_configuration_that_is_confirmed_is_never_passed_over() {
    let mut store = store(&both());
    for boot in 0..10 {
        let booted = run(store.boot());
        assert_eq!((booted.slot, booted.attempt), (Slot::Second, boot % 3 + 1));
        if booted.attempt == TRIES {
            store.confirm(booted.slot).unwrap();
        }
    }
}

#[test]
fn where_all_have_failed_they_take_turns_from_the_newest_on() {
    let mut store = store(&both());
    for round in 0..3 {
        for (slot, attempt) in
            [Slot::Second, Slot::First].iter().flat_map(|slot| (1..=TRIES).map(move |n| (slot, n)))
        {
            let booted = run(store.boot());
            assert_eq!((&booted.slot, booted.attempt), (slot, attempt));
            let begins_anew = round > 0 && *slot == Slot::Second && attempt == 1;
            assert_eq!(booted.all_had_failed, begins_anew);
        }
    }
}

#[test]
fn a_configuration_alone_is_booted_however_often_it_failed() {
    let mut store = store(&blank());
    store.write(&small(1)).unwrap();
    for boot in 0..10 {
        let booted = run(store.boot());
        assert_eq!(
            (booted.attempt, booted.all_had_failed),
            (boot % TRIES + 1, boot > 0 && boot % TRIES == 0)
        );
        assert_eq!(booted.why_not_other, Some(Problem::Blank.of(Slot::Second)));
    }
}

#[test]
fn a_write_replaces_what_failed_and_is_newer_than_it() {
    let mut store = store(&both());
    (0..TRIES).for_each(|_| assert_eq!(run(store.boot()).slot, Slot::Second));
    let (slot, sequence) = store.write(&small(3)).unwrap();
    assert_eq!((slot, sequence.number()), (Slot::Second, 3));
    let booted = run(store.boot());
    assert_eq!((booted.config, booted.attempt, booted.why_not_other), (config(&small(3)), 1, None));
}

#[test]
fn what_is_left_of_a_failed_write_does_not_count_against_the_same_one_again() {
    let device = both();
    (0..TRIES).for_each(|_| assert_eq!(run(store(&device).boot()).slot, Slot::Second));
    let mut damaged = device.bytes();
    damaged[2 * GAP + SLOT] ^= 1;
    let device = Device::new(damaged);
    assert_eq!(store(&device).write(&small(2)).unwrap().1.number(), 2);
    assert_eq!(run(store(&device).boot()).config, config(&small(2)));
}

#[test]
fn a_device_that_fails_in_a_write_keeps_the_old_configuration_and_the_error_says_which_slot() {
    let start = both().bytes();
    let device = Device::new(start.clone());
    store(&device).write(&large()).unwrap();
    for left in 0..device.writes() {
        for (flaw, problem) in [
            (Flaw::Dies(left), Problem::Device(embedded_io::ErrorKind::Other)),
            (Flaw::Forgets(left), Problem::NotKept),
        ] {
            let device = Device::flawed(start.clone(), flaw);
            let error = store(&device).write(&large()).unwrap_err();
            assert_eq!(error, Error::Slot(problem.of(Slot::First)), "after {left} writes");
            assert_eq!(configuration(&device.bytes()), Some(config(&small(2))), "after {left} writes");
        }
    }
}

#[test]
fn a_device_that_cannot_be_written_boots_and_says_that_it_does_not_count() {
    for flaw in [Flaw::Dies(0), Flaw::Forgets(0)] {
        let device = Device::flawed(both().bytes(), flaw);
        for _ in 0..5 {
            let booted = run(store(&device).boot());
            assert_eq!((booted.config, booted.attempt), (config(&small(2)), 1));
            assert_eq!(booted.uncounted.map(|fault| fault.slot), Some(Slot::Second));
        }
    }
}

#[test]
fn what_is_no_configuration_is_not_written() {
    let device = both();
    let before = device.bytes();
    let error = store(&device).write(b"SKSH, but not really").unwrap_err();
    assert!(matches!(error, Error::Refused(_)), "{error}");
    assert!(device.bytes() == before);
}

#[test]
fn a_slot_is_laid_out_as_documented() {
    let device = blank();
    store(&device).write(&small(1)).unwrap();
    run(store(&device).boot());
    let slot = &device.bytes()[GAP..][..SLOT];
    assert_eq!(slot[..HEADER], header(1, 1, &small(1)));
    let mark = [b"TRY1", &1_u64.to_le_bytes()[..], &slot[20..24]].concat();
    assert_eq!(slot[SECTOR..][..16], mark);
    assert_eq!(slot[2 * SECTOR..][..16], [0; 16]);
    assert_eq!(slot[BLOB..][..small(1).len()], small(1));
}

#[test]
fn sound_slots_that_are_not_ours_are_passed_over_by_name() {
    let beyond = vec![7; MAX_SIGNED + 1];
    for (header, text) in [
        (header(2, 9, &small(1)), "first slot has the unsupported format 2"),
        (header(1, 9, &beyond), "first slot has a header for a longer blob than there can be"),
        (header(1, 9, b""), "first slot has a configuration that is refused: not a configuration blob"),
    ] {
        let mut bytes = both().bytes();
        bytes[GAP..][..HEADER].copy_from_slice(&header);
        let booted = run(store(&Device::new(bytes)).boot());
        assert_eq!(booted.slot, Slot::Second);
        assert!(booted.why_not_other.unwrap().to_string().starts_with(text), "{text}");
    }
}

#[test]
fn the_highest_sequence_is_booted_and_nothing_is_written_over_it() {
    let mut bytes = both().bytes();
    bytes[GAP..][..HEADER].copy_from_slice(&header(1, u64::MAX, &small(1)));
    let mut store = store(&Device::new(bytes));
    assert_eq!(run(store.boot()).slot, Slot::First);
    assert_eq!(store.write(&small(3)), Err(Error::NoSequenceLeft));
}

#[test]
fn of_a_slot_and_its_copy_the_first_is_booted_and_the_second_written() {
    let mut bytes = both().bytes();
    bytes.copy_within(GAP..GAP + SLOT, 2 * GAP + SLOT);
    let mut store = store(&Device::new(bytes));
    assert_eq!(run(store.boot()).slot, Slot::First);
    let (slot, sequence) = store.write(&small(3)).unwrap();
    assert_eq!((slot, sequence.number()), (Slot::Second, 2));
}

proptest! {
    #[test]
    fn no_bytes_make_a_boot_or_a_write_panic(
        changes in prop::collection::vec((0..3 * GAP + 2 * SLOT, any::<u8>()), 0..40),
        head in prop::collection::vec((0..HEADER, any::<u8>()), 0..3),
    ) {
        let mut bytes = both().bytes();
        for (at, byte) in changes.into_iter().chain(head.into_iter().map(|(at, byte)| (GAP + at, byte))) {
            bytes[at] = byte;
        }
        let device = Device::new(bytes);
        store(&device).boot();
        store(&device).write(&small(9)).unwrap();
        prop_assert_eq!(run(store(&device).boot()).config, config(&small(9)));
    }
}

/// Every kind of device that a write may begin on, with a name; the first has no valid slot.
fn starts() -> Vec<(&'static str, Vec<u8>)> {
    let one = blank();
    store(&one).write(&small(1)).unwrap();
    let tried = both();
    run(store(&tried).boot());
    let mut damaged = both().bytes();
    damaged[GAP + BLOB + 20] ^= 1;
    vec![
        ("none valid", blank().bytes()),
        ("the first valid", one.bytes()),
        ("the second valid", damaged),
        ("both valid", both().bytes()),
        ("both valid, one tried", tried.bytes()),
        ("the newest failed", failed(TRIES)),
        ("all failed", failed(2 * TRIES)),
    ]
}

/// Both slots valid, after so many boots.
fn failed(boots: usize) -> Vec<u8> {
    let device = both();
    (0..boots).for_each(|_| drop(store(&device).boot()));
    device.bytes()
}

/// Both slots valid: 1 in the first, 2 in the second.
fn both() -> Device {
    let device = blank();
    for number in 1..=2 {
        store(&device).write(&small(number)).unwrap();
    }
    device.epochs();
    device
}

fn blank() -> Device {
    Device::new(vec![0; 3 * GAP + 2 * SLOT])
}

fn store(device: &Device) -> Store<Device> {
    let place = |start: usize| Place::new(device.clone(), start as u64);
    Store::new(place(GAP), place(2 * GAP + SLOT))
}

/// What the next boot from these bytes would run with.
fn configuration(bytes: &[u8]) -> Option<Config> {
    match store(&Device::new(bytes.to_vec())).boot() {
        Boot::Run(booted) => Some(booted.config),
        Boot::Safe(_) => None,
    }
}

fn contents(bytes: &[u8]) -> Vec<Content> {
    store(&Device::new(bytes.to_vec())).slots().into_iter().flatten().collect()
}

fn newest(bytes: &[u8]) -> Content {
    contents(bytes).into_iter().max_by_key(|content| content.sequence).unwrap()
}

#[track_caller]
fn run(boot: Boot) -> Booted {
    match boot {
        Boot::Run(booted) => booted,
        Boot::Safe([first, second]) => panic!("{first}, {second}"),
    }
}

fn config(blob: &[u8]) -> Config {
    Config::decode(blob).unwrap()
}

/// A blob like no other, of the usual size.
fn small(number: u64) -> Vec<u8> {
    compile(&format!("[timers]\nudp = \"{}s\"", 300 + number))
}

/// A blob of several small sectors.
fn large() -> Vec<u8> {
    let forward = |number: u16| {
        let port = 2000 + number;
        format!(
            "[[forward]]\nname = \"a-forward-with-a-name-{number:02}\"\nprotocol = \"tcp\"\n\
             external = \"{port}\"\ninternal = \"192.0.2.1:{port}\"\n"
        )
    };
    let blob = compile(&(0..40).map(forward).collect::<String>());
    assert!(blob.len() > 2 * 512);
    blob
}

fn compile(lines: &str) -> Vec<u8> {
    let network = "[wan]\ninterface = \"gw1\"\naddress = \"203.0.113.254/24\"\n\
                   [lan]\ninterface = \"gw0\"\naddress = \"192.0.2.254/24\"\n";
    provision::blob(&provision::compile(&format!("{network}{lines}"), "test.toml").unwrap())
}

/// The header of a slot with this blob, by hand.
fn header(format: u16, sequence: u64, blob: &[u8]) -> Vec<u8> {
    let length = (blob.len() as u16).to_le_bytes();
    let checksum = crc32(blob).to_le_bytes();
    let covered = [b"SKSL", &format.to_le_bytes()[..], &length, &sequence.to_le_bytes(), &checksum].concat();
    [&covered[..], &crc32(&covered).to_le_bytes()].concat()
}
