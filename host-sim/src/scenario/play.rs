//! Playing a scenario: each step at its time, and what must follow looked for until its time is over.
//!
//! Between two steps the world runs on its own. What a step wants to follow is a *promise*: it is looked at whenever
//! something is done and when its time is up, and kept as soon as it was seen once. What must not follow is broken as
//! soon as it is seen, and kept when its time is up.
//!
//! Time is the world's own, or it is real (`live`); that is all the difference there is between the two.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use router::Side;
use smoltcp::socket::tcp::State;

use super::amend::ConfigText;
use super::build::{Net, memory};
use super::{Act, Data, Expectation, Remote, Scenario, Step, judge, live};
use crate::checkers::Violation;
use crate::host::{Connection, Mailbox, Pinger};
use crate::link::Tally;
use crate::live::{Broken, LineTally, Lines, Live};
use crate::node::{HostId, RouterId};
use crate::packet::{self, Draft};
use crate::station::Parcel;
use crate::time::Time;
use crate::trace::Sighting;
use crate::world::World;

/// What came of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// What it was played with.
    pub seed: u64,
    /// All that had to be so.
    pub checks: Vec<Check>,
    /// What the checkers have found wrong.
    pub violations: Vec<Violation>,
    /// What was seen on both sides of each router.
    pub sightings: Vec<Sighting>,
    /// Each router's counters at the end, in lines.
    pub summaries: Vec<(String, String)>,
    /// What each link did to what it carried.
    pub tallies: Vec<(String, Tally)>,
    /// What could not be looked at, since the router is not of this world.
    pub unseen: Vec<Unseen>,
    /// What went over each line of a world that is joined to others.
    pub lines: Vec<(String, LineTally)>,
    /// Why it was over before its time, if it was.
    pub broken: Option<String>,
    /// When it was over.
    pub end: Time,
}

impl Outcome {
    /// Whether everything was as it had to be.
    pub fn passed(&self) -> bool {
        self.broken.is_none() && self.violations.is_empty() && self.checks.iter().all(|check| check.held)
    }
}

/// Something that had to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The line of the file that says so.
    pub line: usize,
    /// When it was decided.
    pub at: Time,
    /// What had to be so.
    pub what: String,
    /// Whether it was.
    pub held: bool,
}

/// Something that has to be so, and of which nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// The line of the file that says so.
    pub line: usize,
    /// What has to be so.
    pub what: String,
}

/// Plays a scenario. The same seed gives the same outcome.
pub fn play(scenario: &Scenario, seed: u64) -> Outcome {
    let mut memory = memory(scenario, None);
    let net = Net::new(scenario, seed, None, &mut memory);
    Player::new(net, Pace::Virtual).play(scenario, seed)
}

/// Plays a scenario in real time, from now on, without one of its routers: what is plugged into that goes over the lines.
pub(super) fn play_live(scenario: &Scenario, seed: u64, router: &str, lines: Lines) -> Outcome {
    let mut memory = memory(scenario, Some(router));
    let net = Net::new(scenario, seed, Some(router), &mut memory);
    let pace = match &net.outlet {
        Some((_, outlet)) => Pace::Real(Box::new(Live::new(*outlet, lines))),
        None => Pace::Virtual,
    };
    Player::new(net, pace).play(scenario, seed)
}

/// How time passes.
enum Pace {
    /// It jumps from one event to the next.
    Virtual,
    /// As outside.
    Real(Box<Live>),
}

/// One time that a step is done.
#[derive(Clone, Copy)]
struct Turn<'s> {
    at: Time,
    step: &'s Step,
    /// Which step it is.
    number: usize,
    /// Which time it is, from 0.
    n: u64,
}

/// Every time that a step is done, in the order of time and, at the same time, of the file.
fn schedule(scenario: &Scenario) -> Vec<Turn<'_>> {
    let numbered = scenario.steps.iter().enumerate();
    let turns = numbered.flat_map(|(number, step)| {
        (0..step.count).map(move |n| Turn { at: step.at + step.every * n as u32, step, number, n })
    });
    let mut all: Vec<_> = turns.collect();
    all.sort_by_key(|turn| turn.at);
    all
}

struct Player<'t> {
    net: Net<'t>,
    pace: Pace,
    connections: BTreeMap<String, Talk>,
    mailboxes: BTreeMap<(HostId, u16), Mailbox>,
    pingers: BTreeMap<(HostId, u16), Pinger>,
    /// Endpoints that are known by a name: where what they say was heard, and what it was.
    learnt: BTreeMap<String, (SocketAddrV4, String)>,
    promises: Vec<Promise>,
    checks: Vec<Check>,
    unseen: Vec<Unseen>,
}

/// A connection that has a name.
struct Talk {
    host: HostId,
    connection: Connection,
    /// How much of what arrives has been spoken of.
    expected: usize,
}

/// Something that must follow, or must not.
struct Promise {
    line: usize,
    what: String,
    until: Time,
    /// Whether it must follow.
    wanted: bool,
    sign: Sign,
}

/// By what one sees that something has followed.
enum Sign {
    Echo { host: HostId, ident: u16, sequence: u16 },
    Open(HostId, Connection),
    Bytes { host: HostId, connection: Connection, from: usize, bytes: Vec<u8> },
    Datagram { host: HostId, mailbox: Mailbox, from: Option<SocketAddrV4>, data: Vec<u8>, before: usize },
}

impl Sign {
    fn is_there(&self, world: &World<'_>) -> bool {
        match self {
            Self::Echo { host, ident, sequence } => {
                let echoes = world.host(*host).echoes();
                echoes.iter().rev().any(|echo| (echo.ident, echo.sequence) == (*ident, *sequence))
            }
            Self::Open(host, connection) => is_open(world, *host, *connection),
            Self::Bytes { host, connection, from, bytes } => {
                world.host(*host).received(*connection).get(*from..*from + bytes.len()) == Some(&bytes[..])
            }
            Self::Datagram { host, mailbox, from, data, before } => {
                count(world, *host, *mailbox, *from, data) > *before
            }
        }
    }
}

/// How many datagrams that say this have arrived, from there if it matters.
fn count(
    world: &World<'_>,
    host: HostId,
    mailbox: Mailbox,
    from: Option<SocketAddrV4>,
    data: &[u8],
) -> usize {
    let is_one = |sender, said: &[u8]| said == data && from.is_none_or(|from| from == sender);
    world.host(host).datagrams(mailbox).iter().filter(|it| is_one(it.from, &it.data)).count()
}

fn is_open(world: &World<'_>, host: HostId, connection: Connection) -> bool {
    matches!(world.host(host).state(connection), State::Established | State::CloseWait)
}

impl<'t> Player<'t> {
    fn new(net: Net<'t>, pace: Pace) -> Self {
        Self {
            net,
            pace,
            connections: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
            pingers: BTreeMap::new(),
            learnt: BTreeMap::new(),
            promises: Vec::new(),
            checks: Vec::new(),
            unseen: Vec::new(),
        }
    }

    fn play(mut self, scenario: &Scenario, seed: u64) -> Outcome {
        for expectation in &scenario.expectations {
            judge::prepare(&mut self.net, expectation);
        }
        let broken = self.go_through(scenario).err().map(|broken| broken.to_string());
        self.finish(scenario, seed, broken)
    }

    fn go_through(&mut self, scenario: &Scenario) -> Result<(), Broken> {
        let mut judged: Vec<_> =
            scenario.expectations.iter().map(|it| (it.at.unwrap_or(scenario.end), it)).collect();
        judged.sort_by_key(|(at, _)| *at);
        let mut judged = judged.into_iter().peekable();
        for turn in schedule(scenario) {
            while let Some((before, expectation)) = judged.next_if(|(judged, _)| *judged < turn.at) {
                self.run_to(before)?;
                self.judge(expectation);
            }
            self.run_to(turn.at)?;
            self.perform(turn);
        }
        for (at, expectation) in judged {
            self.run_to(at)?;
            self.judge(expectation);
        }
        self.run_to(scenario.end)
    }

    /// Lets time pass, and looks at each promise when its time is up.
    fn run_to(&mut self, end: Time) -> Result<(), Broken> {
        while let Some(due) =
            self.promises.iter().map(|promise| promise.until).filter(|until| *until <= end).min()
        {
            self.pass(due)?;
            self.look();
        }
        self.pass(end)?;
        self.look();
        Ok(())
    }

    fn pass(&mut self, end: Time) -> Result<(), Broken> {
        match &mut self.pace {
            Pace::Virtual => self.net.world.run_to(end),
            Pace::Real(live) => live.run_to(&mut self.net.world, end)?,
        }
        Ok(())
    }

    /// Judges what is so now, if anybody can know.
    fn judge(&mut self, expectation: &Expectation) {
        match &self.net.outlet {
            Some((router, _)) if expectation.what.router() == Some(router) => {
                self.unseen.push(Unseen { line: expectation.line, what: judge::wanted(expectation) });
            }
            _ => self.checks.push(judge::judge(&self.net, expectation)),
        }
    }

    /// Looks which promises are kept or broken.
    fn look(&mut self) {
        let now = self.net.world.now();
        let (world, checks) = (&self.net.world, &mut self.checks);
        self.promises.retain(|promise| {
            let there = promise.sign.is_there(world);
            let open = !there && now < promise.until;
            if !open {
                let Promise { line, ref what, wanted, .. } = *promise;
                checks.push(Check { line, at: now, what: what.clone(), held: there == wanted });
            }
            open
        });
    }

    fn promise(&mut self, step: &Step, what: &str, wanted: bool, sign: Sign) {
        let until = self.net.world.now() + step.within;
        let how = if wanted { "within" } else { "not within" };
        let what = format!("{what} {how} {:?}", step.within);
        self.promises.push(Promise { line: step.line, what, until, wanted, sign });
    }

    fn fail(&mut self, step: &Step, what: String) {
        self.checks.push(Check { line: step.line, at: self.net.world.now(), what, held: false });
    }

    fn perform(&mut self, turn: Turn<'_>) {
        let Turn { step, number, n, .. } = turn;
        match &step.act {
            Act::Ping { host, to, answered } => {
                let (at, ident, sequence) = (self.net.hosts[host], number as u16 + 1, n as u16 + 1);
                let world = &mut self.net.world;
                let fresh = || world.on_host(at, |node| node.prepare_ping(ident));
                let pinger = *self.pingers.entry((at, ident)).or_insert_with(fresh);
                self.net.world.on_host(at, |node| node.ping(pinger, sequence, *to));
                let sign = Sign::Echo { host: at, ident, sequence };
                if let Some(answered) = *answered {
                    self.promise(step, &format!("{to} answers {host}'s ping"), answered, sign);
                }
            }
            Act::Connect { host, to, from, name, opens } => {
                self.connect(step, n, (host, to, *from, name), *opens);
            }
            Act::Listen { host, port, name } => {
                let host = self.net.hosts[host];
                let connection = self.net.world.on_host(host, |node| node.listen(*port));
                self.connections.insert(name.clone(), Talk { host, connection, expected: 0 });
            }
            Act::Serve { host, tcp: true, port } => {
                self.net.world.on_host(self.net.hosts[host], |node| node.serve(*port));
            }
            Act::Serve { host, tcp: false, port } => {
                let host = self.net.hosts[host];
                let mailbox = self.mailbox(host, *port);
                self.net.world.on_host(host, |node| node.reflect(mailbox));
            }
            Act::Send { .. } | Act::Receive { .. } | Act::Close { .. } | Act::Abort { .. } => self.talk(step),
            Act::KeepAlive { .. } | Act::Is { .. } => self.talk(step),
            Act::Udp { .. } | Act::Hear { .. } => self.datagram(step, n),
            Act::Packet { station, text } => self.packet(step, station, text, n),
            act => self.change(step, act),
        }
    }

    fn connect(
        &mut self,
        step: &Step,
        n: u64,
        (host, to, from, name): (&str, &Remote, u16, &String),
        opens: Option<bool>,
    ) {
        let Some(to) = self.endpoint(to) else {
            return self.fail(step, format!("nobody knows {to:?} by now"));
        };
        let at = self.net.hosts[host];
        let from = from.wrapping_add(n as u16).max(1);
        let connection = self.net.world.on_host(at, |node| node.connect(from, to));
        self.connections.insert(name.clone(), Talk { host: at, connection, expected: 0 });
        if let Some(opens) = opens {
            let what = format!("{host}'s connection to {to} opens");
            self.promise(step, &what, opens, Sign::Open(at, connection));
        }
    }

    fn talk(&mut self, step: &Step) {
        let (Act::Send { on, .. }
        | Act::Receive { on, .. }
        | Act::Close { on }
        | Act::Abort { on }
        | Act::KeepAlive { on, .. }
        | Act::Is { on, .. }) = &step.act
        else {
            return;
        };
        let Some(Talk { host, connection, expected }) = self.connections.get_mut(on) else {
            return self.fail(step, format!("there is no {on} yet"));
        };
        let (host, connection) = (*host, *connection);
        let world = &mut self.net.world;
        match &step.act {
            Act::Send { data, .. } => world.on_host(host, |node| node.send(connection, &data.bytes())),
            Act::Close { .. } => world.on_host(host, |node| node.close(connection)),
            Act::Abort { .. } => world.on_host(host, |node| node.abort(connection)),
            Act::KeepAlive { every, .. } => world.on_host(host, |node| node.keep_alive(connection, *every)),
            Act::Receive { data, arrives, .. } => {
                let (from, bytes) = (*expected, data.bytes());
                *expected += bytes.len();
                let what = match data {
                    Data::Text(text) => format!("{text:?} arrives on {on}"),
                    Data::Bytes(len) => format!("{len} bytes arrive on {on}"),
                };
                self.promise(step, &what, *arrives, Sign::Bytes { host, connection, from, bytes });
            }
            Act::Is { open, .. } => {
                let what = format!("{on} is {}", if *open { "open" } else { "not open" });
                let held = is_open(world, host, connection) == *open;
                self.checks.push(Check { line: step.line, at: world.now(), what, held });
            }
            _ => (),
        }
    }

    fn datagram(&mut self, step: &Step, n: u64) {
        match &step.act {
            Act::Udp { host, to, from, data, answered, learn } => {
                let Some(to) = self.endpoint(to) else {
                    return self.fail(step, format!("nobody knows {to:?} by now"));
                };
                let at = self.net.hosts[host];
                let mailbox = self.mailbox(at, from.wrapping_add(n as u16).max(1));
                let before = count(&self.net.world, at, mailbox, Some(to), data.as_bytes());
                self.net.world.on_host(at, |node| node.send_to(mailbox, to, data.as_bytes()));
                if let Some(name) = learn {
                    self.learnt.insert(name.clone(), (to, data.clone()));
                }
                if let Some(answered) = answered {
                    let data = data.clone().into_bytes();
                    let sign = Sign::Datagram { host: at, mailbox, from: Some(to), data, before };
                    self.promise(step, &format!("{to} answers {host}'s datagram"), *answered, sign);
                }
            }
            Act::Hear { host, port, data, heard } => {
                let at = self.net.hosts[host];
                let mailbox = self.mailbox(at, *port);
                let before = count(&self.net.world, at, mailbox, None, data.as_bytes());
                let what = format!("{host} hears {data:?} at port {port}");
                let data = data.clone().into_bytes();
                let sign = Sign::Datagram { host: at, mailbox, from: None, data, before };
                self.promise(step, &what, *heard, sign);
            }
            _ => (),
        }
    }

    fn packet(&mut self, step: &Step, station: &str, text: &str, n: u64) {
        let mut known = Vec::new();
        for word in text.split_whitespace() {
            let Some(name) = word.strip_prefix('@') else {
                known.push(word.to_owned());
                continue;
            };
            let Some(end) = self.endpoint(&Remote::Known(name.to_owned())) else {
                return self.fail(step, format!("nobody knows {word} by now"));
            };
            known.push(end.to_string());
        }
        match packet::expand(&known.join(" "), n).and_then(|text| Draft::read(&text)) {
            Ok(draft) => {
                let (station, now) = (self.net.stations[station], self.net.world.now());
                let parcel = Parcel::Packet(draft.in_frame());
                self.net.world.on_station(station, |node| node.send_at(now, parcel));
            }
            Err(fault) => self.fail(step, format!("{text:?} {fault}")),
        }
    }

    /// Does what changes the network.
    fn change(&mut self, step: &Step, act: &Act) {
        let Net { world, routers, links, .. } = &mut self.net;
        match act {
            Act::Reboot { router } => world.reboot(routers[router]),
            Act::SetUp { link, up } => world.set_up(links[link], *up),
            Act::SetQuality { link, quality, faults } => world.set_quality(links[link], *quality, *faults),
            Act::SetFaults { on } => world.set_faulty(*on),
            Act::Address { router, address, gateway } => {
                let mut text = ConfigText::of(world.router(routers[router]).config());
                text.set("wan", "address", &address.to_string());
                if let Some(gateway) = gateway {
                    text.set("wan", "gateway", &gateway.to_string());
                }
                let router = routers[router];
                self.reconfigure(step, router, &text);
            }
            Act::RemoveForward { router, forward } => {
                let router = routers[router];
                let mut text = ConfigText::of(world.router(router).config());
                if text.remove_forward(forward) {
                    self.reconfigure(step, router, &text);
                } else {
                    self.fail(step, format!("there is no forward {forward:?}"));
                }
            }
            _ => (),
        }
    }

    fn reconfigure(&mut self, step: &Step, router: RouterId, text: &ConfigText) {
        match provision::compile(&text.0, "the new configuration") {
            Ok(config) => self.net.world.reconfigure(router, &config),
            Err(report) => self.fail(step, report.to_string()),
        }
    }

    fn endpoint(&self, remote: &Remote) -> Option<SocketAddrV4> {
        let name = match remote {
            Remote::At(end) => return Some(*end),
            Remote::Known(name) => name,
        };
        let world = &self.net.world;
        if let Some(talk) = self.connections.get(name) {
            return world.host(talk.host).peer(talk.connection);
        }
        let (heard_at, said) = self.learnt.get(name)?;
        let at_port = self.mailboxes.iter().filter(|((_, port), _)| *port == heard_at.port());
        at_port
            .filter(|((host, _), _)| world.host(*host).address() == *heard_at.ip())
            .flat_map(|((host, _), mailbox)| world.host(*host).datagrams(*mailbox))
            .rfind(|datagram| datagram.data == said.as_bytes())
            .map(|datagram| datagram.from)
    }

    fn mailbox(&mut self, host: HostId, port: u16) -> Mailbox {
        let world = &mut self.net.world;
        *self.mailboxes.entry((host, port)).or_insert_with(|| world.on_host(host, |node| node.bind(port)))
    }

    fn finish(mut self, scenario: &Scenario, seed: u64, broken: Option<String>) -> Outcome {
        let Net { world, routers, links, outlet, .. } = &mut self.net;
        let summary = |(name, router): (&String, &RouterId)| {
            (name.clone(), world.router(*router).summary().to_string())
        };
        let summaries = routers.iter().map(summary).collect();
        let tallies = links.iter().map(|(name, link)| (name.clone(), world.tally(*link))).collect();
        let lines = match (&self.pace, &outlet) {
            (Pace::Real(live), Some((name, _))) => {
                let names = Side::ALL.map(|side| format!("{name}.{side}"));
                names.into_iter().zip(live.tallies()).collect()
            }
            _ => Vec::new(),
        };
        let (mut sightings, violations) = (world.trace().take(), world.violations());
        if let Some((name, _)) = outlet {
            live::join(&mut sightings, name);
        }
        let (name, about) = (scenario.name.clone(), scenario.about.clone());
        let (checks, unseen) = (self.checks, self.unseen);
        let end = if broken.is_some() { world.now() } else { scenario.end };
        Outcome {
            name,
            about,
            seed,
            checks,
            violations,
            sightings,
            summaries,
            tallies,
            unseen,
            lines,
            broken,
            end,
        }
    }
}
