//! Version 2 of the settings on the wire: plain data, as postcard writes it. It is read, and written no more; what it has under
//! `nat` is what version 3 has there.
//!
//! Nothing here is checked beyond its size; [`ConfigV2::into_draft`] makes the checked types of it.

use core::net::Ipv4Addr;
use core::num::NonZeroU32;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::parts::{BehaviourV1, ForwardV1, RANGE, RangeV1, SideV1, alike, parse_forwards, parse_timers};
use crate::{Behaviours, Draft, Error, Field, MAX_FORWARDS, Nat, Problem, Response, Share, Shares, Timer};

/// The longest of `nat` in bytes: a `u32` takes up to 5, a truth value, an option or a unit variant 1.
pub(super) const NAT: usize = {
    let shares = Share::ALL.len() * (1 + 5);
    RANGE + 2 * 3 + 3 + 2 + shares
};

#[derive(Serialize, Deserialize)]
pub(crate) struct ConfigV2 {
    wan: SideV1,
    gateway: Option<[u8; 4]>,
    lan: SideV1,
    nat: NatV2,
    /// Seconds, in the order of [`Timer::ALL`].
    timers: [u32; Timer::ALL.len()],
    forwards: Vec<ForwardV1, MAX_FORWARDS>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct NatV2 {
    ports: RangeV1,
    mapping: BehavioursV2,
    filtering: BehavioursV2,
    preserve_ports: bool,
    other_protocols: bool,
    clamp_mss: bool,
    refusals: ResponseV2,
    unsolicited_syn: ResponseV2,
    /// Sessions, in the order of [`Share::ALL`].
    shares: [Option<u32>; Share::ALL.len()],
}

#[derive(Serialize, Deserialize)]
struct BehavioursV2 {
    tcp: BehaviourV1,
    udp: BehaviourV1,
    icmp: BehaviourV1,
}

alike! {
    enum ResponseV2 for Response {
        Answer,
        Silent,
    }
}

impl ConfigV2 {
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
            timers: parse_timers(Timer::ALL, self.timers)?,
            forwards,
            rules: Vec::new(),
        })
    }
}

impl NatV2 {
    pub(super) fn parse(self) -> Result<Nat, Error> {
        Ok(Nat {
            ports: self.ports.parse().map_err(|problem| problem.with(Field::NatPorts))?,
            mapping: self.mapping.into(),
            filtering: self.filtering.into(),
            preserve_ports: self.preserve_ports,
            other_protocols: self.other_protocols,
            clamp_mss: self.clamp_mss,
            refusals: self.refusals.into(),
            unsolicited_syn: self.unsolicited_syn.into(),
            shares: parse_shares(self.shares)?,
        })
    }
}

impl From<Nat> for NatV2 {
    fn from(nat: Nat) -> Self {
        Self {
            ports: nat.ports.into(),
            mapping: nat.mapping.into(),
            filtering: nat.filtering.into(),
            preserve_ports: nat.preserve_ports,
            other_protocols: nat.other_protocols,
            clamp_mss: nat.clamp_mss,
            refusals: nat.refusals.into(),
            unsolicited_syn: nat.unsolicited_syn.into(),
            shares: Share::ALL.map(|share| nat.shares.sessions(share).map(NonZeroU32::get)),
        }
    }
}

fn parse_shares(sessions: [Option<u32>; Share::ALL.len()]) -> Result<Shares, Error> {
    let mut shares = Shares::default();
    for (share, sessions) in Share::ALL.into_iter().zip(sessions) {
        let Some(sessions) = sessions else { continue };
        let sessions = NonZeroU32::new(sessions).ok_or(Problem::NoSessions.with(Field::Share(share)))?;
        shares = shares.with(share, Some(sessions));
    }
    Ok(shares)
}

impl From<BehavioursV2> for Behaviours {
    fn from(behaviours: BehavioursV2) -> Self {
        let BehavioursV2 { tcp, udp, icmp } = behaviours;
        Self { tcp: tcp.into(), udp: udp.into(), icmp: icmp.into() }
    }
}

impl From<Behaviours> for BehavioursV2 {
    fn from(behaviours: Behaviours) -> Self {
        let Behaviours { tcp, udp, icmp } = behaviours;
        Self { tcp: tcp.into(), udp: udp.into(), icmp: icmp.into() }
    }
}
