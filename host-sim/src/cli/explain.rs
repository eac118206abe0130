//! The command that asks a box about packets.

use std::path::PathBuf;

use clap::Args;
use host_sim::Seed;
use host_sim::demo::DEFAULT_SEED;
use host_sim::explain;

use super::{Failure, configuration};

#[derive(Args)]
#[command(after_help = "\
A packet is a kind, two ends and particulars, as in
  tcp 192.0.2.1:5000 > 198.51.100.7:443 flags S
  udp 192.0.2.1:5000 > 198.51.100.7:53 len 1400 df ttl 1
  echo 192.0.2.1 > 198.51.100.7
  tcp 198.51.100.7:443 > 203.0.113.254:4000 flags R. seq 1001 from wan
  udp 192.0.2.1:5000 > 198.51.100.7:53 len 3000 fragment 2/3
  proto 47 192.0.2.1 > 198.51.100.7
Packets behind a ; come one after the other: \"answer\" is what whoever received the one before would send back, @1 is the
source that packet 1 left with, and \"after 301s\" before a packet lets time pass. TCP without flags is a SYN.")]
pub(crate) struct Explain {
    /// What the box works by: a blob, or the TOML it is made from.
    configuration: PathBuf,
    /// One packet or several; see below.
    packets: String,
    /// The largest packet that the lan carries, in bytes.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    lan_mtu: u16,
    /// The largest packet that the wan carries, in bytes.
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u16).range(576..))]
    wan_mtu: u16,
    /// Decides everything that looks random, such as external ports. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
    /// Print for machines: one JSON object a line, every packet's answer and its steps.
    #[arg(long)]
    json: bool,
    /// Print no colours, which are only for terminals anyway.
    #[arg(long)]
    no_color: bool,
}

/// Asks, and prints the answers.
pub(crate) fn explain(options: &Explain) -> Result<bool, Failure> {
    let config = configuration::read(&options.configuration)?;
    let mtu = [options.lan_mtu, options.wan_mtu];
    let answers = explain::explain(&config, mtu, options.seed.0, &options.packets).map_err(Failure::Input)?;
    let text = if options.json {
        explain::json::lines(&answers)
    } else {
        explain::report(&answers, super::palette(options.no_color))
    };
    super::print(&text)?;
    Ok(true)
}
