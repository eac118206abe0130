//! From a file to a scenario: the nodes and links, and that every name in it is somebody's.
//!
//! As in a configuration, everything that one can know to be wrong is told at once, with its line and the way out. What
//! a scenario does is read in `steps`.

use std::collections::BTreeMap;
use std::time::Duration;

use provision::Report;
use provision::reading::{self, Fault, Findings, Place, Section, Source, choose_from};
use router::Side;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Kind, LinkPlan, Plan, Plug, Scenario, Step, steps, values};
use crate::link::{Faults, Quality};
use crate::nat::NatBehaviour;
use crate::routing::Size;
use crate::time::Time;

const SECTIONS: [&str; 10] =
    ["about", "until", "host", "switch", "router", "nat", "station", "link", "step", "expect"];

const HOST_KEYS: [&str; 5] = ["name", "address", "gateway", "mtu", "user-timeout"];
const SWITCH_KEYS: [&str; 1] = ["name"];
/// Beside the sections of a configuration.
const ROUTER_KEYS: [&str; 5] = ["name", "config", "sessions", "clock", "mtu"];
const CONFIG_KEYS: [&str; 5] = ["wan", "lan", "nat", "timers", "forward"];
const NAT_KEYS: [&str; 12] = [
    "name",
    "lan",
    "wan",
    "gateway",
    "mapping",
    "filtering",
    "refresh",
    "ports",
    "hairpin",
    "udp",
    "tcp",
    "icmp",
];
const STATION_KEYS: [&str; 5] = ["name", "address", "more", "gateway", "answers"];
const LINK_KEYS: [&str; 2] = ["name", "ends"];
/// What a link, or a step that changes one, may say of it.
pub(super) const QUALITY_KEYS: [&str; 9] =
    ["delay", "rate", "limit", "loss", "duplication", "reordering", "jitter", "corruption", "truncation"];

/// How long after its last step a scenario goes on.
const AFTERWARDS: Duration = Duration::from_secs(5);

/// How much later a frame comes that others overtake, at most, where the file does not say.
const JITTER: Duration = Duration::from_millis(5);

/// How to find a file that a scenario names: its text, or why there is none.
pub type Finder<'f> = &'f dyn Fn(&str) -> Result<String, String>;

/// Reads the scenario `name` from the text of a file that messages call `file`. Other files are found by `find`.
///
/// # Errors
/// A report of everything that is wrong with it.
pub fn read(text: &str, name: &str, file: &str, find: Finder<'_>) -> Result<Scenario, Report> {
    let source = Source(text);
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(source, find);
    for error in &syntax_errors {
        let line = source.line(error.span().unwrap_or_default().start);
        reader.findings.add(Some(line), format!("not TOML: {}", error.message()));
    }
    let scenario = if syntax_errors.is_empty() { reader.scenario(document.get_ref(), name) } else { None };
    match (scenario, reader.findings.into_report(file)) {
        (Some(scenario), None) => Ok(scenario),
        (_, Some(report)) => Err(report),
        (None, None) => unreachable!("whatever cannot be read has been reported"),
    }
}

pub(super) struct Reader<'a> {
    source: Source<'a>,
    find: Finder<'a>,
    pub(super) findings: Findings,
    /// Every name, what it is of, and its line.
    names: BTreeMap<String, (&'static str, usize)>,
    /// What links are like.
    links: BTreeMap<String, (Quality, Faults)>,
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>, find: Finder<'a>) -> Self {
        Self { source, find, findings: Findings::default(), names: BTreeMap::new(), links: BTreeMap::new() }
    }

    fn scenario(&mut self, document: &'a DeTable<'a>, name: &str) -> Option<Scenario> {
        reading::refuse_unknown_sections(self.source, document, &SECTIONS, &mut self.findings);
        let top = Section::of_whole(self.source, document);
        let about =
            top.value("about", &mut self.findings, values::text).map_or(String::new(), |(_, text)| text);
        let until = top.value("until", &mut self.findings, values::duration);
        let mut nodes = Vec::new();
        for (kind, keys) in [
            ("host", &HOST_KEYS[..]),
            ("switch", &SWITCH_KEYS),
            ("router", &[&ROUTER_KEYS[..], &CONFIG_KEYS].concat()),
            ("nat", &NAT_KEYS),
            ("station", &STATION_KEYS),
        ] {
            for section in self.sections(document, kind, keys) {
                nodes.extend(self.node(&section, kind));
            }
        }
        let keys = [&LINK_KEYS[..], &QUALITY_KEYS].concat();
        let links: Vec<_> =
            self.sections(document, "link", &keys).iter().filter_map(|it| self.link(it)).collect();
        let mut steps = Vec::new();
        for section in self.sections(document, "step", &steps::keys()) {
            let before = steps.last().map_or(Time::ZERO, |step: &Step| step.at);
            steps.extend(steps::step(self, &section, before));
        }
        let sections = self.sections(document, "expect", &steps::EXPECT_KEYS);
        let expectations = sections.iter().filter_map(|it| steps::expectation(self, it)).collect();
        let last = steps.iter().map(|step| step.at + step.every * step.count.saturating_sub(1) as u32).max();
        let end = until.map_or(last.unwrap_or(Time::ZERO) + AFTERWARDS, |(_, until)| Time::ZERO + until);
        let (name, about) = (name.to_owned(), about.trim().to_owned());
        Some(Scenario { name, about, nodes, links, steps, expectations, end })
    }

    /// The tables of an array of tables, which have only those keys.
    fn sections(&mut self, document: &'a DeTable<'a>, name: &str, keys: &[&str]) -> Vec<Section<'a>> {
        let Some((key, value)) = document.get_key_value(name) else { return Vec::new() };
        let DeValue::Array(values) = value.get_ref() else {
            let line = self.source.line(key.span().start);
            self.findings.add(
                Some(line),
                format!("{name} is not a list; write [[{name}]], since there can be several"),
            );
            return Vec::new();
        };
        let section = |it: (usize, &'a Spanned<DeValue<'a>>), findings: &mut Findings| {
            Section::of_array(self.source, it, name, keys, findings)
        };
        values.iter().enumerate().filter_map(|it| section(it, &mut self.findings)).collect()
    }

    fn node(&mut self, section: &Section<'_>, kind: &'static str) -> Option<Plan> {
        let name = self.named(section, kind);
        let kind = match kind {
            "host" => self.host(section),
            "switch" => Some(Kind::Switch),
            "router" => self.router(section),
            "nat" => self.nat(section),
            _ => self.station(section),
        };
        Some(Plan { name: name?, kind: kind? })
    }

    /// The section's name, which nothing else has.
    fn named(&mut self, section: &Section<'_>, kind: &'static str) -> Option<String> {
        let (place, name) = section.needed("name", "\"alice\"", &mut self.findings, values::name)?;
        self.claim(&place, name, kind)
    }

    pub(super) fn claim(&mut self, place: &Place, name: String, kind: &'static str) -> Option<String> {
        if let Some((_, line)) = self.names.get(&name) {
            let fault = Fault::new(format!("is a name in line {line} already"), "choose another name");
            self.findings.fault(place, &fault);
            return None;
        }
        self.names.insert(name.clone(), (kind, place.line));
        Some(name)
    }

    /// A key whose value is the name of something of these kinds.
    pub(super) fn name_of(&mut self, section: &Section<'_>, key: &str, kinds: &[&str]) -> Option<String> {
        let (place, name) = section.value(key, &mut self.findings, values::name)?;
        self.known(&place, name, kinds)
    }

    pub(super) fn known(&mut self, place: &Place, name: String, kinds: &[&str]) -> Option<String> {
        if self.names.get(&name).is_some_and(|(kind, _)| kinds.contains(kind)) {
            return Some(name);
        }
        let of_kinds = self.names.iter().filter(|(_, (kind, _))| kinds.contains(kind));
        let known: Vec<_> = of_kinds.map(|(name, _)| &name[..]).collect();
        let remedy = match known[..] {
            [] => format!("there is no {} yet", kinds.join(" or ")),
            _ => choose_from(&name, &known),
        };
        self.findings
            .fault(place, &Fault::new(format!("is not the name of a {}", kinds.join(" or ")), remedy));
        None
    }

    fn host(&mut self, section: &Section<'_>) -> Option<Kind> {
        let address = section.needed("address", "\"192.0.2.1/24\"", &mut self.findings, values::cidr);
        let gateway = self.value(section, "gateway", values::address);
        let mtu = self.value(section, "mtu", values::mtu).unwrap_or(1500);
        let user_timeout = self.value(section, "user-timeout", values::duration);
        Some(Kind::Host { address: address?.1, gateway, mtu, user_timeout })
    }

    fn router(&mut self, section: &Section<'_>) -> Option<Kind> {
        let config = match section.value("config", &mut self.findings, values::text) {
            Some((place, path)) => self.file(&place, &path),
            None => section.table().and_then(|table| {
                reading::configuration(self.source, table, &ROUTER_KEYS, &mut self.findings)
            }),
        };
        let size = self.value(section, "sessions", values::size).unwrap_or(Size::Home);
        let clock = self.value(section, "clock", values::duration).unwrap_or_default();
        let mtu = self.value(section, "mtu", values::mtus).unwrap_or([1500; 2]);
        Some(Kind::Router { config: Box::new(config?), size, clock, mtu })
    }

    /// The configuration in a file of its own.
    fn file(&mut self, place: &Place, path: &str) -> Option<config::Config> {
        let text = (self.find)(path);
        let text = text
            .map_err(|why| Fault::new(format!("cannot be read: {why}"), "name a file beside the scenario"));
        let compiled = text.and_then(|text| {
            let first = |report: Report| report.to_string().lines().next().unwrap_or_default().to_owned();
            provision::compile(&text, path)
                .map_err(|report| Fault::new(format!("is wrong: {}", first(report)), "see provision check"))
        });
        compiled.map_err(|fault| self.findings.fault(place, &fault)).ok()
    }

    fn nat(&mut self, section: &Section<'_>) -> Option<Kind> {
        let lan = section.needed("lan", "\"10.0.0.254/24\"", &mut self.findings, values::cidr);
        let wan = section.needed("wan", "\"203.0.113.10/24\"", &mut self.findings, values::cidr);
        let gateway = self.value(section, "gateway", values::address);
        let default = NatBehaviour::default();
        let behaviour = NatBehaviour {
            mapping: self.value(section, "mapping", values::behaviour).unwrap_or(default.mapping),
            filtering: self.value(section, "filtering", values::behaviour).unwrap_or(default.filtering),
            refresh: self.value(section, "refresh", values::refresh).unwrap_or(default.refresh),
            ports: self.value(section, "ports", values::port_choice).unwrap_or(default.ports),
            hairpin: self.value(section, "hairpin", values::truth).unwrap_or(default.hairpin),
            udp: self.value(section, "udp", values::duration).unwrap_or(default.udp),
            tcp: self.value(section, "tcp", values::duration).unwrap_or(default.tcp),
            icmp: self.value(section, "icmp", values::duration).unwrap_or(default.icmp),
        };
        Some(Kind::Nat { lan: lan?.1, wan: wan?.1, gateway, behaviour })
    }

    fn station(&mut self, section: &Section<'_>) -> Option<Kind> {
        let address = section.needed("address", "\"198.51.100.7/24\"", &mut self.findings, values::cidr);
        let more = self.value(section, "more", values::cidrs).unwrap_or_default();
        let gateway = self.value(section, "gateway", values::address);
        let answers = self.value(section, "answers", values::truth).unwrap_or(false);
        Some(Kind::Station { address: address?.1, more, gateway, answers })
    }

    fn link(&mut self, section: &Section<'_>) -> Option<LinkPlan> {
        let ends = section.needed("ends", "[\"alice\", \"box.lan\"]", &mut self.findings, values::ends);
        let (quality, faults) = self.quality(section, (Quality::default(), Faults::default()));
        let (place, [one, other]) = ends?;
        let name = match section.value("name", &mut self.findings, values::name) {
            Some((place, name)) => self.claim(&place, name, "link"),
            // A link without a name cannot be meant, but has its stream of random numbers all the same.
            None => Some(format!("{one} {other}")),
        };
        let ends = [one, other].map(|end| self.plug(&place, &end));
        let [Some(one), Some(other)] = ends else { return None };
        let name = name?;
        self.links.insert(name.clone(), (quality, faults));
        Some(LinkPlan { name, ends: [one, other], quality, faults })
    }

    /// `alice`, `box.lan`: a node, and a side if it has sides.
    fn plug(&mut self, place: &Place, end: &str) -> Option<Plug> {
        let (node, side) = end.split_once('.').map_or((end, None), |(node, side)| (node, Some(side)));
        let node = self.known(place, node.to_owned(), &["host", "switch", "router", "nat", "station"])?;
        let has_sides = matches!(self.names.get(&node), Some(("router" | "nat", _)));
        let side = match (has_sides, side) {
            (true, Some("lan")) => Some(Side::Lan),
            (true, Some("wan")) => Some(Side::Wan),
            (false, None) => None,
            (true, _) => {
                let remedy = format!("write \"{node}.lan\" or \"{node}.wan\"");
                self.findings.fault(place, &Fault::new(format!("names no side of {node}"), remedy));
                return None;
            }
            (false, Some(_)) => {
                let fault = Fault::new(
                    format!("names a side of {node}, which has none"),
                    format!("write \"{node}\""),
                );
                self.findings.fault(place, &fault);
                return None;
            }
        };
        Some(Plug { node, side })
    }

    /// What a link is like when the world begins.
    pub(super) fn link_named(&self, name: &str) -> (Quality, Faults) {
        self.links.get(name).copied().unwrap_or_default()
    }

    /// What a section says of a link; the rest is as before.
    pub(super) fn quality(&mut self, section: &Section<'_>, before: (Quality, Faults)) -> (Quality, Faults) {
        let (quality, faults) = before;
        let quality = Quality {
            delay: self.value(section, "delay", values::duration).unwrap_or(quality.delay),
            rate: self.value(section, "rate", values::rate).unwrap_or(quality.rate),
            limit: self.value(section, "limit", values::limit).unwrap_or(quality.limit),
        };
        let faults =
            Faults {
                loss: self.value(section, "loss", values::chance).unwrap_or(faults.loss),
                duplication: self.value(section, "duplication", values::chance).unwrap_or(faults.duplication),
                reordering: self.value(section, "reordering", values::chance).unwrap_or(faults.reordering),
                jitter: self
                    .value(section, "jitter", values::duration)
                    .unwrap_or(if faults.jitter.is_zero() { JITTER } else { faults.jitter }),
                corruption: self.value(section, "corruption", values::chance).unwrap_or(faults.corruption),
                truncation: self.value(section, "truncation", values::chance).unwrap_or(faults.truncation),
            };
        (quality, faults)
    }

    /// A value that may be there. If it cannot be read, the operator is told so.
    pub(super) fn value<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        section.value(key, &mut self.findings, parse).map(|(_, value)| value)
    }
}
