//! The program as a file: how large it is, and what is not in it.

use std::fs;

use sekisho_tests::netns::program;

/// What an image has room for, in bytes.
const LIMIT: u64 = 300_000;

#[test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "the limit is that of one instruction set")]
fn the_program_is_small() {
    let size = fs::metadata(program("sekisho")).unwrap().len();
    assert!(size <= LIMIT, "{size} bytes: the link map tells of what");
}

#[test]
fn the_program_has_no_allocator() {
    // Given the names of all that the linker has put into the program ...
    let map = fs::read_to_string(program("sekisho.map")).unwrap();
    let has = |name: &str| map.contains(name);
    assert!(has("4napt") && has("4core"), "no map of the program, or of one whose names look different");
    // ... nobody there could allocate: neither by Rust's hooks nor by anything of the library behind them.
    for name in
        ["__rust_alloc", "__rust_realloc", "__rg_alloc", "__rdl_alloc", "_5alloc", "_ZN5alloc", "malloc"]
    {
        assert!(!has(name), "{name}");
    }
}
