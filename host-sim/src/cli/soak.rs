//! The command that lets a household live for days, and looks whether it takes more and more memory.

use std::fs;
use std::time::Instant;

use clap::Args;
use host_sim::household::{Doings, Footprint, Household, MOST};
use host_sim::{Tables, Time};

use super::{Failure, print};

/// The hour after which everything has come to its measure: the longest timer of the box is two hours and four minutes.
const SETTLED: u64 = 3;

/// How much more memory later hours may take: a twentieth, and what an allocator keeps for itself.
const PARTS: u64 = 20;
const SLACK: u64 = 4 << 20;

#[derive(Args)]
pub(crate) struct Soak {
    /// How many hours.
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// How many hosts.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=MOST as u64))]
    hosts: u64,
    /// Have every checker watch the router.
    #[arg(long)]
    checkers: bool,
}

/// Lives, and prints what it takes, hour by hour. Returns whether memory stayed as it was and all went well.
pub(crate) fn soak(options: &Soak) -> Result<bool, Failure> {
    let hosts = options.hosts as usize;
    let mut tables = Tables::new(Household::size(hosts));
    let mut household = Household::new(&mut tables, hosts, true, options.checkers);
    print(&format!("{hosts} hosts for {} hours\n", options.hours))?;
    let begun = Instant::now();
    let mut settled = None;
    let mut most = None;
    for hour in 1..=options.hours {
        household.run_to(Time::from_secs(hour * 3_600));
        let memory = memory();
        if hour == SETTLED {
            settled = memory;
        }
        most = most.max(memory.filter(|_| hour > SETTLED));
        print(&line(hour, &household, memory))?;
    }
    let Doings { kept, names, visits, missed } = household.doings();
    let took = begun.elapsed().as_secs_f64();
    print(&format!(
        "kept alive {kept} times, {names} names, {visits} visits, {missed} missed, {} violations, in {took:.0} s\n",
        household.violations()
    ))?;
    let flat = settled.zip(most).is_none_or(|(settled, most)| most <= settled + settled / PARTS + SLACK);
    let well = missed == 0 && household.violations() == 0;
    print(match (flat, well) {
        (true, true) => "ok\n",
        (false, _) => "FAILED: memory grows\n",
        (true, false) => "FAILED: not all went well\n",
    })?;
    Ok(flat && well)
}

fn line(hour: u64, household: &Household<'_>, memory: Option<u64>) -> String {
    let Footprint { events, sockets, kept, seen, sessions, mappings } = household.footprint();
    let memory =
        memory.map_or("unknown".to_owned(), |bytes| format!("{:.1} MiB", bytes as f64 / 1_048_576.0));
    format!(
        "{hour:3} h: {} packets, {sessions} sessions, {mappings} mappings, {sockets} sockets, {events} events to come, {} frames \
         and bytes kept, memory {memory}\n",
        household.forwarded(),
        kept + seen
    )
}

/// What this program takes of the machine's memory, in bytes, where the system says.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024)
}
