//! Single values of a scenario: from what a key holds to what it means, or a fault that says how to write it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU64;
use std::time::Duration;

use napt::Dependence;
use provision::reading::{Fault, choose_from, wrong_type};
use smoltcp::wire::Ipv4Cidr;
use toml::de::DeValue;

use super::{Range, Remote};
use crate::chance::Chance;
use crate::nat::{PortChoice, Refresh};
use crate::routing::Size;

/// The units of time and how many microseconds each is; longer names first, or `s` would be found in `ms`.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// `"anything"`.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Fault> {
    string(value, "web").map(str::to_owned)
}

/// `"alice"`: what something is called.
pub(super) fn name(value: &DeValue<'_>) -> Result<String, Fault> {
    let name = string(value, "alice")?;
    let is_one = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    if name.is_empty() || !name.chars().all(is_one) {
        return Err(Fault::new("is not a name", "use letters, digits, - and _, like \"alice\""));
    }
    Ok(name.to_owned())
}

/// `"192.0.2.1/24"`.
pub(super) fn cidr(value: &DeValue<'_>) -> Result<Ipv4Cidr, Fault> {
    read_cidr(string(value, "192.0.2.1/24")?)
}

/// `["198.51.100.0/24"]`, or one of them alone.
pub(super) fn cidrs(value: &DeValue<'_>) -> Result<Vec<Ipv4Cidr>, Fault> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| cidr(value.get_ref())).collect(),
        value => Ok(vec![cidr(value)?]),
    }
}

fn read_cidr(text: &str) -> Result<Ipv4Cidr, Fault> {
    let parts =
        text.split_once('/').and_then(|(address, len)| Some((address.parse().ok()?, len.parse().ok()?)));
    let fault = || Fault::new("is not an address and a prefix length", "write it like \"192.0.2.1/24\"");
    let (address, len) = parts.filter(|(_, len)| *len <= 32).ok_or_else(fault)?;
    Ok(Ipv4Cidr::new(address, len))
}

/// `"192.0.2.1"`.
pub(super) fn address(value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
    let fault = |_| Fault::new("is not an IPv4 address", "write it like \"192.0.2.1\"");
    string(value, "192.0.2.1")?.parse().map_err(fault)
}

/// `"192.0.2.1:80"`, or `"@name"`.
pub(super) fn remote(value: &DeValue<'_>) -> Result<Remote, Fault> {
    let text = string(value, "192.0.2.1:80")?;
    if let Some(name) = text.strip_prefix('@') {
        return Ok(Remote::Known(name.to_owned()));
    }
    let end: Option<SocketAddrV4> = text.parse().ok().filter(|end: &SocketAddrV4| end.port() != 0);
    end.map(Remote::At).ok_or_else(|| {
        Fault::new("is not an address and a port", "write it like \"192.0.2.1:80\" or \"@name\"")
    })
}

/// `80`.
pub(super) fn port(value: &DeValue<'_>) -> Result<u16, Fault> {
    match whole(value)? {
        port @ 1..=65_535 => Ok(port as u16),
        _ => Err(Fault::new("is not a port", "write one from 1 to 65535")),
    }
}

/// `1500`.
pub(super) fn mtu(value: &DeValue<'_>) -> Result<u16, Fault> {
    match whole(value)? {
        // RFC 791: what every link must carry.
        mtu @ 68..=1_500 => Ok(mtu as u16),
        _ => Err(Fault::new("is no size of packets on Ethernet", "write one from 68 to 1500")),
    }
}

/// `1400`, or `"any"`.
pub(super) fn limit(value: &DeValue<'_>) -> Result<Option<u16>, Fault> {
    if value.as_str() == Some("any") { Ok(None) } else { mtu(value).map(Some) }
}

/// `1500`, or `[1500, 1492]`, lan first.
pub(super) fn mtus(value: &DeValue<'_>) -> Result<[u16; 2], Fault> {
    match value {
        DeValue::Array(values) => {
            let sizes: Vec<_> = values.iter().map(|value| mtu(value.get_ref())).collect::<Result<_, _>>()?;
            sizes
                .try_into()
                .map_err(|_| Fault::new("is not one for each side", "write two, lan first: [1500, 1492]"))
        }
        value => Ok([mtu(value)?; 2]),
    }
}

/// `["alice", "box.lan"]`.
pub(super) fn ends(value: &DeValue<'_>) -> Result<[String; 2], Fault> {
    let fault = || Fault::new("is not two ends", "write them like [\"alice\", \"box.lan\"]");
    let DeValue::Array(values) = value else { return Err(fault()) };
    let ends: Option<Vec<_>> = values.iter().map(|end| end.get_ref().as_str().map(str::to_owned)).collect();
    ends.and_then(|ends| ends.try_into().ok()).ok_or_else(fault)
}

/// `4000`.
pub(super) fn whole(value: &DeValue<'_>) -> Result<u64, Fault> {
    let DeValue::Integer(integer) = value else {
        return Err(wrong_type(value, "write a number without quotes, like 4000"));
    };
    u64::from_str_radix(integer.as_str(), integer.radix())
        .map_err(|_| Fault::new("is not a whole number", "write one from 0 up, like 4000"))
}

/// `true`.
pub(super) fn truth(value: &DeValue<'_>) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| wrong_type(value, "write true or false, without quotes"))
}

/// `true`, `false`, or `"either"` if it is no matter.
pub(super) fn outcome(value: &DeValue<'_>) -> Result<Option<bool>, Fault> {
    match value {
        DeValue::Boolean(truth) => Ok(Some(*truth)),
        DeValue::String(text) if text == "either" => Ok(None),
        _ => Err(Fault::new("is no outcome", "write true, false or \"either\"")),
    }
}

/// `"150us"`, `"5ms"`, `"1.5s"`, `"2m"`, `"1h"`, `"49d"`, or several one behind another, `"1h30m"`.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    if let DeValue::Integer(integer) = value {
        return Err(wrong_type(value, format!("write the unit too: \"{integer}s\"")));
    }
    let text = string(value, "1s")?;
    let fault = || {
        Fault::new("is not a time", "write numbers with one of the units us, ms, s, m, h, d, like \"1.5s\"")
    };
    read_duration(text).ok_or_else(fault)
}

fn read_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut micros = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| letter.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(digits);
        let unit_len = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_len);
        let (_, each) = UNITS.iter().find(|(known, _)| *known == unit)?;
        micros = micros.checked_add(decimal(number, *each)?)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_micros(micros))
}

/// A decimal number times `scale`; whatever is below one is cut off.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let part = u128::from(part) * u128::from(scale) / 10_u128.pow(fraction.len() as u32);
    whole.parse::<u64>().ok()?.checked_mul(scale)?.checked_add(part as u64)
}

/// `"1%"`, `"0.01%"`.
pub(super) fn chance(value: &DeValue<'_>) -> Result<Chance, Fault> {
    let percent = string(value, "1%")?.strip_suffix('%').and_then(|number| decimal(number, 10_000));
    percent
        .filter(|millionths| *millionths <= u64::from(Chance::ALWAYS))
        .map(|millionths| Chance::per_million(millionths as u32))
        .ok_or_else(|| Fault::new("is not a chance", "write it as \"0.1%\", up to \"100%\""))
}

/// `"100Mbit/s"`, or `"any"`.
pub(super) fn rate(value: &DeValue<'_>) -> Result<Option<NonZeroU64>, Fault> {
    let text = string(value, "100Mbit/s")?;
    if text == "any" {
        return Ok(None);
    }
    let units = [("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000), ("bit/s", 1)];
    let bits = units.iter().find_map(|(unit, bits)| decimal(text.strip_suffix(unit)?, *bits));
    bits.and_then(NonZeroU64::new).map(Some).ok_or_else(|| {
        Fault::new(
            "is not a rate",
            "write a number with one of bit/s, kbit/s, Mbit/s, Gbit/s, like \"100Mbit/s\"",
        )
    })
}

/// `3`, `"3"`, `"1..5"`, `"..64"`, `"1.."`.
pub(super) fn range(value: &DeValue<'_>) -> Result<Range, Fault> {
    if value.is_integer() {
        let number = whole(value)?;
        return Ok(number..=number);
    }
    let text = string(value, "1..5")?;
    let fault = || Fault::new("is neither a number nor a range", "write 3, \"1..5\", \"..64\" or \"1..\"");
    let number = |text: &str, default: u64| if text.is_empty() { Some(default) } else { text.parse().ok() };
    let range = match text.split_once("..") {
        Some((first, last)) => number(first, 0).zip(number(last, u64::MAX)),
        None => text.parse().ok().map(|number| (number, number)),
    };
    range.filter(|(first, last)| first <= last).map(|(first, last)| first..=last).ok_or_else(fault)
}

/// `1024`.
pub(super) fn size(value: &DeValue<'_>) -> Result<Size, Fault> {
    let sessions = whole(value)?;
    let size = Size::ALL.into_iter().find(|size| size.sessions() as u64 == sessions);
    let sizes = Size::ALL.map(|size| size.sessions().to_string()).join(", ");
    size.ok_or_else(|| Fault::new("is not a size of tables", format!("choose one of {sizes}")))
}

/// `"tcp 80"`, `"udp 53"`.
pub(super) fn service(value: &DeValue<'_>) -> Result<(bool, u16), Fault> {
    let fault = || Fault::new("is not a protocol and a port", "write \"tcp 80\" or \"udp 53\"");
    let (protocol, port) = string(value, "tcp 80")?.split_once(' ').ok_or_else(fault)?;
    let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(fault)?;
    match protocol {
        "tcp" => Ok((true, port)),
        "udp" => Ok((false, port)),
        _ => Err(fault()),
    }
}

/// `"endpoint-independent"` and so on.
pub(super) fn behaviour(value: &DeValue<'_>) -> Result<Dependence, Fault> {
    choice(
        value,
        "a behaviour",
        &[
            ("endpoint-independent", Dependence::Endpoint),
            ("address-dependent", Dependence::Address),
            ("address-and-port-dependent", Dependence::AddressAndPort),
        ],
    )
}

/// `"outbound"` and so on.
pub(super) fn refresh(value: &DeValue<'_>) -> Result<Refresh, Fault> {
    let choices = [("outbound", Refresh::Outbound), ("inbound", Refresh::Inbound), ("both", Refresh::Both)];
    choice(value, "a way to refresh", &choices)
}

/// `"preserve"` and so on.
pub(super) fn port_choice(value: &DeValue<'_>) -> Result<PortChoice, Fault> {
    let choices = [
        ("preserve", PortChoice::Preserve),
        ("sequential", PortChoice::Sequential),
        ("random", PortChoice::Random),
    ];
    choice(value, "a choice of ports", &choices)
}

/// One of several words.
pub(super) fn choice<T: Copy>(value: &DeValue<'_>, what: &str, choices: &[(&str, T)]) -> Result<T, Fault> {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let given = string(value, names.first().copied().unwrap_or_default())?;
    let chosen = choices.iter().find(|(name, _)| *name == given).map(|(_, choice)| *choice);
    chosen.ok_or_else(|| Fault::new(format!("is not {what}"), choose_from(given, &names)))
}

fn string<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| wrong_type(value, format!("write a string such as {example:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_units() {
        let cases =
            [("150us", 150), ("1.5s", 1_500_000), ("1h30m", 5_400_000_000), ("49d", 4_233_600_000_000)];
        for (text, micros) in cases {
            assert_eq!(read_duration(text), Some(Duration::from_micros(micros)), "{text}");
        }
        for wrong in ["", "1", "s", "1x", "1s2", ".5s", "-1s", "1 s"] {
            assert_eq!(read_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn chances_are_whole_millionths() {
        let read = |text: &'static str| chance(&DeValue::String(text.into())).ok().map(Chance::millionths);
        assert_eq!(
            ["0%", "0.01%", "1%", "12.5%", "100%"].map(read),
            [0, 100, 10_000, 125_000, 1_000_000].map(Some)
        );
        assert_eq!(["1", "101%", "%", "-1%", "x%"].map(read), [None; 5]);
    }
}
