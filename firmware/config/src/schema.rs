//! The settings on the wire, by version. Order and type of every setting are the format: a change is a new version, in which
//! something is read that was not there before, never an edit. Every version is read for ever; the newest is written.
//!
//! | what | its bytes |
//! |---|---|
//! | a number of 8 bits, a truth value | one byte; 0 or 1 |
//! | a longer number | 7 bits a byte, the lowest first, the highest bit set in all but the last; no superfluous zeros |
//! | an address | four bytes |
//! | one of several, a *choice* | the number of its place, from 0 |
//! | a text, a list | the number of its bytes or members, and then these |
//! | what may be left out, an *option* | 0; or 1, and then itself |
//!
//! These are the rules of postcard. Each value has one spelling, so what was read would be written the same.

mod control;
mod nat;
mod parts;
mod reader;
mod rules;
mod writer;

use core::net::Ipv4Addr;

use heapless::Vec;

use crate::interface::MAX_INTERFACE_NAME;
use crate::{Config, Draft, Error, Field, MAX_FORWARDS, MAX_RULES, Timer};
use control::CONTROL;
use nat::NAT;
use parts::FORWARD;
use reader::Reader;
use rules::RULE;
use writer::Writer;

/// The newest version.
pub(crate) const NEWEST: u16 = 4;

/// The longest body in bytes: a number of 32 bits takes up to 5, the length of a short text or list, an option or a byte 1.
pub(crate) const MAX_BODY: usize = {
    let side = 1 + 1 + MAX_INTERFACE_NAME + 4 + 1;
    let gateway = 1 + 4;
    let forwards = 1 + MAX_FORWARDS * FORWARD;
    let rules = 2 + MAX_RULES * RULE;
    2 * side + gateway + NAT + Timer::ALL.len() * 5 + forwards + rules + CONTROL
};

/// Reads the settings of a version, and checks each by itself. What came later than that has its default.
pub(crate) fn read(version: u16, body: &[u8]) -> Result<Draft, Error> {
    let mut from = Reader::new(version, body);
    let mut draft = Draft {
        wan_interface: parts::read_interface(&mut from, Field::WanInterface)?,
        wan_address: Some(parts::read_address(&mut from, Field::WanAddress)?),
        wan_gateway: from.option(Reader::array::<4>)?.map(Ipv4Addr::from),
        lan_interface: parts::read_interface(&mut from, Field::LanInterface)?,
        lan_address: Some(parts::read_address(&mut from, Field::LanAddress)?),
        nat: nat::read(&mut from)?,
        timers: parts::read_timers(&mut from)?,
        forwards: Vec::new(),
        rules: Vec::new(),
        control: None,
    };
    parts::read_forwards(&mut from, &mut draft.forwards)?;
    if from.is_since(3) {
        rules::read(&mut from, &mut draft.rules)?;
    }
    if from.is_since(4) {
        draft.control = from.option(control::read)?;
    }
    from.end()?;
    Ok(draft)
}

/// Writes the settings as of the newest version, and says how many bytes that took.
pub(crate) fn write(config: &Config, buffer: &mut [u8]) -> Result<usize, Error> {
    let mut to = Writer::new(buffer);
    let (wan, lan) = (config.wan(), config.lan());
    parts::write_side(&mut to, wan.interface(), wan.address());
    to.option(wan.gateway(), |to, gateway| to.bytes(&gateway.octets()));
    parts::write_side(&mut to, lan.interface(), lan.address());
    nat::write(&mut to, config.nat());
    parts::write_timers(&mut to, config.timers());
    parts::write_forwards(&mut to, config.forwards());
    rules::write(&mut to, config.rules());
    to.option(config.control(), control::write);
    to.end()
}
