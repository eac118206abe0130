//! What was fetched before: one directory for each package, beside which nothing of it is kept.
//!
//! A *tree* is such a directory. It holds a *manifest* with the digest of every file; what is read of a tree is compared with
//! that, so a damaged file is found when it matters. A tree is made beside its place, under a name of its own, and is then
//! renamed: nobody finds half of one, however many fetch it at the same time.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "manifest";

/// How often a tree is put into its place, if others put theirs there at the same time.
const ATTEMPTS: usize = 8;

/// Where packages are kept.
#[derive(Clone, Debug)]
pub(crate) struct Cache(PathBuf);

/// A package, and the digests of its files by their paths within it.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    path: PathBuf,
    digests: BTreeMap<String, String>,
}

/// A directory within a cache that is gone when this is.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

/// Where things are kept if nobody says otherwise: in the user's directory for such.
pub fn default_directory() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    home.map(|home| home.join("sekisho/kernels"))
}

impl Cache {
    /// Keeps packages in this directory. What somebody left there who was cut short is taken away.
    pub(crate) fn new(directory: PathBuf) -> Self {
        let cache = Self(directory);
        cache.sweep();
        cache
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A package that was kept under this name, if its manifest is whole.
    pub(crate) fn find(&self, name: &str) -> Option<Tree> {
        Tree::open(&self.0.join(name))
    }

    /// A name for a directory that nobody else has.
    pub(crate) fn scratch(&self) -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        self.0.join(format!(".{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Removes the scratch directories of those who are no more.
    fn sweep(&self) {
        // Where there is no cache yet there is nothing to remove, and what cannot be removed only takes room.
        let entries = fs::read_dir(&self.0).into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| is_left_over(&entry.file_name().to_string_lossy())) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }

    /// Keeps a directory that is within the cache as the package with this name. What is there already makes room, unless it
    /// is the same and whole: somebody else was faster, and may be reading it.
    pub(crate) fn keep(&self, directory: &Path, name: &str) -> io::Result<Tree> {
        seal(directory)?;
        let place = self.0.join(name);
        let mut tree = Tree::open(directory).ok_or(io::ErrorKind::InvalidData)?;
        tree.path.clone_from(&place);
        for _ in 0..ATTEMPTS {
            if fs::rename(directory, &place).is_ok() {
                return Ok(tree);
            }
            if self.find(name).is_some_and(|other| other.digests == tree.digests && other.is_whole()) {
                return Ok(tree);
            }
            let old = self.scratch();
            // Somebody else may have taken it away in between.
            let _ = fs::rename(&place, &old);
            let _ = fs::remove_dir_all(&old).or_else(|_| fs::remove_file(&old));
        }
        fs::rename(directory, &place)?;
        Ok(tree)
    }
}

impl Scratch {
    /// A name for one within a cache; nothing is made yet.
    pub(crate) fn new(cache: &Cache) -> Self {
        Self(cache.scratch())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // It may have gone elsewhere.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Tree {
    fn open(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path.join(MANIFEST)).ok()?;
        let (lines, own) = text.strip_suffix('\n')?.rsplit_once('\n')?;
        if own != digest(lines.as_bytes()) {
            return None;
        }
        let entries = lines.lines().map(|line| line.split_once("  "));
        let digests = entries.map(|entry| entry.map(|(digest, path)| (path.to_owned(), digest.to_owned())));
        Some(Self { path: path.to_owned(), digests: digests.collect::<Option<_>>()? })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a file is as it was put there.
    pub(crate) fn has(&self, path: &Path) -> bool {
        let name = path.strip_prefix(&self.path).ok().and_then(Path::to_str);
        let expected = name.and_then(|name| self.digests.get(name));
        expected.is_some_and(|expected| fs::read(path).is_ok_and(|bytes| digest(&bytes) == *expected))
    }

    /// Whether all of its files are.
    pub(crate) fn is_whole(&self) -> bool {
        self.digests.keys().all(|name| self.has(&self.path.join(name)))
    }
}

/// Whether a name is that of a scratch directory whose process has ended.
fn is_left_over(name: &str) -> bool {
    let process = name.strip_prefix('.').and_then(|name| name.split_once('-')).map(|(process, _)| process);
    let is_number = |text: &&str| text.parse::<u32>().is_ok();
    process.filter(is_number).is_some_and(|process| !Path::new("/proc").join(process).exists())
}

/// Writes the manifest of a directory.
fn seal(directory: &Path) -> io::Result<()> {
    let mut lines = Vec::new();
    list(directory, directory, &mut lines)?;
    lines.sort();
    let lines = lines.join("\n");
    fs::write(directory.join(MANIFEST), format!("{lines}\n{}\n", digest(lines.as_bytes())))
}

fn list(root: &Path, directory: &Path, lines: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            list(root, &path, lines)?;
        } else if let (true, Some(name)) =
            (kind.is_file(), path.strip_prefix(root).ok().and_then(Path::to_str))
        {
            lines.push(format!("{}  {name}", digest(&fs::read(&path)?)));
        }
    }
    Ok(())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache in an empty directory of its own, and a package about to be kept in it.
    fn cache(test: &str) -> (Cache, PathBuf) {
        let directory = env::temp_dir().join(format!("sekisho-cache-{test}-{}", process::id()));
        let _ = fs::remove_dir_all(&directory);
        let cache = Cache::new(directory);
        let package = package(&cache, "a kernel");
        (cache, package)
    }

    fn package(cache: &Cache, content: &str) -> PathBuf {
        let package = cache.scratch();
        fs::create_dir_all(package.join("modules/net")).unwrap();
        fs::write(package.join("vmlinuz"), content).unwrap();
        fs::write(package.join("modules/net/card.ko"), "a module").unwrap();
        package
    }

    fn end(cache: Cache) {
        fs::remove_dir_all(cache.0).unwrap();
    }

    #[test]
    fn what_was_kept_is_found_and_nothing_else_is() {
        let (cache, package) = cache("kept");
        assert!(cache.find("linux").is_none());

        let kept = cache.keep(&package, "linux").unwrap();

        assert!(kept.is_whole() && cache.find("linux").is_some_and(|tree| tree.is_whole()));
        assert!(cache.find("other").is_none());
        assert_eq!(fs::read_dir(&cache.0).unwrap().count(), 1);
        end(cache);
    }

    #[test]
    fn a_file_that_was_damaged_or_is_gone_is_noticed() {
        let (cache, package) = cache("damaged");
        let tree = cache.keep(&package, "linux").unwrap();
        let module = tree.path().join("modules/net/card.ko");
        fs::write(&module, "a modulf").unwrap();

        assert!(!tree.has(&module) && !tree.is_whole());
        assert!(tree.has(&tree.path().join("vmlinuz")));
        fs::remove_file(&module).unwrap();
        assert!(!tree.has(&module));
        fs::write(tree.path().join("more"), "and more").unwrap();
        assert!(!tree.has(&tree.path().join("more")));
        end(cache);
    }

    #[test]
    fn a_tree_with_a_damaged_manifest_is_none_and_makes_room_for_another() {
        let (cache, package_once) = cache("half");
        let tree = cache.keep(&package_once, "linux").unwrap();
        let manifest = fs::read_to_string(tree.path().join(MANIFEST)).unwrap();
        fs::write(tree.path().join(MANIFEST), manifest.replace("vmlinuz", "vmlinux")).unwrap();
        assert!(cache.find("linux").is_none());
        fs::write(tree.path().join(MANIFEST), &manifest[..manifest.len() / 2]).unwrap();
        assert!(cache.find("linux").is_none());

        let again = cache.keep(&package(&cache, "another kernel"), "linux").unwrap();

        assert_eq!(fs::read(again.path().join("vmlinuz")).unwrap(), b"another kernel");
        assert_eq!(fs::read_dir(&cache.0).unwrap().count(), 1);
        end(cache);
    }

    #[test]
    fn what_somebody_left_who_is_no_more_is_taken_away_and_nothing_else_is() {
        let (cache, ours) = cache("left");
        // No process has the highest number there is.
        for name in [".4294967295-0", ".old", "linux"] {
            fs::create_dir_all(cache.0.join(name)).unwrap();
        }

        let cache = Cache::new(cache.0);

        assert!(ours.exists() && cache.0.join(".old").exists() && cache.0.join("linux").exists());
        assert!(!cache.0.join(".4294967295-0").exists());
        end(cache);
    }

    #[test]
    fn many_who_keep_the_same_at_once_all_find_it_whole() {
        let (cache, first) = cache("crowd");
        fs::remove_dir_all(first).unwrap();
        let crowd: Vec<_> = (0..8)
            .map(|_| {
                let cache = cache.clone();
                std::thread::spawn(move || {
                    let package = package(&cache, "a kernel");
                    cache.keep(&package, "linux").is_ok_and(|tree| tree.is_whole())
                })
            })
            .collect();

        assert!(crowd.into_iter().all(|one| one.join().unwrap()));
        assert!(cache.find("linux").unwrap().is_whole());
        end(cache);
    }
}
