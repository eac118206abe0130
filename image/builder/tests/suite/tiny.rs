//! The tiny kernel: its fragments, and what is known of it before it is built. `machine` boots it, if it was built before.

use std::process::Command;

use builder::board_file::{self, SHIPPED};
use builder::fragments::{Options, digest};
use builder::kbuild::options_of;

use crate::fixtures::Desk;

fn options(text: &str) -> Result<Options, String> {
    let mut options = Options::default();
    options.add("box.config", text)?;
    Ok(options)
}

#[test]
fn the_fragments_are_read_and_have_what_a_box_cannot_do_without() {
    for (name, _) in SHIPPED {
        let text = board_file::find(name).unwrap().tiny.text();
        for line in [
            "# CONFIG_MODULES is not set",
            "CONFIG_RD_GZIP=y",
            "CONFIG_PACKET=y",
            "CONFIG_EFI_STUB=y",
            "CONFIG_VIRTIO_NET=y",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} for {name}");
        }
    }
}

#[test]
fn a_board_says_itself_which_fragments_it_is_made_of() {
    for (name, _) in SHIPPED {
        let board = board_file::find(name).unwrap();
        let everywhere = Options::of(board.architecture).unwrap();
        assert_eq!(board.tiny == everywhere, name.starts_with("qemu-"), "{name}");
        for line in ["CONFIG_BLK_DEV_NVME=y", "CONFIG_R8169=y", "CONFIG_FRAMEBUFFER_CONSOLE=y"] {
            let is_there = board.tiny.text().lines().any(|found| found == line);
            assert_eq!(is_there, name.starts_with("uefi-"), "{line} for {name}");
        }
    }
}

#[test]
fn an_option_that_was_dropped_or_is_otherwise_is_named() {
    let wanted = options(
        "CONFIG_NET=y\nCONFIG_PACKET=y\n# CONFIG_IPV6 is not set\n# CONFIG_MODULES is not set\nCONFIG_NR_CPUS=16\n",
    );
    let got = "CONFIG_NET=y\n# CONFIG_PACKET is not set\nCONFIG_IPV6=y\nCONFIG_NR_CPUS=2\n#\n# Other\n#\n";

    let dropped = wanted.unwrap().dropped(got);

    assert_eq!(dropped, ["CONFIG_IPV6=n became y", "CONFIG_NR_CPUS=16 became 2", "CONFIG_PACKET=y became n"]);
}

#[test]
fn what_is_no_fragment_is_told_with_its_line() {
    for (text, told) in [
        ("CONFIG_A=y\nCONFIG_A=n\n", "box.config:2: CONFIG_A is set twice; leave one out"),
        (
            "\n# why\nNET=y\n",
            "box.config:3: \"NET=y\" sets nothing; write CONFIG_NAME=y, or # CONFIG_NAME is not set",
        ),
        ("#CONFIG_A is not set\n", "box.config:1: \"#CONFIG_A is not set\" sets nothing; write"),
        ("CONFIG_A=\n", "box.config:1: \"CONFIG_A=\" sets nothing; write"),
        ("CONFIG_=y\n", "box.config:1: \"CONFIG_=y\" sets nothing; write"),
        ("CONFIG_A B=y\n", "box.config:1: \"CONFIG_A B=y\" sets nothing; write"),
    ] {
        let error = options(text).unwrap_err();
        assert!(error.starts_with(told), "{error}");
    }
}

#[test]
fn remarks_and_order_make_no_other_kernel_and_everything_else_does() {
    let one = options("# Why.\nCONFIG_A=y\n\nCONFIG_B=\"text\"\n").unwrap().text();
    let same = options("CONFIG_B=\"text\"\nCONFIG_A=y\n").unwrap().text();
    let other = options("CONFIG_B=\"text\"\n# CONFIG_A is not set\n").unwrap().text();

    assert_eq!(one, same);
    assert_ne!(digest(&[&one, "gcc 12"]), digest(&[&other, "gcc 12"]));
    assert_ne!(digest(&[&one, "gcc 12"]), digest(&[&one, "gcc 13"]));
    // Where one text ends and the next begins matters, too.
    assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    assert_eq!(digest(&[&one, "gcc 12"]).len(), 16);
}

#[test]
fn the_options_that_make_a_module_are_in_the_kernel_s_makefiles() {
    let desk = Desk::new("makefiles");
    desk.put("drivers/net/intel/Makefile", b"obj-$(CONFIG_IGB) += igb/\nobj-y += always.o\n");
    desk.put("drivers/net/intel/igb/Makefile", b"obj-$(CONFIG_IGB) += igb.o\nigb-y := igb_main.o\n");
    desk.put(
        "drivers/char/Makefile",
        b"obj-$(CONFIG_RNG) += core.o \\\n\tvirtio-rng.o\nobj-$(CONFIG_OLD)\t+= virtio-rng.o\n",
    );
    desk.put("drivers/char/notes.txt", b"obj-$(CONFIG_NONE) += igb.o\n");
    let modules = ["igb", "virtio_rng", "e1000e", "always"].map(str::to_owned);

    let found = options_of(&desk.0, &modules).unwrap();

    assert_eq!(found["igb"], ["CONFIG_IGB"]);
    assert_eq!(found["virtio_rng"], ["CONFIG_RNG", "CONFIG_OLD"]);
    assert_eq!(found.len(), 2);
}

#[test]
fn without_the_tools_to_build_it_their_packages_are_named() {
    let desk = Desk::new("tiny-tools");
    for (board, packages) in [
        ("qemu-x86_64", "bc bison flex gcc make tar"),
        ("qemu-aarch64", "bc bison flex gcc gcc-aarch64-linux-gnu make tar"),
    ] {
        let packages = if std::env::consts::ARCH == "x86_64" { packages } else { "bc bison flex gcc" };
        let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-image"));
        let command = command.args(["kernel", "--board", board, "--cache", "cache"]).current_dir(&desk.0);

        let output = command.env_clear().env("PATH", "").output().unwrap();

        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        let line = format!("are missing here; install them: apt-get install {packages}");
        assert!(told.contains(&line), "{told}");
        assert!(!desk.0.join("cache").exists());
    }
}
