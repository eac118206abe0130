//! A scenario around a router that is not of this world: a booted image, or any other box on two sockets.
//!
//! Its hosts, links and steps are as written. What it does to the router itself nobody can do here, and is refused; what
//! it expects of that router's tables and counters nobody can look at, and is told.

use std::net::Ipv4Addr;

use config::Config;
use router::Side;

use super::{Act, Kind, Outcome, Plan, Scenario, Step, play};
use crate::live::Lines;
use crate::replay::likeness::{Seen, pairs};
use crate::routing::Size;
use crate::trace::Sighting;

/// The router of a scenario that is to be somewhere else.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// Its name.
    pub router: String,
    /// What it has to work by.
    pub config: Box<Config>,
    /// What the scenario says of it that is not in its configuration, and so cannot be seen to.
    pub notes: Vec<String>,
}

impl Foreign {
    /// Its own addresses, lan first.
    pub fn addresses(&self) -> [Ipv4Addr; 2] {
        [self.config.lan().address().address(), self.config.wan().address().address()]
    }
}

/// The router of a scenario that can be somewhere else: the one of that name, or the only one.
///
/// # Errors
/// Which one must be named, or which step does something to it that cannot be done.
pub fn foreign(scenario: &Scenario, name: Option<&str>) -> Result<Foreign, String> {
    let is_router = |plan: &&Plan| matches!(plan.kind, Kind::Router { .. });
    let routers: Vec<_> = scenario.nodes.iter().filter(is_router).collect();
    let names = || routers.iter().map(|plan| &plan.name[..]).collect::<Vec<_>>().join(", ");
    let chosen = match (name, &routers[..]) {
        (_, []) => return Err(format!("{} has no router that could be somewhere else", scenario.name)),
        (None, [only]) => only,
        (None, _) => {
            return Err(format!(
                "{} has several routers; `sekisho-sim live` can be told which one, by --router: {}",
                scenario.name,
                names()
            ));
        }
        (Some(name), all) => all.iter().find(|plan| plan.name == name).ok_or_else(|| {
            format!("{name:?} is no router of {}; choose one of {}", scenario.name, names())
        })?,
    };
    let Plan { name, kind } = chosen;
    let wrong: Vec<_> = scenario.steps.iter().filter_map(|step| undoable(step, name)).collect();
    if !wrong.is_empty() {
        return Err(format!("{}: {name} is not ours to change: {}", scenario.name, wrong.join("; ")));
    }
    let Kind::Router { config, size, clock, mtu } = kind else {
        unreachable!("only routers are among the routers")
    };
    let mut notes = Vec::new();
    if *size != Size::default() {
        notes.push(format!("{name} is to have room for {} sessions", size.sessions()));
    }
    if !clock.is_zero() {
        notes.push(format!("{name}'s clock is to show {clock:?} at the beginning"));
    }
    if *mtu != [1500; 2] {
        notes.push(format!("{name}'s links are to carry {} and {} bytes", mtu[0], mtu[1]));
    }
    Ok(Foreign { router: name.clone(), config: config.clone(), notes })
}

/// What a step does to a router, if it does.
fn undoable(step: &Step, name: &str) -> Option<String> {
    let (router, what) = match &step.act {
        Act::Reboot { router } => (router, "reboots it".to_owned()),
        Act::Address { router, address, .. } => (router, format!("gives it the address {address}")),
        Act::RemoveForward { router, forward } => (router, format!("takes the forward {forward:?} away")),
        _ => return None,
    };
    (router == name).then(|| format!("the step in line {} {what}", step.line))
}

/// Plays a scenario in real time, from now on: its hosts, switches and links, but the box at the other end of the lines in
/// the place of the router. What it comes to does not follow from the seed alone.
pub fn play_live(scenario: &Scenario, seed: u64, foreign: &Foreign, lines: Lines) -> Outcome {
    play::play_live(scenario, seed, &foreign.router, lines)
}

/// Makes one packet of what came to a router that nobody could look into, and what left it and is like that.
pub(super) fn join(sightings: &mut [Sighting], router: &str) {
    let side = |sighting: &Sighting| {
        let (name, side) = sighting.tap.rsplit_once('.')?;
        Side::ALL.into_iter().find(|it| name == router && it.to_string() == side)
    };
    let of_router: Vec<_> =
        sightings.iter().enumerate().filter_map(|(at, sighting)| Some((at, side(sighting)?))).collect();
    let seen = of_router.iter().map(|(at, side)| {
        let Sighting { at, way, frame, .. } = &sightings[*at];
        Seen { at: *at, side: *side, way: *way, frame }
    });
    let pairs = pairs(&seen.collect::<Vec<_>>());
    for (first, then) in pairs.into_iter().enumerate() {
        if let Some(then) = then {
            sightings[of_router[then].0].packet = sightings[of_router[first].0].packet;
        }
    }
}
