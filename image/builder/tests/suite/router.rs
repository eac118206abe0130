//! Images with the program that they are for, booted in QEMU among simulated hosts: traffic passes, and where the configuration
//! is damaged or missing the console says what is done instead.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::fixtures::{Desk, other_blob};
use crate::machine::{is_here, kernels, tool};

/// UEFI firmware for a PC.
const OVMF: &str = "/usr/share/ovmf/OVMF.fd";

/// The reference network's box, its interfaces left to the board.
const BOX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../provision/examples/board.toml");

fn blob() -> Vec<u8> {
    provision::blob(&provision::compile(&fs::read_to_string(BOX).unwrap(), "board.toml").unwrap())
}

/// A desk with an image for the virtual PC, if what that takes is here.
fn desk(test: &str) -> Option<Desk> {
    let desk = Desk::new(&format!("router-{test}"));
    if !is_here("qemu-system-x86_64", test) || !is_here("apt-get", test) {
        return None;
    }
    desk.put("router.blob", &blob());
    let cache = kernels();
    let built = tool(
        &desk,
        &[
            "build",
            "--board",
            "qemu-x86_64",
            "--config",
            "router.blob",
            "--init",
            program::PATH,
            "-o",
            "router.img",
        ]
        .into_iter()
        .chain(["--cache", cache.to_str().unwrap()])
        .collect::<Vec<_>>(),
    );
    let said = String::from_utf8(built.stderr).unwrap();
    if said.starts_with("apt-") {
        eprintln!("NOT RUN: {test}: {said}");
        return None;
    }
    assert!(built.status.success(), "{said}");
    Some(desk)
}

/// Boots the image; whether all was as the scenario wants it, and everything that was printed.
fn boot(desk: &Desk, how: &[&str]) -> (bool, String) {
    let output = tool(desk, &[&["boot", "router.img", "--seconds", "120"][..], how].concat());
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.success(), text)
}

/// Where the slots' partitions begin on the disk, first and second.
fn slots(image: &[u8]) -> [usize; 2] {
    // Partitions are whole megabytes, the header of a slot begins so, and the second is behind the first.
    let first = image.chunks(1 << 20).position(|bytes| bytes.starts_with(b"SKSL")).unwrap();
    [first << 20, (first + 1) << 20]
}

#[test]
fn the_image_translates_between_simulated_hosts() {
    let Some(desk) = desk("traffic") else { return };
    let (is_ok, told) = boot(&desk, &[]);
    assert!(is_ok, "{told}");
    assert!(told.contains("ready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24"), "{told}");
    assert!(told.contains("ok: 8 of 8 checks"), "{told}");
}

#[test]
fn it_does_so_when_uefi_firmware_has_found_it() {
    if !Path::new(OVMF).exists() {
        eprintln!("NOT RUN: it_does_so_when_uefi_firmware_has_found_it: needs {OVMF}");
        return;
    }
    let Some(desk) = desk("uefi") else { return };
    let (is_ok, told) = boot(&desk, &["--uefi"]);
    assert!(is_ok && told.contains("ok: 8 of 8 checks"), "{told}");
}

#[test]
fn where_the_newer_slot_is_damaged_it_says_so_and_runs_with_the_older() {
    let Some(desk) = desk("fallback") else { return };
    desk.put("other.blob", &other_blob());
    assert!(tool(&desk, &["config", "router.img", "other.blob"]).status.success());
    let mut image = fs::read(desk.0.join("router.img")).unwrap();
    let [_, second] = slots(&image);
    image[second + 20] ^= 1;
    desk.put("router.img", &image);

    let (is_ok, told) = boot(&desk, &[]);

    assert!(is_ok && told.contains("configuration 1 of the first slot, try 1"), "{told}");
    assert!(told.contains("second slot") && told.contains(": passed over"), "{told}");
}

#[test]
fn without_a_valid_slot_it_is_in_safe_mode_and_says_nothing_on_its_ports() {
    let Some(desk) = desk("safe") else { return };
    let mut image = fs::read(desk.0.join("router.img")).unwrap();
    for slot in slots(&image) {
        image[slot..slot + 4096].fill(0);
    }
    desk.put("router.img", &image);

    let ports = ["lan.sock", "wan.sock"].map(|name| UnixListener::bind(desk.0.join(name)).unwrap());
    let arguments = ["boot", "router.img", "--lan", "lan.sock", "--wan", "wan.sock", "--seconds", "20"];
    let output = tool(&desk, &arguments);

    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.matches("SAFE MODE").count() >= 2, "{told}");
    assert!(told.contains("first slot is blank") && !told.contains("ready lan="), "{told}");
    for port in ports {
        let mut heard = Vec::new();
        port.accept().unwrap().0.read_to_end(&mut heard).unwrap();
        assert!(heard.is_empty(), "{told}");
    }
}
