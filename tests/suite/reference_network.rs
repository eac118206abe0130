//! The reference network, with the kernel's own hosts at both ends and their offloads on: what people do with a NAT
//! router, done through ours. Root only; without it, each test says that it did not run.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use rustix::process::Signal;
use sekisho_tests::netns::{self, Namespace, Network, Running, available, tcpdump};
use sha2::{Digest, Sha256};

const MEGABYTE: usize = 1 << 20;

#[test]
fn pings_pass_from_the_lan_and_reach_the_box_from_both_sides() {
    let Some((network, router)) = reference() else { return };
    for target in ["203.0.113.1", "192.0.2.254"] {
        assert!(network.lan.run(&format!("ping -n -c 3 -i 0.2 {target}")).contains(" 0% packet loss"));
    }
    assert!(network.wan.run("ping -n -c 3 -i 0.2 203.0.113.254").contains(" 0% packet loss"));
    // Nothing of the inside is reached from outside, even by who knows where it is.
    network.wan.ip("route add 192.0.2.0/24 via 203.0.113.254");
    for target in ["192.0.2.1", "192.0.2.254"] {
        assert!(!network.wan.output(&format!("ping -n -c 1 -W 1 {target}")).status.success());
    }
    stop(router);
}

#[test]
fn rfc1812_s53135_s53136_r18_pings_record_their_route_and_times() {
    let Some((network, router)) = reference() else { return };
    let route = network.lan.run("ping -n -c 1 -R 203.0.113.1");
    let hops: Vec<_> = route.split("RR:").nth(1).unwrap().split_whitespace().take(5).collect();
    // ping begins with its own address, and the host at the other end has left its own on the way in and out.
    assert_eq!(hops[..2], ["192.0.2.1", "203.0.113.254"], "{route}");
    assert!(hops[2..].contains(&"192.0.2.254"), "{route}");
    let own = network.wan.run("ping -n -c 1 -R 203.0.113.254");
    assert!(own.split("RR:").nth(1).unwrap().contains("203.0.113.254"), "{own}");
    let times = network.lan.run("ping -n -c 1 -T tsandaddr 203.0.113.1");
    assert!(times.contains("203.0.113.254") && times.contains("not-standard"), "{times}");
    stop(router);
}

#[test]
fn pings_larger_than_a_frame_slot_pass() {
    let Some((network, router)) = reference() else { return };
    assert!(network.lan.run("ping -n -c 2 -i 0.2 -s 1472 -M do 203.0.113.1").contains(" 0% packet loss"));
    stop(router);
}

#[test]
fn rfc4787_req14_f18_pings_in_fragments_pass_both_ways() {
    let Some((network, router)) = reference() else { return };
    assert!(network.lan.run("ping -n -c 3 -i 0.2 -s 20000 203.0.113.1").contains(" 0% packet loss"));
    stop(router);
}

#[test]
fn rfc1812_s4228_f18_pings_in_fragments_reach_the_box_from_both_sides() {
    let Some((network, router)) = reference() else { return };
    for (host, target) in [(&network.lan, "192.0.2.254"), (&network.wan, "203.0.113.254")] {
        for size in [3000, 9000] {
            let pings = host.run(&format!("ping -n -c 3 -i 0.2 -s {size} {target}"));
            assert!(pings.contains(" 0% packet loss"), "{pings}");
        }
    }
    stop(router);
}

#[test]
fn rfc4787_req13a_f16_what_may_be_fragmented_is_where_the_wan_is_narrower() {
    if !available() {
        return;
    }
    let network = Network::new();
    network.router.ip("link set gw1 mtu 1280");
    network.wan.ip("link set wan0 mtu 1280");
    let router = network.start();
    let capture = tcpdump(&network.wan, "wan0", "icmp");
    assert!(network.lan.run("ping -n -c 2 -i 0.2 -M dont -s 1400 203.0.113.1").contains(" 0% packet loss"));
    capture.wait_for("ip-proto-1");
    let narrow = network.lan.output("ping -n -c 1 -W 5 -M do -s 1400 203.0.113.1");
    assert!(String::from_utf8_lossy(&narrow.stdout).contains("mtu = 1280"));
    stop(router);
}

#[test]
fn rfc4787_req13a_f16_a_transfer_in_large_frames_passes_a_narrower_wan() {
    if !available() {
        return;
    }
    let network = Network::new();
    // Given: a sender that lets its packets be fragmented, and nobody who tells it that the wan is narrower.
    network.lan.run("sysctl -q -w net.ipv4.ip_no_pmtu_disc=1");
    network.router.ip("link set gw1 mtu 1280");
    let configuration = [netns::CONFIGURATION, "[nat]\nclamp-mss = false\n"].concat();
    let router = Running::start(&mut network.sekisho(&configuration));
    router.wait_for("ready ");
    // When: it sends a lot.
    transfer(&network.lan, &network.wan, "203.0.113.1:9000", 64 * MEGABYTE);
    // Then: all of it has arrived, and no frame was too large.
    let (status, lines) = router.end(Signal::TERM);
    assert_eq!(status, Some(0), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("too large")), "{lines:#?}");
    crate::program::assert_adds_up("lan", &lines);
}

#[test]
fn nc_out_is_masqueraded_as_tcpdump_shows_on_both_sides() {
    let Some((network, router)) = reference() else { return };
    let (lan, wan) = (tcpdump(&network.lan, "lan0", "tcp"), tcpdump(&network.wan, "wan0", "tcp"));
    let mut server = listen(&network.wan, 8080);
    let mut client = network.lan.start("nc -N -n 203.0.113.1 8080");
    server.type_in("hello in there\n");
    client.wait_for("hello in there");
    client.type_in("hello out there\n");
    server.wait_for("hello out there");
    assert_eq!(client.finish().0, Some(0));
    lan.wait_for("Flags [F.]");
    wan.wait_for("Flags [F.]");
    let (lan, wan) = (lan.end(Signal::INT).1, wan.end(Signal::INT).1);
    assert!(
        lan.iter()
            .any(|line| line.contains("IP 192.0.2.1.") && line.contains(" > 203.0.113.1.8080: Flags [S]"))
    );
    assert!(wan.iter().any(|line| line.contains("IP 203.0.113.254.") && line.contains(" > 203.0.113.1.8080: Flags [S]")));
    assert!(!wan.iter().any(|line| line.contains("192.0.2.")), "{wan:#?}");
    stop(router);
}

#[test]
fn nc_in_through_the_forward_keeps_its_source_and_gets_another_destination() {
    let Some((network, router)) = reference() else { return };
    let (lan, wan) = (tcpdump(&network.lan, "lan0", "tcp"), tcpdump(&network.wan, "wan0", "tcp"));
    let mut server = listen(&network.lan, 54321);
    let mut client = network.wan.start("nc -N -n -p 40000 203.0.113.254 54321");
    server.type_in("who is there?\n");
    client.wait_for("who is there?");
    client.type_in("knock knock\n");
    server.wait_for("knock knock");
    assert_eq!(client.finish().0, Some(0));
    for (capture, lines) in [
        (
            wan,
            [
                "IP 203.0.113.1.40000 > 203.0.113.254.54321: Flags [S]",
                "IP 203.0.113.254.54321 > 203.0.113.1.40000: Flags [S.]",
            ],
        ),
        (
            lan,
            [
                "IP 203.0.113.1.40000 > 192.0.2.1.54321: Flags [S]",
                "IP 192.0.2.1.54321 > 203.0.113.1.40000: Flags [S.]",
            ],
        ),
    ] {
        lines.iter().for_each(|line| capture.wait_for(line));
        capture.end(Signal::INT);
    }
    stop(router);
}

#[test]
fn a_forwarded_range_keeps_its_offset() {
    let Some((network, router)) = reference() else { return };
    let mut server = listen(&network.lan, 9003);
    let client = network.wan.start("nc -n -d 203.0.113.254 8003");
    server.type_in("nine thousand and three\n");
    client.wait_for("nine thousand and three");
    stop(router);
}

#[test]
fn udp_passes_both_ways() {
    let Some((network, router)) = reference() else { return };
    // Out, and the answer back in.
    let server = network.wan.within(|| echo_udp("203.0.113.1:7000"));
    let answer = network.lan.within(|| ask_udp("203.0.113.1:7000"));
    let seen_from = server.join().unwrap();
    assert_eq!(seen_from.ip().to_string(), "203.0.113.254");
    answer.join().unwrap();
    // In through a forward, and the answer back out.
    let server = network.lan.within(|| echo_udp("192.0.2.1:5353"));
    let answer = network.wan.within(|| ask_udp("203.0.113.254:5353"));
    assert_eq!(server.join().unwrap().ip().to_string(), "203.0.113.1");
    answer.join().unwrap();
    stop(router);
}

/// With so many sessions the program looks ahead for those of the frames that wait.
#[test]
fn x01_five_thousand_sessions_pass_in_bursts() {
    const SESSIONS: u32 = 5_000;
    let Some((network, router)) = reference() else { return };
    network.wan.ip("route add local 198.18.0.0/16 dev lo");
    let peer = |n: u32| (Ipv4Addr::from(u32::from_be_bytes([198, 18, 0, 1]) + n), 5353);
    let server = network.wan.within(move || UdpSocket::bind(peer(SESSIONS)).unwrap()).join().unwrap();
    let client = network.lan.within(|| UdpSocket::bind("192.0.2.1:0").unwrap()).join().unwrap();
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    }
    let exchange = |count: usize| {
        for _ in 0..count {
            client.send_to(b"hello", peer(SESSIONS)).unwrap();
        }
        let froms: Vec<_> = (0..count).map(|_| server.recv_from(&mut [0; 9]).unwrap().1).collect();
        for from in froms {
            server.send_to(b"hello", from).unwrap();
        }
        for _ in 0..count {
            client.recv(&mut [0; 9]).unwrap();
        }
    };
    for n in 0..SESSIONS {
        client.send_to(b"hello", peer(n)).unwrap();
        // Not faster than they are forwarded.
        if n % 100 == 0 {
            exchange(1);
        }
    }
    (0..10).for_each(|_| exchange(64));
    stop(router);
}

#[test]
fn rfc5382_req8_hairpin_reaches_the_forward_from_inside() {
    let Some((network, router)) = reference() else { return };
    let capture = tcpdump(&network.lan, "lan0", "tcp");
    let mut server = listen(&network.lan, 54321);
    let mut client = network.lan.start("nc -N -n 203.0.113.254 54321");
    server.type_in("round the corner\n");
    client.wait_for("round the corner");
    client.type_in("and back\n");
    server.wait_for("and back");
    assert_eq!(client.finish().0, Some(0));
    capture.wait_for("IP 203.0.113.254.");
    let lines = capture.end(Signal::INT).1;
    assert!(
        lines
            .iter()
            .any(|line| line.contains("IP 203.0.113.254.") && line.contains("> 192.0.2.1.54321: Flags [S]"))
    );
    stop(router);
}

#[test]
fn i19_traceroutes_of_all_kinds_show_the_box_and_the_far_host() {
    let Some((network, router)) = reference() else { return };
    for kind in ["-I", "-U", "-T"] {
        let route = network.lan.run(&format!("traceroute -n -w 2 {kind} 203.0.113.1"));
        let hops: Vec<_> = route.lines().skip(1).collect();
        assert!(
            hops.len() == 2 && hops[0].contains(" 192.0.2.254 ") && hops[1].contains(" 203.0.113.1 "),
            "{kind}: {route}"
        );
        assert!(!route.contains('*'), "{kind}: {route}");
    }
    stop(router);
}

#[test]
fn rfc5508_req4_a_closed_udp_port_outside_is_reported_inside() {
    let Some((network, router)) = reference() else { return };
    let refused = network.lan.within(|| {
        let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
        socket.connect("203.0.113.1:9").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.send(b"anybody there?").unwrap();
        socket.recv(&mut [0; 100]).unwrap_err().kind()
    });
    assert_eq!(refused.join().unwrap(), std::io::ErrorKind::ConnectionRefused);
    stop(router);
}

#[test]
fn rfc1191_c24_i20_a_transfer_through_a_narrower_hop_behind_the_wan_finishes() {
    let Some((network, router)) = reference() else { return };
    let far = Namespace::new("far");
    netns::connect(&far, "far0", &network.wan, "hop0");
    far.ip("addr add 198.51.100.7/24 dev far0");
    far.ip("route add default via 198.51.100.1");
    network.wan.ip("addr add 198.51.100.1/24 dev hop0");
    network.wan.run("sysctl -q -w net.ipv4.ip_forward=1");
    for (namespace, end) in [(&far, "far0"), (&network.wan, "hop0")] {
        namespace.ip(&format!("link set {end} mtu 1280"));
    }
    // The far end would announce its small MTU in its SYN; it must not, or there is nothing to discover.
    far.ip("route replace default via 198.51.100.1 advmss 1460");
    let errors = tcpdump(&network.lan, "lan0", "icmp");
    transfer(&network.lan, &far, "198.51.100.7:9000", MEGABYTE);
    errors.wait_for("need to frag (mtu 1280)");
    assert!(network.lan.run("ip route get 198.51.100.7").contains("mtu 1280"));
    stop(router);
}

#[test]
fn c24_v2_a_gigabyte_arrives_intact_in_each_direction() {
    let Some((network, router)) = reference() else { return };
    transfer(&network.lan, &network.wan, "203.0.113.1:9000", 1024 * MEGABYTE);
    transfer_through(&network.wan, &network.lan, "192.0.2.1:54321", "203.0.113.254:54321", 1024 * MEGABYTE);
    stop(router);
}

#[test]
fn many_connections_at_once_arrive_intact() {
    let Some((network, router)) = reference() else { return };
    let pairs: Vec<_> = (0..32)
        .map(|n| {
            let listener =
                network.wan.within(move || TcpListener::bind(("203.0.113.1", 9100 + n)).unwrap()).join();
            let server = std::thread::spawn(move || digest(listener.unwrap().accept().unwrap().0));
            let client = network.lan.within(move || send(&format!("203.0.113.1:{}", 9100 + n), 4 * MEGABYTE));
            (server, client)
        })
        .collect();
    for (server, client) in pairs {
        assert_eq!(server.join().unwrap(), client.join().unwrap());
    }
    stop(router);
}

/// The reference network with our program between, where that can be had.
fn reference() -> Option<(Network, Running)> {
    available().then(|| {
        let network = Network::new();
        let router = network.start();
        (network, router)
    })
}

/// Asks the program to stop: it does, with status 0, and every frame it has received is accounted for.
#[track_caller]
fn stop(router: Running) {
    let (status, lines) = router.end(Signal::TERM);
    assert_eq!(status, Some(0), "{lines:#?}");
    for side in ["lan", "wan"] {
        crate::program::assert_adds_up(side, &lines);
    }
}

/// A server that takes one connection and prints what comes.
fn listen(on: &Namespace, port: u16) -> Running {
    let server = on.start(&format!("nc -n -v -l {port}"));
    server.wait_for("Listening on");
    server
}

/// Answers one datagram; who sent it.
pub(crate) fn echo_udp(at: &str) -> SocketAddr {
    let socket = UdpSocket::bind(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut buffer = [0; 2000];
    let (len, from) = socket.recv_from(&mut buffer).unwrap();
    socket.send_to(&buffer[..len], from).unwrap();
    from
}

/// Sends a datagram until its answer comes: the server may not be there yet.
pub(crate) fn ask_udp(to: &str) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let asked = netns::until(|| {
        socket.send_to(b"echo?", to).unwrap();
        let mut buffer = [0; 100];
        matches!(socket.recv_from(&mut buffer), Ok((5, from)) if from.to_string() == to)
    });
    assert!(asked);
}

/// Sends `len` bytes over TCP from one host to another, which must get the same.
pub(crate) fn transfer(from: &Namespace, to: &Namespace, at: &'static str, len: usize) {
    transfer_through(from, to, at, at, len);
}

/// The same where the sender knows the receiver by another address.
pub(crate) fn transfer_through(
    from: &Namespace,
    to: &Namespace,
    at: &'static str,
    known_as: &'static str,
    len: usize,
) {
    let listener = to.within(move || TcpListener::bind(at).unwrap()).join().unwrap();
    let server = std::thread::spawn(move || digest(listener.accept().unwrap().0));
    let sent = from.within(move || send(known_as, len)).join().unwrap();
    assert_eq!(server.join().unwrap(), sent);
}

/// Connects, sends `len` bytes that do not repeat soon, and closes; their SHA-256.
fn send(to: &str, len: usize) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    let mut hash = Sha256::new();
    let mut block: Vec<u8> = (0..MEGABYTE).map(|i| (i ^ (i >> 8)) as u8).collect();
    for round in 0..len / MEGABYTE {
        block[..8].copy_from_slice(&round.to_be_bytes());
        hash.update(&block);
        stream.write_all(&block).unwrap();
    }
    hash.finalize().to_vec()
}

/// The SHA-256 of everything a connection brings.
fn digest(mut stream: TcpStream) -> Vec<u8> {
    let mut hash = Sha256::new();
    let mut block = vec![0; MEGABYTE];
    loop {
        match stream.read(&mut block).unwrap() {
            0 => return hash.finalize().to_vec(),
            len => hash.update(&block[..len]),
        }
    }
}
