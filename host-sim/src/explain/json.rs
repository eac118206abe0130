//! Answers for machines: JSON, one object a line, each with its `kind`.
//!
//! Of each packet an `answer`, and behind it its `step`s in their order, both with the packet's number. The `reason` of an
//! answer is the one that the router has counted.

use serde::Serialize;

use super::{Answer, Step};
use crate::json::objects;
use crate::specimen::Outcome;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Object<'a> {
    Answer { number: usize, packet: &'a str, side: String, outcome: Option<&'a str>, reason: Option<&'a str> },
    Step { number: usize, what: &'a str, says: &'a str, by: &'a str },
}

/// The lines.
pub fn lines(answers: &[Answer]) -> String {
    objects(answers.iter().enumerate().flat_map(|(at, answer)| of(at + 1, answer)))
}

fn of(number: usize, answer: &Answer) -> Vec<Object<'_>> {
    let Answer { packet, side, outcome, steps } = answer;
    let head = Object::Answer {
        number,
        packet,
        side: side.to_string(),
        outcome: outcome.map(Outcome::name),
        reason: outcome.and_then(Outcome::reason),
    };
    let steps = steps.iter().map(|Step { what, says, by }| Object::Step { number, what, says, by });
    [head].into_iter().chain(steps).collect()
}
