//! What came of a scenario, for a person to read.

use super::{Outcome, Unseen};
use crate::ladder;
use crate::report::Palette;
use crate::seed::Seed;

/// What came of a scenario, with so many of its packets: the ladder, the counters, and what was not as it had to be.
pub fn on_paper(outcome: &Outcome, packets: usize, palette: &Palette) -> String {
    let Palette { title, good, bad, .. } = palette;
    let mut text = format!("{title}{}{title:#}: {}\n", outcome.name, outcome.about);
    if packets > 0 {
        text += &ladder::ladder(&outcome.sightings, packets, palette);
    }
    for (router, summary) in &outcome.summaries {
        text += &format!("{title}{router}{title:#}\n{summary}");
    }
    for (line, tally) in &outcome.lines {
        text += &format!("{line} line: {tally}\n");
    }
    for Unseen { line, what } in &outcome.unseen {
        text += &format!("not looked at: line {line}: {what}\n");
    }
    for check in outcome.checks.iter().filter(|check| !check.held) {
        text += &format!("{bad}not so:{bad:#} line {}, at {}: {}\n", check.line, check.at, check.what);
    }
    for violation in &outcome.violations {
        text += &format!("{bad}violation:{bad:#} {violation}\n");
    }
    if let Some(broken) = &outcome.broken {
        text += &format!("{bad}broken off:{bad:#} at {}: {broken}\n", outcome.end);
    }
    let (held, all) = (outcome.checks.iter().filter(|check| check.held).count(), outcome.checks.len());
    let (style, word) = if outcome.passed() { (good, "ok") } else { (bad, "FAILED") };
    text += &format!(
        "{style}{word}:{style:#} {held} of {all} checks, {} violations, with seed {}\n",
        outcome.violations.len(),
        Seed(outcome.seed)
    );
    text
}
