//! The configuration in the engine's terms.

use core::num::NonZeroU32;

use config::{Behaviour, Behaviours, Config, Share};
use napt::{ByProtocol, Dependence, Endpoint, Forwards, PortRange, Protocols, Settings, Shares, Timers};

const _: () = assert!(config::MAX_FORWARDS <= napt::MAX_FORWARDS);

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
