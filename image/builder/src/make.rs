//! The tools that a kernel is built with: whether they are here, which they are, and running `make` with them.
//!
//! `make` is told everything that could make two builds of the same source differ (the kernel's
//! `Documentation/kbuild/reproducible-builds.rst`): who builds, where, and when. It gets no variables of ours beside these.

use std::collections::BTreeSet;
use std::env::{self, consts};
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use provision::{Failure, grouped};

use crate::Architecture;

/// Programs that building a kernel takes beside the compiler for the board, and Debian's packages with them.
const PROGRAMS: [(&str, &str); 6] =
    [("make", "make"), ("gcc", "gcc"), ("flex", "flex"), ("bison", "bison"), ("bc", "bc"), ("tar", "tar")];

/// Headers that the kernel's own tools include, and Debian's packages with them.
const LIBC: (&str, &str) = ("stdlib.h", "libc6-dev");
const LIBELF: (&str, &str) = ("gelf.h", "libelf-dev");

/// What the kernel says of its building (`uname -v`).
const BUILT: [(&str, &str); 4] = [
    ("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970"),
    ("KBUILD_BUILD_USER", "sekisho"),
    ("KBUILD_BUILD_HOST", "sekisho"),
    ("KBUILD_BUILD_VERSION", "1"),
];

/// The tools to build for one architecture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Toolchain(Architecture);

impl Toolchain {
    /// The tools, all of which are here.
    ///
    /// # Errors
    /// Which are not, and how to have them.
    pub(crate) fn find(architecture: Architecture) -> Result<Self, Failure> {
        let found = Self(architecture);
        let missing = found.missing();
        if missing.is_empty() {
            return Ok(found);
        }
        let packages: Vec<_> = missing.into_iter().collect();
        let packages = packages.join(" ");
        Err(Failure::Operation(format!(
            "to build a kernel for {}, these are missing here; install them: apt-get install {packages}",
            architecture.name()
        )))
    }

    /// Which compiler and which linker they are: others make other bytes.
    pub(crate) fn version(self) -> Result<String, Failure> {
        let lines = ["gcc", "ld"].map(|tool| first_line(&format!("{}{tool}", self.prefix())));
        let [compiler, linker] = lines;
        Ok(format!("{}\n{}", compiler?, linker?))
    }

    /// Runs `make` in the kernel's source, and tells what it does.
    ///
    /// # Errors
    /// What went wrong first; the rest is in the log.
    pub(crate) fn make(
        self,
        source: &Path,
        log: &Path,
        arguments: &[&str],
        tell: &dyn Fn(&str),
    ) -> Result<(), Failure> {
        let failed = |error: &io::Error| Failure::Operation(format!("make: cannot be run: {error}"));
        let errors = File::create(log).map_err(|error| Failure::to_write(log.display(), &error))?;
        let jobs = thread::available_parallelism().map_or(1, usize::from);
        let mut command = Command::new("make");
        command.current_dir(source).args(arguments).arg(format!("-j{jobs}")).envs(BUILT);
        command.env("ARCH", self.kernel_name()).env("CROSS_COMPILE", self.prefix());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = alone(&mut command).spawn().map_err(|error| failed(&error))?;
        follow(&mut child, tell);
        let status = child.wait().map_err(|error| failed(&error))?;
        if status.success() { Ok(()) } else { Err(Failure::Operation(reason(arguments, log))) }
    }

    /// The kernel's name for the architecture.
    const fn kernel_name(self) -> &'static str {
        match self.0 {
            Architecture::X86_64 => "x86_64",
            Architecture::Aarch64 => "arm64",
        }
    }

    /// What stands before the names of the tools.
    fn prefix(self) -> &'static str {
        match self.0 {
            _ if consts::ARCH == self.0.name() => "",
            Architecture::X86_64 => "x86_64-linux-gnu-",
            Architecture::Aarch64 => "aarch64-linux-gnu-",
        }
    }

    /// The packages that would have to be installed.
    fn missing(self) -> BTreeSet<&'static str> {
        let compiler = format!("{}gcc", self.prefix());
        let package = match self.prefix() {
            "" => "gcc",
            "x86_64-linux-gnu-" => "gcc-x86-64-linux-gnu",
            _ => "gcc-aarch64-linux-gnu",
        };
        let programs = PROGRAMS.iter().copied().chain([(&*compiler, package)]);
        let mut missing: BTreeSet<_> =
            programs.filter(|(program, _)| !is_on_path(program)).map(|(_, package)| package).collect();
        if !missing.contains("gcc") {
            // Going through every object file is done for PCs alone.
            let headers = [Some(LIBC), (self.0 == Architecture::X86_64).then_some(LIBELF)];
            let headers = headers.into_iter().flatten();
            missing.extend(headers.filter(|(header, _)| !has_header(header)).map(|(_, package)| package));
        }
        missing
    }
}

/// Lets a command have none of our variables but those that it was given, and the path.
fn alone(command: &mut Command) -> &mut Command {
    let given: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let path = env::var_os("PATH").unwrap_or_default();
    command.env_clear().envs(given).env("PATH", path).env("LC_ALL", "C")
}

/// Tells of each file that is made, until there are no more.
fn follow(child: &mut Child, tell: &dyn Fn(&str)) {
    let Some(output) = child.stdout.take() else { return };
    let mut made = 0;
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        // `  CC      net/packet/af_packet.o`, and what its scripts say.
        let Some((_, file)) = line.trim_start().split_once(' ') else { continue };
        made += 1;
        tell(&format!("building the kernel: {} files, {}", grouped(made), file.trim_start()));
    }
}

/// What went wrong first.
fn reason(arguments: &[&str], log: &Path) -> String {
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let is_error = |line: &&str| line.contains("rror:") || line.contains("Error ");
    let line = said.lines().find(is_error).or_else(|| said.lines().next_back());
    let line = line.unwrap_or("failed without a word");
    let target = arguments.last().copied().unwrap_or_default();
    format!("make {target}: {line}; all of it is in {}", log.display())
}

fn is_on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|directory| directory.join(program)).any(|file: PathBuf| file.is_file())
}

/// Whether the compiler for this machine finds a header.
fn has_header(header: &str) -> bool {
    let mut command = Command::new("gcc");
    command.args(["-E", "-include", header, "-x", "c", "/dev/null"]);
    alone(&mut command)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What a tool calls itself.
fn first_line(tool: &str) -> Result<String, Failure> {
    let output = alone(Command::new(tool).arg("--version")).output();
    let output = output.map_err(|error| Failure::Operation(format!("{tool}: cannot be run: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}
