//! The command that plays captures to a box.

use std::path::{Path, PathBuf};

use clap::Args;
use host_sim::Seed;
use host_sim::capture::Capture;
use host_sim::demo::DEFAULT_SEED;
use host_sim::replay::{self, Plan};

use super::{Failure, configuration};

#[derive(Args)]
pub(crate) struct Replay {
    /// Captures, pcapng or pcap: of one side or both, in one file or several.
    #[arg(required = true)]
    captures: Vec<PathBuf>,
    /// What the box works by: a blob, or the TOML it is made from.
    #[arg(long, value_name = "BLOB")]
    config: PathBuf,
    /// The lan's interface in the capture, where it has another name than in the configuration; of a pcap file, its
    /// name without the ending.
    #[arg(long, value_name = "NAME")]
    lan: Option<String>,
    /// The wan's interface.
    #[arg(long, value_name = "NAME")]
    wan: Option<String>,
    /// Write what came to the box and what left it into a capture file (pcapng), with the verdicts as comments.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print at most so many packets, and so many lines of each table.
    #[arg(long, default_value_t = 60, conflicts_with = "json")]
    packets: usize,
    /// Print for machines: one JSON object a line, every packet, session, mapping and difference.
    #[arg(long)]
    json: bool,
    /// The largest packet that the lan carries, in bytes.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    lan_mtu: u16,
    /// The largest packet that the wan carries, in bytes.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    wan_mtu: u16,
    /// Decides everything that looks random, such as external ports. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
    /// Print no colours, which are only for terminals anyway.
    #[arg(long)]
    no_color: bool,
}

/// Plays, and prints what came of it. Returns whether all that left the router of the capture leaves ours.
pub(crate) fn replay(options: &Replay) -> Result<bool, Failure> {
    let config = configuration::read(&options.config)?;
    let captures: Result<_, _> = options.captures.iter().map(|path| read(path)).collect();
    let capture = Capture::join(captures?);
    let plan = Plan {
        names: [options.lan.clone(), options.wan.clone()],
        mtu: [options.lan_mtu, options.wan_mtu],
        seed: options.seed.0,
    };
    let names: Vec<_> = options.captures.iter().map(|path| path.display().to_string()).collect();
    let replayed = replay::replay(&capture, &config, &plan)
        .map_err(|why| Failure::Input(format!("{}: {why}", names.join(", "))))?;
    if let Some(path) = &options.output {
        super::write(path, &replayed.capture())?;
    }
    let text = if options.json {
        replay::json::lines(&replayed)
    } else {
        replay::report(&replayed, options.packets, super::palette(options.no_color))
    };
    super::print(&text)?;
    Ok(replayed.passed())
}

fn read(path: &Path) -> Result<Capture, Failure> {
    let name = path.display();
    let bytes = super::read(path)?;
    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Capture::read(&bytes, &stem).map_err(|why| Failure::Input(format!("{name}: {why}")))
}
