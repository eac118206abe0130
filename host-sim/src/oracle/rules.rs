//! Filter rules, one after the other: whatever the first that matches says. One with a rate may match or not: how often it
//! has is not ours to count.

use std::net::{Ipv4Addr, SocketAddrV4};

use napt::policy::{Action, Addresses, Matched, Rule, Way};
use napt::{Dependence, DropReason, RejectReason, Verdict};

use super::Oracle;
use super::wire::{TCP, UDP};

impl Oracle {
    /// What the rules may say of a flow that would begin.
    pub(super) fn rulings(
        &self,
        way: Way,
        protocol: u8,
        from: SocketAddrV4,
        to: SocketAddrV4,
    ) -> Vec<Ruling> {
        let mut said = vec![];
        for rule in self.settings.policy.iter().filter(|rule| matches(rule, way, protocol, from, to)) {
            said.push(Ruling::of(rule.action));
            if rule.rate.is_none() {
                return said;
            }
        }
        said.push(Ruling(None));
        said
    }

    /// Whether a flow that has begun may go on.
    pub(super) fn is_permitted(&self, way: Way, protocol: u8, from: SocketAddrV4, to: SocketAddrV4) -> bool {
        let decides = self.settings.policy.iter().find(|rule| matches(rule, way, protocol, from, to));
        decides.is_none_or(|rule| rule.action == Action::Accept)
    }

    /// How much of remote ends the rules look at, so that flows of which they say different things are not one session.
    pub(super) fn rules_look_at(&self, protocol: u8) -> Dependence {
        let about = self.settings.policy.iter().filter(|rule| is_about(rule.protocol, protocol));
        let looks = about.map(|rule| match rule.way {
            Way::Outbound if rule.ports != napt::PortRange::ALL => Dependence::AddressAndPort,
            Way::Inbound if rule.source_ports != napt::PortRange::ALL => Dependence::AddressAndPort,
            Way::Outbound if rule.destination != Addresses::ALL => Dependence::Address,
            Way::Inbound if rule.source != Addresses::ALL => Dependence::Address,
            _ => Dependence::Endpoint,
        });
        looks.max().unwrap_or(Dependence::Endpoint)
    }
}

/// What becomes of a flow by the rules: nothing, if it may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruling(pub(super) Option<Verdict>);

impl Ruling {
    fn of(action: Action) -> Self {
        Self(match action {
            Action::Accept => None,
            Action::Drop => Some(DropReason::Rule.into()),
            Action::Reject(how) => Some(RejectReason::Rule(how).into()),
        })
    }
}

fn matches(rule: &Rule, way: Way, protocol: u8, from: SocketAddrV4, to: SocketAddrV4) -> bool {
    rule.way == way
        && is_about(rule.protocol, protocol)
        && includes(rule.source, *from.ip())
        && includes(rule.destination, *to.ip())
        && (rule.source_ports == napt::PortRange::ALL || rule.source_ports.contains(from.port()))
        && (rule.ports == napt::PortRange::ALL || rule.ports.contains(to.port()))
}

fn is_about(matched: Matched, protocol: u8) -> bool {
    match matched {
        Matched::Any => true,
        Matched::TcpOrUdp => [TCP, UDP].contains(&protocol),
        Matched::Number(number) => number == protocol,
    }
}

fn includes(addresses: Addresses, address: Ipv4Addr) -> bool {
    let is_in = u32::from(address) & addresses.mask == addresses.network;
    is_in != addresses.is_negated
}
