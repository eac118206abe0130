//! Words for what a configuration, or a table of the box, has in it.

use config::{Action, Addresses, Forward, PortRange, Protocols, Rule};

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

/// So many bytes, short: `1.5 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    format!("{value:.1} TB")
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
        assert_eq!([0.4, 119.0, 300.0, 90_000.0, 1e6].map(time), ["0 s", "119 s", "5 min", "25 h", "11 d"]);
    }
}
