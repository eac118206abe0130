//! Words for what a configuration, or a table of the box, has in it.

use config::{Action, Addresses, Forward, PortRange, Protocols, Rule};
use napt::TcpState;

/// A filter rule on one line: `lan-to-wan tcp 192.0.2.0/24 > any:25 reject admin-prohibited, 10/s`.
pub(super) fn rule(rule: &Rule) -> String {
    let end = |addresses: Addresses, ports: Option<PortRange>| {
        let address = if addresses == Addresses::ALL { "any".to_owned() } else { addresses.to_string() };
        ports.map_or(address.clone(), |ports| format!("{address}:{ports}"))
    };
    let action = match rule.action {
        Action::Accept => "accept".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Reject(how) => format!("reject {}", how.name()),
    };
    let rate = rule.rate.map(|rate| format!(", {rate}")).unwrap_or_default();
    let (from, to) = (end(rule.source, rule.source_port), end(rule.destination, rule.port));
    format!("{} {} {from} > {to} {action}{rate}", rule.direction.name(), rule.protocol)
}

/// A forward on one line: `tcp 54321 > 192.0.2.1:54321`.
pub(super) fn forward(forward: &Forward) -> String {
    let protocol = match forward.protocols() {
        Protocols::Tcp => "tcp",
        Protocols::Udp => "udp",
        Protocols::Both => "both",
    };
    format!("{protocol} {} > {}:{}", forward.external(), forward.internal(), forward.internal_ports())
}

/// A protocol by its number (RFC 791).
pub(super) fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        number => number.to_string(),
    }
}

/// The number of a protocol by its name, or in digits.
pub(super) fn protocol_number(text: &str) -> Result<u8, String> {
    match text {
        "icmp" => Ok(1),
        "tcp" => Ok(6),
        "udp" => Ok(17),
        number => number.parse().map_err(|_| "write tcp, udp, icmp or a number".to_owned()),
    }
}

/// The state of a connection that is called so.
pub(super) fn state(text: &str) -> Result<&'static str, String> {
    let known = TcpState::ALL.map(TcpState::name);
    let found = known.into_iter().find(|name| name.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("choose one of {}", known.join(", ")))
}

/// So many bytes, short: `1.5 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    if bytes < 1_000 { format!("{bytes} B") } else { scaled(bytes as f64) + "B" }
}

/// So many bits a second, short: `94.1 Mbit/s`.
pub(super) fn bits(rate: f64) -> String {
    if rate < 1_000.0 { format!("{rate:.0} bit/s") } else { scaled(rate) + "bit/s" }
}

/// A large count, short: `12.3 M`.
pub(super) fn count(count: u64) -> String {
    scaled(count as f64)
}

/// With the prefix of its unit.
fn scaled(mut value: f64) -> String {
    let mut prefixes = ["", "k", "M", "G"].into_iter();
    while value >= 1_000.0
        && let Some(_) = prefixes.next()
    {
        value /= 1_000.0;
    }
    format!("{value:.1} {}", prefixes.next().unwrap_or("T"))
}

/// So much time, short: `5 min`.
pub(super) fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7_200 => format!("{} min", whole / 60),
        7_200..172_800 => format!("{} h", whole / 3_600),
        _ => format!("{} d", whole / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([0, 999, 1_500, 20_000_000].map(bytes), ["0 B", "999 B", "1.5 kB", "20.0 MB"]);
        assert_eq!([1_234_567_890_123, 12_345_678].map(bytes), ["1.2 TB", "12.3 MB"]);
        assert_eq!([0.0, 999.4, 94_100_000.0].map(bits), ["0 bit/s", "999 bit/s", "94.1 Mbit/s"]);
        assert_eq!(count(12_345_678), "12.3 M");
        assert_eq!([0.4, 119.0, 300.0, 90_000.0, 1e6].map(time), ["0 s", "119 s", "5 min", "25 h", "11 d"]);
    }
}
