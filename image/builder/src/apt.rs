//! Packages of Debian, for any of its architectures, without privileges: `apt-get` with lists of its own, `dpkg-deb` to unpack.
//!
//! The system's own sources and keys are used, so apt checks what it fetches as it always does; nothing of the system is
//! changed, not even for an architecture that it is not.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use provision::Failure;

use crate::Architecture;

/// What to do where there is no apt.
const WAY_OUT: &str = "build on Debian, or give files of your own with --kernel, --modules and --stub";

/// A place for apt's lists, which is gone when this is.
#[derive(Debug)]
pub(crate) struct Apt {
    directory: PathBuf,
    architecture: Architecture,
    updated: OnceCell<()>,
}

impl Apt {
    /// Takes an empty directory for the lists.
    pub(crate) fn new(directory: PathBuf, architecture: Architecture) -> Self {
        Self { directory, architecture, updated: OnceCell::new() }
    }

    /// The package that there is to install for this one: itself, or the kernel, or its source, that it depends on.
    pub(crate) fn resolve(&self, package: &str) -> Result<String, Failure> {
        self.update()?;
        let output = self.run("apt-cache", &["show", "--no-all-versions", package])?;
        let text = String::from_utf8_lossy(&output.stdout);
        let depends = text.lines().find_map(|line| line.strip_prefix("Depends: ")).unwrap_or_default();
        let names = depends.split(',').filter_map(|name| name.split_whitespace().next());
        let kernel = names
            .into_iter()
            .find(|name| name.starts_with("linux-image-") || name.starts_with("linux-source-"));
        Ok(kernel.unwrap_or(package).to_owned())
    }

    /// Fetches a package and unpacks it into a directory, which it makes.
    pub(crate) fn unpack(&self, package: &str, into: &Path) -> Result<(), Failure> {
        self.update()?;
        let downloads = self.directory.join("downloads");
        make(&downloads)?;
        self.run("apt-get", &["download", package])?;
        let archive = fs::read_dir(&downloads)
            .map_err(|error| Failure::to_read(downloads.display(), &error))?
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .ok_or_else(|| Failure::Operation(format!("apt-get download {package}: nothing came")))?;
        let mut command = Command::new("dpkg-deb");
        finish(command.arg("-x").args([archive.as_path(), into]))?;
        // The next package comes to the same place.
        fs::remove_file(&archive).map_err(|error| Failure::to_write(archive.display(), &error))
    }

    fn update(&self) -> Result<(), Failure> {
        if self.updated.get().is_some() {
            return Ok(());
        }
        for directory in ["downloads", "state/lists/partial", "cache/archives/partial"] {
            make(&self.directory.join(directory))?;
        }
        self.run("apt-get", &["update"])?;
        self.updated.get_or_init(|| ());
        Ok(())
    }

    fn run(&self, tool: &str, arguments: &[&str]) -> Result<Output, Failure> {
        let at = |name: &str| self.directory.join(name).display().to_string();
        let architecture = self.architecture.debian();
        let options = [
            format!("Dir::State={}", at("state")),
            format!("Dir::Cache={}", at("cache")),
            "Dir::State::status=/dev/null".to_owned(),
            format!("APT::Architecture={architecture}"),
            format!("APT::Architectures::={architecture}"),
            // For root, who would have another user fetch, who may not write here.
            "APT::Sandbox::User=".to_owned(),
            "APT::Update::Error-Mode=any".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ];
        let mut command = Command::new(tool);
        command.current_dir(self.directory.join("downloads")).arg("-q");
        for option in &options {
            command.args(["-o", option]);
        }
        finish(command.args(arguments))
    }
}

impl Drop for Apt {
    fn drop(&mut self) {
        // What cannot be removed only takes room.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Makes a directory and all above it.
pub(crate) fn make(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::to_write(directory.display(), &error))
}

/// Runs a command to its end.
fn finish(command: &mut Command) -> Result<Output, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.env("LC_ALL", "C").stdin(std::process::Stdio::null()).output();
    let output = output.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::Operation(format!("{name}: there is none here; {WAY_OUT}")),
        _ => Failure::Operation(format!("{name}: cannot be run: {error}")),
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let asked: Vec<_> = command.get_args().skip_while(|argument| is_option(argument)).collect();
    let reason = said.lines().find(|line| line.starts_with("E: ")).or_else(|| said.lines().next_back());
    Err(Failure::Operation(format!(
        "{name} {}: {}; {WAY_OUT}",
        asked.join(OsStr::new(" ")).to_string_lossy(),
        reason.unwrap_or("failed without a word")
    )))
}

/// Whether an argument is one of those that every call has.
fn is_option(argument: &OsStr) -> bool {
    argument == "-q" || argument == "-o" || argument.to_string_lossy().contains('=')
}
