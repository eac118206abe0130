//! A configuration in its readable form: every setting, in a fixed order, defaults too. What has no default of its
//! own, such as a share of the sessions, is shown where it is set.

use std::fmt::{self, Write as _};

use config::{
    Action, Addresses, Behaviour, Behaviours, Config, Control, Forward, InterfaceName, Nat, Rule,
    RuleProtocol, Share, Timer, Timers,
};

use crate::hex;

/// The configuration as TOML. It compiles to the same configuration, and equal configurations read the same.
pub fn show(config: &Config) -> String {
    let mut text = String::new();
    let (wan, lan) = (config.wan(), config.lan());

    text.push_str("[wan]\n");
    show_interface(&mut text, wan.interface());
    setting(&mut text, "address", &wan.address().to_string());
    if let Some(gateway) = wan.gateway() {
        setting(&mut text, "gateway", &gateway.to_string());
    }

    text.push_str("\n[lan]\n");
    show_interface(&mut text, lan.interface());
    setting(&mut text, "address", &lan.address().to_string());

    show_nat(&mut text, config.nat());

    show_timers(&mut text, config.timers());

    if let Some(control) = config.control() {
        show_control(&mut text, control);
    }

    for forward in config.forwards() {
        show_forward(&mut text, forward);
    }
    for rule in config.rules() {
        show_rule(&mut text, rule);
    }
    text
}

/// The same without what is so by default in any configuration.
pub(crate) fn brief(config: &Config) -> String {
    let mut defaults = String::new();
    show_nat(&mut defaults, Nat::default());
    show_timers(&mut defaults, Timers::default());
    let is_own = |line: &&str| line.starts_with('[') || !defaults.lines().any(|default| default == *line);
    let whole = show(config);
    let mut sections = Vec::new();
    for section in whole.split("\n\n") {
        if !section.starts_with("[nat]") && !section.starts_with("[timers]") {
            sections.push(section.trim_end().to_owned());
            continue;
        }
        let own: Vec<_> = section.lines().filter(is_own).collect();
        if own.len() > 1 {
            sections.push(own.join("\n"));
        }
    }
    sections.join("\n\n") + "\n"
}

fn show_interface(text: &mut String, interface: Option<&InterfaceName>) {
    if let Some(interface) = interface {
        setting(text, "interface", interface.as_str());
    }
}

fn show_nat(text: &mut String, nat: Nat) {
    text.push_str("\n[nat]\n");
    setting(text, "ports", &nat.ports.to_string());
    show_behaviours(text, "mapping", nat.mapping);
    show_behaviours(text, "filtering", nat.filtering);
    bare(text, "preserve-ports", nat.preserve_ports);
    bare(text, "other-protocols", nat.other_protocols);
    bare(text, "clamp-mss", nat.clamp_mss);
    setting(text, "refusals", nat.refusals.name());
    setting(text, "unsolicited-syn", nat.unsolicited_syn.name());
    let set = Share::ALL.map(|share| Some((share.name(), nat.shares.sessions(share)?)));
    if set.iter().any(Option::is_some) {
        text.push_str("\n[nat.shares]\n");
        set.into_iter().flatten().for_each(|(name, sessions)| bare(text, name, sessions));
    }
}

fn show_timers(text: &mut String, timers: Timers) {
    text.push_str("\n[timers]\n");
    for timer in Timer::ALL {
        let seconds = timers.duration(timer).as_secs();
        setting(text, timer.name(), &format!("{seconds}s"));
    }
}

fn show_control(text: &mut String, control: &Control) {
    text.push_str("\n[control]\n");
    setting(text, "key", &hex::digits(control.key.bytes()));
    if let Some(port) = control.lan_port {
        bare(text, "lan-port", port);
    }
    if let Some(signer) = control.signer {
        setting(text, "signer", &hex::digits(signer.bytes()));
    }
}

fn show_behaviours(text: &mut String, key: &str, behaviours: Behaviours) {
    if let Some(common) = behaviours.common() {
        return setting(text, key, common.name());
    }
    let Behaviours { tcp, udp, icmp } = behaviours;
    let [tcp, udp, icmp] = [tcp, udp, icmp].map(Behaviour::name);
    bare(text, key, format!("{{ tcp = \"{tcp}\", udp = \"{udp}\", icmp = \"{icmp}\" }}"));
}

fn show_forward(text: &mut String, forward: &Forward) {
    let first_port = forward.internal_ports().first();
    text.push_str("\n[[forward]]\n");
    setting(text, "name", forward.name().as_str());
    setting(text, "protocol", forward.protocols().name());
    setting(text, "external", &forward.external().to_string());
    setting(text, "internal", &format!("{}:{first_port}", forward.internal()));
}

/// What a rule does not look at is not shown.
fn show_rule(text: &mut String, rule: &Rule) {
    text.push_str("\n[[rule]]\n");
    setting(text, "name", rule.name.as_str());
    setting(text, "direction", rule.direction.name());
    if rule.protocol != RuleProtocol::Any {
        setting(text, "protocol", &rule.protocol.to_string());
    }
    for (key, addresses, port_key, ports) in [
        ("source", rule.source, "source-port", rule.source_port),
        ("destination", rule.destination, "port", rule.port),
    ] {
        if addresses != Addresses::ALL {
            setting(text, key, &addresses.to_string());
        }
        if let Some(ports) = ports {
            setting(text, port_key, &ports.to_string());
        }
    }
    let (action, with) = match rule.action {
        Action::Accept => ("accept", None),
        Action::Drop => ("drop", None),
        Action::Reject(how) => ("reject", Some(how.name())),
    };
    setting(text, "action", action);
    if let Some(with) = with {
        setting(text, "with", with);
    }
    if let Some(rate) = rule.rate {
        setting(text, "rate", &rate.to_string());
        bare(text, "burst", rate.burst);
    }
    if rule.log {
        bare(text, "log", true);
    }
}

fn setting(text: &mut String, key: &str, value: &str) {
    // All values are visible ASCII, so these two are all that a basic string of TOML has to escape.
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    bare(text, key, format!("\"{value}\""));
}

/// A setting whose value is not a string.
fn bare(text: &mut String, key: &str, value: impl fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}
