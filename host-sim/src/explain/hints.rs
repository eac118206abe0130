//! What an operator could change so that a packet that was dropped would pass, where there is something: a key of the
//! configuration with its value, ready to be copied.
//!
//! A hint is no advice to do so. It says what would have to be different.

use std::net::Ipv4Addr;

use config::{Behaviour, Config, Forward};
use napt::Remote;
use router::Side;

use super::Case;
use crate::wire::{self, TCP, UDP};

/// Nobody has this external port.
pub(super) fn no_mapping(case: &Case<'_>) -> Option<String> {
    let flow = case.flow?;
    let (protocol, port) = (protocol_name(flow.protocol)?, flow.to.1);
    if case.side == Side::Lan {
        return Some(format!(
            "to reach it from inside, a forward has to have {protocol} {port}; there is none"
        ));
    }
    // One that has the port, but of the other protocol.
    if let Some(forward) = case.config.forwards().iter().find(|forward| forward.external().contains(port)) {
        let name = forward.name();
        return Some(format!(
            "the forward {name:?} has port {port} of {} alone; to have it lead {protocol} too, write\nprotocol = \"both\"",
            forward.protocols().name(),
            name = name.as_str(),
        ));
    }
    Some(format!(
        "to let it in, add a forward to the configuration, with the host that is to have it:\n{}",
        forward(case.config, protocol, port)
    ))
}

/// The filter does not know this sender.
pub(super) fn filtered(case: &Case<'_>) -> Option<String> {
    let flow = case.flow?;
    let mapping = case.mapping(flow.protocol, flow.to.1)?;
    let of_it = |it: &&napt::SessionView| it.protocol == mapping.protocol && it.external == mapping.external;
    let known: Vec<_> = case.before.sessions.iter().filter(of_it).map(|it| it.remote.to_string()).collect();
    let behaviours = case.config.nat().filtering;
    let key = match behaviours.common() {
        Some(_) => format!("filtering = {:?}", Behaviour::EndpointIndependent.name()),
        None => format!("filtering.{} = {:?}", mapping.protocol, Behaviour::EndpointIndependent.name()),
    };
    let spoken = if known.is_empty() { "nobody".to_owned() } else { known.join(", ") };
    Some(format!(
        "{} has spoken with {spoken}; to let in whoever knows the port, write under [nat]\n{key}",
        mapping.internal
    ))
}

/// Nothing leads there.
pub(super) fn no_route(case: &Case<'_>) -> Option<String> {
    let prefix = case.config.wan().address();
    Some(format!(
        "to reach what is beyond {prefix}, name the provider's router under [wan]\ngateway = \"{}\"",
        first_host(prefix.network(), prefix.address())
    ))
}

/// The source is of the other side, or of none.
pub(super) fn spoofed(case: &Case<'_>) -> Option<String> {
    let (source, lan) = (case.source?, case.config.lan().address());
    match case.side {
        Side::Lan if source == lan.address() => {
            Some("two devices have the box's lan address; one needs another".to_owned())
        }
        Side::Lan if !lan.contains(source) => Some(format!(
            "the lan is {lan}; if {source} is a host of it, its prefix has to be shorter, under [lan]\naddress = \"{}/…\"",
            lan.address()
        )),
        Side::Wan if lan.contains(source) => {
            Some(format!("{source} is of the lan's prefix {lan}; if it came from there, ask with: from lan"))
        }
        _ => None,
    }
}

/// Both ends are on the lan.
pub(super) fn lan_to_lan(case: &Case<'_>) -> Option<String> {
    let lan = case.config.lan().address();
    Some(format!("if the two do not hear each other, a host has a wrong prefix; the lan's is {lan}"))
}

/// Nothing in the box answers.
pub(super) fn not_served(case: &Case<'_>) -> Option<String> {
    let flow = case.flow?;
    let protocol = protocol_name(flow.protocol)?;
    let external = case.config.wan().address().address();
    (case.side == Side::Lan).then(|| {
        format!(
            "the box has no services of its own; a forward of {protocol} {} is reached at {external}",
            flow.to.1
        )
    })
}

/// To the wan, but not to the box.
pub(super) fn not_ours(case: &Case<'_>) -> Option<String> {
    Some(format!(
        "the external address is {0}; if it is to be another, write under [wan]\naddress = \"{1}/{2}\"",
        case.config.wan().address().address(),
        case.destination?,
        case.config.wan().address().prefix_len(),
    ))
}

/// Not TCP, UDP or ICMP.
pub(super) fn protocol(case: &Case<'_>) -> Option<String> {
    (!case.config.nat().other_protocols).then(|| {
        "to have other protocols translated, by address alone, write under [nat]\nother-protocols = true"
            .to_owned()
    })
}

/// TCP without a connection.
pub(super) fn no_session(case: &Case<'_>) -> Option<String> {
    match case.side {
        Side::Wan => Some("a connection begins with a SYN: flags S".to_owned()),
        Side::Lan => Some(
            "from inside, a connection begins with a SYN or goes on with an ACK: flags S, flags .".to_owned(),
        ),
    }
}

/// Two ways lead to one end.
pub(super) fn ambiguous(case: &Case<'_>) -> Option<String> {
    let flow = case.flow?;
    let others = case.before.sessions.iter().filter(|it| match it.remote {
        Remote::Endpoint(remote) => (remote.address, remote.port) == flow.from,
        Remote::Address(address) => address == flow.from.0,
        Remote::Any => true,
    });
    let ports: Vec<_> = others.map(|it| it.external.to_string()).collect();
    Some(format!(
        "they speak through external port {} already; let every internal endpoint have one forward",
        ports.join(", ")
    ))
}

/// The tables' shares.
pub(super) fn shares(case: &Case<'_>) -> Option<String> {
    let shares = case.config.nat().shares;
    let host = shares.sessions(config::Share::Host);
    Some(match host {
        Some(host) => format!(
            "a host may begin {host} sessions; to let it have more, write under [nat.shares]\nhost = {}",
            host.get() * 2
        ),
        None => "to keep one host from taking so many, write under [nat.shares]\nhost = 4096".to_owned(),
    })
}

/// Sessions that nobody has answered.
pub(super) fn half_open(_: &Case<'_>) -> Option<String> {
    Some(
        "to let more wait, write under [nat.shares]\nhalf-open-source = 512\nhalf-open-forward = 8192"
            .to_owned(),
    )
}

/// The external ports.
pub(super) fn ports(case: &Case<'_>) -> Option<String> {
    let ports = case.config.nat().ports;
    Some(format!(
        "mappings may take the ports {ports}; to let them have all, write under [nat]\nports = \"1-65535\""
    ))
    .filter(|_| ports != config::PortRange::ALL)
}

/// How long fragments may take.
pub(super) fn fragment_time(case: &Case<'_>) -> Option<String> {
    let time = case.config.timers().duration(config::Timer::Fragment).as_secs();
    Some(format!(
        "they may come within {time} s; to let them take longer, write under [timers]\nfragment = \"{}s\"",
        time * 2
    ))
}

/// A forward that would let a packet in.
fn forward(config: &Config, protocol: &str, port: u16) -> String {
    let host = config.forwards().first().map(Forward::internal);
    let lan = config.lan().address();
    let host = host.unwrap_or_else(|| first_host(lan.network(), lan.address()));
    format!(
        "[[forward]]\nname = \"{protocol}-{port}\"\nprotocol = \"{protocol}\"\nexternal = \"{port}\"\ninternal = \"{host}:{port}\""
    )
}

/// The first host of a network that is not the box.
fn first_host(network: Ipv4Addr, own: Ipv4Addr) -> Ipv4Addr {
    let first = Ipv4Addr::from(network.to_bits().wrapping_add(1));
    if first == own { Ipv4Addr::from(first.to_bits().wrapping_add(1)) } else { first }
}

fn protocol_name(number: u8) -> Option<&'static str> {
    match number {
        TCP => Some("tcp"),
        UDP => Some("udp"),
        wire::ICMP => None,
        _ => None,
    }
}
