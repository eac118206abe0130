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
use host_sim::scenario::{self, Outcome, SHIPPED, Scenario, Unseen};
use host_sim::{Seed, json, ladder, pcapng};
use provision::reading::choose_from;

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

/// The scenario of a file, or of a name.
fn find(name: &str) -> Result<Scenario, Failure> {
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
        return scenario::shipped(name)
            .ok_or_else(|| Failure::Input(wrong()))?
            .map_err(|report| Failure::Input(report.to_string()));
    }
    let text = fs::read_to_string(&path).map_err(|error| Failure::to_read(name, &error))?;
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let find = |other: &str| fs::read_to_string(beside.join(other)).map_err(|error| error.to_string());
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    scenario::read(&text, &stem, name, &find).map_err(|report| Failure::Input(report.to_string()))
}

/// What came of a scenario, with so many of its packets.
fn on_paper(outcome: &Outcome, packets: usize, palette: &Palette) -> String {
    let Palette { title, good, bad, .. } = palette;
    let mut text = format!("{title}{}{title:#}: {}\n", outcome.name, outcome.about);
    if packets > 0 {
        text += &ladder::ladder(&outcome.sightings, packets, palette);
    }
    for (router, summary) in &outcome.summaries {
        text += &format!("{title}{router}{title:#}\n{summary}");
    }
    for (line, tally) in &outcome.lines {
        text += &format!("{line} line: {tally}\n");
    }
    for Unseen { line, what } in &outcome.unseen {
        text += &format!("not looked at: line {line}: {what}\n");
    }
    for check in outcome.checks.iter().filter(|check| !check.held) {
        text += &format!("{bad}not so:{bad:#} line {}, at {}: {}\n", check.line, check.at, check.what);
    }
    for violation in &outcome.violations {
        text += &format!("{bad}violation:{bad:#} {violation}\n");
    }
    if let Some(broken) = &outcome.broken {
        text += &format!("{bad}broken off:{bad:#} at {}: {broken}\n", outcome.end);
    }
    let (held, all) = (outcome.checks.iter().filter(|check| check.held).count(), outcome.checks.len());
    let (style, word) = if outcome.passed() { (good, "ok") } else { (bad, "FAILED") };
    text += &format!(
        "{style}{word}:{style:#} {held} of {all} checks, {} violations, with seed {}\n",
        outcome.violations.len(),
        Seed(outcome.seed)
    );
    text
}
