//! Where the program is that this package's build script has made: `sekisho`, static, without a C library or `std`.
//!
//! It is a workspace of its own (`firmware/sekisho`), and `cargo build` of this one builds that one, too, and leaves the
//! program beside the other tools.

/// The program's file.
pub const PATH: &str = env!("SEKISHO_PROGRAM");

/// The file of the program for 64-bit Arm, if there is one: on another machine that takes a compiler that can build for it.
pub const FOR_AARCH64: Option<&str> =
    if cfg!(target_arch = "aarch64") { Some(PATH) } else { option_env!("SEKISHO_PROGRAM_FOR_AARCH64") };
