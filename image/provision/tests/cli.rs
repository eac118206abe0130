#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The program itself: its exit codes, what it prints where, and what it leaves on the disk.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/reference.toml");
const OLD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/old-router.rules");
const GOLDENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/provision");

#[test]
fn a_configuration_compiles_to_a_blob_that_shows_as_the_same_configuration() {
    let desk = Desk::new("round-trip");

    let compiled = desk.run(&["compile", REFERENCE, "-o", "router.blob"], b"");
    let shown = desk.run(&["show", "router.blob"], b"");
    fs::write(desk.path("shown.toml"), &shown.stdout).unwrap();
    let again = desk.run(&["compile", "shown.toml", "-o", "again.blob"], b"");

    assert_eq!([&compiled, &shown, &again].map(code), [0, 0, 0]);
    assert!(
        text(&compiled.stdout)
            .starts_with("router.blob: 91 bytes\n  sessions  65,536\n  forwards  1 of 64\n")
    );
    assert_eq!(text(&shown.stdout), golden("good-reference/show.txt"));
    assert_eq!(fs::read(desk.path("again.blob")).unwrap(), fs::read(desk.path("router.blob")).unwrap());
    assert_eq!(desk.files(), ["again.blob", "router.blob", "shown.toml"]);
}

#[test]
fn check_prints_the_contract_and_writes_nothing() {
    let desk = Desk::new("check");
    fs::copy(REFERENCE, desk.path("router.toml")).unwrap();

    let checked = desk.run(&["check", "router.toml"], b"");

    assert_eq!((code(&checked), text(&checked.stderr)), (0, String::new()));
    assert_eq!(text(&checked.stdout), golden("good-reference/stdout.txt"));
    assert_eq!(desk.files(), ["router.toml"]);
}

#[test]
fn standard_streams_take_the_place_of_files() {
    let desk = Desk::new("streams");

    let compiled = desk.run(&["compile", "-", "-o", "-"], &fs::read(REFERENCE).unwrap());
    let shown = desk.run(&["show", "-"], &compiled.stdout);

    assert_eq!([&compiled, &shown].map(code), [0, 0]);
    assert!(text(&compiled.stderr).starts_with("<stdout>: 91 bytes\n"), "{}", text(&compiled.stderr));
    assert_eq!(text(&shown.stdout), golden("good-reference/show.txt"));
}

#[test]
fn a_refused_configuration_ends_with_2_and_leaves_the_old_blob_alone() {
    let desk = Desk::new("refused");
    fs::copy(Path::new(GOLDENS).join("bad-many-things-at-once/router.toml"), desk.path("router.toml"))
        .unwrap();
    fs::write(desk.path("router.blob"), "the old blob").unwrap();

    let refused = desk.run(&["compile", "router.toml", "-o", "router.blob"], b"");

    assert_eq!((code(&refused), text(&refused.stdout)), (2, String::new()));
    assert_eq!(text(&refused.stderr), golden("bad-many-things-at-once/stderr.txt"));
    assert_eq!(fs::read(desk.path("router.blob")).unwrap(), b"the old blob");
    assert_eq!(desk.files(), ["router.blob", "router.toml"]);
}

#[test]
fn a_blob_never_replaces_its_own_configuration() {
    let desk = Desk::new("same-file");
    fs::copy(REFERENCE, desk.path("router.toml")).unwrap();

    let refused = desk.run(&["compile", "router.toml", "-o", "./router.toml"], b"");

    assert_eq!(code(&refused), 2);
    assert!(text(&refused.stderr).contains("is the configuration itself"), "{}", text(&refused.stderr));
    assert_eq!(fs::read(desk.path("router.toml")).unwrap(), fs::read(REFERENCE).unwrap());
}

#[test]
fn bytes_that_are_no_blob_end_with_2_and_a_named_reason() {
    let desk = Desk::new("no-blob");
    desk.run(&["compile", REFERENCE, "-o", "router.blob"], b"");
    let mut damaged = fs::read(desk.path("router.blob")).unwrap();
    damaged[20] ^= 1;

    let wrong = desk.run(&["show", REFERENCE], b"");
    let damaged = desk.run(&["show", "-"], &damaged);

    assert_eq!([&wrong, &damaged].map(code), [2, 2]);
    assert!(
        text(&wrong.stderr).contains("does not begin with SKSH; give a file that provision compile wrote")
    );
    let reason = "<stdin>: wrong checksum: the blob is damaged; compile it again from its TOML\n";
    assert_eq!(text(&damaged.stderr), reason);
}

#[test]
fn text_that_is_not_utf_8_ends_with_2_and_its_line() {
    let desk = Desk::new("not-text");

    let refused = desk.run(&["check", "-"], b"[wan]\n\xff\n");

    assert_eq!(code(&refused), 2);
    assert!(text(&refused.stderr).starts_with("<stdin>:2: not UTF-8"), "{}", text(&refused.stderr));
}

#[test]
fn a_key_is_its_owners_alone_and_is_never_overwritten_and_a_configuration_takes_what_is_printed() {
    let desk = Desk::new("keygen");

    let control = desk.run(&["keygen", "control.key"], b"");
    let signing = desk.run(&["keygen", "--signing", "signing.key"], b"");
    let again = desk.run(&["keygen", "control.key"], b"");

    assert_eq!([&control, &signing, &again].map(code), [0, 0, 2]);
    let taken = "control.key: is there already, and no key is overwritten; name another file\n";
    assert_eq!(text(&again.stderr), taken);
    let key = fs::read_to_string(desk.path("control.key")).unwrap();
    let lines = text(&control.stdout) + &text(&signing.stdout);
    assert!(lines.starts_with(&format!("[control]\nkey = \"{}\"\nsigner = \"", key.trim_end())), "{lines}");
    for secret in ["control.key", "signing.key"] {
        let mode = fs::metadata(desk.path(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    fs::write(desk.path("lines"), fs::read_to_string(REFERENCE).unwrap() + &lines).unwrap();
    assert_eq!(code(&desk.run(&["check", "lines"], b"")), 0);
    let another = desk.run(&["keygen", "another.key"], b"");
    assert_ne!(another.stdout, control.stdout);
}

#[test]
fn a_signed_blob_is_verified_shown_and_checked_and_says_its_sequence() {
    let desk = Desk::new("sign");
    desk.run(&["compile", REFERENCE, "-o", "router.blob"], b"");
    let signer = text(&desk.run(&["keygen", "--signing", "signing.key"], b"").stdout);
    let digits = signer.split('"').nth(1).unwrap();
    fs::write(desk.path("signing.pub"), &signer).unwrap();

    let signed = desk.run(&sign("router.blob", "3", "signed.blob"), b"");
    let verified =
        [digits, "signing.pub"].map(|key| desk.run(&["verify", "signed.blob", "--signer", key], b""));
    let shown = desk.run(&["show", "signed.blob"], b"");
    let checked = desk.run(&["check", "signed.blob"], b"");
    let bare = desk.run(&["check", "router.blob"], b"");

    assert_eq!(
        (code(&signed), text(&signed.stdout)),
        (0, "signed.blob: 163 bytes, signed, sequence 3\n".into())
    );
    for verified in verified {
        assert_eq!(
            (code(&verified), text(&verified.stdout)),
            (0, "signed.blob: ok, signed, sequence 3\n".into())
        );
    }
    let show = golden("good-reference/show.txt");
    assert_eq!(text(&shown.stdout), format!("# Signed, sequence 3.\n{show}"));
    assert!(text(&checked.stdout).starts_with("signed.blob: ok, signed, sequence 3\n  sessions"));
    assert!(text(&bare.stdout).starts_with("router.blob: ok\n  sessions"));
}

#[test]
fn what_is_not_rightly_signed_and_what_cannot_be_signed_end_with_2_and_the_reason() {
    let desk = Desk::new("sign-refused");
    desk.run(&["compile", REFERENCE, "-o", "router.blob"], b"");
    desk.run(&["keygen", "control.key"], b"");
    desk.run(&["keygen", "--signing", "signing.key"], b"");
    let other = text(&desk.run(&["keygen", "--signing", "other.key"], b"").stdout);
    fs::write(desk.path("other.pub"), other).unwrap();
    desk.run(&sign("router.blob", "1", "signed.blob"), b"");
    let with_control_key = ["sign", "router.blob", "--key", "control.key", "--sequence", "1", "-o", "x"];

    for (arguments, reason) in [
        (&["verify", "signed.blob", "--signer", "other.pub"][..], "signed.blob: wrong signature: "),
        (&["verify", "router.blob", "--signer", "other.pub"], "router.blob: not signed\n"),
        (&["verify", "signed.blob", "--signer", "signing.key"], "signing.key: is no public key; give "),
        (&with_control_key, "control.key: is no private key; give "),
        (&sign("signed.blob", "2", "x"), "signed.blob: is signed already; "),
        (&sign("router.blob", "2", "./router.blob"), "router.blob: is the blob itself; "),
        (&sign("control.key", "2", "x"), "control.key: not a configuration blob: "),
        (
            &sign("router.blob", "0", "x"),
            "error: invalid value '0' for '--sequence <SEQUENCE>': give a number from 1 to 4294967295\n",
        ),
    ] {
        let refused = desk.run(arguments, b"");
        assert_eq!((code(&refused), text(&refused.stdout)), (2, String::new()), "{arguments:?}");
        assert!(text(&refused.stderr).starts_with(reason), "{arguments:?}: {}", text(&refused.stderr));
    }
}

/// Signs with the desk's key.
fn sign<'a>(blob: &'a str, sequence: &'a str, output: &'a str) -> [&'a str; 8] {
    ["sign", blob, "--key", "signing.key", "--sequence", sequence, "-o", output]
}

#[test]
fn files_that_cannot_be_read_or_written_end_with_1() {
    let desk = Desk::new("no-file");

    let unread = desk.run(&["check", "missing.toml"], b"");
    let unwritten = desk.run(&["compile", REFERENCE, "-o", "missing/router.blob"], b"");

    assert_eq!([&unread, &unwritten].map(code), [1, 1]);
    assert!(text(&unread.stderr).starts_with("missing.toml: cannot read: "));
    assert!(text(&unwritten.stderr).starts_with("missing/router.blob: cannot write: "));
    assert_eq!(desk.files(), Vec::<String>::new());
}

/// What the rules of `old-router.rules` do not say.
const KNOWN: [&str; 4] = ["--lan-address", "192.168.122.1/24", "--wan-address", "203.0.113.254/24"];

#[test]
fn an_imported_configuration_compiles_and_is_told_of_beside_it() {
    let desk = Desk::new("import");

    let imported = desk.run(&[&["import", OLD, "-o", "router.toml"], &KNOWN[..]].concat(), b"");
    let compiled = desk.run(&["compile", "router.toml", "-o", "router.blob"], b"");
    let printed = desk.run(&[&["import", "-"], &KNOWN[..]].concat(), &fs::read(OLD).unwrap());

    assert_eq!([&imported, &compiled, &printed].map(code), [0, 0, 0]);
    assert_eq!(text(&imported.stdout), "");
    assert!(text(&imported.stderr).contains("no counterpart: "), "{}", text(&imported.stderr));
    assert_eq!(printed.stdout, fs::read(desk.path("router.toml")).unwrap());
    assert!(text(&printed.stderr).starts_with("<stdin>:4: taken: "), "{}", text(&printed.stderr));
}

#[test]
fn a_strict_import_ends_with_1_if_anything_has_no_counterpart() {
    let desk = Desk::new("import-strict");
    let without = fs::read_to_string(OLD).unwrap().replace(" -m ttl --ttl-lt 5", "");

    let strict = desk.run(&[&["import", "--strict", OLD], &KNOWN[..]].concat(), b"");
    let clean = desk.run(&[&["import", "--strict", "-"], &KNOWN[..]].concat(), without.as_bytes());

    assert_eq!([&strict, &clean].map(code), [1, 0]);
    assert!(text(&strict.stderr).ends_with("1 without a counterpart\n"), "{}", text(&strict.stderr));
}

#[test]
fn an_import_that_cannot_be_ends_with_2_and_writes_nothing() {
    let desk = Desk::new("import-refused");
    fs::copy(OLD, desk.path("old.rules")).unwrap();

    let missing = desk.run(&["import", OLD, "-o", "router.toml"], b"");
    let unknown = desk.run(&["import", "-"], b"hello\n");
    let other = desk.run(&[&["import", "--format", "nft-json", OLD], &KNOWN[..]].concat(), b"");
    let itself = desk.run(&[&["import", "old.rules", "-o", "./old.rules"], &KNOWN[..]].concat(), b"");
    let wrong = desk.run(&["import", OLD, "--lan-address", "192.168.122.0/24"], b"");

    assert_eq!([&missing, &unknown, &other, &itself, &wrong].map(code), [2, 2, 2, 2, 2]);
    assert!(
        text(&missing.stderr)
            .ends_with("lan.address is not said: give --lan-address, like 192.168.122.1/24\n")
    );
    assert!(text(&unknown.stderr).starts_with("<stdin>: is in no notation that is known"));
    assert!(text(&itself.stderr).contains("is read from"));
    assert_eq!(fs::read(desk.path("old.rules")).unwrap(), fs::read(OLD).unwrap());
    assert_eq!(desk.files(), ["old.rules"]);
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let desk = Desk::new("command-line");

    let wrong =
        [vec![], vec!["compil", "x"], vec!["compile", REFERENCE], vec!["show"], vec!["check", "a", "b"]];

    for arguments in wrong {
        let output = desk.run(&arguments, b"");
        assert_eq!((code(&output), text(&output.stdout)), (2, String::new()), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: provision"), "{arguments:?}");
    }
}

#[test]
fn only_what_is_done_with_a_box_has_a_place_and_a_key() {
    let desk = Desk::new("which-box");
    let help = |command: &str| text(&desk.run(&[command, "--help"], b"").stdout);

    for command in ["compile", "show", "check", "import", "keygen", "sign", "verify"] {
        assert!(!help(command).contains("--to"), "{command}");
    }
    for command in ["top", "status", "sessions", "capture", "metrics", "apply", "confirm"] {
        assert!(help(command).contains("--to <PLACE>"), "{command}");
    }
    assert!(help("status").starts_with("Show how a running box is"), "{}", help("status"));
    let nowhere = desk.run(&["status"], b"");
    assert_eq!((code(&nowhere), text(&nowhere.stderr).starts_with("which box?")), (2, true));
}

#[test]
fn a_key_that_has_no_end_is_not_read_to_its_end() {
    let desk = Desk::new("endless");
    desk.run(&["compile", REFERENCE, "-o", "router.blob"], b"");
    // Whoever reads it all runs out of the room that is given here.
    let run = |arguments: &str| {
        let program = env!("CARGO_BIN_EXE_provision");
        let shell = format!("ulimit -v 1000000; exec {program} {arguments}");
        Command::new("sh").args(["-c", &shell]).current_dir(&desk.0).output().unwrap()
    };
    for arguments in [
        "status --to ./box.sock --key /dev/zero",
        "sign router.blob --key /dev/zero --sequence 1 -o signed.blob",
        "verify router.blob --signer /dev/zero",
    ] {
        let refused = run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments}: {}", text(&refused.stderr));
        assert!(text(&refused.stderr).starts_with("/dev/zero: longer than 1024 bytes; give a "));
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_a_quiet_end_and_a_full_disk_is_not() {
    let desk = Desk::new("unread");
    let run = |arguments: &[&str], stdout: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
        let piped = command.args(arguments).current_dir(&desk.0).stdin(Stdio::piped()).stdout(stdout);
        let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
        // Nobody reads before it has anything to print.
        drop(child.stdout.take());
        child.stdin.take().unwrap().write_all(&fs::read(REFERENCE).unwrap()).unwrap();
        child.wait_with_output().unwrap()
    };
    for arguments in [&["check", "-"][..], &["compile", "-", "-o", "-"], &["compile", "-", "-o", "x.blob"]] {
        let unread = run(arguments, Stdio::piped());
        assert_eq!((code(&unread), text(&unread.stderr)), (141, String::new()), "{arguments:?}");
        let full = run(arguments, fs::File::create("/dev/full").unwrap().into());
        assert_eq!(code(&full), 1, "{arguments:?}");
        assert!(text(&full.stderr).starts_with("<stdout>: cannot write: "), "{}", text(&full.stderr));
    }
}

#[test]
fn a_file_with_a_key_in_it_is_its_owners_alone() {
    let desk = Desk::new("secret");
    let control = text(&desk.run(&["keygen", "control.key"], b"").stdout);
    desk.run(&["keygen", "--signing", "signing.key"], b"");
    fs::write(desk.path("router.toml"), fs::read_to_string(REFERENCE).unwrap() + &control).unwrap();
    fs::write(desk.path("there.blob"), "").unwrap();
    let set =
        |name: &str, mode| fs::set_permissions(desk.path(name), fs::Permissions::from_mode(mode)).unwrap();
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777;
    set("there.blob", 0o640);

    desk.run(&["compile", "router.toml", "-o", "router.blob"], b"");
    desk.run(&["compile", "router.toml", "-o", "there.blob"], b"");
    desk.run(&["compile", REFERENCE, "-o", "open.blob"], b"");
    let quiet = desk.run(&sign("router.blob", "1", "signed.blob"), b"");
    set("signing.key", 0o644);
    let warned = desk.run(&sign("open.blob", "1", "signed-open.blob"), b"");

    assert_eq!(["router.blob", "signed.blob", "there.blob"].map(mode), [0o600, 0o600, 0o640]);
    assert_eq!(mode("open.blob") & 0o400, 0o400);
    assert_eq!(mode("open.blob"), mode("signed-open.blob"));
    assert_eq!((code(&quiet), text(&quiet.stderr)), (0, String::new()));
    let warning = "warning: signing.key: everybody can read this key; chmod 600 signing.key\n";
    assert_eq!((code(&warned), text(&warned.stderr)), (0, warning.to_owned()));
    set("control.key", 0o644);
    let status = desk.run(&["status", "--to", "./box.sock", "--key", "control.key"], b"");
    assert!(text(&status.stderr).starts_with("warning: control.key: everybody can read this key"));
}

#[test]
fn a_state_that_no_session_can_have_is_refused_with_those_that_they_have() {
    let desk = Desk::new("state");
    let run = |state: &str| text(&desk.run(&["sessions", "--state", state], b"").stderr);
    let known =
        "choose one of syn out, syn in, syn both, picked up, established, fin out, fin in, fin both, reset";
    assert!(run("open").contains(known), "{}", run("open"));
    for state in ["RESET", "Syn Out", "established"] {
        assert!(run(state).starts_with("which box?"), "{state}: {}", run(state));
    }
}

#[test]
fn a_blob_goes_through_a_link_and_leaves_the_link_in_place() {
    let desk = Desk::new("link");
    fs::write(desk.path("real.blob"), "the old blob").unwrap();
    std::os::unix::fs::symlink("real.blob", desk.path("link.blob")).unwrap();

    let compiled = desk.run(&["compile", REFERENCE, "-o", "link.blob"], b"");

    assert_eq!(code(&compiled), 0);
    assert_eq!(fs::read(desk.path("real.blob")).unwrap().len(), 91);
    assert!(desk.path("link.blob").is_symlink());
}

/// An empty directory to work in, which goes away with the test.
struct Desk(PathBuf);

impl Desk {
    fn new(test: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{test}"));
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provision"));
        command.args(arguments).current_dir(&self.0);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // A program that refuses its command line does not read its input.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn golden(file: &str) -> String {
    fs::read_to_string(Path::new(GOLDENS).join(file)).unwrap()
}
