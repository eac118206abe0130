//! What `firmware/COMPLIANCE.md` claims, and whether every behaviour of the catalogue has a test.
//!
//! A *requirement* is a row of five cells: its id, how strongly it is asked, what is asked, its status, and the tests
//! that show it, each as `file::test`. A *behaviour* is a letter and a number, such as M01; a test that shows one has it
//! in its name, between underscores, with leading zeros or without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const DOCUMENT: &str = "firmware/COMPLIANCE.md";
const LEVELS: [&str; 7] = ["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "REC", "MAY", "–"];

/// The catalogue, as far as it is about engine and router.
const BEHAVIOURS: [(char, RangeInclusive<u32>); 15] = [
    ('M', 1..=20),
    ('H', 1..=8),
    ('T', 1..=15),
    ('C', 1..=28),
    ('I', 1..=27),
    ('F', 1..=19),
    ('R', 1..=19),
    ('K', 1..=6),
    ('X', 1..=8),
    ('P', 1..=3),
    ('V', 1..=7),
    ('A', 1..=15),
    ('A', 21..=21),
    ('A', 25..=25),
    ('A', 28..=28),
];

#[test]
fn every_behaviour_of_the_catalogue_is_in_the_name_of_a_test() {
    let shown: BTreeSet<_> = tests().into_values().flatten().flat_map(|name| behaviours_in(&name)).collect();
    let all =
        BEHAVIOURS.into_iter().flat_map(|(letter, numbers)| numbers.map(move |number| (letter, number)));
    let missing: Vec<_> = all.filter(|behaviour| !shown.contains(behaviour)).collect();
    assert_eq!(missing, [], "no test has them in its name");
}

#[test]
fn every_test_that_the_document_names_exists() {
    let (tests, text) = (tests(), read(DOCUMENT));
    let missing: Vec<_> = named_tests(&text).filter(|(file, name)| !has(&tests, file, name)).collect();
    assert_eq!(missing, []);
}

#[test]
fn every_must_is_met_and_shown_by_a_test() {
    for Requirement { id, level, status, shown_by, .. } in requirements() {
        if level.starts_with("MUST") {
            assert!(!status.starts_with("not met"), "{id}: a MUST is not met");
            assert!(named_tests(&shown_by).next().is_some(), "{id}: no test shows it");
        }
    }
}

#[test]
fn whatever_is_not_simply_met_has_its_reason() {
    for Requirement { id, level, asked, status, .. } in requirements() {
        assert!(LEVELS.contains(&level.as_str()), "{id}: {level}");
        assert!(!asked.is_empty(), "{id}: what is asked?");
        let reason = ["met otherwise (", "not met ("].iter().find_map(|how| status.strip_prefix(how));
        let has_reason = reason.and_then(|rest| rest.strip_suffix(')')).is_some_and(|why| why.len() > 3);
        assert!(status == "met" || has_reason, "{id}: {status}");
    }
}

#[test]
fn no_requirement_is_listed_twice() {
    let mut seen = BTreeSet::new();
    let all = requirements();
    assert!(all.len() > 100, "the tables are not read any more: {} rows", all.len());
    for Requirement { section, id, .. } in all {
        assert!(seen.insert((section.clone(), id.clone())), "{section}: {id}");
    }
}

#[test]
fn every_place_that_a_decision_names_is_there() {
    let text = read(DOCUMENT);
    let decided = text.split("\n## Decided\n").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let rows: Vec<_> = decided.lines().filter(|line| line.contains(".rs ")).collect();
    assert!(!rows.is_empty());
    for row in rows {
        let place = row.split('|').nth(3).unwrap();
        for (file, word) in quoted(place).filter_map(|text| text.split_once(' ')) {
            let (krate, file) = file.split_once('/').unwrap();
            let source = read(&format!("firmware/{krate}/src/{file}"));
            assert!(source.contains(word), "{file}: no {word}");
        }
    }
}

/// A row of the document's tables.
struct Requirement {
    section: String,
    id: String,
    level: String,
    asked: String,
    status: String,
    shown_by: String,
}

fn requirements() -> Vec<Requirement> {
    let mut section = String::new();
    let mut found = Vec::new();
    for line in read(DOCUMENT).lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title.to_owned();
        }
        let cells: Vec<_> = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        let Ok([id, level, asked, status, shown_by]) = <[String; 5]>::try_from(cells) else { continue };
        if level != "level" && !level.starts_with("--") {
            found.push(Requirement { section: section.clone(), id, level, asked, status, shown_by });
        }
    }
    found
}

/// What a text names as `file::test`.
fn named_tests(text: &str) -> impl Iterator<Item = (&str, &str)> {
    quoted(text).filter_map(|word| word.split_once("::"))
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn has(tests: &BTreeMap<String, Vec<String>>, file: &str, name: &str) -> bool {
    tests.get(file).is_some_and(|names| names.iter().any(|other| other == name))
}

/// The names of all tests of the workspace, by the name of their file.
fn tests() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for directory in ["firmware", "host-sim", "image", "tests"] {
        for (file, text) in crate::layout::sources(directory) {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            found.entry(stem).or_default().extend(tests_in(&text));
        }
    }
    found
}

fn tests_in(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut lines = text.lines().map(str::trim);
    while lines.by_ref().any(|line| line == "#[test]") {
        let function = lines.by_ref().find_map(|line| line.strip_prefix("fn "));
        names.extend(function.and_then(|rest| rest.split('(').next()).map(str::to_owned));
    }
    names
}

/// `c13_a2_a_reset_…` shows C13 and A2.
fn behaviours_in(name: &str) -> Vec<(char, u32)> {
    let parts = name.split('_').filter_map(|part| part.split_at_checked(1));
    let numbered = parts.filter_map(|(letter, number)| Some((letter.chars().next()?, number.parse().ok()?)));
    numbered.map(|(letter, number)| (letter.to_ascii_uppercase(), number)).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}
