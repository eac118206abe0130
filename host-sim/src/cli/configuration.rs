//! A router's configuration from a file, as a blob or as TOML: a blob says in its first bytes that it is one.

use std::fs;
use std::path::Path;

use config::Config;

use super::Failure;

const MAGIC: &[u8] = b"SKSH";

/// Reads a configuration.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    let name = path.display();
    let bytes =
        fs::read(path).map_err(|error| Failure::Operation(format!("{name}: cannot read: {error}")))?;
    if bytes.starts_with(MAGIC) {
        let decoded = Config::decode(&bytes);
        return decoded.map_err(|error| {
            Failure::Input(format!("{name}: {error}; compile it again from its TOML with provision compile"))
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| {
        Failure::Input(format!(
            "{name}: neither a blob nor text; give a router's blob, or the TOML it is made from"
        ))
    })?;
    provision::compile(&text, &name.to_string()).map_err(|report| Failure::Input(report.to_string()))
}
