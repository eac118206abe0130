//! A scenario as its file: what [`read`](super::read()) makes the same scenario of, but for the lines.

use std::fmt::{self, Write as _};
use std::net::Ipv4Addr;
use std::time::Duration;

use napt::Dependence;

use super::judge::written;
use super::{Act, Data, Expectation, Expected, Kind, LinkPlan, Plan, Remote, Scenario, Step, Stray};
use crate::chance::Chance;
use crate::link::{Faults, Quality};
use crate::nat::{PortChoice, Refresh};
use crate::time::Time;

/// The scenario as TOML.
pub fn show(scenario: &Scenario) -> String {
    let mut file = File::default();
    file.text("about", &scenario.about);
    file.time("until", since_beginning(scenario.end));
    scenario.nodes.iter().for_each(|plan| file.node(plan));
    scenario.links.iter().for_each(|plan| file.link(plan));
    scenario.steps.iter().for_each(|step| file.step(step));
    scenario.expectations.iter().for_each(|expectation| file.expectation(expectation));
    file.0
}

#[derive(Default)]
struct File(String);

impl File {
    fn node(&mut self, plan: &Plan) {
        self.table(plan.kind.name());
        self.text("name", &plan.name);
        match &plan.kind {
            Kind::Host { address, gateway, mtu, user_timeout } => {
                self.text("address", address);
                self.gateway(*gateway);
                self.bare("mtu", mtu);
                if let Some(time) = user_timeout {
                    self.time("user-timeout", *time);
                }
            }
            Kind::Switch => (),
            Kind::Router { config, size, clock, mtu } => {
                self.bare("sessions", size.sessions());
                self.bare("mtu", format_args!("{mtu:?}"));
                self.time("clock", *clock);
                self.0.push_str(&within_router(&provision::show(config)));
            }
            Kind::Nat { lan, wan, gateway, behaviour } => {
                self.text("lan", lan);
                self.text("wan", wan);
                self.gateway(*gateway);
                self.text("mapping", dependence(behaviour.mapping));
                self.text("filtering", dependence(behaviour.filtering));
                self.text("refresh", refresh(behaviour.refresh));
                self.text("ports", ports(behaviour.ports));
                self.bare("hairpin", behaviour.hairpin);
                self.time("udp", behaviour.udp);
                self.time("tcp", behaviour.tcp);
                self.time("icmp", behaviour.icmp);
            }
            Kind::Station { address, more, gateway, answers } => {
                self.text("address", address);
                self.gateway(*gateway);
                let more: Vec<_> = more.iter().map(|more| format!("\"{more}\"")).collect();
                self.bare("more", format_args!("[{}]", more.join(", ")));
                self.bare("answers", answers);
            }
        }
    }

    fn link(&mut self, plan: &LinkPlan) {
        self.table("link");
        if !plan.name.contains(' ') {
            self.text("name", &plan.name);
        }
        let end = |end: &super::Plug| match end.side {
            Some(side) => format!("\"{}.{side}\"", end.node),
            None => format!("\"{}\"", end.node),
        };
        self.bare("ends", format_args!("[{}]", plan.ends.each_ref().map(end).join(", ")));
        self.quality(plan.quality, plan.faults);
    }

    /// All of it: where a link is changed, what is left out stays as it was at first.
    fn quality(&mut self, quality: Quality, faults: Faults) {
        self.time("delay", quality.delay);
        match quality.rate {
            Some(rate) => self.text("rate", format_args!("{rate}bit/s")),
            None => self.text("rate", "any"),
        }
        match quality.limit {
            Some(limit) => self.bare("limit", limit),
            None => self.text("limit", "any"),
        }
        let Faults { loss, duplication, reordering, jitter, corruption, truncation } = faults;
        self.chance("loss", loss);
        self.chance("duplication", duplication);
        self.chance("reordering", reordering);
        self.time("jitter", jitter);
        self.chance("corruption", corruption);
        self.chance("truncation", truncation);
    }

    fn step(&mut self, step: &Step) {
        self.table("step");
        self.time("at", since_beginning(step.at));
        if step.count != 1 {
            self.bare("count", step.count);
            self.time("every", step.every);
        }
        self.act(&step.act);
        let promises = matches!(
            step.act,
            Act::Ping { .. } | Act::Connect { .. } | Act::Receive { .. } | Act::Udp { .. } | Act::Hear { .. }
        );
        if promises {
            self.time("within", step.within);
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Ping { host, to, answered } => {
                self.text("host", host);
                self.text("ping", to);
                self.outcome("answered", *answered);
            }
            Act::Connect { host, to, from, name, opens } => {
                self.text("host", host);
                self.text("connect", remote(to));
                self.bare("from", from);
                self.named(name);
                self.outcome("opens", *opens);
            }
            Act::Listen { host, port, name } => {
                self.text("host", host);
                self.bare("listen", port);
                self.named(name);
            }
            Act::Serve { host, tcp, port } => {
                self.text("host", host);
                self.text("serve", format_args!("{} {port}", if *tcp { "tcp" } else { "udp" }));
            }
            Act::Udp { host, to, from, data, answered, learn } => {
                self.text("host", host);
                self.text("udp", remote(to));
                self.bare("from", from);
                self.text("data", data);
                self.outcome("answered", *answered);
                if let Some(name) = learn {
                    self.text("learn", name);
                }
            }
            Act::Hear { host, port, data, heard } => {
                self.text("host", host);
                self.text("hears", data);
                self.bare("port", port);
                self.bare("heard", heard);
            }
            act => self.other_act(act),
        }
    }

    fn other_act(&mut self, act: &Act) {
        match act {
            Act::Send { on, data } => self.said(on, "send", data),
            Act::Receive { on, data, arrives } => {
                self.said(on, "receive", data);
                self.bare("arrives", arrives);
            }
            Act::Close { on } => self.text("close", on),
            Act::Abort { on } => self.text("abort", on),
            Act::KeepAlive { on, every } => {
                self.text("on", on);
                self.time("keep-alive", *every);
            }
            Act::Is { on, open } => {
                self.text("on", on);
                self.bare("open", open);
            }
            Act::Packet { station, text } => {
                self.text("station", station);
                self.text("packet", text);
            }
            Act::Address { router, address, gateway } => {
                self.text("router", router);
                self.text("address", address);
                self.gateway(*gateway);
            }
            Act::RemoveForward { router, forward } => {
                self.text("router", router);
                self.text("remove-forward", forward);
            }
            Act::Reboot { router } => self.text("reboot", router),
            Act::SetUp { link, up } => {
                self.text("link", link);
                self.bare("up", up);
            }
            Act::SetQuality { link, quality, faults } => {
                self.text("change", link);
                self.quality(*quality, *faults);
            }
            Act::SetFaults { on } => self.bare("faults", on),
            // The others are in `act`.
            _ => (),
        }
    }

    fn said(&mut self, on: &str, verb: &str, data: &Data) {
        self.text("on", on);
        match data {
            Data::Text(text) => self.text(verb, text),
            Data::Bytes(len) => self.bare(&format!("{verb}-bytes"), len),
        }
    }

    fn expectation(&mut self, expectation: &Expectation) {
        self.table("expect");
        if let Some(at) = expectation.at {
            self.time("at", since_beginning(at));
        }
        match &expectation.what {
            Expected::Sessions(router, range) => {
                self.text("router", router);
                self.text("sessions", written(range));
            }
            Expected::Mappings(router, range) => {
                self.text("router", router);
                self.text("mappings", written(range));
            }
            Expected::Counter(router, side, name, range) => {
                self.text("router", router);
                self.text("counter", format_args!("{side} {name}"));
                self.text("is", written(range));
            }
            Expected::NoneFrom(Stray { link, prefix, by, since }) => {
                self.text("link", link);
                self.text("none-from", prefix);
                if let Some(by) = by {
                    self.text("by", by);
                }
                self.time("since", since_beginning(*since));
            }
            Expected::Sees(link, text, range) => {
                self.text("link", link);
                self.text("sees", text);
                self.text("times", written(range));
            }
            Expected::Received(station, range) => {
                self.text("station", station);
                self.text("received", written(range));
            }
        }
    }

    fn table(&mut self, name: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = write!(self.0, "\n[[{name}]]\n");
    }

    /// A connection's name; one that was made of its line is none.
    fn named(&mut self, name: &str) {
        if !name.contains(' ') {
            self.text("as", name);
        }
    }

    fn gateway(&mut self, gateway: Option<Ipv4Addr>) {
        if let Some(gateway) = gateway {
            self.text("gateway", gateway);
        }
    }

    fn outcome(&mut self, key: &str, wanted: Option<bool>) {
        match wanted {
            Some(wanted) => self.bare(key, wanted),
            None => self.text(key, "either"),
        }
    }

    fn chance(&mut self, key: &str, chance: Chance) {
        let millionths = chance.millionths();
        self.text(key, format_args!("{}.{:04}%", millionths / 10_000, millionths % 10_000));
    }

    fn time(&mut self, key: &str, time: Duration) {
        self.text(key, format_args!("{}us", time.as_micros()));
    }

    fn text(&mut self, key: &str, value: impl fmt::Display) {
        let value = value
            .to_string()
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n")
            .replace('\r', "\\r");
        self.bare(key, format_args!("\"{value}\""));
    }

    fn bare(&mut self, key: &str, value: impl fmt::Display) {
        let _ = writeln!(self.0, "{key} = {value}");
    }
}

/// A configuration as part of a router's table.
fn within_router(config: &str) -> String {
    let line = |line: &str| match line {
        _ if line.starts_with("[[") => format!("[[router.{}\n", &line[2..]),
        _ if line.starts_with('[') => format!("[router.{}\n", &line[1..]),
        _ => format!("{line}\n"),
    };
    config.lines().filter(|line| !line.is_empty()).map(line).collect()
}

fn since_beginning(time: Time) -> Duration {
    Duration::from_micros(time.micros())
}

fn remote(remote: &Remote) -> String {
    match remote {
        Remote::At(end) => end.to_string(),
        Remote::Known(name) => format!("@{name}"),
    }
}

fn dependence(behaviour: Dependence) -> &'static str {
    match behaviour {
        Dependence::Endpoint => "endpoint-independent",
        Dependence::Address => "address-dependent",
        Dependence::AddressAndPort => "address-and-port-dependent",
    }
}

fn refresh(refresh: Refresh) -> &'static str {
    match refresh {
        Refresh::Outbound => "outbound",
        Refresh::Inbound => "inbound",
        Refresh::Both => "both",
    }
}

fn ports(ports: PortChoice) -> &'static str {
    match ports {
        PortChoice::Preserve => "preserve",
        PortChoice::Sequential => "sequential",
        PortChoice::Random => "random",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SHIPPED, read, shipped};
    use super::*;

    #[test]
    fn what_is_shown_is_read_as_the_same_scenario() {
        for (name, _) in SHIPPED {
            let mut scenario = shipped(name).unwrap().unwrap();
            let text = show(&scenario);
            let mut again = read(&text, name, name, &|_: &str| Err(String::new()))
                .unwrap_or_else(|it| panic!("{it}\n{text}"));

            for steps in [&mut scenario.steps, &mut again.steps] {
                for step in steps {
                    step.line = 0;
                    nameless(&mut step.act);
                }
            }
            for expectations in [&mut scenario.expectations, &mut again.expectations] {
                expectations.iter_mut().for_each(|expectation| expectation.line = 0);
            }
            assert_eq!(scenario, again, "{text}");
        }
    }

    /// Forgets what is only the line of a step.
    fn nameless(act: &mut Act) {
        if let Act::Connect { name, .. } | Act::Listen { name, .. } = act
            && name.contains(' ')
        {
            name.clear();
        }
    }
}
