//! From settings that are fine by themselves to a configuration that is fine as a whole.
//!
//! A [`Draft`] may be incomplete or contradict itself; a [`Config`] cannot. [`Draft::check`] is the only place
//! where settings are compared with one another. It names everything that is wrong, and goes around what is
//! missing, so that a tool can tell its user about all mistakes at once; [`Config::new`] needs only the first.

use core::net::Ipv4Addr;

use heapless::Vec;

use crate::address::check_host;
use crate::{
    Control, Error, Field, Forward, InterfaceAddress, InterfaceName, MAX_FORWARDS, MAX_RULES, Nat, Problem,
    Rule, Share, Timers,
};

/// A configuration whose settings are valid, each alone and all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    wan: Wan,
    lan: Lan,
    nat: Nat,
    timers: Timers,
    forwards: Vec<Forward, MAX_FORWARDS>,
    rules: Vec<Rule, MAX_RULES>,
    control: Option<Control>,
}

impl Config {
    /// Accepts a draft as a configuration.
    ///
    /// # Errors
    /// The first of the errors that [`Draft::check`] finds.
    pub fn new(draft: Draft) -> Result<Self, Error> {
        let mut first = None;
        draft.check(&mut |error| {
            first.get_or_insert(error);
        });
        if let Some(error) = first {
            return Err(error);
        }
        let wan = Wan {
            interface: draft.wan_interface,
            address: draft.wan_address.ok_or(Problem::Missing.with(Field::WanAddress))?,
            gateway: draft.wan_gateway,
        };
        let lan = Lan {
            interface: draft.lan_interface,
            address: draft.lan_address.ok_or(Problem::Missing.with(Field::LanAddress))?,
        };
        let Draft { nat, timers, forwards, rules, control, .. } = draft;
        Ok(Self { wan, lan, nat, timers, forwards, rules, control })
    }

    /// The side towards the Internet.
    pub const fn wan(&self) -> &Wan {
        &self.wan
    }

    /// The side of the hosts we translate for.
    pub const fn lan(&self) -> &Lan {
        &self.lan
    }

    /// The NAT's behaviour.
    pub const fn nat(&self) -> Nat {
        self.nat
    }

    /// How long things may idle.
    pub const fn timers(&self) -> Timers {
        self.timers
    }

    /// The forwards, in the operator's order; no two take the same external port of a protocol.
    pub fn forwards(&self) -> &[Forward] {
        &self.forwards
    }

    /// The filter rules, in the order in which they are asked.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The control channel, if the box has one.
    pub const fn control(&self) -> Option<&Control> {
        self.control.as_ref()
    }
}

/// The side towards the Internet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wan {
    interface: Option<InterfaceName>,
    address: InterfaceAddress,
    gateway: Option<Ipv4Addr>,
}

impl Wan {
    /// The interface that plays this role. Nothing, if the board is to know.
    pub const fn interface(&self) -> Option<&InterfaceName> {
        self.interface.as_ref()
    }

    /// The external address of all mappings, and its link's prefix; it does not overlap the LAN's.
    pub const fn address(&self) -> InterfaceAddress {
        self.address
    }

    /// The next hop for what is on neither link: another host of the WAN link. Without one, only the two links
    /// can be reached.
    pub const fn gateway(&self) -> Option<Ipv4Addr> {
        self.gateway
    }
}

/// The side of the hosts we translate for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lan {
    interface: Option<InterfaceName>,
    address: InterfaceAddress,
}

impl Lan {
    /// The interface that plays this role. Nothing, if the board is to know.
    pub const fn interface(&self) -> Option<&InterfaceName> {
        self.interface.as_ref()
    }

    /// The address hosts use as their gateway, and their prefix; it does not overlap the WAN's.
    pub const fn address(&self) -> InterfaceAddress {
        self.address
    }
}

/// Settings that may not fit together yet. `None` means that the setting is not there (yet).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The interface towards the Internet; a board knows its own.
    pub wan_interface: Option<InterfaceName>,
    /// Its address; required.
    pub wan_address: Option<InterfaceAddress>,
    /// The next hop on that side.
    pub wan_gateway: Option<Ipv4Addr>,
    /// The interface towards the hosts we translate for; a board knows its own.
    pub lan_interface: Option<InterfaceName>,
    /// Its address; required.
    pub lan_address: Option<InterfaceAddress>,
    /// The NAT's behaviour.
    pub nat: Nat,
    /// How long things may idle.
    pub timers: Timers,
    /// The forwards.
    pub forwards: Vec<Forward, MAX_FORWARDS>,
    /// The filter rules.
    pub rules: Vec<Rule, MAX_RULES>,
    /// The control channel.
    pub control: Option<Control>,
}

impl Draft {
    /// Tells `report` about everything that is missing, and about all settings that do not fit together.
    pub fn check(&self, report: &mut impl FnMut(Error)) {
        self.check_presence(report);
        self.check_sides(report);
        self.check_gateway(report);
        self.check_shares(report);
        for (index, forward) in (0..).zip(&self.forwards) {
            self.check_forward(index, forward, report);
        }
        for (index, rule) in (0..=u8::MAX).zip(&self.rules) {
            self.check_rule(index, rule, report);
        }
    }

    fn check_presence(&self, report: &mut impl FnMut(Error)) {
        let required = [
            (self.wan_address.is_some(), Field::WanAddress),
            (self.lan_address.is_some(), Field::LanAddress),
        ];
        for (_, field) in required.into_iter().filter(|(present, _)| !present) {
            report(Problem::Missing.with(field));
        }
    }

    fn check_sides(&self, report: &mut impl FnMut(Error)) {
        if let (Some(wan), Some(lan)) = (&self.wan_interface, &self.lan_interface)
            && wan == lan
        {
            report(Problem::SameInterface.with(Field::LanInterface));
        }
        // RFC 4787, REQ-7: two links with the same numbers cannot be told apart; we refuse rather than guess.
        if let (Some(wan), Some(lan)) = (self.wan_address, self.lan_address)
            && wan.overlaps(lan)
        {
            report(Problem::PrefixesOverlap.with(Field::WanAddress));
        }
    }

    fn check_gateway(&self, report: &mut impl FnMut(Error)) {
        let (Some(wan), Some(gateway)) = (self.wan_address, self.wan_gateway) else { return };
        if let Err(problem) = check_host_on(wan, gateway, Problem::OffLink) {
            report(problem.with(Field::WanGateway));
        }
    }

    fn check_shares(&self, report: &mut impl FnMut(Error)) {
        let shares = self.nat.shares;
        if let (Some(host), Some(guaranteed)) =
            (shares.sessions(Share::Host), shares.sessions(Share::Guaranteed))
            && guaranteed > host
        {
            report(Problem::AboveHostShare.with(Field::Share(Share::Guaranteed)));
        }
    }

    fn check_forward(&self, index: u8, forward: &Forward, report: &mut impl FnMut(Error)) {
        if let Some(lan) = self.lan_address
            && let Err(problem) = check_host_on(lan, forward.internal(), Problem::OutsideLan)
        {
            report(problem.with(Field::ForwardInternal(index)));
        }
        let earlier = || (0..index).zip(&self.forwards);
        if let Some((other, _)) = earlier().find(|(_, other)| other.name() == forward.name()) {
            report(Problem::DuplicateName(other).with(Field::ForwardName(index)));
        }
        for (other, _) in earlier().filter(|(_, other)| other.overlaps(forward)) {
            report(Problem::Overlaps(other).with(Field::ForwardExternal(index)));
        }
    }

    fn check_rule(&self, index: u8, rule: &Rule, report: &mut impl FnMut(Error)) {
        match rule.problem() {
            Some(problem @ Problem::PortsWithoutProtocol) => report(problem.with(Field::RulePorts(index))),
            Some(problem) => report(problem.with(Field::RuleAction(index))),
            None => (),
        }
        let mut earlier = (0..index).zip(&self.rules);
        if let Some((other, _)) = earlier.find(|(_, other)| other.name == rule.name) {
            report(Problem::DuplicateName(other).with(Field::RuleName(index)));
        }
    }
}

/// Refuses what is not another host on `link`; `elsewhere` is the word for one that is not on the link at all.
fn check_host_on(link: InterfaceAddress, host: Ipv4Addr, elsewhere: Problem) -> Result<(), Problem> {
    if !link.contains(host) {
        return Err(elsewhere);
    }
    if host == link.address() {
        return Err(Problem::OwnAddress);
    }
    // A short prefix can have whole blocks in it that no host has an address from.
    check_host(host)?;
    link.check_neighbour(host)
}
