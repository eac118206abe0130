//! Parts of the kernel that the board needs: which files they are, what each rests on, and the order to load them in.
//!
//! Debian's packages have no list of what depends on what; every module says itself what it depends on, in its section
//! `.modinfo`, as `depends=` and as `softdep=pre:`. A module that is part of the kernel stands in `modules.builtin` and needs
//! no file. Names differ from those of files where one has `-` and the other `_`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use lzma_rust2::XzReader;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

use provision::Failure;

/// The largest module that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A module to put into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// As the kernel calls it.
    pub name: String,
    /// The file's content, unpacked.
    pub content: Vec<u8>,
}

/// A directory with the modules of one kernel.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
}

impl Directory {
    /// Looks for modules in a directory and all below it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let mut directory = Self { path: path.to_owned(), files: BTreeMap::new(), built_in: BTreeSet::new() };
        directory.walk(path).map_err(|error| Failure::to_read(path.display(), &error))?;
        Ok(directory)
    }

    /// The modules with these names and all that they rest on, each after what it rests on; and the files they are from.
    ///
    /// # Errors
    /// Which one there is not, or cannot be read.
    pub fn resolve(&self, names: &[String]) -> Result<(Vec<Module>, Vec<PathBuf>), Failure> {
        let mut order =
            Order { directory: self, modules: Vec::new(), paths: Vec::new(), begun: BTreeSet::new() };
        for name in names {
            order.add(&normal(name), None)?;
        }
        Ok((order.modules, order.paths))
    }

    /// Whether a module is part of the kernel itself.
    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(&normal(name))
    }

    fn walk(&mut self, path: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, file_name) = (entry.path(), entry.file_name());
            let Some(file_name) = file_name.to_str() else { continue };
            if entry.file_type()?.is_dir() {
                self.walk(&path)?;
            } else if file_name == "modules.builtin" {
                self.built_in.extend(fs::read_to_string(&path)?.lines().filter_map(module_name));
            } else if let Some(name) = module_name(file_name) {
                self.files.entry(name).or_insert(path);
            }
        }
        Ok(())
    }
}

/// The order to load in, in the making.
struct Order<'d> {
    directory: &'d Directory,
    modules: Vec<Module>,
    paths: Vec<PathBuf>,
    begun: BTreeSet<String>,
}

impl Order<'_> {
    /// Adds a module, and before it what it rests on.
    fn add(&mut self, name: &str, by: Option<&str>) -> Result<(), Failure> {
        if self.directory.built_in.contains(name) || !self.begun.insert(name.to_owned()) {
            return Ok(());
        }
        let Some(path) = self.directory.files.get(name) else {
            let by = by.map_or_else(String::new, |by| format!(", which {by} needs"));
            let directory = self.directory.path.display();
            return Err(Failure::Input(format!("{directory}: has no module {name}{by}")));
        };
        let content = read(path)?;
        let information = information(&content)
            .ok_or_else(|| Failure::Input(format!("{}: is no kernel module", path.display())))?;
        for needed in depends(&information) {
            self.add(&needed, Some(name))?;
        }
        for wanted in before(&information) {
            // It is wanted, not needed: the kernel may well have it in another way.
            if self.directory.files.contains_key(&wanted) {
                self.add(&wanted, Some(name))?;
            }
        }
        self.paths.push(path.clone());
        self.modules.push(Module { name: name.to_owned(), content });
        Ok(())
    }
}

/// Reads a module, unpacked.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::to_read(path.display(), &error);
    let packed = fs::read(path).map_err(failed)?;
    if path.extension().is_none_or(|extension| extension != "xz") {
        return Ok(packed);
    }
    let mut content = Vec::new();
    XzReader::new(&packed[..], true).take(LARGEST).read_to_end(&mut content).map_err(failed)?;
    Ok(content)
}

/// What a module says of itself: lines of `key=value`.
fn information(content: &[u8]) -> Option<Vec<String>> {
    let file = ElfFile64::<object::Endianness>::parse(content).ok()?;
    let section = file.section_by_name(".modinfo")?.data().ok()?;
    Some(section.split(|byte| *byte == 0).map(|line| String::from_utf8_lossy(line).into_owned()).collect())
}

/// What it cannot be loaded without.
fn depends(information: &[String]) -> Vec<String> {
    let lists = information.iter().filter_map(|line| line.strip_prefix("depends="));
    lists.flat_map(|list| list.split(',')).filter(|name| !name.is_empty()).map(normal).collect()
}

/// What had better be loaded before it.
fn before(information: &[String]) -> Vec<String> {
    let lists = information.iter().filter_map(|line| line.strip_prefix("softdep=")?.split_once("pre:"));
    let before =
        lists.flat_map(|(_, list)| list.split("post:").next().unwrap_or_default().split_whitespace());
    before.map(normal).collect()
}

/// The name of the module in a file, if it is a module's.
fn module_name(file: &str) -> Option<String> {
    let file = file.rsplit('/').next().unwrap_or(file);
    file.strip_suffix(".ko").or_else(|| file.strip_suffix(".ko.xz")).map(normal)
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}
