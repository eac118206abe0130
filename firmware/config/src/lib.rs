#![no_std]
#![forbid(unsafe_code)]
//! The configuration blob.

/// A valid configuration.
pub struct Config {}
