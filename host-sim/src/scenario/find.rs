//! Scenarios by what a person calls them: a name, or the path of a file.

use std::fs;
use std::path::{Path, PathBuf};

use provision::Failure;
use provision::reading::choose_from;

use super::{SHIPPED, Scenario, read, shipped};

/// The scenario of a file, or the one that comes with the simulator by this name.
///
/// # Errors
/// If there is none, or what is wrong with it.
pub fn find(name: &str) -> Result<Scenario, Failure> {
    let path = PathBuf::from(name);
    let is_path = path.extension().is_some() || path.components().count() > 1;
    if !is_path {
        let wrong = || {
            let names = SHIPPED.map(|(name, _)| name);
            format!(
                "{name}: no scenario of this name comes with the simulator; {}",
                choose_from(name, &names)
            )
        };
        return shipped(name)
            .ok_or_else(|| Failure::Input(wrong()))?
            .map_err(|report| Failure::Input(report.to_string()));
    }
    let text = fs::read_to_string(&path).map_err(|error| Failure::to_read(name, &error))?;
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let find = |other: &str| fs::read_to_string(beside.join(other)).map_err(|error| error.to_string());
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    read(&text, &stem, name, &find).map_err(|report| Failure::Input(report.to_string()))
}
