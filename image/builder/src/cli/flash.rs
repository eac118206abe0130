//! The command that writes an image to a disk.
//!
//! What is on the disk is lost, so nothing is written before it is known what the disk is, that nobody uses it, and that
//! whoever gave the command means this one. Only what can be put right can be overruled, each reason by its name.

use std::fs::{self, File, Metadata};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use builder::contents;
use builder::medium::Medium;
use builder::target::{Reason, System, check_size};
use builder::unpacked::Unpacked;
use builder::writing::{self, Step};
use clap::Args;
use clap::builder::PossibleValuesParser;
use provision::{Failure, grouped};
use rustix::fs::{OFlags, major, minor};

use crate::files::{self, tell};
use crate::progress::Progress;

#[derive(Args)]
pub(crate) struct Flash {
    /// The image.
    image: PathBuf,
    /// The disk, such as /dev/sdb.
    device: PathBuf,
    /// Do not ask: overwrite the disk with this serial number, or, if it has none, with this name of the kernel's.
    #[arg(long, value_name = "SERIAL")]
    overwrite: Option<String>,
    /// Overwrite it although it is mounted, has the running system, is swapped to, or is held by a device made of it.
    #[arg(long, value_name = "REASON", value_delimiter = ',', value_parser = reasons())]
    although: Vec<String>,
    /// Write to a regular file, which is there and stands for a disk.
    #[arg(long, conflicts_with_all = ["overwrite", "although"])]
    onto_file: bool,
}

/// What is written to.
struct Target {
    medium: Medium,
    /// What it is, in a line.
    about: String,
    /// What has to be said so that it is overwritten. Nothing for a file: its option says it.
    called: Option<String>,
}

/// Writes an image.
pub(crate) fn flash(options: &Flash) -> Result<bool, Failure> {
    let image = files::read(&options.image)?;
    let (image_name, name) = (options.image.display(), options.device.display());
    let unpacked = Unpacked::read(&image).map_err(|what| {
        Failure::Input(format!("{image_name}: {what}; give an image that sekisho-image build wrote"))
    })?;
    let target = options.target(image.len() as u64)?;
    tell(&format!("{name}: {}\n{}", target.about, contents::describe(&target.medium).trim_end()));
    let bytes = grouped(image.len());
    tell(&format!("All of it is lost when {image_name} for {}, {bytes} bytes, is written.", unpacked.board));
    if let Some(called) = &target.called {
        options.confirm(called)?;
    }
    let progress = Progress::of(2 * image.len());
    let done = |step: Step, bytes: usize| {
        progress.tell(match step {
            Step::Write => "writing",
            Step::Compare => "reading back",
        });
        progress.advance(bytes);
    };
    let written = writing::write(&target.medium, &image, &done);
    progress.end();
    written.map_err(|what| Failure::Operation(format!("{name}: {what}; it is not usable now")))?;
    files::print(&format!("{name}: written and read back, {bytes} bytes\n"))?;
    if target.called.is_some() {
        tell(&format!(
            "Pull it out, plug it into the machine, and boot that from it by UEFI, without Secure Boot.\n\
            To change its configuration later: sekisho-image config {name} new.blob"
        ));
    }
    Ok(true)
}

impl Flash {
    /// Looks at what is to be written to, and opens it.
    fn target(&self, needed: u64) -> Result<Target, Failure> {
        let name = self.device.display();
        let refused = |what: String| Failure::Input(format!("{name}: {what}"));
        let metadata = fs::metadata(&self.device).map_err(|error| Failure::to_read(&name, &error))?;
        let kind = metadata.file_type();
        let target = if kind.is_block_device() && !self.onto_file {
            self.disk(&metadata, needed)?
        } else if kind.is_file() && self.onto_file {
            self.file(&metadata, needed)?
        } else if self.onto_file {
            return Err(refused("is no regular file; leave --onto-file out to write to a disk".to_owned()));
        } else if kind.is_file() {
            return Err(refused("is a file; name a disk such as /dev/sdb, or say --onto-file".to_owned()));
        } else {
            return Err(refused("is no block device; name a disk such as /dev/sdb".to_owned()));
        };
        Ok(target)
    }

    fn file(&self, metadata: &Metadata, needed: u64) -> Result<Target, Failure> {
        let name = self.device.display();
        let source =
            fs::metadata(&self.image).map_err(|error| Failure::to_read(self.image.display(), &error))?;
        if (source.dev(), source.ino()) == (metadata.dev(), metadata.ino()) {
            return Err(Failure::Input(format!("{name}: is the image itself; name another file")));
        }
        check_size(metadata.len(), needed).map_err(|what| Failure::Input(format!("{name}: {what}")))?;
        let about = format!("a file of {} bytes", grouped(metadata.len() as usize));
        Ok(Target { medium: open(&self.device, metadata, OFlags::empty())?, about, called: None })
    }

    fn disk(&self, metadata: &Metadata, needed: u64) -> Result<Target, Failure> {
        let name = self.device.display();
        let number = (major(metadata.rdev()), minor(metadata.rdev()));
        let refused = |what: String| Failure::Input(format!("{name}: {what}"));
        let disk = System::default().disk(number).map_err(refused)?;
        disk.check(needed, &self.although).map_err(refused)?;
        // Nobody can begin to use it from here on, if nobody does.
        let alone = if disk.uses.is_empty() { OFlags::EXCL } else { OFlags::empty() };
        let about = format!("{disk}, {} bytes", grouped(disk.bytes as usize));
        let called = disk.serial.clone().unwrap_or_else(|| disk.name.clone());
        Ok(Target { medium: open(&self.device, metadata, alone)?, about, called: Some(called) })
    }

    /// Makes sure that this is the disk that was meant.
    fn confirm(&self, called: &str) -> Result<(), Failure> {
        let name = self.device.display();
        let said = match &self.overwrite {
            Some(said) => said.clone(),
            None if io::stdin().is_terminal() => ask(called)?,
            None => {
                return Err(Failure::Input(format!(
                    "{name}: nobody can be asked here whether it is to be overwritten; say --overwrite {called}"
                )));
            }
        };
        if said == called {
            return Ok(());
        }
        Err(Failure::Input(format!("{name}: is {called:?} and not {said:?}; nothing was written")))
    }
}

/// Opens what was looked at.
fn open(path: &Path, seen: &Metadata, flags: OFlags) -> Result<Medium, Failure> {
    let name = path.display();
    let flags = flags.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(path);
    let file = file.map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => {
            Failure::Operation(format!("{name}: cannot write: {error}; run this as root (sudo)"))
        }
        _ => Failure::to_write(&name, &error),
    })?;
    let now = file.metadata().map_err(|error| Failure::to_read(&name, &error))?;
    if (now.dev(), now.ino(), now.rdev()) != (seen.dev(), seen.ino(), seen.rdev()) {
        return Err(Failure::Operation(format!("{name}: has just become another; try again")));
    }
    Ok(Medium::new(file))
}

fn ask(called: &str) -> Result<String, Failure> {
    let mut answer = String::new();
    let asked = write!(io::stderr(), "Type {called} to overwrite it: ").and_then(|()| io::stderr().flush());
    let answered = asked.and_then(|()| io::stdin().read_line(&mut answer));
    answered.map_err(|error| Failure::to_read("<stdin>", &error))?;
    Ok(answer.trim().to_owned())
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(Reason::ALL.map(Reason::name))
}
