//! What the linker is told of the program: it stands for itself, without what only unwinding would read. A map of all
//! that is in it is left beside the build's other files.

use std::env;
use std::path::PathBuf;

fn main() {
    let variable = |name| PathBuf::from(env::var_os(name).unwrap_or_else(|| panic!("cargo sets {name}")));
    // OUT_DIR is `TARGET/PROFILE/build/PACKAGE/out`.
    let out = variable("OUT_DIR");
    let map = out.ancestors().nth(3).expect("a directory for programs").join("sekisho.map");
    let script = variable("CARGO_MANIFEST_DIR").join("program.ld");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={}", script.display());
    for argument in ["-static", "-nostdlib", "--gc-sections", "--no-eh-frame-hdr", "--build-id=none"] {
        println!("cargo:rustc-link-arg={argument}");
    }
    println!("cargo:rustc-link-arg=--script={}", script.display());
    println!("cargo:rustc-link-arg=-Map={}", map.display());
}
