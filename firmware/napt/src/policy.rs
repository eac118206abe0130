//! Filter rules: what may begin (RFC 3022 s.4.2 leaves it to the operator).
//!
//! The first rule that matches decides; where none does, the packet goes its way. Only what begins a session is asked
//! about, and what is for the box itself ([`Way::Own`]): a packet of a session passes without, so rules cost it nothing.
//! Who is inside is known by the internal endpoint, whichever way a session begins: a rule about what comes in by a
//! forward names the host and port that it leads to.

use core::net::Ipv4Addr;

use crate::Realm;
use crate::endpoint::{Endpoint, Protocol};
use crate::settings::{Dependence, PortRange};
use crate::time::Instant;
use crate::transport::{ICMP, TCP, UDP};

/// The most rules that there can be.
pub const MAX_RULES: usize = 256;

/// Which way a rule looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What begins inside and goes out.
    Outbound,
    /// What begins outside, by a forward or as the filtering behaviour lets it in.
    Inbound,
    /// What is for the box itself, from a realm.
    Own(Realm),
}

/// Which protocol a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matched {
    /// Whichever.
    Any,
    /// TCP or UDP.
    TcpOrUdp,
    /// One, by its number.
    Number(u8),
}

impl Matched {
    const fn includes(self, number: u8) -> bool {
        match self {
            Self::Any => true,
            Self::TcpOrUdp => number == TCP || number == UDP,
            Self::Number(own) => own == number,
        }
    }
}

/// The addresses whose bits under `mask` are those of `network`, or all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The bits.
    pub network: u32,
    /// Which bits.
    pub mask: u32,
    /// Whether all others are meant.
    pub is_negated: bool,
}

impl Addresses {
    /// Every address.
    pub const ALL: Self = Self { network: 0, mask: 0, is_negated: false };

    const fn include(self, address: Ipv4Addr) -> bool {
        (address.to_bits() & self.mask == self.network) != self.is_negated
    }
}

/// What becomes of what a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes its way.
    Accept,
    /// It is dropped.
    Drop,
    /// It is dropped, and its sender told so.
    Reject(Rejection),
}

/// How the sender of a rejected packet is told: by an ICMP destination unreachable with a code (RFC 792, RFC 1122 s.3.2.2.1,
/// RFC 1812 s.5.2.7.1), or by a RST from whom it was sent to (RFC 9293 s.3.10.7.1). One byte, so that a verdict stays as small
/// as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 3/0.
    NetUnreachable,
    /// 3/1.
    HostUnreachable,
    /// 3/2.
    ProtocolUnreachable,
    /// 3/3.
    PortUnreachable,
    /// 3/9.
    NetProhibited,
    /// 3/10.
    HostProhibited,
    /// 3/13.
    AdminProhibited,
    /// A RST.
    TcpReset,
}

impl Rejection {
    /// The code of the ICMP error, unless it is told by a RST.
    pub const fn code(self) -> Option<u8> {
        Some(match self {
            Self::NetUnreachable => 0,
            Self::HostUnreachable => 1,
            Self::ProtocolUnreachable => 2,
            Self::PortUnreachable => 3,
            Self::NetProhibited => 9,
            Self::HostProhibited => 10,
            Self::AdminProhibited => 13,
            Self::TcpReset => return None,
        })
    }
}

/// How often a rule matches at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So often,
    pub count: u16,
    /// in so many seconds;
    pub seconds: u16,
    /// and so often at once after a pause.
    pub burst: u16,
}

impl Rate {
    /// How long it takes until it may match once more, in milliseconds; at least one.
    fn millis(self) -> u64 {
        (u64::from(self.seconds) * 1000 / u64::from(self.count.max(1))).max(1)
    }

    /// Whether it may match once more, by when it will have been paid for; then that is later.
    fn allows(self, now: Instant, paid: &mut Instant) -> bool {
        let ahead = paid.millis().saturating_sub(now.millis());
        let is_allowed = ahead + self.millis() <= u64::from(self.burst) * self.millis();
        if is_allowed {
            *paid = Instant::from_millis(paid.millis().max(now.millis()) + self.millis());
        }
        is_allowed
    }
}

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Which way it looks.
    pub way: Way,
    /// Which protocol it is about.
    pub protocol: Matched,
    /// Whom it is from.
    pub source: Addresses,
    /// From which ports. A rule with ports is about TCP and UDP alone.
    pub source_ports: PortRange,
    /// Whom it is to; inside, the internal address.
    pub destination: Addresses,
    /// To which ports; inside, the internal ones.
    pub ports: PortRange,
    /// What becomes of it.
    pub action: Action,
    /// How often it matches at most; beyond that the next rules are asked.
    pub rate: Option<Rate>,
    /// Whether what it matches is noted.
    pub log: bool,
}

/// What a rule is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which way it goes.
    pub way: Way,
    /// Its protocol's number (RFC 791).
    pub number: u8,
    /// Whom it is from. The port is one of TCP or UDP, or of no account.
    pub source: Endpoint,
    /// Whom it is to, likewise.
    pub destination: Endpoint,
}

impl Asked {
    /// What begins between an internal endpoint and a remote one, on a way.
    pub(crate) fn between(way: Way, protocol: Protocol, internal: Endpoint, remote: Endpoint) -> Self {
        // What stands for a port is the number where nothing else does.
        let number = number_of(protocol).unwrap_or(internal.port as u8);
        let (source, destination) =
            if way == Way::Outbound { (internal, remote) } else { (remote, internal) };
        Self { way, number, source, destination }
    }
}

impl Rule {
    fn matches(&self, asked: &Asked) -> bool {
        let among = |range: PortRange, port: u16| range == PortRange::ALL || range.contains(port);
        self.way == asked.way
            && self.protocol.includes(asked.number)
            && self.source.include(asked.source.address)
            && self.destination.include(asked.destination.address)
            && among(self.source_ports, asked.source.port)
            && among(self.ports, asked.destination.port)
    }

    /// Whether it matches any of what a protocol's sessions are.
    const fn is_about(&self, protocol: Protocol) -> bool {
        match number_of(protocol) {
            Some(number) => self.protocol.includes(number),
            None => true,
        }
    }
}

/// The number of a protocol, if it stands for one alone.
const fn number_of(protocol: Protocol) -> Option<u8> {
    match protocol {
        Protocol::Tcp => Some(TCP),
        Protocol::Udp => Some(UDP),
        Protocol::Icmp => Some(ICMP),
        Protocol::Other => None,
    }
}

/// How much a rule has had to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleUse {
    /// The packets that it has decided on: the first of each session, and each to the box itself.
    pub packets: u64,
    /// Their length, from the IPv4 header on.
    pub bytes: u64,
    /// When it last did; of no account as long as there was no packet.
    pub last: Instant,
}

/// What a rule with [`Rule::log`] has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its place in the order.
    pub rule: usize,
    /// About what.
    pub asked: Asked,
    /// How.
    pub action: Action,
}

/// The notes that nobody has read yet: so many, and no more (the rest is counted by the rules themselves).
const NOTES: usize = 8;

/// How often one may be made, so that whoever sends what is logged fills no log.
const NOTED: Rate = Rate { count: 10, seconds: 1, burst: NOTES as u16 };

/// The rules of a box, in their order, and what they have had to do.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: [Rule; MAX_RULES],
    count: usize,
}

/// What has become of a policy so far.
pub(crate) struct PolicyState {
    uses: [RuleUse; MAX_RULES],
    /// When each rule with a rate will have been paid for, as in the generic cell rate algorithm (ITU-T I.371).
    paid: [Instant; MAX_RULES],
    notes: [Option<Note>; NOTES],
    /// When the notes will have been paid for, likewise.
    noted: Instant,
}

impl Default for Policy {
    fn default() -> Self {
        const UNUSED: Rule = Rule {
            way: Way::Outbound,
            protocol: Matched::Any,
            source: Addresses::ALL,
            source_ports: PortRange::ALL,
            destination: Addresses::ALL,
            ports: PortRange::ALL,
            action: Action::Accept,
            rate: None,
            log: false,
        };
        Self { rules: [UNUSED; MAX_RULES], count: 0 }
    }
}

impl Policy {
    /// Adds one. `None` if there are [`MAX_RULES`] already.
    pub fn push(&mut self, rule: Rule) -> Option<()> {
        *self.rules.get_mut(self.count)? = rule;
        self.count += 1;
        Some(())
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().take(self.count)
    }

    /// Whether there is none.
    #[inline(always)]
    pub(crate) const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether a session may be that has begun already: whatever the rate was then.
    pub(crate) fn permits(&self, asked: &Asked) -> bool {
        let decides = self.iter().find(|rule| rule.matches(asked));
        decides.is_none_or(|rule| rule.action == Action::Accept)
    }

    /// How much of a remote endpoint the rules about a protocol look at, so that its sessions keep as much.
    pub(crate) fn dependence(&self, protocol: Protocol) -> Dependence {
        let of = |rule: &Rule| {
            let (addresses, ports) = match rule.way {
                Way::Outbound => (rule.destination, rule.ports),
                Way::Inbound => (rule.source, rule.source_ports),
                Way::Own(_) => return Dependence::Endpoint,
            };
            match (ports == PortRange::ALL, addresses == Addresses::ALL) {
                (false, _) => Dependence::AddressAndPort,
                (true, false) => Dependence::Address,
                (true, true) => Dependence::Endpoint,
            }
        };
        self.iter().filter(|rule| rule.is_about(protocol)).map(of).max().unwrap_or(Dependence::Endpoint)
    }
}

impl PolicyState {
    pub(crate) const fn new() -> Self {
        const UNUSED: RuleUse = RuleUse { packets: 0, bytes: 0, last: Instant::ZERO };
        Self {
            uses: [UNUSED; MAX_RULES],
            paid: [Instant::ZERO; MAX_RULES],
            notes: [None; NOTES],
            noted: Instant::ZERO,
        }
    }

    /// What the first rule that matches says of a packet of so many bytes.
    #[cold]
    #[inline(never)]
    pub(crate) fn decide(&mut self, now: Instant, policy: &Policy, asked: &Asked, bytes: usize) -> Action {
        for (number, rule) in policy.iter().enumerate() {
            if !rule.matches(asked) {
                continue;
            }
            if let (Some(rate), Some(paid)) = (rule.rate, self.paid.get_mut(number))
                && !rate.allows(now, paid)
            {
                continue;
            }
            if let Some(used) = self.uses.get_mut(number) {
                *used = RuleUse { packets: used.packets + 1, bytes: used.bytes + bytes as u64, last: now };
            }
            if rule.log
                && let Some(place) = self.notes.iter_mut().find(|note| note.is_none())
                && NOTED.allows(now, &mut self.noted)
            {
                *place = Some(Note { rule: number, asked: *asked, action: rule.action });
            }
            return rule.action;
        }
        Action::Accept
    }

    /// The next note, once.
    pub(crate) fn take_note(&mut self) -> Option<Note> {
        let first = self.notes.first_mut()?.take()?;
        self.notes.rotate_left(1);
        Some(first)
    }

    /// What each rule has had to do.
    pub(crate) fn uses(&self) -> impl Iterator<Item = RuleUse> {
        self.uses.iter().copied()
    }

    /// Goes on under another policy: rules that are there as before keep what they have had to do, in their new places.
    pub(crate) fn follow(&mut self, before: &Policy, after: &Policy) {
        let old = core::mem::replace(self, Self::new());
        self.noted = old.noted;
        let mut taken = [false; MAX_RULES];
        let places = self.uses.iter_mut().zip(&mut self.paid);
        for (rule, (used, paid)) in after.iter().zip(places) {
            let mut same = before.iter().zip(&mut taken).enumerate();
            let Some((number, (_, taken))) = same.find(|(_, (it, taken))| *it == rule && !**taken) else {
                continue;
            };
            *taken = true;
            *used = old.uses.get(number).copied().unwrap_or_default();
            *paid = old.paid.get(number).copied().unwrap_or_default();
        }
    }
}
