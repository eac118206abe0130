//! Filter rules on the wire.

use core::num::NonZeroU16;

use heapless::Vec;

use super::parts::{RANGE, read_name, read_range, write_range};
use super::reader::Reader;
use super::writer::Writer;
use crate::name::MAX_NAME;
use crate::{
    Action, Addresses, Direction, Error, Field, MAX_RULES, Per, Problem, Rate, Rejection, Rule, RuleProtocol,
};

/// The longest in bytes: a number of 16 bits takes up to 3, a byte, a truth value, an option, the length of a short text or a
/// choice 1.
pub(super) const RULE: usize = {
    let addresses = 4 + 1 + 1;
    let ports = 1 + RANGE;
    let rate = 1 + 3 + 1 + 3;
    1 + MAX_NAME + 1 + 2 + 2 * (addresses + ports) + 2 + rate + 1
};

const DIRECTIONS: [Direction; 4] =
    [Direction::LanToWan, Direction::WanToLan, Direction::LanToBox, Direction::WanToBox];

/// The last stands for any that has no name, whose number follows.
const PROTOCOLS: [RuleProtocol; 6] = [
    RuleProtocol::Any,
    RuleProtocol::Tcp,
    RuleProtocol::Udp,
    RuleProtocol::Both,
    RuleProtocol::Icmp,
    RuleProtocol::Number(0),
];

/// The last stands for any rejection, which follows.
const ACTIONS: [Action; 3] = [Action::Accept, Action::Drop, Action::Reject(Rejection::NetUnreachable)];

const REJECTIONS: [Rejection; 8] = [
    Rejection::NetUnreachable,
    Rejection::HostUnreachable,
    Rejection::ProtocolUnreachable,
    Rejection::PortUnreachable,
    Rejection::NetProhibited,
    Rejection::HostProhibited,
    Rejection::AdminProhibited,
    Rejection::TcpReset,
];

const PERS: [Per; 3] = [Per::Second, Per::Minute, Per::Hour];

pub(super) fn read(from: &mut Reader<'_>, rules: &mut Vec<Rule, MAX_RULES>) -> Result<(), Error> {
    let count = from.number()?;
    for index in 0..count {
        // Beyond what a byte holds, there is no room any more.
        rules.push(read_rule(from, index as u8)?).map_err(|_| Problem::TooMany.with(Field::Rules))?;
    }
    Ok(())
}

pub(super) fn write(to: &mut Writer<'_>, rules: &[Rule]) {
    to.length_of(rules.len());
    rules.iter().for_each(|rule| write_rule(to, rule));
}

fn read_rule(from: &mut Reader<'_>, index: u8) -> Result<Rule, Error> {
    let ports = |from: &mut Reader<'_>| read_range(from, Field::RulePorts(index));
    Ok(Rule {
        name: read_name(from, Field::RuleName(index))?,
        direction: from.choice(&DIRECTIONS)?,
        protocol: read_protocol(from)?,
        source: read_addresses(from, index)?,
        source_port: from.option(ports)?,
        destination: read_addresses(from, index)?,
        port: from.option(ports)?,
        action: read_action(from)?,
        rate: from.option(|from| read_rate(from, index))?,
        log: from.truth()?,
    })
}

fn write_rule(to: &mut Writer<'_>, rule: &Rule) {
    to.text(rule.name.as_str());
    to.choice(&DIRECTIONS, &rule.direction);
    write_protocol(to, rule.protocol);
    write_addresses(to, rule.source);
    to.option(rule.source_port, write_range);
    write_addresses(to, rule.destination);
    to.option(rule.port, write_range);
    write_action(to, rule.action);
    to.option(rule.rate, write_rate);
    to.truth(rule.log);
}

fn read_protocol(from: &mut Reader<'_>) -> Result<RuleProtocol, Error> {
    match from.choice(&PROTOCOLS)? {
        // One that has a name is not written by its number.
        RuleProtocol::Number(_) => match RuleProtocol::of_number(from.byte()?) {
            protocol @ RuleProtocol::Number(_) => Ok(protocol),
            _ => Err(Error::NotCanonical),
        },
        named => Ok(named),
    }
}

fn write_protocol(to: &mut Writer<'_>, protocol: RuleProtocol) {
    match protocol {
        RuleProtocol::Number(number) => {
            to.choice(&PROTOCOLS, &RuleProtocol::Number(0));
            to.byte(number);
        }
        named => to.choice(&PROTOCOLS, &named),
    }
}

fn read_addresses(from: &mut Reader<'_>, index: u8) -> Result<Addresses, Error> {
    let (network, prefix_len, is_negated) = (from.array::<4>()?, from.byte()?, from.truth()?);
    Addresses::new(network.into(), prefix_len, is_negated)
        .map_err(|problem| problem.with(Field::RuleAddresses(index)))
}

fn write_addresses(to: &mut Writer<'_>, addresses: Addresses) {
    to.bytes(&addresses.network().octets());
    to.byte(addresses.prefix_len());
    to.truth(addresses.is_negated());
}

fn read_action(from: &mut Reader<'_>) -> Result<Action, Error> {
    match from.choice(&ACTIONS)? {
        Action::Reject(_) => Ok(Action::Reject(from.choice(&REJECTIONS)?)),
        action => Ok(action),
    }
}

fn write_action(to: &mut Writer<'_>, action: Action) {
    match action {
        Action::Reject(how) => {
            to.choice(&ACTIONS, &Action::Reject(Rejection::NetUnreachable));
            to.choice(&REJECTIONS, &how);
        }
        action => to.choice(&ACTIONS, &action),
    }
}

fn read_rate(from: &mut Reader<'_>, index: u8) -> Result<Rate, Error> {
    let number = |number: u16| NonZeroU16::new(number).ok_or(Problem::NoRate.with(Field::RuleRate(index)));
    Ok(Rate { count: number(from.short()?)?, per: from.choice(&PERS)?, burst: number(from.short()?)? })
}

fn write_rate(to: &mut Writer<'_>, rate: Rate) {
    to.number(rate.count.get());
    to.choice(&PERS, &rate.per);
    to.number(rate.burst.get());
}
