//! Filter rules on the wire, as version 3 has them.
//!
//! Nothing here is checked beyond its size until it is parsed into the checked types.

use core::num::NonZeroU16;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use super::parts::{RANGE, RangeV1, alike};
use crate::name::MAX_NAME;
use crate::{
    Action, Addresses, Direction, Error, Field, MAX_RULES, Name, Per, PortRange, Problem, Rate, Rejection,
    Rule, RuleProtocol,
};

/// The longest in bytes, by postcard's rules: a `u16` takes up to 3, a byte, a truth value, an option, the length of a short
/// string or the number of a variant 1.
pub(super) const RULE: usize = {
    let addresses = 4 + 1 + 1;
    let ports = 1 + RANGE;
    let rate = 1 + 3 + 1 + 3;
    1 + MAX_NAME + 1 + 2 + 2 * (addresses + ports) + 2 + rate + 1
};

#[derive(Serialize, Deserialize)]
pub(super) struct RuleV3 {
    name: String<MAX_NAME>,
    direction: DirectionV3,
    protocol: ProtocolV3,
    source: AddressesV3,
    source_port: Option<RangeV1>,
    destination: AddressesV3,
    port: Option<RangeV1>,
    action: ActionV3,
    rate: Option<RateV3>,
    log: bool,
}

alike! {
    enum DirectionV3 for Direction {
        LanToWan,
        WanToLan,
        LanToBox,
        WanToBox,
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum ProtocolV3 {
    Any,
    Tcp,
    Udp,
    Both,
    Icmp,
    Number(u8),
}

#[derive(Serialize, Deserialize)]
struct AddressesV3 {
    network: [u8; 4],
    prefix_len: u8,
    is_negated: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum ActionV3 {
    Accept,
    Drop,
    Reject(RejectionV3),
}

alike! {
    enum RejectionV3 for Rejection {
        NetUnreachable,
        HostUnreachable,
        ProtocolUnreachable,
        PortUnreachable,
        NetProhibited,
        HostProhibited,
        AdminProhibited,
        TcpReset,
    }
}

#[derive(Serialize, Deserialize)]
struct RateV3 {
    count: u16,
    per: PerV3,
    burst: u16,
}

alike! {
    enum PerV3 for Per {
        Second,
        Minute,
        Hour,
    }
}

pub(super) fn parse_rules(rules: &Vec<RuleV3, MAX_RULES>) -> Result<Vec<Rule, MAX_RULES>, Error> {
    let mut parsed = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        parsed.push(rule.parse(index)?).map_err(|_| Problem::TooMany.with(Field::Rules))?;
    }
    Ok(parsed)
}

impl RuleV3 {
    fn parse(&self, index: usize) -> Result<Rule, Error> {
        let range = |range: &Option<RangeV1>| -> Result<Option<PortRange>, Error> {
            let parsed = range.as_ref().map(RangeV1::parse).transpose();
            parsed.map_err(|problem| problem.with(Field::RulePorts(index)))
        };
        let addresses = |addresses: &AddressesV3| {
            addresses.parse().map_err(|problem| problem.with(Field::RuleAddresses(index)))
        };
        let rate = self.rate.as_ref().map(RateV3::parse).transpose();
        Ok(Rule {
            name: Name::new(&self.name).map_err(|problem| problem.with(Field::RuleName(index)))?,
            direction: self.direction.into(),
            protocol: self.protocol.parse().ok_or(Error::NotCanonical)?,
            source: addresses(&self.source)?,
            source_port: range(&self.source_port)?,
            destination: addresses(&self.destination)?,
            port: range(&self.port)?,
            action: self.action.into(),
            rate: rate.map_err(|problem| problem.with(Field::RuleRate(index)))?,
            log: self.log,
        })
    }
}

impl From<&Rule> for RuleV3 {
    fn from(rule: &Rule) -> Self {
        Self {
            name: rule.name.to_wire(),
            direction: rule.direction.into(),
            protocol: rule.protocol.into(),
            source: rule.source.into(),
            source_port: rule.source_port.map(RangeV1::from),
            destination: rule.destination.into(),
            port: rule.port.map(RangeV1::from),
            action: rule.action.into(),
            rate: rule.rate.map(RateV3::from),
            log: rule.log,
        }
    }
}

impl AddressesV3 {
    fn parse(&self) -> Result<Addresses, Problem> {
        Addresses::new(self.network.into(), self.prefix_len, self.is_negated)
    }
}

impl From<Addresses> for AddressesV3 {
    fn from(addresses: Addresses) -> Self {
        Self {
            network: addresses.network().octets(),
            prefix_len: addresses.prefix_len(),
            is_negated: addresses.is_negated(),
        }
    }
}

impl RateV3 {
    fn parse(&self) -> Result<Rate, Problem> {
        let number = |number| NonZeroU16::new(number).ok_or(Problem::NoRate);
        Ok(Rate { count: number(self.count)?, per: self.per.into(), burst: number(self.burst)? })
    }
}

impl From<Rate> for RateV3 {
    fn from(rate: Rate) -> Self {
        Self { count: rate.count.get(), per: rate.per.into(), burst: rate.burst.get() }
    }
}

impl ProtocolV3 {
    /// Nothing for the number of one that has a name.
    fn parse(self) -> Option<RuleProtocol> {
        Some(match self {
            Self::Any => RuleProtocol::Any,
            Self::Tcp => RuleProtocol::Tcp,
            Self::Udp => RuleProtocol::Udp,
            Self::Both => RuleProtocol::Both,
            Self::Icmp => RuleProtocol::Icmp,
            Self::Number(number) => {
                Some(RuleProtocol::of_number(number)).filter(|it| matches!(it, RuleProtocol::Number(_)))?
            }
        })
    }
}

impl From<RuleProtocol> for ProtocolV3 {
    fn from(protocol: RuleProtocol) -> Self {
        match protocol {
            RuleProtocol::Any => Self::Any,
            RuleProtocol::Tcp => Self::Tcp,
            RuleProtocol::Udp => Self::Udp,
            RuleProtocol::Both => Self::Both,
            RuleProtocol::Icmp => Self::Icmp,
            RuleProtocol::Number(number) => Self::Number(number),
        }
    }
}

impl From<ActionV3> for Action {
    fn from(action: ActionV3) -> Self {
        match action {
            ActionV3::Accept => Self::Accept,
            ActionV3::Drop => Self::Drop,
            ActionV3::Reject(how) => Self::Reject(how.into()),
        }
    }
}

impl From<Action> for ActionV3 {
    fn from(action: Action) -> Self {
        match action {
            Action::Accept => Self::Accept,
            Action::Drop => Self::Drop,
            Action::Reject(how) => Self::Reject(how.into()),
        }
    }
}
