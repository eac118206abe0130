//! Kernels and EFI stubs out of Debian's packages, fetched once and kept.

use std::fs;
use std::path::{Path, PathBuf};

use provision::Failure;

use crate::Architecture;
use crate::apt::{Apt, make};
use crate::cache::{Cache, Tree};
use crate::modules::{Directory, Module};

/// The package with systemd's EFI stub.
const STUB_PACKAGE: &str = "systemd-boot-efi";

/// What is kept of a package's files, under these names.
const KERNEL: &str = "vmlinuz";
const MODULES: &str = "modules";
const STUB: &str = "stub";
const SOURCE: &str = "package";

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

impl<'t> Debian<'t> {
    /// Packages for an architecture, kept in a directory. What was kept before is fetched anew only to `refresh` it.
    pub fn new(directory: &Path, architecture: Architecture, refresh: bool, tell: &'t dyn Fn(&str)) -> Self {
        let cache = Cache::new(directory.join(architecture.debian()));
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

    /// Reads what was kept of a package, and fetches it where there is nothing, or where what is there is damaged.
    fn load<T>(
        &self,
        package: &str,
        pick: &dyn Fn(&Path, &Path) -> std::io::Result<()>,
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

    fn fetch(
        &self,
        package: &str,
        pick: &dyn Fn(&Path, &Path) -> std::io::Result<()>,
    ) -> Result<Tree, Failure> {
        let failed = |error| Failure::to_write(self.cache.scratch().display(), &error);
        (self.tell)(&format!("{package}: looking for the newest"));
        let real = self.apt.resolve(package)?;
        let [unpacked, kept] = [Scratch(self.cache.scratch()), Scratch(self.cache.scratch())];
        make(&kept.0)?;
        (self.tell)(&format!("{real}: fetching and unpacking"));
        self.apt.unpack(&real, &unpacked.0)?;
        pick(&unpacked.0, &kept.0)
            .map_err(|error| Failure::Operation(format!("{real}: is not as expected: {error}")))?;
        fs::write(kept.0.join(SOURCE), &real).map_err(failed)?;
        self.cache.keep(&kept.0, package).map_err(failed)
    }
}

/// A directory that is gone when this is.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may have gone elsewhere.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Takes the kernel and its modules out of an unpacked package.
fn pick_kernel(unpacked: &Path, kept: &Path) -> std::io::Result<()> {
    let mut boot = fs::read_dir(unpacked.join("boot"))?.filter_map(Result::ok).map(|entry| entry.path());
    let is_kernel =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinu"));
    let kernel = boot.find(is_kernel).ok_or(std::io::ErrorKind::NotFound)?;
    fs::rename(kernel, kept.join(KERNEL))?;
    let places = ["usr/lib/modules", "lib/modules"].map(|place| unpacked.join(place));
    let modules = places.iter().find(|place| place.is_dir()).ok_or(std::io::ErrorKind::NotFound)?;
    fs::rename(modules, kept.join(MODULES))
}

fn read_kernel(tree: &Tree, modules: &[String]) -> Result<Kernel, Failure> {
    let (modules, paths) = Directory::open(&tree.path().join(MODULES))?.resolve(modules)?;
    if let Some(path) = paths.iter().find(|path| !tree.has(path)) {
        return Err(damaged(path));
    }
    let package = String::from_utf8_lossy(&read(tree, &tree.path().join(SOURCE))?).into_owned();
    Ok(Kernel { package, bytes: read(tree, &tree.path().join(KERNEL))?, modules })
}

fn read(tree: &Tree, path: &Path) -> Result<Vec<u8>, Failure> {
    if !tree.has(path) {
        return Err(damaged(path));
    }
    fs::read(path).map_err(|error| Failure::to_read(path.display(), &error))
}

fn damaged(path: &Path) -> Failure {
    Failure::Operation(format!("{}: is damaged", path.display()))
}
