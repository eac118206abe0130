//! Everything that can be wrong with a configuration, by name.
//!
//! An [`Error`] is either about the envelope (the bytes are not a blob of ours) or about one [`Field`], with the
//! [`Problem`] that field has. The two are apart so that a tool can turn the field into file, line and key, and
//! the problem into advice, with one table each. Forwards and rules are named by their index, counted from 0. A byte
//! holds it, so that an error is no larger than a register, and handing one on takes few instructions.

use core::fmt;

use crate::{Share, Timer};

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The bytes do not begin with the four letters of a blob: they are something else.
    WrongMagic,
    /// The blob's schema version, given here, is not one this program knows.
    UnsupportedVersion(u16),
    /// The blob is shorter or longer than its own length field says, or than any blob may be.
    WrongLength,
    /// The blob's CRC-32 does not match its bytes: it was damaged.
    WrongChecksum,
    /// The settings inside a sound envelope cannot be read: cut short, too long, or of an unknown kind.
    MalformedBody,
    /// The settings are spelled in another way than [`Config::encode`](crate::Config::encode) spells them.
    NotCanonical,
    /// A signed configuration has the sequence 0: they begin with 1.
    NoSequence,
    /// The buffer given to [`Config::encode`](crate::Config::encode) is too small.
    BufferTooSmall,
    /// One setting is wrong, alone or beside the others.
    Invalid(Field, Problem),
}

const _: () = assert!(size_of::<Error>() <= size_of::<u64>());

/// The setting an [`Error`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The name of the interface towards the Internet.
    WanInterface,
    /// The address and prefix length of that interface.
    WanAddress,
    /// The next hop for everything that is not on either link.
    WanGateway,
    /// The name of the interface towards the hosts we translate for.
    LanInterface,
    /// The address and prefix length of that interface.
    LanAddress,
    /// The external ports the NAT may give to mappings.
    NatPorts,
    /// One of the shares of the box's sessions.
    Share(Share),
    /// One of the idle timers.
    Timer(Timer),
    /// The list of forwards as a whole.
    Forwards,
    /// The name of the forward with this index.
    ForwardName(u8),
    /// The external ports of the forward with this index.
    ForwardExternal(u8),
    /// The internal endpoint of the forward with this index.
    ForwardInternal(u8),
    /// The list of rules as a whole.
    Rules,
    /// The name of the rule with this index.
    RuleName(u8),
    /// Who a packet is from or to, of the rule with this index.
    RuleAddresses(u8),
    /// The ports of the rule with this index.
    RulePorts(u8),
    /// What the rule with this index does.
    RuleAction(u8),
    /// How often the rule with this index matches.
    RuleRate(u8),
    /// The secret of the control channel.
    ControlKey,
    /// Its port on the lan.
    ControlLanPort,
    /// The public key of whoever signs configurations.
    ControlSigner,
}

/// What is wrong with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A setting that has no default is not there.
    Missing,
    /// Not a name that Linux accepts for an interface.
    NotAnInterfaceName,
    /// The other side's interface has the same name.
    SameInterface,
    /// A prefix length of 0, or of more than 32.
    PrefixLength,
    /// An address of 0.0.0.0/8, "this network" (RFC 1812, section 5.3.7).
    ThisNetwork,
    /// An address of 127.0.0.0/8 (RFC 1812, section 5.3.7).
    Loopback,
    /// An address of 169.254.0.0/16, which no router forwards (RFC 3927, section 7).
    LinkLocal,
    /// An address of 224.0.0.0/4, a group rather than a host.
    Multicast,
    /// An address of 240.0.0.0/4, which nobody assigns, or the limited broadcast.
    Reserved,
    /// The first address of its prefix, which names the network.
    NetworkAddress,
    /// The last address of its prefix, which is everybody on it.
    BroadcastAddress,
    /// The LAN and the WAN prefix have addresses in common.
    PrefixesOverlap,
    /// The gateway is not in the WAN prefix, so nobody could reach it.
    OffLink,
    /// The gateway or the internal host is the box itself.
    OwnAddress,
    /// A port range whose last port comes before its first.
    EmptyRange,
    /// Port 0, which cannot be used on the wire.
    PortZero,
    /// Not a name for a forward or a rule.
    NotAName,
    /// The forward, or the rule, with this index has the same name.
    DuplicateName(u8),
    /// The forward with this index has the same protocol and one of the same external ports.
    Overlaps(u8),
    /// The internal host of a forward is not in the LAN prefix.
    OutsideLan,
    /// A range of internal ports that would run past 65535.
    PastLastPort,
    /// A share of no sessions.
    NoSessions,
    /// A host is guaranteed more sessions than it may begin.
    AboveHostShare,
    /// A timer shorter than its RFC allows.
    BelowFloor,
    /// A timer longer than we allow.
    AboveCeiling,
    /// A timer that is not a whole number of seconds.
    NotWholeSeconds,
    /// More than [`MAX_FORWARDS`](crate::MAX_FORWARDS) forwards or [`MAX_RULES`](crate::MAX_RULES) rules.
    TooMany,
    /// An address with bits beyond its prefix.
    HostBits,
    /// Ports of a protocol that has none, or of all protocols.
    PortsWithoutProtocol,
    /// A TCP reset in answer to what need not be TCP.
    ResetWithoutTcp,
    /// A rate of nothing.
    NoRate,
    /// A secret of zeros alone.
    ZeroKey,
    /// No public key of Ed25519, or one that protects nothing.
    NotAPublicKey,
}

impl Problem {
    /// The error that `field` has this problem.
    pub const fn with(self, field: Field) -> Error {
        Error::Invalid(field, self)
    }
}

impl core::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongMagic => f.write_str("not a configuration blob: it does not begin with SKSH"),
            Self::UnsupportedVersion(version) => write!(f, "unsupported schema version {version}"),
            Self::WrongLength => f.write_str("wrong length: cut short, or with something behind it"),
            Self::WrongChecksum => f.write_str("wrong checksum: the blob is damaged"),
            Self::MalformedBody => f.write_str("malformed body: the settings cannot be read"),
            Self::NotCanonical => f.write_str("not canonical: no tool of ours writes settings like this"),
            Self::NoSequence => f.write_str("signed with the sequence 0, before the first"),
            Self::BufferTooSmall => f.write_str("the buffer is too small for the blob"),
            Self::Invalid(field, problem) => write!(f, "{field} {problem}"),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WanInterface => f.write_str("wan interface"),
            Self::WanAddress => f.write_str("wan address"),
            Self::WanGateway => f.write_str("wan gateway"),
            Self::LanInterface => f.write_str("lan interface"),
            Self::LanAddress => f.write_str("lan address"),
            Self::NatPorts => f.write_str("nat ports"),
            Self::Share(share) => write!(f, "share {}", share.name()),
            Self::Timer(timer) => write!(f, "timer {}", timer.name()),
            Self::Forwards => f.write_str("forwards"),
            Self::ForwardName(index) => write!(f, "name of forward {index}"),
            Self::ForwardExternal(index) => write!(f, "external ports of forward {index}"),
            Self::ForwardInternal(index) => write!(f, "internal endpoint of forward {index}"),
            Self::Rules => f.write_str("rules"),
            Self::RuleName(index) => write!(f, "name of rule {index}"),
            Self::RuleAddresses(index) => write!(f, "addresses of rule {index}"),
            Self::RulePorts(index) => write!(f, "ports of rule {index}"),
            Self::RuleAction(index) => write!(f, "action of rule {index}"),
            Self::RuleRate(index) => write!(f, "rate of rule {index}"),
            Self::ControlKey => f.write_str("control key"),
            Self::ControlLanPort => f.write_str("control lan port"),
            Self::ControlSigner => f.write_str("control signer"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::DuplicateName(other) => return write!(f, "is also the name of number {other}"),
            Self::Overlaps(other) => return write!(f, "overlap those of forward {other}"),
            Self::Missing => "is missing",
            Self::NotAnInterfaceName => "is not an interface name",
            Self::SameInterface => "is the interface of the other side too",
            Self::PrefixLength => "has a prefix length outside 1 to 32",
            Self::ThisNetwork => "is in 0.0.0.0/8",
            Self::Loopback => "is a loopback address",
            Self::LinkLocal => "is a link-local address",
            Self::Multicast => "is a multicast address",
            Self::Reserved => "is a reserved address",
            Self::NetworkAddress => "is the network address of its prefix",
            Self::BroadcastAddress => "is the broadcast address of its prefix",
            Self::PrefixesOverlap => "has a prefix that overlaps the other side's",
            Self::OffLink => "is not on the link",
            Self::OwnAddress => "is the box's own address",
            Self::EmptyRange => "is an empty range",
            Self::PortZero => "contains port 0",
            Self::NotAName => "is not a name",
            Self::OutsideLan => "is outside the LAN prefix",
            Self::PastLastPort => "runs past port 65535",
            Self::NoSessions => "is 0",
            Self::AboveHostShare => "is above a host's share",
            Self::BelowFloor => "is below its floor",
            Self::AboveCeiling => "is above its ceiling",
            Self::NotWholeSeconds => "is not a whole number of seconds",
            Self::TooMany => "are too many",
            Self::HostBits => "has bits beyond its prefix",
            Self::PortsWithoutProtocol => "need protocol tcp, udp or both",
            Self::ResetWithoutTcp => "resets what need not be TCP",
            Self::NoRate => "is 0",
            Self::ZeroKey => "is all zeros",
            Self::NotAPublicKey => "is not a public key",
        };
        f.write_str(text)
    }
}
