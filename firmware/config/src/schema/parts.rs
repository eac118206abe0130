//! Parts of the settings on the wire that more than one version has, named for the version they came with.
//!
//! Nothing here is checked beyond its size until it is parsed into the checked types.

use core::num::NonZeroU16;
use core::time::Duration;

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::interface::MAX_INTERFACE_NAME;
use crate::name::MAX_NAME;
use crate::{
    Behaviour, Error, Field, Forward, InterfaceAddress, InterfaceName, MAX_FORWARDS, Name, PortRange,
    Problem, Protocols, Timer, Timers,
};

/// The longest of each in bytes, by postcard's rules: a `u16` takes up to 3, the length of a short string 1, an
/// unsigned byte or a unit variant 1.
pub(super) const RANGE: usize = 2 * 3;
pub(super) const FORWARD: usize = 1 + MAX_NAME + 1 + RANGE + 4 + 3;

/// An enumeration on the wire, and both ways between it and the checked one, whose variants have the same names. Their order
/// is the format.
macro_rules! alike {
    ($visibility:vis enum $wire:ident for $checked:ident { $($variant:ident),+ $(,)? }) => {
        #[derive(Clone, Copy, Serialize, Deserialize)]
        $visibility enum $wire {
            $($variant),+
        }

        impl From<$wire> for $checked {
            fn from(wire: $wire) -> Self {
                match wire {
                    $($wire::$variant => Self::$variant,)+
                }
            }
        }

        impl From<$checked> for $wire {
            fn from(checked: $checked) -> Self {
                match checked {
                    $($checked::$variant => Self::$variant,)+
                }
            }
        }
    };
}

pub(super) use alike;

#[derive(Serialize, Deserialize)]
pub(super) struct SideV1 {
    interface: String<MAX_INTERFACE_NAME>,
    address: [u8; 4],
    prefix_len: u8,
}

#[derive(Serialize, Deserialize)]
pub(super) struct RangeV1 {
    first: u16,
    last: u16,
}

alike! {
    pub(super) enum BehaviourV1 for Behaviour {
        EndpointIndependent,
        AddressDependent,
        AddressAndPortDependent,
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ForwardV1 {
    name: String<MAX_NAME>,
    protocols: ProtocolsV1,
    external: RangeV1,
    internal: [u8; 4],
    first_internal_port: u16,
}

alike! {
    enum ProtocolsV1 for Protocols {
        Tcp,
        Udp,
        Both,
    }
}

impl SideV1 {
    pub(super) fn interface(&self, field: Field) -> Result<InterfaceName, Error> {
        InterfaceName::new(&self.interface).map_err(|problem| problem.with(field))
    }

    pub(super) fn address(&self, field: Field) -> Result<InterfaceAddress, Error> {
        InterfaceAddress::new(self.address.into(), self.prefix_len).map_err(|problem| problem.with(field))
    }
}

impl RangeV1 {
    pub(super) fn parse(&self) -> Result<PortRange, Problem> {
        PortRange::new(port(self.first)?, port(self.last)?)
    }
}

impl From<PortRange> for RangeV1 {
    fn from(range: PortRange) -> Self {
        Self { first: range.first().get(), last: range.last().get() }
    }
}

impl ForwardV1 {
    pub(super) fn parse(&self, index: usize) -> Result<Forward, Error> {
        let name = Name::new(&self.name).map_err(|problem| problem.with(Field::ForwardName(index)))?;
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

pub(super) fn parse_forwards(
    forwards: &Vec<ForwardV1, MAX_FORWARDS>,
) -> Result<Vec<Forward, MAX_FORWARDS>, Error> {
    let mut parsed = Vec::new();
    for (index, forward) in forwards.iter().enumerate() {
        let forward = forward.parse(index)?;
        parsed.push(forward).map_err(|_| Problem::TooMany.with(Field::Forwards))?;
    }
    Ok(parsed)
}

/// Timers that a blob has in the order of `timers`; those it does not have keep their default.
pub(super) fn parse_timers<const N: usize>(timers: [Timer; N], seconds: [u32; N]) -> Result<Timers, Error> {
    let mut parsed = Timers::default();
    for (timer, seconds) in timers.into_iter().zip(seconds) {
        let duration = Duration::from_secs(seconds.into());
        parsed = parsed.with(timer, duration).map_err(|problem| problem.with(Field::Timer(timer)))?;
    }
    Ok(parsed)
}

pub(super) fn seconds(duration: Duration) -> u32 {
    // Exact, because the ceiling of every timer is 7 days.
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

fn port(number: u16) -> Result<NonZeroU16, Problem> {
    NonZeroU16::new(number).ok_or(Problem::PortZero)
}
