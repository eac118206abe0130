//! Version 3 of the settings on the wire: plain data, as postcard writes it. It has everything there is; over version 2, sides
//! need not name their interface, and there are filter rules.
//!
//! Nothing here is checked beyond its size; [`ConfigV3::into_draft`] makes the checked types of it.

use core::net::Ipv4Addr;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::parts::{FORWARD, ForwardV1, parse_forwards, parse_timers, seconds};
use super::rules::{RULE, RuleV3, parse_rules};
use super::v2::{NAT, NatV2};
use crate::interface::MAX_INTERFACE_NAME;
use crate::{Config, Draft, Error, Field, InterfaceAddress, InterfaceName, MAX_FORWARDS, MAX_RULES, Timer};

/// The longest body in bytes: a `u32` takes up to 5, the length of a short string or list, an option or a byte 1.
pub(crate) const LONGEST: usize = {
    let side = 1 + 1 + MAX_INTERFACE_NAME + 4 + 1;
    let gateway = 1 + 4;
    2 * side + gateway + NAT + Timer::ALL.len() * 5 + 1 + MAX_FORWARDS * FORWARD + 2 + MAX_RULES * RULE
};

#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigV3 {
    wan: SideV3,
    gateway: Option<[u8; 4]>,
    lan: SideV3,
    nat: NatV2,
    /// Seconds, in the order of [`Timer::ALL`].
    timers: [u32; Timer::ALL.len()],
    forwards: Vec<ForwardV1, MAX_FORWARDS>,
    rules: Vec<RuleV3, MAX_RULES>,
}

#[derive(Serialize, Deserialize)]
struct SideV3 {
    interface: Option<String<MAX_INTERFACE_NAME>>,
    address: [u8; 4],
    prefix_len: u8,
}

impl ConfigV3 {
    /// Checks every setting by itself.
    pub(crate) fn into_draft(self) -> Result<Draft, Error> {
        let forwards = parse_forwards(&self.forwards)?;
        Ok(Draft {
            wan_interface: self.wan.interface(Field::WanInterface)?,
            wan_address: Some(self.wan.address(Field::WanAddress)?),
            wan_gateway: self.gateway.map(Ipv4Addr::from),
            lan_interface: self.lan.interface(Field::LanInterface)?,
            lan_address: Some(self.lan.address(Field::LanAddress)?),
            nat: self.nat.parse()?,
            timers: parse_timers(Timer::ALL, self.timers)?,
            forwards,
            rules: parse_rules(&self.rules)?,
        })
    }
}

impl From<&Config> for ConfigV3 {
    fn from(config: &Config) -> Self {
        Self {
            wan: SideV3::new(config.wan().interface(), config.wan().address()),
            gateway: config.wan().gateway().map(|gateway| gateway.octets()),
            lan: SideV3::new(config.lan().interface(), config.lan().address()),
            nat: config.nat().into(),
            timers: Timer::ALL.map(|timer| seconds(config.timers().duration(timer))),
            // As many as there can be: the slice is from a list of the same capacity.
            forwards: config.forwards().iter().map(ForwardV1::from).collect(),
            rules: config.rules().iter().map(RuleV3::from).collect(),
        }
    }
}

impl SideV3 {
    fn new(interface: Option<&InterfaceName>, address: InterfaceAddress) -> Self {
        Self {
            interface: interface.map(InterfaceName::to_wire),
            address: address.address().octets(),
            prefix_len: address.prefix_len(),
        }
    }

    fn interface(&self, field: Field) -> Result<Option<InterfaceName>, Error> {
        self.interface.as_deref().map(InterfaceName::new).transpose().map_err(|problem| problem.with(field))
    }

    fn address(&self, field: Field) -> Result<InterfaceAddress, Error> {
        InterfaceAddress::new(self.address.into(), self.prefix_len).map_err(|problem| problem.with(field))
    }
}
