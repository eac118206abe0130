//! When to say that the session table fills up: once as each level is passed, and again only after it has emptied well
//! below that.

use core::fmt;

use napt::Occupancy;

/// The levels, in percent of the table.
const LEVELS: [u32; 3] = [80, 95, 100];

/// How far it has to empty below a level, in percent, before passing it is news again.
const SLACK: u32 = 10;

/// A level that has been passed; prints as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The level, in percent.
    pub level: u32,
    /// How full the tables are.
    pub occupancy: Occupancy,
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Occupancy { sessions, capacity, .. } = self.occupancy;
        write!(f, "{}% of the session table is in use: {sessions} of {capacity}", self.level)
    }
}

/// What has been said.
pub(crate) struct Alarms {
    said: u32,
}

impl Alarms {
    pub(crate) const fn new() -> Self {
        Self { said: 0 }
    }

    /// The level that has been passed since the last call.
    pub(crate) fn poll(&mut self, occupancy: Occupancy) -> Option<Alarm> {
        let percent = u64::from(occupancy.sessions) * 100 / u64::from(occupancy.capacity.max(1));
        let percent = percent as u32;
        let passed = |percent: u32| LEVELS.into_iter().rfind(|level| *level <= percent).unwrap_or(0);
        let news = passed(percent) > self.said;
        self.said = self.said.max(passed(percent)).min(passed(percent + SLACK));
        news.then_some(Alarm { level: passed(percent), occupancy })
    }
}
