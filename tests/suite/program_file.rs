//! The program as a file: how large it is, and what is not in it.

use std::fs;
use std::path::PathBuf;

/// What an image has room for, in bytes.
const LIMIT: u64 = 300_000;

/// The programs that there are, for each machine one.
fn programs() -> Vec<PathBuf> {
    let made = [Some(program::PATH), program::FOR_AARCH64];
    let mut programs: Vec<_> = made.into_iter().flatten().map(PathBuf::from).collect();
    programs.dedup();
    programs
}

#[test]
fn the_program_is_small() {
    for program in programs() {
        let size = fs::metadata(&program).unwrap().len();
        assert!(size <= LIMIT, "{}: {size} bytes: the link map tells of what", program.display());
    }
}

#[test]
fn the_program_has_no_allocator() {
    for program in programs() {
        // Given the names of all that the linker has put into the program ...
        let map = fs::read_to_string(program.with_extension("map")).unwrap();
        let has = |name: &str| map.contains(name);
        assert!(has("4napt") && has("4core"), "no map of the program, or of one whose names look different");
        // ... nobody there could allocate: neither by Rust's hooks nor by anything of the library behind them.
        for name in
            ["__rust_alloc", "__rust_realloc", "__rg_alloc", "__rdl_alloc", "_5alloc", "_ZN5alloc", "malloc"]
        {
            assert!(!has(name), "{}: {name}", program.display());
        }
    }
}
