//! The provisioning tool.
fn main() {}
