//! Through a whole file: its sections, their keys, and then the settings beside each other.
//!
//! A setting that cannot be read is reported and left out of the draft; the rest is checked all the same. So one
//! run tells everything that one can know before the first mistake is mended.

use config::{
    Action, Addresses, Behaviours, Config, Control, Draft, Error, Field, Forward, MAX_FORWARDS, MAX_RULES,
    Nat, Rate, Rule, RuleProtocol, Share, Timer,
};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::{Fault, Findings, Place, Report, Source};
use crate::section::{Section, refuse_unknown_sections};
use crate::{advice, values};

const SECTIONS: [&str; 7] = ["wan", "lan", "nat", "timers", "control", "forward", "rule"];
const WAN_KEYS: [&str; 3] = ["interface", "address", "gateway"];
const LAN_KEYS: [&str; 2] = ["interface", "address"];
const NAT_KEYS: [&str; 9] = [
    "ports",
    "mapping",
    "filtering",
    "preserve-ports",
    "other-protocols",
    "clamp-mss",
    "refusals",
    "unsolicited-syn",
    "shares",
];
const PROTOCOL_KEYS: [&str; 3] = ["tcp", "udp", "icmp"];
const CONTROL_KEYS: [&str; 3] = ["key", "lan-port", "signer"];
const FORWARD_KEYS: [&str; 4] = ["name", "protocol", "external", "internal"];
const RULE_KEYS: [&str; 12] = [
    "name",
    "direction",
    "protocol",
    "source",
    "source-port",
    "destination",
    "port",
    "action",
    "with",
    "rate",
    "burst",
    "log",
];

/// Reads the file `name`, whose text is `text`.
pub(crate) fn read(text: &str, name: &str) -> Result<Config, Report> {
    let mut reader = Reader::new(Source(text));
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    for error in &syntax_errors {
        reader.report_syntax(error);
    }
    // What the parser could save of a broken file would only draw misleading complaints.
    if syntax_errors.is_empty() {
        reader.read_document(document.get_ref(), &SECTIONS);
    }
    reader.finish(name)
}

/// Reads a configuration that is a table of some other file, whose keys `besides` the configuration's sections are that
/// file's own. What is wrong goes to `findings`.
pub(crate) fn read_within(
    source: Source<'_>,
    table: &DeTable<'_>,
    besides: &[&str],
    findings: &mut Findings,
) -> Option<Config> {
    let mut reader = Reader::new(source);
    reader.findings = core::mem::take(findings);
    let known = [&SECTIONS[..], besides].concat();
    reader.read_document(table, &known);
    let (draft, after) = reader.checked();
    *findings = after;
    // What is missing or wrong has been said.
    Config::new(draft).ok()
}

struct Reader<'a> {
    source: Source<'a>,
    findings: Findings,
    draft: Draft,
    /// Where the settings of the draft are.
    places: Vec<(Field, Place)>,
}

impl<'a> Reader<'a> {
    fn new(source: Source<'a>) -> Self {
        Self { source, findings: Findings::default(), draft: Draft::default(), places: Vec::new() }
    }

    fn report_syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or_default();
        let line = Some(self.source.line(span.start));
        let message = match error.message() {
            "duplicate key" => format!("{} is here twice; keep one", self.source.snippet(span)),
            other => format!("not TOML: {other}"),
        };
        self.findings.add(line, message);
    }

    fn read_document(&mut self, document: &DeTable<'_>, known: &[&str]) {
        refuse_unknown_sections(self.source, document, known, &mut self.findings);
        self.read_wan(document);
        self.read_lan(document);
        self.read_nat(document);
        self.read_timers(document);
        self.read_control(document);
        self.read_forwards(document);
        self.read_rules(document);
    }

    fn read_wan(&mut self, document: &DeTable<'_>) {
        let wan = Section::of_document(self.source, document, "wan", &WAN_KEYS, &mut self.findings);
        self.draft.wan_interface = self.optional(&wan, "interface", Field::WanInterface, values::interface);
        self.draft.wan_address = self.required(
            &wan,
            "address",
            "\"203.0.113.254/24\"",
            Field::WanAddress,
            values::interface_address,
        );
        self.draft.wan_gateway = self.optional(&wan, "gateway", Field::WanGateway, values::address);
    }

    fn read_lan(&mut self, document: &DeTable<'_>) {
        let lan = Section::of_document(self.source, document, "lan", &LAN_KEYS, &mut self.findings);
        self.draft.lan_interface = self.optional(&lan, "interface", Field::LanInterface, values::interface);
        self.draft.lan_address = self.required(
            &lan,
            "address",
            "\"192.168.1.1/24\"",
            Field::LanAddress,
            values::interface_address,
        );
    }

    fn read_nat(&mut self, document: &DeTable<'_>) {
        let nat = Section::of_document(self.source, document, "nat", &NAT_KEYS, &mut self.findings);
        let Nat {
            ports,
            mapping,
            filtering,
            preserve_ports,
            other_protocols,
            clamp_mss,
            refusals,
            unsolicited_syn,
            ..
        } = Nat::default();
        self.draft.nat = Nat {
            ports: self.value_or(ports, &nat, "ports", values::ports),
            mapping: self.behaviours(mapping, &nat, "mapping"),
            filtering: self.behaviours(filtering, &nat, "filtering"),
            preserve_ports: self.value_or(preserve_ports, &nat, "preserve-ports", values::truth),
            other_protocols: self.value_or(other_protocols, &nat, "other-protocols", values::truth),
            clamp_mss: self.value_or(clamp_mss, &nat, "clamp-mss", values::truth),
            refusals: self.value_or(refusals, &nat, "refusals", values::response),
            unsolicited_syn: self.value_or(unsolicited_syn, &nat, "unsolicited-syn", values::response),
            ..Nat::default()
        };
        self.read_shares(&nat);
    }

    /// One behaviour for all protocols, or a table with some protocols' own.
    fn behaviours(&mut self, default: Behaviours, nat: &Section<'_>, key: &str) -> Behaviours {
        if !nat.has_table(key) {
            return self.value(nat, key, values::behaviour).map_or(default, |(_, all)| Behaviours::all(all));
        }
        let own = nat.inner(key, &PROTOCOL_KEYS, &mut self.findings);
        Behaviours {
            tcp: self.value_or(default.tcp, &own, "tcp", values::behaviour),
            udp: self.value_or(default.udp, &own, "udp", values::behaviour),
            icmp: self.value_or(default.icmp, &own, "icmp", values::behaviour),
        }
    }

    fn read_shares(&mut self, nat: &Section<'_>) {
        let section = nat.inner("shares", &Share::ALL.map(Share::name), &mut self.findings);
        for share in Share::ALL {
            let sessions = self.optional(&section, share.name(), Field::Share(share), values::sessions);
            self.draft.nat.shares = self.draft.nat.shares.with(share, sessions);
        }
    }

    fn read_timers(&mut self, document: &DeTable<'_>) {
        let keys = Timer::ALL.map(Timer::name);
        let section = Section::of_document(self.source, document, "timers", &keys, &mut self.findings);
        for timer in Timer::ALL {
            let timers = self.draft.timers;
            self.draft.timers = self.value_or(timers, &section, timer.name(), |value| {
                timers.with(timer, values::duration(value)?).map_err(|problem| advice::timer(timer, problem))
            });
        }
    }

    fn read_control(&mut self, document: &DeTable<'_>) {
        if !document.contains_key("control") {
            return;
        }
        let section =
            Section::of_document(self.source, document, "control", &CONTROL_KEYS, &mut self.findings);
        // All are looked at before the key may be missing, so that no mistake hides another.
        let key = section.secret(
            "key",
            "\"<64 hex digits>\", which provision keygen makes",
            &mut self.findings,
            values::control_key,
        );
        let lan_port = self.value(&section, "lan-port", values::single_port).map(|(_, port)| port);
        let signer = self.value(&section, "signer", values::signer).map(|(_, signer)| signer);
        self.draft.control = key.map(|key| Control { key, lan_port, signer });
    }

    fn read_forwards(&mut self, document: &DeTable<'_>) {
        self.read_each(document, "forward", MAX_FORWARDS, &advice::too_many_forwards(), Self::read_forward);
    }

    fn read_rules(&mut self, document: &DeTable<'_>) {
        self.read_each(document, "rule", MAX_RULES, &advice::too_many_rules(), Self::read_rule);
    }

    /// The sections of an array, no more than there can be.
    fn read_each(
        &mut self,
        document: &DeTable<'_>,
        name: &str,
        most: usize,
        too_many: &str,
        read: impl Fn(&mut Self, (usize, &Spanned<DeValue<'_>>)),
    ) {
        let Some((key, value)) = document.get_key_value(name) else { return };
        let DeValue::Array(all) = value.get_ref() else {
            let message =
                format!("{name} is a single value or section; write [[{name}]], since there can be several");
            self.findings.add(Some(self.source.line(key.span().start)), message);
            return;
        };
        if let Some(surplus) = all.get(most) {
            let line = self.source.line(surplus.span().start);
            self.findings.add(Some(line), too_many.to_owned());
        }
        all.iter().enumerate().take(most).for_each(|one| read(self, one));
    }

    fn read_forward(&mut self, forward: (usize, &Spanned<DeValue<'_>>)) {
        let section = Section::of_array(self.source, forward, "forward", &FORWARD_KEYS, &mut self.findings);
        let Some(section) = section else { return };
        // All four are looked at before any of them may be missing, so that no mistake hides another.
        let name = self.needed(&section, "name", "\"web\"", values::name);
        let protocols = self.needed(&section, "protocol", "\"tcp\"", values::protocols);
        let external = self.needed(&section, "external", "\"80\"", values::ports);
        let internal = self.needed(&section, "internal", "\"192.168.1.2:80\"", values::endpoint);
        let (Some((name_place, name)), Some((_, protocols))) = (name, protocols) else { return };
        let (Some((external_place, external)), Some((internal_place, (host, first_port)))) =
            (external, internal)
        else {
            return;
        };
        let first_port = first_port.unwrap_or(external.first());
        let Ok(forward) = Forward::new(name, protocols, external, host, first_port) else {
            self.findings.fault(&internal_place, &advice::past_last_port(external));
            return;
        };
        // No more than MAX_FORWARDS come here.
        let index = self.draft.forwards.len() as u8;
        // There is room: no more than MAX_FORWARDS come here.
        if self.draft.forwards.push(forward).is_ok() {
            self.places.push((Field::ForwardName(index), name_place));
            self.places.push((Field::ForwardExternal(index), external_place));
            self.places.push((Field::ForwardInternal(index), internal_place));
        }
    }

    fn read_rule(&mut self, rule: (usize, &Spanned<DeValue<'_>>)) {
        let section = Section::of_array(self.source, rule, "rule", &RULE_KEYS, &mut self.findings);
        let Some(section) = section else { return };
        // All are looked at before any of them may be missing, so that no mistake hides another.
        let name = self.needed(&section, "name", "\"no mail\"", values::name);
        let direction = self.needed(&section, "direction", "\"lan-to-wan\"", values::direction);
        let action = self.needed(&section, "action", "\"drop\"", values::action);
        let protocol = self.value_or(RuleProtocol::Any, &section, "protocol", values::rule_protocol);
        let source = self.value_or(Addresses::ALL, &section, "source", values::addresses);
        let destination = self.value_or(Addresses::ALL, &section, "destination", values::addresses);
        let source_port = self.value(&section, "source-port", values::ports);
        let port = self.value(&section, "port", values::ports);
        let with = self.value(&section, "with", values::rejection);
        let rate = self.value(&section, "rate", values::rate);
        let burst = self.value(&section, "burst", values::burst);
        let log = self.value_or(false, &section, "log", values::truth);
        let (Some((name_place, name)), Some((_, direction)), Some((action_place, action))) =
            (name, direction, action)
        else {
            return;
        };
        let action = match (action, with) {
            (Action::Reject(_), Some((place, how))) => (place, Action::Reject(how)),
            (action, Some((place, _))) => {
                self.findings.fault(&place, &advice::nothing_to_tell());
                (place, action)
            }
            (action, None) => (action_place, action),
        };
        if let (None, Some((place, _))) = (&rate, &burst) {
            self.findings.fault(place, &advice::burst_of_nothing());
        }
        // No more than MAX_RULES come here, 256.
        let index = self.draft.rules.len() as u8;
        self.places.push((Field::RuleName(index), name_place));
        self.places.push((Field::RuleAction(index), action.0));
        let ports = [&port, &source_port].into_iter().flatten().next();
        self.places.extend(ports.map(|(place, _)| (Field::RulePorts(index), place.clone())));
        let rate = rate.map(|(_, rate)| Rate { burst: burst.map_or(rate.burst, |(_, burst)| burst), ..rate });
        // There is room: no more than MAX_RULES come here.
        let _ = self.draft.rules.push(Rule {
            name,
            direction,
            protocol,
            source,
            source_port: source_port.map(|(_, range)| range),
            destination,
            port: port.map(|(_, range)| range),
            action: action.1,
            rate,
            log,
        });
    }

    /// A setting that must be there; its place is remembered under `field`.
    fn required<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        field: Field,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let (place, value) = self.needed(section, key, example, parse)?;
        self.places.push((field, place));
        Some(value)
    }

    /// A setting that may be there; its place is remembered under `field`.
    fn optional<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        field: Field,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let (place, value) = self.value(section, key, parse)?;
        self.places.push((field, place));
        Some(value)
    }

    /// A value that must be there, with its place. If it is not, the operator is told so.
    fn needed<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        example: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<(Place, T)> {
        section.needed(key, example, &mut self.findings, parse)
    }

    /// A value that may be there, or else `default`.
    fn value_or<T>(
        &mut self,
        default: T,
        section: &Section<'_>,
        key: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> T {
        self.value(section, key, parse).map_or(default, |(_, value)| value)
    }

    /// A value that may be there, with its place. If it cannot be read, the operator is told so.
    fn value<T>(
        &mut self,
        section: &Section<'_>,
        key: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<(Place, T)> {
        section.value(key, &mut self.findings, parse)
    }

    /// Ends in a configuration if nothing at all is wrong.
    fn finish(self, name: &str) -> Result<Config, Report> {
        let (draft, findings) = self.checked();
        match findings.into_report(name) {
            Some(report) => Err(report),
            None => Config::new(draft).map_err(|error| Report::of_file(name, &error)),
        }
    }

    /// Compares the settings with one another.
    fn checked(self) -> (Draft, Findings) {
        let Self { mut findings, draft, places, .. } = self;
        let place_of = |field| places.iter().find(|(other, _)| *other == field).map(|(_, place)| place);
        draft.check(&mut |error| {
            // A setting without a place is missing or could not be read: the operator knows already.
            if let Error::Invalid(field, problem) = error
                && let Some(place) = place_of(field)
            {
                findings.fault(place, &advice::together(field, problem, &draft, place_of));
            }
        });
        (draft, findings)
    }
}
