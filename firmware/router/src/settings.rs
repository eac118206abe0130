//! The configuration in the engine's terms.

use core::num::NonZeroU32;

use config::{Behaviour, Behaviours, Config, Direction, RuleProtocol, Share};
use napt::policy::{self, Action, Addresses, Matched, Policy, Rate, Rejection, Way};
use napt::{
    ByProtocol, Dependence, Endpoint, Forwards, PortRange, Protocols, Realm, Settings, Shares, Timers,
};

const _: () = assert!(config::MAX_FORWARDS <= napt::MAX_FORWARDS);
const _: () = assert!(config::MAX_RULES <= napt::MAX_RULES);

/// What the engine of a box is told that works by `config` between links with these MTUs. Lan and wan become internal and external here, and in `Side::realm`.
pub fn settings(config: &Config, lan_mtu: u16, wan_mtu: u16) -> Settings {
    let nat = config.nat();
    Settings {
        external: Some(config.wan().address().address()),
        external_mtu: wan_mtu,
        internal_mtu: lan_mtu,
        ports: range(nat.ports),
        preserve_ports: nat.preserve_ports,
        mapping: by_protocol(nat.mapping),
        filtering: by_protocol(nat.filtering),
        other_protocols: nat.other_protocols,
        clamp_segment_size: nat.clamp_mss,
        timers: timers(config.timers()),
        shares: shares(nat.shares),
        forwards: forwards(config.forwards()),
        policy: policy(config.rules()),
    }
}

fn range(range: config::PortRange) -> PortRange {
    // The configuration's ranges are never empty, so the fallback is never used.
    PortRange::new(range.first(), range.last()).unwrap_or(PortRange::ALL)
}

fn by_protocol(behaviours: Behaviours) -> ByProtocol {
    let Behaviours { tcp, udp, icmp } = behaviours;
    ByProtocol { tcp: dependence(tcp), udp: dependence(udp), icmp: dependence(icmp) }
}

fn dependence(behaviour: Behaviour) -> Dependence {
    match behaviour {
        Behaviour::EndpointIndependent => Dependence::Endpoint,
        Behaviour::AddressDependent => Dependence::Address,
        Behaviour::AddressAndPortDependent => Dependence::AddressAndPort,
    }
}

fn timers(timers: config::Timers) -> Timers {
    Timers {
        udp: timers.udp(),
        tcp_established: timers.tcp_established(),
        tcp_opening: timers.tcp_opening(),
        tcp_closing: timers.tcp_closing(),
        icmp: timers.icmp(),
        other: timers.other(),
        fragment: timers.fragment(),
        port_cooldown: timers.port_cooldown(),
    }
}

fn shares(shares: config::Shares) -> Shares {
    let sessions = |share| shares.sessions(share).map(NonZeroU32::get);
    Shares {
        each_host: sessions(Share::Host),
        guaranteed: sessions(Share::Guaranteed),
        half_open_each_source: sessions(Share::HalfOpenSource),
        half_open_each_forward: sessions(Share::HalfOpenForward),
    }
}

fn forwards(list: &[config::Forward]) -> Forwards {
    let mut forwards = Forwards::default();
    for forward in list {
        let protocols = match forward.protocols() {
            config::Protocols::Tcp => Protocols::Tcp,
            config::Protocols::Udp => Protocols::Udp,
            config::Protocols::Both => Protocols::Both,
        };
        let internal = Endpoint::new(forward.internal(), forward.internal_ports().first().get());
        // There is room for all of them: see the assertion above.
        let _ = forwards.push(napt::Forward { protocols, external: range(forward.external()), internal });
    }
    forwards
}

fn policy(list: &[config::Rule]) -> Policy {
    let mut policy = Policy::default();
    for rule in list {
        // There is room for all of them: see the assertion above.
        let _ = policy.push(policy::Rule {
            way: match rule.direction {
                Direction::LanToWan => Way::Outbound,
                Direction::WanToLan => Way::Inbound,
                Direction::LanToBox => Way::Own(Realm::Internal),
                Direction::WanToBox => Way::Own(Realm::External),
            },
            protocol: match rule.protocol {
                RuleProtocol::Any => Matched::Any,
                RuleProtocol::Both => Matched::TcpOrUdp,
                RuleProtocol::Tcp => Matched::Number(6),
                RuleProtocol::Udp => Matched::Number(17),
                RuleProtocol::Icmp => Matched::Number(1),
                RuleProtocol::Number(number) => Matched::Number(number),
            },
            source: addresses(rule.source),
            source_ports: rule.source_port.map_or(PortRange::ALL, range),
            destination: addresses(rule.destination),
            ports: rule.port.map_or(PortRange::ALL, range),
            action: match rule.action {
                config::Action::Accept => Action::Accept,
                config::Action::Drop => Action::Drop,
                config::Action::Reject(how) => Action::Reject(rejection(how)),
            },
            rate: rule.rate.map(|rate| Rate {
                count: rate.count.get(),
                seconds: rate.per.seconds(),
                burst: rate.burst.get(),
            }),
            log: rule.log,
        });
    }
    policy
}

fn addresses(addresses: config::Addresses) -> Addresses {
    Addresses {
        network: addresses.network().to_bits(),
        mask: addresses.mask(),
        is_negated: addresses.is_negated(),
    }
}

fn rejection(how: config::Rejection) -> Rejection {
    match how {
        config::Rejection::NetUnreachable => Rejection::NetUnreachable,
        config::Rejection::HostUnreachable => Rejection::HostUnreachable,
        config::Rejection::ProtocolUnreachable => Rejection::ProtocolUnreachable,
        config::Rejection::PortUnreachable => Rejection::PortUnreachable,
        config::Rejection::NetProhibited => Rejection::NetProhibited,
        config::Rejection::HostProhibited => Rejection::HostProhibited,
        config::Rejection::AdminProhibited => Rejection::AdminProhibited,
        config::Rejection::TcpReset => Rejection::TcpReset,
    }
}
