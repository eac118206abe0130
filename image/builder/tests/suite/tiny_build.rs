//! Building the tiny kernel, with tools and a source that only look like it: what is kept, what is refused, what is told.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

use builder::board_file::SHIPPED;
use lzma_rust2::{XzOptions, XzWriter};
use sha2::{Digest as _, Sha256};

use crate::fixtures::Desk;

/// A `make` that writes down what it is told; it drops an option if there is a file `make.drop`, and fails if `make.fail`.
const MAKE: &str = r#"#!/bin/sh
echo "$ARCH $KBUILD_BUILD_USER $1" >>"$0.log"
case "$*" in
*allnoconfig*) if [ -e "$0.drop" ]; then grep -v CONFIG_UNIX= sekisho.config >.config; else cp sekisho.config .config; fi ;;
*bzImage*)
    if [ -e "$0.fail" ]; then
        printf 'a warning\nnet/packet.c:7: error: no such thing\nmake: *** Error 2\n' >&2
        exit 2
    fi
    echo "  CC      net/packet.o"
    mkdir -p arch/x86/boot && echo kernel >arch/x86/boot/bzImage
    for name in virtio_pci virtio_blk virtio_net virtio-rng softdog evdev button $(grep -q NVME .config && echo nvme); do
        echo "kernel/$name.ko"
    done >modules.builtin
    ;;
esac
"#;

/// Makefiles of drivers, of which the tiny kernel has all but the last.
const MAKEFILE: &[u8] = b"obj-$(CONFIG_VIRTIO_PCI) += virtio_pci.o
obj-$(CONFIG_VIRTIO_BLK) += virtio_blk.o
obj-$(CONFIG_VIRTIO_NET) += virtio_net.o
obj-$(CONFIG_HW_RANDOM_VIRTIO) += virtio-rng.o
obj-$(CONFIG_SOFT_WATCHDOG) += softdog.o
obj-$(CONFIG_INPUT_EVDEV) += evdev.o
obj-$(CONFIG_ACPI_BUTTON) += button.o
obj-$(CONFIG_BLK_DEV_NVME) += nvme.o
";

fn desk(test: &str) -> Desk {
    let desk = Desk::new(&format!("tiny-build-{test}"));
    tool(&desk, "make", MAKE);
    for name in ["gcc", "ld", "x86_64-linux-gnu-gcc", "x86_64-linux-gnu-ld", "flex", "bison", "bc"] {
        tool(&desk, name, "#!/bin/sh\necho \"$0 12.2\"\n");
    }
    desk.put("linux-source/drivers/Makefile", MAKEFILE);
    let packed = Command::new("tar").args(["-c", "linux-source"]).current_dir(&desk.0).output().unwrap();
    let mut archive = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    archive.write_all(&packed.stdout).unwrap();
    keep(&desk, &archive.finish().unwrap(), "6.1.1-1");
    desk
}

fn tool(desk: &Desk, name: &str, script: &str) {
    let path = desk.put(&format!("bin/{name}"), script.as_bytes());
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Puts a source into the cache.
fn keep(desk: &Desk, archive: &[u8], version: &str) {
    let files =
        [("package", &b"linux-source-6.1"[..]), ("source.tar.xz", archive), ("version", version.as_bytes())];
    let digest =
        |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut lines = files.map(|(name, bytes)| format!("{}  {name}", digest(bytes)));
    lines.sort();
    let lines = lines.join("\n");
    let manifest = format!("{lines}\n{}\n", digest(lines.as_bytes()));
    for (name, bytes) in files.into_iter().chain([("manifest", manifest.as_bytes())]) {
        desk.put(&format!("cache/all/linux-source/{name}"), bytes);
    }
}

fn run(desk: &Desk, board: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-image"));
    let command = command.args(["kernel", "--board", board, "--cache", "cache"]).current_dir(&desk.0);
    let path = format!("{}:/usr/bin:/bin", desk.0.join("bin").display());
    let Output { status, stdout, stderr } = command.env_clear().env("PATH", path).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// What `make` was told, a line each time.
fn made(desk: &Desk) -> Vec<String> {
    let log = fs::read_to_string(desk.0.join("bin/make.log")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// The kernels in the cache, and nothing that was left there on the way.
fn kept(desk: &Desk) -> Vec<String> {
    let entries = fs::read_dir(desk.0.join("cache/amd64")).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn it_is_built_once_and_kept() {
    let desk = desk("once");

    let (first, again) = (run(&desk, "qemu-x86_64"), run(&desk, "qemu-x86_64"));

    assert_eq!(first, (0, "linux-source-6.1 6.1.1-1, tiny for x86_64: 7 bytes\n".to_owned(), String::new()));
    assert_eq!(again, first);
    assert_eq!(made(&desk), ["x86_64 sekisho KCONFIG_ALLCONFIG=sekisho.config", "x86_64 sekisho bzImage"]);
    assert!(kept(&desk).len() == 1 && kept(&desk)[0].starts_with("tiny-"), "{:?}", kept(&desk));
}

#[test]
fn another_source_another_compiler_and_a_damaged_kernel_are_built_anew() {
    let desk = desk("anew");
    assert_eq!(run(&desk, "qemu-x86_64").0, 0);
    let kernel = format!("cache/amd64/{}/vmlinuz", kept(&desk)[0]);
    desk.put(&kernel, b"kernfl\n");
    assert_eq!(run(&desk, "qemu-x86_64").0, 0);
    assert_eq!((made(&desk).len(), &fs::read(desk.0.join(&kernel)).unwrap()[..]), (4, &b"kernel\n"[..]));

    let archive = fs::read(desk.0.join("cache/all/linux-source/source.tar.xz")).unwrap();
    keep(&desk, &archive, "6.1.2-1");
    assert!(run(&desk, "qemu-x86_64").1.contains(" 6.1.2-1, tiny"));
    for name in ["gcc", "x86_64-linux-gnu-gcc"] {
        tool(&desk, name, "#!/bin/sh\necho \"$0 13\"\n");
    }
    assert_eq!(run(&desk, "qemu-x86_64").0, 0);

    assert_eq!((made(&desk).len(), kept(&desk).len()), (8, 3));
}

#[test]
fn an_option_that_the_kernel_drops_ends_it_with_the_option_s_name() {
    let desk = desk("dropped");
    desk.put("bin/make.drop", b"");

    let (code, _, told) = run(&desk, "qemu-x86_64");

    assert_eq!(code, 1);
    assert!(
        told.starts_with("the kernel's configuration: CONFIG_UNIX=y became n; correct the fragments"),
        "{told}"
    );
    assert_eq!((made(&desk).len(), kept(&desk)), (1, Vec::new()));
}

/// The virtual PC as a board of one's own, with a module in the place of `virtio_pci`, and something more.
fn own_board(desk: &Desk, module: &str, more: &str) {
    let (_, text) = SHIPPED.into_iter().find(|(name, _)| *name == "qemu-x86_64").unwrap();
    let text = text.replace("virtio_pci", module).replace("[qemu]", &format!("{more}\n[qemu]"));
    desk.put("own.toml", text.as_bytes());
}

#[test]
fn a_board_whose_modules_it_has_not_is_refused_before_it_is_built_and_after() {
    let desk = desk("lacks");
    own_board(&desk, "nvme", "");

    let before = run(&desk, "own.toml");
    let was_made = made(&desk).len();
    assert_eq!(run(&desk, "qemu-x86_64").0, 0);
    let after = run(&desk, "own.toml");

    let told = "board own: the tiny kernel has no nvme; build without --tiny, or add";
    assert_eq!((before.0, after.0, was_made), (2, 2, 1));
    let place = "to tiny.options in the board's file\n";
    assert_eq!(before.2, format!("{told} CONFIG_BLK_DEV_NVME=y {place}"));
    assert_eq!(after.2, format!("{told} its option {place}"));
}

#[test]
fn what_a_board_adds_makes_another_kernel_and_a_name_alone_does_not() {
    let desk = desk("adds");
    let run = |board| assert_eq!(run(&desk, board).0, 0, "{board}");
    run("qemu-x86_64");
    own_board(&desk, "virtio_pci", "");
    run("own.toml");
    assert_eq!((made(&desk).len(), kept(&desk).len()), (2, 1));

    own_board(&desk, "nvme", "tiny.options = [\"CONFIG_BLK_DEV_NVME=y\"]");
    run("own.toml");
    own_board(&desk, "virtio_pci", "tiny.fragments = [\"uefi\", \"uefi-x86_64\"]");
    run("own.toml");

    assert_eq!((made(&desk).len(), kept(&desk).len()), (6, 3));
}

#[test]
fn what_went_wrong_first_is_told_and_all_of_it_is_kept() {
    let desk = desk("failed");
    desk.put("bin/make.fail", b"");

    let (code, _, told) = run(&desk, "qemu-x86_64");

    assert_eq!(code, 1);
    let first = "make bzImage: net/packet.c:7: error: no such thing; all of it is in ";
    assert!(told.starts_with(first) && told.ends_with("/cache/amd64/tiny-failed.log\n"), "{told}");
    assert!(
        fs::read_to_string(desk.0.join("cache/amd64/tiny-failed.log")).unwrap().starts_with("a warning\n")
    );
    assert_eq!(kept(&desk), ["tiny-failed.log"]);
}
