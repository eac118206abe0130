//! Whether what was expected was so.

use napt::{DropReason, RejectReason};
use router::{Refusal, Side, Summary};

use super::build::Net;
use super::{Check, Expectation, Expected, Range, Stray};
use crate::checks;
use crate::print::Printer;

/// Sees to it that what will have to be looked at is kept.
pub(super) fn prepare(net: &mut Net<'_>, expectation: &Expectation) {
    if let Expected::NoneFrom(Stray { link, .. }) | Expected::Sees(link, ..) = &expectation.what {
        net.world.record(net.links[link]);
    }
}

/// Judges what is so now.
pub(super) fn judge(net: &Net<'_>, expectation: &Expectation) -> Check {
    let summary = |router: &str| net.world.router(net.routers[router]).summary();
    let (what, held) = match &expectation.what {
        Expected::Sessions(router, range) => {
            counted(&format!("sessions of {router}"), summary(router).occupancy.sessions.into(), range)
        }
        Expected::Mappings(router, range) => {
            counted(&format!("mappings of {router}"), summary(router).occupancy.mappings.into(), range)
        }
        Expected::Counter(router, side, name, range) => {
            let count = counter(&summary(router), *side, name);
            counted(&format!("{router}'s {side} {name}"), count, range)
        }
        Expected::NoneFrom(stray) => none_from(net, stray),
        Expected::Sees(link, text, range) => {
            let mut printer = Printer::default();
            let lines =
                net.world.recorded(net.links[link]).iter().map(|sent| printer.line(&sent.frame).to_string());
            let count = lines.filter(|line| line.contains(text)).count() as u64;
            counted(&format!("{text:?} on link {link}"), count, range)
        }
        Expected::Received(station, range) => {
            let count = net.world.station(net.stations[station]).received();
            counted(&format!("packets received by {station}"), count, range)
        }
    };
    Check { line: expectation.line, at: net.world.now(), what, held }
}

fn none_from(net: &Net<'_>, stray: &Stray) -> (String, bool) {
    let Stray { link, prefix, by, since } = stray;
    let sent = net.world.recorded(net.links[link]).iter().filter(|sent| sent.at >= *since);
    let by_them =
        sent.filter(|sent| by.as_ref().is_none_or(|by| net.plugged_into(link, sent.end) == Some(by)));
    let from = |frame: &[u8]| checks::addresses(frame).first().is_some_and(|from| prefix.contains_addr(from));
    let found = by_them.into_iter().find(|sent| from(&sent.frame));
    let whom = by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
    let what = format!("nothing from {prefix} is sent into link {link}{whom} since {since}");
    match found {
        None => (what, true),
        Some(sent) => {
            (format!("{what}, but at {}: {}", sent.at, Printer::default().line(&sent.frame)), false)
        }
    }
}

fn counted(what: &str, count: u64, range: &Range) -> (String, bool) {
    (format!("{what}: {count}, of {}", written(range)), range.contains(&count))
}

/// What is wanted, where nobody can judge it.
pub(super) fn wanted(expectation: &Expectation) -> String {
    match &expectation.what {
        Expected::Sessions(router, range) => format!("sessions of {router}: {}", written(range)),
        Expected::Mappings(router, range) => format!("mappings of {router}: {}", written(range)),
        Expected::Counter(router, side, name, range) => {
            format!("{router}'s {side} {name}: {}", written(range))
        }
        Expected::NoneFrom(Stray { link, .. }) | Expected::Sees(link, ..) => {
            format!("what is on link {link}")
        }
        Expected::Received(station, _) => format!("packets received by {station}"),
    }
}

/// A range as the file writes it.
pub(super) fn written(range: &Range) -> String {
    match (*range.start(), *range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, u64::MAX) => format!("{first}.."),
        (0, last) => format!("..{last}"),
        (first, last) => format!("{first}..{last}"),
    }
}

/// A counter, by the name that the summary has for it.
fn counter(summary: &Summary<'_>, side: Side, name: &str) -> u64 {
    let (router, engine) = (summary.router[side as usize], summary.engine[side as usize]);
    let of = |names: &[&str], counts: &[u64]| {
        names.iter().position(|known| *known == name).and_then(|at| counts.get(at).copied())
    };
    match name {
        "received" => router.received,
        "forwarded" => router.forwarded,
        "local" => router.local,
        "arp" => router.arp,
        "held" => router.held,
        "suppressed" => router.suppressed,
        _ => of(&Refusal::NAMES, &router.refused)
            .or_else(|| of(&DropReason::NAMES, &engine.dropped))
            .or_else(|| of(&RejectReason::NAMES, &engine.rejected))
            .unwrap_or_default(),
    }
}
