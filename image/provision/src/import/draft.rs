//! What is being made: the settings so far, the names that are taken, and what is to be told.

use std::collections::BTreeSet;

use config::{Draft, InterfaceAddress, Name, PortRange, Rule};

use super::matching::{Flow, Never, Port};
use super::model::{Condition, Hook, Place, Ruleset, Verdict};
use super::notes::{Fate, Notes, SIX};
use super::roles::Roles;
use super::translation::name;
use super::walk::{Leaf, Met};

/// A configuration in the making.
pub(crate) struct Making<'r> {
    pub(crate) rules: &'r Ruleset,
    pub(crate) roles: Roles,
    pub(crate) notes: Notes,
    pub(crate) draft: Draft,
    pub(crate) wan_address: Option<InterfaceAddress>,
    pub(crate) lan_address: Option<InterfaceAddress>,
    pub(crate) ports: Option<PortRange>,
    /// Where the forwards were, in their order.
    pub(crate) forward_places: Vec<Place>,
    pub(crate) filter: Vec<Rule>,
    pub(crate) names: BTreeSet<String>,
}

impl<'r> Making<'r> {
    /// The interface of a side.
    pub(crate) fn port(&self, is_wan: bool) -> Port {
        let name = if is_wan { &self.roles.wan } else { &self.roles.lan };
        name.clone().map_or(Port::Other, Port::Named)
    }

    /// A way from one side, to the other or to the box.
    pub(crate) fn flow(&self, hook: Hook, from_wan: bool) -> Flow {
        let output =
            if hook == Hook::Forward || hook == Hook::NatOut { self.port(!from_wan) } else { Port::Unknown };
        Flow { hook, input: self.port(from_wan), output, from_wan, lan: self.roles.lan_network }
    }

    /// Tells of what no packet comes to, of what leads elsewhere, and of what could not be followed.
    pub(crate) fn tell_rest(&mut self, met: &Met<'r>) {
        for (rule, never) in &met.never {
            let (fate, text) = match (never, &rule.verdict) {
                (Never::Session, Verdict::Drop | Verdict::Reject(_)) => {
                    (Fate::None, "what belongs to a session passes, whatever the rules")
                }
                (Never::Session, _) => (Fate::Ours, "what belongs to a session passes"),
                (Never::Invalid, Verdict::Accept) => (Fate::None, "what can begin no session is dropped"),
                (Never::Invalid, _) => (Fate::Ours, "what can begin no session is dropped"),
                (Never::Interface, _) => (Fate::Moot, "is about another way, or another interface"),
                (Never::Six, _) => (Fate::Moot, SIX),
                (Never::Absent, _) => (Fate::Moot, "no such packet comes that way"),
            };
            let is_loopback = |it: &Condition| matches!(it, Condition::In { not: false, names } | Condition::Out { not: false, names } if names == &["lo"]);
            match rule.conditions.iter().any(is_loopback) {
                true => self.notes.add(
                    &rule.place,
                    Fate::Ours,
                    "nobody is asked about what the box says to itself",
                ),
                false => self.notes.add(&rule.place, fate, text),
            }
        }
        for rule in &met.jumps {
            self.notes.add(&rule.place, Fate::Taken, "followed");
            if rule.conditions.iter().any(|it| matches!(it, Condition::Rate(_))) {
                self.notes.add(
                    &rule.place,
                    Fate::Note,
                    "each of the rules that it leads to has that rate for itself",
                );
            }
        }
        for (place, why) in &met.faults {
            self.notes.add(place, Fate::None, why.clone());
        }
    }

    /// Tells of a rule with conditions that we cannot ask.
    pub(crate) fn foreign(&mut self, leaf: &Leaf<'_>) {
        let text = format!("nothing asks for: {}", leaf.of.foreign.join("; "));
        self.notes.add(&leaf.place, Fate::None, text);
    }

    /// Tells of a verdict that becomes no setting.
    pub(crate) fn aside(&mut self, leaf: &Leaf<'_>, verdict: &Verdict) {
        let (fate, text) = match verdict {
            Verdict::ClampMss => (Fate::Ours, "nat.clamp-mss, which is the default".to_owned()),
            Verdict::Ours(why) => (Fate::Ours, (*why).to_owned()),
            Verdict::Foreign(text) => (Fate::None, format!("nothing does: {text}")),
            Verdict::Continue if leaf.log => (Fate::None, "a NAT tells of nothing".to_owned()),
            Verdict::Continue => (Fate::Moot, "counts, and nothing else".to_owned()),
            Verdict::Accept | Verdict::Return if leaf.rule.is_none() => return,
            Verdict::Accept | Verdict::Return => (Fate::Ours, "is so anyway".to_owned()),
            _ => (Fate::None, "does not belong into its chain".to_owned()),
        };
        self.notes.add(&leaf.place, fate, text);
    }

    /// A name for a forward: its comment, or else what it is.
    pub(crate) fn forward_name(&mut self, leaf: &Leaf<'_>, what: &str) -> Result<Name, String> {
        let comment = leaf.rule.and_then(|rule| rule.comment.clone());
        let comment = comment.map(|it| it.trim_start_matches("!fw4: ").to_owned());
        let taken =
            |name: &Name, making: &Self| making.draft.forwards.iter().any(|other| other.name() == name);
        for text in comment.iter().map(String::as_str).chain([what]) {
            if let Some(name) = name(text).filter(|name| !taken(name, self)) {
                return Ok(name);
            }
        }
        Err("another forward has its ports already".to_owned())
    }

    /// A name for a rule that no other has.
    pub(crate) fn rule_name(&mut self, wanted: &str) -> Option<Name> {
        let wanted = name(wanted).or_else(|| name("rule"))?;
        let numbered = |n: usize| match n {
            1 => Some(wanted.clone()),
            n => {
                let end = format!(" ({n})");
                let room = 31_usize.saturating_sub(end.len());
                name(&format!("{}{end}", wanted.as_str().get(..room).unwrap_or(wanted.as_str())))
            }
        };
        let free = (1..).filter_map(numbered).find(|name| !self.names.contains(name.as_str()))?;
        self.names.insert(free.as_str().to_owned());
        Some(free)
    }
}
