//! What a scenario does, and what it expects: one table each, read by the one key in it that is a *verb*.
//!
//! A verb says what is done, and so who can do it and which other keys mean something beside it. There is a verb in every
//! step, and never two.

use provision::reading::{Fault, Place, Section, choose_from};
use router::{Refusal, Side};

use super::read::{QUALITY_KEYS, Reader};
use super::{Act, Data, Expectation, Expected, Kind, Remote, Step, Stray, values};
use crate::packet::{self, Draft};
use crate::time::Time;

/// What every step may have.
const COMMON: [&str; 4] = ["at", "after", "count", "every"];

/// A verb: its key, who does it, and what may stand beside it.
struct Verb {
    key: &'static str,
    /// The key that says who or what it is done to, and of which kinds that is.
    subject: Option<(&'static str, &'static [&'static str])>,
    besides: &'static [&'static str],
}

const HOST: Option<(&str, &[&str])> = Some(("host", &["host"]));
const ON: Option<(&str, &[&str])> = Some(("on", &["connection"]));
const ROUTER: Option<(&str, &[&str])> = Some(("router", &["router"]));

const VERBS: [Verb; 21] = [
    Verb { key: "ping", subject: HOST, besides: &["answered", "within"] },
    Verb { key: "connect", subject: HOST, besides: &["from", "as", "opens", "within"] },
    Verb { key: "listen", subject: HOST, besides: &["as"] },
    Verb { key: "serve", subject: HOST, besides: &[] },
    Verb { key: "udp", subject: HOST, besides: &["from", "data", "answered", "within", "learn"] },
    Verb { key: "hears", subject: HOST, besides: &["port", "heard", "within"] },
    Verb { key: "send", subject: ON, besides: &[] },
    Verb { key: "send-bytes", subject: ON, besides: &[] },
    Verb { key: "receive", subject: ON, besides: &["arrives", "within"] },
    Verb { key: "receive-bytes", subject: ON, besides: &["arrives", "within"] },
    Verb { key: "open", subject: ON, besides: &[] },
    Verb { key: "keep-alive", subject: ON, besides: &[] },
    Verb { key: "close", subject: None, besides: &[] },
    Verb { key: "abort", subject: None, besides: &[] },
    Verb { key: "packet", subject: Some(("station", &["station"])), besides: &[] },
    Verb { key: "address", subject: ROUTER, besides: &["gateway"] },
    Verb { key: "remove-forward", subject: ROUTER, besides: &[] },
    Verb { key: "reboot", subject: None, besides: &[] },
    Verb { key: "up", subject: Some(("link", &["link"])), besides: &[] },
    Verb { key: "change", subject: None, besides: &QUALITY_KEYS },
    Verb { key: "faults", subject: None, besides: &[] },
];

/// What an expectation may have.
pub(super) const EXPECT_KEYS: [&str; 14] = [
    "at",
    "router",
    "link",
    "station",
    "sessions",
    "mappings",
    "counter",
    "is",
    "none-from",
    "by",
    "since",
    "sees",
    "times",
    "received",
];

/// How long what must follow may take, where the file does not say.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The first port that a host takes of itself (RFC 6335 s.6).
const FIRST_DYNAMIC_PORT: u16 = 49_152;

/// Every key that a step may have.
pub(super) fn keys() -> Vec<&'static str> {
    let subjects = VERBS.iter().filter_map(|verb| verb.subject.map(|(key, _)| key));
    let besides = VERBS.iter().flat_map(|verb| verb.besides.iter().copied());
    COMMON.into_iter().chain(VERBS.iter().map(|verb| verb.key)).chain(subjects).chain(besides).collect()
}

/// One step. It is done at `at`, or `after` the one before it.
pub(super) fn step(reader: &mut Reader<'_>, section: &Section<'_>, before: Time) -> Option<Step> {
    let verb = verb(reader, section)?;
    let at = reader.value(section, "at", values::duration).map(|at| Time::ZERO + at);
    let after = reader.value(section, "after", values::duration).map(|after| before + after);
    let count = reader.value(section, "count", values::whole).unwrap_or(1);
    let every = reader.value(section, "every", values::duration).unwrap_or(std::time::Duration::from_secs(1));
    let within = reader.value(section, "within", values::duration).unwrap_or(PATIENCE);
    let act = act(reader, section, verb)?;
    let line = section.line().unwrap_or_default();
    Some(Step { line, at: at.or(after).unwrap_or(before), count, every, within, act })
}

/// The step's verb. Complains if there is none or more than one, and about keys that mean nothing beside it.
fn verb(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<&'static Verb> {
    let mut found = VERBS.iter().filter(|verb| section.entry(verb.key).is_some());
    let (first, second) = (found.next(), found.next());
    let Some(verb) = first else {
        let names: Vec<_> = VERBS.iter().map(|verb| verb.key).collect();
        let message =
            format!("{}: nothing is done; say what, with one of {}", section.name(), names.join(", "));
        reader.findings.add(section.line(), message);
        return None;
    };
    if let Some(second) = second {
        let message =
            format!("{}: both {} and {}; make two steps of it", section.name(), verb.key, second.key);
        reader.findings.add(section.line(), message);
        return None;
    }
    let means = |key: &&str| {
        COMMON.contains(key)
            || *key == verb.key
            || verb.besides.contains(key)
            || verb.subject.is_some_and(|(it, _)| it == *key)
    };
    let stray = keys().into_iter().find(|key| section.entry(key).is_some() && !means(key));
    if let Some(key) = stray {
        let message = format!("{}: {key} means nothing beside {}; leave it out", section.name(), verb.key);
        reader.findings.add(section.line(), message);
        return None;
    }
    Some(verb)
}

fn act(reader: &mut Reader<'_>, section: &Section<'_>, verb: &Verb) -> Option<Act> {
    let subject = match verb.subject {
        Some((key, kinds)) => {
            if section.entry(key).is_none() {
                section.report_missing(key, "\"…\"", &mut reader.findings);
            }
            reader.name_of(section, key, kinds)?
        }
        None => String::new(),
    };
    match verb.key {
        "ping" | "connect" | "listen" | "serve" | "udp" | "hears" => {
            host_act(reader, section, verb.key, subject)
        }
        "packet" => {
            let (place, text) = section.value("packet", &mut reader.findings, values::text)?;
            check_packet(reader, &place, &text)?;
            Some(Act::Packet { station: subject, text })
        }
        "address" => {
            let address = reader.value(section, "address", values::cidr)?;
            let gateway = reader.value(section, "gateway", values::address);
            Some(Act::Address { router: subject, address, gateway })
        }
        "remove-forward" => {
            let forward = reader.value(section, "remove-forward", values::text)?;
            Some(Act::RemoveForward { router: subject, forward })
        }
        "reboot" => Some(Act::Reboot { router: reader.name_of(section, "reboot", &["router"])? }),
        "up" => Some(Act::SetUp { link: subject, up: reader.value(section, "up", values::truth)? }),
        "change" => {
            let link = reader.name_of(section, "change", &["link"])?;
            let before = reader.link_named(&link);
            let (quality, faults) = reader.quality(section, before);
            Some(Act::SetQuality { link, quality, faults })
        }
        "faults" => Some(Act::SetFaults { on: reader.value(section, "faults", values::truth)? }),
        _ => connection_act(reader, section, verb.key, subject),
    }
}

fn host_act(reader: &mut Reader<'_>, section: &Section<'_>, verb: &str, host: String) -> Option<Act> {
    match verb {
        "ping" => {
            let to = reader.value(section, "ping", values::address)?;
            let answered = reader.value(section, "answered", values::outcome).unwrap_or(Some(true));
            Some(Act::Ping { host, to, answered })
        }
        "connect" => {
            let to = remote(reader, section, "connect");
            let from = reader.value(section, "from", values::port).unwrap_or_else(|| dynamic_port(section));
            let opens = reader.value(section, "opens", values::outcome).unwrap_or(Some(true));
            let name = connection(reader, section);
            Some(Act::Connect { host, to: to?, from, name: name?, opens })
        }
        "listen" => {
            let port = reader.value(section, "listen", values::port);
            let name = connection(reader, section);
            Some(Act::Listen { host, port: port?, name: name? })
        }
        "serve" => {
            let (tcp, port) = reader.value(section, "serve", values::service)?;
            Some(Act::Serve { host, tcp, port })
        }
        "udp" => {
            let to = remote(reader, section, "udp");
            let from = reader.value(section, "from", values::port).unwrap_or_else(|| dynamic_port(section));
            let data = reader.value(section, "data", values::text).unwrap_or_else(|| "hello".to_owned());
            let answered = reader.value(section, "answered", values::outcome).flatten();
            let learn = match section.value("learn", &mut reader.findings, values::name) {
                Some((place, name)) => Some(reader.claim(&place, name, "endpoint")?),
                None => None,
            };
            Some(Act::Udp { host, to: to?, from, data, answered, learn })
        }
        _ => {
            let data = reader.value(section, "hears", values::text);
            let port = section.needed("port", "5000", &mut reader.findings, values::port);
            let heard = reader.value(section, "heard", values::truth).unwrap_or(true);
            Some(Act::Hear { host, port: port?.1, data: data?, heard })
        }
    }
}

fn connection_act(reader: &mut Reader<'_>, section: &Section<'_>, verb: &str, on: String) -> Option<Act> {
    let bytes = |len: u64| Data::Bytes(len as usize);
    match verb {
        "send" => Some(Act::Send { on, data: Data::Text(reader.value(section, verb, values::text)?) }),
        "send-bytes" => Some(Act::Send { on, data: bytes(reader.value(section, verb, values::whole)?) }),
        "receive" | "receive-bytes" => {
            let arrives = reader.value(section, "arrives", values::truth).unwrap_or(true);
            let data = match verb {
                "receive" => Data::Text(reader.value(section, verb, values::text)?),
                _ => bytes(reader.value(section, verb, values::whole)?),
            };
            Some(Act::Receive { on, data, arrives })
        }
        "open" => Some(Act::Is { on, open: reader.value(section, verb, values::truth)? }),
        "keep-alive" => Some(Act::KeepAlive { on, every: reader.value(section, verb, values::duration)? }),
        "close" => Some(Act::Close { on: reader.name_of(section, verb, &["connection"])? }),
        _ => Some(Act::Abort { on: reader.name_of(section, "abort", &["connection"])? }),
    }
}

/// The name that a connection gets, so that others can speak of it.
fn connection(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<String> {
    match section.value("as", &mut reader.findings, values::name) {
        Some((place, name)) => reader.claim(&place, name, "connection"),
        None if section.entry("as").is_some() => None,
        None => Some(format!("line {}", section.line().unwrap_or_default())),
    }
}

fn remote(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<Remote> {
    let (place, remote) = section.value(key, &mut reader.findings, values::remote)?;
    match remote {
        Remote::Known(name) => {
            Some(Remote::Known(reader.known(&place, name, &["endpoint", "connection"])?))
        }
        at => Some(at),
    }
}

/// A port that no other step has taken of itself.
fn dynamic_port(section: &Section<'_>) -> u16 {
    FIRST_DYNAMIC_PORT | section.line().unwrap_or_default() as u16
}

/// Whether a packet can be made of a text, whatever the names and numbers in it will stand for.
fn check_packet(reader: &mut Reader<'_>, place: &Place, text: &str) -> Option<()> {
    for word in text.split_whitespace().filter_map(|word| word.strip_prefix('@')) {
        reader.known(place, word.to_owned(), &["endpoint", "connection"])?;
    }
    let anybody = |word: &str| if word.starts_with('@') { "192.0.2.1:1".to_owned() } else { word.to_owned() };
    let replaced: Vec<_> = text.split_whitespace().map(anybody).collect();
    let read = packet::expand(&replaced.join(" "), 0).and_then(|text| Draft::read(&text));
    read.map_err(|fault| {
        let (what, remedy) = fault.split_once("; ").unwrap_or((&fault, "see the notation in packet.rs"));
        reader.findings.fault(place, &Fault::new(what, remedy));
    })
    .ok()
    .map(drop)
}

/// Something that must be so.
pub(super) fn expectation(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Expectation> {
    let at = reader.value(section, "at", values::duration).map(|at| Time::ZERO + at);
    let line = section.line().unwrap_or_default();
    let what = if section.entry("router").is_some() {
        of_router(reader, section)
    } else if section.entry("link").is_some() {
        of_link(reader, section)
    } else if section.entry("station").is_some() {
        let station = reader.name_of(section, "station", &["station"]);
        let received = section.needed("received", "\"1..\"", &mut reader.findings, values::range);
        Some(Expected::Received(station?, received?.1))
    } else {
        let message = format!("{}: of whom? add router = …, link = … or station = …", section.name());
        reader.findings.add(section.line(), message);
        None
    };
    Some(Expectation { line, at, what: what? })
}

fn of_router(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Expected> {
    let router = reader.name_of(section, "router", &["router"])?;
    if let Some(range) = reader.value(section, "sessions", values::range) {
        return Some(Expected::Sessions(router, range));
    }
    if let Some(range) = reader.value(section, "mappings", values::range) {
        return Some(Expected::Mappings(router, range));
    }
    let counter = section.needed("counter", "\"wan filtered\"", &mut reader.findings, counter);
    let range = section.needed("is", "\"1..\"", &mut reader.findings, values::range);
    let (side, name) = counter?.1;
    Some(Expected::Counter(router, side, name, range?.1))
}

fn of_link(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Expected> {
    let link = reader.name_of(section, "link", &["link"])?;
    if let Some(prefix) = reader.value(section, "none-from", values::cidr) {
        let since = reader.value(section, "since", values::duration).unwrap_or_default();
        let by = reader.name_of(section, "by", &["host", "switch", "router", "nat", "station"]);
        return Some(Expected::NoneFrom(Stray { link, prefix, by, since: Time::ZERO + since }));
    }
    let sees = section.needed("sees", "\"need to frag\"", &mut reader.findings, values::text);
    let times = reader.value(section, "times", values::range).unwrap_or(1..=u64::MAX);
    Some(Expected::Sees(link, sees?.1, times))
}

/// `"wan filtered"`: a side, and what its summary calls the counter.
fn counter(value: &toml::de::DeValue<'_>) -> Result<(Side, String), Fault> {
    let text = values::text(value)?;
    let fault =
        || Fault::new("is not a side and a counter", "write it like \"wan filtered\" or \"lan forwarded\"");
    let (side, name) = text.split_once(' ').ok_or_else(fault)?;
    let side = match side {
        "lan" => Side::Lan,
        "wan" => Side::Wan,
        _ => return Err(fault()),
    };
    let known: Vec<_> = counters().collect();
    if !known.contains(&name) {
        return Err(Fault::new(format!("names no counter {name:?}"), choose_from(name, &known)));
    }
    Ok((side, name.to_owned()))
}

/// What a summary counts, by the names it has for it.
fn counters() -> impl Iterator<Item = &'static str> {
    let reasons = Refusal::NAMES.into_iter().chain(napt::DropReason::NAMES).chain(napt::RejectReason::NAMES);
    ["received", "forwarded", "local", "arp", "held", "suppressed"].into_iter().chain(reasons)
}

/// How often a router is rebooted.
pub(super) fn reboots(steps: &[Step], name: &str) -> usize {
    let of_router = |step: &&Step| matches!(&step.act, Act::Reboot { router } if router == name);
    steps.iter().filter(of_router).map(|step| step.count as usize).sum()
}

impl Kind {
    /// What a file calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Switch => "switch",
            Self::Router { .. } => "router",
            Self::Nat { .. } => "nat",
            Self::Station { .. } => "station",
        }
    }
}
