//! One rule of nftables, from its words to conditions and a verdict.
//!
//! The words are those of the text notation, braces and commas by themselves. What we have no word for goes up to the
//! next verdict, and is kept together as it stands.

use config::Rate;

use super::model::{Condition, Place, Rule, Verdict};
use super::nft::{self, Building, Element, Sets};
use super::{iptables, sets};

/// The rules that one is: several if it has a map of verdicts.
pub(crate) fn rules(words: &[&str], table: &str, named: &Sets, place: &Place, number: usize) -> Vec<Rule> {
    let mut reading = Reading { words, at: 0, table, named, building: Building::default() };
    while reading.read() {}
    reading.building.finish(place, number)
}

struct Reading<'w> {
    words: &'w [&'w str],
    at: usize,
    table: &'w str,
    named: &'w Sets,
    building: Building,
}

impl<'w> Reading<'w> {
    /// Whether there was another part of the rule.
    fn read(&mut self) -> bool {
        let from = self.at;
        let Some(word) = self.next() else { return false };
        match word {
            "accept" => self.building.decide(Verdict::Accept),
            "drop" => self.building.decide(Verdict::Drop),
            "return" => self.building.decide(Verdict::Return),
            "continue" => (),
            "jump" | "goto" => {
                let Some(chain) = self.next().map(str::to_owned) else { return false };
                self.building.decide(if word == "jump" {
                    Verdict::Jump(chain)
                } else {
                    Verdict::Goto(chain)
                });
            }
            "reject" => {
                let rest = self.words_while(|word| word != "comment");
                self.building.decide(nft::rejection(&rest));
            }
            "counter" => match self.peek(0) {
                "packets" => self.at += 4,
                "name" if !self.has_map() => self.at += 2,
                _ => (),
            },
            // When a packet came last; nobody is kept from the verdict.
            "last" => {
                if self.peek(0) == "used" {
                    self.at += 2;
                }
            }
            "log" => {
                self.building.log = true;
                while matches!(
                    self.peek(0),
                    "prefix" | "level" | "group" | "flags" | "snaplen" | "queue-threshold"
                ) {
                    self.at += if self.peek(1) == "tcp" || self.peek(1) == "ip" { 3 } else { 2 };
                    while self.peek(0) == "," {
                        self.at += 2;
                    }
                }
            }
            "comment" => self.building.comment = self.next().map(str::to_owned),
            "limit" => self.read_limit(from),
            "masquerade" | "snat" | "dnat" => self.read_nat(word),
            "notrack" | "redirect" | "queue" | "tproxy" | "dup" | "fwd" | "synproxy" => {
                let rest = self.words.get(from..).unwrap_or_default().join(" ");
                self.at = self.words.len();
                self.building.decide(Verdict::Foreign(rest));
            }
            "flow" => {
                self.at += 2;
                self.building.decide(Verdict::Ours("a packet of a session takes a short way anyway"));
            }
            "tcp" if self.peek(0) == "option" => {
                let rest = self.words_while(|word| word != "comment").join(" ");
                if rest.contains("maxseg size set") {
                    self.building.decide(Verdict::ClampMss);
                } else {
                    self.building.foreign(format!("tcp {rest}"));
                }
            }
            "tcp" if self.peek(0) == "flags" => {
                self.at += 1;
                let mut rest = Vec::new();
                while let [word, ..] = self.words.get(self.at..).unwrap_or_default() {
                    let is_flag = |word: &str| {
                        word.split(['|', ',']).all(|it| {
                            matches!(
                                it.trim_matches(['(', ')']),
                                "" | "syn" | "ack" | "fin" | "rst" | "psh" | "urg"
                            )
                        })
                    };
                    if !matches!(*word, "&" | "==" | "!=" | "/" | "{" | "}" | ",") && !is_flag(word) {
                        break;
                    }
                    rest.push(*word);
                    self.at += 1;
                }
                let text: String = rest.concat();
                let begins = [
                    "syn",
                    "syn/fin,syn,rst,ack",
                    "syn/syn,ack",
                    "&(fin|syn|rst|ack)==syn",
                    "&(syn|ack)==syn",
                ];
                self.building.conditions.push(Condition::Protocols(vec![6]));
                if begins.contains(&text.as_str()) {
                    self.building.conditions.push(Condition::Syn);
                } else {
                    self.building.foreign(format!("tcp flags {}", rest.join(" ")));
                }
            }
            "meta" if self.peek(1) == "set" => self.read_change(from),
            "ct" if self.peek(1) == "set" => self.read_change(from),
            "meta" | "ip" | "ip6" | "tcp" | "udp" | "th" | "icmp" | "icmpv6" | "ct" => {
                let Some(field) = self.next() else { return false };
                let key = if word == "meta" { field.to_owned() } else { format!("{word} {field}") };
                self.read_match(&key, from);
            }
            "iifname" | "oifname" | "iif" | "oif" => self.read_match(word, from),
            "fib" if self.peek(0) == "daddr" && self.peek(1) == "type" => {
                self.at += 2;
                self.read_match("fib daddr type", from);
            }
            _ => self.skip_foreign(from),
        }
        true
    }

    fn read_match(&mut self, key: &str, from: usize) {
        let mut not = false;
        match self.peek(0) {
            "!=" => {
                not = true;
                self.at += 1;
            }
            "==" => self.at += 1,
            "vmap" => {
                self.at += 1;
                let elements = self.list();
                let elements = match elements.as_slice() {
                    [one] if one.key.starts_with('@') => {
                        nft::find(self.table, one.key.trim_start_matches('@'), self.named)
                            .unwrap_or_default()
                            .to_vec()
                    }
                    _ => elements,
                };
                self.building.map = Some((key.to_owned(), elements));
                return;
            }
            "." | "&" | "and" | "or" | "<" | ">" | "<=" | ">=" | "set" | "map" => {
                return self.skip_foreign(from);
            }
            _ => (),
        }
        let values: Vec<_> = self.list().into_iter().map(|element| element.key).collect();
        let values = nft::resolve(values, self.table, self.named);
        self.building.conditions.extend(nft::condition(key, not, &values));
    }

    /// One value, several with commas between, or those in braces.
    fn list(&mut self) -> Vec<Element> {
        let from = self.at;
        if self.peek(0) == "{" {
            self.skip_list();
        } else {
            self.at += 1;
            while self.peek(0) == "," {
                self.at += 2;
            }
        }
        elements(self.words.get(from..self.at.min(self.words.len())).unwrap_or_default(), true)
    }

    fn skip_list(&mut self) {
        let mut depth = 0_usize;
        while let Some(word) = self.next() {
            match word {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => (),
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn read_limit(&mut self, from: usize) {
        let (kind, over, rate) = (self.peek(0), self.peek(1), self.peek(1));
        let mut rate = if kind == "rate" && over != "over" { iptables::rate(rate) } else { None };
        self.at += 2;
        let mut is_packets = true;
        if self.peek(0) == "burst" {
            let burst = iptables::burst(self.peek(1));
            is_packets = self.peek(2) == "packets";
            self.at += 3;
            rate = rate.zip(burst).map(|(rate, burst)| Rate { burst, ..rate });
        }
        match rate.filter(|_| is_packets) {
            Some(rate) => self.building.conditions.push(Condition::Rate(rate)),
            None => self.skip_foreign(from),
        }
    }

    fn read_nat(&mut self, word: &str) {
        let rest = self.words_while(|word| word != "comment");
        let is_flag =
            |word: &&&str| !matches!(**word, "to" | "ip" | "random" | "fully-random" | "persistent" | ",");
        let to: Vec<_> = rest.iter().filter(is_flag).copied().collect();
        let verdict = match (word, to.as_slice()) {
            ("masquerade", []) => Some(Verdict::Snat { to: None, ports: None }),
            ("masquerade", [ports]) => ports
                .strip_prefix(':')
                .and_then(sets::ports)
                .map(|ports| Verdict::Snat { to: None, ports: Some(ports) }),
            ("snat", [to]) => iptables::endpoint(to).map(|(to, ports)| Verdict::Snat { to: Some(to), ports }),
            ("dnat", [to]) => iptables::endpoint(to).map(|(to, ports)| Verdict::Dnat { to, ports }),
            _ => None,
        };
        let foreign = || Verdict::Foreign(format!("{word} {}", rest.join(" ")));
        self.building.decide(verdict.unwrap_or_else(foreign));
    }

    /// What marks a packet, or changes it.
    fn read_change(&mut self, from: usize) {
        self.words_while(|word| !is_verdict(word));
        let text = self.words.get(from..self.at).unwrap_or_default().join(" ");
        self.building.decide(Verdict::Foreign(text));
    }

    /// What we have no word for, up to the verdict.
    fn skip_foreign(&mut self, from: usize) {
        self.at = from;
        while self.at < self.words.len() && !is_verdict(self.peek(0)) {
            if self.peek(0) == "{" { self.skip_list() } else { self.at += 1 }
        }
        // Always at least one word further.
        self.at = self.at.max(from + 1);
        let text = self.words.get(from..self.at.min(self.words.len())).unwrap_or_default().join(" ");
        self.building.foreign(text);
    }

    /// Whether a map comes before the verdict: what it does not have the rule is not about.
    fn has_map(&self) -> bool {
        let rest = self.words.get(self.at + 2..).unwrap_or_default();
        rest.iter().take_while(|word| !is_verdict(word)).any(|word| *word == "map")
    }

    fn words_while(&mut self, goes_on: impl Fn(&str) -> bool) -> Vec<&'w str> {
        let rest = self.words.get(self.at..).unwrap_or_default();
        let words: Vec<_> = rest.iter().copied().take_while(|word| goes_on(word)).collect();
        self.at += words.len();
        words
    }

    fn peek(&self, ahead: usize) -> &'w str {
        self.words.get(self.at.saturating_add(ahead)).copied().unwrap_or_default()
    }

    fn next(&mut self) -> Option<&'w str> {
        let word = self.words.get(self.at).copied();
        self.at += usize::from(word.is_some());
        word
    }
}

fn is_verdict(word: &str) -> bool {
    matches!(
        word,
        "accept"
            | "drop"
            | "reject"
            | "return"
            | "jump"
            | "goto"
            | "masquerade"
            | "snat"
            | "dnat"
            | "counter"
            | "log"
            | "comment"
    )
}

/// The elements between braces, or without them; of a map with their verdicts.
pub(crate) fn elements(words: &[&str], may_map: bool) -> Vec<Element> {
    let inner: Vec<_> = words.iter().copied().filter(|word| !matches!(*word, "{" | "}")).collect();
    let element = |words: &[&str]| {
        let at = words.iter().position(|word| *word == ":").filter(|_| may_map).unwrap_or(words.len());
        let (key, value) = words.split_at(at);
        // What an element says of itself, as a time or a comment, stands behind it.
        let key = if key.contains(&".") {
            key.join(" ")
        } else {
            key.first().copied().unwrap_or_default().to_owned()
        };
        let verdict = match value.get(1..).unwrap_or_default() {
            [] => None,
            ["accept"] => Some(Verdict::Accept),
            ["drop"] => Some(Verdict::Drop),
            ["return"] => Some(Verdict::Return),
            ["continue"] => Some(Verdict::Continue),
            ["jump", chain] => Some(Verdict::Jump((*chain).to_owned())),
            ["goto", chain] => Some(Verdict::Goto((*chain).to_owned())),
            other => Some(Verdict::Foreign(other.join(" "))),
        };
        Element { key, verdict }
    };
    inner.split(|word| *word == ",").filter(|words| !words.is_empty()).map(element).collect()
}
