#![forbid(unsafe_code)]
//! The simulator's command line.
//!
//! Exit codes: 0 everything expected was seen; 1 it was not, or it could not be printed; 2 the command line is wrong.

mod cli;

use std::io::{self, Write as _};
use std::num::NonZeroU16;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use cli::Failure;
use host_sim::demo::{self, DEFAULT_SEED};
use host_sim::household::{Doings, Household};
use host_sim::report::report;
use host_sim::speed::Course;
use host_sim::{Seed, Size, Tables, Time};

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
    /// Play a scenario and say whether all came out as it must; without one, list those that come with the simulator.
    Run(cli::Run),
    /// Play a scenario in real time, around a box at the other end of two Unix sockets: a booted image, say.
    Live(cli::live::Live),
    /// Be the box at the other end of two Unix sockets, in real time.
    Box(cli::live::StandIn),
    /// Say what a box would do with a packet, and why.
    Explain(cli::explain::Explain),
    /// Play a capture of a router's lan, wan or both to a box, and say what it makes of it.
    Replay(cli::replay::Replay),
    /// Play random networks in which random things happen, and check every frame.
    Swarm(cli::Swarm),
    /// Let a household live for days of virtual time, and see whether it takes more and more memory.
    Soak(cli::soak::Soak),
    /// Print how many packets a second the simulated network carries, and how fast time passes in an idle home.
    Bench(Bench),
    /// Show a ping, a masqueraded connection and a port forward on the reference network (also without a command).
    Demo(Demo),
}

/// What an idle home is: hosts, and for how long.
const IDLE_HOSTS: usize = 10;
const IDLE: Time = Time::from_secs(24 * 3_600);

#[derive(Args)]
struct Bench {
    /// How many packets are sent.
    #[arg(long, default_value_t = 2_000_000)]
    packets: u32,
    /// How many flows they belong to.
    #[arg(long, default_value = "500")]
    flows: NonZeroU16,
    /// Have every checker watch the router.
    #[arg(long)]
    checkers: bool,
}

#[derive(Args)]
struct Demo {
    /// Decides everything that looks random: the same seed prints the same. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
    /// Print no colours, which are only for terminals anyway.
    #[arg(long)]
    no_color: bool,
}

fn main() -> ExitCode {
    let CommandLine { command, demo } = CommandLine::parse();
    let outcome = match command {
        None => show(&demo),
        Some(Command::Run(run)) => cli::run(&run),
        Some(Command::Live(live)) => cli::live::live(&live),
        Some(Command::Box(stand_in)) => cli::live::be_box(&stand_in),
        Some(Command::Explain(explain)) => cli::explain::explain(&explain),
        Some(Command::Replay(replay)) => cli::replay::replay(&replay),
        Some(Command::Swarm(swarm)) => cli::swarm(&swarm),
        Some(Command::Soak(soak)) => cli::soak::soak(&soak),
        Some(Command::Bench(bench)) => measure(&bench),
        Some(Command::Demo(demo)) => show(&demo),
    };
    let failure = match outcome {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => return ExitCode::FAILURE,
        Err(failure) => failure,
    };
    // There is nobody left to tell if even this fails.
    let _ = writeln!(io::stderr(), "{failure}");
    ExitCode::from(failure.exit_code())
}

/// Plays the demonstration and prints it. Returns whether it passed.
fn show(options: &Demo) -> Result<bool, Failure> {
    let demo = demo::run(options.seed.0);
    cli::print(&report(&demo, cli::palette(options.no_color)))?;
    Ok(demo.passed())
}

/// Measures and prints. Returns whether all that was sent has arrived.
fn measure(options: &Bench) -> Result<bool, Failure> {
    let mut tables = Tables::new(Size::Home);
    let mut course = Course::new(&mut tables, options.flows, options.packets, options.checkers);
    let begun = Instant::now();
    let arrived = course.run();
    let took = begun.elapsed();
    let rate = arrived as f64 / took.as_secs_f64();
    cli::print(&format!("{arrived} packets routed in {:.3} s: {rate:.0} a second\n", took.as_secs_f64()))?;
    let idle = measure_idle_home(options)?;
    Ok(arrived == u64::from(options.packets) && course.violations() == 0 && idle)
}

/// Measures how much faster than real time a home is in which nobody is. Returns whether all went well there.
fn measure_idle_home(options: &Bench) -> Result<bool, Failure> {
    let mut tables = Tables::new(Household::size(IDLE_HOSTS));
    let mut home = Household::new(&mut tables, IDLE_HOSTS, false, options.checkers);
    let begun = Instant::now();
    home.run_to(IDLE);
    let took = begun.elapsed().as_secs_f64();
    let times = IDLE.micros() as f64 / 1e6 / took;
    let Doings { kept, names, missed, .. } = home.doings();
    cli::print(&format!(
        "an idle day of {IDLE_HOSTS} hosts in {took:.3} s: {times:.0} times real time; kept alive {kept} times, {names} names, \
         {missed} missed\n"
    ))?;
    Ok(missed == 0 && home.violations() == 0)
}
