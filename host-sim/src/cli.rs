//! What the commands have in common, and the command that plays scenarios; `swarm` plays random ones.

mod swarm;

pub(crate) mod configuration;
pub(crate) mod explain;
pub(crate) mod live;
pub(crate) mod replay;
pub(crate) mod soak;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use clap::Args;
use host_sim::demo::DEFAULT_SEED;
use host_sim::report::Palette;
use host_sim::scenario::{self, Outcome, SHIPPED, find, on_paper};
use host_sim::{Seed, json, pcapng};

pub(crate) use provision::Failure;

pub(crate) use self::swarm::{Swarm, swarm};

#[derive(Args)]
pub(crate) struct Run {
    /// A scenario: a TOML file, or the name of one that comes with the simulator.
    scenario: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

/// How what came of a scenario is shown.
#[derive(Args)]
struct Shown {
    /// Decides everything that looks random: the same seed plays the same. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
    /// Print at most so many packets, of a longer run its beginning and its end.
    #[arg(long, default_value_t = 60, conflicts_with = "json")]
    packets: usize,
    /// Print for machines: one JSON object a line, every packet, check, router and link.
    #[arg(long)]
    json: bool,
    /// Write what was seen on both sides of each router into a capture file (pcapng).
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Print no colours, which are only for terminals anyway.
    #[arg(long)]
    no_color: bool,
}

/// Plays a scenario and prints it. Returns whether it passed.
pub(crate) fn run(options: &Run) -> Result<bool, Failure> {
    let Some(name) = &options.scenario else {
        print(&list())?;
        return Ok(true);
    };
    let outcome = scenario::play(&find(name)?, options.shown.seed.0);
    options.shown.show(&outcome)
}

impl Shown {
    /// Prints what came of a scenario. Returns whether it passed.
    fn show(&self, outcome: &Outcome) -> Result<bool, Failure> {
        if let Some(path) = &self.pcap {
            write(path, &pcapng::capture(&outcome.sightings))?;
        }
        let text = if self.json {
            json::lines(outcome)
        } else {
            on_paper(outcome, self.packets, palette(self.no_color))
        };
        print(&text)?;
        Ok(outcome.passed())
    }
}

/// What to print with: colours only on a terminal.
pub(crate) fn palette(no_color: bool) -> &'static Palette {
    let plain = no_color || AutoStream::choice(&io::stdout()) == ColorChoice::Never;
    if plain { &Palette::PLAIN } else { &Palette::COLOURS }
}

/// Prints what the command was asked for.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map_err(|error| Failure::to_write("<stdout>", &error))
}

/// The bytes of a file.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::to_read(path.display(), &error))
}

/// Writes a file.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::to_write(path.display(), &error))
}

/// The scenarios that come with the simulator.
fn list() -> String {
    let about = |name| scenario::shipped(name).and_then(Result::ok).map_or(String::new(), |it| it.about);
    SHIPPED.iter().map(|(name, _)| format!("{name:18} {}\n", about(name))).collect()
}
