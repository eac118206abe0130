//! Power cuts while configurations are written, in a booted machine: by the program's own code, through the kernel's drivers, on a
//! disk with a cache. Each boot comes up with what was last said to be written, or with the one after it.
//!
//! A few cuts here; `tests/power-cuts` makes as many as one likes, and says which seed it has.

use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::disk::{Chance, Disk};
use crate::fixtures::Desk;
use crate::machines::{How, Machine, blob_with, build, trials};

const BOARD: &str = "qemu-x86_64";

/// How many cuts there are if nobody says otherwise.
const CUTS: u64 = 8;

/// The most that is asked of the disk before the power goes: a write of a configuration is three writes and three flushes.
const REQUESTS: u64 = 90;

/// How long a machine may take to boot and to write that much.
const LIMIT: Duration = Duration::from_secs(90);

fn set(name: &str) -> Option<u64> {
    env::var(name).ok().map(|number| number.parse().unwrap())
}

/// The last of the numbers that the console has behind these words. A line that was cut short is none.
fn last(told: &str, words: &str) -> Option<u64> {
    let lines = told.split_inclusive('\n').rev().filter_map(|line| line.strip_suffix("\r\n"));
    let mut numbers = lines.filter_map(|line| line.strip_prefix(words)?.split(',').next()?.parse().ok());
    numbers.next()
}

#[test]
fn after_every_power_cut_it_comes_up_with_the_old_or_the_new_configuration() {
    let test = "after_every_power_cut_it_comes_up_with_the_old_or_the_new_configuration";
    let desk = Desk::new("power-cuts");
    let Some(program) = trials(test) else { return };
    let Some(()) = build(&desk, BOARD, program, &blob_with(""), test) else { return };
    let (cuts, seed) = (set("SEKISHO_POWER_CUTS").unwrap_or(CUTS), set("SEKISHO_SEED").unwrap_or(1));
    let mut chance = Chance(seed);
    let mut disk = Disk::new(fs::read(desk.0.join("router.img")).unwrap());
    let (mut written, mut silent, mut newer) = (1, 0, 0);
    for cut in 1..=cuts {
        // Three boots that nobody could confirm are no power cut's fault: the third has time for that.
        let requests = if silent == 2 { REQUESTS } else { chance.below(REQUESTS) };
        let place = format!("cut {cut} of seed {seed}, after {requests} requests");

        let powered = disk.serve(&desk.0.join("disk.sock"), requests, chance.clone());
        let name = powered.name();
        let how = How { disk: Some(&name), persist: true, word: "write", ..How::default() };
        let machine = Machine::start(&desk, BOARD, how);
        let begun = Instant::now();
        while !powered.is_off() {
            assert!(
                begun.elapsed() < LIMIT && !machine.told().contains("WRONG"),
                "{place}: {}",
                machine.told()
            );
            thread::sleep(Duration::from_millis(5));
        }
        let told = machine.cut();
        disk = powered.disk().unwrap_or_else(|error| panic!("{place}: {error}: {told}"));

        assert!(!told.contains("WRONG"), "{place}: {told}");
        let Some(came_up) = last(&told, "came up with ") else {
            silent += 1;
            continue;
        };
        silent = 0;
        assert!((written..=written + 1).contains(&came_up), "{place}: {written} was written, and {told}");
        newer += u64::from(came_up > written);
        written = last(&told, "wrote ").unwrap_or(came_up);
        if cut % 20 == 0 {
            println!("{cut} of {cuts} power cuts, {written} configurations written");
        }
    }
    println!(
        "{cuts} power cuts, seed {seed}: {written} configurations written, {newer} times one more than was said"
    );
    assert!(written > cuts, "hardly anything was written");
}
