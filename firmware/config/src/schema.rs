//! Version 1 of the settings on the wire: plain data, as postcard writes it.
//!
//! Nothing here is checked beyond its size; [`ConfigV1::into_draft`] makes the checked types of it. Order and type
//! of every field are the format: a change here is a new version beside this one, never an edit.

use core::net::Ipv4Addr;
use core::num::NonZeroU16;
use core::time::Duration;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::forward::MAX_FORWARD_NAME;
use crate::interface::MAX_INTERFACE_NAME;
use crate::{
    Behaviour, Config, Draft, Error, Field, Forward, ForwardName, InterfaceAddress, InterfaceName,
    MAX_FORWARDS, Nat, PortRange, Problem, Protocols, Timer, Timers,
};

/// The longest body in bytes, by postcard's rules: a `u16` takes up to 3, a `u32` up to 5, the length of a short
/// string or list 1, an unsigned byte, an option or a unit variant 1.
pub(crate) const MAX_BODY: usize = {
    let side = 1 + MAX_INTERFACE_NAME + 4 + 1;
    let gateway = 1 + 4;
    let nat = 2 * 3 + 1 + 1;
    let timers = Timer::ALL.len() * 5;
    let forward = 1 + MAX_FORWARD_NAME + 1 + 2 * 3 + 4 + 3;
    2 * side + gateway + nat + timers + 1 + MAX_FORWARDS * forward
};

#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigV1 {
    wan: SideV1,
    gateway: Option<[u8; 4]>,
    lan: SideV1,
    nat: NatV1,
    /// Seconds, in the order of [`Timer::ALL`].
    timers: [u32; Timer::ALL.len()],
    forwards: Vec<ForwardV1, MAX_FORWARDS>,
}

#[derive(Serialize, Deserialize)]
struct SideV1 {
    interface: String<MAX_INTERFACE_NAME>,
    address: [u8; 4],
    prefix_len: u8,
}

#[derive(Serialize, Deserialize)]
struct NatV1 {
    ports: RangeV1,
    mapping: BehaviourV1,
    filtering: BehaviourV1,
}

#[derive(Serialize, Deserialize)]
struct RangeV1 {
    first: u16,
    last: u16,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum BehaviourV1 {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

#[derive(Serialize, Deserialize)]
struct ForwardV1 {
    name: String<MAX_FORWARD_NAME>,
    protocols: ProtocolsV1,
    external: RangeV1,
    internal: [u8; 4],
    first_internal_port: u16,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum ProtocolsV1 {
    Tcp,
    Udp,
    Both,
}

impl ConfigV1 {
    /// Checks every setting by itself.
    pub(crate) fn into_draft(self) -> Result<Draft, Error> {
        let mut forwards = Vec::new();
        for (index, forward) in self.forwards.iter().enumerate() {
            let forward = forward.parse(index)?;
            forwards.push(forward).map_err(|_| Problem::TooMany.with(Field::Forwards))?;
        }
        Ok(Draft {
            wan_interface: Some(self.wan.interface(Field::WanInterface)?),
            wan_address: Some(self.wan.address(Field::WanAddress)?),
            wan_gateway: self.gateway.map(Ipv4Addr::from),
            lan_interface: Some(self.lan.interface(Field::LanInterface)?),
            lan_address: Some(self.lan.address(Field::LanAddress)?),
            nat: self.nat.parse()?,
            timers: parse_timers(self.timers)?,
            forwards,
        })
    }
}

impl From<&Config> for ConfigV1 {
    fn from(config: &Config) -> Self {
        Self {
            wan: SideV1::new(config.wan().interface(), config.wan().address()),
            gateway: config.wan().gateway().map(|gateway| gateway.octets()),
            lan: SideV1::new(config.lan().interface(), config.lan().address()),
            nat: config.nat().into(),
            timers: Timer::ALL.map(|timer| seconds(config.timers().duration(timer))),
            // As many as there can be: the slice is from a list of the same capacity.
            forwards: config.forwards().iter().map(ForwardV1::from).collect(),
        }
    }
}

impl SideV1 {
    fn new(interface: &InterfaceName, address: InterfaceAddress) -> Self {
        Self {
            interface: interface.to_wire(),
            address: address.address().octets(),
            prefix_len: address.prefix_len(),
        }
    }

    fn interface(&self, field: Field) -> Result<InterfaceName, Error> {
        InterfaceName::new(&self.interface).map_err(|problem| problem.with(field))
    }

    fn address(&self, field: Field) -> Result<InterfaceAddress, Error> {
        InterfaceAddress::new(self.address.into(), self.prefix_len).map_err(|problem| problem.with(field))
    }
}

impl NatV1 {
    fn parse(&self) -> Result<Nat, Error> {
        let ports = self.ports.parse().map_err(|problem| problem.with(Field::NatPorts))?;
        Ok(Nat::new(ports, self.mapping.into(), self.filtering.into()))
    }
}

impl From<Nat> for NatV1 {
    fn from(nat: Nat) -> Self {
        Self { ports: nat.ports().into(), mapping: nat.mapping().into(), filtering: nat.filtering().into() }
    }
}

impl RangeV1 {
    fn parse(&self) -> Result<PortRange, Problem> {
        PortRange::new(port(self.first)?, port(self.last)?)
    }
}

impl From<PortRange> for RangeV1 {
    fn from(range: PortRange) -> Self {
        Self { first: range.first().get(), last: range.last().get() }
    }
}

impl ForwardV1 {
    fn parse(&self, index: usize) -> Result<Forward, Error> {
        let name = ForwardName::new(&self.name).map_err(|problem| problem.with(Field::ForwardName(index)))?;
        let external =
            self.external.parse().map_err(|problem| problem.with(Field::ForwardExternal(index)))?;
        let internal = self.internal.into();
        port(self.first_internal_port)
            .and_then(|first| Forward::new(name, self.protocols.into(), external, internal, first))
            .map_err(|problem| problem.with(Field::ForwardInternal(index)))
    }
}

impl From<&Forward> for ForwardV1 {
    fn from(forward: &Forward) -> Self {
        Self {
            name: forward.name().to_wire(),
            protocols: forward.protocols().into(),
            external: forward.external().into(),
            internal: forward.internal().octets(),
            first_internal_port: forward.internal_ports().first().get(),
        }
    }
}

fn parse_timers(seconds: [u32; Timer::ALL.len()]) -> Result<Timers, Error> {
    let mut timers = Timers::default();
    for (timer, seconds) in Timer::ALL.into_iter().zip(seconds) {
        let duration = Duration::from_secs(seconds.into());
        timers = timers.with(timer, duration).map_err(|problem| problem.with(Field::Timer(timer)))?;
    }
    Ok(timers)
}

fn seconds(duration: Duration) -> u32 {
    // Exact, because the ceiling of every timer is 7 days.
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn port(number: u16) -> Result<NonZeroU16, Problem> {
    NonZeroU16::new(number).ok_or(Problem::PortZero)
}

impl From<BehaviourV1> for Behaviour {
    fn from(behaviour: BehaviourV1) -> Self {
        match behaviour {
            BehaviourV1::EndpointIndependent => Self::EndpointIndependent,
            BehaviourV1::AddressDependent => Self::AddressDependent,
            BehaviourV1::AddressAndPortDependent => Self::AddressAndPortDependent,
        }
    }
}

impl From<Behaviour> for BehaviourV1 {
    fn from(behaviour: Behaviour) -> Self {
        match behaviour {
            Behaviour::EndpointIndependent => Self::EndpointIndependent,
            Behaviour::AddressDependent => Self::AddressDependent,
            Behaviour::AddressAndPortDependent => Self::AddressAndPortDependent,
        }
    }
}

impl From<ProtocolsV1> for Protocols {
    fn from(protocols: ProtocolsV1) -> Self {
        match protocols {
            ProtocolsV1::Tcp => Self::Tcp,
            ProtocolsV1::Udp => Self::Udp,
            ProtocolsV1::Both => Self::Both,
        }
    }
}

impl From<Protocols> for ProtocolsV1 {
    fn from(protocols: Protocols) -> Self {
        match protocols {
            Protocols::Tcp => Self::Tcp,
            Protocols::Udp => Self::Udp,
            Protocols::Both => Self::Both,
        }
    }
}
