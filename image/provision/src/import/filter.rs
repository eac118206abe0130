//! From filter rules to ours, one direction at a time.
//!
//! A rule is left out where it would say what happens anyway: at the end of a direction, where it accepts what would be
//! accepted, or drops what would be dropped. A line in the log that stands before its verdict goes into that rule.

use config::{Action, Addresses, Direction, Forward, PortRange, Rejection, Rule, RuleProtocol};

use super::draft::Making;
use super::matching::Match;
use super::model::{Hook, Place, Verdict};
use super::notes::Fate;
use super::walk::{Leaf, walk};

/// What is to become of some packets.
struct Decision {
    place: Place,
    name: String,
    is_policy: bool,
    of: Match,
    action: Action,
    log: bool,
}

impl Decision {
    fn is_of_all(&self) -> bool {
        self.of == Match::all()
    }
}

/// All rules of a direction.
pub(crate) fn direction(making: &mut Making<'_>, direction: Direction) {
    let hook = match direction {
        Direction::LanToWan | Direction::WanToLan => Hook::Forward,
        Direction::LanToBox | Direction::WanToBox => Hook::Input,
    };
    let from_wan = matches!(direction, Direction::WanToLan | Direction::WanToBox);
    let flow = making.flow(hook, from_wan);
    let met = walk(making.rules, &flow);
    let mut decisions = decide(making, &met.leaves);
    making.tell_rest(&met);
    leave_out(making, &mut decisions, direction);
    for decision in decisions {
        take(making, &decision, direction);
    }
}

/// The leaves that decide, with the lines that they write.
fn decide(making: &mut Making<'_>, leaves: &[Leaf<'_>]) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = Vec::new();
    let mut logged: Option<&Leaf<'_>> = None;
    for leaf in leaves {
        let action = match &leaf.verdict {
            Verdict::Accept => Action::Accept,
            Verdict::Drop => Action::Drop,
            Verdict::Reject(how) => Action::Reject(*how),
            Verdict::Continue if leaf.log => {
                unlogged(making, logged.replace(leaf));
                continue;
            }
            Verdict::Continue if leaf.of.foreign.is_empty() => {
                making.notes.add(&leaf.place, Fate::Moot, "counts, and nothing else");
                continue;
            }
            Verdict::Continue => {
                making.foreign(leaf);
                continue;
            }
            verdict => {
                making.aside(leaf, verdict);
                continue;
            }
        };
        if !leaf.of.foreign.is_empty() {
            making.foreign(leaf);
            continue;
        }
        let mut log = leaf.log;
        if let Some(before) = logged.take() {
            // How often it is told is limited by itself.
            if (Match { rate: None, ..before.of.clone() }) == (Match { rate: None, ..leaf.of.clone() }) {
                log = true;
                making.notes.add(
                    &before.place,
                    Fate::Taken,
                    format!("log = true of what \"{}\" decides", leaf.name),
                );
            } else {
                unlogged(making, Some(before));
            }
        }
        let comment = leaf.rule.and_then(|rule| rule.comment.clone());
        let name = comment.map_or_else(|| leaf.name.clone(), |it| it.trim_start_matches("!fw4: ").to_owned());
        let (place, of) = (leaf.place.clone(), leaf.of.clone());
        decisions.push(Decision { place, name, is_policy: leaf.rule.is_none(), of, action, log });
    }
    unlogged(making, logged);
    decisions
}

fn unlogged(making: &mut Making<'_>, leaf: Option<&Leaf<'_>>) {
    if let Some(leaf) = leaf {
        making.notes.add(&leaf.place, Fate::None, "a rule tells of what it decides, and of nothing else");
    }
}

/// Leaves out at the end what happens anyway.
fn leave_out(making: &mut Making<'_>, decisions: &mut Vec<Decision>, direction: Direction) {
    let is_silent = |it: &Decision| !it.log && it.of.rate.is_none();
    if direction == Direction::WanToLan {
        let shut: Vec<_> = (making.draft.forwards.iter())
            .zip(&making.forward_places)
            .filter(|(forward, _)| !decisions.iter().any(|it| lets_in(it, forward)))
            .map(|(forward, place)| (forward.clone(), place.clone()))
            .collect();
        let last = decisions.last().filter(|it| it.is_of_all());
        let refuses = last.is_some_and(|it| it.action != Action::Accept);
        for (forward, place) in shut.iter().filter(|_| refuses) {
            let (host, ports, name) =
                (forward.internal(), forward.internal_ports(), last.map_or("", |it| &it.name));
            let text = format!(
                "\"{name}\" keeps it shut, as it was; a rule before that opens it: accept wan-to-lan to {host} port {ports}"
            );
            making.notes.add(place, Fate::Note, text);
        }
        if shut.is_empty()
            && let Some(last) =
                decisions.pop_if(|it| it.is_of_all() && it.action == Action::Drop && is_silent(it))
        {
            making.notes.add(&last.place, Fate::Ours, "what no forward leads inside is dropped");
        }
    }
    let is_box = matches!(direction, Direction::LanToBox | Direction::WanToBox);
    let is_anyway =
        |it: &mut Decision| it.action == Action::Accept && is_silent(it) && (!is_box || it.is_of_all());
    while let Some(last) = decisions.pop_if(is_anyway) {
        if !last.is_policy {
            making.notes.add(&last.place, Fate::Ours, format!("{} is accepted anyway", direction.name()));
        }
    }
}

/// Whether all that a forward leads inside is accepted.
fn lets_in(decision: &Decision, forward: &Forward) -> bool {
    let Match { source, destination, protocols, source_ports, ports, rate, .. } = &decision.of;
    let wanted = forward.protocols();
    let has = |number: u8| protocols.as_ref().is_none_or(|all| all.contains(&number));
    let internal = forward.internal_ports();
    let covers =
        |range: &PortRange| range.contains(internal.first().get()) && range.contains(internal.last().get());
    let host = super::sets::Prefix::host(forward.internal());
    decision.action == Action::Accept
        && source.is_all()
        && source_ports.is_none()
        && rate.is_none()
        && destination.within(host).is_all()
        && (!wanted.tcp() || has(6))
        && (!wanted.udp() || has(17))
        && ports.as_ref().is_none_or(|all| all.iter().any(covers))
}

/// One decision as rules of ours.
fn take(making: &mut Making<'_>, decision: &Decision, direction: Direction) {
    match rules(making, decision, direction) {
        Ok(rules) => {
            let names: Vec<_> = rules.iter().map(|rule| format!("rule \"{}\"", rule.name)).collect();
            making.notes.add(
                &decision.place,
                Fate::Taken,
                format!("{}, {}", names.join(", "), direction.name()),
            );
            let has_ports = rules.iter().any(|rule| rule.port.is_some());
            if direction == Direction::LanToBox && decision.action == Action::Accept && has_ports {
                making.notes.add(&decision.place, Fate::Note, "the box has nothing behind it");
            }
            if direction == Direction::WanToBox && decision.action == Action::Accept && has_ports {
                making.notes.add(&decision.place, Fate::Note, "the box has nothing behind it");
            }
            making.filter.extend(rules);
        }
        Err(why) => making.notes.add(&decision.place, Fate::None, why),
    }
}

fn rules(
    making: &mut Making<'_>,
    decision: &Decision,
    direction: Direction,
) -> Result<Vec<Rule>, &'static str> {
    let Match { source, destination, protocols, source_ports, ports, rate, .. } = &decision.of;
    let names_ports = source_ports.is_some() || ports.is_some();
    let protocols = match (protocols.as_deref(), decision.action) {
        (all, Action::Reject(Rejection::TcpReset)) if all.is_none_or(|all| all.contains(&6)) => {
            vec![RuleProtocol::Tcp]
        }
        (None, _) if names_ports => vec![RuleProtocol::Both],
        (None, _) => vec![RuleProtocol::Any],
        (Some([6, 17] | [17, 6]), _) => vec![RuleProtocol::Both],
        (Some(all), _) => all.iter().map(|number| RuleProtocol::of_number(*number)).collect(),
    };
    if names_ports && protocols.iter().any(|it| !it.has_ports()) {
        return Err("only tcp and udp have ports");
    }
    let (Some(sources), Some(destinations)) = (source.rules(), destination.rules()) else {
        return Err("all addresses but those of one prefix can be named, not all but those of several");
    };
    let ranges = |set: &Option<Vec<PortRange>>| match set {
        None => vec![None],
        Some(all) => all.iter().copied().map(Some).collect(),
    };
    let (source_ports, ports) = (ranges(source_ports), ranges(ports));
    let mut rules = Vec::new();
    let each = |source: Addresses, destination: Addresses| (source, destination);
    let ends = sources.iter().flat_map(|source| destinations.iter().map(|it| each(*source, *it)));
    for (source, destination) in ends {
        for protocol in &protocols {
            for source_port in &source_ports {
                for port in &ports {
                    rules.push(Rule {
                        name: making.rule_name(&decision.name).ok_or("has no name")?,
                        direction,
                        protocol: *protocol,
                        source,
                        source_port: *source_port,
                        destination,
                        port: *port,
                        action: decision.action,
                        rate: *rate,
                        log: decision.log,
                    });
                }
            }
        }
    }
    Ok(rules)
}
