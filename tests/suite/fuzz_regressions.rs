//! What a fuzzer once came up with, and what it starts from, without the fuzzer (A21, A27, A29).

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use napt::{Checksum, Realm};
use sekisho_tests::fuzz::{Passed, TARGETS, Target, check};
use sekisho_tests::{ALICE, CAROL, Lab, udp};

const FUZZ: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");

#[test]
fn a29_what_once_broke_an_invariant_does_so_no_more() {
    assert!(replay("regressions") > 0);
}

#[test]
fn a29_what_the_fuzzer_starts_from_breaks_no_invariant() {
    assert!(replay("seeds") >= TARGETS.len());
}

#[test]
fn every_fuzz_target_has_its_file_and_no_other() {
    let mut files: Vec<_> =
        names("fuzz_targets").iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    let mut targets = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    files.sort();
    targets.sort();
    assert_eq!(files, targets);
}

#[test]
fn the_fuzz_targets_would_notice() {
    // Given a packet and its translation
    let before = udp(ALICE.port(5000), CAROL.port(53));
    let after = Lab::new().send(before.clone());
    let notices = |after: &[u8]| {
        let (from, to, checksum) = (Realm::Internal, Realm::External, Checksum::Complete);
        let passed = Passed { before: &before.bytes, after, from, to, checksum };
        catch_unwind(|| check(passed)).is_err()
    };
    assert!(!notices(&after.bytes));

    // When any bit of the translation is another, then that is noticed
    for bit in 0..after.bytes.len() * 8 {
        let mut wrong = after.bytes.clone();
        wrong[bit / 8] ^= 1 << (bit % 8);
        assert!(notices(&wrong), "bit {bit}");
    }
}

/// Gives every input in a directory to the target that its place names; how many there were.
fn replay(directory: &str) -> usize {
    let mut replayed = 0;
    for name in names(directory) {
        let target = target(&name);
        for input in names(&format!("{directory}/{name}")) {
            let path = format!("{directory}/{name}/{input}");
            let data = fs::read(Path::new(FUZZ).join(&path)).unwrap();
            assert!(catch_unwind(AssertUnwindSafe(|| target(&data))).is_ok(), "{path}");
            replayed += 1;
        }
    }
    replayed
}

fn target(name: &str) -> Target {
    TARGETS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no target {name}")).1
}

/// What is in a directory of the fuzzer's.
fn names(directory: &str) -> Vec<String> {
    let path: PathBuf = Path::new(FUZZ).join(directory);
    fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
