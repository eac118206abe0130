//! The swarm: random networks in which random things happen, as many as there is time for.
//!
//! A seed makes a scenario (`generate`), and the scenario is played under every checker. Each network has only some of the
//! faults and does only some of the things that there are, each more or less often: bugs hide from a run in which
//! everything happens at once (swarm testing, Groce et al., 2012). At the end faults stop, everything that remembers
//! anything has the time to forget it, and then every host must be able to ping: that is *liveness*.
//!
//! A run that fails is made smaller as long as it fails in the same way (`shrink`), and is written down as a scenario that
//! `sekisho-sim run` plays.

mod generate;
mod shrink;

use crate::scenario::{Outcome, Scenario, play};

pub use self::generate::generate;
pub use self::shrink::shrink;

/// What is wrong with a run in whose end somebody cannot ping.
pub const LIVENESS: &str = "liveness";

/// What is wrong with an outcome, if anything, in a word that is the same for the same kind of thing.
pub fn fault(outcome: &Outcome) -> Option<&'static str> {
    let liveness = outcome.checks.iter().any(|check| !check.held).then_some(LIVENESS);
    outcome.violations.first().map(|violation| violation.rule).or(liveness)
}

/// Plays the scenario of a seed. `Some` if it fails.
pub fn try_seed(seed: u64) -> Option<(Scenario, &'static str)> {
    let scenario = generate(seed);
    let fault = fault(&play(&scenario, seed))?;
    Some((scenario, fault))
}
