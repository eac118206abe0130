//! An engine and its oracle, side by side on one clock.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use host_sim::oracle::{Oracle, TICK};
use napt::{Engine, Instant, Realm, Settings, Tables, Verdict};

use crate::Packet;

/// An engine with room for `N` sessions, and who judges it.
pub struct Bench<'t, const N: usize> {
    /// The engine.
    pub engine: Engine<'t, N>,
    /// What it ought to do.
    pub oracle: Oracle,
    /// What the clock says.
    pub now: Instant,
    woken: bool,
}

/// Longer than any test: how late an engine may be that nobody wakes.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

impl<'t, const N: usize> Bench<'t, N> {
    /// A fresh engine in fresh tables. The clock starts an hour before 32 bits of milliseconds run over (T14).
    /// The engine is `woken` whenever it asks to be, or never.
    pub fn new(tables: &'t mut Tables<N>, settings: &Settings, woken: bool) -> Self {
        Self {
            engine: Engine::new(tables, settings.clone(), &[7; 32]),
            oracle: Oracle::new(settings.clone(), N, if woken { TICK } else { MONTH }),
            now: Instant::from_millis(u64::from(u32::MAX) - 3_600_000),
            woken,
        }
    }

    /// Passes a packet through the engine.
    ///
    /// # Errors
    /// What the oracle finds wrong.
    pub fn translate(&mut self, from: Realm, packet: &Packet) -> Result<(Verdict, Packet), String> {
        let mut after = packet.clone();
        let verdict = match napt::Packet::parse(&mut after.bytes, packet.checksum, packet.segment) {
            Ok(parsed) => self.engine.translate(self.now, from, parsed),
            Err(reason) => Verdict::Drop(reason),
        };
        self.oracle.judge(self.now, from, packet.view(), verdict, after.view())?;
        self.oracle.check_occupancy(self.now, self.engine.occupancy())?;
        Ok((verdict, after))
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// What the oracle finds wrong with the tables afterwards.
    pub fn wait(&mut self, time: Duration) -> Result<(), String> {
        let end = self.now + time;
        while let Some(due) = self.engine.poll_timeout().filter(|due| self.woken && *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
        }
        self.now = end;
        self.oracle.check_occupancy(self.now, self.engine.occupancy())
    }

    /// Goes on with other settings.
    ///
    /// # Errors
    /// What the oracle finds wrong with the tables afterwards.
    pub fn reconfigure(&mut self, settings: Settings) -> Result<(), String> {
        self.engine.reconfigure(self.now, settings.clone());
        self.oracle.reconfigure(self.now, settings);
        self.oracle.check_occupancy(self.now, self.engine.occupancy())
    }

    /// A number for the state: the oracle's, how full the engine's tables are, and when it wants to be woken.
    pub fn fingerprint(&self) -> u64 {
        let (occupancy, due) = (self.engine.occupancy(), self.engine.poll_timeout());
        let due = due.map(|due| due.since(self.now));
        let mut hasher = DefaultHasher::new();
        (self.oracle.state(), occupancy.sessions, occupancy.mappings, due).hash(&mut hasher);
        hasher.finish()
    }
}
