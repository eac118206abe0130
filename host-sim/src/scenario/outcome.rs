//! What came of a scenario.

use crate::checkers::Violation;
use crate::link::Tally;
use crate::live::LineTally;
use crate::time::Time;
use crate::trace::Sighting;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// What it was played with.
    pub seed: u64,
    /// All that had to be so.
    pub checks: Vec<Check>,
    /// What the checkers have found wrong.
    pub violations: Vec<Violation>,
    /// What was seen on both sides of each router.
    pub sightings: Vec<Sighting>,
    /// Each router's counters at the end, in lines.
    pub summaries: Vec<(String, String)>,
    /// What each link did to what it carried.
    pub tallies: Vec<(String, Tally)>,
    /// What could not be looked at, since the router is not of this world.
    pub unseen: Vec<Unseen>,
    /// What went over each line of a world that is joined to others.
    pub lines: Vec<(String, LineTally)>,
    /// Why it was over before its time, if it was.
    pub broken: Option<String>,
    /// When it was over.
    pub end: Time,
}

impl Outcome {
    /// When the first packet had passed a router: what came in at one of its taps was seen at the other.
    pub fn first_passed(&self) -> Option<Time> {
        let has_come = |(at, left): &(usize, &Sighting)| {
            self.sightings[..*at].iter().any(|came| came.packet == left.packet && came.tap != left.tap)
        };
        self.sightings.iter().enumerate().find(has_come).map(|(_, left)| left.at)
    }

    /// Whether everything was as it had to be.
    pub fn passed(&self) -> bool {
        self.broken.is_none() && self.violations.is_empty() && self.checks.iter().all(|check| check.held)
    }
}

/// Something that had to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The line of the file that says so.
    pub line: usize,
    /// When it was decided.
    pub at: Time,
    /// What had to be so.
    pub what: String,
    /// Whether it was.
    pub held: bool,
}

/// Something that has to be so, and of which nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The line of the file that says so.
    pub line: usize,
    /// What has to be so.
    pub what: String,
}
