//! Which packets come to a rule: the conjunction of everything on the way to it, as far as it is not settled by the way
//! that we look at.
//!
//! What begins a session from one side to another has known interfaces and a known state, and a source or destination
//! that is inside. What a rule asks about those is settled here; what is left is for a rule of ours to ask.

use config::{PortRange, Rate};

use super::model::{Condition, Hook, State};
use super::sets::{AddressSet, PortSet, Prefix, common_ports};

/// A way that packets go, each the first of its session.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) hook: Hook,
    /// By which interface they come.
    pub(crate) input: Port,
    pub(crate) output: Port,
    pub(crate) from_wan: bool,
    /// The addresses inside, if they are known.
    pub(crate) lan: Option<Prefix>,
}

/// An interface on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    Named(String),
    /// One that no rule names.
    Other,
    /// There is none, or it can be any.
    Unknown,
}

/// Why no packet of a flow comes to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Never {
    /// It is about what belongs to a session already.
    Session,
    /// It is about what belongs to none and cannot begin one.
    Invalid,
    /// It is about other interfaces.
    Interface,
    /// It is about IPv6.
    Six,
    /// No such packet goes that way.
    Absent,
}

/// The packets of a flow that come to a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) source: AddressSet,
    pub(crate) destination: AddressSet,
    /// Nothing stands for all of them.
    pub(crate) protocols: Option<Vec<u8>>,
    pub(crate) source_ports: PortSet,
    pub(crate) ports: PortSet,
    pub(crate) rate: Option<Rate>,
    /// What we have no word for.
    pub(crate) foreign: Vec<String>,
}

impl Match {
    /// All packets.
    pub(crate) fn all() -> Self {
        Self {
            source: AddressSet::all(),
            destination: AddressSet::all(),
            protocols: None,
            source_ports: None,
            ports: None,
            rate: None,
            foreign: Vec::new(),
        }
    }

    /// Those of them that a rule matches, too.
    pub(crate) fn and(&self, conditions: &[Condition], flow: &Flow) -> Result<Self, Never> {
        let mut both = self.clone();
        // Why a packet does not come is best told by its state.
        let states = |it: &&Condition| matches!(it, Condition::State { .. } | Condition::SixOnly);
        for condition in conditions.iter().filter(states) {
            both.narrow(condition, flow)?;
        }
        for condition in conditions.iter().filter(|it| !states(it)) {
            both.narrow(condition, flow)?;
        }
        Ok(both)
    }

    fn narrow(&mut self, condition: &Condition, flow: &Flow) -> Result<(), Never> {
        match condition {
            Condition::In { not, names } => self.at_interface(&flow.input, *not, names, "in"),
            Condition::Out { not, names } => self.at_interface(&flow.output, *not, names, "out"),
            Condition::Source { not, prefixes } => {
                let asked = AddressSet::new(*not, prefixes);
                self.source = self.addresses(&self.source.clone(), asked, flow, flow.from_wan, "source")?;
                Ok(())
            }
            Condition::Destination { not, prefixes } => {
                let asked = AddressSet::new(*not, prefixes);
                self.destination =
                    self.addresses(&self.destination.clone(), asked, flow, !flow.from_wan, "destination")?;
                Ok(())
            }
            Condition::Protocols(asked) => self.of_protocols(asked),
            Condition::SourcePorts(asked) => with_ports(&mut self.source_ports, asked),
            Condition::Ports(asked) => with_ports(&mut self.ports, asked),
            Condition::State { not, states } => in_state(*not, states, flow),
            Condition::Syn => Ok(()),
            // Errors and answers belong to what they are about.
            Condition::IcmpTypes(types) if types.iter().any(|it| matches!(it, 8 | 13 | 15 | 17)) => Ok(()),
            Condition::IcmpTypes(_) => Err(Never::Session),
            Condition::Local { not } => {
                let is_local = matches!(flow.hook, Hook::NatIn | Hook::Input);
                if is_local == *not { Err(Never::Absent) } else { Ok(()) }
            }
            Condition::SixOnly => Err(Never::Six),
            Condition::Rate(rate) => {
                match self.rate {
                    Some(other) if other != *rate => self.foreign.push(format!("another limit of {rate}")),
                    _ => self.rate = Some(*rate),
                }
                Ok(())
            }
            Condition::Foreign(text) => {
                if !self.foreign.contains(text) {
                    self.foreign.push(text.clone());
                }
                Ok(())
            }
        }
    }

    fn at_interface(&mut self, port: &Port, not: bool, names: &[String], what: &str) -> Result<(), Never> {
        let is_one = match port {
            Port::Unknown => {
                self.foreign.push(format!("interface ({what}) {}", names.join(", ")));
                return Ok(());
            }
            Port::Other => names.iter().any(|name| matches!(name.as_str(), "+" | "*")),
            Port::Named(port) => names.iter().any(|name| match name.strip_suffix(['+', '*']) {
                Some(begin) => port.starts_with(begin),
                None => port == name,
            }),
        };
        if is_one == not { Err(Never::Interface) } else { Ok(()) }
    }

    fn addresses(
        &mut self,
        known: &AddressSet,
        asked: AddressSet,
        flow: &Flow,
        is_outside: bool,
        what: &str,
    ) -> Result<AddressSet, Never> {
        // Whom a packet is to is known to be inside only behind the translation.
        let is_settled = match flow.hook {
            Hook::Forward | Hook::NatOut => true,
            _ => what == "source",
        };
        let asked = match flow.lan {
            Some(lan) if is_settled && is_outside => asked.outside(lan),
            Some(lan) if is_settled => asked.within(lan),
            _ => asked,
        };
        if asked.is_empty() {
            return Err(Never::Absent);
        }
        match known.and(&asked) {
            Some(both) if both.is_empty() => Err(Never::Absent),
            Some(both) => Ok(both),
            None => {
                self.foreign.push(format!("a {what} that has others left out of it"));
                Ok(known.clone())
            }
        }
    }

    fn of_protocols(&mut self, asked: &[u8]) -> Result<(), Never> {
        let known = self.protocols.take();
        let is_known = |number: &u8| known.as_ref().is_none_or(|known| known.contains(number));
        // ICMPv6 is never seen here.
        let both: Vec<_> = asked.iter().copied().filter(|number| *number != 58 && is_known(number)).collect();
        let is_empty = both.is_empty();
        self.protocols = Some(both);
        if is_empty { Err(Never::Absent) } else { Ok(()) }
    }
}

fn with_ports(known: &mut PortSet, asked: &[PortRange]) -> Result<(), Never> {
    *known = common_ports(known, asked);
    if known.as_ref().is_some_and(Vec::is_empty) { Err(Never::Absent) } else { Ok(()) }
}

/// Whether the first packet of a session is in one of these states, or in none.
fn in_state(not: bool, states: &[State], flow: &Flow) -> Result<(), Never> {
    let is = |state: &State| match state {
        State::New => true,
        // What nothing leads inside does not get there.
        State::Dnat => flow.hook == Hook::Forward && flow.from_wan,
        State::Established | State::Related | State::Invalid | State::Untracked | State::Snat => false,
    };
    if states.iter().any(is) != not {
        return Ok(());
    }
    match states.iter().any(|state| matches!(state, State::Dnat | State::Snat)) {
        true => Err(Never::Absent),
        false if not || states.iter().any(|it| matches!(it, State::Established | State::Related)) => {
            Err(Never::Session)
        }
        false => Err(Never::Invalid),
    }
}
