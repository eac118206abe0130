//! The notation of iptables: what `iptables-save` and `iptables -S` write, and the words that a rule is made of.
//!
//! A rule is a line of words: `-A CHAIN`, conditions that may have a `!` before them, and `-j` with a verdict, which has
//! options of its own. What is of a match that we do not know is kept together as it stands.

use std::rc::Rc;

use config::{Per, PortRange, Rate, Rejection};

use super::model::{Chain, Condition, Hook, Place, Rule, Ruleset, State, Verdict};
use super::notes::{Fate, Notes};
use super::sets::{self, Prefix};
use super::words;

/// Reads a whole file.
pub(crate) fn read(file: usize, text: &str, into: &mut Ruleset, notes: &mut Notes) {
    let mut table = "filter".to_owned();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = Place { file, line: index + 1, text: Rc::from(line) };
        if let Some(name) = line.strip_prefix('*') {
            name.trim().clone_into(&mut table);
        } else if let Some(rest) = line.strip_prefix(':') {
            let mut words = rest.split_whitespace();
            if let (Some(name), policy) = (words.next(), words.next()) {
                declare(into, &table, name, policy.unwrap_or("-"), place, notes);
            }
        } else if !line.is_empty() && !line.starts_with('#') && line != "COMMIT" {
            read_command(&mut words::split(line), &table, place, into, notes);
        }
    }
}

/// One command, as it stands in a saved file or in a script.
fn read_command(words: &mut Vec<String>, table: &str, place: Place, into: &mut Ruleset, notes: &mut Notes) {
    if words.first().is_some_and(|word| word.starts_with('[') || word.ends_with("iptables")) {
        words.remove(0);
    }
    let mut table = table.to_owned();
    if let Some(at) = words.iter().position(|word| word == "-t" || word == "--table") {
        let named: Vec<_> = words.drain(at..(at + 2).min(words.len())).collect();
        named.get(1).unwrap_or(&table).clone().clone_into(&mut table);
    }
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    match (word(0), word(1), word(2)) {
        ("-P" | "--policy", name, policy) => declare(into, &table, name, policy, place, notes),
        ("-N" | "--new-chain", name, _) => declare(into, &table, name, "-", place, notes),
        ("-A" | "--append", name, _) if !name.is_empty() => {
            let name = name.to_owned();
            let rule = rule(words.get(2..).unwrap_or_default(), place);
            append(into, &table, &name, rule, notes);
        }
        _ => notes.add(&place, Fate::None, "is not understood"),
    }
}

/// Makes a chain known.
pub(crate) fn declare(
    into: &mut Ruleset,
    table: &str,
    name: &str,
    policy: &str,
    place: Place,
    notes: &mut Notes,
) {
    let policy = match policy {
        "ACCEPT" => Verdict::Accept,
        "DROP" => Verdict::Drop,
        "-" => Verdict::Return,
        other => Verdict::Foreign(format!("policy {other}")),
    };
    if into.find(table, name).is_some_and(|known| known.place.file != place.file) {
        return notes.add(&place, Fate::None, "is a chain that another file has, which counts");
    }
    match into.chains.iter_mut().find(|chain| chain.table == table && chain.name == name) {
        Some(chain) => (chain.policy, chain.place) = (policy, place),
        None => into.chains.push(chain(table, name, policy, place)),
    }
}

/// Puts a rule at the end of its chain.
pub(crate) fn append(into: &mut Ruleset, table: &str, name: &str, mut rule: Rule, notes: &mut Notes) {
    if into.find(table, name).is_none() {
        let policy = if hook(table, name).is_some() { Verdict::Accept } else { Verdict::Return };
        into.chains.push(chain(table, name, policy, rule.place.clone()));
    }
    let Some(chain) = into.chains.iter_mut().find(|chain| chain.table == table && chain.name == name) else {
        return;
    };
    if chain.place.file != rule.place.file {
        return notes.add(&rule.place, Fate::None, "is of a chain that another file has, which counts");
    }
    rule.number = chain.rules.len() + 1;
    chain.rules.push(rule);
}

fn chain(table: &str, name: &str, policy: Verdict, place: Place) -> Chain {
    let (table, name) = (table.to_owned(), name.to_owned());
    Chain { hook: hook(&table, &name), table, name, priority: 0, policy, place, rules: Vec::new() }
}

fn hook(table: &str, name: &str) -> Option<Hook> {
    match (table, name) {
        ("filter", "FORWARD") => Some(Hook::Forward),
        ("filter", "INPUT") => Some(Hook::Input),
        ("nat", "PREROUTING") => Some(Hook::NatIn),
        ("nat", "POSTROUTING") => Some(Hook::NatOut),
        (_, "OUTPUT") => Some(Hook::Output),
        (_, "PREROUTING" | "POSTROUTING" | "INPUT" | "FORWARD") => Some(Hook::Elsewhere),
        _ => None,
    }
}

/// A rule from its words, those behind the chain.
pub(crate) fn rule(words: &[String], place: Place) -> Rule {
    let mut reading =
        Reading { words, at: 0, conditions: Vec::new(), comment: None, verdict: Verdict::Continue };
    while reading.read_option() {}
    let Reading { mut conditions, comment, mut verdict, .. } = reading;
    let log = verdict == LOG;
    if log {
        verdict = Verdict::Continue;
    }
    if let Verdict::Dnat { .. } = verdict {
        // Only what has got another destination is translated, and that is all of it.
        conditions
            .retain(|it| !matches!(it, Condition::State { not: false, states } if states == &[State::New]));
    }
    Rule { place, number: 0, comment, conditions, log, verdict }
}

/// Stands for a line in the log while a rule is read.
const LOG: Verdict = Verdict::Ours("LOG");

struct Reading<'w> {
    words: &'w [String],
    at: usize,
    conditions: Vec<Condition>,
    comment: Option<String>,
    verdict: Verdict,
}

impl<'w> Reading<'w> {
    /// Whether there was another one.
    fn read_option(&mut self) -> bool {
        let from = self.at;
        let mut not = self.take("!");
        let Some(option) = self.next() else { return false };
        // Of old, the mark stood before the value.
        let has_value = !matches!(option, "--syn" | "-f" | "--fragment");
        not |= has_value && self.take("!");
        match option {
            "-m" | "--match" => self.read_match(from),
            "-j" | "--jump" | "-g" | "--goto" => {
                self.read_target(matches!(option, "-g" | "--goto"));
            }
            "-c" | "--set-counters" => self.at += 2,
            "--comment" => self.comment = self.next().map(str::to_owned),
            "--syn" if !not => self.conditions.push(Condition::Syn),
            "--tcp-flags" if !not => {
                let flags = [self.next(), self.next()];
                let begins = |mask| matches!(mask, "FIN,SYN,RST,ACK" | "SYN,RST,ACK" | "SYN,ACK" | "SYN");
                match flags {
                    [Some(mask), Some("SYN")] if begins(mask) => self.conditions.push(Condition::Syn),
                    _ => self.foreign_since(from),
                }
            }
            "--limit-burst" => match self.next().and_then(burst) {
                Some(burst) => self.conditions.iter_mut().for_each(|it| {
                    if let Condition::Rate(rate) = it {
                        rate.burst = burst;
                    }
                }),
                None => self.foreign_since(from),
            },
            _ => {
                let value = if has_value { self.next() } else { None };
                match value.and_then(|value| condition(option, not, value)) {
                    Some(known) => self.conditions.push(known),
                    None => {
                        self.skip_values();
                        self.foreign_since(from);
                    }
                }
            }
        }
        true
    }

    /// A match whose options are known by themselves, or one that is foreign with all of them.
    fn read_match(&mut self, from: usize) {
        const KNOWN: [&str; 11] = [
            "tcp",
            "udp",
            "icmp",
            "state",
            "conntrack",
            "comment",
            "limit",
            "multiport",
            "addrtype",
            "iprange",
            "all",
        ];
        if self.next().is_some_and(|name| KNOWN.contains(&name)) {
            return;
        }
        while self.words.get(self.at).is_some_and(|word| !matches!(word.as_str(), "-m" | "-j" | "-g" | "-p"))
        {
            self.at += 1;
        }
        self.foreign_since(from);
    }

    /// What follows `-j` or `-g`, to the end.
    fn read_target(&mut self, is_goto: bool) {
        let from = self.at.saturating_sub(1);
        let Some(name) = self.next() else { return };
        let option = |key: &str| {
            let at = self.words.iter().skip(self.at).position(|word| word == key)? + self.at;
            self.words.get(at + 1).map(String::as_str)
        };
        let whole = || self.words.get(from..).unwrap_or_default().join(" ");
        let verdict = match name {
            "ACCEPT" => Some(Verdict::Accept),
            "DROP" => Some(Verdict::Drop),
            "RETURN" => Some(Verdict::Return),
            "REJECT" => rejection(option("--reject-with").unwrap_or("icmp-port-unreachable")),
            "LOG" | "NFLOG" | "ULOG" => Some(LOG),
            "MASQUERADE" => match option("--to-ports").map(sets::ports) {
                Some(None) => None,
                ports => Some(Verdict::Snat { to: None, ports: ports.flatten() }),
            },
            "SNAT" => option("--to-source")
                .and_then(endpoint)
                .map(|(to, ports)| Verdict::Snat { to: Some(to), ports }),
            "DNAT" => {
                option("--to-destination").and_then(endpoint).map(|(to, ports)| Verdict::Dnat { to, ports })
            }
            "TCPMSS" if self.words.iter().any(|word| word == "--clamp-mss-to-pmtu") => {
                Some(Verdict::ClampMss)
            }
            "CHECKSUM" => Some(Verdict::Ours("its checksums are always whole")),
            _ if FOREIGN.contains(&name) => None,
            chain if is_goto => Some(Verdict::Goto(chain.to_owned())),
            chain => Some(Verdict::Jump(chain.to_owned())),
        };
        self.verdict = verdict.unwrap_or_else(|| Verdict::Foreign(whole()));
        self.at = match self.verdict {
            Verdict::Jump(_) | Verdict::Goto(_) => self.at,
            _ => self.words.len(),
        };
    }

    fn next(&mut self) -> Option<&'w str> {
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_values(&mut self) {
        while self.words.get(self.at).is_some_and(|word| !word.starts_with('-') && word != "!") {
            self.at += 1;
        }
    }

    fn foreign_since(&mut self, from: usize) {
        let words = self.words.get(from..self.at.min(self.words.len())).unwrap_or_default();
        self.conditions.push(Condition::Foreign(words.join(" ")));
    }
}

/// Targets that are no chains, and have no word of ours.
const FOREIGN: [&str; 29] = [
    "AUDIT",
    "CLASSIFY",
    "CONNMARK",
    "CONNSECMARK",
    "CT",
    "DSCP",
    "ECN",
    "HMARK",
    "IDLETIMER",
    "LED",
    "MARK",
    "MIRROR",
    "NETMAP",
    "NFQUEUE",
    "NOTRACK",
    "QUEUE",
    "RATEEST",
    "REDIRECT",
    "SAME",
    "SECMARK",
    "SET",
    "SYNPROXY",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TEE",
    "TOS",
    "TPROXY",
    "TRACE",
    "TTL",
];

/// A condition of one option and its value.
fn condition(option: &str, not: bool, value: &str) -> Option<Condition> {
    let name = || vec![value.to_owned()];
    match option {
        "-i" | "--in-interface" => Some(Condition::In { not, names: name() }),
        "-o" | "--out-interface" => Some(Condition::Out { not, names: name() }),
        "-s" | "--source" | "--src" => Some(Condition::Source { not, prefixes: list(value, Prefix::parse)? }),
        "-d" | "--destination" | "--dst" => {
            Some(Condition::Destination { not, prefixes: list(value, Prefix::parse)? })
        }
        "-p" | "--protocol" if !not => match value {
            "all" | "0" => {
                Some(Condition::Source { not: false, prefixes: vec![Prefix::parse("0.0.0.0/0")?] })
            }
            name => Some(Condition::Protocols(vec![sets::protocol(name)?])),
        },
        "--sport" | "--source-port" | "--sports" | "--source-ports" => {
            Some(Condition::SourcePorts(port_list(value, not)?))
        }
        "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
            Some(Condition::Ports(port_list(value, not)?))
        }
        "--state" | "--ctstate" => Some(Condition::State { not, states: list(value, state)? }),
        "--limit" if !not => rate(value).map(Condition::Rate),
        "--icmp-type" if !not && matches!(value, "any" | "255") => Some(Condition::Protocols(vec![1])),
        "--icmp-type" if !not => Some(Condition::IcmpTypes(vec![icmp_type(value)?])),
        "--dst-type" if value == "LOCAL" => Some(Condition::Local { not }),
        _ => None,
    }
}

fn list<T>(value: &str, each: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    value.split(',').map(each).collect()
}

fn port_list(value: &str, not: bool) -> Option<Vec<PortRange>> {
    let ranges = list(value, sets::ports)?;
    match (not, ranges.as_slice()) {
        (false, _) => Some(ranges),
        (true, [range]) => Some(sets::other_ports(*range)),
        (true, _) => None,
    }
}

/// What conntrack makes of a packet, in either notation.
pub(crate) fn state(word: &str) -> Option<State> {
    match word.to_ascii_lowercase().as_str() {
        "new" => Some(State::New),
        "established" => Some(State::Established),
        "related" => Some(State::Related),
        "invalid" => Some(State::Invalid),
        "untracked" => Some(State::Untracked),
        "dnat" => Some(State::Dnat),
        "snat" => Some(State::Snat),
        _ => None,
    }
}

/// The type of an ICMP message, by name or number, in either notation.
pub(crate) fn icmp_type(word: &str) -> Option<u8> {
    match word {
        "echo-reply" | "pong" => Some(0),
        "destination-unreachable" => Some(3),
        "source-quench" => Some(4),
        "redirect" => Some(5),
        "echo-request" | "ping" => Some(8),
        "time-exceeded" | "ttl-exceeded" => Some(11),
        "parameter-problem" => Some(12),
        "timestamp-request" => Some(13),
        "address-mask-request" => Some(17),
        other => sets::number(other).and_then(|number| u8::try_from(number).ok()),
    }
}

/// `10/sec`.
pub(crate) fn rate(text: &str) -> Option<Rate> {
    let (count, per) = text.split_once('/')?;
    let per = match per {
        "s" | "sec" | "second" => Per::Second,
        "m" | "min" | "minute" => Per::Minute,
        "h" | "hour" => Per::Hour,
        _ => return None,
    };
    Some(Rate { count: burst(count)?, per, burst: Rate::BURST })
}

/// A small number that is not 0.
pub(crate) fn burst(text: &str) -> Option<std::num::NonZeroU16> {
    sets::number(text).and_then(|count| u16::try_from(count).ok()).and_then(std::num::NonZeroU16::new)
}

/// `192.0.2.1:80-90` or `192.0.2.1`.
pub(crate) fn endpoint(text: &str) -> Option<(Prefix, Option<PortRange>)> {
    match text.split_once(':') {
        Some((address, ports)) => Some((Prefix::parse(address)?, Some(sets::ports(ports)?))),
        None => Some((Prefix::parse(text)?, None)),
    }
}

fn rejection(with: &str) -> Option<Verdict> {
    let how = match with {
        "icmp-net-unreachable" | "net-unreach" => Rejection::NetUnreachable,
        "icmp-host-unreachable" | "host-unreach" => Rejection::HostUnreachable,
        "icmp-proto-unreachable" | "proto-unreach" => Rejection::ProtocolUnreachable,
        "icmp-port-unreachable" | "port-unreach" => Rejection::PortUnreachable,
        "icmp-net-prohibited" | "net-prohib" => Rejection::NetProhibited,
        "icmp-host-prohibited" | "host-prohib" => Rejection::HostProhibited,
        "icmp-admin-prohibited" | "admin-prohib" => Rejection::AdminProhibited,
        "tcp-reset" | "tcp-rst" => Rejection::TcpReset,
        _ => return None,
    };
    Some(Verdict::Reject(how))
}
