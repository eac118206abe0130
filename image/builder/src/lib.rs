#![forbid(unsafe_code)]
//! The image of a Sekisho box: building it, booting it in QEMU, writing it to a disk.
//!
//! An *image* is a disk: a kernel and the program in an EFI system partition, and two partitions for the configuration. It
//! is made of *parts*, and nothing else: no time, no chance, nothing of the machine that it is made on, so the same parts
//! make the same bytes. A *board* is the hardware that it is for, and is data: one file in `boards/`.
//!
//! Navigating: `image` puts the parts together; of these `board_file` is the board, `init` checks the program, `modules`
//! finds parts of the kernel. `cpio`, `initramfs`, `uki`, `esp` and `disk` are the layers of an image from inside out, `ends` the
//! ends of a disk. `debian` has kernels, by way of `apt` and `cache`; `tiny` builds one, of what `fragments` says, with what
//! `kbuild` and `make` know of the kernel's own build. `unpacked` takes an image apart, `qemu` boots it, `console` watches
//! it, and `monitor` says why it has ended. `writing` puts it on a disk, of which `target` and `contents` say what it is and what is on it; `slots` has the
//! configurations on a disk. Both go through `medium`.

mod apt;
mod architecture;
pub mod board_file;
mod cache;
pub mod console;
pub mod contents;
pub mod cpio;
pub mod debian;
pub mod disk;
mod ends;
pub mod esp;
pub mod fragments;
pub mod image;
mod init;
pub mod initramfs;
pub mod kbuild;
mod make;
pub mod medium;
pub mod modules;
pub mod monitor;
pub mod qemu;
pub mod slots;
pub mod target;
pub mod tiny;
pub mod uki;
pub mod unpacked;
pub mod writing;

pub use architecture::Architecture;
pub use cache::default_directory;
