//! The command that plays a scenario in real time around a box that is somewhere else, and the one that is such a box.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use host_sim::live::{Fault, Lines, Meeting, Role, Stay, stand_in};
use host_sim::scenario::{foreign, play_live};
use host_sim::{Seed, demo::DEFAULT_SEED};
use router::Side;

use super::{Failure, Shown, configuration};

/// The two sockets.
#[derive(Args)]
struct Sockets {
    /// The Unix socket of the box's lan side.
    #[arg(long, value_name = "SOCKET")]
    lan: PathBuf,
    /// The Unix socket of its wan side.
    #[arg(long, value_name = "SOCKET")]
    wan: PathBuf,
    /// Go to the sockets, at which somebody listens; otherwise wait there for whoever comes.
    #[arg(long)]
    connect: bool,
    /// How many seconds whoever is to be at the other end may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

#[derive(Args)]
#[command(after_help = "\
A frame travels as in QEMU's -netdev stream, after its length in 4 bytes, big endian. A QEMU that is to be the box:
  qemu-system-x86_64 … \\
    -netdev stream,id=lan,server=off,addr.type=unix,addr.path=lan.sock -device virtio-net-pci,netdev=lan \\
    -netdev stream,id=wan,server=off,addr.type=unix,addr.path=wan.sock -device virtio-net-pci,netdev=wan")]
pub(crate) struct Live {
    /// A scenario: a TOML file, or the name of one that comes with the simulator.
    scenario: String,
    #[command(flatten)]
    sockets: Sockets,
    /// Which of the scenario's routers the box is, where there are several.
    #[arg(long, value_name = "NAME")]
    router: Option<String>,
    /// Begin at once, without waiting until the box answers for its addresses.
    #[arg(long)]
    at_once: bool,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Args)]
pub(crate) struct StandIn {
    /// What the box works by: a blob, or the TOML it is made from.
    configuration: PathBuf,
    #[command(flatten)]
    sockets: Sockets,
    /// Decides everything that looks random. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
}

/// Plays, and prints what came of it. Returns whether all that could be looked at was as it had to be.
pub(crate) fn live(options: &Live) -> Result<bool, Failure> {
    let scenario = super::find(&options.scenario)?;
    let foreign = foreign(&scenario, options.router.as_deref()).map_err(Failure::Input)?;
    for note in &foreign.notes {
        tell(&format!("note: {note}; see to it yourself"));
    }
    let mut lines = options.sockets.meet()?;
    let own = foreign.addresses();
    if !options.at_once {
        tell(&format!("waiting until {} answers for {} and {}", foreign.router, own[0], own[1]));
        lines.find(own, options.sockets.limit()).map_err(Failure::Operation)?;
    }
    tell(&format!("playing {} for {} s", scenario.name, scenario.end));
    let outcome = play_live(&scenario, options.shown.seed.0, &foreign, lines);
    options.shown.show(&outcome)
}

/// Is a box until somebody leaves, and prints its counters.
pub(crate) fn be_box(options: &StandIn) -> Result<bool, Failure> {
    let config = configuration::read(&options.configuration)?;
    let lines = options.sockets.meet()?;
    let (lan, wan) = (config.lan().address(), config.wan().address());
    tell(&format!("ready lan={lan} wan={wan}"));
    let Stay { end, summary, tallies } = stand_in(&config, options.seed.0, lines);
    let lines = Side::ALL.map(|side| format!("{side} line: {}\n", tallies[side as usize]));
    super::print(&format!("{summary}{}", lines.concat()))?;
    match end.fault {
        Fault::Left => {
            tell(&end.to_string());
            Ok(true)
        }
        _ => Err(Failure::Operation(end.to_string())),
    }
}

impl Sockets {
    fn limit(&self) -> Duration {
        Duration::from_secs(self.wait)
    }

    /// The lines, once somebody is at the other end of both.
    fn meet(&self) -> Result<Lines, Failure> {
        let paths: [&Path; 2] = [&self.lan, &self.wan];
        if self.lan == self.wan {
            let message = format!("{}: one socket cannot be both sides; name two", self.lan.display());
            return Err(Failure::Input(message));
        }
        let role = if self.connect { Role::Connect } else { Role::Listen };
        let meeting = Meeting::open(paths, role).map_err(Failure::Operation)?;
        let how = if self.connect { "for somebody to listen" } else { "for somebody to come" };
        let [lan, wan] = paths.map(Path::display);
        tell(&format!("waiting {how} at {lan} (lan) and {wan} (wan), at most {} s", self.wait));
        meeting.wait(self.limit()).map_err(Failure::Operation)
    }
}

/// Says how far it is. What the command is asked for goes to stdout alone.
fn tell(text: &str) {
    // There is nobody to tell if this fails, and the rest goes on all the same.
    let _ = writeln!(io::stderr(), "{text}");
}
