//! Whole images.

use std::io::Read as _;

use board::Board;
use builder::Architecture;
use builder::board_file;
use builder::image::{self, Named, Parts};
use builder::unpacked::Unpacked;

use crate::fixtures::{AARCH64, INTERPRETER, LOAD, X86_64, blob, image, program, stub};

#[test]
fn the_same_parts_make_the_same_bytes_and_others_do_not() {
    let (one, again) = (image(b"a kernel", &blob()), image(b"a kernel", &blob()));
    let other = image(b"another kernel", &blob());

    assert_eq!(one.bytes, again.bytes);
    assert_ne!(one.bytes, other.bytes);
}

#[test]
fn an_image_is_taken_apart_into_what_it_was_made_of() {
    let image = image(b"a kernel", &blob());

    let unpacked = Unpacked::read(&image.bytes).unwrap();

    assert_eq!((unpacked.architecture, &unpacked.board[..]), (Architecture::X86_64, "qemu-x86_64"));
    assert_eq!(unpacked.kernel, b"a kernel");
    assert_eq!(unpacked.command_line, board_file::find("qemu-x86_64").unwrap().command_line);
    assert_eq!(provision::blob(&unpacked.config.unwrap()), blob());
    assert_eq!(image.weights.initramfs, unpacked.initrd.len());
}

#[test]
fn the_first_file_system_has_the_program_the_board_and_its_modules_in_order() {
    let unpacked = Unpacked::read(&image(b"a kernel", &blob()).bytes).unwrap();

    let mut archive = Vec::new();
    flate2::read::GzDecoder::new(&unpacked.initrd[..]).read_to_end(&mut archive).unwrap();
    let at = |text: &[u8]| archive.windows(text.len()).position(|window| window == text).unwrap();

    assert!(at(b"dev\0") < at(b"dev/console\0") && at(b"modules\0") < at(b"modules/failover.ko\0"));
    let board = &archive[at(b"SKBD")..];
    let length = 12 + usize::from(u16::from_le_bytes([board[6], board[7]]));
    let board = Board::decode(&board[..length]).unwrap();
    assert_eq!(board.name(), "qemu-x86_64");
    assert_eq!(board.modules().collect::<Vec<_>>(), ["/modules/failover.ko", "/modules/virtio_net.ko"]);
    assert_eq!(board.watchdog(), Some("/dev/watchdog"));
}

#[test]
fn no_image_is_made_of_a_damaged_configuration_or_of_a_program_that_is_none() {
    let board = board_file::find("qemu-x86_64").unwrap();
    let (program, stub, blob) = (program(X86_64, &[LOAD], b"code"), stub(4), blob());
    let mut damaged = blob.clone();
    damaged[20] ^= 1;
    let refused = |program, blob| {
        let [program, kernel, stub, blob] =
            [("init", program), ("kernel", &b""[..]), ("stub", &stub[..]), ("blob", blob)]
                .map(|(name, bytes)| Named { name, bytes });
        image::build(&Parts { board: &board, program, kernel, modules: &[], stub, blob }).unwrap_err()
    };

    let (configuration, script) = (refused(&program, &damaged[..]), refused(&b"#!"[..], &blob[..]));

    assert_eq!((configuration.exit_code(), script.exit_code()), (2, 2));
    assert!(configuration.to_string().starts_with("blob: wrong checksum: the blob is damaged; "));
    assert!(script.to_string().starts_with("init: is no 64-bit ELF program; "));
}

#[test]
fn a_program_that_the_board_cannot_boot_is_refused_with_the_way_out() {
    let board = board_file::find("qemu-x86_64").unwrap();
    let refused = |bytes: &[u8]| image::check(&board, Named { name: "init", bytes }).unwrap_err().to_string();

    let dynamic = refused(&program(X86_64, &[INTERPRETER, LOAD], b"/lib/ld.so\0"));
    let foreign = refused(&program(AARCH64, &[LOAD], b"code"));
    let script = refused(b"#!/bin/sh\n");
    let object = refused(&program(X86_64, &[], b""));

    assert!(dynamic.starts_with("init: is linked dynamically; "), "{dynamic}");
    assert!(foreign.starts_with("init: is for aarch64; the board needs a program for x86_64; "), "{foreign}");
    assert!(script.starts_with("init: is no 64-bit ELF program; "), "{script}");
    assert!(object.starts_with("init: is an ELF file, but no program; "), "{object}");
    for refused in [dynamic, foreign, script, object] {
        assert!(refused.ends_with("; name a static program for x86_64 with --init"), "{refused}");
    }
    assert!(image::check(&board, Named { name: "init", bytes: &program(X86_64, &[LOAD], b"code") }).is_ok());
}
