//! Single values: from what a key holds to one of `config`'s types.
//!
//! Every function takes the value as the file has it and gives the type, or a fault that says how to write it.

use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use config::{
    Action, Addresses, Behaviour, ControlKey, Direction, InterfaceAddress, InterfaceName, Name, Per,
    PortRange, Problem, Protocols, Rate, Rejection, Response, RuleProtocol, Signer,
};
use toml::de::{DeInteger, DeValue};

use crate::report::Fault;
use crate::section::{choose_from, wrong_type};
use crate::{advice, hex};

/// `"gw1"`.
pub(crate) fn interface(value: &DeValue<'_>) -> Result<InterfaceName, Fault> {
    InterfaceName::new(text(value, "eth0")?).map_err(advice::alone)
}

/// `"192.0.2.254/24"`.
pub(crate) fn interface_address(value: &DeValue<'_>) -> Result<InterfaceAddress, Fault> {
    let example = "192.0.2.254/24";
    let text = text(value, example)?;
    if text == "dhcp" {
        return Err(Fault::new("is not supported yet", format!("write a fixed address such as {example:?}")));
    }
    let not_one =
        || Fault::new("is not an address and a prefix length", format!("write it like {example:?}"));
    let (address, prefix_len) = text.split_once('/').ok_or_else(not_one)?;
    let address = address.parse().map_err(|_| not_one())?;
    let prefix_len = number(prefix_len).ok_or_else(not_one)?;
    // A length beyond a byte is as wrong as any beyond 32.
    let prefix_len = u8::try_from(prefix_len).unwrap_or(u8::MAX);
    InterfaceAddress::new(address, prefix_len).map_err(advice::alone)
}

/// `"203.0.113.1"`.
pub(crate) fn address(value: &DeValue<'_>) -> Result<Ipv4Addr, Fault> {
    let example = "203.0.113.1";
    text(value, example)?
        .parse()
        .map_err(|_| Fault::new("is not an IPv4 address", format!("write it like {example:?}")))
}

/// `"54321"`, `54321` or `"5000-5099"`.
pub(crate) fn ports(value: &DeValue<'_>) -> Result<PortRange, Fault> {
    if let DeValue::Integer(integer) = value {
        return integer_port(integer).map(PortRange::single);
    }
    let text = text(value, "5000-5099")?;
    let Some((first, last)) = text.split_once('-') else {
        return port(text).map(PortRange::single);
    };
    let (first, last) = (port(first)?, port(last)?);
    PortRange::new(first, last).map_err(|problem| match problem {
        Problem::EmptyRange => {
            Fault::new("is an empty range", format!("write the lower port first: \"{last}-{first}\""))
        }
        other => advice::alone(other),
    })
}

/// `"192.0.2.1:54321"`, or `"192.0.2.1"` for the same port as outside.
pub(crate) fn endpoint(value: &DeValue<'_>) -> Result<(Ipv4Addr, Option<NonZeroU16>), Fault> {
    let example = "192.0.2.1:54321";
    let text = text(value, example)?;
    let (address, first_port) = match text.split_once(':') {
        Some((address, port)) => (address, Some(port)),
        None => (text, None),
    };
    let address = address.parse().map_err(|_| {
        Fault::new("is not an address and a port", format!("write it like {example:?} or \"192.0.2.1\""))
    })?;
    if let Some((first, _)) = first_port.and_then(|text| text.split_once('-')) {
        let remedy = format!("write only the first port: \"{address}:{first}\"");
        return Err(Fault::new("has a range inside, which is always as long as the one outside", remedy));
    }
    Ok((address, first_port.map(port).transpose()?))
}

/// A port alone.
pub(crate) fn single_port(value: &DeValue<'_>) -> Result<NonZeroU16, Fault> {
    let range = ports(value)?;
    if range.len() > 1 {
        return Err(Fault::new("is a range", format!("write one port, like {}", range.first())));
    }
    Ok(range.first())
}

/// A secret of 64 hex digits.
pub(crate) fn control_key(value: &DeValue<'_>) -> Result<ControlKey, Fault> {
    ControlKey::new(bytes(value)?)
        .map_err(|_| Fault::new("is all zeros, which is no secret", "have provision keygen make one"))
}

/// A public key of 64 hex digits.
pub(crate) fn signer(value: &DeValue<'_>) -> Result<Signer, Fault> {
    Signer::new(bytes(value)?).map_err(|_| {
        Fault::new("is no public key", "write the one that provision keygen --signing has printed")
    })
}

/// `"web"`.
pub(crate) fn name(value: &DeValue<'_>) -> Result<Name, Fault> {
    Name::new(text(value, "web")?).map_err(advice::alone)
}

/// `"tcp"`, `"udp"` or `"both"`.
pub(crate) fn protocols(value: &DeValue<'_>) -> Result<Protocols, Fault> {
    choice(value, "a protocol", &Protocols::ALL.map(|protocols| (protocols.name(), protocols)))
}

/// `"endpoint-independent"` and so on.
pub(crate) fn behaviour(value: &DeValue<'_>) -> Result<Behaviour, Fault> {
    choice(value, "a behaviour", &Behaviour::ALL.map(|behaviour| (behaviour.name(), behaviour)))
}

/// `"answer"` or `"silent"`.
pub(crate) fn response(value: &DeValue<'_>) -> Result<Response, Fault> {
    choice(value, "a way to refuse", &Response::ALL.map(|response| (response.name(), response)))
}

/// `true` or `false`.
pub(crate) fn truth(value: &DeValue<'_>) -> Result<bool, Fault> {
    value.as_bool().ok_or_else(|| wrong_type(value, "write true or false, without quotes"))
}

/// `4096`.
pub(crate) fn sessions(value: &DeValue<'_>) -> Result<NonZeroU32, Fault> {
    let DeValue::Integer(integer) = value else {
        return Err(wrong_type(value, "write a number without quotes, like 4096"));
    };
    whole(integer)
        .and_then(NonZeroU32::new)
        .ok_or_else(|| Fault::new("is not a number of sessions", "write one from 1 to 4294967295, like 4096"))
}

/// `"300s"`, `"5m"` or `"2h"`.
pub(crate) fn duration(value: &DeValue<'_>) -> Result<Duration, Fault> {
    if let DeValue::Integer(integer) = value {
        return Err(wrong_type(value, format!("write the unit too: \"{integer}s\"")));
    }
    let text = text(value, "300s")?;
    let seconds = [('s', 1), ('m', 60), ('h', 3600)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .and_then(|(count, seconds)| number(count)?.checked_mul(seconds));
    let not_one = "is not a number with one of the units s, m, h";
    seconds.map(Duration::from_secs).ok_or_else(|| Fault::new(not_one, "write it like \"300s\""))
}

/// `"lan-to-wan"` and so on.
pub(crate) fn direction(value: &DeValue<'_>) -> Result<Direction, Fault> {
    choice(value, "a direction", &Direction::ALL.map(|direction| (direction.name(), direction)))
}

/// `"tcp"`, `"any"` and so on, or a number.
pub(crate) fn rule_protocol(value: &DeValue<'_>) -> Result<RuleProtocol, Fault> {
    let number = match value {
        DeValue::Integer(integer) => whole(integer),
        DeValue::String(text) if !text.is_empty() => number(text),
        _ => None,
    };
    if let Some(number) = number {
        let number = u8::try_from(number)
            .map_err(|_| Fault::new("is no protocol's number", "write one from 0 to 255, or a name"))?;
        return Ok(RuleProtocol::of_number(number));
    }
    choice(value, "a protocol", &RuleProtocol::NAMED)
}

/// `"192.0.2.0/24"`, `"192.0.2.7"` or `"!192.0.2.0/24"`.
pub(crate) fn addresses(value: &DeValue<'_>) -> Result<Addresses, Fault> {
    let example = "192.0.2.0/24";
    let text = text(value, example)?;
    let not_one = || {
        Fault::new(
            "is no address or prefix",
            format!("write it like {example:?}, \"192.0.2.7\" or \"!{example}\""),
        )
    };
    let (is_negated, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest.trim_start()));
    let (address, prefix_len) = rest.split_once('/').unwrap_or((rest, "32"));
    let address: Ipv4Addr = address.parse().map_err(|_| not_one())?;
    let prefix_len = number(prefix_len).filter(|_| !prefix_len.is_empty()).ok_or_else(not_one)?;
    let prefix_len = u8::try_from(prefix_len).unwrap_or(u8::MAX);
    Addresses::new(address, prefix_len, is_negated).map_err(|problem| match problem {
        Problem::HostBits => {
            let network =
                Ipv4Addr::from_bits(address.to_bits() & u32::MAX.unbounded_shl(32 - u32::from(prefix_len)));
            let not = if is_negated { "!" } else { "" };
            Fault::new("has bits beyond its prefix", format!("did you mean \"{not}{network}/{prefix_len}\"?"))
        }
        Problem::PrefixLength if is_negated && prefix_len == 0 => {
            Fault::new("means nobody", "leave the rule out")
        }
        other => advice::alone(other),
    })
}

/// `"accept"`, `"drop"` or `"reject"`, which is told as ICMP 3/3 as long as nothing else is said.
pub(crate) fn action(value: &DeValue<'_>) -> Result<Action, Fault> {
    let reject = Action::Reject(Rejection::PortUnreachable);
    choice(value, "an action", &[("accept", Action::Accept), ("drop", Action::Drop), ("reject", reject)])
}

/// `"port-unreachable"` and so on.
pub(crate) fn rejection(value: &DeValue<'_>) -> Result<Rejection, Fault> {
    choice(value, "a way to reject", &Rejection::ALL.map(|how| (how.name(), how)))
}

/// `"10/s"`, `"6/m"` or `"1/h"`.
pub(crate) fn rate(value: &DeValue<'_>) -> Result<Rate, Fault> {
    let not_one = || Fault::new("is no rate", "write it like \"10/s\", \"6/m\" or \"1/h\", at most 65535");
    let (count, per) = text(value, "10/s")?.split_once('/').ok_or_else(not_one)?;
    let per = Per::ALL.into_iter().find(|it| it.name() == per).ok_or_else(not_one)?;
    let count = number(count).and_then(|count| u16::try_from(count).ok()).and_then(NonZeroU16::new);
    Ok(Rate { count: count.ok_or_else(not_one)?, per, burst: Rate::BURST })
}

/// `5`.
pub(crate) fn burst(value: &DeValue<'_>) -> Result<NonZeroU16, Fault> {
    let DeValue::Integer(integer) = value else {
        return Err(wrong_type(value, "write a number without quotes, like 5"));
    };
    whole(integer)
        .and_then(NonZeroU16::new)
        .ok_or_else(|| Fault::new("is no burst", "write one from 1 to 65535, like 5"))
}

/// 32 bytes, as 64 hex digits.
fn bytes(value: &DeValue<'_>) -> Result<[u8; 32], Fault> {
    let remedy = "write 64 hex digits in quotes, as provision keygen prints them";
    let text = value.as_str().ok_or_else(|| wrong_type(value, remedy))?;
    hex::bytes(text).ok_or_else(|| Fault::new("is not 64 hex digits", remedy))
}

/// The text of a string.
fn text<'v>(value: &'v DeValue<'_>, example: &str) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| wrong_type(value, format!("write a string such as {example:?}")))
}

fn choice<T: Copy>(value: &DeValue<'_>, what: &str, choices: &[(&str, T)]) -> Result<T, Fault> {
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    let given = text(value, names.first().copied().unwrap_or_default())?;
    let chosen = choices.iter().find(|(name, _)| *name == given);
    let (_, choice) =
        chosen.ok_or_else(|| Fault::new(format!("is not {what}"), choose_from(given, &names)))?;
    Ok(*choice)
}

/// A number that is not negative, if the type has it.
fn whole<T: TryFrom<u64>>(integer: &DeInteger<'_>) -> Option<T> {
    u64::from_str_radix(integer.as_str(), integer.radix()).ok().and_then(|number| T::try_from(number).ok())
}

fn integer_port(integer: &DeInteger<'_>) -> Result<NonZeroU16, Fault> {
    whole(integer).and_then(NonZeroU16::new).ok_or_else(not_a_port)
}

fn port(text: &str) -> Result<NonZeroU16, Fault> {
    number(text).and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new).ok_or_else(not_a_port)
}

fn not_a_port() -> Fault {
    Fault::new(
        "is not a port or a range of ports",
        "write ports from 1 to 65535, like \"80\" or \"5000-5099\"",
    )
}

/// A number in digits alone: `parse` would let a sign pass.
fn number(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
