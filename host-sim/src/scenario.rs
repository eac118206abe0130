//! Scenarios: a network, what is done on it, and what must come out, in a file that a person can write.
//!
//! A scenario is TOML. Its nodes are `[[host]]`, `[[switch]]`, `[[router]]`, `[[nat]]` and `[[station]]`, each with a name;
//! a `[[link]]` has two `ends`. Then come the *steps*, each at a time: who does what, and what must follow within a while.
//! What must be so at the end, or at a time, stands in `[[expect]]`. A router's configuration is the TOML that
//! `provision` reads, beside it in a file or inline.
//!
//! `read` makes a [`Scenario`] of a file, or says what is wrong with it, in the words of `provision`; `build` makes a
//! network of a scenario; `play` plays it, and `live` does so in real time around a router elsewhere; `judge` says whether what was expected was so; `show` is the way back to TOML; `find`
//! and `paper` are for those who call a scenario by its name and read what came of it.

mod amend;
mod build;
mod find;
mod judge;
mod live;
mod outcome;
mod paper;
mod play;
mod read;
mod shipped;
mod show;
mod steps;
mod values;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::time::Duration;

use config::Config;
use router::Side;
use smoltcp::wire::Ipv4Cidr;

use crate::link::{Faults, Quality};
use crate::nat::NatBehaviour;
use crate::routing::Size;
use crate::time::Time;

pub use self::find::find;
pub use self::live::{Foreign, foreign, play_live};
pub use self::outcome::{Check, Outcome, Unseen};
pub use self::paper::on_paper;
pub use self::play::play;
pub use self::read::{Finder, read};
pub use self::shipped::{SHIPPED, shipped};
pub use self::show::show;

/// A network, what is done on it, and what must come out.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What to call it.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The nodes.
    pub nodes: Vec<Plan>,
    /// The links.
    pub links: Vec<LinkPlan>,
    /// What is done, in the order of the file.
    pub steps: Vec<Step>,
    /// What must be so.
    pub expectations: Vec<Expectation>,
    /// When it is over.
    pub end: Time,
}

/// A node to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What to call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A host with a whole stack.
    Host {
        /// Its address, and the prefix of its link.
        address: Ipv4Cidr,
        /// Its default router.
        gateway: Option<Ipv4Addr>,
        /// The largest packet it sends.
        mtu: u16,
        /// How long its connections may hear nothing; `None` for ever.
        user_timeout: Option<Duration>,
    },
    /// A switch.
    Switch,
    /// The firmware's router.
    Router {
        /// What it works by.
        config: Box<Config>,
        /// How many sessions it has room for.
        size: Size,
        /// What its clock shows when the world begins.
        clock: Duration,
        /// The largest packets that its ports carry, lan first.
        mtu: [u16; 2],
    },
    /// A foreign NAT.
    Nat {
        /// Its address inside.
        lan: Ipv4Cidr,
        /// Its address outside.
        wan: Ipv4Cidr,
        /// Who reaches the rest of the world.
        gateway: Option<Ipv4Addr>,
        /// What it does.
        behaviour: NatBehaviour,
    },
    /// A source and sink of packets.
    Station {
        /// Its address, and the prefix of its link.
        address: Ipv4Cidr,
        /// What else it answers ARP for.
        more: Vec<Ipv4Cidr>,
        /// Who takes what is not for its link.
        gateway: Option<Ipv4Addr>,
        /// Whether it answers UDP datagrams and pings.
        answers: bool,
    },
}

/// A link to be.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// What to call it.
    pub name: String,
    /// Its ends.
    pub ends: [Plug; 2],
    /// How long it takes and how much it carries.
    pub quality: Quality,
    /// What it does that it should not.
    pub faults: Faults,
}

/// Where a link ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plug {
    /// The node.
    pub node: String,
    /// Which of its sides, if it has any.
    pub side: Option<Side>,
}

/// Something that is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its line in the file.
    pub line: usize,
    /// When it is done for the first time.
    pub at: Time,
    /// How often it is done.
    pub count: u64,
    /// From one time to the next.
    pub every: Duration,
    /// How long what must follow may take.
    pub within: Duration,
    /// What is done.
    pub act: Act,
}

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A host pings.
    Ping {
        /// The host.
        host: String,
        /// Whom.
        to: Ipv4Addr,
        /// Whether an answer must come, or must not; `None` if it is no matter.
        answered: Option<bool>,
    },
    /// A host opens a connection.
    Connect {
        /// The host.
        host: String,
        /// To where.
        to: Remote,
        /// From which port.
        from: u16,
        /// What to call it.
        name: String,
        /// Whether it must open, or must not; `None` if it is no matter.
        opens: Option<bool>,
    },
    /// A host waits for a connection.
    Listen {
        /// The host.
        host: String,
        /// Where.
        port: u16,
        /// What to call it.
        name: String,
    },
    /// A host sends back what it is told at a port, by TCP or UDP.
    Serve {
        /// The host.
        host: String,
        /// Whether by TCP.
        tcp: bool,
        /// Where.
        port: u16,
    },
    /// Somebody says something on a connection.
    Send {
        /// The connection.
        on: String,
        /// What.
        data: Data,
    },
    /// Something must arrive on a connection, or must not.
    Receive {
        /// The connection.
        on: String,
        /// What.
        data: Data,
        /// Whether it must.
        arrives: bool,
    },
    /// A connection is closed.
    Close {
        /// The connection.
        on: String,
    },
    /// A connection is ended with a RST.
    Abort {
        /// The connection.
        on: String,
    },
    /// A connection asks whether its peer is there, from now on.
    KeepAlive {
        /// The connection.
        on: String,
        /// So often.
        every: Duration,
    },
    /// A connection must be in a state.
    Is {
        /// The connection.
        on: String,
        /// Whether it must be open, or must not.
        open: bool,
    },
    /// A host sends a datagram.
    Udp {
        /// The host.
        host: String,
        /// To where.
        to: Remote,
        /// From which port, and the next one each time that it is done again.
        from: u16,
        /// What it says.
        data: String,
        /// Whether the same must come back, or must not; `None` if it is no matter.
        answered: Option<bool>,
        /// What to call the endpoint that the receiver sees it come from.
        learn: Option<String>,
    },
    /// A host must hear a datagram, or must not.
    Hear {
        /// The host.
        host: String,
        /// Where.
        port: u16,
        /// What it says.
        data: String,
        /// Whether it must be heard.
        heard: bool,
    },
    /// A station sends a packet.
    Packet {
        /// The station.
        station: String,
        /// In the notation of [`packet`](crate::packet).
        text: String,
    },
    /// A router gets another address outside.
    Address {
        /// The router.
        router: String,
        /// The address.
        address: Ipv4Cidr,
        /// The gateway from then on.
        gateway: Option<Ipv4Addr>,
    },
    /// A forward is taken away from a router.
    RemoveForward {
        /// The router.
        router: String,
        /// The forward's name.
        forward: String,
    },
    /// A router loses all state and begins again.
    Reboot {
        /// The router.
        router: String,
    },
    /// A link goes down or comes up.
    SetUp {
        /// The link.
        link: String,
        /// Whether it comes up.
        up: bool,
    },
    /// A link has other qualities from now on.
    SetQuality {
        /// The link.
        link: String,
        /// The qualities.
        quality: Quality,
        /// The faults.
        faults: Faults,
    },
    /// Links do what they should not, or not, from now on.
    SetFaults {
        /// Whether they do.
        on: bool,
    },
}

/// The other end of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// At this address and port.
    At(SocketAddrV4),
    /// Whoever is known by this name by then.
    Known(String),
}

/// What is said on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// This text.
    Text(String),
    /// So many bytes.
    Bytes(usize),
}

impl Data {
    /// The bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            // A prime, so that no power of two in anybody's buffer goes unnoticed.
            Self::Bytes(len) => (0..*len).map(|at| (at % 251) as u8).collect(),
        }
    }
}

/// Something that must be so.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Its line in the file.
    pub line: usize,
    /// When it must be so; `None` for the end.
    pub at: Option<Time>,
    /// What must be so.
    pub what: Expected,
}

/// So many or so few.
pub type Range = RangeInclusive<u64>;

/// What must be so.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// A router has so many sessions.
    Sessions(String, Range),
    /// A router has so many mappings, those that only cool included.
    Mappings(String, Range),
    /// A router has counted this, at a side, so often.
    Counter(String, Side, String, Range),
    /// Nothing from a prefix has been sent into a link.
    NoneFrom(Stray),
    /// What has been sent into a link, as tcpdump prints it, had this in it so often.
    Sees(String, String, Range),
    /// A station has received so many packets.
    Received(String, Range),
}

impl Expected {
    /// The router whose tables and counters have to be looked at for it.
    fn router(&self) -> Option<&String> {
        match self {
            Self::Sessions(router, _) | Self::Mappings(router, _) | Self::Counter(router, ..) => Some(router),
            Self::NoneFrom(_) | Self::Sees(..) | Self::Received(..) => None,
        }
    }
}

/// What must not be on a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Stray {
    /// The link.
    pub link: String,
    /// Where nothing may be from.
    pub prefix: Ipv4Cidr,
    /// Who at an end of the link must not have sent it; `None` for either.
    pub by: Option<String>,
    /// Since when.
    pub since: Time,
}
