//! What was seen of a box, and how fast it grew.
//!
//! Rates are differences over the time that has passed by the box's own clock: however late an answer comes, they are right. Where a
//! box has started again, or a count is smaller than before, there is no rate.

use std::collections::VecDeque;

use super::super::view::{CounterLine, HostLine, Status, UseLine};

/// How many points are kept: more than any terminal has columns.
const KEPT: usize = 1_000;

/// What a box says of itself at one time.
#[derive(Clone, Debug)]
pub struct Sample {
    /// How it is.
    pub status: Status,
    /// What became of every frame.
    pub counters: Vec<CounterLine>,
    /// The hosts inside.
    pub hosts: Vec<HostLine>,
    /// The filter rules, and then the forwards.
    pub uses: Vec<UseLine>,
    /// How many sessions there are of each protocol and state, among those that were looked at.
    pub kinds: Vec<(String, usize)>,
}

/// What became of a box from one sample to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Bits that came in by the lan and by the wan, a second.
    pub bits: [Option<f64>; 2],
    /// Frames that were sent on from the lan and from the wan, a second.
    pub frames: [Option<f64>; 2],
    /// Sessions, at its end.
    pub sessions: u32,
}

/// Something that is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// What.
    pub name: String,
    /// How often, in all.
    pub count: u64,
    /// How often a second.
    pub rate: Option<f64>,
}

/// All that was seen of a box.
#[derive(Debug)]
pub struct Model {
    place: String,
    newest: Sample,
    before: Option<Sample>,
    points: VecDeque<Point>,
    lost: Option<String>,
}

impl Model {
    /// The first look at the box at a place.
    pub fn new(place: String, first: Sample) -> Self {
        let point = Point { sessions: first.status.sessions, ..Point::default() };
        Self { place, newest: first, before: None, points: [point].into(), lost: None }
    }

    /// Another look at it.
    pub fn see(&mut self, sample: Sample) {
        let before = std::mem::replace(&mut self.newest, sample);
        self.before = before.status.precedes(&self.newest.status).then_some(before);
        self.lost = None;
        let side = |sample: &Sample, side: usize| {
            let side = sample.status.sides.get(side);
            side.map_or((0, 0), |side| (side.received_bytes, side.forwarded))
        };
        let rates = |number| {
            let before = self.before.as_ref().map(|it| side(it, number));
            let now = side(&self.newest, number);
            let bits = self.rate(before.map(|it| it.0), now.0).map(|bytes| bytes * 8.0);
            (bits, self.rate(before.map(|it| it.1), now.1))
        };
        let ((lan_bits, lan_frames), (wan_bits, wan_frames)) = (rates(0), rates(1));
        self.points.push_front(Point {
            bits: [lan_bits, wan_bits],
            frames: [lan_frames, wan_frames],
            sessions: self.newest.status.sessions,
        });
        self.points.truncate(KEPT);
    }

    /// No look at it, and why.
    pub fn lose(&mut self, why: String) {
        self.lost = Some(why);
    }

    /// Where the box is.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Why nothing is seen of it any more.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// What was seen last.
    pub fn newest(&self) -> &Sample {
        &self.newest
    }

    /// What became of it, the newest first.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// The reasons for which frames were dropped or rejected, the most frequent now first.
    pub fn drops(&self) -> Vec<Counted> {
        let before = self.before.as_ref().map(|it| &it.counters);
        let reasons = self.newest.counters.iter().filter_map(|line| Some((line, line.reason?)));
        ranked(reasons.map(|(line, reason)| {
            let same =
                |it: &&CounterLine| (it.side, it.what, it.reason) == (line.side, line.what, line.reason);
            let earlier = before.and_then(|lines| lines.iter().find(same)).map(|it| it.count);
            let rejected = if line.what == "rejected" { ", rejected" } else { "" };
            Counted {
                name: format!("{} {reason}{rejected}", line.side),
                count: line.count,
                rate: self.rate(earlier, line.count),
            }
        }))
    }

    /// The filter rules and forwards that have had anything to do, those with the most to do now first.
    pub fn uses(&self) -> Vec<Counted> {
        let before = self.before.as_ref().map(|it| &it.uses);
        ranked(self.newest.uses.iter().map(|line| {
            let same = |it: &&UseLine| (&it.name, &it.rule) == (&line.name, &line.rule);
            let earlier = before.and_then(|lines| lines.iter().find(same)).map(|it| it.packets);
            Counted { name: line.name.clone(), count: line.packets, rate: self.rate(earlier, line.packets) }
        }))
    }

    /// How much more a second of what there was so much of before, and is so much of now.
    fn rate(&self, before: Option<u64>, now: u64) -> Option<f64> {
        let millis = self.newest.status.now.checked_sub(self.before.as_ref()?.status.now)?;
        (millis > 0).then_some(now.checked_sub(before?)? as f64 * 1_000.0 / millis as f64)
    }
}

impl Status {
    /// Whether it is of the same box, which has not started again, and of an earlier time.
    fn precedes(&self, other: &Self) -> bool {
        self.began == other.began && self.now < other.now
    }
}

fn ranked(counted: impl Iterator<Item = Counted>) -> Vec<Counted> {
    let mut counted: Vec<_> = counted.filter(|it| it.count > 0).collect();
    let key = |it: &Counted| (it.rate.unwrap_or(0.0), it.count);
    counted.sort_by(|one, other| key(other).partial_cmp(&key(one)).expect("rates are numbers"));
    counted
}
