//! The control channel on the wire, which came with version 4.

use super::parts::read_port;
use super::reader::Reader;
use super::writer::Writer;
use crate::{Control, ControlKey, Error, Field, Signer};

/// The longest in bytes: a number of 16 bits takes up to 3, an option 1.
pub(super) const CONTROL: usize = 1 + 32 + (1 + 3) + (1 + 32);

pub(super) fn read(from: &mut Reader<'_>) -> Result<Control, Error> {
    Ok(Control {
        key: ControlKey::new(from.array()?).map_err(|problem| problem.with(Field::ControlKey))?,
        lan_port: from.option(|from| read_port(from, Field::ControlLanPort))?,
        signer: from.option(read_signer)?,
    })
}

fn read_signer(from: &mut Reader<'_>) -> Result<Signer, Error> {
    Signer::new(from.array()?).map_err(|problem| problem.with(Field::ControlSigner))
}

pub(super) fn write(to: &mut Writer<'_>, control: &Control) {
    to.bytes(control.key.bytes());
    to.option(control.lan_port, |to, port| to.number(port.get()));
    to.option(control.signer, |to, signer| to.bytes(signer.bytes()));
}
