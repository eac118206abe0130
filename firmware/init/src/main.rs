//! The firmware program.
fn main() {}
