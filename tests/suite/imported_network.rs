//! Imported rules beside the kernel's own firewall that they come from: the reference network with Linux between, and the
//! same with our program, asked the same questions. Root only; without it, each test says that it did not run.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use provision::import::{Known, import};
use rustix::process::Signal;
use sekisho_tests::netns::{Namespace, Network, Running, available, tcpdump, which};

use crate::import::{CASES, address, config, source};

/// The reference network's NAT, and a filter with an answer of each kind.
const RULESET: &str = r#"
table ip nat {
    chain prerouting {
        type nat hook prerouting priority dstnat; policy accept;
        ip daddr 203.0.113.254 tcp dport 54321 dnat to 192.0.2.1
        ip daddr 203.0.113.254 tcp dport 54322 dnat to 192.0.2.1
    }
    chain postrouting {
        type nat hook postrouting priority srcnat; policy accept;
        ip saddr 192.0.2.0/24 oifname "gw1" masquerade
    }
}
table ip filter {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "gw0" oifname "gw1" jump out
        iifname "gw1" tcp dport 54321 accept
        iifname "gw1" reject with icmp host-prohibited
    }
    chain out {
        tcp dport 25 reject
        udp dport 9 drop
        tcp dport { 26, 27 } reject with tcp reset
        ip daddr 203.0.113.1 udp dport 10-19 reject with icmp admin-prohibited
        accept
    }
    chain input {
        type filter hook input priority filter; policy accept;
        iifname "gw1" tcp dport 23 reject with icmp net-prohibited
        iifname "gw1" tcp dport 24 drop
        iifname "gw0" icmp type echo-request drop
    }
}
"#;

/// What one side hears when it asks: of a connection or a datagram, and of what the ICMP errors were.
type Answers = Vec<String>;

#[test]
fn imported_rules_answer_as_the_kernel_does() {
    if !available() || !has("nft") {
        return;
    }
    let (ruleset, expected) = {
        let network = Network::new();
        network.router.ip("addr add 192.0.2.254/24 dev gw0");
        network.router.ip("addr add 203.0.113.254/24 dev gw1");
        network.router.run("sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0");
        let file = network.file("ruleset.nft");
        std::fs::write(&file, RULESET).unwrap();
        network.router.run(&format!("nft -f {}", file.display()));
        let listed = [network.router.run("nft list ruleset"), network.router.run("nft -j list ruleset")];
        (listed, ask_all(&network))
    };
    let known = Known {
        wan_address: address("203.0.113.254/24"),
        lan_address: address("192.0.2.254/24"),
        ..Known::default()
    };
    let [text, json] = ruleset.map(|text| {
        let imported = import(&[source("ruleset", &text)], &known).unwrap();
        assert_eq!(imported.without_counterpart, 0, "{}", imported.report);
        imported.toml.unwrap()
    });
    let compile = |toml: &str| provision::compile(toml, "imported.toml").unwrap();
    assert_eq!(compile(&text), compile(&json));

    let network = Network::new();
    let router = Running::start(&mut network.sekisho(&text));
    router.wait_for("ready ");
    let answers = ask_all(&network);
    let (status, lines) = router.end(Signal::TERM);
    assert_eq!(status, Some(0), "{lines:#?}");
    assert_eq!(answers, expected, "{text}");
}

#[test]
fn what_the_machines_own_iptables_prints_is_what_was_written_down() {
    if !available() || !has("iptables-restore") {
        return;
    }
    let namespace = Namespace::new("iptables");
    namespace.run(&format!("iptables-restore {CASES}/centos6-save/iptables.rules"));
    let known = Known {
        wan_interface: config::InterfaceName::new("eth0").ok(),
        wan_address: address("203.0.113.254/24"),
        lan_address: address("192.168.122.1/24"),
        gateway: "203.0.113.1".parse().ok(),
        ..Known::default()
    };
    for commands in [
        &["iptables-save"][..],
        &["iptables -t nat -nL", "iptables -nvL --line"],
        &["iptables -t nat -L -n -v --line-numbers", "iptables -L -v -n"],
        &["iptables -t nat -S", "iptables -S"],
    ] {
        let mut files: Vec<_> = commands.iter().map(|it| source(it, &namespace.run(it))).collect();
        if commands[0].ends_with("-S") {
            // It does not say which table it prints.
            files[0].text.insert_str(0, "*nat\n");
        }
        let imported = import(&files, &known).unwrap();
        assert_eq!(imported.without_counterpart, 0, "{commands:?}:\n{}", imported.report);
        let toml = imported.toml.unwrap();
        assert_eq!(provision::compile(&toml, "x").unwrap(), config("centos6-save"), "{commands:?}\n{toml}");
    }
}

fn has(tool: &str) -> bool {
    let found = which(tool).is_some();
    if !found {
        eprintln!("NOT RUN: {}: needs {tool}", std::thread::current().name().unwrap_or("a test"));
    }
    found
}

/// Every question, to whoever is in the middle.
fn ask_all(network: &Network) -> Answers {
    let Network { lan, wan, .. } = network;
    let _servers: Vec<_> = [(wan, 80), (wan, 25), (wan, 26), (wan, 28), (lan, 54321), (lan, 54322)]
        .map(|(host, port)| {
            host.within(move || TcpListener::bind(("0.0.0.0", port)).unwrap()).join().unwrap()
        })
        .into_iter()
        .collect();
    let captures =
        [(lan, "lan0"), (wan, "wan0")].map(|(host, port)| tcpdump(host, port, "icmp[icmptype]==3"));
    // Whoever has to be found by ARP first is.
    lan.output("ping -n -c 1 -W 5 203.0.113.1");
    let mut answers = Answers::new();
    for (host, name, to, ports) in [
        (lan, "lan", "203.0.113.1", &[80, 25, 26, 27, 28, 29][..]),
        (wan, "wan", "203.0.113.254", &[54321, 54322, 23, 24]),
    ] {
        for port in ports.iter().copied() {
            let answer = host.within(move || connect(to, port)).join().unwrap();
            answers.push(format!("{name}: tcp {to}:{port}: {answer:?}"));
        }
    }
    for port in [9, 10, 19, 20] {
        let answer = lan.within(move || send("203.0.113.1", port)).join().unwrap();
        answers.push(format!("lan: udp {port}: {answer:?}"));
    }
    for (host, name, to) in
        [(lan, "lan", "203.0.113.1"), (lan, "lan", "192.0.2.254"), (wan, "wan", "203.0.113.254")]
    {
        let answered = host.output(&format!("ping -n -c 1 -W 1 {to}")).status.success();
        answers.push(format!("{name}: ping {to}: {answered}"));
    }
    for capture in captures {
        let mut lines: Vec<_> = capture.end(Signal::INT).1.iter().filter_map(|line| told(line)).collect();
        lines.sort();
        lines.dedup();
        answers.extend(lines);
    }
    answers
}

/// Who said what of an ICMP error that tcpdump shows; how much of the packet it quotes is everybody's own.
fn told(line: &str) -> Option<String> {
    let (_, error) = line.split_once(" IP ")?;
    Some(error.split(", length").next()?.to_owned())
}

fn connect(to: &str, port: u16) -> Result<(), ErrorKind> {
    let to = format!("{to}:{port}").parse().unwrap();
    TcpStream::connect_timeout(&to, Duration::from_millis(1500)).map(|_| ()).map_err(|error| error.kind())
}

/// Nothing stands for silence.
fn send(to: &str, port: u16) -> Option<ErrorKind> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect((to, port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(1500))).unwrap();
    socket.send(b"anybody?").unwrap();
    socket.recv(&mut [0; 100]).err().map(|error| error.kind()).filter(|kind| *kind != ErrorKind::WouldBlock)
}
