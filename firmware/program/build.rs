//! Builds `firmware/sekisho` and leaves the program where cargo leaves those of this workspace, and beside it the map of
//! what is in it.
//!
//! Always optimised, and with flags that are the program's alone, from `firmware/sekisho/.cargo/config.toml`: neither host
//! tools nor build scripts get them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of the firmware, all that the program is made of.
const PARTS: [&str; 9] =
    ["board", "config", "flash", "gateway", "init", "linux", "napt", "router", "sekisho"];

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
    let made = tools.with_file_name("sekisho");
    let target = variable("TARGET");
    build(&firmware.join("sekisho"), &target, &made);
    let release = made.join(&target).join("release");
    let beside = tools.join("sekisho");
    put(&release.join("sekisho.map"), &tools.join("sekisho.map"));
    put(&release.join("sekisho"), &beside);
    println!("cargo:rustc-env=SEKISHO_PROGRAM={}", beside.display());
}

fn build(package: &Path, target: &str, made: &Path) {
    let mut cargo = Command::new(variable("CARGO"));
    cargo.args(["build", "--release", "--locked", "--quiet", "--target", target]);
    cargo.current_dir(package).arg("--target-dir").arg(made);
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
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "firmware/sekisho does not build; see above");
}

/// Puts a file in its place at once: whoever runs the program before goes on.
fn put(made: &Path, place: &Path) {
    let new = place.with_extension("new");
    fs::copy(made, &new).unwrap_or_else(|error| panic!("{}: {error}", new.display()));
    fs::rename(&new, place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
