//! Boards as files.

use board::Selector;
use builder::Architecture;
use builder::board_file::{SHIPPED, find, read};

const MINIMAL: &str = r#"about = "a box"
architecture = "aarch64"
kernel = "linux-image-arm64"
modules = []
command-line = "console=ttyAMA0"
lan.mac = "52:54:00:12:34:56"
wan.path = "0000:00:03.0"
"#;

#[test]
fn the_boards_that_come_with_the_tool_are_boards() {
    for (name, _) in SHIPPED {
        let board = find(name).unwrap();
        assert_eq!(board.name, name);
        assert!(name.ends_with(board.architecture.name()));
        assert!(board.command_line.contains("console=") && board.command_line.contains("panic="), "{name}");
        assert!(board.qemu.is_some() && !board.about.is_empty());
        for module in ["virtio_pci", "virtio_blk", "virtio_net"] {
            assert!(board.modules.iter().any(|it| it == module), "{name} has no {module}");
        }
    }
}

#[test]
fn a_board_takes_one_file_and_the_file_s_name() {
    let board = read("my-box", MINIMAL, "my-box.toml").unwrap();

    assert_eq!((&board.name[..], board.architecture), ("my-box", Architecture::Aarch64));
    assert!(matches!(&board.lan, Selector::Mac(mac) if mac.to_string() == "52:54:00:12:34:56"));
    assert!(matches!(&board.wan, Selector::Path(path) if path.as_str() == "0000:00:03.0"));
    assert!(board.watchdog.is_none() && board.qemu.is_none() && board.modules.is_empty());
}

#[test]
fn everything_that_is_wrong_with_a_board_is_told_with_its_line() {
    let wrong = MINIMAL
        .replace("aarch64\"", "arch64\"")
        .replace("lan.mac = \"52:54:00:12:34:56\"", "lan.mac = \"01:00:00:00:00:00\"\nwatchdog = \"dog\"")
        .replace("wan.path = \"0000:00:03.0\"", "wan = { order = 0, mac = \"52:54:00:12:34:56\" }\nspeed = 9")
        .replace("kernel = \"linux-image-arm64\"\n", "");

    let told = read("my-box", &wrong, "my-box.toml").unwrap_err();

    for line in [
        "my-box.toml:2: top: architecture = \"arch64\" is not a machine there are images for; did you mean",
        "my-box.toml:1: top: kernel is missing; add kernel = \"linux-image-amd64\"",
        "my-box.toml:5: lan: mac = \"01:00:00:00:00:00\" is not a device's address",
        "my-box.toml:6: top: watchdog = \"dog\" is not a device; write its path: \"/dev/watchdog\"",
        "my-box.toml:7: wan says more than one thing about its device",
        "my-box.toml:8: unknown section \"speed\"",
        "6 errors",
    ] {
        assert!(told.contains(line), "{line}\nis not in\n{told}");
    }
}

#[test]
fn what_the_tiny_kernel_has_on_a_board_is_in_the_board_s_file() {
    let with = |more: &str| read("my-box", &format!("{MINIMAL}{more}\n"), "my-box.toml");
    let lines = |more: &str| with(more).unwrap().tiny.text().lines().count();

    let added = lines("tiny.options = [\"CONFIG_E1000=y\", \"# CONFIG_EVENTFD_TEST is not set\"]");

    assert_eq!(added, lines("") + 2);
    assert!(lines("tiny.fragments = [\"uefi\"]") > lines("") + 20);
    for (more, told) in [
        ("tiny.fragments = [\"uefl\"]", "has \"uefl\", which is no fragment; did you mean \"uefi\"?"),
        ("tiny.fragments = \"uefi\"", "write a list"),
        (
            "tiny.fragments = [\"uefi\", \"uefi\"]",
            "my-box.toml:8: uefi.config:4: CONFIG_BLK_DEV_NVME is set twice",
        ),
        (
            "tiny.options = [\"E1000=y\"]",
            "my-box.toml:8: tiny.options:1: \"E1000=y\" sets nothing; write CONFIG_",
        ),
        ("tiny.options = [\"CONFIG_NET=y\"]", "tiny.options:1: CONFIG_NET is set twice; leave one out"),
        ("tiny.option = []", "unknown key \"option\"; did you mean \"options\"?"),
    ] {
        let error = with(more).unwrap_err();
        assert!(error.contains(told), "{told}\nis not in\n{error}");
    }
}

#[test]
fn a_board_that_there_is_not_is_told_with_those_there_are() {
    let told = find("qemu-x86-64").unwrap_err().to_string();

    assert!(told.starts_with("unknown board \"qemu-x86-64\"; did you mean \"qemu-x86_64\"?"), "{told}");
    assert!(SHIPPED.iter().all(|(name, _)| told.contains(name)), "{told}");
    assert_eq!(find("none/here.toml").unwrap_err().exit_code(), 1);
    assert!(read("My Box", MINIMAL, "My Box.toml").unwrap_err().contains("is no name for a board"));
}
