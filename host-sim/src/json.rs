//! A run for machines: JSON, one object a line, each with its `kind`.
//!
//! `packet`, in the order of events; then `check`, `unseen` (what could not be checked), `violation`, `router`, `link`,
//! `line`, and at last the `outcome`. Times are in
//! microseconds; seeds are text, because a number of 64 bits is more than JSON's readers agree on.

use serde::Serialize;

use crate::ladder::{Rung, rungs};
use crate::scenario::Outcome;
use crate::seed::Seed;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum Object<'a> {
    Packet {
        at_us: u64,
        router: &'a str,
        seen: &'a str,
        ends: &'a str,
        what: &'a str,
        then: Option<&'a str>,
        then_ends: Option<&'a str>,
        end: Option<&'a str>,
        own: bool,
    },
    Check {
        line: usize,
        at_us: u64,
        what: &'a str,
        held: bool,
    },
    Unseen {
        line: usize,
        what: &'a str,
    },
    Violation {
        at_us: u64,
        router: &'a str,
        rule: &'a str,
        what: &'a str,
    },
    Router {
        name: &'a str,
        summary: Vec<&'a str>,
    },
    Link {
        name: &'a str,
        sent: u64,
        carried: u64,
        lost: u64,
        doubled: u64,
        delayed: u64,
        corrupted: u64,
        truncated: u64,
    },
    Line {
        name: &'a str,
        sent: u64,
        lost: u64,
        received: u64,
        empty: u64,
        nonsense: u64,
    },
    Outcome {
        scenario: &'a str,
        seed: String,
        end_us: u64,
        passed: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        broken: Option<&'a str>,
    },
}

/// The lines.
pub fn lines(outcome: &Outcome) -> String {
    let rungs = rungs(&outcome.sightings);
    let packets = rungs.iter().map(packet);
    let checks = outcome.checks.iter().map(|check| Object::Check {
        line: check.line,
        at_us: check.at.micros(),
        what: &check.what,
        held: check.held,
    });
    let unseen = outcome.unseen.iter().map(|unseen| Object::Unseen { line: unseen.line, what: &unseen.what });
    let violations = outcome.violations.iter().map(|violation| Object::Violation {
        at_us: violation.at.micros(),
        router: &violation.router,
        rule: violation.rule,
        what: &violation.what,
    });
    let routers = outcome
        .summaries
        .iter()
        .map(|(name, summary)| Object::Router { name, summary: summary.lines().collect() });
    let links = outcome.tallies.iter().map(|(name, tally)| Object::Link {
        name,
        sent: tally.sent,
        carried: tally.carried,
        lost: tally.lost.iter().sum(),
        doubled: tally.doubled,
        delayed: tally.delayed,
        corrupted: tally.corrupted,
        truncated: tally.truncated,
    });
    let lines = outcome.lines.iter().map(|(name, tally)| Object::Line {
        name,
        sent: tally.sent,
        lost: tally.lost,
        received: tally.received,
        empty: tally.empty,
        nonsense: tally.nonsense,
    });
    let end = Object::Outcome {
        scenario: &outcome.name,
        seed: Seed(outcome.seed).to_string(),
        end_us: outcome.end.micros(),
        passed: outcome.passed(),
        broken: outcome.broken.as_deref(),
    };
    let checks = checks.chain(unseen).chain(violations);
    objects(packets.chain(checks).chain(routers).chain(links).chain(lines).chain([end]))
}

/// Objects, one a line.
pub(crate) fn objects<T: Serialize>(objects: impl Iterator<Item = T>) -> String {
    objects
        .map(|object| serde_json::to_string(&object).expect("numbers and text have a form in JSON") + "\n")
        .collect()
}

/// A packet, as it crossed a router.
pub(crate) fn packet(rung: &Rung) -> Object<'_> {
    let side = |lan| if lan { "lan" } else { "wan" };
    let Rung { at, router, from_lan, first, what, then, end, own } = rung;
    Object::Packet {
        at_us: at.micros(),
        router,
        seen: side(*from_lan),
        ends: first,
        what,
        then: then.as_ref().map(|(lan, _)| side(*lan)),
        then_ends: then.as_ref().map(|(_, ends)| &ends[..]),
        end: end.as_deref().filter(|end| !end.is_empty()),
        own: *own,
    }
}
