//! The readable configuration, by example: every case in `golden/provision` is a file and what becomes of it.
//!
//! A case that compiles has `blob.hex`, `show.txt` and `stdout.txt` (what `provision check` prints); one that is
//! refused has `stderr.txt`. With `UPDATE_GOLDEN=1` the tests write what they see instead of comparing, and fail,
//! so that nobody takes a rewrite for a pass: read the difference before you commit it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use config::Config;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/provision");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../image/provision/examples");

#[test]
fn every_golden_configuration_compiles_or_is_refused_as_recorded() {
    let mut differences = Vec::new();
    for case in cases() {
        for (file, actual) in outcome(&source(&case)) {
            differences.extend(compare(&case.join(file), actual.as_deref()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn the_goldens_hold_a_case_for_each_refusal() {
    let refused =
        cases().iter().filter(|case| provision::compile(&source(case), "router.toml").is_err()).count();
    assert!(refused >= 20, "{refused} cases are refused");
    assert!(cases().len() - refused >= 5);
}

#[test]
fn what_show_prints_compiles_to_the_same_blob() {
    for config in cases().iter().filter_map(|case| provision::compile(&source(case), "router.toml").ok()) {
        let shown = provision::show(&config);

        let again =
            provision::compile(&shown, "shown.toml").unwrap_or_else(|report| panic!("{report}\n{shown}"));

        assert_eq!(provision::blob(&again), provision::blob(&config));
        assert_eq!(provision::show(&again), shown);
    }
}

#[test]
fn the_examples_compile_and_a_typical_blob_is_small() {
    for example in ["reference.toml", "home.toml", "board.toml"] {
        let text = fs::read_to_string(Path::new(EXAMPLES).join(example)).unwrap();

        let config = provision::compile(&text, example).unwrap_or_else(|report| panic!("{report}"));

        let blob = provision::blob(&config);
        assert!(blob.len() <= 256, "{example} takes {} bytes", blob.len());
        assert_eq!(Config::decode(&blob), Ok(config));
    }
}

#[test]
fn the_contract_says_what_the_router_takes() {
    let minimal = provision::contract(&golden("good-minimal"));
    let reference = provision::contract(&golden("good-reference"));

    assert_eq!((minimal.forwards, reference.forwards), (0, 1));
    assert_eq!((reference.sessions, reference.memory), (router::SESSIONS, router::MEMORY));
}

/// What becomes of a source, by golden file; `None` where there must be no such file.
fn outcome(source: &str) -> [(&'static str, Option<String>); 4] {
    let (good, refused) = match provision::compile(source, "router.toml") {
        Ok(config) => (Some(config), None),
        Err(report) => (None, Some(format!("{report}\n"))),
    };
    let contract = |config| format!("router.toml: ok\n{}", provision::contract(config));
    [
        ("blob.hex", good.as_ref().map(|config| hex(&provision::blob(config)))),
        ("show.txt", good.as_ref().map(provision::show)),
        ("stdout.txt", good.as_ref().map(contract)),
        ("stderr.txt", refused),
    ]
}

/// What differs between a golden file and what we see now.
pub(crate) fn compare(file: &Path, actual: Option<&str>) -> Option<String> {
    let expected = fs::read_to_string(file).ok();
    if expected.as_deref() == actual {
        return None;
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        match actual {
            Some(text) => fs::write(file, text).unwrap(),
            None => fs::remove_file(file).unwrap(),
        }
        return Some(format!("{}: rewritten", file.display()));
    }
    let [expected, actual] = [expected.as_deref(), actual].map(|text| text.unwrap_or("(no such file)"));
    Some(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", file.display()))
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn source(case: &Path) -> String {
    fs::read_to_string(case.join("router.toml")).unwrap()
}

fn golden(case: &str) -> Config {
    provision::compile(&source(&Path::new(CASES).join(case)), "router.toml").unwrap()
}

/// Sixteen bytes a line.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.chunks(16) {
        for (index, byte) in line.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(text, "{gap}{byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}
