//! For other files that are read as a configuration is: what is wrong with them is told in the same words.
//!
//! A file is a [`Source`]; its tables are [`Section`]s, which know the keys that they may have; what is wrong with a
//! value is a [`Fault`] at a [`Place`], and all that is wrong with a file are [`Findings`], which become a
//! [`Report`](crate::Report).

use config::Config;
use toml::de::DeTable;

pub use crate::report::{Fault, Findings, Place, Source};
pub use crate::section::{Section, choose_from, refuse_unknown_sections, wrong_type};

/// Reads a configuration that is a table of some other file, whose keys `besides` the configuration's sections are that
/// file's own. What is wrong goes to `findings`.
pub fn configuration(
    source: Source<'_>,
    table: &DeTable<'_>,
    besides: &[&str],
    findings: &mut Findings,
) -> Option<Config> {
    crate::reader::read_within(source, table, besides, findings)
}
