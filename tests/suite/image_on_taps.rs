//! A booted image between the kernel's own hosts, on two tap interfaces. Root only, as `reference_network`.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use sekisho_tests::netns::{Network, Running, available, program, which};

use crate::reference_network::{ask_udp, echo_udp, transfer, transfer_through};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is not at hand of what it takes.
fn missing() -> Option<&'static str> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("/dev/net/tun");
    }
    ["apt-get", "qemu-system-x86_64"].into_iter().find(|tool| which(tool).is_none())
}

#[test]
fn an_image_routes_between_real_hosts_on_two_taps() {
    let test = "an_image_routes_between_real_hosts_on_two_taps";
    if !available() {
        return;
    }
    if let Some(missing) = missing() {
        eprintln!("NOT RUN: {test}: needs {missing}");
        return;
    }
    let network = Network::new();
    let (blob, image) = (network.file("board.blob"), network.file("router.img"));
    let board = Path::new(ROOT).join("image/provision/examples/board.toml");
    let compiled =
        Command::new(program("provision")).arg("compile").arg(board).arg("-o").arg(&blob).output().unwrap();
    assert!(compiled.status.success());
    let mut build = Command::new(program("sekisho-image"));
    build.args(["build", "--board", "qemu-x86_64", "--config"]).arg(&blob).arg("-o").arg(&image);
    let built = build.output().unwrap();
    let said = String::from_utf8(built.stderr).unwrap();
    if said.starts_with("apt-") {
        eprintln!("NOT RUN: {test}: {said}");
        return;
    }
    assert!(built.status.success(), "{said}");
    // In the box's namespace, a bridge joins each host's link to a tap.
    for (tap, link, bridge) in [("tap0", "gw0", "br0"), ("tap1", "gw1", "br1")] {
        for wanted in [format!("ip tuntap add {tap} mode tap"), format!("ip link add {bridge} type bridge")] {
            let made = network.router.output(&wanted);
            if !made.status.success() {
                eprintln!("NOT RUN: {test}: {wanted}: {}", String::from_utf8_lossy(&made.stderr));
                return;
            }
        }
        for port in [tap, link] {
            network.router.ip(&format!("link set {port} master {bridge}"));
            network.router.ip(&format!("link set {port} up"));
        }
        network.router.ip(&format!("link set {bridge} up"));
    }
    let mut boot = network.router.command(program("sekisho-image").to_str().unwrap());
    boot.arg("boot").arg(&image).args(["--tap", "tap0", "tap1", "--seconds", "240"]);
    let machine = Running::start(&mut boot);
    machine.wait_for("ready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24");

    network.lan.run("ping -n -c 3 -W 5 203.0.113.1");
    network.lan.run("ping -n -c 1 -W 5 192.0.2.254");
    network.wan.run("ping -n -c 1 -W 5 203.0.113.254");
    let server = network.wan.within(|| echo_udp("203.0.113.1:7000"));
    network.lan.within(|| ask_udp("203.0.113.1:7000")).join().unwrap();
    assert_eq!(server.join().unwrap().ip().to_string(), "203.0.113.254");
    transfer(&network.lan, &network.wan, "203.0.113.1:80", 10 << 20);
    transfer_through(&network.wan, &network.lan, "192.0.2.1:54321", "203.0.113.254:54321", 10 << 20);
    let hops = network.lan.run("traceroute -n -w 5 203.0.113.1");
    assert!(hops.contains(" 1  192.0.2.254 ") && hops.contains(" 2  203.0.113.1 "), "{hops}");

    machine.end(Signal::TERM);
    fs::remove_file(image).unwrap();
}
