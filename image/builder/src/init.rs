//! The program that the image boots: which file it is, and whether it can be the first process of the board at all.

use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64, PT_DYNAMIC, PT_INTERP, ProgramHeader64};
use object::read::elf::{Dyn as _, FileHeader as _, ProgramHeader as _};

use crate::Architecture;

/// Refuses what is no static program for this machine.
///
/// # Errors
/// What it is instead.
pub(crate) fn check(program: &[u8], architecture: Architecture) -> Result<(), String> {
    let name = architecture.name();
    let header = FileHeader64::<Endianness>::parse(program)
        .map_err(|_| format!("is no 64-bit ELF program; the board needs a static one for {name}"))?;
    let endian = header.endian().map_err(|error| format!("is a damaged ELF file: {error}"))?;
    let machine = header.e_machine(endian);
    if machine != architecture.elf_machine() {
        let other = Architecture::ALL.into_iter().find(|other| other.elf_machine() == machine);
        let other = other.map_or("another machine", Architecture::name);
        return Err(format!("is for {other}; the board needs a program for {name}"));
    }
    let segments =
        header.program_headers(endian, program).map_err(|error| format!("is a damaged ELF file: {error}"))?;
    if segments.is_empty() {
        return Err("is an ELF file, but no program".to_owned());
    }
    // A static program may be position-independent; then it has a dynamic segment, but nobody to interpret it.
    let needs_others = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP)
        || segments
            .iter()
            .any(|segment| segment.p_type(endian) == PT_DYNAMIC && needs(segment, endian, program));
    if needs_others {
        return Err("is linked dynamically; the image has no libraries, so it must be static".to_owned());
    }
    Ok(())
}

/// Whether a dynamic segment names libraries.
fn needs(segment: &ProgramHeader64<Endianness>, endian: Endianness, program: &[u8]) -> bool {
    let entries = segment.dynamic(endian, program).ok().flatten().unwrap_or_default();
    entries.iter().any(|entry| entry.tag(endian) == DT_NEEDED)
}
