#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! A household takes no more memory in the second half of an hour than in the first, and all that its hosts ask for is
//! answered.
//!
//! A binary of its own, because it brings an allocator that counts.

use allocation_counter::measure;
use host_sim::household::{Footprint, Household};
use host_sim::{Tables, Time};

const HOSTS: usize = 50;

/// What each visit and each question would leave behind, were it kept, is many times this by the end.
const SLACK: i64 = 64 * 1024;

/// A TCP socket's buffers both ways, and what there is to it besides.
const SOCKET: i64 = 2 * 44 * 1460;

#[test]
fn the_second_half_of_an_hour_takes_no_more_memory_than_the_first() {
    let mut tables = Tables::new(Household::size(HOSTS));
    let mut household = Household::new(&mut tables, HOSTS, true, false);
    let mut live = 0;
    let mut minutes = Vec::new();
    for minute in 1..=60 {
        live += measure(|| household.run_to(Time::from_secs(60 * minute))).bytes_current;
        let footprint = household.footprint();
        minutes.push((live, footprint));
        assert_bounded(footprint);
    }

    // Those who are on a visit at that moment have two sockets for it.
    let beside_sockets = |(live, footprint): &(i64, Footprint)| live - SOCKET * footprint.sockets as i64;
    let most = |half: &[(i64, Footprint)]| half.iter().map(beside_sockets).max().unwrap();
    let (first, second) = (most(&minutes[10..30]), most(&minutes[40..60]));
    assert!(second <= first + SLACK, "{first} bytes and then {second}\n{minutes:?}");
}

#[track_caller]
fn assert_bounded(footprint: Footprint) {
    let Footprint { events, sockets, kept, seen, .. } = footprint;
    // At rest a host has a connection and a mapping, and at the server one; five servers have two ports by TCP and two by UDP.
    let at_rest = 3 * HOSTS + 5 * 4;
    assert!(sockets <= at_rest + 2 * HOSTS, "{footprint:?}");
    assert!(events <= 4 * HOSTS && seen == 0, "{footprint:?}");
    assert!(kept <= HOSTS * 5_000, "{footprint:?}");
}

#[test]
fn everything_that_is_asked_for_is_answered_and_no_checker_complains() {
    let mut tables = Tables::new(Household::size(HOSTS));
    let mut household = Household::new(&mut tables, HOSTS, true, true);

    household.run_to(Time::from_secs(1_800));

    let doings = household.doings();
    assert_eq!((doings.missed, household.violations()), (0, 0), "{doings:?}");
    assert!(doings.kept > 80 * HOSTS as u64 && doings.names > 5 * HOSTS as u64, "{doings:?}");
    assert!(doings.visits >= doings.names - HOSTS as u64, "{doings:?}");
}
