//! Images with Debian's kernels and with the tiny one, booted in QEMU. What is not at hand is named, and the test has then shown
//! nothing. The tiny kernel takes minutes to build, so it is at hand only if `tests/tiny` or somebody else has built it.
//!
//! In the place of the program is one that says so and switches the machine off: kernel, first file system, unified kernel
//! and disk are the real ones.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use builder::tiny::Tiny;
use builder::unpacked::Unpacked;
use builder::{board_file, default_directory};

use crate::fixtures::{AARCH64, Desk, LOAD, X86_64, blob, program};

/// What the program in the place of ours says.
const LINE: &[u8] = b"ready stand-in\n";

/// What reboot(2) is told: `LINUX_REBOOT_CMD_POWER_OFF`, and `LINUX_REBOOT_CMD_RESTART`.
const POWER_OFF: u32 = 0x4321_fedc;
pub(crate) const RESTART: u32 = 0x0123_4567;

/// A program for a PC that writes a line and ends the machine: `write(1, line)`, `reboot(…, command)`.
pub(crate) fn stand_in_x86_64(command: u32) -> Vec<u8> {
    let [a, b, c, d] = command.to_le_bytes();
    let code = [
        &[0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0][..],
        // The line is behind the code, 31 bytes behind this instruction.
        &[0x48, 0x8d, 0x35, 31, 0, 0, 0, 0xba, LINE.len() as u8, 0, 0, 0, 0x0f, 0x05],
        &[0xb8, 169, 0, 0, 0, 0xbf, 0xad, 0xde, 0xe1, 0xfe, 0xbe, 0x69, 0x19, 0x12, 0x28],
        &[0xba, a, b, c, d, 0x0f, 0x05, 0xeb, 0xfe],
        LINE,
    ];
    program(X86_64, &[LOAD], &code.concat())
}

/// The same for an Arm board.
fn stand_in_aarch64() -> Vec<u8> {
    let low = |register: u32, number: u32| 0xd280_0000 | (number & 0xffff) << 5 | register;
    let high = |register: u32, number: u32| 0xf2a0_0000 | (number >> 16) << 5 | register;
    let (call, stay) = (0xd400_0001, 0x1400_0000);
    // The line is behind the code, of which there are twelve instructions from this one on.
    let line = 0x1000_0000 | 12 << 5 | 1;
    let [magic, again, off] = [0xfee1_dead, 0x2812_1969, POWER_OFF];
    let write = [low(8, 64), low(0, 1), line, low(2, LINE.len() as u32), call];
    let numbers = [low(0, magic), high(0, magic), low(1, again), high(1, again), low(2, off), high(2, off)];
    let code = [&write[..], &[low(8, 142)], &numbers, &[call, stay]].concat();
    let bytes: Vec<_> = code.into_iter().flat_map(u32::to_le_bytes).chain(LINE.iter().copied()).collect();
    program(AARCH64, &[LOAD], &bytes)
}

/// Everything but the kernel that an image is built of.
const PARTS: [&str; 4] = ["--config", "router.blob", "--init", "init"];

/// Whether a program is on the path; says so if it is not.
pub(crate) fn is_here(tool: &str, test: &str) -> bool {
    let is_here = Command::new(tool).arg("--version").output().is_ok();
    if !is_here {
        eprintln!("NOT RUN: {test}: needs {tool}");
    }
    is_here
}

pub(crate) fn tool(desk: &Desk, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-image"));
    command.args(arguments).current_dir(&desk.0).output().unwrap()
}

/// Builds an image with Debian's kernel, which is kept from one run to the next.
fn build(desk: &Desk, board: &str, test: &str) -> bool {
    put_parts(desk, board);
    let cache = kernels();
    let more = ["-o", "router.img", "--cache", cache.to_str().unwrap()];
    let output = tool(desk, &[&["build", "--board", board][..], &PARTS, &more].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    // Without a network there is nothing to show; whatever else is wrong is wrong.
    let is_built = output.status.success();
    assert!(is_built || said.starts_with("apt-"), "{said}");
    if !is_built {
        eprintln!("NOT RUN: {test}: {said}");
    }
    is_built
}

fn put_parts(desk: &Desk, board: &str) {
    desk.put("router.blob", &blob());
    desk.put(
        "init",
        &if board.ends_with("aarch64") { stand_in_aarch64() } else { stand_in_x86_64(POWER_OFF) },
    );
}

/// Whether the tiny kernel of a board was built before; says so if it was not.
pub(crate) fn has_tiny(board: &str, test: &str) -> bool {
    let file = board_file::find(board).unwrap();
    let is_kept = default_directory().is_some_and(|directory| {
        Tiny::new(&directory, &file, false, &|_| ()).is_ok_and(|tiny| tiny.is_kept())
    });
    if !is_kept {
        eprintln!(
            "NOT RUN: {test}: needs the tiny kernel; build it with sekisho-image kernel --board {board}"
        );
    }
    is_kept
}

/// Builds an image with the tiny kernel, if that was built before.
fn build_tiny(desk: &Desk, board: &str, test: &str) -> bool {
    if !has_tiny(board, test) {
        return false;
    }
    put_parts(desk, board);
    let output =
        tool(desk, &[&["build", "--tiny", "--board", board][..], &PARTS, &["-o", "router.img"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(", tiny\n") && told.contains("  modules    0 bytes in 0\n"), "{told}");
    true
}

pub(crate) fn kernels() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels")
}

fn assert_boots(desk: &Desk, how: &[&str]) {
    // QEMU connects, and nobody says anything.
    let _listeners = ["lan.sock", "wan.sock"].map(|name| UnixListener::bind(desk.0.join(name)).unwrap());
    let before = fs::read(desk.0.join("router.img")).unwrap();
    let arguments = ["boot", "router.img", "--lan", "lan.sock", "--wan", "wan.sock", "--seconds", "120"];

    let output = tool(desk, &[&arguments[..], how].concat());

    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("ready stand-in\r\n"), "{out}{err}");
    assert!(
        err.starts_with("ready ")
            && err.contains(" s after the start\nthe machine has ended: it has switched itself off")
    );
    assert_eq!(fs::read(desk.0.join("router.img")).unwrap(), before);
}

/// Builds an image in a directory for a board, for a test; says whether it could.
type Builder = fn(&Desk, &str, &str) -> bool;

/// Boots the image of a board if all that takes is here, and these files are.
fn boots(board: &str, build: Builder, how: &[&str], files: &[&str], test: &str) {
    if let Some(missing) = files.iter().find(|file| !Path::new(file).exists()) {
        eprintln!("NOT RUN: {test}: needs {missing}");
        return;
    }
    let desk = Desk::new(test);
    let qemu = if board.ends_with("aarch64") { "qemu-system-aarch64" } else { "qemu-system-x86_64" };
    if is_here(qemu, test) && is_here("apt-get", test) && build(&desk, board, test) {
        assert_boots(&desk, how);
    }
}

#[test]
fn debians_kernel_boots_the_program_at_once() {
    boots("qemu-x86_64", build, &["--direct"], &[], "direct-x86_64");
}

#[test]
fn uefi_firmware_boots_the_program_from_the_disk() {
    boots("qemu-x86_64", build, &["--uefi"], &["/usr/share/ovmf/OVMF.fd"], "uefi-x86_64");
}

#[test]
fn debians_kernel_boots_the_program_at_once_on_arm() {
    boots("qemu-aarch64", build, &["--direct"], &[], "direct-aarch64");
}

#[test]
fn uefi_firmware_boots_the_program_from_the_disk_on_arm() {
    boots("qemu-aarch64", build, &["--uefi"], &["/usr/share/qemu-efi-aarch64/QEMU_EFI.fd"], "uefi-aarch64");
}

#[test]
fn the_tiny_kernel_boots_the_program_in_64_megabytes() {
    boots("qemu-x86_64", build_tiny, &["--direct", "--memory", "64M"], &[], "tiny-x86_64");
}

#[test]
fn uefi_firmware_boots_the_tiny_kernel() {
    boots("qemu-x86_64", build_tiny, &["--uefi"], &["/usr/share/ovmf/OVMF.fd"], "tiny-uefi-x86_64");
}

#[test]
fn the_tiny_kernel_boots_the_program_in_64_megabytes_on_arm() {
    boots("qemu-aarch64", build_tiny, &["--direct", "--memory", "64M"], &[], "tiny-aarch64");
}

#[test]
fn uefi_firmware_boots_the_tiny_kernel_on_arm() {
    let firmware = "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd";
    boots("qemu-aarch64", build_tiny, &["--uefi"], &[firmware], "tiny-uefi-aarch64");
}

#[test]
fn a_cache_that_is_damaged_is_mended_and_the_image_is_the_same() {
    let test = "a_cache_that_is_damaged_is_mended_and_the_image_is_the_same";
    let desk = Desk::new("mended");
    if !is_here("apt-get", test) || !build(&desk, "qemu-x86_64", test) {
        return;
    }
    let (cache, own) = (kernels().join("amd64"), desk.0.join("cache/amd64"));
    fs::create_dir_all(&own).unwrap();
    // These alone: beside them others fetch what they need, in directories that come and go.
    let packages = ["systemd-boot-efi", "linux-image-cloud-amd64"].map(|package| cache.join(package));
    let copied = Command::new("cp").arg("-r").args(packages).arg(&own).status().unwrap();
    assert!(copied.success());
    let stub = own.join("systemd-boot-efi/stub");
    let mut bytes = fs::read(&stub).unwrap();
    bytes[5000] ^= 1;
    fs::write(&stub, &bytes).unwrap();

    let arguments = ["build", "--board", "qemu-x86_64", "--config", "router.blob", "--init", "init"];
    let mended = tool(&desk, &[&arguments[..], &["-o", "mended.img", "--cache", "cache"]].concat());

    assert!(mended.status.success(), "{}", String::from_utf8_lossy(&mended.stderr));
    let [one, other] = ["router.img", "mended.img"].map(|name| fs::read(desk.0.join(name)).unwrap());
    assert!(one == other);
    assert_eq!(Unpacked::read(&one).unwrap().board, "qemu-x86_64");
}
