//! Booted images whose program gets stuck, or panics, a while after it was ready: the machine starts afresh by itself, and a
//! configuration with which that happens three times in a row is passed over for the older one.

use std::time::Duration;

use crate::fixtures::Desk;
use crate::machine::tool;
use crate::machines::{How, Machine, blob_with, build, trials};

/// The virtual PC, whose watchdog is a timer of the kernel's own, and with one that is a device.
const SOFT: &str = "qemu-x86_64";
const DEVICE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boards/i6300esb.toml");

/// One that has both, of which the device comes second.
const BOTH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boards/softdog-first.toml");

/// How long a machine may take until it is ready again: a second until it is stuck, 20 s until that is noticed, and a boot.
const AGAIN: Duration = Duration::from_secs(60);

/// A machine with two configurations and a program that fails in a way, if what that takes is here.
fn failing(desk: &Desk, board: &str, word: &str, test: &str) -> Option<Machine> {
    build(desk, board, trials(test)?, &blob_with(""), test)?;
    desk.put("newer.blob", &blob_with("[timers]\nudp = \"301s\"\n"));
    assert!(tool(desk, &["config", "router.img", "newer.blob"]).status.success());
    Some(Machine::start(desk, board, How { persist: true, restarts: true, word, ..How::default() }))
}

/// Three boots of the newer configuration, and one of the older.
#[track_caller]
fn assert_passes_over(machine: &Machine) {
    for boot in 1..=3 {
        let line = format!("sekisho: configuration 2 of the second slot, try {boot}\r\n");
        machine.wait_until_it_says(&line, 1, AGAIN);
        machine.wait_until_it_says("\nready lan=eth0", boot, AGAIN);
    }
    machine.wait_until_it_says("sekisho: configuration 1 of the first slot, try 1\r\n", 1, AGAIN);
    machine.wait_until_it_says("\nready lan=eth0", 4, AGAIN);
    let told = machine.told();
    assert!(told.contains("second slot failed at three boots in a row: passed over"), "{told}");
    assert!(!told.contains("is confirmed"), "{told}");
}

#[test]
fn a_watchdog_restarts_what_is_stuck_and_what_is_stuck_three_times_is_passed_over() {
    let test = "a_watchdog_restarts_what_is_stuck_and_what_is_stuck_three_times_is_passed_over";
    let desk = Desk::new("wedge-device");
    let Some(mut machine) = failing(&desk, DEVICE, "hang", test) else { return };

    assert_passes_over(&machine);

    assert_eq!(machine.qemu.bites(), 3, "{}", machine.told());
}

#[test]
fn the_kernel_s_own_watchdog_restarts_what_is_stuck() {
    let test = "the_kernel_s_own_watchdog_restarts_what_is_stuck";
    let desk = Desk::new("wedge-soft");
    let Some(machine) = failing(&desk, SOFT, "hang", test) else { return };

    machine.wait_until_it_says("\nready lan=eth0", 1, AGAIN);
    machine.wait_until_it_says("\nready lan=eth0", 2, AGAIN);
}

#[test]
fn a_watchdog_that_is_a_device_is_better_than_the_kernel_s_own_that_was_there_before() {
    let test = "a_watchdog_that_is_a_device_is_better_than_the_kernel_s_own_that_was_there_before";
    let desk = Desk::new("wedge-both");
    let Some(mut machine) = failing(&desk, BOTH, "hang", test) else { return };

    machine.wait_until_it_says("\nready lan=eth0", 1, AGAIN);
    machine.wait_until_it_says("\nready lan=eth0", 2, AGAIN);

    assert_eq!(machine.qemu.bites(), 1, "{}", machine.told());
}

#[test]
fn what_panics_starts_afresh_and_three_times_is_passed_over() {
    let test = "what_panics_starts_afresh_and_three_times_is_passed_over";
    let desk = Desk::new("wedge-panic");
    let Some(machine) = failing(&desk, SOFT, "die", test) else { return };

    assert_passes_over(&machine);

    assert!(machine.told().matches("as it was told to").count() >= 3, "{}", machine.told());
}
