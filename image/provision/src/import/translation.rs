//! From NAT rules to our NAT settings and forwards.
//!
//! Where the others can translate for some hosts and not for others, the box translates for all of the lan; where they
//! rewrite a destination and leave the permission to the filter, a forward is both.

use config::{Forward, InterfaceAddress, Name, PortRange, Protocols};

use super::draft::Making;
use super::matching::{Flow, Match, Never, Port};
use super::model::{Hook, Place, Verdict};
use super::notes::Fate;
use super::sets::Prefix;
use super::walk::{Leaf, Met, walk};

/// Blocks that are never forwarded, whoever is asked.
const NEVER_FORWARDED: [&str; 3] = ["224.0.0.0/4", "255.255.255.255", "169.254.0.0/16"];

/// Sources: who is masqueraded, and with which ports.
pub(crate) fn sources(making: &mut Making<'_>) {
    let flow = Flow { hook: Hook::NatOut, ..making.flow(Hook::NatOut, false) };
    let met = walk(making.rules, &flow);
    let (mut is_translated, mut is_all) = (false, false);
    for leaf in &met.leaves {
        if !leaf.of.foreign.is_empty() {
            making.foreign(leaf);
            continue;
        }
        match &leaf.verdict {
            Verdict::Snat { to, ports } => {
                source(making, leaf, *to, *ports);
                is_translated = true;
                is_all |= leaf.of.protocols.is_none();
            }
            Verdict::Accept if leaf.rule.is_some() => exception(making, leaf),
            verdict => making.aside(leaf, verdict),
        }
    }
    making.tell_rest(&met);
    if !is_translated {
        making.notes.say(Fate::Note, "nothing in it translates sources; the box does, for all of its lan");
    } else if !is_all {
        making.notes.say(Fate::Note, "it translates some protocols alone; the box does all of them");
    }
}

fn source(making: &mut Making<'_>, leaf: &Leaf<'_>, to: Option<Prefix>, ports: Option<PortRange>) {
    let Match { source, destination, protocols, source_ports, ports: to_ports, .. } = &leaf.of;
    if !source.is_all() && making.roles.lan_network.is_some() {
        making.notes.add(&leaf.place, Fate::None, "the box translates for all of its lan");
    }
    if !destination.is_all() || source_ports.is_some() || to_ports.is_some() {
        making.notes.add(&leaf.place, Fate::None, "the box translates whatever goes out");
    }
    if let Some(to) = to {
        match (to.single(), making.wan_address) {
            (Some(address), Some(own)) if own.address() == address => (),
            _ => making.notes.add(&leaf.place, Fate::None, "the box's wan address is the only one outside"),
        }
    }
    let of_ports = protocols.as_ref().is_none_or(|all| all.iter().any(|number| matches!(number, 6 | 17)));
    match ports.filter(|_| of_ports) {
        Some(ports) if making.ports.is_some_and(|other| other != ports) => {
            making.notes.add(&leaf.place, Fate::None, "all protocols have the same nat.ports");
        }
        Some(ports) => {
            making.ports = Some(ports);
            making.notes.add(&leaf.place, Fate::Taken, format!("nat.ports = \"{ports}\""));
        }
        None => making.notes.add(&leaf.place, Fate::Ours, "what goes out is translated"),
    }
}

/// What is not to be translated.
fn exception(making: &mut Making<'_>, leaf: &Leaf<'_>) {
    let never: Vec<_> = NEVER_FORWARDED.iter().filter_map(|text| Prefix::parse(text)).collect();
    let is_never = |prefix: &Prefix| never.iter().any(|block| block.contains(*prefix));
    if leaf.of.destination.positive().is_some_and(|all| all.iter().all(is_never)) {
        making.notes.add(&leaf.place, Fate::Ours, "no such destination is forwarded");
    } else {
        making.notes.add(&leaf.place, Fate::None, "whatever goes out is translated");
    }
}

/// Destinations: what is led to whom inside.
pub(crate) fn destinations(making: &mut Making<'_>) {
    let flow = making.flow(Hook::NatIn, true);
    let met = walk(making.rules, &flow);
    for leaf in &met.leaves {
        if !leaf.of.foreign.is_empty() {
            making.foreign(leaf);
            continue;
        }
        match &leaf.verdict {
            Verdict::Dnat { to, ports } => {
                if let Err(why) = forwards(making, leaf, *to, *ports) {
                    making.notes.add(&leaf.place, Fate::None, why);
                }
            }
            Verdict::Accept if leaf.rule.is_some() && leaf.of != Match::all() => {
                making.notes.add(&leaf.place, Fate::None, "a forward has no exceptions");
            }
            verdict => making.aside(leaf, verdict),
        }
    }
    from_inside(making, &met);
    making.tell_rest(&met);
}

/// Destinations of what comes from inside: what the forwards do for those, and what they do not.
fn from_inside(making: &mut Making<'_>, outside: &Met<'_>) {
    let flow = Flow {
        input: making.port(false),
        output: Port::Unknown,
        from_wan: false,
        ..making.flow(Hook::NatIn, true)
    };
    let inside = walk(making.rules, &flow);
    for leaf in &inside.leaves {
        let only_inside = |place: &Place| {
            outside.never.iter().any(|(rule, never)| rule.place == *place && *never == Never::Interface)
                && !making.notes.knows(place)
        };
        let own = making.wan_address.map(|own| Prefix::host(own.address()));
        let is_to_us = |leaf: &Leaf<'_>| {
            leaf.of.destination.positive().is_some_and(|all| all.iter().all(|it| Some(*it) == own))
        };
        match &leaf.verdict {
            Verdict::Dnat { .. } if is_to_us(leaf) && only_inside(&leaf.place) => {
                making.notes.add(&leaf.place, Fate::Ours, "a forward serves the hosts inside, too");
            }
            Verdict::Dnat { .. } | Verdict::Foreign(_) if only_inside(&leaf.place) => {
                making.notes.add(&leaf.place, Fate::None, "what comes from inside keeps its destination");
            }
            _ => (),
        }
    }
}

fn forwards(
    making: &mut Making<'_>,
    leaf: &Leaf<'_>,
    to: Prefix,
    inside: Option<PortRange>,
) -> Result<(), String> {
    let host = to.single().ok_or("a forward leads to one host")?;
    if !leaf.of.source.is_all() {
        return Err("a forward is for whoever calls; add a rule wan-to-lan for the source".to_owned());
    }
    if leaf.of.source_ports.is_some() || leaf.of.rate.is_some() {
        return Err("a forward asks neither for source ports nor for a rate".to_owned());
    }
    if let (Some(all), Some(own)) = (leaf.of.destination.positive(), making.wan_address)
        && !all.iter().any(|it| it.contains(Prefix::host(own.address())))
    {
        return Err(format!("the box's only address outside is {}", own.address()));
    }
    let protocols = match leaf.of.protocols.as_deref() {
        Some([6]) => Protocols::Tcp,
        Some([17]) => Protocols::Udp,
        Some([6, 17] | [17, 6]) => Protocols::Both,
        _ => return Err("a forward is of tcp, udp or both".to_owned()),
    };
    let externals = leaf.of.ports.as_ref().ok_or("a forward names its ports")?;
    for external in externals {
        let first = match inside {
            None => external.first(),
            Some(inside) if inside.len() == external.len() => inside.first(),
            Some(inside) if external.len() == 1 => {
                return Err(format!("a forward leads one port to one port, not to any of {inside}"));
            }
            Some(inside) => {
                return Err(format!("a forward leads {} ports to as many, not to {inside}", external.len()));
            }
        };
        let name = making.forward_name(leaf, &format!("{} {external}", protocols.name()))?;
        let forward = Forward::new(name, protocols, *external, host, first).map_err(|it| it.to_string())?;
        let lan = making.lan_address;
        let fits = |lan: InterfaceAddress| lan.contains(host) && lan.address() != host;
        if !lan.is_none_or(fits) {
            return Err("a forward leads to a host of the lan".to_owned());
        }
        if making.draft.forwards.iter().any(|other| other.overlaps(&forward)) {
            return Err("another forward has its ports already".to_owned());
        }
        let text = format!("forward \"{}\"", forward.name());
        let shifts = external.len() > 1 && first != external.first();
        making.draft.forwards.push(forward).map_err(|_| "there is no room for so many forwards")?;
        making.forward_places.push(leaf.place.clone());
        making.notes.add(&leaf.place, Fate::Taken, text);
        if shifts {
            making.notes.add(&leaf.place, Fate::Note, "each port leads to the one at the same offset");
        }
    }
    Ok(())
}

/// A name out of what is at hand.
pub(crate) fn name(text: &str) -> Option<Name> {
    let text: String = text.chars().filter(|it| matches!(it, ' '..='~') && !"\"'`".contains(*it)).collect();
    // The longest that there can be; all of it is ASCII.
    Name::new(text.get(..31).unwrap_or(&text).trim()).ok()
}
