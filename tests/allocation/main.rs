#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! Nothing is allocated once engine and router have been made.
//!
//! A binary of its own, because it brings an allocator that counts. Packets and frames lie ready before the count
//! begins; what is counted is everything from there on: translating, answering, expiring, and the test's own loop.

mod traffic;

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use napt::{DropReason, Engine, Forward, Instant, Protocols, RejectReason, Settings, Tables};
use router::{Link, Router, Side};
use sekisho_tests::{ALICE, OUTSIDE, range};
use static_cell::ConstStaticCell;
use traffic::{Bench, Links, packets};

/// Few enough to be full now and then.
const SESSIONS: usize = 16_384;

static ENGINE: ConstStaticCell<Tables<SESSIONS>> = ConstStaticCell::new(Tables::new());
static ROUTER: ConstStaticCell<Tables<SESSIONS>> = ConstStaticCell::new(Tables::new());

const START: Instant = Instant::from_millis(1_000_000);
const PACKETS: u64 = 10_000_000;
const FRAMES: u64 = 500_000;

/// Longer than every timer but that of established connections.
const PAUSE: Duration = Duration::from_secs(400);

#[test]
fn an_allocation_would_be_seen() {
    assert_eq!(measure(|| drop(black_box(Box::new(1)))).count_total, 1);
}

#[test]
fn ten_million_packets_through_the_engine_allocate_nothing() {
    let mut bench = Bench::new(Engine::new(ENGINE.take(), settings(), &[7; 32]), START);
    let traffic = packets();

    let allocated = measure(|| {
        while bench.translated() < PACKETS {
            traffic.iter().for_each(|(from, bytes)| bench.exchange(*from, bytes));
            bench.pause(PAUSE);
        }
    });

    assert_eq!(allocated.count_total, 0);
    let [inside, outside] = bench.counters();
    assert!(inside.forwarded > PACKETS / 4 && outside.forwarded > PACKETS / 8, "{inside:?} {outside:?}");
    assert!(outside.local > 0);
    let no_room = [RejectReason::TableFull, RejectReason::HostShare];
    assert!(no_room.iter().any(|reason| inside.rejected[reason.index()] > 0), "{inside:?}");
    assert!(inside.rejected[RejectReason::TtlExpired.index()] > 0);
    let garbage =
        [DropReason::HeaderChecksum, DropReason::Version, DropReason::TotalLength, DropReason::Transport];
    let strays =
        [DropReason::NoMapping, DropReason::Filtered, DropReason::EmbeddedNoSession, DropReason::Protocol];
    for reason in garbage.into_iter().chain(strays) {
        assert!(inside.dropped[reason.index()] + outside.dropped[reason.index()] > 0, "{reason:?}");
    }
}

#[test]
fn frames_through_the_router_allocate_nothing() {
    let config =
        provision::compile(include_str!("../../image/provision/examples/reference.toml"), "x").unwrap();
    let link = |side: Side| Link { hardware: [2, 0, 0, 0, 0, side as u8], mtu: 1500 };
    let mut router =
        Box::new(Router::new(ROUTER.take(), &config, link(Side::Lan), link(Side::Wan), &[7; 32]));
    let mut links = Links::new(START);
    let traffic = packets();

    let allocated = measure(|| {
        while links.received() < FRAMES {
            traffic.iter().for_each(|(from, bytes)| links.exchange(&mut router, *from, bytes));
            links.pause(&mut router, PAUSE);
        }
    });

    assert_eq!(allocated.count_total, 0);
    let summary = router.summary();
    assert!(Side::ALL.iter().all(|side| summary.adds_up(*side)), "{summary}");
    let sum =
        |count: fn(&router::Counters) -> u64| summary.router.iter().map(|side| count(side)).sum::<u64>();
    assert!(sum(|side| side.forwarded) > FRAMES / 4 && sum(|side| side.arp) > 0, "{summary}");
    assert!(links.heard() > 0, "the router spoke for itself");
}

fn settings() -> Settings {
    let mut settings = Settings::new(OUTSIDE.0);
    let internal = napt::Endpoint::new(ALICE.0, 54321);
    let web = Forward { protocols: Protocols::Both, external: range(54321, 54321), internal };
    settings.forwards.push(web).unwrap();
    settings
}
