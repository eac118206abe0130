//! Why a packet goes no further: for each reason that the router or the engine can have a sentence, the place where that
//! is asked for, and perhaps a hint what to change.
//!
//! These are matches without a wildcard: a reason that is new does not compile before it has its sentence.

use napt::{DropReason, RejectReason};
use router::Refusal;

use super::Case;
use super::hints;

/// What is to be said of a reason.
pub(crate) struct Why {
    /// What it means.
    pub(crate) says: &'static str,
    /// Who wants it so.
    pub(crate) by: &'static str,
    /// What could be changed, if anything.
    pub(crate) hint: fn(&Case<'_>) -> Option<String>,
}

const fn why(says: &'static str, by: &'static str) -> Why {
    Why { says, by, hint: |_| None }
}

const fn hinted(says: &'static str, by: &'static str, hint: fn(&Case<'_>) -> Option<String>) -> Why {
    Why { says, by, hint }
}

/// Of a frame that the router's rules drop.
pub(crate) fn refused(reason: Refusal) -> Why {
    match reason {
        Refusal::Runt => why("it is shorter than an Ethernet header", "IEEE 802.3"),
        Refusal::OtherStation => why("its Ethernet destination is another station", "RFC 1812 s.5.2.1"),
        Refusal::EtherType => why("it is neither IPv4 nor ARP", "RFC 1812 s.3.3.3"),
        Refusal::LinkBroadcast => why(
            "it came to every station or a group on the link, and such packets are not forwarded",
            "RFC 1812 s.5.3.4",
        ),
        Refusal::Arp => why("it is malformed ARP, or from an address that is not of this link", "RFC 826"),
        Refusal::AddressConflict => why("somebody else uses the box's own address", "RFC 5227 s.2.4"),
        Refusal::MartianSource => why("no host can have its source address", "RFC 1812 s.5.3.7"),
        Refusal::MartianDestination => why("no host can have its destination address", "RFC 1812 s.5.3.7"),
        Refusal::LinkLocal => why("a link-local address is of no use beyond its link", "RFC 3927 s.7"),
        Refusal::SpoofedSource => {
            hinted("its source does not belong on this side", "RFC 2827, RFC 1812 s.5.3.8", hints::spoofed)
        }
        Refusal::Multicast => why("it is to a multicast group, and the box routes none", "RFC 1812 s.5.2.1"),
        Refusal::Broadcast => why("it is to the broadcast address of a prefix", "RFC 2644"),
        Refusal::LanToLan => hinted(
            "source and destination are both on the lan: they talk without the box",
            "RFC 1122 s.3.3.1.1",
            hints::lan_to_lan,
        ),
        Refusal::Options => why(
            "one of its IP options is malformed; its sender is told, with ICMP 12/0",
            "RFC 1812 s.4.3.3.5",
        ),
        Refusal::SourceRoute => why("it carries a source route", "RFC 7126 s.4.3, s.4.4"),
        Refusal::NoRoute => hinted(
            "its destination is not on the wan's prefix, and there is no gateway; its sender is told, with ICMP 3/0",
            "RFC 1812 s.4.3.3.1",
            hints::no_route,
        ),
        Refusal::Rule => why("a filter rule about the box itself does not want it", "RFC 1812 s.5.3.9"),
        Refusal::NotServed => hinted(
            "it is to the box itself, which has nothing that would answer, or has answered too often",
            "RFC 1812 s.4.3.2.8",
            hints::not_served,
        ),
        Refusal::HoldFull => {
            why("its next hop is being asked for, and too many packets wait already", "RFC 1122 s.2.3.2.2")
        }
        Refusal::HoldTooLarge => {
            why("its next hop is being asked for, and it is too large to wait", "RFC 1122 s.2.3.2.2")
        }
        Refusal::NoNeighbour => {
            why("its next hop does not answer; its sender is told, with ICMP 3/1", "RFC 1812 s.4.3.3.1")
        }
        Refusal::NeighboursFull => {
            why("there is no room for its next hop among the neighbours", "RFC 1812 s.3.3.2")
        }
        Refusal::OutboxFull => {
            why("there is no room for its fragments before the driver has fetched others", "RFC 1812 s.5.2.6")
        }
    }
}

/// Of a packet that the engine drops.
pub(crate) fn dropped(reason: DropReason) -> Why {
    match reason {
        DropReason::Truncated => why("it is shorter than an IPv4 header", "RFC 1812 s.5.2.2"),
        DropReason::Version => why("it is not IP version 4", "RFC 1812 s.5.2.2"),
        DropReason::HeaderLength => {
            why("its header length is below 20 bytes or beyond the packet", "RFC 1812 s.5.2.2")
        }
        DropReason::TotalLength => {
            why("its total length is below its header's or beyond the packet", "RFC 1812 s.5.2.2")
        }
        DropReason::HeaderChecksum => why("its header checksum is wrong", "RFC 1812 s.5.2.2"),
        DropReason::Fragment => {
            why("it is a fragment for the box of a datagram that did not come whole", "RFC 1122 s.3.3.2")
        }
        DropReason::FragmentShape => why(
            "it is a fragment that no sender makes: of no length, past the end, or inside a TCP header",
            "RFC 791 s.3.2, RFC 3128",
        ),
        DropReason::FragmentOverlap => {
            why("it repeats or contradicts fragments that have passed already", "RFC 1858 s.4, RFC 3128")
        }
        DropReason::FragmentsTooMany => {
            why("its datagram has come in too many separate parts", "RFC 4787 REQ-14a")
        }
        DropReason::FragmentEarly => hinted(
            "the first fragment of its datagram has not come, or not in time, and only that has the ports",
            "RFC 4787 REQ-14",
            hints::fragment_time,
        ),
        DropReason::TooLarge => {
            why("it stands for many packets, each larger than the next link carries", "RFC 4787 REQ-13")
        }
        DropReason::Protocol => hinted("its protocol is not translated", "RFC 3022 s.4", hints::protocol),
        DropReason::Transport => why(
            "its transport header is cut short or contradicts the packet's length",
            "RFC 9293 s.3.1, RFC 768",
        ),
        DropReason::PortZero => why("port 0 is reserved", "RFC 6335 s.6"),
        DropReason::TcpFlags => why("no connection sends such TCP flags", "RFC 9293 s.3.10"),
        DropReason::NoAddress => why("the box has no external address", "RFC 3022 s.2.2"),
        DropReason::NotOurs => hinted(
            "it came from outside and is not to the external address",
            "RFC 1812 s.5.3.8, RFC 3022 s.2.2",
            hints::not_ours,
        ),
        DropReason::NoMapping => hinted(
            "nobody inside uses this external port, and no forward has it",
            "RFC 4787 s.5, RFC 5382 REQ-4",
            hints::no_mapping,
        ),
        DropReason::Filtered => hinted(
            "the port is somebody's, who has not spoken with this sender: the filter stops it",
            "RFC 4787 s.5, REQ-8",
            hints::filtered,
        ),
        DropReason::NoSession => hinted(
            "it belongs to no session and cannot begin one",
            "RFC 5382 REQ-2, RFC 6146 s.3.5.2.2",
            hints::no_session,
        ),
        DropReason::OutOfWindow => why(
            "its numbers cannot belong to the connection that it is sent to",
            "RFC 5961 s.3, s.5, RFC 7857 s.2.2",
        ),
        DropReason::Ambiguous => hinted(
            "its two ends have a session through another external port: answers could not be told apart",
            "RFC 4787 s.4.1",
            hints::ambiguous,
        ),
        DropReason::ProtocolTaken => why(
            "another host inside speaks this protocol with this remote host, and there are no ports to tell them apart",
            "RFC 3022 s.4.1",
        ),
        DropReason::Reserve => hinted(
            "the last eighth of the session table is for those inside",
            "RFC 6888 REQ-4",
            hints::shares,
        ),
        DropReason::HalfOpen => hinted(
            "as many sessions as may be wait for their answer already, of this source or through this forward",
            "RFC 4987 s.3",
            hints::half_open,
        ),
        DropReason::Rule => why("a filter rule drops it", "RFC 3022 s.4.2"),
        DropReason::IcmpType => why("ICMP of this type is not translated", "RFC 5508 REQ-10, REQ-11"),
        DropReason::IcmpChecksum => why("its ICMP checksum is wrong", "RFC 5508 REQ-3"),
        DropReason::Embedded => {
            why("the packet that it quotes is cut short or malformed", "RFC 5508 REQ-3a, REQ-3b")
        }
        DropReason::EmbeddedFragment => why(
            "it quotes a fragment other than the first, which has no ports to find a session by",
            "RFC 5508 s.4.2",
        ),
        DropReason::EmbeddedMismatch => {
            why("it is not to the source of the packet that it quotes", "RFC 5508 REQ-4, REQ-5")
        }
        DropReason::EmbeddedNoSession => {
            why("the packet that it quotes is of no session", "RFC 5508 s.4.2.1")
        }
        DropReason::EmbeddedOutOfWindow => {
            why("the segment that it quotes cannot be under way any more", "RFC 5927 s.4.1")
        }
        DropReason::EmbeddedMtu => why("it tells of an MTU that no link has", "RFC 791 s.3.2, RFC 1191 s.3"),
        DropReason::EmbeddedSourceRoute => why("it quotes a packet with a source route", "RFC 5508 s.7.3"),
    }
}

/// Of a packet that is answered with an ICMP error.
pub(crate) fn rejected(reason: RejectReason) -> Why {
    match reason {
        RejectReason::TtlExpired => {
            why("its time to live ends here; its sender is told, with ICMP 11/0", "RFC 1812 s.5.3.1")
        }
        RejectReason::FragmentationNeeded(_) => why(
            "it is larger than the next link carries and must not be fragmented; its sender is told, with ICMP 3/4",
            "RFC 4787 REQ-13, RFC 1191 s.4",
        ),
        RejectReason::TableFull => {
            hinted("there is no room for another session", "RFC 5508 REQ-8, RFC 6888 REQ-11", hints::shares)
        }
        RejectReason::PortsExhausted => hinted(
            "every external port that it could have is taken",
            "RFC 5508 REQ-8, RFC 6888 REQ-11",
            hints::ports,
        ),
        RejectReason::Rule(_) => {
            why("a filter rule rejects it, and its sender is told", "RFC 1812 s.5.2.7.1")
        }
        RejectReason::HostShare => {
            hinted("its sender has as many sessions as it may have", "RFC 6888 REQ-4, REQ-11", hints::shares)
        }
    }
}
