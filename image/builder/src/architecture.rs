//! The machines that there are images for, and what each is called by whom.

use object::elf::{EM_AARCH64, EM_X86_64, Machine};

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// 64-bit PCs.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Architecture {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// As Rust and QEMU call it, and the files of boards.
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// As Rust calls the kind of program that `sekisho` is there.
    pub const fn target(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-gnu",
            Self::Aarch64 => "aarch64-unknown-linux-musl",
        }
    }

    /// As Debian calls it.
    pub const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }

    /// As systemd calls its EFI stub, in its Debian package.
    pub const fn stub(self) -> &'static str {
        match self {
            Self::X86_64 => "linuxx64.efi.stub",
            Self::Aarch64 => "linuxaa64.efi.stub",
        }
    }

    /// The program that firmware boots from a disk that it knows nothing of (UEFI specification, section 3.5.1.1).
    pub const fn boot_file(self) -> &'static str {
        match self {
            Self::X86_64 => "BOOTX64.EFI",
            Self::Aarch64 => "BOOTAA64.EFI",
        }
    }

    /// The machine in the header of an ELF file.
    pub const fn elf_machine(self) -> Machine {
        match self {
            Self::X86_64 => EM_X86_64,
            Self::Aarch64 => EM_AARCH64,
        }
    }
}
