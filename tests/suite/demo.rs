//! The simulator's demonstration, seen from outside: what it shows, that it always shows the same, and that it would
//! notice if what it shows were wrong.
//!
//! With `UPDATE_GOLDEN=1` the golden is rewritten instead of compared, and the test fails: see `provision`.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use host_sim::demo::{self, DEFAULT_SEED, Demo};
use host_sim::report::{Palette, WIDTH, report};
use host_sim::{Ends, LAN_HOST, Sighting, WAN_HOST, Way, crossings, private_on_wan};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/demo/reference.txt");
const BOX: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 254);

/// Where the masquerade and the forward are among the scenes.
const MASQUERADE: usize = 2;
const FORWARD: usize = 3;

#[test]
fn the_demo_prints_what_is_recorded() {
    let printed = plain(&demo::run(DEFAULT_SEED));

    let expected = fs::read_to_string(GOLDEN).unwrap_or_default();
    if printed != expected && std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(Path::new(GOLDEN).parent().unwrap()).unwrap();
        fs::write(GOLDEN, &printed).unwrap();
        panic!("{GOLDEN}: rewritten");
    }
    assert!(printed == expected, "{GOLDEN}\n--- expected\n{expected}\n--- actual\n{printed}");
}

#[test]
fn a_seed_decides_everything() {
    let [once, again, other] = [7, 7, 8].map(|seed| plain(&demo::run(seed)));

    assert_eq!(once, again);
    assert_ne!(once.replace("seed 7", ""), other.replace("seed 8", ""));
}

#[test]
fn the_demo_passes_and_fits_whatever_the_seed() {
    for seed in (0..32).chain([u64::MAX]) {
        let demo = demo::run(seed);
        let printed = plain(&demo);
        assert!(demo.passed(), "{printed}");
        let widest = printed.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= WIDTH), "{widest:?} columns with seed {seed}");
    }
}

#[test]
fn a_masqueraded_connection_has_its_source_rewritten_and_rewritten_back() {
    let demo = demo::run(DEFAULT_SEED);
    let crossings = ends(&demo, MASQUERADE);

    let Some((first, rewritten)) = crossings.first() else { panic!("nothing crossed") };
    assert_eq!((first.from, first.destination()), (LAN_HOST, (WAN_HOST, Some(80))));
    assert_eq!((rewritten.from, rewritten.destination()), (BOX, (WAN_HOST, Some(80))));
    assert_ne!(first.source(), rewritten.source());
    let (internal, external) = (first.source(), rewritten.source());
    for (before, after) in crossings {
        match before.from {
            LAN_HOST => assert_eq!((before.source(), after.source()), (internal, external)),
            _ => assert_eq!((before.destination(), after.destination()), (external, internal)),
        }
    }
}

#[test]
fn a_forwarded_connection_has_its_destination_rewritten_and_rewritten_back() {
    let demo = demo::run(DEFAULT_SEED);
    let (external, internal) = ((BOX, Some(54_321)), (LAN_HOST, Some(54_321)));

    let crossings = ends(&demo, FORWARD);

    assert_eq!(crossings.first().map(|(before, _)| before.from), Some(WAN_HOST));
    for (before, after) in crossings {
        match before.from {
            WAN_HOST => {
                assert_eq!((before.destination(), after.destination()), (external, internal));
                assert_eq!(before.source(), after.source());
            }
            _ => {
                assert_eq!((before.source(), after.source()), (internal, external));
                assert_eq!(before.destination(), after.destination());
            }
        }
    }
}

#[test]
fn both_lines_of_a_packet_stand_one_above_the_other() {
    let printed = plain(&demo::run(DEFAULT_SEED));

    let mut lines = printed.lines();
    let lan = lines.find(|line| line.contains("lan  192.0.2.1.") && line.contains("[S]")).unwrap();
    let wan = lines.next().unwrap();

    assert!(wan.starts_with("          wan  203.0.113.254."), "{wan}");
    let rest = |line: &str| line.split_once(" > ").unwrap().1.to_owned();
    assert_eq!(rest(lan), rest(wan));
}

#[test]
fn only_what_was_rewritten_stands_out() {
    let demo = demo::run(DEFAULT_SEED);
    let yellow = Palette { rewritten: Palette::COLOURS.rewritten, ..Palette::PLAIN };

    let coloured = report(&demo, &yellow);

    let mark = yellow.rewritten.render().to_string();
    let stands_out = |line: &&str| line.contains(&mark);
    let marked: Vec<_> = coloured.lines().filter(stands_out).collect();
    assert_eq!(marked.len(), 2 * all_crossings(&demo));
    for line in marked {
        let marks = line.matches(&mark).count();
        // One end of every packet, and the identifier of a ping.
        assert_eq!(marks, if line.contains("ICMP") { 2 } else { 1 }, "{line:?}");
    }
}

#[test]
fn no_private_address_is_seen_on_the_wan() {
    for seed in 0..8 {
        let demo = demo::run(seed);
        for scene in &demo.scenes {
            assert_eq!(private_on_wan(&scene.sightings, demo.config.lan().address()), None);
        }
    }
}

#[test]
fn a_private_address_on_the_wan_would_be_noticed() {
    let demo = demo::run(DEFAULT_SEED);
    let private = demo.config.lan().address();
    let lan = |sighting: &&Sighting| &*sighting.tap == "lan" && sighting.way == Way::In;
    for scene in &demo.scenes[1..] {
        for sighting in scene.sightings.iter().filter(lan) {
            let leaked = [Sighting { tap: "wan".into(), ..sighting.clone() }];
            assert_eq!(private_on_wan(&leaked, private), Some(&leaked[0]));
        }
    }
}

#[test]
fn a_check_that_does_not_hold_fails_the_demo_and_is_named() {
    let mut demo = demo::run(DEFAULT_SEED);
    demo.checks[3].held = false;

    let printed = plain(&demo);

    assert!(!demo.passed());
    assert!(printed.contains(&format!("not so: {}\n", demo.checks[3].what)), "{printed}");
    assert!(printed.contains("FAILED: "), "{printed}");
}

fn plain(demo: &Demo) -> String {
    report(demo, &Palette::PLAIN)
}

/// Who the packets of a scene that crossed the box were from and to, before and after.
fn ends(demo: &Demo, scene: usize) -> Vec<(Ends, Ends)> {
    crossings(&demo.scenes[scene].sightings)
        .map(|crossing| (Ends::of(&crossing.before.frame).unwrap(), Ends::of(&crossing.after.frame).unwrap()))
        .collect()
}

fn all_crossings(demo: &Demo) -> usize {
    demo.scenes.iter().map(|scene| crossings(&scene.sightings).count()).sum()
}
