#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The program itself: what it does without an argument, and its exit codes.

use std::process::{Command, Output};

const GOLDEN: &str = include_str!("../../tests/golden/demo/reference.txt");

#[test]
fn without_an_argument_it_shows_the_demo_without_colours_in_a_pipe() {
    for arguments in [&[][..], &["demo"], &["demo", "--seed", "1", "--no-color"], &["--no-color"]] {
        let shown = run(arguments);

        assert_eq!(shown.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&shown.stdout), GOLDEN);
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "");
    }
}

#[test]
fn another_seed_shows_another_run() {
    let shown = run(&["--seed", "2"]);

    assert_eq!(shown.status.code(), Some(0));
    assert_ne!(String::from_utf8_lossy(&shown.stdout), GOLDEN);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [&["--seed", "x"][..], &["--colour"], &["swim"]] {
        let refused = run(arguments);

        assert_eq!(refused.status.code(), Some(2));
        assert!(refused.stdout.is_empty());
        assert!(!refused.stderr.is_empty());
    }
}

#[test]
fn it_knows_its_name_and_its_version() {
    let version = run(&["--version"]);

    let expected = format!("sekisho-sim {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8_lossy(&version.stdout), expected);
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sekisho-sim")).args(arguments).output().unwrap()
}
