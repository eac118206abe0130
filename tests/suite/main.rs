#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The suite.

mod config_blob;
mod demo;
mod provision;
