//! The unified kernel image: one EFI program that is systemd's stub and, as further sections of it, the kernel, the first
//! file system, the command line and what the whole is called. Firmware starts the stub; the stub starts the kernel.
//!
//! Read first: the PE format (Microsoft's "PE Format"), and the UAPI group's "Unified Kernel Image" specification.
//!
//! Nothing but the table of sections, their number, the sizes and the checksum of the stub is changed. New sections come
//! behind all others, in memory as in the file, and the kernel is the last, because some kernels unpack themselves to where
//! they are and on.

use object::pe::{
    IMAGE_SCN_CNT_INITIALIZED_DATA, IMAGE_SCN_MEM_READ, ImageDosHeader, ImageNtHeaders64, ImageSectionHeader,
};
use object::read::pe::{ImageNtHeaders as _, ImageOptionalHeader as _};
use object::{Object as _, ObjectSection as _};

/// What the stub looks for, by the names of its sections.
pub const OS_RELEASE: &str = ".osrel";
/// The command line of the kernel.
pub const COMMAND_LINE: &str = ".cmdline";
/// The first file system.
pub const INITRD: &str = ".initrd";
/// The kernel.
pub const LINUX: &str = ".linux";

/// What pages of memory are aligned to, whatever the stub is content with.
const PAGE: u32 = 4096;

/// Where the fields are, from the beginning of the COFF header or of the optional header.
const NUMBER_OF_SECTIONS: usize = 2;
const SIZE_OF_INITIALIZED_DATA: usize = 8;
const SIZE_OF_IMAGE: usize = 56;
const CHECKSUM: usize = 64;
const COFF_HEADER: usize = 20;
const SIGNATURE: usize = 4;

/// Adds sections to a stub, in their order.
///
/// # Errors
/// Why the stub cannot have them.
pub fn build(stub: &[u8], sections: &[(&str, &[u8])]) -> Result<Vec<u8>, String> {
    let mut program = Program::parse(stub)?;
    for (name, content) in sections {
        program.add(name, content)?;
    }
    program.seal()
}

/// The content of a section of a unified kernel image.
pub fn section<'u>(uki: &'u [u8], name: &str) -> Option<&'u [u8]> {
    let file = object::read::pe::PeFile64::parse(uki).ok()?;
    let section = file.section_by_name(name)?;
    let size = usize::try_from(section.size()).ok()?;
    section.data().ok()?.get(..size)
}

/// An EFI program in the making.
struct Program {
    bytes: Vec<u8>,
    /// Where in the file the headers are.
    coff: usize,
    optional: usize,
    table: usize,
    headers_end: usize,
    sections: u16,
    alignment: u32,
    file_alignment: u32,
    /// Where in memory the last section ends.
    end: u32,
}

impl Program {
    fn parse(stub: &[u8]) -> Result<Self, String> {
        let broken = |error: object::Error| format!("is no EFI program: {error}");
        let dos = ImageDosHeader::parse(stub).map_err(broken)?;
        let mut offset = dos.nt_headers_offset().into();
        let (headers, _) = ImageNtHeaders64::parse(stub, &mut offset).map_err(broken)?;
        let sections = headers.sections(stub, offset).map_err(broken)?;
        let coff = dos.nt_headers_offset() as usize + SIGNATURE;
        let optional = headers.optional_header();
        let ends = sections.iter().map(|section| {
            let (at, in_memory) = (section.virtual_address.get(object::LittleEndian), section.virtual_size);
            let size =
                in_memory.get(object::LittleEndian).max(section.size_of_raw_data.get(object::LittleEndian));
            at.saturating_add(size)
        });
        Ok(Self {
            bytes: stub.to_vec(),
            coff,
            optional: coff + COFF_HEADER,
            table: usize::try_from(offset).map_err(|_| "is too long".to_owned())?,
            headers_end: optional.size_of_headers() as usize,
            sections: u16::try_from(sections.len()).map_err(|_| "has too many sections".to_owned())?,
            alignment: optional.section_alignment().max(PAGE),
            file_alignment: optional.file_alignment().max(1),
            end: ends.max().unwrap_or(PAGE),
        })
    }

    /// Adds a section behind all others.
    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), String> {
        let too_large = || format!("has no room for a section {name} of {} bytes", content.len());
        let entry = self.table + usize::from(self.sections) * size_of::<ImageSectionHeader>();
        if entry + size_of::<ImageSectionHeader>() > self.headers_end {
            return Err(format!("has no room in its headers for a section {name}"));
        }
        let place = |at: usize, alignment: u32| at.checked_next_multiple_of(alignment as usize);
        let in_file = place(self.bytes.len(), self.file_alignment).ok_or_else(too_large)?;
        let file_size = place(content.len(), self.file_alignment).ok_or_else(too_large)?;
        let at = self.end.checked_next_multiple_of(self.alignment).ok_or_else(too_large)?;
        let size = u32::try_from(content.len()).map_err(|_| too_large())?;

        self.bytes.resize(in_file, 0);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(in_file + file_size, 0);
        let mut name_field = [0; 8];
        name_field.iter_mut().zip(name.bytes()).for_each(|(place, byte)| *place = byte);
        put(&mut self.bytes, entry, &name_field);
        let numbers = [
            size,
            at,
            u32::try_from(file_size).map_err(|_| too_large())?,
            u32::try_from(in_file).map_err(|_| too_large())?,
            0, // no relocations
            0, // no line numbers
            0, // and how many of both
            (IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ).0,
        ];
        for (index, number) in numbers.into_iter().enumerate() {
            put(&mut self.bytes, entry + 8 + 4 * index, &number.to_le_bytes());
        }
        self.sections += 1;
        self.end = at.checked_add(size).ok_or_else(too_large)?;
        self.grow(SIZE_OF_INITIALIZED_DATA, file_size as u32);
        Ok(())
    }

    /// Writes the sums over everything.
    fn seal(mut self) -> Result<Vec<u8>, String> {
        let size = self.end.checked_next_multiple_of(self.alignment).ok_or("is too long")?;
        put(&mut self.bytes, self.coff + NUMBER_OF_SECTIONS, &self.sections.to_le_bytes());
        put(&mut self.bytes, self.optional + SIZE_OF_IMAGE, &size.to_le_bytes());
        put(&mut self.bytes, self.optional + CHECKSUM, &[0; 4]);
        let checksum = checksum(&self.bytes);
        put(&mut self.bytes, self.optional + CHECKSUM, &checksum.to_le_bytes());
        Ok(self.bytes)
    }

    fn grow(&mut self, field: usize, by: u32) {
        let at = self.optional + field;
        let old = self.bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
        put(&mut self.bytes, at, &u32::from_le_bytes(old).wrapping_add(by).to_le_bytes());
    }
}

/// Overwrites what is at a place within the bytes.
fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + new.len()) {
        place.copy_from_slice(new);
    }
}

/// The checksum of a PE file whose own field is zero: the sum of its 16-bit words with the carries added back in, and the
/// file's length.
pub fn checksum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(2).map(|pair| {
        let [low, high] = [pair.first(), pair.get(1)].map(|byte| byte.copied().unwrap_or(0));
        u64::from(u16::from_le_bytes([low, high]))
    });
    let mut sum: u64 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (sum as u32).wrapping_add(bytes.len() as u32)
}
