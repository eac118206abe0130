//! Booted images of which a slot is damaged, in one byte or altogether: the other one is booted, and the console says why.

use std::fs;
use std::time::Duration;

use builder::disk;

use crate::fixtures::Desk;
use crate::machine::tool;
use crate::machines::{How, Machine, blob_with, build};

const BOARD: &str = "qemu-x86_64";
const BOOTING: Duration = Duration::from_secs(60);

/// Where the blob begins in a slot, and how long a slot is that nothing else is in.
const BLOB: usize = 4 * 4096;
const SLOT: usize = flash::SLOT_BYTES as usize;

#[test]
fn a_byte_or_all_of_either_slot_damaged_boots_the_other_and_says_why() {
    let test = "a_byte_or_all_of_either_slot_damaged_boots_the_other_and_says_why";
    let desk = Desk::new("damage");
    let Some(()) = build(&desk, BOARD, program::PATH, &blob_with(""), test) else { return };
    desk.put("newer.blob", &blob_with("[timers]\nudp = \"301s\"\n"));
    assert!(tool(&desk, &["config", "router.img", "newer.blob"]).status.success());
    let good = fs::read(desk.0.join("router.img")).unwrap();
    let [_, first, second] = disk::NAMES;
    for (name, partition, other) in
        [("first", first, "2 of the second"), ("second", second, "1 of the first")]
    {
        let all = disk::partition_of(&good, partition).unwrap();
        let start = all.as_ptr() as usize - good.as_ptr() as usize;
        for (at, length, reason) in [
            (2, 1, "does not begin with SKSL"),
            (10, 1, "has a damaged header: wrong checksum"),
            (BLOB + 30, 1, "has a damaged blob: wrong checksum"),
            (0, SLOT, "does not begin with SKSL"),
        ] {
            let mut image = good.clone();
            image[start + at..][..length].iter_mut().for_each(|byte| *byte ^= 0x5a);
            desk.put("router.img", &image);

            let machine = Machine::start(&desk, BOARD, How::default());

            machine.wait_until_it_says("\nready lan=eth0", 1, BOOTING);
            let told = machine.cut();
            let booted = format!("sekisho: configuration {other} slot, try 1\r\n");
            let why = format!("sekisho: warn: {name} slot {reason}: passed over\r\n");
            assert!(told.contains(&booted) && told.contains(&why), "{booted}{why}{told}");
        }
    }
}
