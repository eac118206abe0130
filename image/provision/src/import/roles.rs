//! Who is who: which interface is the wan's and which the lan's, and what is inside, as the rules show it.
//!
//! What goes out by the wan is masqueraded, and what goes out by the lan is not; the network whose packets are
//! masqueraded is the lan's.

use std::net::Ipv4Addr;

use super::matching::{Flow, Match, Port};
use super::model::{Condition, Hook, Rule, Ruleset, Verdict};
use super::sets::Prefix;
use super::walk::walk;

/// Who is who, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roles {
    pub(crate) wan: Option<String>,
    pub(crate) lan: Option<String>,
    pub(crate) lan_network: Option<Prefix>,
    pub(crate) wan_address: Option<Ipv4Addr>,
    /// The interfaces that rules name.
    pub(crate) named: Vec<String>,
}

/// Finds out what `known` does not know yet.
pub(crate) fn find(rules: &Ruleset, known: Roles) -> Roles {
    let mut roles = Roles { named: named(rules), ..known };
    let masqueraded = |port: &Port| masquerades(rules, port);
    let by_others = !masqueraded(&Port::Other).is_empty();
    let (out, kept): (Vec<_>, Vec<_>) =
        roles.named.iter().cloned().partition(|name| !masqueraded(&Port::Named(name.clone())).is_empty());
    if by_others {
        // Masqueraded is what goes out by any but the lan.
        roles.lan = roles.lan.or_else(|| single(&kept));
    } else {
        roles.wan = roles.wan.or_else(|| single(&out));
    }
    let port = roles.wan.clone().map_or(Port::Other, Port::Named);
    let networks = masqueraded(&port);
    if let (None, [(of, _), others @ ..]) = (roles.lan_network, networks.as_slice())
        && others.iter().all(|(other, _)| other.source == of.source)
        && let Some([network]) = of.source.positive()
    {
        roles.lan_network = Some(*network);
    }
    roles.wan_address =
        roles.wan_address.or_else(|| networks.iter().find_map(|(_, to)| to.and_then(Prefix::single)));
    roles.wan_address = roles.wan_address.or_else(|| called(rules));
    roles.lan = roles.lan.clone().or_else(|| speaks_for(rules, roles.lan_network?));
    let others = |role: &Option<String>| {
        let others: Vec<_> =
            roles.named.iter().filter(|name| Some(*name) != role.as_ref()).cloned().collect();
        role.as_ref().and_then(|_| single(&others))
    };
    let (lan, wan) = (others(&roles.wan), others(&roles.lan));
    roles.lan = roles.lan.or(lan);
    roles.wan = roles.wan.or(wan);
    roles
}

/// What is masqueraded of what goes out by an interface, and to which address.
fn masquerades(rules: &Ruleset, port: &Port) -> Vec<(Match, Option<Prefix>)> {
    let flow =
        Flow { hook: Hook::NatOut, input: Port::Unknown, output: port.clone(), from_wan: false, lan: None };
    let leaves = walk(rules, &flow).leaves.into_iter();
    leaves
        // What is masqueraded on the way to a certain host is a hairpin.
        .filter(|leaf| leaf.of.destination.positive().is_none())
        .filter_map(|leaf| match leaf.verdict {
            Verdict::Snat { to, .. } => Some((leaf.of, to)),
            _ => None,
        })
        .collect()
}

/// Every rule there is.
fn all(rules: &Ruleset) -> impl Iterator<Item = &Rule> {
    rules.chains.iter().flat_map(|chain| &chain.rules)
}

/// The interfaces that rules name, but for the loopback.
fn named(rules: &Ruleset) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    for condition in all(rules).flat_map(|rule| &rule.conditions) {
        let (Condition::In { names, .. } | Condition::Out { names, .. }) = condition else { continue };
        for name in names.iter().filter(|name| *name != "lo" && !name.ends_with(['+', '*'])) {
            if !named.contains(name) {
                named.push(name.clone());
            }
        }
    }
    named
}

/// The interface by which a network's packets come.
fn speaks_for(rules: &Ruleset, network: Prefix) -> Option<String> {
    let mut found = all(rules).filter_map(|rule| {
        let is_its = |it: &Condition| matches!(it, Condition::Source { not: false, prefixes } if prefixes == &[network]);
        rule.conditions.iter().find(|it| is_its(it))?;
        rule.conditions.iter().find_map(|it| match it {
            Condition::In { not: false, names } => single(names),
            _ => None,
        })
    });
    let first = found.next()?;
    found.all(|name| name == first).then_some(first)
}

/// The address that is called from outside.
fn called(rules: &Ruleset) -> Option<Ipv4Addr> {
    let forwards = all(rules).filter(|rule| matches!(rule.verdict, Verdict::Dnat { .. }));
    forwards.flat_map(|rule| &rule.conditions).find_map(|it| match it {
        Condition::Destination { not: false, prefixes } => match prefixes.as_slice() {
            [one] => one.single(),
            _ => None,
        },
        _ => None,
    })
}

fn single(names: &[String]) -> Option<String> {
    match names {
        [one] => Some(one.clone()),
        _ => None,
    }
}
