//! A PC that boots from a stick, as the README has somebody make one: the image is built and flashed, firmware finds it in a USB
//! port, traffic passes between two network cards, and the monitor shows what the serial port does.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixtures::Desk;
use crate::machine::tool;
use crate::machines::{Builder, How, Machine, blob_with, build, build_tiny};

const BOARD: &str = "uefi-x86_64";
const FIRMWARE: &str = "/usr/share/ovmf/OVMF.fd";

/// As large as the smallest stick that anybody may have left.
const STICK: u64 = 64 << 20;

/// How long firmware and kernel may take where every instruction of theirs is emulated.
const BOOTING: Duration = Duration::from_secs(120);

/// A desk with an image, and a stick that it was written to, if what that takes is here.
fn desk(name: &str, build: Builder, test: &str) -> Option<Desk> {
    if !Path::new(FIRMWARE).exists() {
        eprintln!("NOT RUN: {test}: needs {FIRMWARE}");
        return None;
    }
    let desk = Desk::new(&format!("stick-{name}"));
    build(&desk, BOARD, program::PATH, &blob_with(""), test)?;
    fs::File::create(desk.0.join("stick")).unwrap().set_len(STICK).unwrap();
    let flashed = tool(&desk, &["flash", "router.img", "stick", "--onto-file"]);
    assert!(flashed.status.success(), "{}", String::from_utf8_lossy(&flashed.stderr));
    Some(desk)
}

#[test]
fn a_pc_boots_from_a_stick_and_carries_the_traffic_of_simulated_hosts() {
    let test = "a_pc_boots_from_a_stick_and_carries_the_traffic_of_simulated_hosts";
    let Some(desk) = desk("traffic", build, test) else { return };

    let booted = tool(&desk, &["boot", "stick", "--uefi", "--seconds", "150"]);

    let [out, err] = [booted.stdout, booted.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(booted.status.success() && out.contains("ok: 8 of 8 checks"), "{out}{err}");
    for line in [
        "sekisho: configuration on /dev/sda2 and /dev/sda3\r\n",
        "sekisho: lan: eth0 52:54:00:53:4b:01 ",
        "sekisho: wan: eth1 52:54:00:53:4b:02 ",
        "\nready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24\r\n",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    // There is a watchdog, and nothing that is wrong.
    assert!(!out.contains("sekisho: warn"), "{out}");
}

#[test]
fn the_monitor_shows_what_the_serial_port_does() {
    let test = "the_monitor_shows_what_the_serial_port_does";
    if let Some(desk) = desk("monitor", build, test) {
        assert_shows_what_the_serial_port_does(&desk);
    }
}

#[test]
fn the_monitor_shows_what_the_serial_port_does_with_the_tiny_kernel() {
    let test = "the_monitor_shows_what_the_serial_port_does_with_the_tiny_kernel";
    if let Some(desk) = desk("monitor-tiny", build_tiny, test) {
        assert_shows_what_the_serial_port_does(&desk);
    }
}

#[track_caller]
fn assert_shows_what_the_serial_port_does(desk: &Desk) {
    let (stick, firmware) = (desk.0.join("stick"), Some(Path::new(FIRMWARE)));
    let mut machine = Machine::start(desk, BOARD, How { disk: Some(&stick), firmware, ..How::default() });
    machine.wait_until_it_says("\nready lan=eth0", 1, BOOTING);

    let seen = lines_in(&picture(&mut machine, desk));

    // The firmware's own words are gone from the screen by then, and the kernel is quiet.
    let told = machine.told();
    let said =
        told.lines().filter(|line| line.starts_with("sekisho: ") || line.starts_with("ready ")).count();
    assert!(said >= 6 && seen >= 6, "{seen} lines on the monitor, and on the serial port\n{told}");
}

/// What the monitor shows.
fn picture(machine: &mut Machine, desk: &Desk) -> Vec<u8> {
    let file: PathBuf = desk.0.join("screen.ppm");
    machine.qemu.picture(&file).unwrap();
    let begun = Instant::now();
    loop {
        let picture = fs::read(&file).unwrap_or_default();
        if pixels(&picture).is_some() {
            return picture;
        }
        assert!(begun.elapsed() < BOOTING, "no picture, but {} bytes", picture.len());
        thread::sleep(Duration::from_millis(50));
    }
}

/// The rows of a PPM's pixels, if all of it is there.
fn pixels(picture: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = picture.splitn(4, |byte| *byte == b'\n');
    assert!(parts.next().is_none_or(|magic| magic.is_empty() || magic == b"P6"));
    let size = str::from_utf8(parts.next()?).ok()?;
    let (width, height) = size.split_once(' ')?;
    let (width, height): (usize, usize) = (width.parse().ok()?, height.parse().ok()?);
    let (_depth, bytes) = (parts.next()?, parts.next()?);
    (bytes.len() == 3 * width * height).then(|| bytes.chunks(3 * width).collect())
}

/// How many lines of text a picture has, bright on black: rows of pixels that are not black, with some between them that are.
fn lines_in(picture: &[u8]) -> usize {
    let rows = pixels(picture).unwrap();
    let is_bright = |row: &[u8]| row.iter().any(|channel| *channel != 0);
    let begins = |pair: &[&[u8]]| !is_bright(pair[0]) && is_bright(pair[1]);
    rows.windows(2).filter(|pair| begins(pair)).count()
}
