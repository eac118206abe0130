//! A run as a ladder: what a router's lan sees on the left, what its wan sees on the right, and between them which way a
//! packet went and what the router made of it.
//!
//! ```text
//!           lan                                             box              wan
//! 4.000150  192.0.2.1.59113 > 203.0.113.1.80      ─ S ─────────────────▶  203.0.113.254.2303 > 203.0.113.1.80
//! 4.004850  203.0.113.1.80 > 192.0.2.1.59113      ◀──────────────── S. ─  203.0.113.1.80 > 203.0.113.254.2303
//! 5.000850                                        ✗ filtered ─────── S ─  203.0.113.66.443 > 203.0.113.254.2303
//! ```
//!
//! A *rung* is one line: a packet that crosses the router, that ends at it, or that it sends of its own. What was
//! rewritten stands out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::Style;

use crate::node::PacketId;
use crate::print::brief;
use crate::report::Palette;
use crate::routing::Fate;
use crate::time::Time;
use crate::trace::{Next, Sighting, Way};

/// The columns of the time, of what the lan sees, and between the two sides.
const TIME: usize = 10;
const SIDE: usize = 38;
const BETWEEN: usize = 24;

/// One line of a ladder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// When.
    pub at: Time,
    /// Whose ladder it is on.
    pub router: Arc<str>,
    /// Whether what is seen `first` is seen on the lan.
    pub from_lan: bool,
    /// How it was when it was first seen: its ends.
    pub first: String,
    /// What it says, in a word or two.
    pub what: String,
    /// Where it came out, on the lan or not, and its ends then.
    pub then: Option<(bool, String)>,
    /// What became of it where it did not come out; what was lost behind the router.
    pub end: Option<String>,
    /// Whether the router sent it of its own.
    pub own: bool,
}

/// The rungs of what was seen at the jacks of routers.
pub fn rungs(sightings: &[Sighting]) -> Vec<Rung> {
    let mut rungs = Vec::new();
    let mut departures = departures(sightings);
    let mut shown = vec![false; sightings.len()];
    for (at, first) in sightings.iter().enumerate() {
        if shown[at] {
            continue;
        }
        let then = departure(sightings, at, &mut departures);
        then.iter().for_each(|then| shown[*then] = true);
        rungs.push(rung(first, then.map(|then| &sightings[then])));
    }
    rungs
}

/// Where each packet left each router, by its number and the router's name.
type Departures = BTreeMap<(PacketId, Arc<str>), VecDeque<usize>>;

fn departures(sightings: &[Sighting]) -> Departures {
    let mut departures = Departures::new();
    // A router of this world sends a packet on at once; one that is somewhere else takes its time.
    let elsewhere = sightings.iter().any(|it| it.way == Way::In && it.next == Next::Gone);
    for (at, sighting) in sightings.iter().enumerate().filter(|(_, it)| elsewhere && it.way == Way::Out) {
        departures.entry((sighting.packet, place(sighting).0)).or_default().push_back(at);
    }
    departures
}

/// Where the packet that is seen at a place came out of the router that it went into there, if it did.
fn departure(sightings: &[Sighting], at: usize, departures: &mut Departures) -> Option<usize> {
    let first = &sightings[at];
    match (first.way, first.next) {
        (Way::Out, _) => None,
        (Way::In, Next::Gone) => departures.get_mut(&(first.packet, place(first).0))?.pop_front(),
        (Way::In, _) => {
            let next = sightings.get(at + 1)?;
            (next.packet == first.packet && next.way == Way::Out).then_some(at + 1)
        }
    }
}

fn rung(first: &Sighting, then: Option<&Sighting>) -> Rung {
    let (router, from_lan) = place(first);
    let before = brief(&first.frame);
    let last = then.map_or(first.next, |then| then.next);
    let end = match last {
        Next::Gone | Next::Met(Fate::Forwarded) => None,
        Next::Met(Fate::Arp | Fate::Local) => Some(String::new()),
        Next::Met(Fate::Held) => Some("held".to_owned()),
        Next::Met(Fate::Rejected(reason) | Fate::Dropped(reason)) => Some(reason.to_owned()),
        Next::Lost(loss) => Some(loss.name().to_owned()),
    };
    let then = then.map(|then| (place(then).1, brief(&then.frame).ends));
    let own = first.way == Way::Out;
    Rung { at: first.at, router, from_lan, first: before.ends, what: before.what, then, end, own }
}

/// Whose jack a tap watches, and whether that is on the lan: taps are called `box.lan`, or `lan`.
fn place(sighting: &Sighting) -> (Arc<str>, bool) {
    let (router, side) = sighting.tap.rsplit_once('.').unwrap_or(("", &sighting.tap));
    (router.into(), side == "lan")
}

/// The last rungs of a ladder up to a moment, at most so many.
pub fn ladder_until(sightings: &[Sighting], end: Time, most: usize, palette: &Palette) -> String {
    let before: Vec<_> = sightings.iter().filter(|sighting| sighting.at <= end).cloned().collect();
    let mut text = String::new();
    let mut last: Arc<str> = "".into();
    let rungs = rungs(&before);
    for rung in &rungs[rungs.len().saturating_sub(most)..] {
        if text.is_empty() || last != rung.router {
            last = Arc::clone(&rung.router);
            text.push_str(&heading(&last, palette.title));
        }
        text.push_str(&line(rung, palette));
    }
    text
}

/// The ladder of a run, with at most so many rungs: of a longer one, its beginning and its end.
pub fn ladder(sightings: &[Sighting], most: usize, palette: &Palette) -> String {
    let rungs = rungs(sightings);
    let head = if rungs.len() <= most { rungs.len() } else { most.div_ceil(2) };
    let tail = rungs.len().saturating_sub(most - most.div_ceil(2)).max(head);
    let mut text = String::new();
    let mut last: Arc<str> = "".into();
    for (number, rung) in rungs.iter().enumerate() {
        if number == head && tail > head {
            let _ = writeln!(text, "{:TIME$}… {} more …", "", tail - head);
        }
        if (head..tail).contains(&number) {
            continue;
        }
        if text.is_empty() || last != rung.router {
            last = Arc::clone(&rung.router);
            text.push_str(&heading(&last, palette.title));
        }
        text.push_str(&line(rung, palette));
    }
    text
}

/// What stands above the columns.
fn heading(router: &str, style: Style) -> String {
    format!("{style}{:TIME$}{:2$}  {router:^BETWEEN$} wan{style:#}\n", "", "lan", SIDE - 1)
}

fn line(rung: &Rung, palette: &Palette) -> String {
    let Palette { margin, rewritten, bad, .. } = palette;
    let time = format!("{margin}{:<TIME$}{margin:#}", format!("{} ", rung.at));
    let then = rung.then.as_ref();
    let (lan, wan) = match (rung.from_lan, then) {
        // Hairpinned: it goes back as somebody else's.
        (true, Some((true, ends))) => (pad(&rung.first, &rung.first), format!("and back: {ends}")),
        (true, Some((false, ends))) => (pad(&rung.first, &rung.first), marked(ends, &rung.first, *rewritten)),
        (false, Some((_, ends))) => (pad(&marked(ends, &rung.first, *rewritten), ends), rung.first.clone()),
        (true, None) => (pad(&rung.first, &rung.first), String::new()),
        (false, None) => (pad("", ""), rung.first.clone()),
    };
    let row = format!("{time}{lan}{}  {wan}", between(rung, *bad));
    format!("{}\n", row.trim_end())
}

/// Fills a text up to its column; `plain` is the same without colours.
fn pad(text: &str, plain: &str) -> String {
    let width = plain.chars().count();
    format!("{text}{:1$}", "", (SIDE + 1).saturating_sub(width).max(1))
}

/// The arrow between the sides.
fn between(rung: &Rung, bad: Style) -> String {
    let what = &rung.what;
    let out = rung.then.is_some();
    let end = rung.end.as_deref();
    let (mark, note) = match (out, rung.own, end) {
        // It came out, and a link lost it.
        (true, _, Some(end)) => ("✗", end),
        (true, _, None) => ("", ""),
        (false, true, Some(end)) => ("✗", end),
        (false, true, None) => ("", "own"),
        (false, false, Some("")) => ("●", ""),
        (false, false, Some("held")) => ("…", "held"),
        (false, false, Some(end)) => ("✗", end),
        (false, false, None) => ("●", ""),
    };
    // Which way it points: from where it was seen first, but what the box sends of its own comes from the middle.
    let to_right = rung.from_lan != rung.own;
    let tip = if mark.is_empty() { if to_right { "▶" } else { "◀" } } else { mark };
    let label = if what.is_empty() { String::new() } else { format!(" {what} ") };
    let note = if note.is_empty() { String::new() } else { format!(" {note} ") };
    let used = 2 + tip.chars().count() + label.chars().count() + note.chars().count();
    let dashes = "─".repeat(BETWEEN.saturating_sub(used).max(1));
    let style = if mark == "✗" { bad } else { Style::new() };
    if to_right {
        format!("─{label}{dashes}─{style}{note}{tip}{style:#}")
    } else {
        format!("{style}{tip}{note}{style:#}─{dashes}{label}─")
    }
}

/// The ends of a packet with those that were rewritten marked.
fn marked(ends: &str, before: &str, style: Style) -> String {
    let mut text = String::new();
    let mut others = before.split(" > ");
    for (number, end) in ends.split(" > ").enumerate() {
        let differs = others.next() != Some(end);
        let style = if differs { style } else { Style::new() };
        let arrow = if number > 0 { " > " } else { "" };
        let _ = write!(text, "{arrow}{style}{end}{style:#}");
    }
    text
}
