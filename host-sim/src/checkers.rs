//! Checkers: what must hold of every frame that a router meets, looked at while it works.
//!
//! A *passage* is everything that one cause, a frame, a timer or an operator, makes a router do: the frame as it came,
//! what the router's counters say of it, and every frame that left. Each router has a set of checkers of its own, which
//! see each of its passages in order; what one of them finds wrong is a [`Violation`]. They know what a router must do
//! and nothing of how it does it: all they ask it for is its configuration, its counters, and a frame that it keeps.
//!
//! The letters are those of the invariants in `firmware/ARCHITECTURE.md`.

mod accounting;
mod bijection;
mod capacity;
mod causes;
mod checksums;
mod expiry;
mod hops;
mod lives;
mod oracle;
mod payload;
mod sources;
mod view;
mod work;

use std::fmt;
use std::sync::Arc;

use napt::Instant;
use router::Side;

use crate::node::Departure;
use crate::routing::{Fate, RouterNode};
use crate::time::Time;

use self::view::View;

/// Why a router has done something.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause<'a> {
    /// A frame came in by a side, and this is what became of it.
    Frame { side: Side, before: &'a [u8], fate: Fate },
    /// It was woken when it had asked for this.
    Timer { due: Option<Instant> },
    /// A link came up.
    LinkUp,
    /// An operator has done something to it: what was so before need not be so any more.
    Operator(Deed),
}

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It works by another configuration.
    Reconfigured,
    /// It has lost all its state and begins again.
    Restarted,
}

/// What one cause makes a router do.
pub(crate) struct Passage<'a, 't> {
    pub(crate) at: Time,
    pub(crate) cause: Cause<'a>,
    /// What has left.
    pub(crate) out: &'a [Departure],
    /// The router as it is afterwards.
    pub(crate) router: &'a RouterNode<'t>,
}

/// A packet at one side of a router.
type At<'a> = (Side, View<'a>);

impl<'a> Passage<'a, '_> {
    /// The packet that came in and, if it has gone on, as it left and by which side. `None` if it was no packet.
    fn packet(&self) -> Option<(Side, View<'a>, Option<At<'a>>)> {
        let Cause::Frame { side, before, .. } = self.cause else { return None };
        let before = View::of(before)?;
        let sent_on = self.out.iter().find(|departure| departure.packet.is_some());
        let after = sent_on.and_then(|sent| Some((Side::ALL[sent.index], View::of(&sent.frame)?)));
        Some((side, before, after))
    }

    /// The frames that left, each with the side it left by.
    fn sent(&self) -> impl Iterator<Item = (Side, &'a Departure)> {
        self.out.iter().map(|departure| (Side::ALL[departure.index], departure))
    }
}

/// One rule.
trait Checker {
    /// Looks at a passage.
    ///
    /// # Errors
    /// What is wrong with it.
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String>;
}

/// Something that should never have happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When.
    pub at: Time,
    /// At which router.
    pub router: Arc<str>,
    /// Which rule is broken.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, router, rule, what } = self;
        write!(f, "{rule}: {router} at {at}: {what}")
    }
}

/// No more than this many violations are kept: the first tell it all.
const KEPT: usize = 16;

/// The checkers of one router.
pub(crate) struct Checkers {
    router: Arc<str>,
    rules: Vec<(&'static str, Box<dyn Checker>)>,
    violations: Vec<Violation>,
}

impl Checkers {
    /// All rules, for the router of this name.
    pub(crate) fn new(router: &str) -> Self {
        let rules: Vec<(&'static str, Box<dyn Checker>)> = vec![
            ("V1 sources", Box::new(sources::Sources)),
            ("V2 checksums", Box::new(checksums::Checksums)),
            ("V3 hops", Box::new(hops::Hops)),
            ("V4 causes", Box::new(causes::Causes)),
            ("V5 bijection", Box::new(bijection::Bijection::default())),
            ("V6 capacity", Box::new(capacity::Capacity)),
            ("V7 work", Box::new(work::Work)),
            ("payload", Box::new(payload::Payload)),
            ("accounting", Box::new(accounting::Accounting::default())),
            ("no early expiry", Box::new(expiry::Expiry::default())),
            ("oracle agrees", Box::new(oracle::Agreement::default())),
        ];
        Self { router: router.into(), rules, violations: Vec::new() }
    }

    /// Shows a passage to every checker.
    pub(crate) fn see(&mut self, passage: &Passage<'_, '_>) {
        for (rule, checker) in &mut self.rules {
            if let Err(what) = checker.see(passage)
                && self.violations.len() < KEPT
            {
                let (at, router) = (passage.at, Arc::clone(&self.router));
                self.violations.push(Violation { at, router, rule, what });
            }
        }
    }

    /// What was wrong so far.
    pub(crate) fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

#[cfg(test)]
mod tests;
