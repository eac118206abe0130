//! Parts of an image that are small and made here: programs, a stub, modules, a configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use builder::board_file::{self, BoardFile};
use builder::image::{self, Image, Named, Parts};
use builder::modules::Module;
use object::write::{Object, StandardSegment};
use object::{BinaryFormat, Endianness, SectionKind};

pub(crate) const REFERENCE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../provision/examples/reference.toml");

/// The kinds of segments that matter here.
pub(crate) const LOAD: u32 = 1;
pub(crate) const INTERPRETER: u32 = 3;

/// The machines in an ELF header.
pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;

/// An image of these parts, for the virtual PC.
pub(crate) fn image(kernel: &[u8], blob: &[u8]) -> Image {
    let board = board_file::find("qemu-x86_64").unwrap();
    let (program, stub) = (program(X86_64, &[LOAD], b"code"), stub(4));
    build(&board, &program, kernel, &stub, blob)
}

fn build(board: &BoardFile, program: &[u8], kernel: &[u8], stub: &[u8], blob: &[u8]) -> Image {
    let named = |bytes| Named { name: "a part", bytes };
    let modules = [("failover", "one"), ("virtio_net", "another")];
    let modules = modules.map(|(name, content)| Module { name: name.to_owned(), content: content.into() });
    image::build(&Parts {
        board,
        program: named(program),
        kernel: named(kernel),
        modules: &modules,
        stub: named(stub),
        blob: named(blob),
    })
    .unwrap()
}

/// The blob of the reference network.
pub(crate) fn blob() -> Vec<u8> {
    provision::blob(&provision::compile(&fs::read_to_string(REFERENCE).unwrap(), "reference.toml").unwrap())
}

/// An ELF program for a machine, whose segments are of these kinds and all have this content, which is run from its start.
pub(crate) fn program(machine: u16, kinds: &[u32], content: &[u8]) -> Vec<u8> {
    const BASE: u64 = 0x40_0000;
    let start = 64 + 56 * kinds.len() as u64;
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    bytes.extend([&2u16.to_le_bytes()[..], &machine.to_le_bytes(), &1u32.to_le_bytes()].concat());
    for offset in [BASE + start, 64, 0] {
        bytes.extend(u64::to_le_bytes(offset));
    }
    bytes.extend(0u32.to_le_bytes());
    for number in [64, 56, kinds.len() as u16, 64, 0, 0] {
        bytes.extend(u16::to_le_bytes(number));
    }
    let length = start + content.len() as u64;
    for kind in kinds {
        bytes.extend([kind.to_le_bytes(), 5u32.to_le_bytes()].concat());
        bytes.extend([0, BASE, BASE, length, length, 4096].map(u64::to_le_bytes).concat());
    }
    [&bytes, content].concat()
}

/// An EFI program with one section, and room in its headers for so many more.
pub(crate) fn stub(room: usize) -> Vec<u8> {
    const HEADERS: usize = 0x80 + 4 + 20 + 240;
    let headers = (HEADERS + 40 * (1 + room)) as u32;
    let mut bytes = vec![0; headers as usize];
    let mut put = |at: usize, new: &[u8]| bytes[at..at + new.len()].copy_from_slice(new);
    put(0, b"MZ");
    put(0x3c, &0x80u32.to_le_bytes());
    put(0x80, b"PE\0\0");
    put(0x84, &[0x8664u16.to_le_bytes(), 1u16.to_le_bytes()].concat());
    put(0x84 + 16, &240u16.to_le_bytes());
    let optional = 0x98;
    put(optional, &0x20bu16.to_le_bytes());
    put(optional + 32, &[4096u32, 16].map(u32::to_le_bytes).concat());
    put(optional + 56, &[0x2000, headers].map(u32::to_le_bytes).concat());
    put(optional + 108, &16u32.to_le_bytes());
    put(HEADERS, b".text");
    put(HEADERS + 8, &[5u32, 0x1000, 16, headers].map(u32::to_le_bytes).concat());
    bytes.extend(b"stub!           ");
    bytes
}

/// A kernel module that says this of itself.
pub(crate) fn module(says: &[&str]) -> Vec<u8> {
    let mut file = Object::new(BinaryFormat::Elf, object::Architecture::X86_64, Endianness::Little);
    let segment = file.segment_name(StandardSegment::Data).to_vec();
    let section = file.add_section(segment, b".modinfo".to_vec(), SectionKind::ReadOnlyData);
    let lines: String = says.iter().map(|line| format!("{line}\0")).collect();
    file.append_section_data(section, lines.as_bytes(), 1);
    file.write().unwrap()
}

/// Runs the tool in a directory, without any other program at hand: its exit code, and what it wrote to stdout and stderr.
pub(crate) fn run(desk: &Desk, arguments: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sekisho-image"));
    let command = command.args(arguments.split(' ')).current_dir(&desk.0).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.env_clear().env("PATH", "").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The blob of the reference network with another address inside.
pub(crate) fn other_blob() -> Vec<u8> {
    let text = fs::read_to_string(REFERENCE).unwrap().replace("192.0.2.", "192.168.7.");
    provision::blob(&provision::compile(&text, "other.toml").unwrap())
}

/// An empty directory to work in, which goes away with the test.
pub(crate) struct Desk(pub(crate) PathBuf);

impl Desk {
    pub(crate) fn new(test: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("image-{test}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
