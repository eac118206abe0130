//! The capacity contract: what a box with this configuration can hold, and the memory that takes.
//!
//! All of it is known before the box starts, because nothing in it allocates afterwards.

use std::fmt;

use config::{Config, MAX_FORWARDS};

// The seam to the engine: the only three numbers here that are the engine's to say.
/// Sessions the engine has room for, and as many mappings.
const SESSIONS: usize = 65_536;
/// Memory of one session in bytes, indexes included.
const SESSION_BYTES: usize = 64;
/// Memory of one mapping in bytes, indexes included.
const MAPPING_BYTES: usize = 32;

/// What a box with a certain configuration can hold.
///
/// It displays as three lines, each with its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Sessions at the same time.
    pub sessions: usize,
    /// Forwards that the configuration has.
    pub forwards: usize,
    /// Memory for sessions, mappings and forwards, in bytes.
    pub memory: usize,
}

/// The contract of a box with this configuration.
pub fn contract(config: &Config) -> Contract {
    let forwards = config.forwards();
    let memory = SESSIONS * SESSION_BYTES + SESSIONS * MAPPING_BYTES + size_of_val(forwards);
    Contract { sessions: SESSIONS, forwards: forwards.len(), memory }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sessions  {}", grouped(self.sessions))?;
        writeln!(f, "  forwards  {} of {MAX_FORWARDS}", self.forwards)?;
        writeln!(f, "  memory    {} bytes", grouped(self.memory))
    }
}

/// `65,536`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
