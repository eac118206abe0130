#![forbid(unsafe_code)]
//! The provisioning tool: `provision compile`, `provision show`, `provision check`.
//!
//! Exit codes: 0 success; 1 the operation failed (a file cannot be read or written); 2 the command line or the
//! input is wrong. What was asked for goes to stdout, everything else to stderr.

mod files;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use config::{Config, Error};

use provision::Failure;

/// Turns a readable router configuration into the blob that a Sekisho box boots from, and back.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compile a TOML configuration to a blob, and print what a box with it can hold.
    Compile {
        /// The configuration; - for standard input.
        source: PathBuf,
        /// Where to write the blob; - for standard output.
        #[arg(short, long, value_name = "BLOB")]
        output: PathBuf,
    },
    /// Print a blob as TOML: every setting, always in the same order.
    Show {
        /// The blob; - for standard input.
        blob: PathBuf,
    },
    /// Check a TOML configuration, and print what a box with it can hold. Writes nothing.
    Check {
        /// The configuration; - for standard input.
        source: PathBuf,
    },
}

fn main() -> ExitCode {
    let outcome = match CommandLine::parse().command {
        Command::Compile { source, output } => compile(&source, &output),
        Command::Show { blob } => show(&blob),
        Command::Check { source } => check(&source),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // There is nobody left to tell if even this fails.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

fn compile(source: &Path, output: &Path) -> Result<(), Failure> {
    let config = read_config(source)?;
    if files::is_same(source, output) {
        let name = output.display();
        return Err(Failure::Input(format!(
            "{name}: is the configuration itself; name another file for the blob"
        )));
    }
    let blob = provision::blob(&config);
    files::write_blob(output, &blob)?;
    let contract = provision::contract(&config);
    let summary = format!("{}: {} bytes\n{contract}", files::name(output, "<stdout>"), blob.len());
    if files::is_stream(output) {
        return files::explain(&summary);
    }
    files::print(&summary)
}

fn show(blob: &Path) -> Result<(), Failure> {
    let bytes = files::read_blob(blob)?;
    let config = Config::decode(&bytes).map_err(|error| {
        Failure::Input(format!("{}: {error}; {}", files::name(blob, "<stdin>"), way_out(error)))
    })?;
    files::print(&provision::show(&config))
}

fn check(source: &Path) -> Result<(), Failure> {
    let config = read_config(source)?;
    let contract = provision::contract(&config);
    files::print(&format!("{}: ok\n{contract}", files::name(source, "<stdin>")))
}

fn read_config(source: &Path) -> Result<Config, Failure> {
    let text = files::read_text(source)?;
    provision::compile(&text, &files::name(source, "<stdin>"))
        .map_err(|report| Failure::Input(report.to_string()))
}

/// What one can do about a blob that is refused.
fn way_out(error: Error) -> &'static str {
    match error {
        Error::WrongMagic => "give a file that provision compile wrote",
        Error::UnsupportedVersion(_) => "use the provision of the release that wrote it",
        _ => "compile it again from its TOML",
    }
}
