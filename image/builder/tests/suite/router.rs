//! Images with the program that they are for, booted in QEMU among simulated hosts: traffic passes, and where the configuration
//! is damaged or missing the console says what is done instead.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::fixtures::{Desk, other_blob};
use crate::machine::{is_here, kernels, tool};

/// The reference network's box, its interfaces left to the board.
const BOX: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../provision/examples/board.toml");

fn blob() -> Vec<u8> {
    provision::blob(&provision::compile(&fs::read_to_string(BOX).unwrap(), "board.toml").unwrap())
}

/// A desk with an image for a board, if what that takes is here.
fn desk(board: &str, program: &str, test: &str) -> Option<Desk> {
    let desk = Desk::new(&format!("router-{test}"));
    let qemu = if board.ends_with("aarch64") { "qemu-system-aarch64" } else { "qemu-system-x86_64" };
    if !is_here(qemu, test) || !is_here("apt-get", test) {
        return None;
    }
    desk.put("router.blob", &blob());
    let cache = kernels();
    let parts = ["--config", "router.blob", "--init", program, "-o", "router.img"];
    let kept = ["--cache", cache.to_str().unwrap()];
    let built = tool(&desk, &[&["build", "--board", board][..], &parts, &kept].concat());
    let said = String::from_utf8(built.stderr).unwrap();
    if said.starts_with("apt-") {
        eprintln!("NOT RUN: {test}: {said}");
        return None;
    }
    assert!(built.status.success(), "{said}");
    Some(desk)
}

/// One with an image for the virtual PC.
fn pc(test: &str) -> Option<Desk> {
    desk("qemu-x86_64", program::PATH, test)
}

/// One with an image for the virtual Arm machine, if there is a program for that.
fn arm(test: &str) -> Option<Desk> {
    let Some(program) = program::FOR_AARCH64 else {
        eprintln!("NOT RUN: {test}: needs a compiler for aarch64-unknown-linux-musl");
        return None;
    };
    desk("qemu-aarch64", program, test)
}

/// Whether UEFI firmware is here.
fn has_firmware(path: &str, test: &str) -> bool {
    let is_there = Path::new(path).exists();
    if !is_there {
        eprintln!("NOT RUN: {test}: needs {path}");
    }
    is_there
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

/// Pings, TCP of ten megabytes there and back, whose every byte is compared, UDP, a forward, a traceroute.
#[track_caller]
fn assert_carries_traffic(desk: &Desk) {
    let (is_ok, told) = boot(desk, &["--scenario", "traffic"]);
    assert!(is_ok, "{told}");
    assert!(told.contains("ready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24"), "{told}");
    assert!(told.contains("ok: 12 of 12 checks"), "{told}");
    assert!(told.contains("translated the first packet after "), "{told}");
}

#[test]
fn the_image_carries_the_traffic_of_simulated_hosts() {
    if let Some(desk) = pc("traffic") {
        assert_carries_traffic(&desk);
    }
}

#[test]
fn the_image_carries_the_traffic_of_simulated_hosts_on_arm() {
    if let Some(desk) = arm("traffic-aarch64") {
        assert_carries_traffic(&desk);
    }
}

#[track_caller]
fn assert_translates_by_uefi(desk: &Desk) {
    let (is_ok, told) = boot(desk, &["--uefi"]);
    assert!(is_ok && told.contains("ok: 8 of 8 checks"), "{told}");
}

#[test]
fn it_translates_when_uefi_firmware_has_found_it() {
    if !has_firmware("/usr/share/ovmf/OVMF.fd", "it_translates_when_uefi_firmware_has_found_it") {
        return;
    }
    if let Some(desk) = pc("uefi") {
        assert_translates_by_uefi(&desk);
    }
}

#[test]
fn it_translates_when_uefi_firmware_has_found_it_on_arm() {
    let firmware = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";
    if !has_firmware(firmware, "it_translates_when_uefi_firmware_has_found_it_on_arm") {
        return;
    }
    if let Some(desk) = arm("uefi-aarch64") {
        assert_translates_by_uefi(&desk);
    }
}

#[test]
fn where_the_newer_slot_is_damaged_it_says_so_and_runs_with_the_older() {
    let Some(desk) = pc("fallback") else { return };
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
    let Some(desk) = pc("safe") else { return };
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
