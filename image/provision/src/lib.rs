#![forbid(unsafe_code)]
//! The provisioning tool's library: from a readable TOML configuration to a [`Config`] and back.
//!
//! It owns the readable form: its keys, its defaults, and what an operator is told about a mistake. It owns no
//! rule about what is valid: those are `config`'s, so that the tool and the box always agree.
//!
//! Words: a *section* is a table of the file, a *place* is where in the file a setting is, a *fault* is what is
//! wrong with it and the way out, a *report* is every fault of a file.
//!
//! Invariants: [`compile`] reports every independent mistake, each with its place; what [`show`] writes compiles
//! to the same configuration.
//!
//! Navigating: `reader` goes through a file's sections, `section` looks up their keys, `values` reads single
//! values, `advice` words the faults, `report` collects them, `reading` lends all that to other files; `show` is the way back,
//! `signing` makes keys and signs, `hex` is how keys are written, `import` the way from other firewalls, `operate` a box that
//! runs, `capacity` the memory sum; `files` reads and writes for all commands, `failure` is why one ends without success.

mod advice;
mod capacity;
mod failure;
pub mod files;
pub mod hex;
pub mod import;
pub mod operate;
pub mod pcapng;
mod reader;
pub mod reading;
mod report;
mod section;
mod show;
pub mod signing;
mod values;

use config::{Config, MAX_BLOB};

pub use capacity::{Contract, contract, grouped};
pub use failure::Failure;
pub use report::Report;
pub use show::show;

/// Reads a configuration from TOML. `file_name` is what error messages call the file.
///
/// # Errors
/// A [`Report`] of everything that is wrong with it.
pub fn compile(source: &str, file_name: &str) -> Result<Config, Report> {
    reader::read(source, file_name)
}

/// The configuration's blob, to be written as it is.
pub fn blob(config: &Config) -> Vec<u8> {
    let mut buffer = vec![0; MAX_BLOB];
    let len = config.encode(&mut buffer).expect("MAX_BLOB bytes hold every blob");
    buffer.truncate(len);
    buffer
}
