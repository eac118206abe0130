//! Another firewall's rules, as all of their notations say them: chains of rules with conditions and a verdict.
//!
//! Words: a *hook* is where on a packet's way a chain is asked, its *policy* what becomes of a packet that no rule of it
//! decides about; a condition or verdict is *foreign* if we have no word for it, and keeps its own.

use std::rc::Rc;

use config::{PortRange, Rate, Rejection};

use super::sets::Prefix;

/// Where something stands: file, line, and what stands there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The number of the file among those that were given.
    pub(crate) file: usize,
    /// From 1.
    pub(crate) line: usize,
    /// Its words.
    pub(crate) text: Rc<str>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Ruleset {
    pub(crate) chains: Vec<Chain>,
    /// The files whose listings show no interfaces.
    pub(crate) blind: Vec<usize>,
}

impl Ruleset {
    /// The chain of a table, if there is one.
    pub(crate) fn find(&self, table: &str, name: &str) -> Option<&Chain> {
        self.chains.iter().find(|chain| chain.table == table && chain.name == name)
    }

    /// The chains of a hook, in the order in which a packet meets them.
    pub(crate) fn at(&self, hook: Hook) -> Vec<&Chain> {
        let mut chains: Vec<_> = self.chains.iter().filter(|chain| chain.hook == Some(hook)).collect();
        chains.sort_by_key(|chain| chain.priority);
        chains
    }
}

/// One chain.
#[derive(Debug)]
pub(crate) struct Chain {
    /// The table that it is in, with its family where that matters.
    pub(crate) table: String,
    pub(crate) name: String,
    /// Nothing for one that is only jumped to.
    pub(crate) hook: Option<Hook>,
    pub(crate) priority: i64,
    pub(crate) policy: Verdict,
    /// Where its policy stands.
    pub(crate) place: Place,
    pub(crate) rules: Vec<Rule>,
}

/// Where a chain is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// Before the routing, to give another destination.
    NatIn,
    /// After it, to give another source.
    NatOut,
    /// On the way through.
    Forward,
    /// On the way to the box itself.
    Input,
    /// On the way from the box itself.
    Output,
    /// Anywhere else, where packets are marked and changed.
    Elsewhere,
}

/// One rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) place: Place,
    /// Its number in the chain, from 1.
    pub(crate) number: usize,
    pub(crate) comment: Option<String>,
    pub(crate) conditions: Vec<Condition>,
    /// Whether it writes a line besides its verdict.
    pub(crate) log: bool,
    pub(crate) verdict: Verdict,
}

/// What has to hold for a rule to match.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    /// The interface that the packet came by; a `+` or `*` at the end stands for anything.
    In {
        not: bool,
        names: Vec<String>,
    },
    /// The one that it leaves by.
    Out {
        not: bool,
        names: Vec<String>,
    },
    Source {
        not: bool,
        prefixes: Vec<Prefix>,
    },
    Destination {
        not: bool,
        prefixes: Vec<Prefix>,
    },
    Protocols(Vec<u8>),
    SourcePorts(Vec<PortRange>),
    Ports(Vec<PortRange>),
    /// What conntrack makes of it.
    State {
        not: bool,
        states: Vec<State>,
    },
    /// It begins a TCP connection.
    Syn,
    /// An ICMP message of one of these types.
    IcmpTypes(Vec<u8>),
    /// It is to one of the box's own addresses.
    Local {
        not: bool,
    },
    /// It is IPv6.
    SixOnly,
    Rate(Rate),
    Foreign(String),
}

/// What conntrack can make of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    New,
    Established,
    Related,
    Invalid,
    Untracked,
    /// It has got another destination.
    Dnat,
    /// It has got another source.
    Snat,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The next rule is asked.
    Continue,
    Accept,
    Drop,
    Reject(Rejection),
    Return,
    Jump(String),
    Goto(String),
    /// It goes to this host inside, and to one of these ports if there are some.
    Dnat {
        to: Prefix,
        ports: Option<PortRange>,
    },
    /// It comes from this address, or from that of the interface, and one of these ports if there are some.
    Snat {
        to: Option<Prefix>,
        ports: Option<PortRange>,
    },
    /// The segment size is kept to what the way carries.
    ClampMss,
    /// The next rule is asked, of a packet that we would have made the same.
    Ours(&'static str),
    Foreign(String),
}
