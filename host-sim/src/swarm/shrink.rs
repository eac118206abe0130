//! Making a scenario smaller that fails.
//!
//! Whatever can be left out is left out if the rest still fails in the same way: steps by halves, then one by one, then
//! repetitions, faults, links' qualities and nodes that nobody speaks of. Every node and link draws from its own stream,
//! so what is left behaves as it did.

use crate::link::{Faults, Quality};
use crate::scenario::{Act, Kind, Scenario, play};

use super::{LIVENESS, fault};

/// No more than this many attempts: a scenario that is nearly as small as it can be is good enough.
const ATTEMPTS: usize = 400;

/// The smallest scenario found that fails as `scenario` does with `seed`.
pub fn shrink(scenario: &Scenario, seed: u64) -> Scenario {
    let Some(wrong) = fault(&play(scenario, seed)) else { return scenario.clone() };
    let mut search = Search { best: scenario.clone(), seed, wrong, left: ATTEMPTS };
    search.steps();
    search.repetitions();
    search.links();
    if wrong != LIVENESS {
        search.nodes();
    }
    search.best
}

struct Search {
    best: Scenario,
    seed: u64,
    wrong: &'static str,
    left: usize,
}

impl Search {
    /// Keeps a smaller scenario if it fails in the same way.
    fn attempt(&mut self, smaller: Scenario) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        // Who does not live because nobody lets him is no bug.
        if self.wrong == LIVENESS && !is_peaceful(&smaller) {
            return false;
        }
        let fails = fault(&play(&smaller, self.seed)) == Some(self.wrong);
        if fails {
            self.best = smaller;
        }
        fails
    }

    /// Leaves out runs of steps, half of them first.
    fn steps(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < self.best.steps.len() {
                let mut smaller = self.best.clone();
                let end = smaller.steps.len().min(at + size);
                smaller.steps.drain(at..end);
                if !is_sound(&smaller) || !self.attempt(smaller) {
                    at += size;
                }
            }
            size /= 2;
        }
    }

    fn repetitions(&mut self) {
        for at in 0..self.best.steps.len() {
            while self.best.steps[at].count > 1 {
                let mut smaller = self.best.clone();
                smaller.steps[at].count /= 2;
                if !self.attempt(smaller) {
                    break;
                }
            }
        }
    }

    fn links(&mut self) {
        for at in 0..self.best.links.len() {
            let mut smaller = self.best.clone();
            let plan = &mut smaller.links[at];
            (plan.quality, plan.faults) = (Quality::default(), Faults::default());
            self.attempt(smaller);
        }
    }

    /// Leaves out what is plugged in and of which no step speaks.
    fn nodes(&mut self) {
        for name in self.best.nodes.iter().map(|plan| plan.name.clone()).collect::<Vec<_>>() {
            let mut smaller = self.best.clone();
            let node = smaller.nodes.iter().find(|plan| plan.name == name);
            if node.is_some_and(|plan| matches!(plan.kind, Kind::Host { .. } | Kind::Station { .. })) {
                smaller.nodes.retain(|plan| plan.name != name);
                smaller.links.retain(|link| link.ends.iter().all(|end| end.node != name));
                if is_sound(&smaller) {
                    self.attempt(smaller);
                }
            }
        }
    }
}

/// Whether everything that steps speak of is there.
fn is_sound(scenario: &Scenario) -> bool {
    let mut connections = Vec::new();
    let is_node = |name: &String| scenario.nodes.iter().any(|plan| plan.name == *name);
    let is_link = |name: &String| scenario.links.iter().any(|plan| plan.name == *name);
    scenario.steps.iter().all(|step| match &step.act {
        Act::Connect { host, name, .. } | Act::Listen { host, name, .. } => {
            connections.push(name.clone());
            is_node(host)
        }
        Act::Send { on, .. }
        | Act::Receive { on, .. }
        | Act::Close { on }
        | Act::Abort { on }
        | Act::KeepAlive { on, .. }
        | Act::Is { on, .. } => connections.contains(on),
        Act::Ping { host: node, .. }
        | Act::Serve { host: node, .. }
        | Act::Udp { host: node, .. }
        | Act::Hear { host: node, .. }
        | Act::Packet { station: node, .. }
        | Act::Address { router: node, .. }
        | Act::RemoveForward { router: node, .. }
        | Act::Reboot { router: node } => is_node(node),
        Act::SetUp { link, .. } | Act::SetQuality { link, .. } => is_link(link),
        Act::SetFaults { .. } => true,
    })
}

/// Whether in the end faults are off and links up.
fn is_peaceful(scenario: &Scenario) -> bool {
    let mut down = Vec::new();
    let mut faulty = true;
    for step in &scenario.steps {
        match &step.act {
            Act::SetUp { link, up } => {
                down.retain(|other| *other != link);
                down.extend((!up).then_some(link));
            }
            Act::SetFaults { on } => faulty = *on,
            _ => (),
        }
    }
    down.is_empty() && !faulty
}
