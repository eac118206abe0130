//! Changing the configuration of a box that runs: sent in parts, tried, applied whole.

use config::Config;
use control::message::{CHUNK, Request};

use super::channel::Channel;
use super::view::done;
use crate::Failure;

impl Channel {
    /// Sends a configuration, which the box looks at and does nothing about; how many sessions it would end.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; the box may refuse it.
    pub fn offer(&mut self, blob: &[u8], force: bool) -> Result<u32, Failure> {
        let length = u16::try_from(blob.len())
            .map_err(|_| Failure::Input("longer than any configuration".to_owned()))?;
        for (part, at) in blob.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            self.ask(&Request::Offer { at, bytes: part }, done)?;
        }
        self.ask(&Request::Try { length, force }, done)
    }

    /// Applies what was offered; how many sessions that has ended.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; the box may refuse it.
    pub fn apply(&mut self, blob: &[u8], confirm_seconds: u16, force: bool) -> Result<u32, Failure> {
        let length = blob.len() as u16;
        self.ask(&Request::Apply { length, confirm: confirm_seconds, force }, done)
    }

    /// Keeps what was applied.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; there may be nothing to confirm.
    pub fn confirm(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Confirm, done).map(|_| ())
    }

    /// Takes back what was applied.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; there may be nothing to take back.
    pub fn revert(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Revert, done).map(|_| ())
    }
}

/// What changes from one configuration to another: the lines of their readable forms that only one of them has, in their order, each
/// with the heading it is under.
pub fn difference(before: &Config, after: &Config) -> String {
    let (before, after) = (crate::show(before), crate::show(after));
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let common = common(&before, &after);
    let mut text = String::new();
    let (mut old, mut new) = (before.iter(), after.iter());
    let mut heading = "";
    for line in common.iter().map(Some).chain([None]) {
        let gone = old.by_ref().take_while(|it| Some(*it) != line).map(|it| ('-', *it));
        let gone: Vec<_> = gone.collect();
        let come: Vec<_> = new.by_ref().take_while(|it| Some(*it) != line).map(|it| ('+', *it)).collect();
        for (mark, changed) in gone.into_iter().chain(come).filter(|(_, changed)| !changed.is_empty()) {
            if !heading.is_empty() && !changed.starts_with('[') {
                text += &format!("  {heading}\n");
            }
            heading = "";
            text += &format!("{mark} {changed}\n");
        }
        heading = line.filter(|line| line.starts_with('[')).map_or(heading, |line| line);
    }
    text
}

/// The longest sequence of lines that both have.
fn common<'l>(one: &[&'l str], other: &[&'l str]) -> Vec<&'l str> {
    let mut longest = vec![vec![0_u32; other.len() + 1]; one.len() + 1];
    for (i, line) in one.iter().enumerate().rev() {
        for (j, its) in other.iter().enumerate().rev() {
            longest[i][j] = if line == its {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < one.len() && j < other.len() {
        if one[i] == other[j] {
            lines.push(one[i]);
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    lines
}
