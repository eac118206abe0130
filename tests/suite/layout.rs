//! What the project says of its own shape: layers, unsafe code, `no_std`, and the figures in its documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn dependencies_point_one_way() {
    let ours = [
        "napt",
        "board",
        "config",
        "flash",
        "router",
        "control",
        "linux",
        "gateway",
        "init",
        "program",
        "host-sim",
        "provision",
        "sekisho-image",
        "sekisho-tests",
    ];
    let allowed: [(&str, &[&str]); 12] = [
        ("firmware/napt", &[]),
        ("firmware/board", &[]),
        ("firmware/config", &[]),
        ("firmware/flash", &["config"]),
        ("firmware/linux", &[]),
        ("firmware/router", &["napt", "config"]),
        ("firmware/control", &["napt", "config", "router"]),
        ("firmware/gateway", &["napt", "router", "linux"]),
        ("firmware/init", &["napt", "board", "config", "control", "flash", "gateway", "router", "linux"]),
        ("firmware/sekisho", &["init", "linux"]),
        ("image/provision", &["config", "control", "napt", "router"]),
        ("image/builder", &["board", "config", "flash", "provision", "router", "host-sim"]),
    ];
    for (directory, allowed) in allowed {
        let manifest = read(&format!("{directory}/Cargo.toml"));
        let dependencies = manifest.split("\n[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("\n[").next().unwrap();
        let names = dependencies.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
        for name in names.filter(|name| ours.contains(name)) {
            assert!(allowed.contains(&name), "{directory} depends on {name}");
        }
    }
}

#[test]
fn the_firmware_libraries_are_no_std_and_know_no_allocator() {
    for library in ["napt", "board", "config", "flash", "router", "control", "linux", "gateway", "init"] {
        assert!(read(&format!("firmware/{library}/src/lib.rs")).starts_with("#![no_std]"), "{library}");
        for (path, text) in sources(&format!("firmware/{library}/src")) {
            let code = text.split("#[cfg(test)]").next().unwrap();
            assert!(!code.contains("extern crate"), "{}", path.display());
        }
    }
}

#[test]
fn unsafe_code_is_where_the_kernel_and_the_compiler_are_met_alone() {
    for directory in [
        "firmware/napt",
        "firmware/board",
        "firmware/config",
        "firmware/flash",
        "firmware/router",
        "firmware/control",
        "firmware/gateway",
        "firmware/init",
        "firmware/program",
        "host-sim",
        "image",
        "tests/src",
        "tests/door",
    ] {
        for (path, text) in sources(directory) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let strays: Vec<_> = code
                .filter(|line| {
                    line.trim_start().starts_with("unsafe ")
                        || (line.contains("unsafe ") && !line.contains("\""))
                })
                .collect();
            assert!(strays.is_empty(), "{}: {strays:?}", path.display());
        }
    }
    for library in ["napt", "board", "config", "flash", "router", "control", "gateway", "init"] {
        assert!(
            read(&format!("firmware/{library}/src/lib.rs")).contains("#![forbid(unsafe_code)]"),
            "{library}"
        );
    }
}

/// The program is a workspace of its own, and what it is made of is what is tested.
#[test]
fn the_program_has_the_versions_of_the_workspace() {
    let tested = packages("Cargo.lock");
    for package in packages("firmware/sekisho/Cargo.lock") {
        if package[0] == "name = \"sekisho\"" {
            continue;
        }
        assert!(tested.contains(&package), "{package:?}: `cargo update` in firmware/sekisho");
    }
}

/// What is measured is compiled as the program is, each package for speed or to be small, and so is what is searched for
/// panics, of which there is less.
#[test]
fn the_levels_of_optimisation_are_the_programs() {
    let program = levels("firmware/sekisho/Cargo.toml");
    assert!(program.contains(".package.smoltcp] opt-level = \"z\""), "{program:?}");
    assert_eq!(levels("Cargo.toml"), program);
    assert!(levels("tests/door/Cargo.toml").is_subset(&program));
    // What else changes what a packet costs, `tests/cost` reads where the program does.
    assert!(read("tests/cost").contains("firmware/sekisho/.cargo/config.toml"));
    let flags = read("firmware/sekisho/.cargo/config.toml");
    assert!(flags.contains("\n    \"-Cllvm-args=-inline-threshold=50\",\n"), "as `tests/cost` looks for it");
}

/// How a manifest has a release compiled, and which packages of it in another way. What is kept of symbols makes no other
/// code.
fn levels(manifest: &str) -> BTreeSet<String> {
    let text = read(manifest);
    let sections = text.split("\n[profile.release").skip(1).map(|section| {
        let section = section.split("\n[").next().unwrap();
        let says = |line: &&str| !["#", "strip", "debug"].iter().any(|word| line.starts_with(word));
        section.lines().filter(says).collect::<Vec<_>>().join(" ").trim_end().to_owned()
    });
    sections.collect()
}

/// Every package in a lock file: its name, its version and the checksum of its source, if it has one.
fn packages(lock: &str) -> Vec<Vec<String>> {
    let facts = |package: &str| {
        let lines = package
            .lines()
            .filter(|line| ["name ", "version ", "checksum "].iter().any(|key| line.starts_with(key)));
        lines.map(str::to_owned).collect()
    };
    read(lock).split("[[package]]").skip(1).map(facts).collect()
}

#[test]
fn every_file_opens_with_what_it_owns() {
    for directory in ["firmware", "host-sim", "image", "tests"] {
        for (path, text) in sources(directory) {
            let first = text.lines().find(|line| {
                !line.is_empty()
                    && !line.starts_with("#!")
                    && !line.starts_with("    ")
                    && !line.starts_with(')')
            });
            assert!(first.is_some_and(|line| line.starts_with("//!")), "{}", path.display());
        }
    }
}

#[test]
fn the_figures_in_the_architecture_are_the_codes() {
    let text = read("firmware/ARCHITECTURE.md");
    let figures = [
        router::SESSIONS,
        router::SESSIONS * napt::SESSION_BYTES,
        router::SESSIONS * napt::MAPPING_BYTES,
        size_of::<router::Tables>(),
        router::MEMORY - size_of::<router::Tables>(),
        router::MEMORY,
        size_of::<napt::Tables<256>>(),
        size_of::<napt::Tables<1024>>(),
        size_of::<napt::Tables<4096>>(),
    ];
    for figure in figures {
        assert!(text.contains(&grouped(figure)), "{} is not in ARCHITECTURE.md", grouped(figure));
    }
    assert!(text.contains(&format!("| 65,536 | {} each, 16 of them index", napt::SESSION_BYTES)));
    assert!(text.contains(&format!("| as many | {} each, 12 of them index", napt::MAPPING_BYTES)));
}

#[test]
fn the_files_that_the_architecture_names_exist() {
    let text = read("firmware/ARCHITECTURE.md");
    let named = text.split('`').skip(1).step_by(2).filter(|name| name.contains('/') && name.ends_with(".rs"));
    for name in named {
        let (krate, file) = name.split_once('/').unwrap();
        let paths = [format!("firmware/{krate}/src/{file}"), name.to_owned()];
        assert!(paths.iter().any(|path| Path::new(ROOT).join(path).exists()), "{name}");
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Every Rust file under a directory, with its text.
pub(crate) fn sources(directory: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(ROOT).join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                // What was built in there is nobody's source.
                open.extend((!path.ends_with("target")).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// `65,536`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<_> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
