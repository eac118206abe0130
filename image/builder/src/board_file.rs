//! Boards as data: what the tool must know of one, in a file that a person can write.
//!
//! A board is its file alone; those in `boards/` come with the tool, any other is named by its path. The program gets to
//! know of it what is in [`board::Board`]; the rest is for building the image, and for QEMU.

use std::fs;
use std::path::Path;

use board::{FilePath, Mac, PathPart, Selector};
use provision::Failure;
use provision::reading::{
    Fault, Findings, Section, Source, choose_from, refuse_unknown_sections, wrong_type,
};
use toml::de::{DeTable, DeValue};

use crate::Architecture;
use crate::fragments::{self, Options};

/// The boards that come with the tool.
pub const SHIPPED: [(&str, &str); 4] = [
    ("qemu-aarch64", include_str!("../boards/qemu-aarch64.toml")),
    ("qemu-x86_64", include_str!("../boards/qemu-x86_64.toml")),
    ("uefi-aarch64", include_str!("../boards/uefi-aarch64.toml")),
    ("uefi-x86_64", include_str!("../boards/uefi-x86_64.toml")),
];

const KEYS: [&str; 10] =
    ["about", "architecture", "kernel", "modules", "command-line", "lan", "wan", "watchdog", "tiny", "qemu"];
const SELECTOR_KEYS: [&str; 3] = ["order", "mac", "path"];
const TINY_KEYS: [&str; 2] = ["fragments", "options"];
const QEMU_KEYS: [&str; 7] = ["machine", "cpu", "memory", "nic", "disk", "devices", "firmware"];

/// A board's file, read.
#[derive(Clone, Debug)]
pub struct BoardFile {
    /// What it is called: the file's name.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// The kind of machine.
    pub architecture: Architecture,
    /// The Debian package with its kernel.
    pub kernel: String,
    /// The modules it needs, by the kernel's names.
    pub modules: Vec<String>,
    /// What the kernel is told.
    pub command_line: String,
    /// The device towards the hosts we translate for.
    pub lan: Selector,
    /// The device towards the Internet.
    pub wan: Selector,
    /// The watchdog's device.
    pub watchdog: Option<FilePath>,
    /// What the tiny kernel has on it.
    pub tiny: Options,
    /// How QEMU is one, if it can be.
    pub qemu: Option<Machine>,
}

/// How QEMU is started to be the board.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The machine.
    pub machine: String,
    /// The processor.
    pub cpu: String,
    /// The memory, with its unit.
    pub memory: String,
    /// The network cards.
    pub nic: String,
    /// How its disk is attached.
    pub disk: Disk,
    /// What else it has, as QEMU calls it, besides what every machine here has.
    pub devices: Vec<String>,
    /// Where its UEFI firmware is: the first of these files that there is.
    pub firmware: Vec<String>,
}

/// How a machine of QEMU's has its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// As a device of its own, which is the quickest.
    #[default]
    Virtio,
    /// As a stick in a USB port.
    Usb,
    /// As a disk on the bus itself.
    Nvme,
    /// As a disk at a SATA port.
    Sata,
}

/// The board that comes with the tool by this name, or that is in the file with this path.
///
/// # Errors
/// If there is none, or what is wrong with it.
pub fn find(name: &str) -> Result<BoardFile, Failure> {
    if let Some((name, text)) = SHIPPED.into_iter().find(|(shipped, _)| *shipped == name) {
        return read(name, text, &format!("{name}.toml")).map_err(Failure::Input);
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        let known = SHIPPED.map(|(name, _)| name);
        let (choice, all) = (choose_from(name, &known), known.join(", "));
        return Err(Failure::Input(format!(
            "unknown board {name:?}; {choice} There are {all}; give the path of a .toml file for another one"
        )));
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::to_read(name, &error))?;
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    read(stem, &text, name).map_err(Failure::Input)
}

/// Reads a board. `file_name` is what messages call the file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(name: &str, text: &str, file_name: &str) -> Result<BoardFile, String> {
    let mut findings = Findings::default();
    let source = Source(text);
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        let line = source.line(error.span().unwrap_or_default().start);
        findings.add(Some(line), format!("not TOML: {}", error.message()));
    }
    let board = if syntax_errors.is_empty() {
        read_document(name, source, document.get_ref(), &mut findings)
    } else {
        None
    };
    if board.is_some() && board::BoardName::new(name).is_err() {
        findings.add(
            None,
            format!("{name:?} is no name for a board; call the file by a to z, 0 to 9, -, _ and ."),
        );
    }
    match (findings.into_report(file_name), board) {
        (None, Some(board)) => Ok(board),
        (Some(report), _) => Err(report.to_string()),
        (None, None) => Err(format!("{file_name}: is no board")),
    }
}

fn read_document(
    name: &str,
    source: Source<'_>,
    document: &DeTable<'_>,
    findings: &mut Findings,
) -> Option<BoardFile> {
    refuse_unknown_sections(source, document, &KEYS, findings);
    let top = Section::of_whole(source, document);
    let about = top.needed("about", "\"a box with two ports\"", findings, text);
    let architecture = top.needed("architecture", "\"x86_64\"", findings, architecture);
    let kernel = top.needed("kernel", "\"linux-image-amd64\"", findings, word);
    let modules = top.needed("modules", "[\"virtio_net\"]", findings, words);
    let command_line = top.needed("command-line", "\"console=ttyS0 panic=1\"", findings, text);
    let watchdog = top.value("watchdog", findings, device);
    let [lan, wan] = ["lan", "wan"].map(|role| selector(source, document, role, findings));
    let tiny = architecture.as_ref().and_then(|(_, kind)| tiny(source, document, *kind, findings));
    let qemu = document.get("qemu").and_then(|_| machine(source, document, findings));
    Some(BoardFile {
        name: name.to_owned(),
        about: about?.1,
        architecture: architecture?.1,
        kernel: kernel?.1,
        modules: modules?.1,
        command_line: command_line?.1,
        lan: lan?,
        wan: wan?,
        watchdog: watchdog.map(|(_, path)| path),
        tiny: tiny?,
        qemu,
    })
}

/// Which device plays a role: one of the three ways to say so.
fn selector(
    source: Source<'_>,
    document: &DeTable<'_>,
    role: &str,
    findings: &mut Findings,
) -> Option<Selector> {
    let section = Section::of_document(source, document, role, &SELECTOR_KEYS, findings);
    let before = SELECTOR_KEYS.iter().filter(|key| section.entry(key).is_some()).count();
    if before != 1 {
        let what = if before == 0 { "says nothing" } else { "says more than one thing" };
        let message =
            format!("{role} {what} about its device; write one of order, mac and path: {role}.order = 0");
        findings.add(section.line(), message);
        return None;
    }
    let order = section.value("order", findings, index).map(|(_, index)| Selector::Order(index));
    let mac = section.value("mac", findings, mac).map(|(_, mac)| Selector::Mac(mac));
    let path = section.value("path", findings, part).map(|(_, part)| Selector::Path(part));
    order.or(mac).or(path)
}

/// What the tiny kernel has on every board of an architecture, on those of a kind, and on this one alone.
fn tiny(
    source: Source<'_>,
    document: &DeTable<'_>,
    architecture: Architecture,
    findings: &mut Findings,
) -> Option<Options> {
    let section = Section::of_document(source, document, "tiny", &TINY_KEYS, findings);
    let named = section.value("fragments", findings, shipped).map(|(_, named)| named).unwrap_or_default();
    let own = section.value("options", findings, lines).map(|(_, own)| own).unwrap_or_default();
    let options = Options::of(architecture).and_then(|mut options| {
        for (name, text) in named {
            options.add(&format!("{name}.config"), text)?;
        }
        options.add("tiny.options", &own)?;
        Ok(options)
    });
    options.map_err(|what| findings.add(section.line(), what)).ok()
}

fn machine(source: Source<'_>, document: &DeTable<'_>, findings: &mut Findings) -> Option<Machine> {
    let section = Section::of_document(source, document, "qemu", &QEMU_KEYS, findings);
    let machine = section.needed("machine", "\"q35\"", findings, text);
    let cpu = section.needed("cpu", "\"qemu64\"", findings, text);
    let memory = section.needed("memory", "\"256M\"", findings, word);
    let nic = section.needed("nic", "\"virtio-net-pci\"", findings, word);
    let disk = section.value("disk", findings, disk).map_or_else(Disk::default, |(_, disk)| disk);
    let devices = section.value("devices", findings, words).map_or_else(Vec::new, |(_, devices)| devices);
    let firmware = section.needed("firmware", "[\"/usr/share/OVMF/OVMF_CODE_4M.fd\"]", findings, words);
    Some(Machine {
        machine: machine?.1,
        cpu: cpu?.1,
        memory: memory?.1,
        nic: nic?.1,
        disk,
        devices,
        firmware: firmware?.1,
    })
}

fn text(value: &DeValue<'_>) -> Result<String, Fault> {
    let text = value.as_str().ok_or_else(|| wrong_type(value, "write text in quotes"))?;
    if text.chars().any(|character| character.is_control() || !character.is_ascii()) {
        return Err(Fault::new("is more than a line of ASCII", "write one line"));
    }
    Ok(text.to_owned())
}

fn word(value: &DeValue<'_>) -> Result<String, Fault> {
    let word = text(value)?;
    if word.is_empty() || word.contains(char::is_whitespace) || word.starts_with('-') {
        return Err(Fault::new("is not a word", "write one word"));
    }
    Ok(word)
}

fn words(value: &DeValue<'_>) -> Result<Vec<String>, Fault> {
    let list = value.as_array().ok_or_else(|| wrong_type(value, "write a list: [\"one\", \"two\"]"))?;
    list.iter().map(|value| word(value.get_ref())).collect()
}

fn lines(value: &DeValue<'_>) -> Result<String, Fault> {
    let list = value.as_array().ok_or_else(|| wrong_type(value, "write a list: [\"CONFIG_IGB=y\"]"))?;
    let lines: Vec<_> = list.iter().map(|value| text(value.get_ref())).collect::<Result<_, _>>()?;
    Ok(lines.join("\n"))
}

/// Fragments that come with the tool, by their names.
fn shipped(value: &DeValue<'_>) -> Result<Vec<(&'static str, &'static str)>, Fault> {
    let find = |name: String| {
        let found = fragments::SHIPPED.into_iter().find(|(shipped, _)| *shipped == name);
        found.ok_or_else(|| {
            let known = fragments::SHIPPED.map(|(name, _)| name);
            Fault::new(format!("has {name:?}, which is no fragment"), choose_from(&name, &known))
        })
    };
    words(value)?.into_iter().map(find).collect()
}

fn architecture(value: &DeValue<'_>) -> Result<Architecture, Fault> {
    let name = text(value)?;
    let known = Architecture::ALL.map(Architecture::name);
    let found = Architecture::ALL.into_iter().find(|architecture| architecture.name() == name);
    found.ok_or_else(|| Fault::new("is not a machine there are images for", choose_from(&name, &known)))
}

fn disk(value: &DeValue<'_>) -> Result<Disk, Fault> {
    match &text(value)?[..] {
        "virtio" => Ok(Disk::Virtio),
        "usb" => Ok(Disk::Usb),
        "nvme" => Ok(Disk::Nvme),
        "sata" => Ok(Disk::Sata),
        other => {
            let known = ["virtio", "usb", "nvme", "sata"];
            Err(Fault::new("is no way to attach a disk", choose_from(other, &known)))
        }
    }
}

fn device(value: &DeValue<'_>) -> Result<FilePath, Fault> {
    let refused = || Fault::new("is not a device", "write its path: \"/dev/watchdog\"");
    let path = FilePath::new(&text(value)?).map_err(|_| refused())?;
    if path.as_str().starts_with("/dev/") { Ok(path) } else { Err(refused()) }
}

fn index(value: &DeValue<'_>) -> Result<u8, Fault> {
    let refused = || Fault::new("is not an index", "count devices from 0: order = 0");
    value.as_integer().and_then(|integer| integer.as_str().parse().ok()).ok_or_else(refused)
}

fn mac(value: &DeValue<'_>) -> Result<Mac, Fault> {
    let refused = || Fault::new("is not a device's address", "write it like \"52:54:00:12:34:56\"");
    let text = text(value)?;
    let octets: Vec<_> = text.split(':').map(|octet| u8::from_str_radix(octet, 16)).collect();
    let octets: Vec<_> = octets.into_iter().collect::<Result<_, _>>().map_err(|_| refused())?;
    Mac::new(octets.try_into().map_err(|_| refused())?).map_err(|_| refused())
}

fn part(value: &DeValue<'_>) -> Result<PathPart, Fault> {
    PathPart::new(&text(value)?)
        .map_err(|_| Fault::new("is not a part of a device's path", "write it like \"0000:00:03.0\""))
}
