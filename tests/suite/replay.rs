//! Captures played to a box (`sekisho-sim replay`): what the simulator has captured on its own routers, and captures made
//! worse. The same router with the same configuration lets the same packets through; another one is told apart.

use std::process::Command;

use config::Config;
use host_sim::capture::Capture;
use host_sim::packet::Draft;
use host_sim::pcapng;
use host_sim::replay::{Difference, Plan, Replay, replay, report};
use host_sim::report::Palette;
use host_sim::scenario::{play, shipped};
use host_sim::specimen::Outcome;
use host_sim::{Sighting, Time, Way};
use napt::{DropReason, TcpState};
use router::Side;

const REFERENCE: &str = include_str!("../../image/provision/examples/reference.toml");
const PLAN: Plan = Plan { names: [None, None], mtu: [1500, 1500], seed: 1 };

fn config(text: &str) -> Config {
    provision::compile(text, "router.toml").unwrap_or_else(|report| panic!("{report}"))
}

/// What a shipped scenario's router saw.
fn captured(scenario: &str) -> Vec<Sighting> {
    play(&shipped(scenario).unwrap().unwrap(), 1).sightings
}

fn read(sightings: &[Sighting]) -> Capture {
    Capture::read(&pcapng::capture(sightings), "run").unwrap()
}

#[track_caller]
fn replayed(sightings: &[Sighting], configuration: &str) -> Replay {
    replay(&read(sightings), &config(configuration), &PLAN).unwrap()
}

fn differences(replay: &Replay) -> Vec<(Difference, Outcome)> {
    replay.played.iter().filter_map(|it| Some((it.difference()?, it.event.outcome))).collect()
}

/// An old capture of one interface with bare packets, a second apart.
fn bare(packets: &[&str]) -> Vec<u8> {
    let mut file = [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    for (second, text) in packets.iter().enumerate() {
        let bytes = Draft::read(text).unwrap().bytes();
        let len = bytes.len() as u32;
        file.extend([second as u32, 0, len, len].map(u32::to_le_bytes).concat());
        file.extend(bytes);
    }
    file
}

#[test]
fn rfc4787_req1_what_left_a_router_leaves_one_that_works_alike_through_other_ports() {
    for scenario in ["reference-network", "first", "off-path"] {
        let sightings = captured(scenario);
        let replay = replayed(&sightings, REFERENCE);

        assert_eq!(differences(&replay), [], "{scenario}");
        let came = |it: &&Sighting| it.way == Way::In;
        assert_eq!(replay.played.len(), sightings.iter().filter(came).count());
        assert!(replay.notes.is_empty(), "{:?}", replay.notes);
        let left = replay.played.iter().filter(|it| it.left_there == Some(true)).count();
        assert!(left > 0 && replay.passed());
    }
}

#[test]
fn c01_a_connection_that_was_captured_is_established_in_ours() {
    let replay = replayed(&captured("reference-network"), REFERENCE);

    let states: Vec<_> = replay.tables.sessions.iter().filter_map(|it| it.state).collect();
    assert_eq!(states, [TcpState::Established; 2]);
}

#[test]
fn a_forward_that_is_missing_shows_as_packets_that_are_dropped_only_here() {
    let without = REFERENCE.split("[[forward]]").next().unwrap();

    let replay = replayed(&captured("reference-network"), without);

    let dropped = (Difference::DroppedHere, Outcome::Dropped(DropReason::NoMapping));
    assert!(differences(&replay).contains(&dropped), "{:?}", differences(&replay));
    assert!(!replay.passed());
    let printed = report(&replay, 100, &Palette::PLAIN);
    assert!(printed.contains("left the router of the capture, and not ours\n"), "{printed}");
    assert!(
        printed.contains("wan  1 × no mapping") || printed.contains("× no mapping: nobody inside"),
        "{printed}"
    );
}

#[test]
fn rfc4787_req8_a_filter_that_is_wider_shows_as_packets_that_were_dropped_only_there() {
    let open = REFERENCE.replace("\"address-dependent\"", "\"endpoint-independent\"");

    let replay = replayed(&captured("first"), &open);

    assert_eq!(differences(&replay), [(Difference::DroppedThere, Outcome::Forwarded)]);
    assert!(replay.passed());
}

#[test]
fn one_side_alone_is_played_and_said_to_be_alone() {
    for (side, says) in [(".lan", "the lan's side alone"), (".wan", "the wan's side alone")] {
        let sightings: Vec<_> =
            captured("reference-network").into_iter().filter(|it| it.tap.ends_with(side)).collect();

        let replay = replayed(&sightings, REFERENCE);

        assert!(replay.notes.iter().any(|note| note.contains(says)), "{:?}", replay.notes);
        assert!(replay.played.iter().all(|it| it.left_there.is_none()));
        // The wan's side has the connection through the forward begin.
        assert!(replay.played.iter().any(|it| it.event.outcome == Outcome::Forwarded), "{side}");
    }
}

#[test]
fn bare_packets_of_two_files_are_played_in_the_order_of_their_times() {
    let lan = Capture::read(&bare(&["udp 192.0.2.1:5000 > 198.51.100.7:53 len 3"]), "lan").unwrap();
    let wan = Capture::read(
        &bare(&[
            "udp 203.0.113.254:1234 > 198.51.100.7:53 len 3 ttl 63",
            "udp 198.51.100.7:53 > 203.0.113.254:1234 len 5",
            "udp 198.51.100.9:53 > 203.0.113.254:1234 len 5",
        ]),
        "wan",
    );

    let replay = replay(&Capture::join(vec![wan.unwrap(), lan]), &config(REFERENCE), &PLAN).unwrap();

    let outcomes: Vec<_> = replay.played.iter().map(|it| (it.side, it.event.outcome)).collect();
    let filtered = Outcome::Dropped(DropReason::Filtered);
    assert_eq!(
        outcomes,
        [(Side::Lan, Outcome::Forwarded), (Side::Wan, Outcome::Forwarded), (Side::Wan, filtered)]
    );
}

#[test]
fn large_segments_that_the_capturing_kernel_had_put_together_pass() {
    let text = "tcp 192.0.2.1:5000 > 198.51.100.7:80 flags . seq 1 ack 1 len 4000 df";
    let lan = Capture::read(&bare(&[text]), "lan").unwrap();

    let replay = replay(&lan, &config(REFERENCE), &PLAN).unwrap();

    assert_eq!(replay.played[0].event.outcome, Outcome::Forwarded);
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let one = Capture::read(&bare(&["udp 198.51.100.7:53 > 10.9.9.9:1234"]), "eth7").unwrap();
    let named = |wan: &str| Plan { names: [None, Some(wan.to_owned())], ..PLAN };

    let unknown = replay(&one, &config(REFERENCE), &PLAN).unwrap_err();
    let wrong = replay(&one, &config(REFERENCE), &named("eth8")).unwrap_err();
    let other = replay(&one, &config(REFERENCE), &named("eth7")).unwrap();

    assert!(unknown.contains("has the interfaces \"eth7\"; say which is which with --lan or --wan"));
    assert!(wrong.contains("has no interface \"eth8\"; it has \"eth7\""));
    assert!(
        other.notes.iter().any(|note| note.contains("nothing came to 203.0.113.254")),
        "{:?}",
        other.notes
    );
}

#[test]
fn t12_time_passes_as_the_capture_says() {
    let mut sightings = captured("first");
    let late = |it: &mut Sighting| it.at = Time::from_micros(it.at.micros() + 301_000_000);
    // The answer comes when the session has ended.
    sightings.iter_mut().filter(|it| it.at > Time::from_micros(1_005_000)).for_each(late);

    let replay = replayed(&sightings, REFERENCE);

    assert_eq!(replay.tables.sessions, []);
    assert!(differences(&replay).iter().all(|(which, _)| *which == Difference::DroppedHere));
    assert!(!replay.passed());
}

#[test]
fn what_we_capture_tshark_reads_with_names_and_verdicts() {
    let sightings = captured("off-path");
    let replay = replayed(&sightings, REFERENCE);
    let installed = Command::new("tshark").arg("--version").output().is_ok();
    if !installed {
        eprintln!("NOT RUN: what_we_capture_tshark_reads_with_names_and_verdicts: needs tshark");
        return;
    }
    for (name, bytes) in [("run", pcapng::capture(&sightings)), ("replay", replay.capture())] {
        let file = std::env::temp_dir().join(format!("sekisho-{name}-{}.pcapng", std::process::id()));
        std::fs::write(&file, &bytes).unwrap();
        let fields = ["frame.interface_name", "frame.comment", "_ws.malformed", "ip.src"];
        let output = Command::new("tshark")
            .args(["-n", "-r", file.to_str().unwrap(), "-T", "fields"])
            .args(fields.iter().flat_map(|field| ["-e", field]))
            .output()
            .unwrap();
        std::fs::remove_file(file).unwrap();

        let complaints = String::from_utf8(output.stderr).unwrap();
        let complaints: Vec<_> =
            complaints.lines().filter(|line| !line.contains("as user \"root\"")).collect();
        assert!(output.status.success() && complaints.is_empty(), "{complaints:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let packets = Capture::read(&bytes, name).unwrap().packets.len();
        assert_eq!(lines.lines().count(), packets);
        assert!(lines.lines().all(|line| line.starts_with("box.lan\t") || line.starts_with("box.wan\t")));
        assert!(lines.contains("box.wan\tdropped: out of window\t\t203.0.113.1"), "{name}");
        assert!(lines.contains("\tforwarded\t\t"), "{name}");
    }
}
