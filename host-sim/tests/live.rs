#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! Scenarios in real time, over Unix sockets: around our own router in this process, around a QEMU, and around peers that
//! do not behave. What is expected must come out as it does in virtual time.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use host_sim::live::{Lines, Meeting, Role, Stay, stand_in};
use host_sim::report::Palette;
use host_sim::scenario::{Foreign, Outcome, Scenario, foreign, play, play_live, read, shipped};
use host_sim::{Time, json, ladder};

/// Two sockets, and their other ends.
fn lines() -> (Lines, [UnixStream; 2]) {
    let [lan, wan] = [(); 2].map(|()| UnixStream::pair().unwrap());
    let ours = Lines::over([("lan".to_owned(), lan.0), ("wan".to_owned(), wan.0)]).unwrap();
    (ours, [lan.1, wan.1])
}

/// A scenario that comes with the simulator, until `end`.
fn scenario(name: &str, end: Duration) -> (Scenario, Foreign) {
    let mut scenario = shipped(name).unwrap().unwrap();
    scenario.end = Time::ZERO + end;
    let foreign = foreign(&scenario, None).unwrap();
    (scenario, foreign)
}

/// Plays around our own router, which works on other ends of the lines.
fn played_around_ours(scenario: &Scenario, foreign: &Foreign) -> (Outcome, Stay) {
    let (mut ours, [lan, wan]) = lines();
    let theirs = Lines::over([("lan".to_owned(), lan), ("wan".to_owned(), wan)]).unwrap();
    let config = foreign.config.clone();
    let boxed = thread::spawn(move || stand_in(&config, 1, theirs));
    ours.find(foreign.addresses(), Duration::from_secs(10)).unwrap();
    let outcome = play_live(scenario, 1, foreign, ours);
    (outcome, boxed.join().unwrap())
}

/// What a run says of each line that expects something, without the times; what nobody could look at is left out.
fn said(outcome: &Outcome, without: &Outcome) -> Vec<(usize, String, bool)> {
    let mut said: Vec<_> = outcome
        .checks
        .iter()
        .filter(|check| without.unseen.iter().all(|unseen| unseen.line != check.line))
        .map(|check| (check.line, check.what.clone(), check.held))
        .collect();
    said.sort();
    said
}

#[track_caller]
fn assert_comes_out_alike(live: &Outcome, scenario: &Scenario) {
    let run = play(scenario, 1);
    assert!(live.passed() && run.passed(), "{:?}\n{:?}", live.checks, live.broken);
    assert_eq!(said(live, live), said(&run, live));
    assert_eq!(live.checks.len() + live.unseen.len(), run.checks.len());
}

#[test]
fn a_scenario_comes_out_live_as_it_does_in_virtual_time() {
    let (scenario, foreign) = scenario("first", Duration::from_millis(2_200));

    let (outcome, stay) = played_around_ours(&scenario, &foreign);

    assert_comes_out_alike(&outcome, &scenario);
    assert_eq!(outcome.unseen.len(), 1);
    assert_eq!(outcome.unseen[0].what, "box's wan filtered: 1");
    assert!(stay.summary.contains("dropped 1 (filtered)"), "{}", stay.summary);
    assert!(stay.end.to_string().ends_with("the peer has left"));
    // What came to the box and what left it is one packet.
    let shown = ladder::ladder(&outcome.sightings, 60, &Palette::PLAIN);
    let request = shown.lines().find(|line| line.contains("192.0.2.1.5000 > 203.0.113.1.53")).unwrap();
    assert!(request.contains("udp 21 ──────────────▶  203.0.113.254."), "{shown}");
    let lines = json::lines(&outcome);
    assert!(
        lines.contains("{\"kind\":\"unseen\",\"line\":57,\"what\":\"box's wan filtered: 1\"}"),
        "{lines}"
    );
    assert!(lines.contains("{\"kind\":\"line\",\"name\":\"box.lan\",\"sent\":"), "{lines}");
}

#[test]
fn connections_both_ways_come_out_live_as_they_do_in_virtual_time() {
    let (scenario, foreign) = scenario("reference-network", Duration::from_millis(6_300));

    let (outcome, stay) = played_around_ours(&scenario, &foreign);

    assert_comes_out_alike(&outcome, &scenario);
    assert_eq!(outcome.unseen.len(), 1);
    assert!(stay.summary.starts_with("sessions 3 "), "{}", stay.summary);
    assert!(outcome.lines.iter().all(|(_, tally)| tally.lost == 0 && tally.received > 5));
}

#[test]
fn what_a_scenario_does_to_the_box_itself_is_refused_by_its_line() {
    let refused = |name: &str| foreign(&shipped(name).unwrap().unwrap(), None).unwrap_err();

    let address = refused("address-change");
    let forward = refused("forward-removed");
    let several = refused("double-nat");

    assert!(address.starts_with("address-change: box is not ours to change: the step in line "), "{address}");
    assert!(address.contains("gives it the address "), "{address}");
    assert!(forward.contains("takes the forward \""), "{forward}");
    assert_eq!(
        several,
        "double-nat has several routers; `sekisho-sim live` can be told which one, by --router: inner, outer"
    );
    let double = shipped("double-nat").unwrap().unwrap();
    assert!(foreign(&double, Some("outer")).is_ok());
    assert!(foreign(&double, Some("world")).unwrap_err().contains("choose one of inner, outer"));
    let wraps = foreign(&shipped("clock-wrap").unwrap().unwrap(), None).unwrap();
    assert!(wraps.notes.iter().any(|note| note.contains("clock")), "{:?}", wraps.notes);
}

#[test]
fn a_box_that_leaves_ends_the_run_and_is_named() {
    let (scenario, foreign) = scenario("first", Duration::from_secs(600));
    let (ours, [mut lan, wan]) = lines();
    let peer = thread::spawn(move || {
        let mut length = [0; 4];
        lan.read_exact(&mut length).unwrap();
        drop((lan, wan));
        u32::from_be_bytes(length)
    });

    let outcome = play_live(&scenario, 1, &foreign, ours);

    assert_eq!(peer.join().unwrap(), 42, "ARP for the gateway is the first frame");
    let broken = outcome.broken.as_deref().unwrap();
    assert!(["lan", "wan"].map(|side| format!("{side}: the peer has left")).contains(&broken.to_owned()));
    assert!(!outcome.passed() && outcome.end < scenario.end);
    assert!(json::lines(&outcome).contains("\"passed\":false,\"broken\":\""));
}

#[test]
fn a_peer_that_sends_no_frames_ends_the_run_and_short_ones_do_not() {
    let (scenario, foreign) = scenario("first", Duration::from_secs(600));
    let (ours, [mut lan, mut wan]) = lines();
    // A frame of a byte, none at all, and half a header; then something else altogether.
    wan.write_all(&[0, 0, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3]).unwrap();
    lan.write_all(b"\0\0\0\0hello").unwrap();

    let outcome = play_live(&scenario, 1, &foreign, ours);

    let broken = outcome.broken.as_deref().unwrap();
    assert!(broken.starts_with("lan: the peer sends 1751477356 as the length of a frame"), "{broken}");
    let tallies: Vec<_> = outcome.lines.iter().map(|(_, it)| (it.received, it.empty, it.nonsense)).collect();
    assert_eq!(tallies[0], (0, 1, 1));
    assert!(tallies[1] == (2, 1, 0) || tallies[1] == (0, 0, 0), "{tallies:?}");
}

/// What QEMU's user network answers for on both sides.
const BEHIND_QEMU: &str = r#"
[[host]]
name = "inside"
address = "10.0.2.77/24"

[[host]]
name = "outside"
address = "10.0.3.77/24"

[[router]]
name = "box"
lan.address = "10.0.2.2/24"
wan.address = "10.0.3.2/24"

[[link]]
ends = ["inside", "box.lan"]

[[link]]
ends = ["box.wan", "outside"]

[[step]]
host = "inside"
ping = "10.0.2.2"
count = 3
every = "100ms"

[[step]]
at = "0s"
host = "outside"
ping = "10.0.3.2"
"#;

#[test]
fn qemu_understands_our_frames_and_we_understand_its() {
    if Command::new("qemu-system-x86_64").arg("--version").output().is_err() {
        eprintln!("NOT RUN: qemu_understands_our_frames_and_we_understand_its: needs qemu-system-x86_64");
        return;
    }
    let mut scenario = read(BEHIND_QEMU, "qemu", "qemu.toml", &|_: &str| Err(String::new())).unwrap();
    scenario.end = Time::ZERO + Duration::from_secs(1);
    let foreign = foreign(&scenario, None).unwrap();
    let paths = ["lan", "wan"]
        .map(|side| std::env::temp_dir().join(format!("sekisho-qemu-{side}-{}.sock", std::process::id())));
    let meeting = Meeting::open([&paths[0], &paths[1]], Role::Listen).unwrap();
    let qemu = qemu(&paths.each_ref().map(|path| path.to_str().unwrap()));

    let mut lines = meeting.wait(Duration::from_secs(30)).unwrap();
    lines.find(foreign.addresses(), Duration::from_secs(30)).unwrap();
    let outcome = play_live(&scenario, 1, &foreign, lines);
    drop(qemu);

    assert!(outcome.passed(), "{:?}\n{:?}", outcome.checks, outcome.broken);
    assert_eq!(outcome.checks.len(), 4);
}

/// A QEMU that ends with us.
struct Qemu(Child);

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A machine without anything, but with two hubs, each of which joins a network of QEMU's own to a socket.
fn qemu(paths: &[&str; 2]) -> Qemu {
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-machine", "none", "-nodefaults", "-nographic", "-monitor", "none"]);
    for (hub, path) in paths.iter().enumerate() {
        command.args(["-netdev", &format!("user,id=user{hub},net=10.0.{}.0/24", hub + 2)]);
        command
            .args(["-netdev", &format!("stream,id=stream{hub},server=off,addr.type=unix,addr.path={path}")]);
        for end in ["user", "stream"] {
            command.args(["-netdev", &format!("hubport,id={end}port{hub},hubid={hub},netdev={end}{hub}")]);
        }
    }
    Qemu(command.stdin(Stdio::null()).spawn().unwrap())
}
