//! A replay for machines: JSON, one object a line, each with its `kind`.
//!
//! First what the `capture` is, and a `note` for all that one has to know of it; then each `packet` as in a run's JSON;
//! `session` and `mapping`, the tables at the end; `difference`, what one of the routers let through and the other did not;
//! and at last the `outcome`. Times are in microseconds from the beginning of the capture on.

use napt::{MappingPhase, TcpState};
use serde::Serialize;

use super::report::{is_ipv4, is_shown, since};
use super::{Difference, Replay};
use crate::json::{self, objects};
use crate::ladder::rungs;
use crate::print::brief;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Object<'a> {
    Capture {
        lan: Option<&'a str>,
        wan: Option<&'a str>,
        came: usize,
        left: usize,
    },
    Note {
        says: &'a str,
    },
    Session {
        protocol: String,
        internal: String,
        external: u16,
        remote: String,
        state: Option<&'a str>,
        left_ms: u64,
    },
    Mapping {
        protocol: String,
        internal: String,
        external: u16,
        sessions: u16,
        cools_ms: Option<u64>,
    },
    Difference {
        at_us: u64,
        side: String,
        ends: String,
        what: String,
        dropped: &'a str,
        reason: Option<&'a str>,
    },
    Outcome {
        external: String,
        both: usize,
        here: usize,
        there: usize,
        compared: bool,
        passed: bool,
    },
}

/// The lines.
pub fn lines(replay: &Replay) -> String {
    let [lan, wan] = replay.names.each_ref().map(Option::as_deref);
    let (came, left) = (replay.played.len(), replay.left);
    let notes = replay.notes.iter().map(|says| Object::Note { says });
    let head = objects([Object::Capture { lan, wan, came, left }].into_iter().chain(notes));
    let shown: Vec<_> = replay.sightings(["lan", "wan"], is_shown).into_iter().filter(is_ipv4).collect();
    let rungs = rungs(&since(shown, replay.begins));
    let tables = sessions(replay).chain(mappings(replay));
    let tail = tables.chain(differences(replay)).chain([outcome(replay)]);
    head + &objects(rungs.iter().map(json::packet)) + &objects(tail)
}

fn sessions(replay: &Replay) -> impl Iterator<Item = Object<'_>> {
    replay.tables.sessions.iter().map(|it| Object::Session {
        protocol: it.protocol.to_string(),
        internal: it.internal.to_string(),
        external: it.external,
        remote: it.remote.to_string(),
        state: it.state.map(TcpState::name),
        left_ms: it.left.as_millis() as u64,
    })
}

fn mappings(replay: &Replay) -> impl Iterator<Item = Object<'_>> {
    replay.tables.mappings.iter().map(|it| {
        let (sessions, cools) = match it.phase {
            MappingPhase::Live(sessions) => (sessions, None),
            MappingPhase::Cooling(left) => (0, Some(left.as_millis() as u64)),
        };
        let (protocol, internal) = (it.protocol.to_string(), it.internal.to_string());
        Object::Mapping { protocol, internal, external: it.external, sessions, cools_ms: cools }
    })
}

fn differences(replay: &Replay) -> impl Iterator<Item = Object<'_>> {
    replay.played.iter().filter_map(|played| {
        let dropped = match played.difference()? {
            Difference::DroppedHere => "here",
            Difference::DroppedThere => "there",
        };
        let brief = brief(&played.frame);
        Some(Object::Difference {
            at_us: played.at.since(replay.begins).as_micros() as u64,
            side: played.side.to_string(),
            ends: brief.ends,
            what: brief.what,
            dropped,
            reason: played.event.outcome.reason(),
        })
    })
}

fn outcome(replay: &Replay) -> Object<'_> {
    let count = |which| replay.played.iter().filter(|it| it.difference() == Some(which)).count();
    let (here, there) = (count(Difference::DroppedHere), count(Difference::DroppedThere));
    let left = replay.played.iter().filter(|it| it.left_there == Some(true)).count();
    Object::Outcome {
        external: replay.external.to_string(),
        both: left - here,
        here,
        there,
        compared: replay.played.iter().any(|it| it.left_there.is_some()),
        passed: replay.passed(),
    }
}
