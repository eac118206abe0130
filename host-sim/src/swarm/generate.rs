//! From a seed to a scenario.
//!
//! The network is a home's: hosts and perhaps an attacker on a switch inside, the router, perhaps a router or somebody
//! else's NAT between it and the Internet, and there two servers and another attacker. What differs is everything else.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU64;
use std::time::Duration;

use config::Config;
use napt::Dependence;
use router::Side;
use smoltcp::wire::Ipv4Cidr;

use crate::chance::{Chance, Stream};
use crate::link::{Faults, Quality};
use crate::nat::{NatBehaviour, PortChoice, Refresh};
use crate::routing::Size;
use crate::scenario::{Act, Data, Kind, LinkPlan, Plan, Plug, Remote, Scenario, Step};
use crate::time::Time;

/// How long things happen, and how long it is quiet afterwards: longer than the longest timer of a session, and of what
/// its port cools.
const BUSY: u64 = 300;
const QUIET: u64 = 8_000;

/// How long an unanswered SYN is remembered, in seconds.
const OPENING: u64 = 240;

/// From one ping of liveness to the next: longer than a ping's session, so that two ports are enough for all.
const APART: u64 = 70;

/// Where the servers are, and whom nobody has told of.
const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
/// Who answers pings in the end: a station, which nothing that went before keeps busy.
const WITNESS: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 3);
const MALLORY: &str = "mallory";
const FORWARDED: u16 = 8000;

const BEHAVIOURS: [&str; 3] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];

/// What lies between the box and the Internet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Ours,
    Theirs,
}

/// The scenario of a seed.
pub fn generate(seed: u64) -> Scenario {
    let mut generator = Generator::new(seed);
    generator.network();
    generator.services();
    generator.happenings();
    generator.liveness();
    generator.finish(seed)
}

struct Generator {
    dice: Stream,
    between: Between,
    hosts: usize,
    nodes: Vec<Plan>,
    links: Vec<LinkPlan>,
    steps: Vec<Step>,
    /// Which faults there are in this world, each link having more or less of them.
    faults: [bool; 5],
    forwards: Vec<String>,
    connections: usize,
}

impl Generator {
    fn new(seed: u64) -> Self {
        let mut dice = Stream::new(seed, "swarm");
        let between = *dice.choose(&[Between::Nothing, Between::Nothing, Between::Ours, Between::Theirs]);
        let faults = [0; 5].map(|_| dice.below(2) == 0);
        let hosts = 1 + dice.below(3) as usize;
        let (nodes, links, steps, forwards) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { dice, between, hosts, nodes, links, steps, faults, forwards, connections: 0 }
    }

    fn network(&mut self) {
        let inside = |last: usize| cidr([192, 0, 2, last as u8]);
        for host in 1..=self.hosts {
            self.host(&format!("host{host}"), inside(host), Some([192, 0, 2, 254]));
        }
        self.host("server1", cidr(SERVERS[0].octets()), None);
        self.host("server2", cidr(SERVERS[1].octets()), None);
        self.switch("home");
        self.switch("internet");
        let (wan, gateway) = match self.between {
            Between::Nothing => ("203.0.113.254", SERVERS[0].to_string()),
            Between::Ours | Between::Theirs => ("10.0.0.1", "10.0.0.254".to_owned()),
        };
        self.router("box", "192.0.2.254", wan, &gateway);
        if self.between == Between::Ours {
            self.router("isp", "10.0.0.254", "203.0.113.254", &SERVERS[0].to_string());
        }
        if self.between == Between::Theirs {
            self.nat();
        }
        self.station("insider", cidr([192, 0, 2, 66]), Some([192, 0, 2, 254].into()), false);
        self.station(MALLORY, cidr([203, 0, 113, 66]), Some([203, 0, 113, 254].into()), false);
        self.station("witness", cidr(WITNESS.octets()), None, true);
        for host in 1..=self.hosts {
            self.link(&format!("lan{host}"), plug(&format!("host{host}")), plug("home"));
        }
        self.link("inside", plug("insider"), plug("home"));
        self.link("lan", plug("home"), side("box", Side::Lan));
        match self.between {
            Between::Nothing => self.link("wan", side("box", Side::Wan), plug("internet")),
            Between::Ours | Between::Theirs => {
                self.link("middle", side("box", Side::Wan), side("isp", Side::Lan));
                self.link("wan", side("isp", Side::Wan), plug("internet"));
            }
        }
        self.link("out1", plug("server1"), plug("internet"));
        self.link("out2", plug("server2"), plug("internet"));
        self.link("outside", plug(MALLORY), plug("internet"));
        self.link("aside", plug("witness"), plug("internet"));
    }

    fn host(&mut self, name: &str, address: Ipv4Cidr, gateway: Option<[u8; 4]>) {
        let mtu = *self.dice.choose(&[1500, 1500, 1400, 576]);
        let user_timeout = Some(Duration::from_secs(120));
        let kind = Kind::Host { address, gateway: gateway.map(Into::into), mtu, user_timeout };
        self.nodes.push(Plan { name: name.to_owned(), kind });
    }

    fn switch(&mut self, name: &str) {
        self.nodes.push(Plan { name: name.to_owned(), kind: Kind::Switch });
    }

    fn station(&mut self, name: &str, address: Ipv4Cidr, gateway: Option<Ipv4Addr>, answers: bool) {
        let kind = Kind::Station { address, more: vec![], gateway, answers };
        self.nodes.push(Plan { name: name.to_owned(), kind });
    }

    fn router(&mut self, name: &str, lan: &str, wan: &str, gateway: &str) {
        let config = Box::new(self.configuration(name, lan, wan, gateway));
        let size = *self.dice.choose(&[Size::Tiny, Size::Small, Size::Small, Size::Home]);
        // Now and then the clock wraps in the midst of it.
        let wrap = Duration::from_millis(u64::from(u32::MAX)) - Duration::from_secs(self.dice.below(BUSY));
        let clock = *self.dice.choose(&[Duration::ZERO, Duration::ZERO, wrap]);
        let mtu = [0; 2].map(|_: u16| *self.dice.choose(&[1500, 1500, 1500, 1492, 1280]));
        self.nodes.push(Plan { name: name.to_owned(), kind: Kind::Router { config, size, clock, mtu } });
    }

    fn configuration(&mut self, name: &str, lan: &str, wan: &str, gateway: &str) -> Config {
        let dice = &mut self.dice;
        let mut choose = |choices: &[&'static str]| *dice.choose(choices);
        let mut text = format!("[lan]\ninterface = \"lan\"\naddress = \"{lan}/24\"\n");
        text +=
            &format!("[wan]\ninterface = \"wan\"\naddress = \"{wan}/24\"\ngateway = \"{gateway}\"\n[nat]\n");
        text += &format!("ports = \"{}\"\n", choose(&["1-65535", "1024-65535", "2000-2007", "1020-1027"]));
        text += &format!(
            "mapping = \"{}\"\n",
            choose(&[BEHAVIOURS[0], BEHAVIOURS[0], BEHAVIOURS[1], BEHAVIOURS[2]])
        );
        text += &format!("filtering = \"{}\"\n", choose(&BEHAVIOURS));
        for key in ["preserve-ports", "other-protocols", "clamp-mss"] {
            text += &format!("{key} = {}\n", choose(&["true", "false"]));
        }
        for key in ["refusals", "unsolicited-syn"] {
            text += &format!("{key} = \"{}\"\n", choose(&["answer", "silent"]));
        }
        text += &format!("[timers]\nudp = \"{}\"\n", choose(&["120s", "300s"]));
        text += &format!("port-cooldown = \"{}\"\n", choose(&["120s", "0s", "10s"]));
        if name == "box" {
            for forward in 0..self.dice.below(4) {
                text += &self.forward(forward as u16);
            }
        }
        provision::compile(&text, "generated").expect("what is generated is a configuration")
    }

    fn forward(&mut self, number: u16) -> String {
        let (name, external) = (format!("forward{number}"), FORWARDED + number);
        let host = 1 + self.dice.below(self.hosts as u64);
        let protocol = *self.dice.choose(&["tcp", "udp", "both"]);
        // Two may lead to the same place.
        let internal = *self.dice.choose(&[80, 80, 5000 + number]);
        self.forwards.push(name.clone());
        format!(
            "[[forward]]\nname = \"{name}\"\nprotocol = \"{protocol}\"\nexternal = {external}\ninternal = \"192.0.2.{host}:{internal}\"\n"
        )
    }

    fn nat(&mut self) {
        let dice = &mut self.dice;
        let behaviours = [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort];
        let behaviour = NatBehaviour {
            mapping: *dice.choose(&behaviours),
            filtering: *dice.choose(&behaviours),
            refresh: *dice.choose(&[Refresh::Outbound, Refresh::Both]),
            ports: *dice.choose(&[PortChoice::Preserve, PortChoice::Sequential, PortChoice::Random]),
            udp: Duration::from_secs(30 + dice.below(300)),
            ..NatBehaviour::default()
        };
        let (lan, wan) = (cidr([10, 0, 0, 254]), cidr([203, 0, 113, 254]));
        let kind = Kind::Nat { lan, wan, gateway: Some(SERVERS[0]), behaviour };
        self.nodes.push(Plan { name: "isp".to_owned(), kind });
    }

    fn link(&mut self, name: &str, one: Plug, other: Plug) {
        let (quality, faults) = (self.quality(), self.any_faults());
        self.links.push(LinkPlan { name: name.to_owned(), ends: [one, other], quality, faults });
    }

    fn quality(&mut self) -> Quality {
        let delay = Duration::from_micros(*self.dice.choose(&[0, 100, 1_000, 20_000, 150_000]));
        let rate =
            *self.dice.choose(&[None, None, NonZeroU64::new(1_000_000_000), NonZeroU64::new(2_000_000)]);
        Quality { delay, rate, limit: None }
    }

    /// Of the faults that this world has, more or less.
    fn any_faults(&mut self) -> Faults {
        let (dice, on) = (&mut self.dice, self.faults);
        let mut chance = |fault: usize| {
            let often = *dice.choose(&[0, 100, 1_000, 10_000, 50_000, 200_000]);
            Chance::per_million(if on[fault] { often } else { 0 })
        };
        Faults {
            loss: chance(0),
            duplication: chance(1),
            reordering: chance(2),
            jitter: Duration::from_millis(30),
            corruption: chance(3),
            truncation: chance(4),
        }
    }

    /// Who answers what.
    fn services(&mut self) {
        let hosts = (1..=self.hosts)
            .map(|host| format!("host{host}"))
            .chain(["server1".to_owned(), "server2".to_owned()]);
        for host in hosts.collect::<Vec<_>>() {
            for port in [80, 5000, 5001, 5002] {
                self.at(0, Act::Serve { host: host.clone(), tcp: true, port });
            }
            self.at(0, Act::Serve { host, tcp: false, port: 53 });
        }
    }

    /// Some of the things that can happen, some of them often.
    fn happenings(&mut self) {
        let weights = [0; 11].map(|_| if self.dice.below(3) == 0 { 0 } else { 1 + self.dice.below(8) });
        let total: u64 = weights.iter().sum();
        for _ in 0..10 + self.dice.below(60) {
            let mut pick = self.dice.below(total.max(1));
            let kind = weights.iter().position(|weight| {
                let found = pick < *weight;
                pick = pick.saturating_sub(*weight);
                found
            });
            match kind.unwrap_or(0) {
                0 => self.ping(),
                1 => self.talk(),
                2 => self.udp(),
                3 => self.knock(),
                4 | 5 => self.packets("insider"),
                6 => self.packets(MALLORY),
                7 => self.trouble(),
                8 => self.pieces(),
                9 => self.punctual(),
                _ => self.operate(),
            }
        }
    }

    fn ping(&mut self) {
        let (host, to) = (self.any_host(), *self.dice.choose(&SERVERS));
        let (at, count) = (self.some_time(), 1 + self.dice.below(5));
        self.repeated(at, count, Act::Ping { host, to, answered: None });
    }

    /// A connection outwards, over which something is said, and which may end.
    fn talk(&mut self) {
        let (host, server) = (self.any_host(), *self.dice.choose(&SERVERS));
        self.connect(host, SocketAddrV4::new(server, 80));
    }

    /// A connection inwards, through a forward or to a port that nobody has opened.
    fn knock(&mut self) {
        let visitor = (*self.dice.choose(&["server1", "server2"])).to_owned();
        let port = FORWARDED + self.dice.below(4) as u16;
        let to = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 254), port);
        self.connect(visitor, to);
    }

    fn connect(&mut self, host: String, to: SocketAddrV4) {
        self.connections += 1;
        let name = format!("talk{}", self.connections);
        let (at, from) = (self.some_time(), 40_000 + self.connections as u16);
        self.at(at, Act::Connect { host, to: Remote::At(to), from, name: name.clone(), opens: None });
        let len = *self.dice.choose(&[1, 1_000, 20_000]);
        self.at(at + 1, Act::Send { on: name.clone(), data: Data::Bytes(len) });
        let later = at + 2 + self.dice.below(60);
        match self.dice.below(4) {
            0 => self.at(later, Act::Abort { on: name }),
            1 => self.at(later, Act::Send { on: name, data: Data::Text("still there?".to_owned()) }),
            _ => self.at(later, Act::Close { on: name }),
        }
    }

    fn udp(&mut self) {
        let (host, server) = (self.any_host(), *self.dice.choose(&SERVERS));
        let (at, from) = (self.some_time(), 5_000 + self.dice.below(8) as u16);
        let port = *self.dice.choose(&[53, 53, 9]);
        let len = *self.dice.choose(&[0, 20, 1_400]);
        let (to, data) = (Remote::At(SocketAddrV4::new(server, port)), "x".repeat(len));
        let count = 1 + self.dice.below(10);
        self.repeated(at, count, Act::Udp { host, to, from, data, answered: None, learn: None });
    }

    /// Packets by the dozen, out of a small world, so that they meet each other's sessions.
    fn packets(&mut self, station: &str) {
        let is_inside = station != MALLORY;
        let inside = ["192.0.2.66", "192.0.2.1", "192.0.2.2", "203.0.113.254", "10.0.0.1"];
        let outside = ["203.0.113.66", "203.0.113.1", "203.0.113.2", "192.0.2.1", "203.0.113.254"];
        let boxes = ["203.0.113.254", "203.0.113.254", "192.0.2.1", "203.0.113.2"];
        let servers = ["203.0.113.1", "203.0.113.2", "203.0.113.66", "203.0.113.254", "192.0.2.254"];
        let [from, to] = if is_inside { [&inside[..], &servers] } else { [&outside[..], &boxes] };
        let (from, to) = (self.often_first(from), self.often_first(to));
        let text = self.packet(from, to);
        let (at, count) = (self.some_time(), 1 + self.dice.below(40));
        let every = Duration::from_millis(1 + self.dice.below(500));
        let step = Step { every, ..step(at, Act::Packet { station: station.to_owned(), text }) };
        self.steps.push(Step { count, ..step });
    }

    /// A datagram in pieces, which come in any order, one of them perhaps twice.
    fn pieces(&mut self) {
        let from = *self.dice.choose(&["192.0.2.66", "192.0.2.66", "192.0.2.1"]);
        let to = *self.dice.choose(&["203.0.113.1", "203.0.113.2", "203.0.113.254"]);
        let at = self.some_time();
        for moment in 0..4 + self.dice.below(6) {
            let (id, piece) = (self.dice.below(2), 1 + self.dice.below(3));
            let port = 40_000 + id;
            let text = format!("udp {from}:{port} > {to}:53 len 3000 id {id} piece {piece}/3");
            self.station_sends(Time::from_secs(at) + Duration::from_millis(moment), text);
        }
    }

    /// A connection that nobody answers, spoken of in the last millisecond that it is known, and in the next.
    fn punctual(&mut self) {
        let ends = format!("192.0.2.66:{} > 203.0.113.66:9", 41_000 + self.dice.below(1_000));
        let begin = Time::from_secs(1 + self.dice.below(BUSY - OPENING));
        let end = begin + Duration::from_secs(OPENING);
        // Whoever has to be found on the way is found before that.
        for at in [begin, end] {
            let found = Time::from_micros(at.micros() - 900_000);
            self.station_sends(found, "udp 192.0.2.66:9 > 203.0.113.66:9 len 1".to_owned());
        }
        self.station_sends(begin, format!("tcp {ends} flags S seq 1"));
        self.station_sends(
            Time::from_micros(end.micros() - 1_000),
            format!("tcp {ends} flags S. seq 1 ack 1"),
        );
        self.station_sends(end, format!("tcp {ends} flags S. seq 1 ack 1"));
    }

    fn station_sends(&mut self, at: Time, text: String) {
        let act = Act::Packet { station: "insider".to_owned(), text };
        self.steps.push(Step { at, ..step(0, act) });
    }

    /// What may be special about a packet's data, or its options.
    fn contents(&mut self, kind: u64, port: &str) -> String {
        let own = if self.between == Between::Nothing { "203.0.113.254" } else { "10.0.0.1" };
        match kind {
            // It goes no further, and the error about it is hard to add up (K01).
            1 if self.dice.below(4) == 0 => " ttl 1 carry".to_owned(),
            // Translated to the same port, its checksum comes to zero (K03).
            0 if self.dice.below(4) == 0 => format!(" zero {own}:{port}"),
            2 | 3 => {
                let sizes = ["", "", " options 020405b4", " options 01020405b4010100", " options 03030700"];
                (*self.dice.choose(&sizes)).to_owned()
            }
            // Sums with every carry there is.
            _ => (*self.dice.choose(&["", "", "", " fill 255"])).to_owned(),
        }
    }

    fn packet(&mut self, from: &str, to: &str) -> String {
        let ports = ["80", "53", "5000", "8000", "8001", "{2000+n}", "{1024+n}", "{40000+n}"];
        let (one, other) = (*self.dice.choose(&ports), *self.dice.choose(&ports));
        let flags = *self.dice.choose(&["S", "S.", ".", "R", "R.", "F.", "P.", "none", "SF"]);
        let seq = *self.dice.choose(&["1", "1001", "{1000000+n}"]);
        let len = *self.dice.choose(&[0, 1, 100, 1_400, 3_000]);
        let piece = 1 + self.dice.below(3);
        let kind = self.dice.below(8);
        let mut text = match kind {
            0 => format!("udp {from}:{one} > {to}:{other} len {len}"),
            1 => format!("udp {from}:{one} > {to}:{other} len {len} unsummed"),
            2 | 3 => format!("tcp {from}:{one} > {to}:{other} flags {flags} seq {seq} ack 1 len {len}"),
            4 => format!("echo {from} > {to} ident {} len {len}", self.dice.below(4)),
            5 => format!("proto {} {from} > {to} len {len}", self.dice.choose(&[47, 50, 132, 33, 136, 2])),
            6 => {
                format!("udp {from}:{one} > {to}:{other} len 3000 id {} piece {piece}/3", self.dice.below(4))
            }
            _ => {
                let kind = *self.dice.choose(&["unreachable", "exceeded", "quench", "redirect", "parameter"]);
                let code = *self.dice.choose(&[0, 1, 3, 4]);
                return format!(
                    "{kind} {from} > {to} code {code} mtu 1000 about udp {to}:{one} > {from}:{other} len 9"
                );
            }
        };
        if kind != 6 {
            text += &self.contents(kind, one);
        }
        for (particular, in_how_many) in [(" df", 4), (" ttl 1", 10), (" bad", 10), (" trailer 7", 6)] {
            if self.dice.below(in_how_many) == 0 && kind != 6 {
                text += particular;
            }
        }
        text
    }

    /// A link goes down for a while, or behaves otherwise.
    fn trouble(&mut self) {
        let which = self.dice.below(self.links.len() as u64) as usize;
        let (link, at) = (self.links[which].name.clone(), self.some_time());
        if self.dice.below(2) == 0 {
            let (quality, faults) = (self.quality(), self.any_faults());
            return self.at(at, Act::SetQuality { link, quality, faults });
        }
        self.at(at, Act::SetUp { link: link.clone(), up: false });
        let until = at + 1 + self.dice.below(20);
        self.at(until, Act::SetUp { link, up: true });
    }

    /// Somebody does something to the box.
    fn operate(&mut self) {
        let (at, router) = (self.some_time(), "box".to_owned());
        match self.dice.below(3) {
            0 => self.at(at, Act::Reboot { router }),
            1 if self.between == Between::Nothing => {
                let address = cidr([203, 0, 113, 250 + self.dice.below(5) as u8]);
                self.at(at, Act::Address { router, address, gateway: None });
            }
            _ => {
                let Some(forward) = self.forwards.pop() else { return };
                self.at(at, Act::RemoveForward { router, forward });
            }
        }
    }

    /// Faults stop, everybody forgets, and every host pings.
    fn liveness(&mut self) {
        let begins = BUSY + 150;
        self.at(begins, Act::SetFaults { on: false });
        for host in 1..=self.hosts {
            let at = begins + QUIET + APART * host as u64;
            let ping = |answered| Act::Ping { host: format!("host{host}"), to: WITNESS, answered };
            // Who has not been spoken to for hours has to be found first, by everybody on the way.
            self.repeated(at - 10, 3, ping(None));
            self.at(at, ping(Some(true)));
        }
    }

    fn finish(mut self, seed: u64) -> Scenario {
        self.steps.sort_by_key(|step| step.at);
        let last = self.steps.last().map_or(Time::ZERO, |step| step.at);
        let name = format!("swarm-{}", crate::Seed(seed));
        Scenario {
            about: format!("What the swarm made of seed {}", crate::Seed(seed)),
            name,
            nodes: self.nodes,
            links: self.links,
            steps: self.steps,
            expectations: vec![],
            end: last + Duration::from_secs(30),
        }
    }

    fn any_host(&mut self) -> String {
        format!("host{}", 1 + self.dice.below(self.hosts as u64))
    }

    /// The first of them as often as all the others together.
    fn often_first<'n>(&mut self, among: &[&'n str]) -> &'n str {
        if self.dice.below(2) == 0 { among[0] } else { self.dice.choose::<&str>(among) }
    }

    fn some_time(&mut self) -> u64 {
        1 + self.dice.below(BUSY)
    }

    fn at(&mut self, second: u64, act: Act) {
        self.steps.push(step(second, act));
    }

    fn repeated(&mut self, second: u64, count: u64, act: Act) {
        self.steps.push(Step { count, ..step(second, act) });
    }
}

fn step(second: u64, act: Act) -> Step {
    let (every, within) = (Duration::from_secs(1), Duration::from_secs(5));
    Step { line: 0, at: Time::from_secs(second), count: 1, every, within, act }
}

fn plug(node: &str) -> Plug {
    Plug { node: node.to_owned(), side: None }
}

fn side(node: &str, side: Side) -> Plug {
    Plug { node: node.to_owned(), side: Some(side) }
}

fn cidr(address: [u8; 4]) -> Ipv4Cidr {
    Ipv4Cidr::new(address.into(), 24)
}
