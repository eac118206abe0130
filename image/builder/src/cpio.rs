//! An archive as the kernel unpacks it for its first file system: cpio in the form "newc"
//! (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).
//!
//! Everything in it belongs to root and is of the year 1970, entries come in the order that they were added in, and inodes
//! are numbered in that order: the same entries make the same bytes.

/// What separates entries, and names from contents.
const ALIGNMENT: usize = 4;
const TRAILER: &str = "TRAILER!!!";

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;
const CHARACTERS: u32 = 0o020_600;

/// An archive in the making. Names have no slash in front.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// What an entry is, but for its name.
#[derive(Clone, Copy)]
struct Entry<'a> {
    mode: u32,
    device: (u32, u32),
    content: &'a [u8],
}

impl Archive {
    /// Adds a directory. It comes before what is in it.
    pub fn directory(&mut self, name: &str) {
        self.add(name, Entry { mode: DIRECTORY, device: (0, 0), content: &[] });
    }

    /// Adds a file that is run.
    pub fn program(&mut self, name: &str, content: &[u8]) {
        self.add(name, Entry { mode: PROGRAM, device: (0, 0), content });
    }

    /// Adds any other file.
    pub fn file(&mut self, name: &str, content: &[u8]) {
        self.add(name, Entry { mode: FILE, device: (0, 0), content });
    }

    /// Adds a device of characters, with its major and minor number.
    pub fn characters(&mut self, name: &str, device: (u32, u32)) {
        self.add(name, Entry { mode: CHARACTERS, device, content: &[] });
    }

    /// The archive's bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = 0; // The last entry has no inode.
        self.write(TRAILER, 0, Entry { mode: 0, device: (0, 0), content: &[] });
        self.bytes
    }

    fn add(&mut self, name: &str, entry: Entry<'_>) {
        self.entries += 1;
        self.write(name, self.entries, entry);
    }

    fn write(&mut self, name: &str, inode: u32, Entry { mode, device: (major, minor), content }: Entry<'_>) {
        let links = if mode == DIRECTORY { 2 } else { 1 };
        let (owner, group, time, size) = (0, 0, 0, length(content.len()));
        let name_size = length(name.len() + 1);
        let (on_major, on_minor, checksum) = (0, 0, 0);
        self.bytes.extend_from_slice(b"070701");
        for number in [
            inode, mode, owner, group, links, time, size, on_major, on_minor, major, minor, name_size,
            checksum,
        ] {
            self.bytes.extend_from_slice(format!("{number:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}

/// As the field has it, which no file of ours is too large for.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a file in the initramfs is smaller than 4 GB")
}
