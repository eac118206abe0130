//! Where the program is that this package's build script has made: `sekisho`, static, without a C library or `std`.
//!
//! It is a workspace of its own (`firmware/sekisho`), and `cargo build` of this one builds that one, too, and leaves the
//! program beside the other tools.

/// The program's file.
pub const PATH: &str = env!("SEKISHO_PROGRAM");
