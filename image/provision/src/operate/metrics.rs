//! What a box says of itself, as Prometheus reads it (the text format, version 0.0.4).

use std::fmt::{Display, Write as _};

use super::channel::Channel;
use crate::Failure;

/// All of it.
///
/// # Errors
/// As for [`Channel::config`].
pub fn metrics(channel: &mut Channel) -> Result<String, Failure> {
    let mut page = Page(String::new());
    let status = channel.status()?;
    page.gauge("up_seconds", "For how long the box has forwarded.", status.up_seconds);
    page.gauge("sessions", "Sessions that live.", status.sessions);
    page.gauge("sessions_most", "The most sessions there have been.", status.most_sessions);
    page.gauge("mappings", "Mappings, those that cool included.", status.mappings);
    page.gauge("capacity", "Sessions, and mappings, that there is room for.", status.capacity);
    page.gauge(
        "configuration_pending",
        "Whether a configuration waits to be confirmed.",
        u8::from(status.confirm_within_seconds.is_some()),
    );
    page.head("received_bytes_total", "counter", "Bytes that came in, from the Ethernet header on.");
    for side in &status.sides {
        page.sample("received_bytes_total", &[("side", side.side)], side.received_bytes);
    }
    page.head("frames_total", "counter", "What became of the frames that came in.");
    for line in channel.counters()? {
        if line.what != "received bytes" {
            let labels =
                [("side", line.side), ("what", line.what), ("reason", line.reason.unwrap_or_default())];
            page.sample("frames_total", &labels, line.count);
        }
    }
    let (rules, forwards) = (channel.rules()?, channel.forwards()?);
    page.head("rule_packets_total", "counter", "First packets that a filter rule has decided on.");
    rules.iter().for_each(|rule| page.sample("rule_packets_total", &[("rule", &rule.name)], rule.packets));
    page.head("rule_bytes_total", "counter", "Their bytes.");
    for rule in &rules {
        page.sample("rule_bytes_total", &[("rule", &rule.name)], rule.bytes);
    }
    page.head("forward_hits_total", "counter", "Sessions that somebody wanted to begin through a forward.");
    forwards.iter().for_each(|it| page.sample("forward_hits_total", &[("forward", &it.name)], it.packets));
    page.head("forward_bytes_total", "counter", "The bytes of their first packets.");
    forwards.iter().for_each(|it| page.sample("forward_bytes_total", &[("forward", &it.name)], it.bytes));
    page.head("host_sessions", "gauge", "Sessions that a host inside has begun.");
    for host in channel.hosts()? {
        page.sample("host_sessions", &[("host", &host.address.to_string())], host.sessions);
    }
    page.head("control_total", "counter", "What came by the control channel.");
    let control = &status.control;
    for (what, count) in [
        ("answered", control.answered),
        ("greeted", control.greeted),
        ("strays", control.strays),
        ("unopened", control.unopened),
        ("throttled", control.throttled),
    ] {
        page.sample("control_total", &[("what", what)], count);
    }
    Ok(page.0)
}

/// The text in the making.
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.sample(name, &[], value);
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP sekisho_{name} {help}\n# TYPE sekisho_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels = labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
        let labels = labels.collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "sekisho_{name}{labels} {value}");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
