#![forbid(unsafe_code)]
//! The simulator's command line.
//!
//! Exit codes: 0 everything expected was seen; 1 it was not, or it could not be printed; 2 the command line is wrong.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use clap::{Args, Parser, Subcommand};
use host_sim::demo::{self, DEFAULT_SEED};
use host_sim::report::{Palette, report};

/// Runs a Sekisho box among simulated hosts, in virtual time, without privileges.
#[derive(Parser)]
#[command(name = "sekisho-sim", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: Demo,
}

#[derive(Subcommand)]
enum Command {
    /// Show a ping, a masqueraded connection and a port forward on the reference network (also without a command).
    Demo(Demo),
}

#[derive(Args)]
struct Demo {
    /// Decides everything that looks random: the same seed prints the same.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Print no colours, which are only for terminals anyway.
    #[arg(long)]
    no_color: bool,
}

fn main() -> ExitCode {
    let CommandLine { command, demo } = CommandLine::parse();
    let outcome = match command {
        None => show(&demo),
        Some(Command::Demo(demo)) => show(&demo),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // There is nobody left to tell if even this fails.
            let _ = writeln!(io::stderr(), "<stdout>: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the demonstration and prints it. Returns whether it passed.
fn show(options: &Demo) -> io::Result<bool> {
    let demo = demo::run(options.seed);
    let mut stdout = io::stdout().lock();
    let plain = options.no_color || AutoStream::choice(&stdout) == ColorChoice::Never;
    let palette = if plain { Palette::PLAIN } else { Palette::COLOURS };
    stdout.write_all(report(&demo, &palette).as_bytes())?;
    stdout.flush()?;
    Ok(demo.passed())
}
