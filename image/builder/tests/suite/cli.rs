//! The program itself: its exit codes, what it prints where, and what it leaves on the disk.

use std::fs;

use crate::fixtures::{AARCH64, Desk, LOAD, X86_64, blob, module, program, run, stub};

/// Everything that an image for the virtual PC is made of.
fn parts(test: &str) -> Desk {
    let desk = Desk::new(&format!("cli-{test}"));
    desk.put("router.blob", &blob());
    desk.put("init", &program(X86_64, &[LOAD], b"code"));
    desk.put("vmlinuz", b"a kernel");
    desk.put("stub", &stub(4));
    for name in ["virtio_blk", "virtio_net", "virtio_rng", "softdog", "evdev", "button"] {
        desk.put(&format!("modules/{name}.ko"), &module(&["depends="]));
    }
    desk.put("modules/modules.builtin", b"kernel/drivers/virtio/virtio_pci.ko\n");
    desk
}

const BUILD: &str = "build --board qemu-x86_64 --config router.blob --init init --kernel vmlinuz --modules modules \
                     --stub stub --cache cache -o router.img";

#[test]
fn an_image_is_built_of_files_at_hand_and_what_it_weighs_is_printed() {
    let desk = parts("build");

    let built = run(&desk, BUILD);
    let image = fs::read(desk.0.join("router.img")).unwrap();
    let again = run(&desk, BUILD);

    assert_eq!((built.0, again.0, &built.2[..]), (0, 0, ""), "{}", built.2);
    assert_eq!(fs::read(desk.0.join("router.img")).unwrap(), image);
    let lines: Vec<_> = built.1.lines().collect();
    assert_eq!(
        lines[..4],
        ["router.img", "  from       vmlinuz", "  board      qemu-x86_64", "  program    124 bytes"]
    );
    assert!(lines[4].ends_with(" in 6") && lines[5].ends_with(" bytes, packed"), "{}", built.1);
    assert_eq!(lines[6..], ["  kernel     8 bytes", "  image      5,242,880 bytes"]);
    assert!(!desk.0.join("cache").exists());
}

#[test]
fn what_cannot_become_an_image_ends_with_2_and_leaves_the_old_one_alone() {
    let desk = parts("refused");
    desk.put("router.img", b"the old image");
    desk.put("arm", &program(AARCH64, &[LOAD], b"code"));
    for (with, instead, reason) in [
        ("--board qemu-x86_64", "--board qemu", "unknown board \"qemu\"; did you mean \"qemu-"),
        (
            "--config router.blob",
            "--config init",
            "init: not a configuration blob: it does not begin with SKSH;",
        ),
        (
            "--init init",
            "--init arm",
            "arm: is for aarch64; the board needs a program for x86_64; name a static program for x86_64 with --init",
        ),
        ("--init init", "--init vmlinuz", "vmlinuz: is no 64-bit ELF program;"),
        ("--modules modules", "--modules cli", "cli: has no module virtio_pci"),
        ("--stub stub", "--stub vmlinuz", "vmlinuz: is no EFI program"),
    ] {
        fs::create_dir_all(desk.0.join("cli")).unwrap();

        let (code, out, err) = run(&desk, &BUILD.replace(with, instead));

        assert_eq!((code, &out[..]), (2, ""), "{instead}: {err}");
        assert!(err.starts_with(reason), "{instead}: {err}");
        assert_eq!(fs::read(desk.0.join("router.img")).unwrap(), b"the old image");
    }
}

#[test]
fn where_nothing_can_be_fetched_it_ends_with_1_and_says_what_to_do_instead() {
    let desk = parts("no-apt");

    let (code, _, err) = run(&desk, &BUILD.replace(" --kernel vmlinuz --modules modules", ""));

    // There is no program of any name on an empty path.
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("give files of your own with --kernel, --modules and --stub"), "{err}");
}

#[test]
fn what_is_no_image_is_not_booted() {
    let desk = parts("no-image");
    desk.put("router.img", &[0; 1 << 20]);

    let (code, _, err) = run(&desk, "boot router.img");

    assert_eq!(code, 2);
    assert!(err.starts_with("router.img: has no partition table: "), "{err}");
    assert!(err.ends_with("; give an image that sekisho-image build wrote\n"), "{err}");
}

#[test]
fn a_scenario_for_other_addresses_than_the_image_s_is_refused_before_anything_boots() {
    let desk = parts("addresses");
    let other = fs::read_to_string(crate::fixtures::REFERENCE).unwrap().replace("192.0.2.", "192.168.7.");
    desk.put("router.blob", &provision::blob(&provision::compile(&other, "other.toml").unwrap()));
    assert_eq!(run(&desk, BUILD).0, 0);

    let (code, _, err) = run(&desk, "boot router.img");

    assert_eq!(code, 2);
    assert!(
        err.starts_with("router.img: has lan 192.168.7.254/24 and wan 203.0.113.254/24, and the box of "),
        "{err}"
    );
}

#[test]
fn whatever_else_is_where_the_serial_port_should_be_stays_there() {
    let desk = parts("serial");
    assert_eq!(run(&desk, BUILD).0, 0);
    desk.put("notes", b"mine");

    let (code, _, err) = run(&desk, "boot router.img --tap a b --serial notes --seconds 1");

    assert_eq!(
        (code, &err[..]),
        (2, "notes: is there already, and is no socket; name another one for --serial\n")
    );
    assert_eq!(fs::read(desk.0.join("notes")).unwrap(), b"mine");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let desk = parts("command-line");
    for wrong in [
        "--unknown",
        "build",
        "build --modules x --board y",
        "boot",
        "boot x --lan y",
        "boot x --direct --uefi",
        "build --board x --config y -o z --tiny --kernel k",
        "config",
    ] {
        let (code, out, err) = run(&desk, wrong);
        assert_eq!((code, &out[..]), (2, ""), "{wrong}");
        assert!(err.contains("Usage: sekisho-image"), "{wrong}: {err}");
    }
}
