//! `nft -j list ruleset`: the tables as JSON (libnftables-json(5)).
//!
//! An expression is put into the words that the text notation has for it, so that what they mean is said once. Its place
//! is the number of its object in the list, since all of it is one line.

use std::rc::Rc;

use serde_json::Value;

use super::model::{Chain, Place, Ruleset, Verdict};
use super::nft::{self, Sets};
use super::nft_rule;
use super::notes::{Fate, Notes};

/// Reads a whole file.
///
/// # Errors
/// Why it is no ruleset.
pub(crate) fn read(file: usize, text: &str, into: &mut Ruleset, notes: &mut Notes) -> Result<(), String> {
    let whole: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let objects = whole.get("nftables").and_then(Value::as_array).ok_or("has no array \"nftables\"")?;
    let of = |kind: &'static str| {
        objects.iter().enumerate().filter_map(move |(index, object)| Some((index + 1, object.get(kind)?)))
    };
    if of("rule").any(|(_, rule)| expressions(rule).any(|it| it.get("xt").is_some())) {
        notes.say_of(file, Fate::Note, nft::HIDDEN);
    }
    let mut named = Sets::new();
    for (_, set) in of("set").chain(of("map")) {
        let mut words = Vec::new();
        value(&serde_json::json!({ "set": set.get("elem").unwrap_or(&Value::Null) }), &mut words);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        named.push((table(set), string(set, "name").to_owned(), nft_rule::elements(&words, true)));
    }
    let dormant: Vec<_> = of("table")
        .filter(|(_, table)| is_dormant(table.get("flags").unwrap_or(&Value::Null)))
        .map(|(_, table)| format!("{} {}", string(table, "family"), string(table, "name")))
        .collect();
    let dormant: Vec<_> = dormant.iter().map(String::as_str).collect();
    for (line, chain) in of("chain") {
        let text = format!("chain {} {}", table(chain), string(chain, "name"));
        let place = Place { file, line, text: Rc::from(text) };
        if let Some((fate, why)) = nft::aside(&table(chain), &dormant) {
            if string(chain, "policy") == "drop" {
                notes.add(&place, fate, why);
            }
            continue;
        }
        if into.find(&table(chain), string(chain, "name")).is_some() {
            notes.add(&place, Fate::None, "is a chain that another file has, which counts");
            continue;
        }
        into.chains.push(one_chain(chain, place));
    }
    for (line, rule) in of("rule") {
        let (table, name) = (table(rule), string(rule, "chain"));
        let words = rule_words(rule);
        let place = Place { file, line, text: Rc::from(words.join(" ")) };
        if let Some((fate, why)) = nft::aside(&table, &dormant) {
            notes.add(&place, fate, why);
            continue;
        }
        let chain = into.chains.iter_mut().find(|it| it.table == table && it.name == name);
        let Some(chain) = chain.filter(|it| it.place.file == file) else { continue };
        let number = chain.rules.last().map_or(1, |rule| rule.number + 1);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        chain.rules.extend(nft_rule::rules(&words, &table, &named, &place, number));
    }
    Ok(())
}

fn one_chain(chain: &Value, place: Place) -> Chain {
    let hook = chain.get("hook").and_then(Value::as_str);
    let policy = match (hook, string(chain, "policy")) {
        (None, _) => Verdict::Return,
        (_, "drop") => Verdict::Drop,
        _ => Verdict::Accept,
    };
    Chain {
        table: table(chain),
        name: string(chain, "name").to_owned(),
        hook: hook.map(|hook| nft::hook(string(chain, "type"), hook)),
        priority: chain.get("prio").and_then(Value::as_i64).unwrap_or(0),
        policy,
        place,
        rules: Vec::new(),
    }
}

/// Whether a table's flags say so; some versions write the first letter alone.
fn is_dormant(flags: &Value) -> bool {
    match flags {
        Value::Array(all) => all.iter().any(is_dormant),
        other => matches!(other.as_str(), Some("dormant" | "d")),
    }
}

/// Family and name of the table that something is in.
fn table(object: &Value) -> String {
    format!("{} {}", string(object, "family"), string(object, "table"))
}

fn string<'v>(object: &'v Value, key: &str) -> &'v str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn expressions(rule: &Value) -> impl Iterator<Item = &Value> {
    rule.get("expr").and_then(Value::as_array).into_iter().flatten()
}

/// A rule as the text notation has it.
fn rule_words(rule: &Value) -> Vec<String> {
    let mut words = Vec::new();
    for expression in expressions(rule) {
        for (kind, inner) in expression.as_object().into_iter().flatten() {
            statement(kind, inner, &mut words);
        }
    }
    if let Some(comment) = rule.get("comment").and_then(Value::as_str) {
        words.extend(["comment".to_owned(), comment.to_owned()]);
    }
    words
}

fn statement(kind: &str, inner: &Value, words: &mut Vec<String>) {
    let mut add = |word: &str| words.push(word.to_owned());
    match kind {
        "match" => {
            value(inner.get("left").unwrap_or(&Value::Null), words);
            match string(inner, "op") {
                "==" | "in" if inner.get("left").is_none_or(|left| left.get("&").is_none()) => (),
                "in" => words.push("==".to_owned()),
                op => words.push(op.to_owned()),
            }
            value(inner.get("right").unwrap_or(&Value::Null), words);
        }
        "vmap" => {
            value(inner.get("key").unwrap_or(&Value::Null), words);
            words.push("vmap".to_owned());
            value(inner.get("data").unwrap_or(&Value::Null), words);
        }
        "jump" | "goto" => {
            add(kind);
            add(string(inner, "target"));
        }
        "counter" | "quota" | "limit" if inner.is_string() => {
            [kind, "name", &one_word(inner)].into_iter().for_each(add);
        }
        "counter" if inner.get("map").is_some() => {
            let map = inner.get("map").unwrap_or(&Value::Null);
            add("counter");
            add("name");
            value(map.get("key").unwrap_or(&Value::Null), words);
            words.push("map".to_owned());
            value(map.get("data").unwrap_or(&Value::Null), words);
        }
        "ct helper" | "ct timeout" | "ct expectation" => {
            kind.split(' ').chain(["set", &one_word(inner)]).for_each(add);
        }
        "limit" => {
            add("limit");
            add("rate");
            if inner.get("inv").and_then(Value::as_bool) == Some(true) {
                add("over");
            }
            let rate = inner.get("rate").map(Value::to_string).unwrap_or_default();
            let per = string(inner, "per");
            match inner.get("rate_unit").and_then(Value::as_str) {
                None | Some("packets") => add(&format!("{rate}/{per}")),
                Some(unit) => [rate, format!("{unit}/{per}")].iter().for_each(|word| add(word)),
            }
            if let Some(burst) = inner.get("burst").and_then(Value::as_u64).filter(|burst| *burst > 0) {
                let unit = inner.get("burst_unit").and_then(Value::as_str).unwrap_or("packets");
                ["burst", &burst.to_string(), unit].into_iter().for_each(add);
            }
        }
        "reject" => {
            add("reject");
            add("with");
            string(inner, "type")
                .split(' ')
                .chain([string(inner, "expr")])
                .filter(|it| !it.is_empty())
                .for_each(add);
        }
        "masquerade" | "snat" | "dnat" => {
            add(kind);
            let [address, port] = ["addr", "port"].map(|key| inner.get(key).map(one_word));
            if address.is_some() || port.is_some() {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                add("to");
                add(&format!("{}{port}", address.unwrap_or_default()));
            }
        }
        "mangle" => {
            let key = inner.get("key").unwrap_or(&Value::Null);
            match key.get("tcp option").map(|option| string(option, "name")) {
                Some("maxseg") => ["tcp", "option", "maxseg", "size", "set"].into_iter().for_each(add),
                _ => {
                    value(key, words);
                    words.push("set".to_owned());
                }
            }
            value(inner.get("value").unwrap_or(&Value::Null), words);
        }
        "xt" => {
            let of = [string(inner, "type"), string(inner, "name")];
            [kind].into_iter().chain(of).filter(|word| !word.is_empty()).for_each(add);
        }
        // What they say besides does not matter.
        "counter" | "log" | "last" => add(kind),
        "accept" | "drop" | "return" | "continue" | "notrack" | "redirect" | "queue" => add(kind),
        "flow" => ["flow", "add", "@"].into_iter().for_each(add),
        other => {
            add(other);
            words.push(one_word(inner));
        }
    }
}

/// A value, a key, or a list of them.
fn value(of: &Value, words: &mut Vec<String>) {
    let Some((kind, inner)) = of.as_object().and_then(|object| object.iter().next()) else {
        match of {
            Value::Array(items) => list(items, words),
            other => words.push(one_word(other)),
        }
        return;
    };
    match kind.as_str() {
        "payload" => words.extend([string(inner, "protocol").to_owned(), string(inner, "field").to_owned()]),
        "meta" => words.extend(["meta".to_owned(), string(inner, "key").to_owned()]),
        "ct" => {
            let direction = inner.get("dir").and_then(Value::as_str).map(str::to_owned);
            words.extend(
                ["ct".to_owned()].into_iter().chain(direction).chain([string(inner, "key").to_owned()]),
            );
        }
        "fib" => {
            let flags = inner.get("flags").map(one_word).unwrap_or_default();
            words.extend(["fib".to_owned(), flags, string(inner, "result").to_owned()]);
        }
        "&" => {
            let sides = inner.as_array().map(Vec::as_slice).unwrap_or_default();
            if let [left, right] = sides {
                value(left, words);
                let flags =
                    right.as_array().map(|all| all.iter().map(one_word).collect::<Vec<_>>().join("|"));
                words.extend(["&".to_owned(), format!("({})", flags.unwrap_or_else(|| one_word(right)))]);
            }
        }
        "set" => {
            words.push("{".to_owned());
            match inner {
                Value::Array(items) => list(items, words),
                Value::Null => (),
                other => value(other, words),
            }
            words.push("}".to_owned());
        }
        "accept" | "drop" | "return" | "continue" | "jump" | "goto" => statement(kind, inner, words),
        "elem" => value(inner.get("val").unwrap_or(&Value::Null), words),
        "concat" => {
            for (index, part) in inner.as_array().into_iter().flatten().enumerate() {
                if index > 0 {
                    words.push(".".to_owned());
                }
                value(part, words);
            }
        }
        _ => words.push(one_word(of)),
    }
}

/// Elements with commas between; a pair leads from a key to a verdict.
fn list(items: &[Value], words: &mut Vec<String>) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            words.push(",".to_owned());
        }
        match item.as_array().map(Vec::as_slice) {
            Some([key, verdict]) => {
                value(key, words);
                words.push(":".to_owned());
                value(verdict, words);
            }
            _ => value(item, words),
        }
    }
}

/// A single value: `192.0.2.0/24`, `5000-5010`, `80`.
fn one_word(of: &Value) -> String {
    if let Some(prefix) = of.get("prefix") {
        let len = prefix.get("len").map(Value::to_string).unwrap_or_default();
        return format!("{}/{len}", string(prefix, "addr"));
    }
    if let Some([first, last]) = of.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        return format!("{}-{}", plain(first), plain(last));
    }
    plain(of)
}

fn plain(of: &Value) -> String {
    match of {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
