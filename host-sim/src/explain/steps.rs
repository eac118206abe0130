//! A packet's way through the box, in steps, told from what the router shows: counters, tables, and bytes.
//!
//! Each step is one function and returns nothing where it has nothing to say. *Found* is the session that the packet is of,
//! as it was before; *kept*, as it is now.

use std::time::Duration;

use config::{Action, Behaviour, Behaviours, Config, Forward};
use napt::{Begun, DropReason, MappingPhase, MappingView, Protocol, Remote, SessionView};
use router::{Refusal, Side};
use smoltcp::wire::{EthernetFrame, Ipv4Packet, TcpOption, TcpPacket};

use super::reasons::{self, Why};
use super::{Case, Step};
use crate::ether::HEADER;
use crate::print::Printer;
use crate::specimen::{Departed, Event, Outcome, Snapshot, Specimen};
use crate::wire::{self, ICMP, TCP, UDP};

/// What is known of a packet's way.
pub(super) struct Way<'a> {
    pub(super) case: Case<'a>,
    pub(super) event: &'a Event,
    pub(super) after: &'a Snapshot,
    /// As it came.
    pub(super) frame: &'a [u8],
    /// Whether the asker has said which side it comes by.
    pub(super) told: bool,
    /// What the box had said while time passed before it.
    pub(super) said: &'a [Departed],
}

/// All of them.
pub(super) fn steps(way: &Way<'_>, specimen: &Specimen<'_>) -> Vec<Step> {
    let meanwhile = way.said.iter().map(|departed| says("meanwhile", departed));
    let through = [
        arrival(way),
        rules(way),
        forward(way),
        filter_rule(way),
        mapping(way),
        filter(way),
        session(way, kept(way)),
        session(way, receiver(way)),
        verdict(way),
    ];
    let behind = [hint(way), rewritten(way), next_hop(way, specimen)];
    let own = way.event.own.iter().map(|departed| says("answer", departed));
    meanwhile.chain(through.into_iter().chain(behind).flatten()).chain(own).collect()
}

fn step(what: &'static str, says: String, by: &'static str) -> Option<Step> {
    Some(Step { what, says, by })
}

/// A side, and what its interface is called, if that is known.
fn port(config: &Config, side: Side) -> String {
    let interface = match side {
        Side::Lan => config.lan().interface(),
        Side::Wan => config.wan().interface(),
    };
    interface.map_or_else(|| side.to_string(), |interface| format!("{side}, {interface}"))
}

/// Which side it comes by.
fn arrival(way: &Way<'_>) -> Option<Step> {
    let Case { config, side, source, .. } = way.case;
    let (lan, source) = (config.lan().address(), source?);
    let why = match (way.told, side) {
        (true, _) => "as you say".to_owned(),
        (false, Side::Lan) => format!("{source} is of its network {}/{}", lan.network(), lan.prefix_len()),
        (false, Side::Wan) => {
            format!("{source} is not of the lan's network {}/{}", lan.network(), lan.prefix_len())
        }
    };
    step("comes in", format!("by the {}: {why}", port(config, side)), "RFC 2663 s.2")
}

/// Whether the router's rules have let it in.
fn rules(way: &Way<'_>) -> Option<Step> {
    let Case { config, side, destination, .. } = way.case;
    let destination = destination?;
    match way.event.outcome {
        // These come to the verdict before any rule, or are one.
        Outcome::Refused(reason) if !is_late(reason) => return None,
        Outcome::Dropped(reason) if reason.index() <= DropReason::HeaderChecksum.index() => return None,
        Outcome::Arp => return None,
        _ => (),
    }
    let own = match side {
        Side::Lan => config.lan().address().address(),
        Side::Wan => config.wan().address().address(),
    };
    let whom = match side {
        Side::Lan if destination == own => "it is for the box itself",
        Side::Lan if destination == config.wan().address().address() => {
            "it is to the external address, from inside: it will come back in"
        }
        Side::Lan => "it is for somebody beyond the lan",
        Side::Wan if destination == own => "it is to the external address",
        Side::Wan => "where it is to, the translation decides",
    };
    step(
        "rules",
        format!("let it in: its source belongs on the {side}, and {whom}"),
        "RFC 1812 s.5.3.7, RFC 2827",
    )
}

/// Whether a packet is refused only after its translation.
const fn is_late(reason: Refusal) -> bool {
    matches!(
        reason,
        Refusal::NotServed
            | Refusal::HoldFull
            | Refusal::HoldTooLarge
            | Refusal::NoNeighbour
            | Refusal::NeighboursFull
            | Refusal::OutboxFull
    )
}

/// The forward that it goes by.
fn forward(way: &Way<'_>) -> Option<Step> {
    let asked = way
        .case
        .before
        .hits
        .iter()
        .zip(&way.after.hits)
        .position(|(before, after)| before.count < after.count);
    let config = way.case.config;
    let by_hits = || asked.and_then(|at| config.forwards().get(at));
    let of_session = || {
        let session = kept(way)?;
        config.forwards().iter().find(|forward| {
            carries(forward, session.protocol) && forward.internal_port(session.external).is_some()
        })
    };
    let forward = by_hits().or_else(of_session).or_else(|| hairpinned_by(way))?;
    let says = format!(
        "{:?} leads {} {} to {}:{}",
        forward.name().as_str(),
        forward.protocols().name(),
        forward.external(),
        forward.internal(),
        forward.internal_ports(),
    );
    step("forward", says, "RFC 3022 s.2.2, RFC 7857 s.5")
}

/// The filter rule that decides on it.
fn filter_rule(way: &Way<'_>) -> Option<Step> {
    let before = &way.case.before.ruled;
    let has_decided = before.iter().zip(&way.after.ruled).position(|(before, after)| before < after);
    let rule = way.case.config.rules().get(has_decided?)?;
    let does = match rule.action {
        Action::Accept => "accepts it".to_owned(),
        Action::Drop => "drops it".to_owned(),
        Action::Reject(how) => format!("rejects it, with {}", how.name()),
    };
    step("rule", format!("{:?} {does}", rule.name.as_str()), "RFC 3022 s.4.2")
}

/// The forward that brings a packet from inside back in.
fn hairpinned_by<'a>(way: &'a Way<'_>) -> Option<&'a Forward> {
    let flow = receiver(way).and(way.case.flow)?;
    let forwards = way.case.config.forwards();
    forwards.iter().find(|it| carries(it, protocol(flow.protocol)) && it.internal_port(flow.to.1).is_some())
}

fn carries(forward: &Forward, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Tcp => forward.protocols().tcp(),
        Protocol::Udp => forward.protocols().udp(),
        Protocol::Icmp | Protocol::Other => false,
    }
}

/// The mapping that it goes by, or makes.
fn mapping(way: &Way<'_>) -> Option<Step> {
    let is_used = |it: &&MappingView| match kept(way) {
        Some(session) => (it.protocol, it.external) == (session.protocol, session.external),
        None => way.case.flow.is_some_and(|flow| {
            way.case.side == Side::Wan && (it.protocol, it.external) == (protocol(flow.protocol), flow.to.1)
        }),
    };
    let mapping = way.after.mappings.iter().find(is_used)?;
    let before = way.case.before.mappings.iter().find(|it| same_mapping(it, mapping));
    let external = way.case.config.wan().address().address();
    let pair = format!("{} is {external}:{} outside", mapping.internal, mapping.external);
    let behaviour = of(way.case.config.nat().mapping, mapping.protocol);
    let says = match before.map(|it| it.phase) {
        None => format!("made: {pair}, {}", whomever(behaviour)),
        Some(MappingPhase::Live(sessions)) => {
            format!("found: {pair}, for {sessions} session{}", if sessions == 1 { "" } else { "s" })
        }
        Some(MappingPhase::Cooling(_)) => format!("taken up again before it had cooled down: {pair}"),
    };
    step("mapping", says, "RFC 4787 REQ-1")
}

fn same_mapping(one: &MappingView, other: &MappingView) -> bool {
    (one.protocol, one.internal, one.external) == (other.protocol, other.internal, other.external)
}

const fn whomever(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::EndpointIndependent => "whomever it speaks to",
        Behaviour::AddressDependent => "for this remote address",
        Behaviour::AddressAndPortDependent => "for this remote endpoint",
    }
}

/// The filter, where a session begins through a mapping from outside.
fn filter(way: &Way<'_>) -> Option<Step> {
    let session = begun(way).filter(|it| it.begun == Begun::HalfOpen && way.case.side == Side::Wan)?;
    let flow = way.case.flow?;
    way.case.mapping(flow.protocol, flow.to.1)?;
    let behaviour = of(way.case.config.nat().filtering, session.protocol);
    let says = match behaviour {
        Behaviour::EndpointIndependent => "lets in whoever knows the port".to_owned(),
        _ => format!("lets it in: {} has spoken with {}", session.internal, flow.from.0),
    };
    step("filter", format!("{} ({})", says, behaviour.name()), "RFC 4787 REQ-8")
}

fn of(behaviours: Behaviours, protocol: Protocol) -> Behaviour {
    match protocol {
        Protocol::Tcp => behaviours.tcp,
        Protocol::Udp => behaviours.udp,
        Protocol::Icmp => behaviours.icmp,
        // Translated by address alone.
        Protocol::Other => Behaviour::AddressDependent,
    }
}

/// The session that it is of, or begins.
fn session(way: &Way<'_>, kept: Option<&SessionView>) -> Option<Step> {
    let kept = kept?;
    let ends = format!("{} {} with {}", kept.protocol, kept.internal, kept.remote);
    let state = kept.state.map_or(String::new(), |state| format!(", {}", state.name()));
    let left = seconds(kept.left);
    let Some(found) = found(way, kept) else {
        let says = format!("begun: {ends}{state}; it ends after {left} in which nothing restarts its timer");
        return step("session", says, "RFC 6146 s.3.5, RFC 4787 REQ-5");
    };
    let state = match (found.state, kept.state) {
        (Some(before), Some(after)) if before != after => {
            format!(", {} and now {}", before.name(), after.name())
        }
        _ => state,
    };
    let timer = if kept.left == found.left { "stands at" } else { "is set to" };
    let by = if kept.protocol == Protocol::Tcp { "RFC 5382 REQ-5, RFC 7857 s.2" } else { "RFC 4787 REQ-6" };
    step("session", format!("found: {ends}{state}; its timer {timer} {left}"), by)
}

/// The session as it was before.
fn found<'a>(way: &'a Way<'_>, kept: &SessionView) -> Option<&'a SessionView> {
    way.case.before.sessions.iter().find(|it| same_session(it, kept))
}

fn same_session(one: &SessionView, other: &SessionView) -> bool {
    (one.protocol, one.internal, one.external, one.remote)
        == (other.protocol, other.internal, other.external, other.remote)
}

/// The session that the packet has begun.
fn begun<'a>(way: &'a Way<'_>) -> Option<&'a SessionView> {
    way.after.sessions.iter().find(|it| found(way, it).is_none())
}

/// The session that the packet is of, as it is now; of a hairpinned one, the sender's.
fn kept<'a>(way: &'a Way<'_>) -> Option<&'a SessionView> {
    let flow = way.case.flow?;
    let is_error = flow.quoted.is_some();
    // An error quotes a packet that went the other way.
    let (number, from, to) =
        flow.quoted.map_or((flow.protocol, flow.from, flow.to), |(it, from, to)| (it, to, from));
    let inside = way.case.side == Side::Lan;
    let external = way.case.config.wan().address().address();
    let is_of = |it: &&SessionView| {
        let (near, far) = if inside { (from, to) } else { (to, from) };
        let near_is = match (it.protocol, inside) {
            // Their sessions have the protocol's number in the place of ports.
            (Protocol::Other, true) => (it.internal.address, it.internal.port) == (near.0, number.into()),
            (Protocol::Other, false) => (external, it.external) == (near.0, number.into()),
            (_, true) => (it.internal.address, it.internal.port) == near,
            (_, false) => (external, it.external) == near,
        };
        it.protocol == protocol(number) && near_is && reaches(it.remote, far)
    };
    way.after.sessions.iter().find(is_of).filter(|_| !is_error || way.event.outcome == Outcome::Forwarded)
}

/// The receiver's session of a packet from inside that goes back in.
fn receiver<'a>(way: &'a Way<'_>) -> Option<&'a SessionView> {
    let (_, frame) = way.event.forwarded.first().filter(|(to, _)| *to == way.case.side)?;
    let flow = wire::flow(frame.get(HEADER..)?)?;
    way.after.sessions.iter().find(|it| {
        (it.internal.address, it.internal.port) == flow.to
            && it.protocol == protocol(flow.protocol)
            && reaches(it.remote, flow.from)
    })
}

fn reaches(remote: Remote, (address, port): wire::End) -> bool {
    match remote {
        Remote::Any => true,
        Remote::Address(known) => known == address,
        Remote::Endpoint(known) => (known.address, known.port) == (address, port),
    }
}

/// Whether what a packet is about can be told from it: its ports are there, or its protocol has none.
pub(super) fn has_ends(flow: &wire::Flow) -> bool {
    protocol(flow.protocol) == Protocol::Other || (flow.from.1, flow.to.1) != (0, 0) || flow.quoted.is_some()
}

/// What the engine calls a protocol.
pub(super) const fn protocol(number: u8) -> Protocol {
    match number {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        ICMP => Protocol::Icmp,
        _ => Protocol::Other,
    }
}

/// What becomes of it.
fn verdict(way: &Way<'_>) -> Option<Step> {
    let said = |word: &str, name: &str, why: &Why| format!("{word} ({name}): {}", why.says);
    let why = why(way.event.outcome);
    let by = why.as_ref().map_or("", |why| why.by);
    let says = match (way.event.outcome, &why) {
        (Outcome::Refused(reason), Some(why)) => said("DROPPED", Refusal::NAMES[reason as usize], why),
        (Outcome::Dropped(reason), Some(why)) => said("DROPPED", DropReason::NAMES[reason.index()], why),
        (Outcome::Rejected(reason), Some(why)) => {
            said("REJECTED", napt::RejectReason::NAMES[reason.index()], why)
        }
        (Outcome::Forwarded, _) => return sent_on(way),
        (Outcome::Local, _) => {
            return step("verdict", "TAKEN by the box itself".to_owned(), "RFC 1812 s.5.2.3");
        }
        (Outcome::Arp, _) => return step("verdict", "TAKEN: it is ARP".to_owned(), "RFC 826"),
        _ => {
            let says =
                "HELD: it waits for the other fragments of its datagram, the first of which has the ports";
            return step("verdict", says.to_owned(), "RFC 4787 REQ-14");
        }
    };
    step("verdict", says, by)
}

/// What is to be said of a reason.
fn why(outcome: Outcome) -> Option<Why> {
    match outcome {
        Outcome::Refused(reason) => Some(reasons::refused(reason)),
        Outcome::Dropped(reason) => Some(reasons::dropped(reason)),
        Outcome::Rejected(reason) => Some(reasons::rejected(reason)),
        Outcome::Forwarded | Outcome::Local | Outcome::Held | Outcome::Arp => None,
    }
}

fn sent_on(way: &Way<'_>) -> Option<Step> {
    let (to, frame) = way.event.forwarded.first()?;
    let back = if *to == way.case.side { ", back where it came from (hairpin)" } else { "" };
    let is_cut = frame.len() != way.frame.len();
    let pieces = match way.event.forwarded.len() {
        1 => String::new(),
        pieces if is_cut => format!(", in {pieces} fragments"),
        2 => ", and a fragment with it that had waited".to_owned(),
        all => format!(", and {} fragments with it that had waited", all - 1),
    };
    let by = match (*to == way.case.side, way.event.forwarded.len()) {
        (true, _) => "RFC 4787 REQ-9",
        (false, 1) => "RFC 3022 s.2.2",
        (false, _) if is_cut => "RFC 4787 REQ-13a",
        (false, _) => "RFC 4787 REQ-14",
    };
    step("verdict", format!("FORWARDED to the {to}{back}{pieces}"), by)
}

/// What would have to be different.
fn hint(way: &Way<'_>) -> Option<Step> {
    let hint = (why(way.event.outcome)?.hint)(&way.case)?;
    step("hint", hint, "")
}

/// What has changed in its headers.
fn rewritten(way: &Way<'_>) -> Option<Step> {
    let (_, frame) = way.event.forwarded.first()?;
    let fields = changes(way.frame.get(HEADER..)?, frame.get(HEADER..)?)?;
    step("rewritten", fields.join(", "), "RFC 3022 s.4, RFC 1624")
}

/// The fields that differ between a packet as it came and as it left.
fn changes(before: &[u8], after: &[u8]) -> Option<Vec<String>> {
    let (old, new) = (Ipv4Packet::new_checked(before).ok()?, Ipv4Packet::new_checked(after).ok()?);
    let flows = (wire::flow(before), wire::flow(after));
    let end = |(address, port): wire::End| {
        if port == 0 { address.to_string() } else { format!("{address}:{port}") }
    };
    let (from, to) = match flows {
        (Some(old), Some(new)) => ([end(old.from), end(new.from)], [end(old.to), end(new.to)]),
        _ => {
            let [from, to] = [[old.src_addr(), new.src_addr()], [old.dst_addr(), new.dst_addr()]];
            (from.map(|it| it.to_string()), to.map(|it| it.to_string()))
        }
    };
    let quoted = |at: fn(&(u8, wire::End, wire::End)) -> wire::End| match flows {
        (Some(old), Some(new)) => Some([end(at(&old.quoted?)), end(at(&new.quoted?))]),
        _ => None,
    };
    let number = |name, old: u64, new: u64| (name, Some([old.to_string(), new.to_string()]));
    let sizes = [segment_size(&old), segment_size(&new)];
    let fields = [
        ("source", Some(from)),
        ("destination", Some(to)),
        ("quoted source", quoted(|it| it.1)),
        ("quoted destination", quoted(|it| it.2)),
        number("ttl", old.hop_limit().into(), new.hop_limit().into()),
        number("id", old.ident().into(), new.ident().into()),
        number("length", old.total_len().into(), new.total_len().into()),
        (
            "mss",
            if let [Some(old), Some(new)] = sizes { Some([old.to_string(), new.to_string()]) } else { None },
        ),
    ];
    let changed = fields.into_iter().filter_map(|(name, both)| {
        let [old, new] = both?;
        (old != new).then(|| format!("{name} {old} → {new}"))
    });
    Some(changed.collect())
}

/// The segment size that a SYN asks for.
fn segment_size(packet: &Ipv4Packet<&[u8]>) -> Option<u16> {
    let is_tcp = u8::from(packet.next_header()) == TCP && packet.frag_offset() == 0;
    let segment = TcpPacket::new_checked(packet.payload()).ok().filter(|_| is_tcp)?;
    let mut options = segment.options();
    while !options.is_empty() {
        let (rest, option) = TcpOption::parse(options).ok()?;
        if let TcpOption::MaxSegmentSize(size) = option {
            return Some(size);
        }
        options = rest;
    }
    None
}

/// Who gets it next.
fn next_hop(way: &Way<'_>, specimen: &Specimen<'_>) -> Option<Step> {
    let (side, frame) = way.event.forwarded.first()?;
    let to = EthernetFrame::new_checked(&frame[..]).ok()?.dst_addr();
    let address = specimen.neighbour(*side, to)?;
    let config = way.case.config;
    let gateway = config.wan().gateway().filter(|_| *side == Side::Wan);
    let destination = Ipv4Packet::new_checked(frame.get(HEADER..)?).ok()?.dst_addr();
    let whom = if gateway == Some(address) && destination != address { "the gateway " } else { "" };
    step("leaves", format!("by the {}, to {whom}{address}", port(config, *side)), "RFC 1812 s.5.2.4")
}

/// What the box says itself.
fn says(what: &'static str, (side, frame): &Departed) -> Step {
    let by = if frame.get(HEADER + 9) == Some(&ICMP) { "RFC 1812 s.4.3" } else { "" };
    Step { what, says: format!("of the box, by the {side}: {}", Printer::default().line(frame)), by }
}

/// Whole seconds, or as many as it takes to be none.
fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64().round())
}
