//! A router's configuration from a file, as a blob or as TOML: a blob says in its first bytes that it is one.

use std::path::Path;

use config::{Config, Error, signed};

use super::Failure;

/// Reads a configuration.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    let name = path.display();
    let bytes = super::read(path)?;
    match signed::open(&bytes).and_then(|opened| opened.config()) {
        Ok(config) => return Ok(config),
        // No blob: TOML, then.
        Err(Error::WrongMagic) => (),
        Err(error) => {
            let message = format!("{name}: {error}; compile it again from its TOML with provision compile");
            return Err(Failure::Input(message));
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::Input(format!(
            "{name}: neither a blob nor text; give a router's blob, or the TOML it is made from"
        ))
    })?;
    provision::compile(&text, &name.to_string()).map_err(|report| Failure::Input(report.to_string()))
}
