//! The engine beside the oracle: sequences of steps, found by chance and shrunk (proptest), and every one there is up
//! to a depth (`small_scope`).
//!
//! `SEKISHO_CASES` says with how many scripts each property is tried, `SEKISHO_SEED` with which; `tests/deep` tries
//! millions of packets.

mod rules;
mod sequences;
mod small_scope;
mod steps;
mod tally;
mod world;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use napt::policy::Rule;
use napt::{ByProtocol, Dependence, Endpoint, Forward, Forwards, Protocols, Settings, Shares, Tables};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use sekisho_tests::{ALICE, DAVE, Host, OUTSIDE, range};

use self::steps::{Script, script};
use self::tally::Tally;
use self::world::World;

#[test]
fn v5_v6_x02_an_engine_of_8_does_what_the_oracle_says() {
    agree::<8>(2_000);
}

#[test]
fn v5_v6_an_engine_of_256_does_what_the_oracle_says() {
    agree::<256>(1_000);
}

fn agree<const N: usize>(cases: u32) {
    let (cases, seed) = (variable("SEKISHO_CASES", cases), variable("SEKISHO_SEED", 1));
    let config =
        Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..Config::default() };
    let tally = Tally::default();
    let outcome = TestRunner::new(config).run(&(plan(), script()), |(plan, script)| {
        follow::<N>(&plan, &script, &tally).map_err(TestCaseError::fail)
    });
    match outcome {
        Err(TestError::Fail(_, (plan, script))) => {
            let fails = |script: &Script| follow::<N>(&plan, script, &Tally::default());
            let script = shorten(script, |script| fails(script).is_err());
            panic!("{plan:?}{script:?}\n{}", fails(&script).unwrap_err());
        }
        other => other.unwrap(),
    }
    println!("{cases} scripts, {}", tally.summary());
    assert!(tally.unmet().is_empty(), "never met: {:?}", tally.unmet());
}

/// What an environment variable says.
fn variable<T: FromStr<Err: fmt::Debug>>(name: &str, default: T) -> T {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}

/// Leaves out steps, one by one, as long as it still fails: what a step picks depends on those before, so that
/// after others have become simple more of them can go.
fn shorten(mut script: Script, fails: impl Fn(&Script) -> bool) -> Script {
    let mut n = 0;
    while n < script.0.len() {
        let mut shorter = script.clone();
        shorter.0.remove(n);
        n += 1;
        if fails(&shorter) {
            (script, n) = (shorter, 0);
        }
    }
    script
}

/// Carries out a script.
fn follow<const N: usize>(plan: &Plan, script: &Script, tally: &Tally) -> Result<(), String> {
    let mut tables = Box::new(Tables::<N>::new());
    let mut world = World::new(&mut tables, plan, tally);
    script.0.iter().try_for_each(|step| world.take(step)).map_err(|error| format!("{}{error}", world.story()))
}

/// The behaviours of mapping and of filtering.
const ALL: [Dependence; 3] = [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort];

/// What is chosen of the settings.
#[derive(Clone, Debug)]
struct Plan {
    mapping: ByProtocol,
    filtering: ByProtocol,
    ports: (u16, u16),
    preserve: bool,
    cooldown: u64,
    forwards: usize,
    shares: Shares,
    rules: Vec<Rule>,
    /// Whether other protocols are translated, and segment sizes clamped.
    more: bool,
    /// Whether the engine is woken whenever it asks to be, or never.
    woken: bool,
}

impl Plan {
    /// With the same behaviours for every protocol, a pool of a port or two, and all of the tables for anybody.
    fn plain(mapping: Dependence, filtering: Dependence, ports: (u16, u16)) -> Self {
        Self {
            mapping: mapping.into(),
            filtering: filtering.into(),
            ports,
            preserve: false,
            cooldown: 120,
            forwards: 0,
            shares: Shares { guaranteed: Some(u32::MAX), ..Shares::default() },
            rules: vec![],
            more: true,
            woken: true,
        }
    }

    fn settings(&self) -> Settings {
        let mut settings = Settings::new(OUTSIDE.0);
        (settings.mapping, settings.filtering) = (self.mapping, self.filtering);
        (settings.ports, settings.preserve_ports) = (range(self.ports.0, self.ports.1), self.preserve);
        (settings.other_protocols, settings.clamp_segment_size) = (self.more, self.more);
        settings.shares = self.shares;
        settings.timers.port_cooldown = Duration::from_secs(self.cooldown);
        // Timers that differ, so that no other can be taken for them.
        settings.timers.tcp_closing = Duration::from_secs(270);
        settings.external_mtu = 1_496;
        settings.forwards = forwarding(self.forwards);
        settings.policy = rules::of(&self.rules);
        settings
    }
}

/// Every behaviour, over pools from two ports to many.
fn plan() -> impl Strategy<Value = Plan> {
    let cooldown = proptest::sample::select(&[0, 120_u64][..]);
    let bits = (proptest::bool::weighted(0.3), proptest::bool::weighted(0.9), proptest::bool::weighted(0.9));
    (behaviour(), behaviour(), ports(), cooldown, 0..forwards().len(), shares(), rules::policy(), bits)
        .prop_map(
            |(mapping, filtering, ports, cooldown, forwards, shares, rules, (preserve, more, woken))| Plan {
                mapping,
                filtering,
                ports,
                preserve,
                cooldown,
                forwards,
                shares,
                rules,
                more,
                woken,
            },
        )
}

/// Pools of ports: narrow ones, in both classes, and wide ones.
fn ports() -> impl Strategy<Value = (u16, u16)> {
    const POOLS: [(u16, u16); 5] = [(2000, 2001), (1020, 1027), (2000, 2005), (900, 2000), (900, 2000)];
    proptest::sample::select(&POOLS[..])
}

/// Mostly the same for all protocols.
fn behaviour() -> impl Strategy<Value = ByProtocol> {
    let any = || proptest::sample::select(&ALL[..]);
    let each = (any(), any(), any()).prop_map(|(tcp, udp, icmp)| ByProtocol { tcp, udp, icmp });
    prop_oneof![2 => any().prop_map(ByProtocol::from), 1 => each]
}

/// The defaults, none at all, and narrow ones.
fn shares() -> impl Strategy<Value = Shares> {
    let none = Shares {
        each_host: None,
        guaranteed: Some(u32::MAX),
        half_open_each_source: Some(u32::MAX),
        half_open_each_forward: Some(u32::MAX),
    };
    let narrow = Shares {
        each_host: Some(5),
        guaranteed: Some(1),
        half_open_each_source: Some(2),
        half_open_each_forward: Some(3),
    };
    prop_oneof![Just(Shares::default()), Just(none), Just(narrow)]
}

/// The forwards with this number.
fn forwarding(number: usize) -> Forwards {
    let mut all = Forwards::default();
    forwards().swap_remove(number).into_iter().for_each(|forward| all.push(forward).unwrap());
    all
}

/// None; one; one whose ports lie in the pools; two that lead to the same endpoint.
fn forwards() -> Vec<Vec<Forward>> {
    let forward = |protocols, first, last, host: Host, port| Forward {
        protocols,
        external: range(first, last),
        internal: Endpoint::new(host.0, port),
    };
    let web = forward(Protocols::Both, 3000, 3000, ALICE, 80);
    let ports = forward(Protocols::Udp, 2000, 2001, DAVE, 5000);
    let again = forward(Protocols::Both, 3001, 3001, ALICE, 80);
    vec![vec![], vec![web], vec![web, ports], vec![web, again]]
}
