//! The demonstration: what is done on the reference network, and what must be seen then.
//!
//! A *scene* is played by hosts that talk real TCP; while it is on, both sides of the box are watched. A *check* is
//! something that has to be so, and the demonstration passes if all of them are.

use core::time::Duration;
use std::net::{Ipv4Addr, SocketAddrV4};

use config::Config;
use router::Side;
use smoltcp::socket::tcp::State;

use crate::checks::{Ends, all_from, private_on_wan};
use crate::host::Connection;
use crate::network::{LAN_HOST, ReferenceNetwork, WAN_HOST, reference_config};
use crate::node::HostId;
use crate::routing::{Size, Tables};
use crate::time::Time;
use crate::trace::{Sighting, Way};
use crate::world::World;

/// The seed of whoever does not choose one.
pub const DEFAULT_SEED: u64 = 1;

/// How long anything may take before it is taken to have failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// `ping` asks once a second.
const PING_INTERVAL: Duration = Duration::from_secs(1);
const PING_IDENT: u16 = 1;

/// What the forward is for (see the configuration).
const FORWARDED_PORT: u16 = 54_321;

/// Everything that was seen, and what came of it.
#[derive(Clone, Debug)]
pub struct Demo {
    /// What it was run with.
    pub seed: u64,
    /// The box's configuration.
    pub config: Config,
    /// The scenes, in their order.
    pub scenes: Vec<Scene>,
    /// The box's counters at the end, in lines.
    pub summary: String,
    /// All that was checked.
    pub checks: Vec<Check>,
}

impl Demo {
    /// Whether everything was as it has to be.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.held)
    }
}

/// What was seen while one thing was done.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What was done.
    pub title: &'static str,
    /// What was seen on both sides of the box.
    pub sightings: Vec<Sighting>,
}

/// Something that has to be so.
#[derive(Clone, Debug)]
pub struct Check {
    /// What has to be so.
    pub what: String,
    /// Whether it was.
    pub held: bool,
}

/// Plays the demonstration. The same seed gives the same one.
pub fn run(seed: u64) -> Demo {
    let config = reference_config();
    let mut tables = Tables::new(Size::default());
    let network = ReferenceNetwork::new(&mut tables, &config, seed);
    let wan = config.wan().address().address();
    let mut stage = Stage { network, lan: config.lan().address().address(), wan, checks: Vec::new() };
    let scenes = vec![
        stage.play("0. link up: the box announces its addresses and looks for its gateway", Stage::settle),
        stage.play("1. ping: the lan host asks the box, then the wan host", Stage::ping),
        stage.play("2. masquerade: the lan host fetches a page from the wan host", Stage::masquerade),
        stage.play(
            "3. forward: the wan host calls the lan host, through the box's port 54321",
            Stage::forward,
        ),
    ];
    stage.check_all(&config, &scenes);
    let summary = stage.network.world.router(stage.network.router).summary().to_string();
    Demo { seed, config, scenes, summary, checks: stage.checks }
}

/// Where it is played.
struct Stage<'t> {
    network: ReferenceNetwork<'t>,
    /// The box's addresses.
    lan: Ipv4Addr,
    wan: Ipv4Addr,
    checks: Vec<Check>,
}

/// A conversation over TCP: a line there, a line back, and an orderly end.
struct Talk {
    client: HostId,
    server: HostId,
    /// The port that the server waits at.
    port: u16,
    /// Where the client thinks that the server is.
    at: SocketAddrV4,
    says: &'static [u8],
    answers: &'static [u8],
}

impl Stage<'_> {
    fn play(&mut self, title: &'static str, act: impl FnOnce(&mut Self)) -> Scene {
        act(self);
        Scene { title, sightings: self.network.world.trace().take() }
    }

    fn ping(&mut self) {
        let host = self.network.lan;
        let pinger = self.network.world.on_host(host, |host| host.prepare_ping(PING_IDENT));
        for (sequence, to) in [(1, self.lan), (1, WAN_HOST), (2, WAN_HOST)] {
            let next = self.network.world.now() + PING_INTERVAL;
            let before = self.network.world.host(host).echoes().len();
            self.network.world.on_host(host, |host| host.ping(pinger, sequence, to));
            self.wait(&format!("{to} answers a ping"), |world| world.host(host).echoes().len() > before);
            self.network.world.run_to(next);
        }
        let (wan, seen) = (self.wan, self.seen());
        let out = all_from("lan", &seen, |before, after| {
            (before.from, before.to) == (LAN_HOST, WAN_HOST) && (after.from, after.to) == (wan, WAN_HOST)
        });
        let back = all_from("wan", &seen, |before, after| {
            (before.from, before.to) == (WAN_HOST, wan) && (after.from, after.to) == (WAN_HOST, LAN_HOST)
        });
        self.check("the ping's source is rewritten", out);
        self.check("the answer's destination is rewritten back", back);
    }

    fn masquerade(&mut self) {
        let (client, server, port) = (self.network.lan, self.network.wan, 80);
        let internal = self.converse(&Talk {
            client,
            server,
            port,
            at: SocketAddrV4::new(WAN_HOST, port),
            says: b"GET / HTTP/1.0\r\nHost: 203.0.113.1\r\n\r\n",
            answers: b"HTTP/1.0 200 OK\r\nContent-Length: 21\r\n\r\nYour papers, please.\n",
        });
        self.settle();
        self.check_masquerade(internal);
    }

    fn forward(&mut self) {
        let (client, server) = (self.network.wan, self.network.lan);
        self.converse(&Talk {
            client,
            server,
            port: FORWARDED_PORT,
            at: SocketAddrV4::new(self.wan, FORWARDED_PORT),
            says: b"Who is behind the barrier?\n",
            answers: b"A traveller, papers in order.\n",
        });
        self.settle();
        self.check_forward();
    }

    /// Has a conversation, up to where it fails. Returns the port that the client spoke from.
    fn converse(&mut self, talk: &Talk) -> u16 {
        let port = self.network.dynamic_port();
        let world = &mut self.network.world;
        let server = world.on_host(talk.server, |host| host.listen(talk.port));
        let client = world.on_host(talk.client, |host| host.connect(port, talk.at));
        if self.open(talk, client, server).is_some() {
            self.exchange(talk, client, server);
        }
        port
    }

    fn open(&mut self, talk: &Talk, client: Connection, server: Connection) -> Option<()> {
        let open = |world: &World<'_>| {
            let states = [world.host(talk.client).state(client), world.host(talk.server).state(server)];
            states == [State::Established; 2]
        };
        self.wait(&format!("a connection to {} opens", talk.at), open)
    }

    fn exchange(&mut self, talk: &Talk, client: Connection, server: Connection) -> Option<()> {
        self.network.world.on_host(talk.client, |host| host.send(client, talk.says));
        self.wait("the request arrives", |world| world.host(talk.server).received(server) == talk.says)?;

        self.network.world.on_host(talk.server, |host| host.send(server, talk.answers));
        self.wait("the answer arrives", |world| world.host(talk.client).received(client) == talk.answers)?;

        self.network.world.on_host(talk.client, |host| host.close(client));
        self.wait("the end arrives", |world| world.host(talk.server).state(server) == State::CloseWait)?;
        self.network.world.on_host(talk.server, |host| host.close(server));
        self.wait("the connection closes", |world| {
            world.host(talk.client).is_over(client) && world.host(talk.server).is_over(server)
        })
    }

    fn check_masquerade(&mut self, internal: u16) {
        let (wan, seen) = (self.wan, self.seen());
        let mut externals = Vec::new();
        let out = all_from("lan", &seen, |before, after| {
            externals.push(after.source());
            before.source() == (LAN_HOST, Some(internal))
                && after.from == wan
                && after.destination() == before.destination()
        });
        externals.dedup();
        let back = all_from("wan", &seen, |before, after| {
            externals.contains(&before.destination())
                && after.destination() == (LAN_HOST, Some(internal))
                && after.source() == before.source()
        });
        self.check("the client's source is rewritten", out);
        self.check("the whole connection has one external port", externals.len() == 1);
        self.check("what comes back has its destination rewritten back", back);
    }

    fn check_forward(&mut self) {
        let (wan, seen) = (self.wan, self.seen());
        let (external, internal) = ((wan, Some(FORWARDED_PORT)), (LAN_HOST, Some(FORWARDED_PORT)));
        let kept = |one: (Ipv4Addr, Option<u16>), other| one == other && one.0 == WAN_HOST;
        let inwards = all_from("wan", &seen, |before: Ends, after: Ends| {
            (before.destination(), after.destination()) == (external, internal)
                && kept(before.source(), after.source())
        });
        let back = all_from("lan", &seen, |before: Ends, after: Ends| {
            (before.source(), after.source()) == (internal, external)
                && kept(before.destination(), after.destination())
        });
        self.check("the forward's destination is rewritten", inwards);
        self.check("what goes back has its source rewritten back", back);
    }

    /// What has to be so of all scenes together.
    fn check_all(&mut self, config: &Config, scenes: &[Scene]) {
        let seen: Vec<_> = scenes.iter().flat_map(|scene| scene.sightings.clone()).collect();
        let leaves = |sighting: &&Sighting| &*sighting.tap == "wan" && sighting.way == Way::Out;
        let wan = self.wan;
        let own =
            seen.iter().filter(leaves).filter_map(|one| Ends::of(&one.frame)).all(|ends| ends.from == wan);
        self.check("nothing but the box's own address leaves by the wan", own);
        let private = private_on_wan(&seen, config.lan().address());
        self.check("no private address is seen on the wan", private.is_none());
        let summary = self.network.world.router(self.network.router).summary();
        let adds_up = Side::ALL.into_iter().all(|side| summary.adds_up(side));
        self.check("the box's counters add up", adds_up);
        for violation in self.network.world.violations() {
            self.check(&violation.to_string(), false);
        }
        self.check("no checker has found anything wrong", self.network.world.violations().is_empty());
    }

    /// Waits for something, as patiently as sensible, and notes whether it came.
    fn wait(&mut self, what: &str, done: impl FnMut(&World<'_>) -> bool) -> Option<()> {
        let world = &mut self.network.world;
        let limit = world.now() + PATIENCE;
        let held = world.run_until(limit, done);
        self.check(what, held);
        held.then_some(())
    }

    /// Lets things come to rest: until the next whole second.
    fn settle(&mut self) {
        let rest = Time::from_secs(self.network.world.now().micros() / 1_000_000 + 1);
        self.network.world.run_to(rest);
    }

    /// What has been seen in this scene so far.
    fn seen(&mut self) -> Vec<Sighting> {
        self.network.world.trace().sightings().to_vec()
    }

    fn check(&mut self, what: &str, held: bool) {
        self.checks.push(Check { what: what.to_owned(), held });
    }
}
