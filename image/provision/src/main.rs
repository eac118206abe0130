#![forbid(unsafe_code)]
//! The provisioning tool: `provision compile`, `show`, `check`, `import`, `keygen`, `sign` and `verify`; `top`, `status` and so on
//! for a box that runs.
//!
//! Exit codes: 0 success; 1 the operation failed (a file cannot be read or written, or with `--strict` something could
//! not be imported); 2 the command line or the input is wrong; 141 whoever read what is printed reads no more. What was asked for goes to stdout, everything else to stderr.

mod keys;

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use config::{Config, Error, InterfaceAddress, InterfaceName};

use provision::import::{Format, Known, Source};
use provision::operate::command::{Operation, Where, operate};
use provision::{Failure, files};

/// Turns a readable router configuration into the blob that a Sekisho box boots from, and back; operates a box that runs.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = OPERATE)]
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
        /// The blob, signed or bare; - for standard input.
        blob: PathBuf,
    },
    /// Check a configuration, and print what a box with it can hold. Writes nothing.
    Check {
        /// The configuration, TOML or a blob, signed or bare; - for standard input.
        source: PathBuf,
    },
    /// Make a TOML configuration of another firewall's rules, and tell what became of each of them.
    ///
    /// Reads what iptables-save, iptables -L, nft list ruleset, nft -j list ruleset and sysctl -a print. Which it is,
    /// each file shows by itself.
    Import(Import),
    /// Make a secret for a control channel, or a key to sign configurations with, and print what goes into a configuration.
    Keygen(keys::Keygen),
    /// Sign a blob, for boxes that take no other.
    Sign(keys::Sign),
    /// Say whether a blob is signed by whom it should be. Whether it is newer than another, a box says.
    Verify(keys::Verify),
    #[command(flatten)]
    Operate(Operation),
}

#[derive(Args)]
struct Import {
    /// The files; - for standard input.
    #[arg(required = true)]
    sources: Vec<PathBuf>,
    /// Where to write the configuration; without it, to standard output.
    #[arg(short, long, value_name = "TOML")]
    output: Option<PathBuf>,
    /// The notation of all files, if they do not show it.
    #[arg(long, value_parser = format)]
    format: Option<Format>,
    /// The interface towards the rest of the world.
    #[arg(long, value_name = "NAME", value_parser = interface)]
    wan_interface: Option<InterfaceName>,
    /// The interface towards the hosts inside.
    #[arg(long, value_name = "NAME", value_parser = interface)]
    lan_interface: Option<InterfaceName>,
    /// The box's address outside, with the length of its prefix.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = interface_address)]
    wan_address: Option<InterfaceAddress>,
    /// The box's address inside, with the length of its prefix.
    #[arg(long, value_name = "ADDRESS/LENGTH", value_parser = interface_address)]
    lan_address: Option<InterfaceAddress>,
    /// The next router outside.
    #[arg(long, value_name = "ADDRESS")]
    gateway: Option<Ipv4Addr>,
    /// End with status 1 if anything has no counterpart.
    #[arg(long)]
    strict: bool,
}

/// What is to be said of the commands that speak with a box.
const OPERATE: &str =
    "The commands from top on speak with a box that runs, at --to, under the secret in the file --key.";

/// What a file is to be that is compiled.
const CONFIGURATION: &str = "a router's TOML configuration";

fn main() -> ExitCode {
    let (command, at) = parse();
    let outcome = match command {
        Command::Compile { source, output } => compile(&source, &output),
        Command::Show { blob } => show(&blob),
        Command::Check { source } => check(&source),
        Command::Import(arguments) => import(&arguments),
        Command::Operate(operation) => operate(&at, &operation, &mut files::print),
        Command::Keygen(arguments) => keys::keygen(&arguments),
        Command::Sign(arguments) => keys::sign(&arguments),
        Command::Verify(arguments) => keys::verify(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure @ Failure::Unread) => ExitCode::from(failure.exit_code()),
        Err(failure) => {
            // There is nobody left to tell if even this fails.
            let _ = writeln!(io::stderr(), "{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// What is to be done, and, if it is done with a box that runs, with which one.
fn parse() -> (Command, Where) {
    let which = Where::augment_args(clap::Command::default());
    let with_box = |command: clap::Command| match Operation::has_subcommand(command.get_name()) {
        true => command.args(which.get_arguments()),
        false => command,
    };
    let matches = CommandLine::command().mut_subcommands(with_box).get_matches();
    let read = || {
        let command = CommandLine::from_arg_matches(&matches)?.command;
        let at = match (&command, matches.subcommand()) {
            (Command::Operate(_), Some((_, matches))) => Where::from_arg_matches(matches)?,
            _ => Where::default(),
        };
        Ok((command, at))
    };
    read().unwrap_or_else(|error: clap::Error| error.exit())
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
    files::write(output, &blob, config.control().is_some())?;
    let contract = provision::contract(&config);
    let summary = format!("{}: {} bytes\n{contract}", files::name(output, "<stdout>"), blob.len());
    if files::is_stream(output) {
        return files::explain(&summary);
    }
    files::print(&summary)
}

fn show(blob: &Path) -> Result<(), Failure> {
    let bytes = files::read_blob(blob)?;
    let name = files::name(blob, "<stdin>");
    let (opened, config) = keys::read(&name, &bytes)?;
    let seal =
        opened.seal.map_or_else(String::new, |seal| format!("# Signed, sequence {}.\n", seal.sequence));
    files::print(&format!("{seal}{}", provision::show(&config)))
}

fn check(source: &Path) -> Result<(), Failure> {
    let name = files::name(source, "<stdin>");
    let bytes = files::read_all(source, CONFIGURATION)?;
    let (config, seal) = if keys::is_blob(&bytes) {
        let (opened, config) = keys::read(&name, &bytes)?;
        (config, keys::seal(&opened))
    } else {
        (compile_text(&name, bytes)?, String::new())
    };
    files::print(&format!("{name}: ok{seal}\n{}", provision::contract(&config)))
}

fn import(arguments: &Import) -> Result<(), Failure> {
    let Import { sources, output, format, wan_interface, lan_interface, .. } = arguments;
    let mut read = Vec::new();
    for path in sources {
        let text = files::read_text(path, "a firewall's rules, or settings of the kernel")?;
        read.push(Source { name: files::name(path, "<stdin>"), text });
    }
    let known = Known {
        format: *format,
        wan_interface: wan_interface.clone(),
        lan_interface: lan_interface.clone(),
        wan_address: arguments.wan_address,
        lan_address: arguments.lan_address,
        gateway: arguments.gateway,
    };
    let imported = provision::import::import(&read, &known)?;
    files::explain(&imported.report)?;
    let toml = imported.toml.map_err(Failure::Input)?;
    match output {
        Some(path) if sources.iter().any(|source| files::is_same(source, path)) => {
            let name = path.display();
            return Err(Failure::Input(format!(
                "{name}: is read from; name another file for the configuration"
            )));
        }
        Some(path) => files::write(path, toml.as_bytes(), false)?,
        None => files::print(&toml)?,
    }
    match imported.without_counterpart {
        count if arguments.strict && count > 0 => {
            Err(Failure::Operation(format!("{count} without a counterpart")))
        }
        _ => Ok(()),
    }
}

fn format(text: &str) -> Result<Format, String> {
    let known = Format::ALL.map(Format::name);
    let found = Format::ALL.into_iter().find(|format| format.name() == text);
    found.ok_or_else(|| format!("choose one of {}", known.join(", ")))
}

fn interface(text: &str) -> Result<InterfaceName, String> {
    InterfaceName::new(text).map_err(|problem| problem.to_string())
}

fn interface_address(text: &str) -> Result<InterfaceAddress, String> {
    let not_one = "write it like 192.0.2.254/24";
    let (address, len) = text.split_once('/').ok_or(not_one)?;
    let (address, len) = (address.parse().map_err(|_| not_one)?, len.parse().map_err(|_| not_one)?);
    InterfaceAddress::new(address, len).map_err(|problem| problem.to_string())
}

fn read_config(source: &Path) -> Result<Config, Failure> {
    compile_text(&files::name(source, "<stdin>"), files::read_all(source, CONFIGURATION)?)
}

fn compile_text(name: &str, bytes: Vec<u8>) -> Result<Config, Failure> {
    let text = files::text(name, bytes, CONFIGURATION)?;
    provision::compile(&text, name).map_err(|report| Failure::Input(report.to_string()))
}

/// What one can do about a blob that is refused.
fn way_out(error: Error) -> &'static str {
    match error {
        Error::WrongMagic => "give a file that provision compile wrote",
        Error::UnsupportedVersion(_) => "use the provision of the release that wrote it",
        _ => "compile it again from its TOML",
    }
}
