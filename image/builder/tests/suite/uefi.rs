//! The boards that boot by UEFI, with either kernel, from each kind of disk that they may have: traffic passes between two
//! network cards of Intel's. `stick` has more of the PC with Debian's kernel. The tiny kernel is at hand as in `machine`.

use std::path::Path;

use builder::board_file::SHIPPED;

use crate::fixtures::Desk;
use crate::machine::tool;
use crate::machines::{Builder, blob_with, build, build_tiny};

const PC: &str = "uefi-x86_64";
const ARM: &str = "uefi-aarch64";

/// Disks, as a board's file calls them, and what the kernel calls their partitions.
const USB: (&str, &str) = ("usb", "/dev/sda");
const SATA: (&str, &str) = ("sata", "/dev/sda");
const NVME: (&str, &str) = ("nvme", "/dev/nvme0n1p");
const VIRTIO: (&str, &str) = ("virtio", "/dev/vda");

/// A desk with an image for a board, if what that takes is here.
fn desk(board: &str, build: Builder, test: &str) -> Option<Desk> {
    let (firmware, program) = match board {
        PC => ("/usr/share/ovmf/OVMF.fd", Some(program::PATH)),
        _ => ("/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", program::FOR_AARCH64),
    };
    let Some(program) = program.filter(|_| Path::new(firmware).exists()) else {
        eprintln!("NOT RUN: {test}: needs {firmware}, and a compiler for the board");
        return None;
    };
    let desk = Desk::new(&format!("uefi-{test}"));
    build(&desk, board, program, &blob_with(""), test)?;
    Some(desk)
}

/// Boots an image on a board whose disk is another, and lets hosts talk through it.
#[track_caller]
fn assert_boots_from(desk: &Desk, board: &str, disk: &str, device: &str) {
    let (_, text) = SHIPPED.into_iter().find(|(name, _)| *name == board).unwrap();
    desk.put("other.toml", text.replace("disk = \"usb\"", &format!("disk = \"{disk}\"")).as_bytes());
    let arguments = ["boot", "router.img", "--board", "other.toml", "--uefi", "--seconds", "150"];

    let booted = tool(desk, &arguments);

    let [out, err] = [booted.stdout, booted.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(booted.status.success() && out.contains("ok: 8 of 8 checks"), "{out}{err}");
    for line in [
        &format!("sekisho: configuration on {device}2 and {device}3\r\n"),
        "\nready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24\r\n",
    ] {
        assert!(out.contains(line), "no {line:?} in\n{out}");
    }
    assert!(!out.contains("sekisho: warn"), "{out}");
}

/// Boots a board with a kernel from a disk, if all that takes is here.
#[track_caller]
fn boots_from((disk, device): (&str, &str), board: &str, build: Builder, test: &str) {
    if let Some(desk) = desk(board, build, test) {
        assert_boots_from(&desk, board, disk, device);
    }
}

#[test]
fn debians_kernel_boots_an_arm_board_from_a_usb_stick() {
    boots_from(USB, ARM, build, "arm-usb");
}

#[test]
fn the_tiny_kernel_boots_a_pc_from_a_usb_stick() {
    boots_from(USB, PC, build_tiny, "tiny-pc-usb");
}

#[test]
fn the_tiny_kernel_boots_a_pc_from_an_nvme_disk() {
    boots_from(NVME, PC, build_tiny, "tiny-pc-nvme");
}

#[test]
fn the_tiny_kernel_boots_a_pc_from_a_sata_disk() {
    boots_from(SATA, PC, build_tiny, "tiny-pc-sata");
}

#[test]
fn the_tiny_kernel_boots_an_arm_board_from_a_usb_stick() {
    boots_from(USB, ARM, build_tiny, "tiny-arm-usb");
}

#[test]
fn the_tiny_kernel_boots_an_arm_board_from_a_virtio_disk() {
    boots_from(VIRTIO, ARM, build_tiny, "tiny-arm-virtio");
}
