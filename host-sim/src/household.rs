//! A household: any number of hosts behind a box, which do what hosts do while nobody looks at them, for as long as anybody
//! wants. Its speed is that of an idle home, and its memory has to be the same tomorrow.
//!
//! Each host keeps a TCP connection and a UDP mapping alive, and asks for a name now and then. Where there are *visits*, it
//! then goes there: a connection, a request, an answer, an end. Everything has an outcome that is looked at, in time and
//! once, and nothing that is over is kept.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use router::{Link as Port, Side};
use smoltcp::socket::tcp::State;
use smoltcp::wire::Ipv4Cidr;

use crate::chance::Stream;
use crate::host::{Connection, Host, HostSetup, Mailbox};
use crate::link::{Faults, Link, Quality};
use crate::network::hardware;
use crate::node::{HostId, Jack, RouterId, SwitchId};
use crate::routing::{RouterSetup, Size, Tables};
use crate::time::Time;
use crate::world::World;

/// The box, by which everything inside reaches everything outside.
const CONFIGURATION: &str = "
[lan]
interface = \"lan\"
address = \"10.0.0.1/16\"

[wan]
interface = \"wan\"
address = \"203.0.113.254/24\"
gateway = \"203.0.113.1\"
";

/// The most hosts inside, and how many of them have one server between them.
pub const MOST: usize = 2_000;
const AT_ONE_SERVER: usize = 10;

/// What the servers serve.
const STANDING: u16 = 443;
const PAGES: u16 = 80;
const NAMES: u16 = 53;
const TUNNEL: u16 = 4_500;

/// How often a connection asks whether its peer is there, and a mapping is kept: 15 to 25 s.
const KEEP_TCP: Duration = Duration::from_secs(45);
const KEEP_UDP: [u64; 2] = [15, 25];

/// From one name to the next, in seconds.
const NAME: [u64; 2] = [180, 420];

/// How long an answer may take until it is missed, and how long an end takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first port that a host takes of itself (RFC 6335 s.6).
const FIRST_DYNAMIC_PORT: u16 = 49_152;

/// What came of what the hosts have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doings {
    /// Connections and mappings that were kept alive, each time.
    pub kept: u64,
    /// Names that were asked for and answered.
    pub names: u64,
    /// Visits that came to their end.
    pub visits: u64,
    /// Answers that did not come in time, or were not those to what was asked.
    pub missed: u64,
}

/// What a household takes, in things that could become more and more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Footprint {
    /// Events to come, with the frames that are under way.
    pub events: usize,
    /// Sockets of all hosts.
    pub sockets: usize,
    /// Bytes that hosts have received and keep.
    pub kept: usize,
    /// Frames that taps and links keep.
    pub seen: usize,
    /// The router's sessions.
    pub sessions: usize,
    /// The router's mappings, those that only cool included.
    pub mappings: usize,
}

/// A household and the rest of the world.
pub struct Household<'t> {
    world: World<'t>,
    router: RouterId,
    members: Vec<Member>,
    servers: Vec<HostId>,
    plans: BinaryHeap<Reverse<Plan>>,
    visits: bool,
    stream: Stream,
    doings: Doings,
}

/// What somebody does next, in the order of time and then of the members.
type Plan = (Time, usize, Deed);

/// What a member does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// It opens the connection that it keeps, and the mapping.
    Begin,
    /// It keeps the mapping.
    Keep,
    /// It asks for a name.
    Ask,
    /// It looks for the answer, and goes there.
    Visit,
    /// It has read what it wanted.
    Leave,
    /// Nothing of the visit is left.
    Forget,
}

/// A host inside, and what it is at.
struct Member {
    host: HostId,
    server: Ipv4Addr,
    standing: Option<Standing>,
    question: Option<Mailbox>,
    visit: Option<(Connection, usize)>,
    next_port: u16,
}

/// What a member keeps alive.
struct Standing {
    connection: Connection,
    tunnel: Mailbox,
    /// How often.
    kept: u64,
}

impl Member {
    fn port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = port.checked_add(1).unwrap_or(FIRST_DYNAMIC_PORT);
        port
    }

    const fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.server, port)
    }
}

impl<'t> Household<'t> {
    /// How large a box's tables have to be for so many hosts.
    pub const fn size(hosts: usize) -> Size {
        if hosts <= 100 { Size::Home } else { Size::Large }
    }

    /// So many hosts, of which each will begin within the first minute; they make visits if they are to. The box works in
    /// tables that nobody has used before, and may have every checker watch it.
    ///
    /// # Panics
    /// If there are more than [`MOST`].
    pub fn new(tables: &'t mut Tables, hosts: usize, visits: bool, checked: bool) -> Self {
        assert!(hosts <= MOST, "there are addresses for {MOST} hosts");
        let mut world = World::new(1);
        let config = provision::compile(CONFIGURATION, "household.toml").expect("the configuration is right");
        let own = [config.lan().address().address(), config.wan().address().address()];
        let ports = own.map(|own| Port { hardware: hardware(own).0, mtu: 1500 });
        let router =
            world.add_router("box", vec![tables], &RouterSetup { config, ports, clock: Duration::ZERO });
        if checked {
            world.check([(router, "box")]);
        }
        let sides = [world.add_quiet_switch(), world.add_quiet_switch()];
        for (switch, side) in sides.into_iter().zip(Side::ALL) {
            join(&mut world, &side.to_string(), switch, router.jack(side));
        }
        let [lan, wan] = sides;
        let server = |number: usize| Ipv4Addr::new(203, 0, 113, number as u8 + 1);
        let count = hosts.div_ceil(AT_ONE_SERVER).max(1);
        let servers =
            (0..count).map(|number| add(&mut world, wan, Ipv4Cidr::new(server(number), 24), None)).collect();
        let member = |number: usize| {
            let address = Ipv4Addr::new(10, 0, 1 + (number / 250) as u8, 1 + (number % 250) as u8);
            let host = add(&mut world, lan, Ipv4Cidr::new(address, 16), Some(own[0]));
            Member {
                host,
                server: server(number / AT_ONE_SERVER),
                standing: None,
                question: None,
                visit: None,
                next_port: FIRST_DYNAMIC_PORT,
            }
        };
        let members = (0..hosts).map(member).collect();
        let stream = world.stream("household");
        let (plans, doings) = (BinaryHeap::new(), Doings::default());
        let mut household = Self { world, router, members, servers, plans, visits, stream, doings };
        household.begin();
        household
    }

    /// Lets everything happen until `end`.
    pub fn run_to(&mut self, end: Time) {
        while let Some(Reverse((at, ..))) = self.plans.peek()
            && *at <= end
            && let Some(Reverse((at, member, deed))) = self.plans.pop()
        {
            self.world.run_to(at);
            self.act(member, deed);
        }
        self.world.run_to(end);
    }

    /// What came of what the hosts have done so far.
    pub fn doings(&self) -> Doings {
        self.doings
    }

    /// What the household takes at present.
    pub fn footprint(&self) -> Footprint {
        let hosts = || self.members.iter().map(|it| it.host).chain(self.servers.iter().copied());
        let summary = self.world.router(self.router).summary();
        Footprint {
            events: self.world.events(),
            sockets: hosts().map(|host| self.world.host(host).sockets()).sum(),
            kept: hosts().map(|host| self.world.host(host).kept()).sum(),
            seen: self.world.seen(),
            sessions: summary.occupancy.sessions as usize,
            mappings: summary.occupancy.mappings as usize,
        }
    }

    /// How many packets the box has forwarded.
    pub fn forwarded(&self) -> u64 {
        self.world.router(self.router).summary().router.iter().map(|side| side.forwarded).sum()
    }

    /// How much the checkers have found wrong.
    pub fn violations(&self) -> usize {
        self.world.violations().len()
    }

    fn begin(&mut self) {
        for server in &self.servers {
            self.world.on_host(*server, |host| {
                host.serve(STANDING);
                host.serve(PAGES);
                for port in [NAMES, TUNNEL] {
                    let mailbox = host.bind(port);
                    host.reflect(mailbox);
                }
            });
        }
        for member in 0..self.members.len() {
            let at = Time::from_micros(1_000_000 + self.stream.below(60_000_000));
            self.plans.push(Reverse((at, member, Deed::Begin)));
        }
    }

    fn act(&mut self, member: usize, deed: Deed) {
        match deed {
            Deed::Begin => {
                self.open(member);
                self.plan(member, Deed::Keep, KEEP_UDP);
                self.plan(member, Deed::Ask, NAME);
            }
            Deed::Keep => {
                self.keep(member);
                self.plan(member, Deed::Keep, KEEP_UDP);
            }
            Deed::Ask => {
                self.ask(member);
                self.plan_after(member, Deed::Visit, PATIENCE);
                self.plan(member, Deed::Ask, NAME);
            }
            Deed::Visit => {
                self.hear(member);
                if self.visits {
                    self.visit(member);
                    self.plan_after(member, Deed::Leave, PATIENCE);
                }
            }
            Deed::Leave => {
                self.leave(member);
                self.plan_after(member, Deed::Forget, PATIENCE * 2);
            }
            Deed::Forget => self.forget(member),
        }
    }

    fn plan(&mut self, member: usize, deed: Deed, [least, most]: [u64; 2]) {
        let after = least * 1_000_000 + self.stream.below((most - least) * 1_000_000);
        self.plan_after(member, deed, Duration::from_micros(after));
    }

    fn plan_after(&mut self, member: usize, deed: Deed, after: Duration) {
        self.plans.push(Reverse((self.world.now() + after, member, deed)));
    }

    fn open(&mut self, member: usize) {
        let member = &mut self.members[member];
        let (port, tunnel, to) = (member.port(), member.port(), member.at(STANDING));
        let (connection, tunnel) = self.world.on_host(member.host, |host| {
            let connection = host.connect(port, to);
            host.keep_alive(connection, KEEP_TCP);
            (connection, host.bind(tunnel))
        });
        member.standing = Some(Standing { connection, tunnel, kept: 0 });
    }

    /// Keeps the mapping, and looks whether the last time has been answered and the connection is there.
    fn keep(&mut self, member: usize) {
        let member = &mut self.members[member];
        let to = member.at(TUNNEL);
        let Some(Standing { connection, tunnel, kept }) = &mut member.standing else { return };
        let (answers, open) = self.world.on_host(member.host, |host| {
            let answers = host.forget(*tunnel);
            host.send_to(*tunnel, to, &[0xFF]);
            (answers as u64, host.state(*connection) == State::Established)
        });
        // The first time there is nothing to be answered.
        self.doings.missed += u64::from(answers != (*kept).min(1) || !open);
        self.doings.kept += 1;
        *kept += 1;
    }

    fn ask(&mut self, member: usize) {
        let member = &mut self.members[member];
        let (port, to) = (member.port(), member.at(NAMES));
        let question = self.world.on_host(member.host, |host| {
            let mailbox = host.bind(port);
            host.send_to(mailbox, to, b"where is example.org?");
            mailbox
        });
        member.question = Some(question);
    }

    fn hear(&mut self, member: usize) {
        let member = &mut self.members[member];
        let Some(question) = member.question.take() else { return };
        let heard = self.world.on_host(member.host, |host| {
            let heard = host.datagrams(question).len();
            host.unbind(question);
            heard
        });
        self.doings.names += u64::from(heard == 1);
        self.doings.missed += u64::from(heard != 1);
    }

    fn visit(&mut self, member: usize) {
        let len = 200 + self.stream.below(4_800) as usize;
        let member = &mut self.members[member];
        let (port, to) = (member.port(), member.at(PAGES));
        let connection = self.world.on_host(member.host, |host| {
            let connection = host.connect(port, to);
            host.send(connection, &vec![len as u8; len]);
            connection
        });
        member.visit = Some((connection, len));
    }

    fn leave(&mut self, member: usize) {
        let member = &self.members[member];
        let Some((connection, len)) = member.visit else { return };
        let read = self.world.on_host(member.host, |host| {
            host.close(connection);
            host.received(connection).len()
        });
        self.doings.missed += u64::from(read != len);
    }

    fn forget(&mut self, member: usize) {
        let member = &mut self.members[member];
        let Some((connection, _)) = member.visit.take() else { return };
        let over = self.world.on_host(member.host, |host| {
            let over = host.is_over(connection);
            host.release(connection);
            over
        });
        self.doings.visits += u64::from(over);
        self.doings.missed += u64::from(!over);
    }
}

/// Adds a host to a side.
fn add(world: &mut World<'_>, switch: SwitchId, address: Ipv4Cidr, gateway: Option<Ipv4Addr>) -> HostId {
    let hardware = hardware(address.address());
    let seed = world.stream(&address.to_string()).word();
    let setup = HostSetup { hardware, address, gateway, mtu: 1500, user_timeout: None, seed };
    let host = world.add_host(Host::new(&setup));
    join(world, &address.to_string(), switch, host.jack());
    host
}

/// Plugs something into a switch.
fn join(world: &mut World<'_>, name: &str, switch: SwitchId, jack: Jack) {
    let quality = Quality { delay: Duration::from_micros(100), ..Quality::default() };
    let ends = [jack, world.free_jack(switch)];
    world.add_link(Link { name: name.to_owned(), ends, quality, faults: Faults::default() });
}
