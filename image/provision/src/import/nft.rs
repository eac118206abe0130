//! The words of nftables, as both its text and its JSON have them: what a packet is asked for, and what becomes of it.
//!
//! Either notation is taken apart into *statements*: a key such as `tcp dport`, whether it must not be so, and the
//! values as the text notation writes them; or a verdict. What they mean is said here once.

use config::Rejection;

use super::iptables;
use super::model::{Condition, Hook, Place, Rule, State, Verdict};
use super::notes::{Fate, SIX};
use super::sets::{self, Prefix};

/// The named sets of a table: table, name, elements.
pub(crate) type Sets = Vec<(String, String, Vec<Element>)>;

/// Why nothing of a table, by its family and name, is asked about packets of ours.
pub(crate) fn aside(table: &str, dormant: &[&str]) -> Option<(Fate, String)> {
    if dormant.contains(&table) {
        return Some((Fate::Moot, "is of a dormant table, which nobody asks".to_owned()));
    }
    match table.split(' ').next().unwrap_or_default() {
        "ip" | "inet" => None,
        "ip6" => Some((Fate::Moot, SIX.to_owned())),
        family => Some((Fate::None, format!("only what is routed has rules, and not the family {family}"))),
    }
}

/// Said of a file whose rules have parts that only iptables knows.
pub(crate) const HIDDEN: &str = "does not show what iptables made (\"xt\"); iptables-save does";

/// An element of a set, and what a map leads it to.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) key: String,
    pub(crate) verdict: Option<Verdict>,
}

/// A rule in the making.
#[derive(Debug, Default)]
pub(crate) struct Building {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) comment: Option<String>,
    pub(crate) log: bool,
    pub(crate) verdict: Option<Verdict>,
    /// One rule for each, in place of the verdict.
    pub(crate) map: Option<(String, Vec<Element>)>,
}

impl Building {
    /// The rules that it is.
    pub(crate) fn finish(self, place: &Place, number: usize) -> Vec<Rule> {
        let Self { conditions, comment, log, verdict, map } = self;
        let verdict = verdict.unwrap_or(Verdict::Continue);
        let one = Rule { place: place.clone(), number, comment, conditions, log, verdict };
        let Some((key, elements)) = map else { return vec![one] };
        let branch = |element: Element| {
            let mut rule = one.clone();
            if element.key != "*" {
                rule.conditions.extend(condition(&key, false, &[element.key]));
            }
            rule.verdict = element.verdict.unwrap_or(Verdict::Continue);
            rule
        };
        elements.into_iter().map(branch).collect()
    }

    pub(crate) fn foreign(&mut self, text: impl Into<String>) {
        self.conditions.push(Condition::Foreign(text.into()));
    }

    /// A verdict that is not the last word of its rule, as `log` and what changes the packet.
    pub(crate) fn decide(&mut self, verdict: Verdict) {
        let is_weak = |it: &Verdict| matches!(it, Verdict::Ours(_) | Verdict::ClampMss);
        if self.verdict.as_ref().is_none_or(is_weak) {
            self.verdict = Some(verdict);
        }
    }
}

/// Where a chain is asked, by its type and hook; its priority makes the order.
pub(crate) fn hook(kind: &str, hook: &str) -> Hook {
    match (kind, hook) {
        ("nat", "prerouting") => Hook::NatIn,
        ("nat", "postrouting") => Hook::NatOut,
        ("filter", "forward") => Hook::Forward,
        ("filter", "input") => Hook::Input,
        (_, "output") => Hook::Output,
        _ => Hook::Elsewhere,
    }
}

/// A priority: `-150`, `filter`, `mangle + 10`.
pub(crate) fn priority(words: &[&str]) -> i64 {
    let base = |word: &str| match word {
        "raw" => Some(-300),
        "mangle" => Some(-150),
        "dstnat" => Some(-100),
        "filter" => Some(0),
        "security" => Some(50),
        "srcnat" => Some(100),
        other => other.parse::<i32>().ok().map(i64::from),
    };
    match words {
        [one] => base(one).unwrap_or(0),
        [name, "+", more, ..] => base(name).unwrap_or(0) + base(more).unwrap_or(0),
        [name, "-", less, ..] => base(name).unwrap_or(0) - base(less).unwrap_or(0),
        _ => 0,
    }
}

/// The values with what the sets of the table hold in their places.
pub(crate) fn resolve(values: Vec<String>, table: &str, sets: &Sets) -> Vec<String> {
    let mut all = Vec::new();
    for value in values {
        let named = value.strip_prefix('@').and_then(|name| find(table, name, sets));
        match named {
            Some(elements) => all.extend(elements.iter().map(|element| element.key.clone())),
            None => all.push(value),
        }
    }
    all
}

/// The elements of a named set or map.
pub(crate) fn find<'s>(table: &str, name: &str, sets: &'s Sets) -> Option<&'s [Element]> {
    let found = sets.iter().find(|(of, named, _)| of == table && named == name);
    found.map(|(_, _, elements)| elements.as_slice())
}

/// What one key and its values ask; several conditions if it asks for the protocol, too.
pub(crate) fn condition(key: &str, not: bool, values: &[String]) -> Vec<Condition> {
    let foreign = || {
        let not = if not { "!= " } else { "" };
        vec![Condition::Foreign(format!("{key} {not}{}", values.join(", ")))]
    };
    known(key, not, values).unwrap_or_else(foreign)
}

fn known(key: &str, not: bool, values: &[String]) -> Option<Vec<Condition>> {
    fn each<T>(values: &[String], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        values.iter().map(|value| parse(value)).collect()
    }
    let key = key.strip_prefix("meta ").unwrap_or(key);
    let one = |condition| Some(vec![condition]);
    match key {
        "iifname" | "iif" => one(Condition::In { not, names: values.to_vec() }),
        "oifname" | "oif" => one(Condition::Out { not, names: values.to_vec() }),
        "ip saddr" => one(Condition::Source { not, prefixes: each(values, addresses)?.concat() }),
        "ip daddr" => one(Condition::Destination { not, prefixes: each(values, addresses)?.concat() }),
        "l4proto" | "ip protocol" if !not => {
            let protocols = each(values, sets::protocol)?;
            match protocols.iter().all(|number| *number == 58) {
                true => one(Condition::SixOnly),
                false => one(Condition::Protocols(protocols)),
            }
        }
        "tcp dport" | "udp dport" | "th dport" | "tcp sport" | "udp sport" | "th sport" => {
            let (protocol, field) = key.split_once(' ')?;
            let ranges = match (not, each(values, sets::ports)?.as_slice()) {
                (false, ranges) => ranges.to_vec(),
                (true, [range]) => sets::other_ports(*range),
                (true, _) => return None,
            };
            let ports =
                if field == "dport" { Condition::Ports(ranges) } else { Condition::SourcePorts(ranges) };
            let protocol = sets::protocol(protocol).map(|number| Condition::Protocols(vec![number]));
            Some(protocol.into_iter().chain([ports]).collect())
        }
        "ct state" => one(Condition::State { not, states: each(values, iptables::state)? }),
        "ct status" => {
            let states = each(values, iptables::state)?;
            let known = states.iter().all(|it| matches!(it, State::Dnat | State::Snat));
            known.then(|| vec![Condition::State { not, states }])
        }
        "icmp type" if !not => Some(vec![
            Condition::Protocols(vec![1]),
            Condition::IcmpTypes(each(values, iptables::icmp_type)?),
        ]),
        "nfproto" | "protocol" if !not => {
            match values.iter().any(|it| matches!(it.as_str(), "ipv4" | "ip" | "2")) {
                true => Some(Vec::new()),
                false => one(Condition::SixOnly),
            }
        }
        "fib daddr type" if values == ["local"] => one(Condition::Local { not }),
        key if key.starts_with("ip6 ") || key.starts_with("icmpv6 ") => one(Condition::SixOnly),
        _ => None,
    }
}

/// The prefixes of an address, a prefix, or a range of addresses.
fn addresses(text: &str) -> Option<Vec<Prefix>> {
    let Some((first, last)) = text.split_once('-') else { return Prefix::parse(text).map(|it| vec![it]) };
    let (first, last) = (Prefix::parse(first)?.single()?.to_bits(), Prefix::parse(last)?.single()?.to_bits());
    let (mut at, end) = (u64::from(first), u64::from(last));
    let mut prefixes = Vec::new();
    while at <= end {
        let mut len = 32_u8;
        // The largest block that begins here and does not end beyond.
        while len > 0 {
            let size = 1_u64 << (33 - len);
            if !at.is_multiple_of(size) || at + size - 1 > end {
                break;
            }
            len -= 1;
        }
        prefixes.push(Prefix::new(u32::try_from(at).ok()?.into(), len)?);
        at += 1_u64 << (32 - len);
    }
    Some(prefixes)
}

/// `with icmp port-unreachable`, in words; without any it is that.
pub(crate) fn rejection(words: &[&str]) -> Verdict {
    let words: Vec<_> = words.iter().copied().filter(|word| !matches!(*word, "with" | "type")).collect();
    let how = match words.as_slice() {
        [] => Rejection::PortUnreachable,
        ["tcp", "reset"] => Rejection::TcpReset,
        ["icmp" | "icmpx", "port-unreachable"] => Rejection::PortUnreachable,
        ["icmp" | "icmpx", "host-unreachable"] => Rejection::HostUnreachable,
        ["icmp", "net-unreachable"] => Rejection::NetUnreachable,
        // In IPv4 that is what the kernel sends for "no route".
        ["icmpx", "no-route"] => Rejection::NetUnreachable,
        ["icmp", "prot-unreachable"] => Rejection::ProtocolUnreachable,
        ["icmp", "net-prohibited"] => Rejection::NetProhibited,
        ["icmp", "host-prohibited"] => Rejection::HostProhibited,
        ["icmp" | "icmpx", "admin-prohibited"] => Rejection::AdminProhibited,
        other => return Verdict::Foreign(format!("reject with {}", other.join(" "))),
    };
    Verdict::Reject(how)
}
