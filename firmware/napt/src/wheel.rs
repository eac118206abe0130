//! The timer wheel: which sessions to look at, and when, at a bounded price (T15, A8).
//!
//! A packet that refreshes a session only writes the new deadline into it. The wheel does the rest: it meets every
//! session when its deadline was due as of the last meeting, or a turn later at most, and its owner then ends
//! the session or puts it back for the deadline it has by now. A turn is 64.5 s, well below the 240 s that a closing
//! TCP session has, so that a deadline that moves closer is never met late.
//!
//! The lists are singly linked through the sessions themselves. `next` of a session belongs to the wheel while the
//! session is on it.

use crate::index::Slot;
use crate::time::Instant;

const BUCKETS: usize = 64;

/// One step of the wheel, in milliseconds: how late a session may be met. Look-ups do not wait for it.
const TICK: u64 = 1 << 10;

/// The heads of the lists, one for each tick of a turn.
pub(crate) struct Wheel {
    heads: [Option<Slot>; BUCKETS],
    /// The tick whose list is being worked off; those before it are done.
    cursor: u64,
}

impl Wheel {
    /// An empty wheel: all zero.
    pub(crate) const fn new() -> Self {
        Self { heads: [None; BUCKETS], cursor: 0 }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.heads = [None; BUCKETS];
    }

    /// The head of the list on which a session with `remaining` milliseconds to live belongs. The caller links the
    /// session in front of it.
    pub(crate) fn list_for(&mut self, now: Instant, remaining: i32) -> &mut Option<Slot> {
        self.catch_up(now);
        let due = (now.millis() + u64::from(remaining.max(0) as u32)).div_ceil(TICK);
        // `clamp` would assert that its limits are in order.
        let tick = due.max(self.cursor + 1).min(self.cursor + BUCKETS as u64 - 1);
        self.list(tick)
    }

    /// The list to take a session from, if one is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<&mut Option<Slot>> {
        self.catch_up(now);
        while self.list(self.cursor).is_none() {
            if self.cursor >= tick(now) {
                return None;
            }
            self.cursor += 1;
        }
        Some(self.list(self.cursor))
    }

    /// When to ask [`Wheel::due`] next, if there are sessions at all.
    pub(crate) fn next(&self) -> Instant {
        let resting = self.heads[self.cursor as usize % BUCKETS].is_none();
        Instant::from_millis((self.cursor + u64::from(resting)) * TICK)
    }

    /// After a pause longer than a turn, all lists are due: start a turn before now, not where the pause began.
    fn catch_up(&mut self, now: Instant) {
        self.cursor = self.cursor.max(tick(now).saturating_sub(BUCKETS as u64 - 1));
    }

    fn list(&mut self, tick: u64) -> &mut Option<Slot> {
        &mut self.heads[tick as usize % BUCKETS]
    }
}

const fn tick(now: Instant) -> u64 {
    now.millis() / TICK
}
