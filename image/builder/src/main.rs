#![forbid(unsafe_code)]
//! The image tool: `sekisho-image` with `build`, `boot`, `flash`, `config` and `kernel`.
//!
//! Exit codes: 0 success; 1 the operation failed, or a scenario did not come out as it had to; 2 the command line or the input
//! is wrong. What was asked for goes to stdout, everything else to stderr.

mod cli;
mod files;
mod progress;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, boots and writes the image of a Sekisho box.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build an image for a board, and print what it weighs.
    Build(cli::build::Build),
    /// Boot an image in QEMU, by default among simulated hosts, and print what came of them.
    Boot(cli::boot::Boot),
    /// Write an image to a disk, read it back and compare.
    Flash(cli::flash::Flash),
    /// Replace the configuration on an image or a disk, or say what is there.
    Config(cli::config::Config),
    /// Build the tiny kernel for a board, which build --tiny then has at hand, and print what it weighs.
    Kernel(cli::kernel::Kernel),
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Build(build) => cli::build::build(&build),
        Command::Boot(boot) => cli::boot::boot(&boot),
        Command::Flash(flash) => cli::flash::flash(&flash),
        Command::Config(config) => cli::config::config(&config),
        Command::Kernel(kernel) => cli::kernel::kernel(&kernel),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            files::tell(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}
