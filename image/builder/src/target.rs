//! The disk that an image is to be written to: what it is, and what speaks against it.
//!
//! All of it is read in sysfs and in `/proc`, before the disk itself is touched. A disk has *devices*: itself, its partitions,
//! and whatever is made of these, volumes of LVM for one; what one of them is used for, the disk is used for.
//! Read first: proc(5) on mountinfo, and `Documentation/ABI/stable/sysfs-block` in the kernel's source.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use provision::grouped;

/// The sectors that sysfs counts in, whatever the disk has, and the only ones that an image's partition table is made for.
const SECTOR: u64 = 512;

/// Where a system cannot do without what is mounted there.
const SYSTEM: [&str; 5] = ["/", "/boot", "/boot/efi", "/efi", "/usr"];

/// How many layers of devices that are made of each other are looked at.
const LAYERS: usize = 8;

/// Where the kernel tells of its devices: `/sys` and `/proc`.
#[derive(Clone, Debug)]
pub struct System {
    /// Its devices.
    pub sys: PathBuf,
    /// What is mounted.
    pub proc: PathBuf,
}

/// A disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// As the kernel calls it.
    pub name: String,
    /// What its maker calls it.
    pub model: Option<String>,
    /// The number that its maker gave this one.
    pub serial: Option<String>,
    /// How large it is.
    pub bytes: u64,
    /// How many bytes it reads and writes at least.
    pub sector: u64,
    /// Whether nothing can be written to it.
    pub read_only: bool,
    /// What it is being used for.
    pub uses: Vec<Use>,
}

/// What a disk is being used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Why that speaks against writing to it.
    pub reason: Reason,
    /// The whole story.
    pub what: String,
}

/// Why a disk should not be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A file system on it is mounted.
    Mounted,
    /// The running system is on it.
    System,
    /// Memory is swapped to it.
    Swap,
    /// Another device is made of it.
    Held,
}

impl Default for System {
    fn default() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into() }
    }
}

impl System {
    /// The disk with this device number.
    ///
    /// # Errors
    /// If it is a part of one, or the kernel does not know it.
    pub fn disk(&self, (major, minor): (u32, u32)) -> Result<Disk, String> {
        let link = self.sys.join(format!("dev/block/{major}:{minor}"));
        let directory = fs::canonicalize(&link)
            .map_err(|error| format!("cannot be found in {}: {error}", link.display()))?;
        let name = name_of(&directory);
        if let Some(number) = text(&directory.join("partition")) {
            let whole = directory.parent().map(name_of).unwrap_or_default();
            return Err(format!("is partition {number} of {whole}; name the whole disk: /dev/{whole}"));
        }
        let number = |file: &str| text(&directory.join(file)).and_then(|text| text.parse::<u64>().ok());
        let sectors = number("size").ok_or("has no size in sysfs")?;
        let mut devices = Vec::new();
        gather(&directory, LAYERS, &mut devices);
        Ok(Disk {
            model: model(&directory),
            serial: serial(&directory),
            bytes: sectors.saturating_mul(SECTOR),
            sector: number("queue/logical_block_size").unwrap_or(SECTOR),
            read_only: number("ro") == Some(1),
            uses: self.uses(&devices)?,
            name,
        })
    }

    /// What these devices are being used for.
    fn uses(&self, devices: &[Device]) -> Result<Vec<Use>, String> {
        let held = devices.iter().filter_map(|device| {
            let what = format!("{} is made of {}", device.name, device.made_of.as_ref()?);
            Some(Use { reason: Reason::Held, what })
        });
        let mut uses: Vec<_> = held.collect();
        let lines = |file: &str| {
            let path = self.proc.join(file);
            // What cannot be read cannot be known, and may well be the disk that all this is running from.
            fs::read_to_string(&path).map_err(|error| format!("{}: cannot be read: {error}", path.display()))
        };
        for mount in lines("self/mountinfo")?.lines().filter_map(Mount::read) {
            let found =
                devices.iter().find(|device| device.number == mount.number || device.is_at(&mount.source));
            let Some(device) = found else { continue };
            let is_system = SYSTEM.contains(&&mount.point[..]);
            let reason = if is_system { Reason::System } else { Reason::Mounted };
            uses.push(Use { reason, what: format!("{} is mounted on {}", device.name, mount.point) });
        }
        for line in lines("swaps")?.lines().skip(1) {
            let path = unescaped(line.split_whitespace().next().unwrap_or_default());
            let found = devices.iter().find(|device| device.is_at(&path));
            let what = found.map(|device| format!("memory is swapped to {}", device.name));
            uses.extend(what.map(|what| Use { reason: Reason::Swap, what }));
        }
        Ok(uses)
    }
}

impl Disk {
    /// Refuses a disk that an image of so many bytes cannot be written to, or should not be, except for reasons with these
    /// names.
    ///
    /// # Errors
    /// Why, and the way out.
    pub fn check(&self, needed: u64, although: &[String]) -> Result<(), String> {
        if self.read_only {
            return Err("is read-only; move its switch, or choose another disk".to_owned());
        }
        if self.sector != SECTOR {
            let has = self.sector;
            return Err(format!("has sectors of {has} bytes; choose a disk that has them of {SECTOR}"));
        }
        check_size(self.bytes, needed)?;
        let is_overruled = |reason: Reason| although.iter().any(|name| name == reason.name());
        self.uses.iter().find(|used| !is_overruled(used.reason)).map_or(Ok(()), |Use { reason, what }| {
            Err(format!("{what}; {}, or say --although {}", reason.way_out(), reason.name()))
        })
    }
}

/// Refuses what an image of so many bytes does not fit on.
///
/// # Errors
/// Both figures.
pub fn check_size(bytes: u64, needed: u64) -> Result<(), String> {
    if bytes >= needed {
        return Ok(());
    }
    let [bytes, needed] = [bytes, needed].map(|bytes| grouped(bytes as usize));
    Err(format!("is too small: {bytes} bytes; the image needs {needed}"))
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mounted, Self::System, Self::Swap, Self::Held];

    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mounted => "mounted",
            Self::System => "system",
            Self::Swap => "swap",
            Self::Held => "held",
        }
    }

    /// What can be done about it.
    pub const fn way_out(self) -> &'static str {
        match self {
            Self::Mounted => "unmount it (umount)",
            Self::System => "choose another disk",
            Self::Swap => "take it away from there (swapoff)",
            Self::Held => "take that apart (vgchange -an, cryptsetup close, mdadm --stop)",
        }
    }
}

/// Displays as what a person knows a disk by.
impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model.as_deref().unwrap_or("a disk without a name"))?;
        self.serial.iter().try_for_each(|serial| write!(f, ", serial {serial}"))
    }
}

/// The disk, a partition of it, or what is made of one.
#[derive(Debug)]
struct Device {
    name: String,
    /// As the kernel writes it: `8:1`.
    number: String,
    made_of: Option<String>,
}

impl Device {
    /// Whether a path is this device's, by whatever link.
    fn is_at(&self, path: &str) -> bool {
        if !path.starts_with("/dev/") {
            return false;
        }
        let path = Path::new(path);
        name_of(path) == self.name || fs::canonicalize(path).is_ok_and(|path| name_of(&path) == self.name)
    }
}

/// A line of mountinfo.
struct Mount {
    number: String,
    point: String,
    source: String,
}

impl Mount {
    fn read(line: &str) -> Option<Self> {
        let (fields, rest) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(2);
        let (number, point) = (fields.next()?.to_owned(), unescaped(fields.nth(1)?));
        Some(Self { number, point, source: unescaped(rest.split(' ').nth(1)?) })
    }
}

/// Collects a device, its partitions, and what is made of them.
fn gather(directory: &Path, layers: usize, devices: &mut Vec<Device>) {
    let (name, number) = (name_of(directory), text(&directory.join("dev")).unwrap_or_default());
    devices.push(Device { name: name.clone(), number, made_of: None });
    // Who has no such directory has none of these.
    let within = |path: &Path| fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
    for holder in within(&directory.join("holders")).filter(|_| layers > 0) {
        let first = devices.len();
        let path = fs::canonicalize(holder.path()).unwrap_or_else(|_| holder.path());
        gather(&path, layers - 1, devices);
        if let Some(device) = devices.get_mut(first) {
            device.made_of = Some(name.clone());
        }
    }
    for partition in within(directory).map(|entry| entry.path()) {
        if partition.join("partition").is_file() {
            gather(&partition, layers, devices);
        }
    }
}

fn model(directory: &Path) -> Option<String> {
    let parts = ["device/vendor", "device/model", "device/name"].map(|file| text(&directory.join(file)));
    let [vendor, model, name] = parts;
    let vendor = vendor.filter(|vendor| !vendor.starts_with("0x") && vendor != "ATA");
    let words: Vec<_> = vendor.into_iter().chain(model.or(name)).collect();
    if words.is_empty() {
        return text(&directory.join("loop/backing_file")).map(|file| format!("a loop device on {file}"));
    }
    Some(words.join(" "))
}

fn serial(directory: &Path) -> Option<String> {
    let own = ["serial", "device/serial"].iter().find_map(|file| text(&directory.join(file)));
    // SCSI's page of serial numbers has a header of four bytes.
    let page = || fs::read(directory.join("device/vpd_pg80")).ok();
    let paged = || page().and_then(|page| word(page.get(4..)?));
    // A stick's is the USB device's, somewhere above.
    let above = || directory.ancestors().filter(|above| above.join("idVendor").is_file());
    own.or_else(paged).or_else(|| above().find_map(|above| text(&above.join("serial"))))
}

/// The one line of a file in sysfs, unless it is blank.
fn text(path: &Path) -> Option<String> {
    word(&fs::read(path).ok()?)
}

/// What a disk says of itself, with nothing in it that a terminal would take for more than text.
fn word(bytes: &[u8]) -> Option<String> {
    let text: String = String::from_utf8_lossy(bytes).chars().filter(|letter| !letter.is_control()).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A path as the kernel writes it in a list: blanks and the like as three octal digits.
fn unescaped(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => out.extend([char::from(code)].into_iter().chain(rest.chars())),
            _ => out.extend(['\\'].into_iter().chain(part.chars())),
        }
    }
    out
}
