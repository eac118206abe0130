//! Playing a scenario: each step at its time, and what must follow looked for until its time is over.
//!
//! Between two steps the world runs on its own. What a step wants to follow is a *promise*: it is looked at whenever
//! something is done and when its time is up, and kept as soon as it was seen once. What must not follow is broken as
//! soon as it is seen, and kept when its time is up.
//!
//! Time is the world's own, or it is real (`live`); that is all the difference there is between the two. What each step does
//! is in `acts`, what has to follow in `promise`.

mod acts;
mod promise;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use router::Side;

use self::promise::{Promise, Sign};
use super::build::{Net, memory};
use super::{Check, Expectation, Outcome, Scenario, Step, Unseen, judge, live};
use crate::host::{Connection, Mailbox, Pinger};
use crate::live::{Broken, Lines, Live};
use crate::node::{HostId, RouterId};
use crate::time::Time;

/// Plays a scenario. The same seed gives the same outcome.
pub fn play(scenario: &Scenario, seed: u64) -> Outcome {
    let mut memory = memory(scenario, None);
    let net = Net::new(scenario, seed, None, &mut memory);
    Player::new(net, Pace::Virtual).play(scenario, seed)
}

/// Plays a scenario in real time, from now on, without one of its routers: what is plugged into that goes over the lines.
pub(super) fn play_live(scenario: &Scenario, seed: u64, router: &str, lines: Lines) -> Outcome {
    let mut memory = memory(scenario, Some(router));
    let net = Net::new(scenario, seed, Some(router), &mut memory);
    let pace = match &net.outlet {
        Some((_, outlet)) => Pace::Real(Box::new(Live::new(*outlet, lines))),
        None => Pace::Virtual,
    };
    Player::new(net, pace).play(scenario, seed)
}

/// How time passes.
enum Pace {
    /// It jumps from one event to the next.
    Virtual,
    /// As outside.
    Real(Box<Live>),
}

/// One time that a step is done.
#[derive(Clone, Copy)]
struct Turn<'s> {
    at: Time,
    step: &'s Step,
    /// Which step it is.
    number: usize,
    /// Which time it is, from 0.
    n: u64,
}

/// Every time that a step is done, in the order of time and, at the same time, of the file.
fn schedule(scenario: &Scenario) -> Vec<Turn<'_>> {
    let numbered = scenario.steps.iter().enumerate();
    let turns = numbered.flat_map(|(number, step)| {
        (0..step.count).map(move |n| Turn { at: step.at + step.every * n as u32, step, number, n })
    });
    let mut all: Vec<_> = turns.collect();
    all.sort_by_key(|turn| turn.at);
    all
}

struct Player<'t> {
    net: Net<'t>,
    pace: Pace,
    connections: BTreeMap<String, Talk>,
    mailboxes: BTreeMap<(HostId, u16), Mailbox>,
    pingers: BTreeMap<(HostId, u16), Pinger>,
    /// Endpoints that are known by a name: where what they say was heard, and what it was.
    learnt: BTreeMap<String, (SocketAddrV4, String)>,
    promises: Vec<Promise>,
    checks: Vec<Check>,
    unseen: Vec<Unseen>,
}

/// A connection that has a name.
struct Talk {
    host: HostId,
    connection: Connection,
    /// How much of what arrives has been spoken of.
    expected: usize,
}

impl<'t> Player<'t> {
    fn new(net: Net<'t>, pace: Pace) -> Self {
        Self {
            net,
            pace,
            connections: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            pingers: BTreeMap::new(),
            learnt: BTreeMap::new(),
            promises: Vec::new(),
            checks: Vec::new(),
            unseen: Vec::new(),
        }
    }

    fn play(mut self, scenario: &Scenario, seed: u64) -> Outcome {
        for expectation in &scenario.expectations {
            judge::prepare(&mut self.net, expectation);
        }
        let broken = self.go_through(scenario).err().map(|broken| broken.to_string());
        self.finish(scenario, seed, broken)
    }

    fn go_through(&mut self, scenario: &Scenario) -> Result<(), Broken> {
        let mut judged: Vec<_> =
            scenario.expectations.iter().map(|it| (it.at.unwrap_or(scenario.end), it)).collect();
        judged.sort_by_key(|(at, _)| *at);
        let mut judged = judged.into_iter().peekable();
        for turn in schedule(scenario) {
            while let Some((before, expectation)) = judged.next_if(|(judged, _)| *judged < turn.at) {
                self.run_to(before)?;
                self.judge(expectation);
            }
            self.run_to(turn.at)?;
            self.perform(turn);
        }
        for (at, expectation) in judged {
            self.run_to(at)?;
            self.judge(expectation);
        }
        self.run_to(scenario.end)
    }

    /// Lets time pass, and looks at each promise when its time is up.
    fn run_to(&mut self, end: Time) -> Result<(), Broken> {
        while let Some(due) =
            self.promises.iter().map(|promise| promise.until).filter(|until| *until <= end).min()
        {
            self.pass(due)?;
            self.look();
        }
        self.pass(end)?;
        self.look();
        Ok(())
    }

    fn pass(&mut self, end: Time) -> Result<(), Broken> {
        match &mut self.pace {
            Pace::Virtual => self.net.world.run_to(end),
            Pace::Real(live) => live.run_to(&mut self.net.world, end)?,
        }
        Ok(())
    }

    /// Judges what is so now, if anybody can know.
    fn judge(&mut self, expectation: &Expectation) {
        match &self.net.outlet {
            Some((router, _)) if expectation.what.router() == Some(router) => {
                self.unseen.push(Unseen { line: expectation.line, what: judge::wanted(expectation) });
            }
            _ => self.checks.push(judge::judge(&self.net, expectation)),
        }
    }

    /// Looks which promises are kept or broken.
    fn look(&mut self) {
        let now = self.net.world.now();
        let (world, checks) = (&self.net.world, &mut self.checks);
        self.promises.retain(|promise| {
            let there = promise.sign.is_there(world);
            let open = !there && now < promise.until;
            if !open {
                let Promise { line, ref what, wanted, .. } = *promise;
                checks.push(Check { line, at: now, what: what.clone(), held: there == wanted });
            }
            open
        });
    }

    fn promise(&mut self, step: &Step, what: &str, wanted: bool, sign: Sign) {
        let until = self.net.world.now() + step.within;
        let how = if wanted { "within" } else { "not within" };
        let what = format!("{what} {how} {:?}", step.within);
        self.promises.push(Promise { line: step.line, what, until, wanted, sign });
    }

    fn fail(&mut self, step: &Step, what: String) {
        self.checks.push(Check { line: step.line, at: self.net.world.now(), what, held: false });
    }

    fn finish(mut self, scenario: &Scenario, seed: u64, broken: Option<String>) -> Outcome {
        let Net { world, routers, links, outlet, .. } = &mut self.net;
        let summary = |(name, router): (&String, &RouterId)| {
            (name.clone(), world.router(*router).summary().to_string())
        };
        let summaries = routers.iter().map(summary).collect();
        let tallies = links.iter().map(|(name, link)| (name.clone(), world.tally(*link))).collect();
        let lines = match (&self.pace, &outlet) {
            (Pace::Real(live), Some((name, _))) => {
                let names = Side::ALL.map(|side| format!("{name}.{side}"));
                names.into_iter().zip(live.tallies()).collect()
            }
            _ => Vec::new(),
        };
        let (mut sightings, violations) = (world.trace().take(), world.violations());
        if let Some((name, _)) = outlet {
            live::join(&mut sightings, name);
        }
        let (name, about) = (scenario.name.clone(), scenario.about.clone());
        let (checks, unseen) = (self.checks, self.unseen);
        let end = if broken.is_some() { world.now() } else { scenario.end };
        Outcome {
            name,
            about,
            seed,
            checks,
            violations,
            sightings,
            summaries,
            tallies,
            unseen,
            lines,
            broken,
            end,
        }
    }
}
