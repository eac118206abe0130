//! Sides, timers, ranges of ports and forwards on the wire.

use core::num::NonZeroU16;
use core::time::Duration;

use heapless::Vec;

use super::reader::Reader;
use super::writer::Writer;
use crate::name::MAX_NAME;
use crate::{
    Error, Field, Forward, InterfaceAddress, InterfaceName, MAX_FORWARDS, Name, PortRange, Problem,
    Protocols, Timer, Timers,
};

/// The longest of each in bytes: a number of 16 bits takes up to 3, the length of a short text, a byte or a choice 1.
pub(super) const RANGE: usize = 2 * 3;
pub(super) const FORWARD: usize = 1 + MAX_NAME + 1 + RANGE + 4 + 3;

/// The timers of version 1, in its order; those of later versions are all, in theirs.
const TIMERS: [Timer; 6] = [
    Timer::Udp,
    Timer::TcpEstablished,
    Timer::TcpOpening,
    Timer::TcpClosing,
    Timer::Icmp,
    Timer::PortCooldown,
];

const PROTOCOLS: [Protocols; 3] = [Protocols::Tcp, Protocols::Udp, Protocols::Both];

/// Before version 3, every side has one.
pub(super) fn read_interface(from: &mut Reader<'_>, field: Field) -> Result<Option<InterfaceName>, Error> {
    if from.is_since(3) && !from.truth()? {
        return Ok(None);
    }
    InterfaceName::new(from.text()?).map(Some).map_err(|problem| problem.with(field))
}

pub(super) fn read_address(from: &mut Reader<'_>, field: Field) -> Result<InterfaceAddress, Error> {
    let (address, prefix_len) = (from.array::<4>()?, from.byte()?);
    InterfaceAddress::new(address.into(), prefix_len).map_err(|problem| problem.with(field))
}

pub(super) fn write_side(to: &mut Writer<'_>, interface: Option<&InterfaceName>, address: InterfaceAddress) {
    to.option(interface, |to, interface| to.text(interface.as_str()));
    to.bytes(&address.address().octets());
    to.byte(address.prefix_len());
}

/// Seconds, one after the other. Those that are not there keep their default.
pub(super) fn read_timers(from: &mut Reader<'_>) -> Result<Timers, Error> {
    let mut timers = Timers::default();
    let there: &[Timer] = if from.is_since(2) { &Timer::ALL } else { &TIMERS };
    for timer in there {
        let duration = Duration::from_secs(from.number()?.into());
        timers = timers.with(*timer, duration).map_err(|problem| problem.with(Field::Timer(*timer)))?;
    }
    Ok(timers)
}

pub(super) fn write_timers(to: &mut Writer<'_>, timers: Timers) {
    for timer in Timer::ALL {
        // Exact, because the ceiling of every timer is 7 days.
        to.number(timers.duration(timer).as_secs() as u32);
    }
}

pub(super) fn read_range(from: &mut Reader<'_>, field: Field) -> Result<PortRange, Error> {
    let (first, last) = (read_port(from, field)?, read_port(from, field)?);
    PortRange::new(first, last).map_err(|problem| problem.with(field))
}

pub(super) fn write_range(to: &mut Writer<'_>, range: PortRange) {
    to.number(range.first().get());
    to.number(range.last().get());
}

pub(super) fn read_name(from: &mut Reader<'_>, field: Field) -> Result<Name, Error> {
    Name::new(from.text()?).map_err(|problem| problem.with(field))
}

pub(super) fn read_forwards(
    from: &mut Reader<'_>,
    forwards: &mut Vec<Forward, MAX_FORWARDS>,
) -> Result<(), Error> {
    let count = from.number()?;
    for index in 0..count {
        // Beyond what a byte holds, there is no room any more.
        let forward = read_forward(from, index as u8)?;
        forwards.push(forward).map_err(|_| Problem::TooMany.with(Field::Forwards))?;
    }
    Ok(())
}

fn read_forward(from: &mut Reader<'_>, index: u8) -> Result<Forward, Error> {
    let name = read_name(from, Field::ForwardName(index))?;
    let protocols = from.choice(&PROTOCOLS)?;
    let external = read_range(from, Field::ForwardExternal(index))?;
    let (internal, field) = (from.array::<4>()?, Field::ForwardInternal(index));
    Forward::new(name, protocols, external, internal.into(), read_port(from, field)?)
        .map_err(|problem| problem.with(field))
}

pub(super) fn write_forwards(to: &mut Writer<'_>, forwards: &[Forward]) {
    to.length_of(forwards.len());
    for forward in forwards {
        to.text(forward.name().as_str());
        to.choice(&PROTOCOLS, &forward.protocols());
        write_range(to, forward.external());
        to.bytes(&forward.internal().octets());
        to.number(forward.internal_ports().first().get());
    }
}

pub(super) fn read_port(from: &mut Reader<'_>, field: Field) -> Result<NonZeroU16, Error> {
    NonZeroU16::new(from.short()?).ok_or(Problem::PortZero.with(field))
}
