//! Kernels, EFI stubs and the kernel's source out of Debian's packages, fetched once and kept.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use provision::Failure;

use crate::Architecture;
use crate::apt::{Apt, make};
use crate::cache::{Cache, Scratch, Tree};
use crate::modules::{Directory, Module};

/// The package with systemd's EFI stub.
const STUB_PACKAGE: &str = "systemd-boot-efi";

/// The package that depends on the one with the kernel's source.
const SOURCE_PACKAGE: &str = "linux-source";

/// What is kept of a package's files, under these names.
pub(crate) const KERNEL: &str = "vmlinuz";
pub(crate) const MODULES: &str = "modules";
const STUB: &str = "stub";
const ARCHIVE: &str = "source.tar.xz";
const VERSION: &str = "version";
/// The name of the package that there was.
pub(crate) const SOURCE: &str = "package";

/// Debian's packages for one architecture.
pub struct Debian<'t> {
    cache: Cache,
    apt: Apt,
    refresh: bool,
    /// Is told what is being done.
    tell: &'t dyn Fn(&str),
}

/// A kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The package that it is from.
    pub package: String,
    /// The kernel itself.
    pub bytes: Vec<u8>,
    /// The modules that were asked for, in the order to load them in.
    pub modules: Vec<Module>,
}

/// The kernel's source.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The package that it is from.
    pub(crate) package: String,
    /// Which it is, as Debian counts.
    pub(crate) version: String,
    /// A tar archive, packed with xz.
    pub(crate) archive: PathBuf,
    tree: Tree,
}

impl Source {
    /// Whether the archive is as it was fetched. It is large, so this takes a second.
    pub(crate) fn is_whole(&self) -> bool {
        self.tree.has(&self.archive)
    }
}

impl<'t> Debian<'t> {
    /// Packages for an architecture, kept in a directory. What was kept before is fetched anew only to `refresh` it.
    pub fn new(directory: &Path, architecture: Architecture, refresh: bool, tell: &'t dyn Fn(&str)) -> Self {
        Self::within(directory.join(architecture.debian()), architecture, refresh, tell)
    }

    /// The same, for packages that are alike for all architectures.
    pub(crate) fn sources(
        directory: &Path,
        architecture: Architecture,
        refresh: bool,
        tell: &'t dyn Fn(&str),
    ) -> Self {
        Self::within(directory.join("all"), architecture, refresh, tell)
    }

    fn within(directory: PathBuf, architecture: Architecture, refresh: bool, tell: &'t dyn Fn(&str)) -> Self {
        let cache = Cache::new(directory);
        let apt = Apt::new(cache.scratch(), architecture);
        Self { cache, apt, refresh, tell }
    }

    /// The kernel of a package, with these modules and what they rest on.
    ///
    /// # Errors
    /// If it cannot be had, or has no such module.
    pub fn kernel(&self, package: &str, modules: &[String]) -> Result<Kernel, Failure> {
        self.load(package, &|unpacked, kept| pick_kernel(unpacked, kept), &|tree| read_kernel(tree, modules))
    }

    /// systemd's EFI stub.
    ///
    /// # Errors
    /// If it cannot be had.
    pub fn stub(&self, architecture: Architecture) -> Result<Vec<u8>, Failure> {
        let pick = |unpacked: &Path, kept: &Path| {
            let stub = unpacked.join("usr/lib/systemd/boot/efi").join(architecture.stub());
            fs::copy(stub, kept.join(STUB)).map(drop)
        };
        self.load(STUB_PACKAGE, &pick, &|tree| read(tree, &tree.path().join(STUB)))
    }

    /// The kernel's source.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(crate) fn source(&self) -> Result<Source, Failure> {
        self.load(SOURCE_PACKAGE, &pick_source, &read_source)
    }

    /// The kernel's source, fetched whatever was kept.
    ///
    /// # Errors
    /// If it cannot be had.
    pub(crate) fn new_source(&self) -> Result<Source, Failure> {
        read_source(&self.fetch(SOURCE_PACKAGE, &pick_source)?)
    }

    /// The kernel's source that was kept before.
    pub(crate) fn kept_source(&self) -> Option<Source> {
        self.cache.find(SOURCE_PACKAGE).and_then(|tree| read_source(&tree).ok())
    }

    /// Reads what was kept of a package, and fetches it where there is nothing, or where what is there is damaged.
    fn load<T>(
        &self,
        package: &str,
        pick: &dyn Fn(&Path, &Path) -> io::Result<()>,
        read: &dyn Fn(&Tree) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        if let Some(kept) = self.cache.find(package).filter(|_| !self.refresh) {
            match read(&kept) {
                Err(_) if !kept.is_whole() => (self.tell)(&format!("{package}: was damaged")),
                done => return done,
            }
        }
        read(&self.fetch(package, pick)?)
    }

    fn fetch(&self, package: &str, pick: &dyn Fn(&Path, &Path) -> io::Result<()>) -> Result<Tree, Failure> {
        let failed = |error| Failure::to_write(self.cache.scratch().display(), &error);
        (self.tell)(&format!("{package}: looking for the newest"));
        let real = self.apt.resolve(package)?;
        let [unpacked, kept] = [Scratch::new(&self.cache), Scratch::new(&self.cache)];
        make(kept.path())?;
        (self.tell)(&format!("{real}: fetching and unpacking"));
        self.apt.unpack(&real, unpacked.path())?;
        pick(unpacked.path(), kept.path())
            .map_err(|error| Failure::Operation(format!("{real}: is not as expected: {error}")))?;
        fs::write(kept.path().join(SOURCE), &real).map_err(failed)?;
        self.cache.keep(kept.path(), package).map_err(failed)
    }
}

/// Takes the kernel and its modules out of an unpacked package.
fn pick_kernel(unpacked: &Path, kept: &Path) -> io::Result<()> {
    let mut boot = fs::read_dir(unpacked.join("boot"))?.filter_map(Result::ok).map(|entry| entry.path());
    let is_kernel =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinu"));
    let kernel = boot.find(is_kernel).ok_or(io::ErrorKind::NotFound)?;
    fs::rename(kernel, kept.join(KERNEL))?;
    let places = ["usr/lib/modules", "lib/modules"].map(|place| unpacked.join(place));
    let modules = places.iter().find(|place| place.is_dir()).ok_or(io::ErrorKind::NotFound)?;
    fs::rename(modules, kept.join(MODULES))
}

/// Takes the source out of an unpacked package, and its version out of the first line of what is new in it.
fn pick_source(unpacked: &Path, kept: &Path) -> io::Result<()> {
    let begins = |path: &Path, start: &str| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    };
    let within = |directory: &str| -> io::Result<PathBuf> {
        let entries = fs::read_dir(unpacked.join(directory))?.filter_map(Result::ok);
        let found = entries.map(|entry| entry.path()).find(|path| begins(path, "linux-source-"));
        found.ok_or(io::ErrorKind::NotFound.into())
    };
    fs::rename(within("usr/src")?, kept.join(ARCHIVE))?;
    let news = File::open(within("usr/share/doc")?.join("changelog.Debian.gz"))?;
    let mut line = String::new();
    BufReader::new(GzDecoder::new(news)).read_line(&mut line)?;
    let version = line.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    fs::write(kept.join(VERSION), version.ok_or(io::ErrorKind::InvalidData)?.0)
}

fn read_source(tree: &Tree) -> Result<Source, Failure> {
    let text = |name: &str| -> Result<String, Failure> {
        Ok(String::from_utf8_lossy(&read(tree, &tree.path().join(name))?).into_owned())
    };
    let archive = tree.path().join(ARCHIVE);
    Ok(Source { package: text(SOURCE)?, version: text(VERSION)?, archive, tree: tree.clone() })
}

fn read_kernel(tree: &Tree, modules: &[String]) -> Result<Kernel, Failure> {
    let (modules, paths) = Directory::open(&tree.path().join(MODULES))?.resolve(modules)?;
    if let Some(path) = paths.iter().find(|path| !tree.has(path)) {
        return Err(damaged(path));
    }
    let package = String::from_utf8_lossy(&read(tree, &tree.path().join(SOURCE))?).into_owned();
    Ok(Kernel { package, bytes: read(tree, &tree.path().join(KERNEL))?, modules })
}

/// A file as it was kept.
pub(crate) fn read(tree: &Tree, path: &Path) -> Result<Vec<u8>, Failure> {
    if !tree.has(path) {
        return Err(damaged(path));
    }
    fs::read(path).map_err(|error| Failure::to_read(path.display(), &error))
}

fn damaged(path: &Path) -> Failure {
    Failure::Operation(format!("{}: is damaged", path.display()))
}
