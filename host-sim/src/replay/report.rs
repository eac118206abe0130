//! A replay on paper: its packets as a ladder, the translated pairs, why what was dropped was, in what the routers differ,
//! the tables and the counters at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use napt::{MappingPhase, Protocol, SessionView};
use router::{Refusal, Side};

use super::{Difference, Played, Replay};
use crate::explain::reasons::{self, Why};
use crate::ladder;
use crate::print::brief;
use crate::report::Palette;
use crate::specimen::Outcome;
use crate::time::Time;
use crate::trace::Sighting;

/// The whole report, with at most so many packets and lines of a table.
pub fn report(replay: &Replay, most: usize, palette: &Palette) -> String {
    let Palette { title, .. } = palette;
    let mut text = heading(replay);
    if most > 0 {
        // IPv4 and what the box made of it; ARP and other stations' frames would only be in the way.
        let shown: Vec<_> = replay.sightings(["lan", "wan"], is_shown).into_iter().filter(is_ipv4).collect();
        text += &ladder::ladder(&since(shown, replay.begins), most, palette);
    }
    text += &titled("sessions at the end", &sessions(replay, most), title);
    text += &titled("mappings at the end", &mappings(replay, most), title);
    text += &titled("dropped and rejected", &reasons(replay), title);
    text += &titled("the box's counters", &replay.summary, title);
    text + &differences(replay, most, palette)
}

fn titled(what: &str, lines: &str, title: &anstyle::Style) -> String {
    if lines.is_empty() { String::new() } else { format!("{title}{what}{title:#}\n{lines}") }
}

fn heading(replay: &Replay) -> String {
    let name = |side: Side| replay.names[side as usize].as_deref().unwrap_or("not captured");
    let mut text = format!(
        "lan: {}, wan: {}; {} packets came to the router, {} had left it\n",
        name(Side::Lan),
        name(Side::Wan),
        replay.played.len(),
        replay.left
    );
    for note in &replay.notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

pub(super) fn is_shown(played: &Played) -> bool {
    played.is_ipv4() && played.event.outcome != Outcome::Refused(Refusal::OtherStation)
}

pub(super) fn is_ipv4(sighting: &Sighting) -> bool {
    sighting.frame.get(12..14) == Some(&[0x08, 0x00])
}

/// With times from the beginning on.
pub(super) fn since(sightings: Vec<Sighting>, begins: Time) -> Vec<Sighting> {
    let after = |at: Time| Time::from_micros(at.micros().saturating_sub(begins.micros()));
    sightings.into_iter().map(|sighting| Sighting { at: after(sighting.at), ..sighting }).collect()
}

/// How often each reason was given, with what it means.
fn reasons(replay: &Replay) -> String {
    let mut counts: BTreeMap<(usize, &str), (usize, &str, &str)> = BTreeMap::new();
    for played in &replay.played {
        let Some((name, Why { says, by, .. })) = named(played.event.outcome) else { continue };
        counts.entry((played.side as usize, name)).or_insert((0, says, by)).0 += 1;
    }
    let line = |((side, name), (count, says, by)): (&(usize, &str), &(usize, &str, &str))| {
        format!("{:4} {count} × {name}: {says} [{by}]\n", Side::ALL[*side])
    };
    counts.iter().map(line).collect()
}

fn named(outcome: Outcome) -> Option<(&'static str, Why)> {
    match outcome {
        Outcome::Refused(reason) => Some((Refusal::NAMES[reason as usize], reasons::refused(reason))),
        Outcome::Dropped(reason) => Some((napt::DropReason::NAMES[reason.index()], reasons::dropped(reason))),
        Outcome::Rejected(reason) => {
            Some((napt::RejectReason::NAMES[reason.index()], reasons::rejected(reason)))
        }
        Outcome::Forwarded | Outcome::Local | Outcome::Held | Outcome::Arp => None,
    }
}

fn sessions(replay: &Replay, most: usize) -> String {
    let external = replay.external;
    let line = |it: &SessionView| {
        let state = it.state.map_or("", |state| state.name());
        let outside = if it.protocol == Protocol::Other {
            external.to_string()
        } else {
            format!("{external}:{}", it.external)
        };
        format!(
            "{:5} {:21} {outside:21} {:21} {state:11} {} s\n",
            it.protocol.to_string(),
            it.internal.to_string(),
            it.remote.to_string(),
            it.left.as_secs()
        )
    };
    some(&replay.tables.sessions.iter().map(line).collect::<Vec<_>>(), most)
}

fn mappings(replay: &Replay, most: usize) -> String {
    let external = replay.external;
    let lines = replay.tables.mappings.iter().map(|it| {
        let phase = match it.phase {
            MappingPhase::Live(1) => "1 session".to_owned(),
            MappingPhase::Live(sessions) => format!("{sessions} sessions"),
            MappingPhase::Cooling(left) => format!("cools, {} s", left.as_secs()),
        };
        let outside = format!("{external}:{}", it.external);
        format!("{:5} {:21} {outside:21} {phase}\n", it.protocol.to_string(), it.internal.to_string())
    });
    some(&lines.collect::<Vec<_>>(), most)
}

/// The first lines, and how many there are more.
fn some(lines: &[String], most: usize) -> String {
    let shown: String = lines.iter().take(most).map(String::as_str).collect();
    match lines.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown}… {more} more …\n"),
    }
}

/// In what our router differs from the one that the capture was taken on.
fn differences(replay: &Replay, most: usize, palette: &Palette) -> String {
    let Palette { good, bad, title, .. } = palette;
    if replay.played.iter().all(|it| it.left_there.is_none()) {
        return String::new();
    }
    let of = |which: Difference| {
        let lines = replay.played.iter().filter(move |it| it.difference() == Some(which));
        let lines: Vec<_> = lines.map(|it| difference(it, replay.begins)).collect();
        (lines.len(), some(&lines, most))
    };
    let (here, lines_here) = of(Difference::DroppedHere);
    let (there, lines_there) = of(Difference::DroppedThere);
    let mut text = titled("left the router of the capture, and not ours", &lines_here, title);
    text += &titled("left ours, and not the router of the capture", &lines_there, title);
    let (style, word) = if here == 0 { (good, "ok") } else { (bad, "DIFFERENT") };
    let both = replay.played.iter().filter(|it| it.left_there == Some(true)).count() - here;
    text + &format!(
        "{style}{word}:{style:#} {both} packets left both routers; {here} were dropped only here, {there} only there\n"
    )
}

fn difference(played: &Played, begins: Time) -> String {
    let at = Time::from_micros(played.at.micros().saturating_sub(begins.micros()));
    let brief = brief(&played.frame);
    let why = named(played.event.outcome).map_or(String::new(), |(name, _)| format!(": {name}"));
    format!("{at:<9} {} {} {}{why}\n", played.side, brief.ends, brief.what)
}
