//! Listings for people: what `iptables -L` prints, made into the words that `iptables-save` would have written.
//!
//! A listing does not name its table, but the chains that it has tell. Without `-v` it does not show interfaces, and
//! without them a filter cannot be understood; a NAT table mostly can, but for what leaves a chain: that may be about some
//! interface, so nobody is kept from what follows it.

use std::rc::Rc;

use super::iptables;
use super::model::{Place, Rule, Ruleset, Verdict};
use super::notes::{Fate, Notes};
use super::words;

const BUILT_IN: [&str; 5] = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];

/// Reads a whole file.
///
/// # Errors
/// What the listing would have to show besides.
pub(crate) fn read(file: usize, text: &str, into: &mut Ruleset, notes: &mut Notes) -> Result<(), String> {
    let lines: Vec<_> = text.lines().enumerate().collect();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let len = one_table(rest);
        let (table, others) = rest.split_at(len);
        read_table(file, table, into, notes)?;
        rest = others;
    }
    Ok(())
}

/// How many lines belong to the first table.
fn one_table(lines: &[(usize, &str)]) -> usize {
    let mut seen: Vec<&str> = Vec::new();
    for (at, (_, line)) in lines.iter().enumerate() {
        let Some(name) = chain_name(line) else { continue };
        let is_built_in = BUILT_IN.contains(&name);
        let user_before = seen.iter().any(|it| !BUILT_IN.contains(it));
        let out_of_order = match name {
            "PREROUTING" => !seen.is_empty(),
            "INPUT" | "FORWARD" => seen.contains(&"POSTROUTING"),
            _ => false,
        };
        if is_built_in && (user_before || out_of_order || seen.contains(&name)) {
            return at;
        }
        seen.push(name);
    }
    lines.len()
}

/// The chain whose heading a line is.
fn chain_name(line: &str) -> Option<&str> {
    line.strip_prefix("Chain ")?.split_whitespace().next()
}

fn read_table(
    file: usize,
    lines: &[(usize, &str)],
    into: &mut Ruleset,
    notes: &mut Notes,
) -> Result<(), String> {
    let names: Vec<_> = lines.iter().filter_map(|(_, line)| chain_name(line)).collect();
    let has = |name: &str| names.contains(&name);
    let table = match (has("FORWARD"), has("PREROUTING") || has("POSTROUTING"), has("POSTROUTING")) {
        (true, true, _) => "mangle",
        (true, false, _) => "filter",
        (false, true, true) => "nat",
        (false, true, false) if has("INPUT") => "nat",
        (false, true, false) => "raw",
        (false, false, _) => "filter",
    };
    let (mut chain, mut is_blind) = (String::new(), false);
    let mut columns: Vec<&str> = Vec::new();
    for (index, line) in lines {
        let place = Place {
            file,
            line: index + 1,
            text: Rc::from(line.split_whitespace().collect::<Vec<_>>().join(" ")),
        };
        if let Some(name) = chain_name(line) {
            name.clone_into(&mut chain);
            let policy = line.split_once("(policy ").and_then(|(_, rest)| rest.split([' ', ')']).next());
            iptables::declare(into, table, name, policy.unwrap_or("-"), place, notes);
        } else if line.contains("target") && line.contains("destination") {
            columns = line.split_whitespace().collect();
        } else if !line.trim().is_empty() {
            if !columns.contains(&"in") && table == "filter" {
                let line = index + 1;
                return Err(format!(
                    "line {line}: does not show interfaces; list it with -v, or give iptables-save"
                ));
            }
            is_blind |= !columns.contains(&"in");
            match row(&columns, line) {
                Some(words) => iptables::append(into, table, &chain, iptables::rule(&words, place), notes),
                None => notes.add(&place, Fate::None, "is not understood"),
            }
        }
    }
    if is_blind {
        pass_by(file, table, into, notes);
    }
    Ok(())
}

/// Leaves out what seems to leave its chain always, and has rules behind it.
fn pass_by(file: usize, table: &str, into: &mut Ruleset, notes: &mut Notes) {
    if !into.blind.contains(&file) {
        into.blind.push(file);
        notes.say_of(file, Fate::Note, "does not show interfaces; iptables-save does, or iptables -L -v");
    }
    let leaves =
        |rule: &Rule| rule.conditions.is_empty() && matches!(rule.verdict, Verdict::Return | Verdict::Accept);
    for chain in into.chains.iter_mut().filter(|it| it.table == table && it.place.file == file) {
        let count = chain.rules.len();
        chain.rules.retain(|rule| {
            let stays = rule.number == count || !leaves(rule);
            if !stays {
                notes.add(&rule.place, Fate::None, "the listing does not show of which interface it is");
            }
            stays
        });
    }
}

/// A row as the words of a rule.
fn row(columns: &[&str], line: &str) -> Option<Vec<String>> {
    let words = words::split(line);
    let mut cells = words.iter().map(String::as_str);
    let mut rule: Vec<String> = Vec::new();
    let mut add = |words: &[&str]| rule.extend(words.iter().map(|word| (*word).to_owned()));
    let mut target = String::new();
    let protocols =
        |word: &str| matches!(word, "all" | "tcp" | "udp" | "icmp") || super::sets::protocol(word).is_some();
    let mut pushed_back = None;
    for column in columns {
        let cell = match pushed_back.take() {
            Some(cell) => cell,
            None => cells.next()?,
        };
        let (not, value) = cell.strip_prefix('!').map_or((false, cell), |value| (true, value));
        let negation: &[&str] = if not { &["!"] } else { &[] };
        match *column {
            // A rule without a target has its protocol there.
            "target" if protocols(cell) => pushed_back = Some(cell),
            "target" => cell.clone_into(&mut target),
            "prot" if !matches!(cell, "all" | "0") => {
                add(negation);
                add(&["-p", value]);
            }
            "opt" if cell != "--" => add(&[cell]),
            "in" if cell != "*" && cell != "any" => {
                add(negation);
                add(&["-i", value]);
            }
            "out" if cell != "*" && cell != "any" => {
                add(negation);
                add(&["-o", value]);
            }
            "source" | "destination" if !matches!(cell, "0.0.0.0/0" | "anywhere") => {
                add(negation);
                add(&[if *column == "source" { "-s" } else { "-d" }, value]);
            }
            _ => (),
        }
    }
    let extra: Vec<_> = cells.collect();
    let mut options = Vec::new();
    extras(&extra, &mut rule, &mut options);
    let is_goto = options.iter().any(|it| it == "[goto]");
    options.retain(|it| it != "[goto]");
    if !target.is_empty() {
        rule.extend([if is_goto { "-g" } else { "-j" }.to_owned(), target]);
        rule.extend(options);
    }
    Some(rule)
}

/// What stands behind the columns: conditions to `rule`, and the target's own to `options`.
fn extras(words: &[&str], rule: &mut Vec<String>, options: &mut Vec<String>) {
    let mut at = 0;
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    while let Some(word) = words.get(at) {
        let next = |n: usize| words.get(at + n).copied().unwrap_or_default();
        let (key, value) = word.split_once(':').unwrap_or((word, ""));
        let (not, value) = value.strip_prefix('!').map_or((None, value), |value| (Some("!"), value));
        let mut condition = |option: &str, value: &str| {
            rule.extend(not.map(str::to_owned));
            rule.extend(own(&[option, value]));
        };
        at += match (key, next(1), next(2)) {
            ("tcp" | "udp" | "icmp", _, _) => 1,
            ("dpt" | "dpts", _, _) => {
                condition("--dport", value);
                1
            }
            ("spt" | "spts", _, _) => {
                condition("--sport", value);
                1
            }
            ("multiport", kind @ ("dports" | "sports"), value) => {
                let option = if kind == "dports" { "--dport" } else { "--sport" };
                match value.strip_prefix('!') {
                    Some(value) => rule.extend(own(&["!", option, value])),
                    None => rule.extend(own(&[option, value])),
                }
                3
            }
            ("state" | "ctstate", value, _) => {
                rule.extend(own(&["--state", value]));
                2
            }
            ("!", "state" | "ctstate", value) => {
                rule.extend(own(&["!", "--state", value]));
                3
            }
            ("limit", "avg", value) => {
                rule.extend(own(&["--limit", value]));
                3
            }
            ("burst", value, _) => {
                rule.extend(own(&["--limit-burst", value]));
                2
            }
            ("icmptype" | "icmp-type", value, _) => {
                rule.extend(own(&["--icmp-type", value]));
                2
            }
            ("flags", _, _) if value == "0x17/0x02" && not.is_none() => {
                rule.extend(own(&["--syn"]));
                1
            }
            ("ADDRTYPE", "match", "dst-type") => {
                rule.extend(own(&["--dst-type", next(3)]));
                4
            }
            ("/*", _, _) => {
                let end = words.iter().skip(at).position(|word| *word == "*/").unwrap_or(words.len() - at);
                let comment = words.get(at + 1..at + end).unwrap_or_default().join(" ");
                rule.extend(["--comment".to_owned(), comment]);
                end + 1
            }
            ("reject-with", value, _) => {
                options.extend(own(&["--reject-with", value]));
                2
            }
            ("to", _, _) if !value.is_empty() => {
                let whole = word.split_once(':').map_or("", |(_, whole)| whole);
                // The target tells which of them it is.
                options.extend(own(&["--to-destination", whole, "--to-source", whole]));
                1
            }
            ("masq", "ports:", value) => {
                options.extend(own(&["--to-ports", value]));
                3
            }
            ("random" | "random-fully" | "persistent" | "[goto]" | "CHECKSUM" | "fill", _, _) => {
                options.push((*word).to_owned());
                1
            }
            ("LOG" | "NFLOG" | "ULOG", _, _) => words.len(),
            ("TCPMSS", "clamp", "to") => {
                options.push("--clamp-mss-to-pmtu".to_owned());
                4
            }
            _ => {
                // Everything behind it may be its.
                rule.extend(["-m".to_owned(), words.get(at..).unwrap_or_default().join(" ")]);
                words.len()
            }
        };
    }
}
