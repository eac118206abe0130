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
fn a_scenario_is_played_by_name_or_from_a_file_and_shown_as_a_ladder() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/reference-network.toml");
    let [by_name, from_file] = ["reference-network", file].map(|which| run(&["run", which]));

    assert_eq!(by_name.status.code(), Some(0));
    assert_eq!(by_name.stdout, from_file.stdout);
    let shown = String::from_utf8(by_name.stdout).unwrap();
    assert!(
        shown.contains(
            "192.0.2.1 > 203.0.113.1                ─ echo ────────────────▶  203.0.113.254 > 203.0.113.1"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("ok: 9 of 9 checks, 0 violations, with seed 1\n"), "{shown}");
}

#[test]
fn machines_get_an_object_a_line_and_wireshark_a_file() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-run.pcapng");
    let played = run(&["run", "off-path", "--json", "--pcap", file.to_str().unwrap()]);

    assert_eq!(played.status.code(), Some(0));
    let text = String::from_utf8(played.stdout).unwrap();
    assert!(text.lines().all(|line| line.starts_with("{\"kind\":\"") && line.ends_with('}')));
    assert!(text.contains("\"end\":\"out of window\""));
    assert!(text.ends_with("\"passed\":true}\n"));
    assert_eq!(std::fs::read(&file).unwrap()[..4], [0x0A, 0x0D, 0x0D, 0x0A]);
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_scenario_that_fails_ends_with_1_and_one_that_cannot_be_played_with_2() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-fails.toml");
    let text = include_str!("../scenarios/first.toml").replace("is = 1", "is = 2");
    std::fs::write(&file, text).unwrap();
    let failed = run(&["run", file.to_str().unwrap()]);
    std::fs::write(&file, "[[host]]\nnmae = \"a\"\n").unwrap();
    let refused = run(&["run", file.to_str().unwrap()]);
    std::fs::remove_file(file).unwrap();

    assert_eq!((failed.status.code(), refused.status.code()), (Some(1), Some(2)));
    assert!(
        String::from_utf8_lossy(&failed.stdout)
            .contains("not so: line 57, at 7.000000: box's wan filtered: 1, of 2")
    );
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("unknown key \"nmae\"; did you mean \"name\"?")
    );
    assert_eq!(run(&["run", "frist"]).status.code(), Some(2));
    assert_eq!(run(&["run", "missing.toml"]).status.code(), Some(1));
}

#[test]
fn without_a_name_scenarios_are_listed() {
    let listed = run(&["run"]);

    assert_eq!(listed.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("clock-wrap         The box's clock passes"));
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
