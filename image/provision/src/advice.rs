//! What the operator is told about each of `config`'s problems: what is wrong, and the way out.

use std::num::NonZeroU32;

use config::{Draft, Field, MAX_FORWARDS, MAX_RULES, PortRange, Problem, Share, Timer};

use crate::report::{Fault, Place};

/// About settings that do not fit together. `place_of` knows where another setting is.
pub(crate) fn together<'p>(
    field: Field,
    problem: Problem,
    draft: &Draft,
    place_of: impl Fn(Field) -> Option<&'p Place>,
) -> Fault {
    match problem {
        Problem::SameInterface => {
            Fault::new("is also the WAN interface", "give each side an interface of its own")
        }
        Problem::PrefixesOverlap => Fault::new(
            format!("overlaps the LAN prefix {}", prefix(draft.lan_address)),
            "choose prefixes that have no address in common",
        ),
        Problem::OffLink => Fault::new(
            format!("is outside the WAN prefix {}", prefix(draft.wan_address)),
            "choose the next router's address on that link",
        ),
        Problem::OutsideLan => Fault::new(
            format!("is outside the LAN prefix {}", prefix(draft.lan_address)),
            "choose an address inside it",
        ),
        Problem::OwnAddress if field == Field::WanGateway => {
            Fault::new("is the box's own address", "choose the next router's address on that link")
        }
        Problem::OwnAddress => Fault::new("is the box's own address", "choose a host behind it"),
        Problem::AboveHostShare => {
            let host = draft.nat.shares.sessions(Share::Host).map_or(0, NonZeroU32::get);
            Fault::new("is more than a host may begin at all", format!("choose {host} or less"))
        }
        Problem::DuplicateName(other) if matches!(field, Field::RuleName(_)) => {
            duplicate_name("rule", place_of(Field::RuleName(other)))
        }
        Problem::DuplicateName(other) => duplicate_name("forward", place_of(Field::ForwardName(other))),
        Problem::PortsWithoutProtocol => {
            Fault::new("needs a protocol that has ports", "add protocol = \"tcp\", \"udp\" or \"both\"")
        }
        Problem::ResetWithoutTcp => {
            Fault::new("resets TCP alone", "add protocol = \"tcp\", or choose another answer")
        }
        Problem::Overlaps(other) => overlap(other, draft, place_of(Field::ForwardExternal(other))),
        other => alone(other),
    }
}

/// About a setting that is wrong by itself.
pub(crate) fn alone(problem: Problem) -> Fault {
    let host = "choose the address of a host";
    let (what, remedy) = match problem {
        Problem::NotAnInterfaceName => {
            ("is not an interface name", "use 1 to 15 visible ASCII characters other than / and :")
        }
        Problem::PrefixLength => ("has a wrong prefix length", "choose one from 1 to 32"),
        Problem::ThisNetwork => ("is in 0.0.0.0/8, where no host can be", host),
        Problem::Loopback => ("is a loopback address", host),
        Problem::LinkLocal => ("is a link-local address, which is never forwarded", host),
        Problem::Multicast => ("is a multicast address", host),
        Problem::Reserved => ("is a reserved address", host),
        Problem::NetworkAddress => ("is the network address of its prefix", host),
        Problem::BroadcastAddress => ("is the broadcast address of its prefix", host),
        Problem::NotAName => (
            "is not a name",
            "use 1 to 31 printable ASCII characters without quotes, and no space at the ends",
        ),
        // The others need to know more than the setting; their sentences are in the functions beside this one.
        other => return Fault::new(other.to_string(), "correct it"),
    };
    Fault::new(what, remedy)
}

/// About the length of `timer`.
pub(crate) fn timer(timer: Timer, problem: Problem) -> Fault {
    let bounds = timer.bounds();
    if problem == Problem::BelowFloor {
        let floor = bounds.floor.as_secs();
        return Fault::new(
            format!("is below the floor of {floor}s ({})", bounds.source),
            format!("choose \"{floor}s\" or more"),
        );
    }
    let ceiling = match bounds.ceiling.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds => format!("{seconds}s"),
    };
    Fault::new(format!("is above the ceiling of {ceiling}"), format!("choose \"{ceiling}\" or less"))
}

/// About an internal port from which a range as long as `external` runs past 65535.
pub(crate) fn past_last_port(external: PortRange) -> Fault {
    let count = external.len();
    let highest = u16::MAX - (count - 1);
    Fault::new(
        format!("is too high for {count} ports: they would run past 65535"),
        format!("choose a port up to {highest}"),
    )
}

/// About one forward more than there can be.
pub(crate) fn too_many_forwards() -> String {
    format!(
        "this is one forward more than the {MAX_FORWARDS} there can be; join neighbouring ports to ranges"
    )
}

/// About one rule more than there can be.
pub(crate) fn too_many_rules() -> String {
    format!("this is one rule more than the {MAX_RULES} there can be; join neighbouring ports or addresses")
}

/// About a way to tell somebody who is told nothing.
pub(crate) fn nothing_to_tell() -> Fault {
    Fault::new("is for what is rejected", "write action = \"reject\", or leave it out")
}

/// About a burst without a rate.
pub(crate) fn burst_of_nothing() -> Fault {
    Fault::new("is the burst of no rate", "add rate = \"10/s\", or leave it out")
}

fn duplicate_name(what: &str, place: Option<&Place>) -> Fault {
    let line = place.map_or_else(String::new, |place| format!(" in line {}", place.line));
    Fault::new(format!("is the name of another {what}{line}"), "choose another name")
}

fn overlap(other: u8, draft: &Draft, place: Option<&Place>) -> Fault {
    let remedy = "give one of them other external ports or another protocol";
    let (Some(forward), Some(place)) = (draft.forwards.get(usize::from(other)), place) else {
        return Fault::new("overlaps another forward", remedy);
    };
    let (ports, protocols) = (forward.external(), forward.protocols().name());
    Fault::new(format!("overlaps {} in line {} ({protocols} {ports})", place.section, place.line), remedy)
}

fn prefix(address: Option<config::InterfaceAddress>) -> String {
    address.map_or_else(String::new, |address| format!("{}/{}", address.network(), address.prefix_len()))
}
