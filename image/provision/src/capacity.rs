//! The capacity contract: what a box with this configuration can hold, and the memory that takes.
//!
//! All of it is known before the box starts, because nothing in it allocates afterwards.

use std::fmt;

use config::{Config, MAX_FORWARDS};
use router::SESSIONS;

/// What a box with a certain configuration can hold.
///
/// It displays as three lines, each with its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// Sessions at the same time.
    pub sessions: usize,
    /// Forwards that the configuration has.
    pub forwards: usize,
    /// Memory for the engine's tables and the router around them, in bytes. The ports' packet rings are the driver's.
    pub memory: usize,
}

/// The contract of a box with this configuration.
pub fn contract(config: &Config) -> Contract {
    Contract { sessions: SESSIONS, forwards: config.forwards().len(), memory: router::MEMORY }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sessions  {}", grouped(self.sessions))?;
        writeln!(f, "  forwards  {} of {MAX_FORWARDS}", self.forwards)?;
        writeln!(f, "  memory    {} bytes, and the packet rings of both ports", grouped(self.memory))
    }
}

/// A number with its thousands apart: `65,536`.
pub fn grouped(number: usize) -> String {
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
