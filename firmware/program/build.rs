//! Builds `firmware/sekisho` and leaves the program where cargo leaves those of this workspace: `sekisho` for the machine
//! that they are for, and, if there is a compiler for it, `sekisho-aarch64` or `sekisho-x86_64` for images for the other.
//! Beside each lies the map of what is in it.
//!
//! Always optimised, and with flags that are the program's alone, from `firmware/sekisho/.cargo/config.toml`: neither host
//! tools nor build scripts get them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Of the firmware, all that the program is made of.
const PARTS: [&str; 10] =
    ["board", "config", "control", "flash", "gateway", "init", "linux", "napt", "router", "sekisho"];

/// The machines that there are images for, and the kind of program that is linked for each from another.
const MACHINES: [(&str, &str); 2] =
    [("x86_64", "x86_64-unknown-linux-gnu"), ("aarch64", "aarch64-unknown-linux-musl")];

/// Where Debian has its compiler, beside one that rustup brings.
const DEBIANS: &str = "/usr/bin/rustc";

fn main() {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    let firmware = here.parent().expect("a directory above");
    for part in PARTS {
        println!("cargo:rerun-if-changed={}", firmware.join(part).display());
    }
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR"));
    // OUT_DIR is `target/PROFILE/build/PACKAGE/out`. Every profile has the same program, so it is built once for all.
    let tools = out.ancestors().nth(3).expect("a directory for programs");
    let build = Build { package: firmware.join("sekisho"), made: tools.with_file_name("sekisho") };
    let (own, target) = (variable("CARGO_CFG_TARGET_ARCH"), variable("TARGET"));
    let mut begun = vec![build.begin(&Compiler::own(), &own, &target, tools.join("sekisho"))];
    println!("cargo:rustc-env=SEKISHO_PROGRAM={}", begun[0].place.display());
    for (machine, target) in MACHINES.into_iter().filter(|(machine, _)| *machine != own) {
        let place = tools.join(format!("sekisho-{machine}"));
        if let Some(compiler) = Compiler::of(target) {
            println!("cargo:rustc-env=SEKISHO_PROGRAM_FOR_{}={}", machine.to_uppercase(), place.display());
            begun.push(build.begin(&compiler, machine, target, place));
        } else {
            // One of another day would be taken for this one.
            let _ = fs::remove_file(place);
        }
    }
    begun.into_iter().for_each(Begun::end);
}

/// A compiler, and what it has to be told.
struct Compiler {
    path: OsString,
    /// Whether it has the source of the core library, and has to build that, too.
    builds_core: bool,
}

impl Compiler {
    /// The one that builds this script, for the machine that it is told to build for.
    fn own() -> Self {
        Self { path: variable("RUSTC").into(), builds_core: false }
    }

    /// One that can build for another machine.
    fn of(target: &str) -> Option<Self> {
        let compilers = [variable("RUSTC"), DEBIANS.to_owned()];
        let mut able = compilers.into_iter().filter_map(|path| {
            let sysroot = PathBuf::from(says(&path, &["--print", "sysroot"])?);
            let libraries = sysroot.join("lib/rustlib");
            // Another target may come, or the source.
            println!("cargo:rerun-if-changed={}", libraries.display());
            let has_core = fs::read_dir(libraries.join(target).join("lib")).is_ok_and(|mut files| {
                files.any(|file| {
                    file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
                })
            });
            let has_source = libraries.join("src/rust/library/core/Cargo.toml").is_file();
            (has_core || has_source).then(|| Self { path: path.into(), builds_core: !has_core })
        });
        able.find(|compiler| is_new(&compiler.path.to_string_lossy()))
    }
}

/// Whether a compiler is no older than this one's package asks for.
fn is_new(compiler: &str) -> bool {
    let numbers = |version: &str| -> Vec<u32> {
        version.split(['.', ' ', '-']).map_while(|number| number.parse().ok()).collect()
    };
    let version = says(compiler, &["--version"]).unwrap_or_default();
    let version = numbers(version.strip_prefix("rustc ").unwrap_or_default());
    version >= numbers(&variable("CARGO_PKG_RUST_VERSION"))
}

/// Where the program's source is, and where what cargo makes of it.
struct Build {
    package: PathBuf,
    made: PathBuf,
}

/// A program that is being built.
struct Begun {
    cargo: Child,
    made: PathBuf,
    place: PathBuf,
}

impl Build {
    fn begin(&self, compiler: &Compiler, machine: &str, target: &str, place: PathBuf) -> Begun {
        // Two builds in one directory would wait for one another.
        let made = self.made.join(machine);
        let mut cargo = Command::new(variable("CARGO"));
        cargo.args(["build", "--release", "--locked", "--quiet", "--target", target]);
        cargo.current_dir(&self.package).arg("--target-dir").arg(&made);
        // What the outer build was told is not for this one: flags of its own, a linter in the place of the compiler.
        let told = [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
            "RUSTC",
        ];
        let told = told.into_iter().map(String::from);
        let profile = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let profile =
            profile.filter(|name| name.starts_with("CARGO_PROFILE_") || name.starts_with("CARGO_FEATURE_"));
        for name in told.chain(profile) {
            cargo.env_remove(name);
        }
        cargo.env("RUSTC", &compiler.path).env("PATH", path_with_linker());
        // Where this machine has its sources is nobody's business, and would make another program on another machine.
        for place in sources(&self.package) {
            let remap = format!("--remap-path-prefix={}=", place.display());
            cargo.arg("--config").arg(format!("target.'cfg(target_os = \"linux\")'.rustflags = [{remap:?}]"));
        }
        if compiler.builds_core {
            // Something that a stable compiler does for those alone who ask for it twice.
            cargo.arg("-Zbuild-std=core").env("RUSTC_BOOTSTRAP", "1");
        }
        let cargo = cargo.spawn().expect("cargo can be started");
        Begun { cargo, made: made.join(target).join("release/sekisho"), place }
    }
}

impl Begun {
    fn end(mut self) {
        let status = self.cargo.wait().expect("cargo was started");
        assert!(status.success(), "firmware/sekisho does not build; see above");
        put(&self.made.with_extension("map"), &self.place.with_extension("map"));
        put(&self.made, &self.place);
    }
}

/// The directories that hold the sources of a package's parts and of what they depend on.
fn sources(package: &Path) -> Vec<PathBuf> {
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let registries = cargo.and_then(|cargo| fs::read_dir(cargo.join("registry/src")).ok());
    let found = registries.into_iter().flatten().filter_map(Result::ok).map(|found| found.path());
    let firmware = package.parent().expect("a directory above").to_owned();
    found.chain([firmware]).collect()
}

/// Where programs are found, the linker that came with the compiler of this script among them: Debian's has none.
fn path_with_linker() -> OsString {
    let sysroot = says(&variable("RUSTC"), &["--print", "sysroot"]).unwrap_or_default();
    let linker = Path::new(&sysroot).join("lib/rustlib").join(variable("HOST")).join("bin");
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(env::split_paths(&path).chain([linker])).unwrap_or(path)
}

/// What a compiler answers.
fn says(compiler: &str, question: &[&str]) -> Option<String> {
    let output = Command::new(compiler).args(question).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Puts the program in its place at once: whoever runs the one before goes on.
fn put(program: &Path, place: &Path) {
    let new = place.with_extension("new");
    fs::copy(program, &new).unwrap_or_else(|error| panic!("{}: {error}", new.display()));
    fs::rename(&new, place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
