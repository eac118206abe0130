//! The NAT's behaviour on the wire. Version 1 has ports, and one behaviour for all protocols.

use core::num::NonZeroU32;

use super::parts::{RANGE, read_range, write_range};
use super::reader::Reader;
use super::writer::Writer;
use crate::{Behaviour, Behaviours, Error, Field, Nat, Problem, Response, Share};

/// The longest in bytes: a number of 32 bits takes up to 5, a truth value, an option or a choice 1.
pub(super) const NAT: usize = {
    let shares = Share::ALL.len() * (1 + 5);
    RANGE + 2 * 3 + 3 + 2 + shares
};

const BEHAVIOURS: [Behaviour; 3] =
    [Behaviour::EndpointIndependent, Behaviour::AddressDependent, Behaviour::AddressAndPortDependent];
const RESPONSES: [Response; 2] = [Response::Answer, Response::Silent];

pub(super) fn read(from: &mut Reader<'_>) -> Result<Nat, Error> {
    let mut nat = Nat {
        ports: read_range(from, Field::NatPorts)?,
        mapping: read_behaviours(from)?,
        filtering: read_behaviours(from)?,
        ..Nat::default()
    };
    if from.is_since(2) {
        nat.preserve_ports = from.truth()?;
        nat.other_protocols = from.truth()?;
        nat.clamp_mss = from.truth()?;
        nat.refusals = from.choice(&RESPONSES)?;
        nat.unsolicited_syn = from.choice(&RESPONSES)?;
        for share in Share::ALL {
            let sessions = from.option(|from| {
                NonZeroU32::new(from.number()?).ok_or(Problem::NoSessions.with(Field::Share(share)))
            })?;
            nat.shares = nat.shares.with(share, sessions);
        }
    }
    Ok(nat)
}

pub(super) fn write(to: &mut Writer<'_>, nat: Nat) {
    write_range(to, nat.ports);
    for Behaviours { tcp, udp, icmp } in [nat.mapping, nat.filtering] {
        [tcp, udp, icmp].iter().for_each(|behaviour| to.choice(&BEHAVIOURS, behaviour));
    }
    to.truth(nat.preserve_ports);
    to.truth(nat.other_protocols);
    to.truth(nat.clamp_mss);
    to.choice(&RESPONSES, &nat.refusals);
    to.choice(&RESPONSES, &nat.unsolicited_syn);
    for share in Share::ALL {
        to.option(nat.shares.sessions(share), |to, sessions| to.number(sessions.get()));
    }
}

fn read_behaviours(from: &mut Reader<'_>) -> Result<Behaviours, Error> {
    let tcp = from.choice(&BEHAVIOURS)?;
    if !from.is_since(2) {
        return Ok(Behaviours::all(tcp));
    }
    Ok(Behaviours { tcp, udp: from.choice(&BEHAVIOURS)?, icmp: from.choice(&BEHAVIOURS)? })
}
