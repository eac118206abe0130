#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The swarm: a few of its networks, that they can be written down, and that a failure becomes small.

use std::process::Command;
use std::time::Duration;

use host_sim::scenario::{Act, Scenario, Step, play, read, show};
use host_sim::swarm::{LIVENESS, fault, generate, shrink, try_seed};

#[test]
fn v1_v2_v3_v4_v5_v6_v7_hold_in_random_networks() {
    for seed in 1..=40 {
        let failed = try_seed(seed);
        assert!(failed.is_none(), "seed {seed}: {}", failed.unwrap().1);
    }
}

#[test]
fn what_is_generated_can_be_written_down_and_plays_the_same() {
    for seed in 1..=10 {
        let scenario = generate(seed);
        let text = show(&scenario);
        let again = read(&text, &scenario.name, "generated.toml", &|_: &str| Err(String::new()));
        let again = again.unwrap_or_else(|report| panic!("{report}\n{text}"));

        assert_eq!(play(&scenario, seed).sightings, play(&again, seed).sightings, "seed {seed}");
    }
}

#[test]
fn what_fails_becomes_as_small_as_it_can_be() {
    let mut scenario = generate(1);
    let steps = scenario.steps.len();
    scenario.steps.push(unanswered(&scenario));
    assert_eq!(fault(&play(&scenario, 1)), Some(LIVENESS));

    let smaller = shrink(&scenario, 1);

    assert_eq!(fault(&play(&smaller, 1)), Some(LIVENESS));
    assert!(steps > 20 && smaller.steps.len() == 2, "{} steps of {steps}", smaller.steps.len());
}

#[test]
fn the_swarm_says_what_it_does_and_ends_with_0_if_nothing_fails() {
    let arguments = ["swarm", "--seeds", "3", "--from", "7", "--threads", "1"];
    let ran = Command::new(env!("CARGO_BIN_EXE_sekisho-sim")).args(arguments).output().unwrap();

    assert_eq!(ran.status.code(), Some(0));
    let text = String::from_utf8(ran.stdout).unwrap();
    assert!(
        text.starts_with("swarm: 3 seeds from 7, 1 threads, no limit of time\nok: 3 networks in "),
        "{text}"
    );
}

/// A ping to whom there is not, which is to be answered.
fn unanswered(scenario: &Scenario) -> Step {
    let last = scenario.steps.last().unwrap();
    let act = Act::Ping { host: "host1".to_owned(), to: [203, 0, 113, 99].into(), answered: Some(true) };
    Step { act, count: 1, within: Duration::from_secs(1), ..last.clone() }
}
