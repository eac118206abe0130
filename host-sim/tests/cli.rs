#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The program itself: what it does without an argument, and its exit codes.

use std::process::{Command, Output, Stdio};

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

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../image/provision/examples/reference.toml");

#[test]
fn a_box_is_asked_by_its_blob_or_by_the_toml_that_it_is_made_from() {
    let blob = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-explain.blob");
    let config = provision::compile(&std::fs::read_to_string(REFERENCE).unwrap(), "reference.toml").unwrap();
    std::fs::write(&blob, provision::blob(&config)).unwrap();
    let question = "tcp 198.51.100.7:40000 > 203.0.113.254:8080";
    let answers = [blob.to_str().unwrap(), REFERENCE].map(|config| run(&["explain", config, question]));
    std::fs::remove_file(blob).unwrap();

    assert_eq!(answers[0].status.code(), Some(0));
    assert_eq!(answers[0].stdout, answers[1].stdout);
    assert!(String::from_utf8_lossy(&answers[0].stdout).contains("DROPPED (no mapping)"));
}

#[test]
fn a_question_that_cannot_be_asked_is_refused_with_a_way_out() {
    let damaged = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-explain-damaged.blob");
    std::fs::write(&damaged, b"SKSH\x02\0").unwrap();
    let udp = "udp 192.0.2.1:5 > 198.51.100.7:53";
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli.rs");
    for (config, question, code, says) in [
        (
            REFERENCE,
            "upd 192.0.2.1:5 > 198.51.100.7:53",
            2,
            "packet 1 begins with \"upd\"; begin with one of udp",
        ),
        (REFERENCE, "udp 192.0.2.1:5 > 198.51.100.7:53; udp 198.51.100.7:53 > @3", 2, "there is no packet 3"),
        ("missing.blob", udp, 1, "missing.blob: cannot read: "),
        (damaged.to_str().unwrap(), udp, 2, "compile it again from its TOML"),
        (capture, udp, 2, "not TOML"),
    ] {
        let refused = run(&["explain", config, question]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(code), "{said}");
        assert!(said.contains(says), "{said}");
        assert!(refused.stdout.is_empty());
    }
    std::fs::remove_file(damaged).unwrap();
}

#[test]
fn a_capture_is_played_and_what_differs_ends_with_1() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let [capture, out, open] =
        ["cli-replay.pcapng", "cli-replay-out.pcapng", "cli-replay.toml"].map(|name| directory.join(name));
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    run(&["run", "reference-network", "--pcap", &path(&capture)]);
    let text = std::fs::read_to_string(REFERENCE).unwrap();
    std::fs::write(&open, text.split("[[forward]]").next().unwrap()).unwrap();

    let same = run(&["replay", &path(&capture), "--config", REFERENCE, "-o", &path(&out)]);
    let other = run(&["replay", &path(&capture), "--config", &path(&open)]);
    let missing = run(&["replay", "missing.pcapng", "--config", REFERENCE]);
    let refused = run(&["replay", REFERENCE, "--config", REFERENCE]);
    let written = std::fs::read(&out).unwrap();
    [capture, out, open].iter().for_each(|file| std::fs::remove_file(file).unwrap());

    let codes = [same, other, missing, refused.clone()].map(|output| output.status.code());
    assert_eq!(codes, [Some(0), Some(1), Some(1), Some(2)]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is no capture; give a pcapng or pcap file"));
    assert_eq!(written[..4], [0x0A, 0x0D, 0x0D, 0x0A]);
}

/// The objects of a command's output, of one kind.
fn objects(output: &Output, kind: &str) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let all = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    all.filter(|object| object["kind"] == kind).collect()
}

#[test]
fn machines_are_told_why_a_packet_was_dropped() {
    let question = "udp 192.0.2.1:5000 > 198.51.100.7:53; udp 198.51.100.9:53 > @1";
    let asked = run(&["explain", REFERENCE, question, "--json"]);

    assert_eq!(asked.status.code(), Some(0));
    let answers = objects(&asked, "answer");
    assert_eq!(answers.len(), 2);
    assert_eq!((&answers[0]["outcome"], &answers[0]["side"]), (&"forwarded".into(), &"lan".into()));
    assert_eq!((&answers[1]["outcome"], &answers[1]["reason"]), (&"dropped".into(), &"filtered".into()));
    let steps = objects(&asked, "step");
    let verdict = steps.iter().find(|step| step["number"] == 2 && step["what"] == "verdict").unwrap();
    assert_eq!(verdict["by"], "RFC 4787 s.5, REQ-8");
    let lines = String::from_utf8(asked.stdout).unwrap().lines().count();
    assert_eq!(lines, answers.len() + steps.len());
}

#[test]
fn machines_are_told_in_what_two_routers_differ() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (capture, closed) = (path("cli-replay-json.pcapng"), path("cli-replay-json.toml"));
    run(&["run", "reference-network", "--pcap", &capture]);
    let text = std::fs::read_to_string(REFERENCE).unwrap();
    std::fs::write(&closed, text.split("[[forward]]").next().unwrap()).unwrap();

    let same = run(&["replay", &capture, "--config", REFERENCE, "--json"]);
    let other = run(&["replay", &capture, "--config", &closed, "--json"]);
    [capture, closed].iter().for_each(|file| std::fs::remove_file(file).unwrap());

    assert_eq!((same.status.code(), other.status.code()), (Some(0), Some(1)));
    let outcome = &objects(&same, "outcome")[0];
    assert_eq!((&outcome["passed"], &outcome["here"]), (&true.into(), &0.into()));
    assert_eq!(objects(&same, "session").len(), 3);
    assert!(objects(&same, "packet").iter().any(|it| it["what"] == "echo" && it["then"] == "wan"));
    assert_eq!(objects(&same, "capture")[0]["lan"], "box.lan");
    let differences = objects(&other, "difference");
    assert_eq!(differences[0]["reason"], "no mapping");
    assert!(differences.iter().all(|it| it["dropped"] == "here" && it["reason"].is_string()));
    assert_eq!(objects(&other, "outcome")[0]["here"], differences.len());
}

const BRIEF: &str = r#"
until = "300ms"

[[host]]
name = "alice"
address = "192.0.2.1/24"
gateway = "192.0.2.254"

[[router]]
name = "box"
config = "REFERENCE"

[[host]]
name = "server"
address = "203.0.113.1/24"

[[link]]
ends = ["alice", "box.lan"]

[[link]]
ends = ["box.wan", "server"]

[[step]]
at = "100ms"
host = "alice"
ping = "203.0.113.1"
answered = true
within = "200ms"

[[expect]]
router = "box"
sessions = 1
"#;

#[test]
fn a_scenario_is_played_live_around_a_box_and_both_say_what_they_saw() {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (lan, wan, file) = (path("cli-lan.sock"), path("cli-wan.sock"), path("cli-live.toml"));
    std::fs::write(&file, BRIEF.replace("REFERENCE", REFERENCE)).unwrap();
    let sockets = ["--lan", &lan, "--wan", &wan];
    let mut program = Command::new(env!("CARGO_BIN_EXE_sekisho-sim"));
    let boxed = program.args([&["box", REFERENCE, "--connect"][..], &sockets].concat());
    let boxed = boxed.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();

    let live = run(&[&["live", &file][..], &sockets].concat());
    let boxed = boxed.wait_with_output().unwrap();
    let alone = run(&[&["live", &file, "--wait", "0"][..], &sockets].concat());
    let refused = run(&[&["live", "address-change"][..], &sockets].concat());
    std::fs::remove_file(file).unwrap();

    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (shown, told) = (text(&live.stdout), text(&live.stderr));
    assert_eq!((live.status.code(), boxed.status.code()), (Some(0), Some(0)), "{shown}{told}");
    assert!(shown.contains("192.0.2.1 > 203.0.113.1                ─ echo ─"), "{shown}");
    assert!(shown.contains("not looked at: line 30: sessions of box: 1\n"), "{shown}");
    assert!(shown.ends_with("ok: 1 of 1 checks, 0 violations, with seed 1\n"), "{shown}");
    assert!(told.contains("waiting until box answers for 192.0.2.254 and 203.0.113.254\n"), "{told}");
    assert!(text(&boxed.stdout).starts_with("sessions 1 "), "{}", text(&boxed.stdout));
    assert!(text(&boxed.stderr).contains("ready lan=192.0.2.254/24 wan=203.0.113.254/24\n"));
    assert_eq!((alone.status.code(), refused.status.code()), (Some(1), Some(2)));
    assert!(text(&alone.stderr).contains("nobody has come to it within 0ns for the lan"));
    assert!(text(&refused.stderr).contains("the step in line "), "{}", text(&refused.stderr));
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
