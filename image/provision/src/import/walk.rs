//! The way of a flow through the chains: every rule that a packet of it can come to, in the order in which they are
//! asked, with jumps followed and all that was asked on the way.
//!
//! What returns from a chain under a condition is followed to where it goes on, before what does not. Several chains may
//! have one hook; what the first accepts the next is asked about. Loops are found by their names, and whatever would take
//! too long is left at a named place: nothing here depends on the good will of who wrote the rules.

use super::matching::{Flow, Match, Never};
use super::model::{Chain, Place, Rule, Ruleset, Verdict};

/// The most rules that are looked at on one way, some of them many times.
const MAX_STEPS: usize = 20_000;
/// The deepest that chains jump; nftables allows 16.
const MAX_DEPTH: usize = 32;
/// The most chains that are followed within each other, those that packets have come back to among them.
const MAX_NESTED: usize = 200;

/// What a flow meets.
#[derive(Debug, Default)]
pub(crate) struct Met<'r> {
    pub(crate) leaves: Vec<Leaf<'r>>,
    /// The rules that none of its packets come to, and why.
    pub(crate) never: Vec<(&'r Rule, Never)>,
    /// The rules that lead to chains.
    pub(crate) jumps: Vec<&'r Rule>,
    /// What could not be followed, and why.
    pub(crate) faults: Vec<(Place, String)>,
    steps: usize,
    nested: usize,
}

/// A rule that decides about some packets, or the policy of a chain.
#[derive(Clone, Debug)]
pub(crate) struct Leaf<'r> {
    pub(crate) place: Place,
    /// What to call it.
    pub(crate) name: String,
    /// The rule, unless it is a policy.
    pub(crate) rule: Option<&'r Rule>,
    pub(crate) of: Match,
    pub(crate) verdict: Verdict,
    pub(crate) log: bool,
}

/// Where a packet is: the chains that it has to come back to.
#[derive(Clone)]
struct Way<'r> {
    /// Which of the hook's chains.
    base: usize,
    /// Outer chains, and the rules that are next there.
    outer: Vec<(&'r Chain, usize)>,
}

/// Everything that a flow meets.
pub(crate) fn walk<'r>(rules: &'r Ruleset, flow: &Flow) -> Met<'r> {
    let mut walker = Walker { rules, flow, bases: rules.at(flow.hook), met: Met::default() };
    walker.enter(0, &Match::all());
    walker.met
}

struct Walker<'r, 'f> {
    rules: &'r Ruleset,
    flow: &'f Flow,
    bases: Vec<&'r Chain>,
    met: Met<'r>,
}

impl<'r> Walker<'r, '_> {
    /// Into one of the hook's chains. The end of the last is that all is accepted.
    fn enter(&mut self, base: usize, of: &Match) {
        let Some(chain) = self.bases.get(base).copied() else { return };
        let way = Way { base, outer: Vec::new() };
        if !self.follow(chain, 0, of, &way) {
            self.end(chain, of, &way);
        }
    }

    /// What no rule of a hook's chain has decided about.
    fn end(&mut self, chain: &'r Chain, of: &Match, way: &Way<'r>) {
        let leaf = Leaf {
            place: chain.place.clone(),
            name: format!("{} policy", chain.name),
            rule: None,
            of: of.clone(),
            verdict: chain.policy.clone(),
            log: false,
        };
        self.decide(leaf, way);
    }

    fn decide(&mut self, leaf: Leaf<'r>, way: &Way<'r>) {
        let goes_on = matches!(leaf.verdict, Verdict::Accept) && way.base + 1 < self.bases.len();
        if !goes_on {
            return self.met.leaves.push(leaf);
        }
        if leaf.log {
            self.met.leaves.push(Leaf { verdict: Verdict::Continue, ..leaf.clone() });
        }
        self.enter(way.base + 1, &leaf.of);
    }

    /// From one rule of a chain on. Whether all packets are decided about.
    fn follow(&mut self, chain: &'r Chain, from: usize, of: &Match, way: &Way<'r>) -> bool {
        self.met.nested += 1;
        let decided = self.follow_rules(chain, from, of, way);
        self.met.nested -= 1;
        decided
    }

    fn follow_rules(&mut self, chain: &'r Chain, from: usize, of: &Match, way: &Way<'r>) -> bool {
        for (index, rule) in chain.rules.iter().enumerate().skip(from) {
            self.met.steps += 1;
            if self.met.steps > MAX_STEPS || self.met.nested > MAX_NESTED {
                self.fault(rule, "is behind more ways than can be followed");
                return true;
            }
            let both = match of.and(&rule.conditions, self.flow) {
                Ok(both) => both,
                Err(never) => {
                    self.met.never.push((rule, never));
                    continue;
                }
            };
            if rule.verdict == Verdict::Return && both == *of && !way.outer.is_empty() {
                // As at the end of the chain.
                self.met.jumps.push(rule);
                return false;
            }
            let decided = self.apply(chain, index, rule, &both, way);
            if decided && both == *of {
                return true;
            }
        }
        false
    }

    /// One rule, of packets that it matches. Whether all of them are decided about.
    fn apply(&mut self, chain: &'r Chain, index: usize, rule: &'r Rule, both: &Match, way: &Way<'r>) -> bool {
        let leaf = |verdict: Verdict| Leaf {
            place: rule.place.clone(),
            name: format!("{} {}", chain.name, rule.number),
            rule: Some(rule),
            of: both.clone(),
            verdict,
            log: rule.log,
        };
        let (target, is_goto) = match &rule.verdict {
            Verdict::Jump(name) => (name, false),
            Verdict::Goto(name) => (name, true),
            Verdict::Return => {
                if way.outer.is_empty() {
                    self.decide(leaf(chain.policy.clone()), way);
                } else {
                    self.met.jumps.push(rule);
                    // All of them go back: whoever called us goes on with them.
                    if !both.foreign.is_empty() {
                        self.fault(rule, "leaves its chain for a reason that has no counterpart");
                        return true;
                    }
                    self.resume(both, way);
                }
                return true;
            }
            verdict => {
                let ends = matches!(
                    verdict,
                    Verdict::Accept
                        | Verdict::Drop
                        | Verdict::Reject(_)
                        | Verdict::Dnat { .. }
                        | Verdict::Snat { .. }
                );
                self.decide(leaf(verdict.clone()), way);
                return ends;
            }
        };
        if rule.log {
            self.met.leaves.push(leaf(Verdict::Continue));
        }
        self.met.jumps.push(rule);
        let Some(next) = self.rules.find(&chain.table, target) else {
            self.fault(rule, "leads to a chain that is not there");
            return false;
        };
        let is_open = |chain: &&Chain| std::ptr::eq(*chain, next);
        if is_open(&chain) || way.outer.iter().any(|(chain, _)| is_open(chain)) {
            self.fault(rule, "leads back to where it came from");
            return false;
        }
        if way.outer.len() >= MAX_DEPTH {
            self.fault(rule, "leads deeper than any firewall goes");
            return false;
        }
        let mut inner = way.clone();
        inner.outer.push((chain, if is_goto { usize::MAX } else { index + 1 }));
        let decided = self.follow(next, 0, both, &inner);
        if !is_goto || decided {
            return decided;
        }
        // What comes to the end goes back to who called us, or to the policy.
        if way.outer.is_empty() {
            self.end(chain, both, way);
        } else {
            self.resume(both, way);
        }
        true
    }

    /// Back to the outer chains.
    fn resume(&mut self, of: &Match, way: &Way<'r>) {
        let mut way = way.clone();
        while let Some((chain, next)) = way.outer.pop() {
            if self.follow(chain, next, of, &way) {
                return;
            }
            if way.outer.is_empty() {
                self.end(chain, of, &way);
            }
        }
    }

    fn fault(&mut self, rule: &Rule, why: &str) {
        let fault = (rule.place.clone(), why.to_owned());
        if !self.met.faults.contains(&fault) {
            self.met.faults.push(fault);
        }
    }
}
