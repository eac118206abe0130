//! The engine's answers, and their counters. One reason, one variant, one counter, one test at least.

use crate::Realm;
use crate::policy::Rejection;

/// What is to become of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a verdict that nobody carries out loses the packet"]
pub enum Verdict {
    /// It has been translated in place: send it into this realm (back into its own when hairpinned).
    Forward(Realm),
    /// It is for the box itself, untouched; a first fragment, too, whose others are then the caller's to know.
    Local,
    /// It is a fragment whose first has not come yet, untouched: hold it, and present it again when the first has been
    /// forwarded. This is not the last word on it, so it is not counted; if the first does not come, count it with
    /// [`crate::Engine::count`] as [`DropReason::FragmentEarly`].
    Hold,
    /// It goes no further, untouched, and its sender is to be told why.
    Reject(RejectReason),
    /// It goes no further, untouched, silently.
    Drop(DropReason),
}

/// Why a packet is answered with an ICMP error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectReason {
    /// Its time to live has run out: 11/0 (RFC 1812 s.5.3.1).
    TtlExpired,
    /// It is larger than the link into this realm carries and must not be fragmented: 3/4 with that link's MTU (RFC 1191,
    /// RFC 5508 s.7.1.1).
    FragmentationNeeded(Realm),
    /// No room for another session or mapping: 3/13 (RFC 5508 REQ-8; RFC 6888 REQ-11 would say 3/1).
    TableFull,
    /// Every external port of its class is taken: 3/13, as above.
    PortsExhausted,
    /// Its sender has as many sessions as it may have: 3/13, as above (RFC 6888 REQ-4, REQ-11).
    HostShare,
    /// A filter rule says so, and how to tell.
    Rule(Rejection),
}

impl RejectReason {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// One of each, in the order of the counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::TtlExpired,
        Self::FragmentationNeeded(Realm::External),
        Self::TableFull,
        Self::PortsExhausted,
        Self::HostShare,
        Self::Rule(Rejection::PortUnreachable),
    ];

    /// What the counters call each, in the order of [`RejectReason::index`].
    pub const NAMES: [&str; Self::COUNT] =
        ["ttl expired", "fragmentation needed", "table full", "ports exhausted", "host share", "rule"];

    /// The reason's place among the counters.
    pub const fn index(self) -> usize {
        match self {
            Self::TtlExpired => 0,
            Self::FragmentationNeeded(_) => 1,
            Self::TableFull => 2,
            Self::PortsExhausted => 3,
            Self::HostShare => 4,
            Self::Rule(_) => 5,
        }
    }
}

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DropReason {
    /// Shorter than an IPv4 header (RFC 1812 s.5.2.2; so are the next four).
    Truncated,
    /// Not version 4.
    Version,
    /// A header length below 20 bytes or beyond the packet.
    HeaderLength,
    /// A total length below the header's or beyond the packet.
    TotalLength,
    /// A wrong header checksum.
    HeaderChecksum,
    /// A fragment for the box itself, of a datagram that did not come whole, or in time, or is too large; the caller, who
    /// puts them together, counts it with [`crate::Engine::count`].
    Fragment,
    /// A fragment that no sender makes: its length is zero, or not a multiple of eight though more follow, or it ends
    /// beyond 65,535 bytes; or it begins inside a TCP header (RFC 3128).
    FragmentShape,
    /// A fragment of what has passed already, in part at least, or that does not agree with where the datagram ends.
    FragmentOverlap,
    /// A fragment of a datagram that has come in too many separate parts.
    FragmentsTooMany,
    /// A fragment whose datagram's first did not come, or not in time.
    FragmentEarly,
    /// A packet that stands for many, each of which is larger than the next link carries.
    TooLarge,
    /// A protocol that is not translated: IGMP, AH, and any but TCP, UDP and ICMP where the settings say so.
    Protocol,
    /// A TCP, UDP or ICMP header that is cut short or contradicts the packet's length.
    Transport,
    /// Port 0 at either end.
    PortZero,
    /// TCP flags that no connection sends: none, SYN with FIN, SYN with RST, FIN without ACK.
    TcpFlags,
    /// From inside, while there is no external address.
    NoAddress,
    /// From outside, and not to the external address.
    NotOurs,
    /// From outside, to a port without mapping or forward; or from inside, to such a port of the external address.
    NoMapping,
    /// From outside, to a mapping whose filter does not know the sender (RFC 4787 s.5).
    Filtered,
    /// A TCP segment that belongs to no session and cannot begin one.
    NoSession,
    /// A TCP segment from outside that cannot belong to the connection it is sent to (RFC 5961; RFC 7857 s.2.2).
    OutOfWindow,
    /// A second external port leads one remote endpoint to one internal endpoint, by another forward or by a mapping
    /// that is not endpoint-independent: answers could not be told apart.
    Ambiguous,
    /// Another internal host speaks this protocol with this remote host already: without ports, answers could not be
    /// told apart.
    ProtocolTaken,
    /// From outside, to begin a session where only the reserve for those from inside is left.
    Reserve,
    /// From outside, to begin a session where as many as may be wait for an answer already, through the same forward
    /// or from the same source.
    HalfOpen,
    /// A filter rule says so.
    Rule,
    /// An ICMP type that is not translated: redirect, source quench, anything unknown (RFC 5508 REQ-10, REQ-11).
    IcmpType,
    /// An ICMP error with a wrong ICMP checksum (RFC 5508 REQ-3).
    IcmpChecksum,
    /// An ICMP error whose embedded packet is cut short or malformed (RFC 5508 REQ-3a, REQ-3b).
    Embedded,
    /// An ICMP error about a fragment other than the first: no ports to find its session by.
    EmbeddedFragment,
    /// An ICMP error whose destination is not the source of the packet it quotes.
    EmbeddedMismatch,
    /// An ICMP error about a packet of no session (RFC 5508 s.4.2.1).
    EmbeddedNoSession,
    /// An ICMP error about a TCP segment that cannot be under way any more (RFC 5927 s.4.1).
    EmbeddedOutOfWindow,
    /// An ICMP error that tells of an MTU no link has.
    EmbeddedMtu,
    /// An ICMP error from inside about a packet with a source route (RFC 5508 s.7.3).
    EmbeddedSourceRoute,
}

impl DropReason {
    /// How many there are.
    pub const COUNT: usize = 35;

    /// Each of them, in the order of the counters.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Truncated,
        Self::Version,
        Self::HeaderLength,
        Self::TotalLength,
        Self::HeaderChecksum,
        Self::Fragment,
        Self::FragmentShape,
        Self::FragmentOverlap,
        Self::FragmentsTooMany,
        Self::FragmentEarly,
        Self::TooLarge,
        Self::Protocol,
        Self::Transport,
        Self::PortZero,
        Self::TcpFlags,
        Self::NoAddress,
        Self::NotOurs,
        Self::NoMapping,
        Self::Filtered,
        Self::NoSession,
        Self::OutOfWindow,
        Self::Ambiguous,
        Self::ProtocolTaken,
        Self::Reserve,
        Self::HalfOpen,
        Self::Rule,
        Self::IcmpType,
        Self::IcmpChecksum,
        Self::Embedded,
        Self::EmbeddedFragment,
        Self::EmbeddedMismatch,
        Self::EmbeddedNoSession,
        Self::EmbeddedOutOfWindow,
        Self::EmbeddedMtu,
        Self::EmbeddedSourceRoute,
    ];

    /// What the counters call each, in the order of the variants.
    pub const NAMES: [&str; Self::COUNT] = [
        "truncated",
        "not version 4",
        "header length",
        "total length",
        "header checksum",
        "fragment",
        "fragment shape",
        "fragment overlap",
        "too many fragments",
        "fragment without first",
        "too large",
        "protocol",
        "transport header",
        "port zero",
        "tcp flags",
        "no address",
        "not our address",
        "no mapping",
        "filtered",
        "no session",
        "out of window",
        "ambiguous forward",
        "protocol taken",
        "reserve",
        "half-open",
        "rule",
        "icmp type",
        "icmp checksum",
        "embedded packet",
        "embedded fragment",
        "embedded mismatch",
        "embedded without session",
        "embedded out of window",
        "embedded mtu",
        "embedded source route",
    ];

    /// The reason's place among the counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

const _: () = {
    let mut at = 0;
    while at < DropReason::COUNT {
        assert!(DropReason::ALL[at].index() == at);
        at += 1;
    }
};

/// How often each verdict was given to packets from one realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters {
    /// Packets translated and sent on.
    pub forwarded: u64,
    /// Packets for the box itself.
    pub local: u64,
    /// Packets answered with an ICMP error, by [`RejectReason::index`].
    pub rejected: [u64; RejectReason::COUNT],
    /// Packets dropped, by [`DropReason::index`].
    pub dropped: [u64; DropReason::COUNT],
}

impl Default for Counters {
    fn default() -> Self {
        Self { forwarded: 0, local: 0, rejected: [0; RejectReason::COUNT], dropped: [0; DropReason::COUNT] }
    }
}

impl Counters {
    /// Counts one verdict.
    pub(crate) fn count(&mut self, verdict: Verdict) {
        if let Some(counter) = self.of(verdict) {
            *counter += 1;
        }
    }

    /// Takes one back.
    pub(crate) fn uncount(&mut self, verdict: Verdict) {
        if let Some(counter) = self.of(verdict) {
            *counter -= 1;
        }
    }

    #[inline(always)]
    fn of(&mut self, verdict: Verdict) -> Option<&mut u64> {
        match verdict {
            Verdict::Forward(_) => Some(&mut self.forwarded),
            Verdict::Local => Some(&mut self.local),
            Verdict::Hold => None,
            Verdict::Reject(reason) => self.rejected.get_mut(reason.index()),
            Verdict::Drop(reason) => self.dropped.get_mut(reason.index()),
        }
    }

    /// Every packet counted, whatever became of it.
    pub fn total(&self) -> u64 {
        self.forwarded + self.local + self.rejected.iter().sum::<u64>() + self.dropped.iter().sum::<u64>()
    }
}
