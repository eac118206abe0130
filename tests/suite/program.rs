//! The program as a process: how it starts, stops, sleeps, and what it survives. Root only, as `reference_network`.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustix::process::Signal;
use sekisho_tests::netns::{self, CONFIGURATION, Network, Running, available, program, tcpdump};
use sekisho_tests::{ALICE, BOB, OUTSIDE, Packet, frame_for, tcp, udp};

/// Asserts that in the last summary among `lines` the frames of `side` are all accounted for.
#[track_caller]
pub(crate) fn assert_adds_up(side: &str, lines: &[String]) {
    let prefix = format!("{side} received ");
    let start = lines.iter().rposition(|line| line.contains(&prefix)).expect("a summary");
    let numbers =
        |line: &str| -> Vec<u64> { line.split([' ', '(']).filter_map(|word| word.parse().ok()).collect() };
    let head = numbers(&lines[start]);
    let reasons = lines[start + 1..].iter().take_while(|line| line.contains(&format!("{side}   + ")));
    let refused: u64 = reasons.map(|line| numbers(line)[0]).sum();
    assert_eq!(head[0], head[1..].iter().sum::<u64>() + refused, "{lines:#?}");
}

#[test]
fn each_signal_to_stop_ends_the_program_with_status_0_and_a_summary() {
    if !available() {
        return;
    }
    let network = Network::new();
    for signal in [Signal::INT, Signal::TERM] {
        let (status, lines) = network.start().end(signal);
        assert_eq!(status, Some(0));
        assert_adds_up("lan", &lines);
        assert_adds_up("wan", &lines);
    }
}

#[test]
fn sigusr1_prints_the_summary_and_the_program_goes_on() {
    if !available() {
        return;
    }
    let network = Network::new();
    let router = network.start();
    network.lan.run("ping -n -c 1 203.0.113.1");
    router.signal(Signal::USR1);
    router.wait_for("sessions 1 ");
    router.wait_for("wan received");
    network.lan.run("ping -n -c 1 203.0.113.1");
    assert_eq!(router.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_link_that_goes_down_and_comes_back_is_survived_and_reported() {
    if !available() {
        return;
    }
    let network = Network::new();
    let router = network.start();
    network.lan.run("ping -n -c 1 203.0.113.1");
    for link in ["gw0", "gw1"] {
        network.router.ip(&format!("link set {link} down"));
        router.wait_for(&format!("{link}: link down"));
        network.router.ip(&format!("link set {link} up"));
        let works = || network.lan.output("ping -n -c 1 -W 1 203.0.113.1").status.success();
        assert!(netns::until(works), "{:#?}", router.lines());
        router.wait_for(&format!("{link}: link up"));
    }
    assert_eq!(router.end(Signal::TERM).0, Some(0));
}

#[test]
fn an_interface_that_is_replaced_is_taken_again() {
    if !available() {
        return;
    }
    let network = Network::new();
    let router = network.start();
    network.lan.run("ping -n -c 1 203.0.113.1");
    network.router.ip("link del gw1");
    router.wait_for("gw1: link down");
    netns::connect(&network.wan, "wan0", &network.router, "gw1");
    network.wan.ip("addr add 203.0.113.1/24 dev wan0");
    let works = || network.lan.output("ping -n -c 1 -W 1 203.0.113.1").status.success();
    assert!(netns::until(works), "{:#?}", router.lines());
    assert_eq!(router.end(Signal::TERM).0, Some(0));
}

#[test]
fn two_names_of_one_interface_are_refused() {
    if !available() {
        return;
    }
    let network = Network::new();
    network.router.ip("link property add dev gw0 altname same");
    let configuration = CONFIGURATION.replace("\"gw1\"", "\"same\"");
    let (status, lines) = Running::start(&mut network.sekisho(&configuration)).finish();
    assert_eq!(status, Some(2));
    assert!(lines.iter().any(|line| line.contains("two names of one interface")), "{lines:#?}");
}

#[test]
fn an_idle_box_sleeps() {
    if !available() {
        return;
    }
    let network = Network::new();
    let router = network.start();
    network.lan.run("ping -n -c 1 203.0.113.1");
    // With a session, it wakes about once a second to see whether that has ended; without, never.
    let wakes = || -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", router.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().last().unwrap().parse().unwrap()
    };
    let before = wakes();
    std::thread::sleep(Duration::from_secs(3));
    let woken = wakes() - before;
    assert!(woken < 100, "woken {woken} times in about three seconds");
    assert_eq!(router.end(Signal::TERM).0, Some(0));
}

#[test]
fn nothing_is_allocated_while_a_million_packets_pass() {
    if !available() || netns::which("strace").is_none() {
        return;
    }
    // Given the program under strace, which tells of every call that could give it memory, and of the ready line ...
    let network = Network::new();
    let (plain, trace) = (network.sekisho(CONFIGURATION), network.file("strace"));
    let mut traced = network.router.command("strace -f --seccomp-bpf -e trace=brk,mmap,mremap,write");
    traced.arg("-o").arg(&trace).args(plain.get_args().skip(3));
    let router = Running::start(&mut traced);
    router.wait_for("ready ");
    // ... when a million datagrams have been sent through it both ways ...
    let sink = network.wan.within(|| UdpSocket::bind("203.0.113.1:7000").unwrap()).join().unwrap();
    let inside = network.lan.within(|| UdpSocket::bind("192.0.2.1:5353").unwrap()).join().unwrap();
    let pid = fs::read_to_string(format!("/proc/{0}/task/{0}/children", router.id())).unwrap();
    let forwarded = || {
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
            Signal::USR1,
        )
        .unwrap();
        std::thread::sleep(Duration::from_millis(200));
        let lines = router.lines();
        let last = |side: &str| {
            let head = format!("{side} received ");
            let line = lines.iter().rev().find(|line| line.contains(&head)).cloned().unwrap_or_default();
            line.split("forwarded ")
                .nth(1)
                .and_then(|rest| rest.split(' ').next()?.parse().ok())
                .unwrap_or(0_u64)
        };
        last("lan") + last("wan")
    };
    while forwarded() < 1_000_000 {
        for _ in 0..50_000 {
            inside.send_to(&[1; 64], "203.0.113.1:7000").unwrap();
            let _ = sink.send_to(&[2; 64], "203.0.113.254:5353");
        }
    }
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap(),
        Signal::TERM,
    )
    .unwrap();
    assert_eq!(router.finish().0, Some(0));
    // ... then nothing but writes (of the summaries) is in the trace behind the ready line.
    let trace = fs::read_to_string(trace).unwrap();
    let after: Vec<_> = trace.lines().skip_while(|line| !line.contains("\"ready ")).collect();
    assert!(after.len() > 1, "{trace}");
    let allocations: Vec<_> = after
        .iter()
        .filter(|line| ["brk(", "mmap(", "mremap("].iter().any(|call| line.contains(call)))
        .collect();
    assert!(allocations.is_empty(), "{allocations:#?}");
}

#[test]
fn its_memory_is_as_large_without_sessions_as_with_65536() {
    const SESSIONS: u32 = 65_536;
    if !available() {
        return;
    }
    let network = Network::new();
    // One host may have all there is, the reserve for others included.
    let shares = format!("{CONFIGURATION}\n[nat.shares]\nguaranteed = {SESSIONS}\n");
    let router = Running::start(&mut network.sekisho(&shares));
    router.wait_for("ready ");
    network.wan.ip("route add local 198.18.0.0/15 dev lo");
    let empty = resident(router.id());
    let is_full = || {
        let fill = network.lan.within(move || {
            // A mapping has one session less than there have to be.
            let sockets = [5000, 5001].map(|port| UdpSocket::bind(("192.0.2.1", port)).unwrap());
            for n in 0..SESSIONS {
                let to = Ipv4Addr::from(u32::from_be_bytes([198, 18, 0, 1]) + n);
                // What is lost is sent again.
                let _ = sockets[n as usize % 2].send_to(b"hello", (to, 9));
                // Not faster than they are forwarded.
                if n % 64 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        fill.join().unwrap();
        router.signal(Signal::USR1);
        router.wait_for("wan gw1: received");
        router.lines().iter().any(|line| line.contains(&format!("sessions {SESSIONS} ")))
    };
    assert!(netns::until(is_full), "{:#?}", router.lines());
    let full = resident(router.id());
    eprintln!("resident memory: {empty} kB without sessions, {full} kB with {SESSIONS}");
    assert!(full <= empty + 64 && full <= 16 << 10, "{empty} kB, then {full} kB");
    assert_eq!(router.end(Signal::TERM).0, Some(0));
}

/// The resident memory of a process, in units of 1,024 bytes.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

#[test]
fn a21_a_hundred_thousand_bad_frames_on_each_port_leak_nothing() {
    if !available() {
        return;
    }
    let network = Network::new();
    let router = network.start();
    network.lan.run("ping -n -c 1 203.0.113.1");
    // Anything outside that is IPv4 and not from the box or from the host there itself is a leak.
    let leaks = tcpdump(&network.wan, "wan0", "inbound and ip and not src host 203.0.113.254");
    let gateway = |interface: &str| -> Vec<u8> {
        let link = network.router.run(&format!("cat /sys/class/net/{interface}/address"));
        link.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    };
    let (gw0, gw1) = (gateway("gw0"), gateway("gw1"));
    let lan = network.lan.within(move || throw("lan0", 1, &gw0));
    lan.join().unwrap();
    let wan = network.wan.within(move || throw("wan0", 2, &gw1));
    wan.join().unwrap();
    network.lan.run("ping -n -c 1 203.0.113.1");
    let (_, lines) = leaks.end(Signal::INT);
    assert!(!lines.iter().any(|line| line.contains(" IP ")), "{lines:#?}");
    let (status, lines) = router.end(Signal::TERM);
    assert_eq!(status, Some(0));
    for side in ["lan", "wan"] {
        assert_adds_up(side, &lines);
        let received = lines.iter().find(|line| line.contains(&format!("{side} received "))).unwrap();
        let received: u64 = received.split(' ').find_map(|word| word.parse().ok()).unwrap();
        assert!(received > 90_000, "{lines:#?}");
    }
}

/// Throws random, truncated and bit-flipped frames at the box.
fn throw(interface: &str, seed: u64, gateway: &[u8]) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut port = linux::Port::open(interface).unwrap();
    for round in 0..100_000 {
        let mut frame = bad_frame(&mut rng, seed == 1, gateway);
        frame.resize(frame.len().clamp(14, 1500), 0);
        let _ = port.tx.transmit(&linux::VnetHeader::FINISHED, &frame);
        if round % 64 == 0 {
            port.tx.flush();
            // A breath, so that most of them reach the box rather than overflow its ring.
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    port.tx.flush();
    std::thread::sleep(Duration::from_millis(300));
}

fn bad_frame(rng: &mut StdRng, from_lan: bool, gateway: &[u8]) -> Vec<u8> {
    let mut packet: Packet = match (from_lan, rng.next_u32() % 2) {
        (true, 0) => udp(ALICE.port(5000), BOB.port(53)),
        (true, _) => tcp("S", ALICE.port(5000), BOB.port(80)),
        (false, 0) => udp(BOB.port(5000), OUTSIDE.port(5353)),
        (false, _) => tcp("S", BOB.port(5000), OUTSIDE.port(54321)),
    };
    for _ in 0..rng.next_u32() % 4 {
        let bit = rng.next_u32() as usize % (packet.bytes.len() * 8);
        packet.bytes[bit / 8] ^= 1 << (bit % 8);
    }
    if rng.next_u32().is_multiple_of(2) {
        packet.fix_header();
    }
    let mut frame = frame_for(router::Side::Lan, &packet);
    match rng.next_u32() % 4 {
        0 => rng.fill_bytes(&mut frame[12..]),
        1 => frame.truncate(rng.next_u32() as usize % frame.len()),
        _ => (),
    }
    let addressed = frame.len().min(6);
    frame[..addressed].copy_from_slice(&gateway[..addressed]);
    frame
}

#[test]
fn wrong_input_ends_with_status_2_and_impossible_work_with_1() {
    let sekisho = |arguments: &[&str]| {
        let output = Command::new(program("sekisho")).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for arguments in [&[][..], &["fly"], &["run"], &["run", "a", "b"]] {
        let (status, text) = sekisho(arguments);
        assert!(status == Some(2) && text.contains("sekisho"), "{arguments:?}: {text}");
    }
    let (status, text) = sekisho(&["run", "/nonexistent/router.blob"]);
    assert!(status == Some(1) && text.contains("/nonexistent/router.blob"), "{text}");
    let (status, text) = sekisho(&["run", env!("CARGO_MANIFEST_PATH")]);
    assert!(status == Some(2) && text.contains("Cargo.toml"), "{text}");
}
