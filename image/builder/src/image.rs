//! The whole image out of its parts, and what it weighs.

use std::fmt;

use config::signed;
use provision::{Failure, grouped};

use crate::board_file::BoardFile;
use crate::modules::Module;
use crate::{disk, esp, init, initramfs, uki};

/// What an image is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'p> {
    /// The board that it is for.
    pub board: &'p BoardFile,
    /// The program that it boots, and what messages call it.
    pub program: Named<'p>,
    /// The kernel, as the EFI stub or QEMU boots it.
    pub kernel: Named<'p>,
    /// The modules, in the order to load them in.
    pub modules: &'p [Module],
    /// systemd's EFI stub.
    pub stub: Named<'p>,
    /// The configuration.
    pub blob: Named<'p>,
}

/// Bytes, and what messages call them.
#[derive(Clone, Copy, Debug)]
pub struct Named<'p> {
    /// The file that they come from.
    pub name: &'p str,
    /// What is in it.
    pub bytes: &'p [u8],
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// The disk, byte by byte.
    pub bytes: Vec<u8>,
    /// What it weighs.
    pub weights: Weights,
}

/// What an image weighs, in bytes. It displays as five lines, each with its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// The board that it is for.
    pub board: String,
    /// The program.
    pub program: usize,
    /// The modules, unpacked, and how many they are.
    pub modules: (usize, usize),
    /// The first file system, packed, with all of these.
    pub initramfs: usize,
    /// The kernel.
    pub kernel: usize,
    /// The disk.
    pub image: usize,
}

/// Makes an image. The same parts make the same bytes.
///
/// # Errors
/// Which part is wrong, and how.
pub fn build(parts: &Parts<'_>) -> Result<Image, Failure> {
    let Parts { board, program, kernel, modules, stub, blob } = *parts;
    check_blob(blob)?;
    check(board, program)?;
    let described = initramfs::board(board, modules)
        .map_err(|error| Failure::Input(format!("board {}: {error}; correct its file", board.name)))?;
    let initramfs = initramfs::pack(&described, program.bytes, modules);
    let release = release(board);
    let sections = [
        (uki::OS_RELEASE, release.as_bytes()),
        (uki::COMMAND_LINE, board.command_line.as_bytes()),
        (uki::INITRD, &initramfs),
        (uki::LINUX, kernel.bytes),
    ];
    let unified = uki::build(stub.bytes, &sections)
        .map_err(|what| Failure::Input(format!("{}: {what}; give systemd's EFI stub", stub.name)))?;
    let system = esp::build(&unified, board.architecture, disk::serial(&unified))
        .map_err(|error| Failure::Operation(format!("EFI system partition: {error}")))?;
    let bytes = disk::build(&system, blob.bytes).map_err(Failure::Operation)?;
    let weights = Weights {
        board: board.name.clone(),
        program: program.bytes.len(),
        modules: (modules.iter().map(|module| module.content.len()).sum(), modules.len()),
        initramfs: initramfs.len(),
        kernel: kernel.bytes.len(),
        image: bytes.len(),
    };
    Ok(Image { bytes, weights })
}

/// Refuses what is no configuration.
///
/// # Errors
/// What is wrong with it.
pub fn check_blob(blob: Named<'_>) -> Result<(), Failure> {
    signed::open(blob.bytes).and_then(|opened| opened.config()).map(drop).map_err(|error| {
        Failure::Input(format!("{}: {error}; give a file that provision compile wrote", blob.name))
    })
}

/// Refuses a program that the board cannot boot.
///
/// # Errors
/// What it is instead, and how to have one.
pub fn check(board: &BoardFile, program: Named<'_>) -> Result<(), Failure> {
    init::check(program.bytes, board.architecture)
        .map_err(|what| Failure::Input(format!("{}: {what}; {}", program.name, way_out(board))))
}

/// How to have a program that the image can boot.
fn way_out(board: &BoardFile) -> String {
    format!("name a static program for {} with --init", board.architecture.name())
}

/// What the whole is called (os-release(5)); from it one can tell the board that an image is for.
fn release(board: &BoardFile) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "ID=sekisho\nNAME=Sekisho\nPRETTY_NAME=\"Sekisho {version} for {board}\"\nVERSION_ID={version}\nVARIANT_ID={board}\n",
        board = board.name
    )
}

/// The board that an image is for, from what the whole is called.
pub(crate) fn board_of(release: &str) -> Option<&str> {
    release.lines().find_map(|line| line.strip_prefix("VARIANT_ID="))
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { board, program, modules: (modules, count), initramfs, kernel, image } = self;
        writeln!(f, "  board      {board}")?;
        writeln!(f, "  program    {} bytes", grouped(*program))?;
        writeln!(f, "  modules    {} bytes in {count}", grouped(*modules))?;
        writeln!(f, "  initramfs  {} bytes, packed", grouped(*initramfs))?;
        writeln!(f, "  kernel     {} bytes", grouped(*kernel))?;
        writeln!(f, "  image      {} bytes", grouped(*image))
    }
}
