//! The README's commands, run. In its `console` blocks a line that begins with `$ ` is a command, and the lines behind
//! it are what the command prints; `…` stands for any lines left out.

use std::fs;
use std::path::Path;
use std::process::Command;

use sekisho_tests::netns::{available, program};

use crate::operate::{KEY, Operated};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_readmes_commands_print_what_it_says() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let commands: Vec<_> =
        readme.split("\n## ").filter(|section| !operates(section)).flat_map(commands).collect();
    assert!(commands.len() >= 4);
    // In a directory of its own, in which the files that the commands name are to be found.
    let directory = std::env::temp_dir().join(format!("sekisho-readme-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    std::os::unix::fs::symlink(Path::new(ROOT).join("image"), directory.join("image")).unwrap();
    for (command, expected) in commands {
        if let Some(missing) = missing(command) {
            eprintln!("NOT RUN: {command}: needs {missing}");
            continue;
        }
        assert_shows(&output(command, &directory), expected, command);
    }
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_readmes_operator_sees_what_it_says() {
    if !available() {
        return;
    }
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let section = readme.split("\n## ").find(|section| operates(section)).unwrap();
    let reference =
        fs::read_to_string(Path::new(ROOT).join("image/provision/examples/reference.toml")).unwrap();
    let operated = Operated::configured(&format!("{reference}[control]\nkey = \"{KEY}\"\n"));
    let directory = operated.network.file("");
    for (command, expected) in commands(section) {
        let command = format!("export SEKISHO_BOX=./box.sock SEKISHO_KEY=box.key; {command}");
        assert_shows(&output(&command, &directory), expected, &command);
    }
}

#[test]
fn the_readmes_configuration_is_the_example() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let shown = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let example =
        fs::read_to_string(Path::new(ROOT).join("image/provision/examples/reference.toml")).unwrap();
    let compile = |text| provision::compile(text, "x.toml").unwrap();
    assert_eq!(compile(shown), compile(&example));
}

#[test]
fn the_readmes_scenario_is_the_first() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    let shown = readme.split("```toml\n").nth(2).unwrap().split("```").next().unwrap();
    assert_eq!(shown, fs::read_to_string(Path::new(ROOT).join("host-sim/scenarios/first.toml")).unwrap());
}

/// Whether a section's commands want a box that runs.
fn operates(section: &str) -> bool {
    section.starts_with("Operate\n")
}

/// The commands of a text, and what they print.
fn commands(text: &str) -> Vec<(&str, &str)> {
    let blocks = text.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.map(|block| block.strip_prefix("$ ").unwrap().split_once('\n').unwrap()).collect()
}

/// What is not at hand of what an image is made and booted with.
fn missing(command: &str) -> Option<&str> {
    let lacks = |tool: &&str| Command::new(tool).arg("--version").output().is_err();
    ["apt-get", "qemu-system-x86_64"]
        .into_iter()
        .find(|tool| command.starts_with("sekisho-image") && lacks(tool))
}

/// What a command prints, on stdout or stderr.
fn output(command: &str, directory: &Path) -> String {
    if command == "cargo run --release" {
        // The demonstration has a golden file, which is compared with what it prints elsewhere.
        return fs::read_to_string(Path::new(ROOT).join("tests/golden/demo/reference.txt")).unwrap();
    }
    let programs = program("provision").parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let output =
        Command::new("sh").args(["-c", command]).current_dir(directory).env("PATH", path).output().unwrap();
    // A serial console ends its lines with both.
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap().replace("\r\n", "\n")
}

/// Asserts that the lines between `…` come in their order, each run of them without a gap.
#[track_caller]
fn assert_shows(shown: &str, expected: &str, command: &str) {
    let mut rest = shown;
    for run in expected.split("…\n") {
        let at = rest.find(run).unwrap_or_else(|| panic!("$ {command}\nprinted\n{shown}\nand not\n{run}"));
        rest = &rest[at + run.len()..];
    }
    if !expected.contains('…') {
        assert_eq!(shown, expected, "$ {command}");
    }
}
