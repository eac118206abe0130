//! The command that replaces the configuration of an image or a disk, or says what is there.

use std::fs::File;
use std::path::{Path, PathBuf};

use builder::image::{Named, check_blob};
use builder::medium::Medium;
use builder::slots::{Refusal, Slots};
use clap::Args;
use provision::Failure;

use crate::files;

#[derive(Args)]
pub(crate) struct Config {
    /// The disk, or the image.
    disk: PathBuf,
    /// The configuration to write: a blob that provision compile or provision sign wrote. Without one, say what is there.
    blob: Option<PathBuf>,
}

/// Writes a configuration, or says what there is.
pub(crate) fn config(options: &Config) -> Result<bool, Failure> {
    let name = options.disk.display().to_string();
    let Some(blob_path) = &options.blob else {
        return show(&name, &open(&options.disk, false)?);
    };
    let blob = files::read(blob_path)?;
    let blob_name = blob_path.display().to_string();
    check_blob(Named { name: &blob_name, bytes: &blob })?;
    let slots = open(&options.disk, true)?;
    let (slot, sequence) = slots.write(&blob).map_err(|refusal| match refusal {
        Refusal::Blob(error) => Failure::Input(format!("{blob_name}: {error}")),
        Refusal::Disk(error) => Failure::Operation(format!("{name}: {error}")),
    })?;
    files::print(&format!(
        "{name}: written to the {slot} slot and read back, with the sequence {sequence}\n"
    ))?;
    Ok(true)
}

fn show(name: &str, slots: &Slots) -> Result<bool, Failure> {
    let described = slots.describe().map_err(|what| Failure::Operation(format!("{name}: {what}")))?;
    files::print(&format!("{name}\n{described}"))?;
    Ok(true)
}

fn open(path: &Path, writable: bool) -> Result<Slots, Failure> {
    let name = path.display();
    let opened = File::options().read(true).write(writable).open(path);
    let file = opened.map_err(|error| match writable {
        true => Failure::to_write(&name, &error),
        false => Failure::to_read(&name, &error),
    })?;
    Slots::find(Medium::new(file)).map_err(|what| {
        Failure::Input(format!(
            "{name}: {what}; give an image that sekisho-image build wrote, or a disk with one"
        ))
    })
}
