//! Version 1 of the settings on the wire: plain data, as postcard writes it. It is read, and written no more.
//!
//! Nothing here is checked beyond its size; [`ConfigV1::into_draft`] makes the checked types of it, and fills in the
//! defaults of what came later.

use core::net::Ipv4Addr;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::parts::{BehaviourV1, ForwardV1, RangeV1, SideV1, parse_forwards, parse_timers};
use crate::{Behaviours, Draft, Error, Field, MAX_FORWARDS, Nat, Timer};

/// The timers, in the order of a blob.
const TIMERS: [Timer; 6] = [
    Timer::Udp,
    Timer::TcpEstablished,
    Timer::TcpOpening,
    Timer::TcpClosing,
    Timer::Icmp,
    Timer::PortCooldown,
];

#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigV1 {
    wan: SideV1,
    gateway: Option<[u8; 4]>,
    lan: SideV1,
    nat: NatV1,
    /// Seconds, in the order of [`TIMERS`].
    timers: [u32; TIMERS.len()],
    forwards: Vec<ForwardV1, MAX_FORWARDS>,
}

#[derive(Serialize, Deserialize)]
struct NatV1 {
    ports: RangeV1,
    mapping: BehaviourV1,
    filtering: BehaviourV1,
}

impl ConfigV1 {
    /// Checks every setting by itself.
    pub(crate) fn into_draft(self) -> Result<Draft, Error> {
        let forwards = parse_forwards(&self.forwards)?;
        Ok(Draft {
            wan_interface: Some(self.wan.interface(Field::WanInterface)?),
            wan_address: Some(self.wan.address(Field::WanAddress)?),
            wan_gateway: self.gateway.map(Ipv4Addr::from),
            lan_interface: Some(self.lan.interface(Field::LanInterface)?),
            lan_address: Some(self.lan.address(Field::LanAddress)?),
            nat: self.nat.parse()?,
            timers: parse_timers(TIMERS, self.timers)?,
            forwards,
            rules: Vec::new(),
        })
    }
}

impl NatV1 {
    fn parse(&self) -> Result<Nat, Error> {
        Ok(Nat {
            ports: self.ports.parse().map_err(|problem| problem.with(Field::NatPorts))?,
            mapping: Behaviours::all(self.mapping.into()),
            filtering: Behaviours::all(self.filtering.into()),
            ..Nat::default()
        })
    }
}
