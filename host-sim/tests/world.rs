#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The world: what every kind of node and link does, and that a seed decides everything.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use config::Config;
use host_sim::{
    Chance, Datagram, Faults, Host, HostId, HostSetup, Jack, Link, LinkId, Mailbox, NatBehaviour, NatId,
    NatSetup, Quality, RouterId, RouterSetup, Size, Tables, Time, Way, World, hardware, tables,
};
use router::Side;
use sha2::{Digest as _, Sha256};
use smoltcp::wire::Ipv4Cidr;

/// What the digest of a trace is in which everything happens that can. Another means that a run is no longer what it
/// was, on this machine or in this build: rewrite it only if it was meant to change.
const DIGEST: &str = "a28525001a448edc77bd75f2629854d456125e0dd0fb464f23826dc8aa0a83db";

const SERVER: &str = "203.0.113.1";

#[test]
fn the_same_seed_gives_the_same_trace_on_every_machine() {
    let digest = |seed| {
        let mut memory = tables(Size::Home, 0);
        let mut net = Net::reference(seed, &mut memory, every_fault(50_000));
        net.ask(SERVER, &[7; 20_000]);
        let mut hasher = Sha256::new();
        for seen in net.world.trace().sightings() {
            hasher.update(format!("{seen:?}"));
        }
        hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };

    assert_eq!(digest(1), DIGEST);
    assert_ne!(digest(2), DIGEST);
}

#[test]
fn a_connection_survives_every_fault_of_its_links() {
    let mut memory = tables(Size::Home, 0);
    let mut net = Net::reference(5, &mut memory, every_fault(10_000));

    assert_eq!(net.ask(SERVER, &[7; 100_000]), Some(vec![7; 100_000]));

    let tally = net.world.tally(net.links[0]);
    assert!(tally.lost[0] > 0 && tally.doubled > 0 && tally.delayed > 0, "{tally:?}");
    assert!(tally.corrupted > 0 && tally.truncated > 0, "{tally:?}");
}

#[test]
fn another_node_leaves_what_happens_to_the_others_as_it_was() {
    let seen = |more: bool| {
        let mut memory = tables(Size::Home, 0);
        let mut net = Net::reference(3, &mut memory, every_fault(20_000));
        if more {
            let [one, other] = ["192.0.2.8/24", "192.0.2.9/24"].map(|address| net.host(address, None));
            net.link("more", [one.jack(), other.jack()], every_fault(20_000));
            let mailbox = net.world.on_host(one, |host| host.bind(1));
            net.world.on_host(one, |host| host.send_to(mailbox, end("192.0.2.9:9"), b"hello"));
        }
        net.ask(SERVER, &[7; 10_000]);
        net.world.trace().take().into_iter().map(|seen| (seen.at, seen.frame)).collect::<Vec<_>>()
    };

    assert_eq!(seen(true), seen(false));
}

#[test]
fn routers_and_foreign_nats_work_one_behind_another() {
    let mut memory = [0; 3].map(|_| tables(Size::Small, 0));
    let [inner, middle, _] = &mut memory;
    let mut net = Net::new(1);
    let client = net.host("10.0.0.1/24", Some("10.0.0.254"));
    let first = net.router(inner, "10.0.0.254/24", "10.0.1.1/24", "10.0.1.254");
    let second = net.nat("10.0.1.254/24", "192.0.2.1/24", Some("192.0.2.254"));
    let third = net.router(middle, "192.0.2.254/24", "203.0.113.254/24", SERVER);
    let server = net.host("203.0.113.1/24", None);
    net.wire("a", [client.jack(), first.jack(Side::Lan)]);
    net.wire("b", [first.jack(Side::Wan), second.jack(Side::Lan)]);
    net.wire("c", [second.jack(Side::Wan), third.jack(Side::Lan)]);
    net.wire("d", [third.jack(Side::Wan), server.jack()]);
    net.ends = Some((client, server));

    assert_eq!(net.ask(SERVER, b"through three"), Some(b"through three".to_vec()));

    assert_eq!(net.world.nat(second).bindings(), 1);
    assert_eq!(net.world.router(third).summary().occupancy.sessions, 1);
}

#[test]
fn a_foreign_nat_filters_and_forgets_as_it_is_told() {
    use napt::Dependence::{Address, Endpoint};
    let lets_in = |filtering, pause| {
        let mut net = Net::new(1);
        let behaviour = NatBehaviour { filtering, udp: Duration::from_secs(30), ..NatBehaviour::default() };
        let nat = net.nat_with("192.0.2.254/24", "203.0.113.254/24", None, behaviour);
        let client = net.host("192.0.2.1/24", Some("192.0.2.254"));
        let [known, stranger] = ["203.0.113.1/24", "203.0.113.2/24"].map(|address| net.host(address, None));
        let switch = net.world.add_switch();
        net.wire("lan", [client.jack(), nat.jack(Side::Lan)]);
        net.wire("wan", [nat.jack(Side::Wan), switch.jack(0)]);
        net.wire("known", [known.jack(), switch.jack(1)]);
        net.wire("stranger", [stranger.jack(), switch.jack(2)]);
        let [mine, _, theirs] =
            [client, known, stranger].map(|host| (host, net.world.on_host(host, |host| host.bind(7))));
        net.tell(mine, "203.0.113.1:7");
        net.world.run_to(Time::from_secs(pause));
        net.tell(theirs, "203.0.113.254:7");
        net.world.run_to(Time::from_secs(pause + 1));
        net.told(mine).len() == 1
    };

    assert_eq!([Endpoint, Address].map(|filtering| lets_in(filtering, 1)), [true, false]);
    assert!(lets_in(Endpoint, 29) && !lets_in(Endpoint, 31));
}

#[test]
fn a_router_that_reboots_loses_its_sessions_and_works_again() {
    let mut memory = tables(Size::Small, 1);
    let mut net = Net::reference(1, &mut memory, Faults::default());
    let router = net.router.unwrap();
    assert!(net.ask(SERVER, b"before").is_some());
    assert_eq!(net.world.router(router).summary().occupancy.sessions, 1);

    net.world.reboot(router);

    assert_eq!(net.world.router(router).summary().occupancy.sessions, 0);
    assert!(net.ask(SERVER, b"after").is_some());
}

#[test]
fn a_router_gets_another_address_while_it_works() {
    let mut memory = tables(Size::Small, 0);
    let mut net = Net::reference(1, &mut memory, Faults::default());
    assert!(net.ask(SERVER, b"before").is_some());
    net.world.trace().take();

    let other = configuration("192.0.2.254/24", "203.0.113.77/24", SERVER);
    net.world.reconfigure(net.router.unwrap(), &other);

    assert!(net.ask(SERVER, b"after").is_some());
    let before = Ipv4Addr::new(203, 0, 113, 254).octets();
    let old = |frame: &[u8]| frame[12..14] == [8, 0] && frame[26..30] == before;
    let out = net.world.trace().take();
    assert!(!out.iter().any(|seen| &*seen.tap == "wan" && seen.way == Way::Out && old(&seen.frame)));
}

#[test]
fn nothing_crosses_a_link_that_is_down() {
    let mut memory = tables(Size::Small, 0);
    let mut net = Net::reference(1, &mut memory, Faults::default());
    let wan = net.links[1];

    net.world.set_up(wan, false);
    assert_eq!(net.ask(SERVER, b"down"), None);
    net.world.set_up(wan, true);
    assert!(net.ask(SERVER, b"up").is_some());
}

#[test]
fn faults_stop_when_they_are_told_to() {
    let mut memory = tables(Size::Small, 0);
    let always = Faults { loss: Chance::per_million(Chance::ALWAYS), ..Faults::default() };
    let mut net = Net::reference(1, &mut memory, always);

    assert_eq!(net.ask(SERVER, b"lost"), None);
    net.world.set_faulty(false);
    assert!(net.ask(SERVER, b"found").is_some());
}

fn every_fault(per_million: u32) -> Faults {
    let chance = Chance::per_million(per_million);
    let jitter = Duration::from_millis(3);
    Faults {
        loss: chance,
        duplication: chance,
        reordering: chance,
        jitter,
        corruption: chance,
        truncation: chance,
    }
}

/// A network in the making.
struct Net<'t> {
    world: World<'t>,
    links: Vec<LinkId>,
    router: Option<RouterId>,
    /// Who asks, and who answers.
    ends: Option<(HostId, HostId)>,
    asked: u16,
}

impl<'t> Net<'t> {
    fn new(seed: u64) -> Self {
        Self { world: World::new(seed), links: vec![], router: None, ends: None, asked: 0 }
    }

    /// The reference network, with taps `lan` and `wan` at the router.
    fn reference(seed: u64, memory: &'t mut [Tables], faults: Faults) -> Self {
        let mut net = Self::new(seed);
        let router = net.router(memory, "192.0.2.254/24", "203.0.113.254/24", SERVER);
        let client = net.host("192.0.2.1/24", Some("192.0.2.254"));
        let server = net.host("203.0.113.1/24", None);
        for (side, name) in [(Side::Lan, "lan"), (Side::Wan, "wan")] {
            net.world.tap(router.jack(side), name);
        }
        net.link("lan", [client.jack(), router.jack(Side::Lan)], faults);
        net.link("wan", [server.jack(), router.jack(Side::Wan)], faults);
        (net.router, net.ends) = (Some(router), Some((client, server)));
        net
    }

    fn host(&mut self, address: &str, gateway: Option<&str>) -> HostId {
        let seed = self.world.stream(&format!("host {address}")).word();
        let (address, gateway) = (cidr(address), gateway.map(|gateway| gateway.parse().unwrap()));
        let hardware = hardware(address.address());
        self.world.add_host(Host::new(&HostSetup {
            hardware,
            address,
            gateway,
            mtu: 1500,
            user_timeout: None,
            seed,
        }))
    }

    fn router(&mut self, memory: &'t mut [Tables], lan: &str, wan: &str, gateway: &str) -> RouterId {
        let config = configuration(lan, wan, gateway);
        let port = |address| router::Link { hardware: hardware(cidr(address).address()).0, mtu: 1500 };
        let setup = RouterSetup { config, ports: [port(lan), port(wan)], clock: Duration::ZERO };
        self.world.add_router(wan, memory.iter_mut().collect(), &setup)
    }

    fn nat(&mut self, lan: &str, wan: &str, gateway: Option<&str>) -> NatId {
        self.nat_with(lan, wan, gateway, NatBehaviour::default())
    }

    fn nat_with(&mut self, lan: &str, wan: &str, gateway: Option<&str>, behaviour: NatBehaviour) -> NatId {
        let (lan, wan, gateway) = (cidr(lan), cidr(wan), gateway.map(|gateway| gateway.parse().unwrap()));
        let hardware = [lan, wan].map(|own| hardware(own.address()));
        self.world.add_nat("nat", &NatSetup { hardware, lan, wan, gateway, behaviour })
    }

    fn wire(&mut self, name: &str, ends: [Jack; 2]) {
        self.link(name, ends, Faults::default());
    }

    fn link(&mut self, name: &str, ends: [Jack; 2], faults: Faults) {
        let quality = Quality { delay: Duration::from_millis(1), ..Quality::default() };
        self.links.push(self.world.add_link(Link { name: name.to_owned(), ends, quality, faults }));
    }

    /// Has the client send bytes to the server's echo service. What comes back, if all of it does within a minute.
    fn ask(&mut self, server: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let (client, service) = self.ends.unwrap();
        self.asked += 1;
        let port = 80 + self.asked;
        self.world.on_host(service, |host| host.serve(port));
        let to = SocketAddrV4::new(server.parse().unwrap(), port);
        let from = 50_000 + self.asked;
        let connection = self.world.on_host(client, |host| host.connect(from, to));
        let limit = self.world.now() + Duration::from_secs(60);
        self.world.on_host(client, |host| host.send(connection, bytes));
        let is_back = |world: &World<'_>| world.host(client).received(connection).len() == bytes.len();
        self.world.run_until(limit, is_back).then(|| self.world.host(client).received(connection).to_vec())
    }

    fn tell(&mut self, (host, mailbox): (HostId, Mailbox), to: &str) {
        self.world.on_host(host, |host| host.send_to(mailbox, end(to), b"hello"));
    }

    fn told(&self, (host, mailbox): (HostId, Mailbox)) -> &[Datagram] {
        self.world.host(host).datagrams(mailbox)
    }
}

fn configuration(lan: &str, wan: &str, gateway: &str) -> Config {
    let text = format!(
        "[lan]\ninterface = \"a\"\naddress = \"{lan}\"\n[wan]\ninterface = \"b\"\naddress = \"{wan}\"\ngateway = \"{gateway}\"\n"
    );
    provision::compile(&text, "test").unwrap()
}

fn cidr(text: &str) -> Ipv4Cidr {
    let (address, prefix_len) = text.split_once('/').unwrap();
    Ipv4Cidr::new(address.parse().unwrap(), prefix_len.parse().unwrap())
}

fn end(text: &str) -> SocketAddrV4 {
    text.parse().unwrap()
}
