//! The command that plays random networks on all cores.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use host_sim::report::Palette;
use host_sim::scenario::{Scenario, play, show};
use host_sim::swarm::{shrink, try_seed};
use host_sim::{Seed, ladder, pcapng};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, print};

/// How many packets of a failure are printed: the last, which are the nearest to it.
const PACKETS: usize = 24;

#[derive(Args)]
pub(crate) struct Swarm {
    /// How many networks, each of a seed of its own.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed; the others follow it. A number, or a commit's hash.
    #[arg(long, default_value_t = Seed(1))]
    from: Seed,
    /// Stop after so many seconds, wherever it is by then.
    #[arg(long)]
    seconds: Option<u64>,
    /// How many at a time; as many as there are processors if not said.
    #[arg(long)]
    threads: Option<usize>,
    /// Where to write a failure: its scenario, made smaller, and its capture.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    output: PathBuf,
    /// Write a failure as it was found, not made smaller.
    #[arg(long)]
    whole: bool,
}

thread_local! {
    /// The seed that this thread is at, for whoever has to tell of a panic.
    static AT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Plays them. Returns whether all passed.
pub(crate) fn swarm(options: &Swarm) -> Result<bool, Failure> {
    let threads =
        options.threads.or_else(|| thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let Swarm { seeds, from, seconds, .. } = options;
    let limit = seconds.map_or("no limit of time".to_owned(), |seconds| format!("at most {seconds} s"));
    print(&format!("swarm: {seeds} seeds from {from}, {threads} threads, {limit}\n"))?;
    tell_the_seed_of_a_panic();
    let begun = Instant::now();
    let (played, failed) = hunt(options, threads, begun);
    let took = begun.elapsed();
    match failed {
        None => {
            print(&format!("ok: {played} networks in {:.1} s, none failed\n", took.as_secs_f64()))?;
            Ok(true)
        }
        Some((seed, scenario, fault)) => {
            print(&format!("FAILED: seed {} after {played} networks: {fault}\n", Seed(seed)))?;
            report(options, seed, &scenario)?;
            Ok(false)
        }
    }
}

type Found = (u64, Scenario, &'static str);

/// Plays until one fails. How many were played, and the one that failed.
fn hunt(options: &Swarm, threads: usize, begun: Instant) -> (u64, Option<Found>) {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let limit = options.seconds.map(Duration::from_secs);
    let bar = progress(options.seeds);
    let (sender, found) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..threads {
            let (next, stop, bar, sender) = (&next, &stop, &bar, sender.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && limit.is_none_or(|limit| begun.elapsed() < limit) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        return;
                    }
                    let seed = options.from.0.wrapping_add(number);
                    AT.set(Some(seed));
                    if let Some((scenario, fault)) = try_seed(seed) {
                        stop.store(true, Ordering::Relaxed);
                        // Whoever looks takes the first.
                        let _ = sender.send((seed, scenario, fault));
                    }
                    bar.inc(1);
                }
            });
        }
    });
    drop(sender);
    let played = bar.position();
    bar.finish_and_clear();
    // Of several that failed at the same time the lowest, so that it is always the same.
    (played, found.into_iter().min_by_key(|(seed, ..)| *seed))
}

/// On a terminal only; indicatif sees to that.
fn progress(seeds: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {per_sec} {eta}");
    let bar = ProgressBar::new(seeds);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Makes a failure smaller, writes it down, and says how to see it again.
fn report(options: &Swarm, seed: u64, scenario: &Scenario) -> Result<(), Failure> {
    let smaller = if options.whole { scenario.clone() } else { shrink(scenario, seed) };
    let outcome = play(&smaller, seed);
    let base = options.output.join(&scenario.name);
    let (file, capture) = (base.with_extension("toml"), base.with_extension("pcapng"));
    for (path, bytes) in
        [(&file, show(&smaller).into_bytes()), (&capture, pcapng::capture(&outcome.sightings))]
    {
        super::write(path, &bytes)?;
    }
    let mut text =
        ladder::ladder_until(&outcome.sightings, first_trouble(&outcome), PACKETS, &Palette::PLAIN);
    for violation in &outcome.violations {
        text += &format!("violation: {violation}\n");
    }
    for check in outcome.checks.iter().filter(|check| !check.held) {
        text += &format!("not so: at {}: {}\n", check.at, check.what);
    }
    let seed = Seed(seed);
    text += &format!("{} steps of {}: {}\n", smaller.steps.len(), scenario.steps.len(), file.display());
    text += &format!("capture: {}\n", capture.display());
    text += &format!("again: sekisho-sim run {} --seed {seed}\n", file.display());
    text += &format!("or as it was found: sekisho-sim swarm --seeds 1 --from {seed}\n");
    print(&text)
}

fn first_trouble(outcome: &host_sim::scenario::Outcome) -> host_sim::Time {
    let violation = outcome.violations.first().map(|violation| violation.at);
    let check = outcome.checks.iter().find(|check| !check.held).map(|check| check.at);
    violation.or(check).unwrap_or(outcome.end)
}

/// A panic ends the program; before that, its seed is told.
fn tell_the_seed_of_a_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(seed) = AT.get() {
            // There is nobody left to tell if even this fails.
            let _ = writeln!(io::stderr(), "again: sekisho-sim swarm --seeds 1 --from {}", Seed(seed));
        }
    }));
}
