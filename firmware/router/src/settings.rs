//! The configuration in the engine's terms.

use config::{Behaviour, Config};
use napt::{Dependence, Endpoint, Forwards, PortRange, Protocols, Settings, Timers};

const _: () = assert!(config::MAX_FORWARDS <= napt::MAX_FORWARDS);

/// What the engine is told. Lan and wan become internal and external here, and in `Side::realm`.
pub(crate) fn settings(config: &Config, lan_mtu: u16, wan_mtu: u16) -> Settings {
    let nat = config.nat();
    Settings {
        external_mtu: wan_mtu,
        internal_mtu: lan_mtu,
        ports: range(nat.ports()),
        mapping: dependence(nat.mapping()).into(),
        filtering: dependence(nat.filtering()).into(),
        timers: timers(config.timers()),
        forwards: forwards(config.forwards()),
        ..Settings::new(config.wan().address().address())
    }
}

fn range(range: config::PortRange) -> PortRange {
    // The configuration's ranges are never empty, so the fallback is never used.
    PortRange::new(range.first(), range.last()).unwrap_or(PortRange::ALL)
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
        port_cooldown: timers.port_cooldown(),
        ..Timers::default()
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
