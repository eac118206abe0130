//! What the box owes to others as long as it forwards: food for the watchdog, and word to the flash that its
//! configuration is fit to run with, or that another is to be.

use control::Kept;
use flash::{Slot, Store};
use linux::partition::Partition;
use linux::{Watchdog, clock};
use napt::Instant;

/// How often the watchdog is fed, in milliseconds.
const MEAL: u64 = 5_000;

/// When it bites, in seconds.
pub(crate) const PATIENCE: i32 = 20;

/// How long a configuration has to run until it is no longer on trial, in milliseconds.
const TRIAL: u64 = 30_000;

const _: () =
    assert!(TRIAL > 1000 * PATIENCE as u64, "what wedges the box is noticed before it is confirmed");

/// What is due, and when. A process in a namespace has no duties.
#[derive(Debug, Default)]
pub(crate) struct Duties {
    watchdog: Option<(Instant, Watchdog)>,
    store: Option<Store<Partition>>,
    trial: Option<(Instant, Slot)>,
}

impl Duties {
    /// Nothing to be done.
    pub(crate) const fn none() -> Self {
        Self { watchdog: None, store: None, trial: None }
    }

    /// A watchdog that was started just now, if there is one.
    pub(crate) fn watching(watchdog: Option<Watchdog>) -> Self {
        Self { watchdog: watchdog.map(|watchdog| (now(), watchdog)), ..Self::none() }
    }

    /// Puts the configuration of a slot on trial from now on.
    pub(crate) fn try_out(&mut self, store: Store<Partition>, slot: Slot) {
        self.store = Some(store);
        self.trial = Some((later(now(), TRIAL), slot));
    }

    /// Writes the configuration to begin with next time.
    pub(crate) fn keep(&mut self, blob: &[u8]) -> Kept {
        let Some(store) = &mut self.store else { return Kept::Nowhere };
        match store.write(blob) {
            Ok((slot, sequence)) => {
                log::info!("configuration {} is in the {slot} slot", sequence.number());
                Kept::Yes
            }
            Err(error) => {
                log::warn!("the configuration cannot be kept: {error}");
                Kept::Failed
            }
        }
    }

    /// When the next thing is due.
    fn due(&self) -> Option<Instant> {
        let meal = self.watchdog.as_ref().map(|(due, _)| *due);
        meal.into_iter().chain(self.trial.as_ref().map(|(due, _)| *due)).min()
    }

    /// Does what is due at `now`, and says when the next thing is.
    pub(crate) fn attend(&mut self, now: Instant) -> Option<Instant> {
        if let Some((due, watchdog)) = &mut self.watchdog
            && *due <= now
        {
            watchdog.feed();
            *due = later(now, MEAL);
        }
        if let Some((_, slot)) = self.trial.take_if(|(due, _)| *due <= now)
            && let Some(store) = &mut self.store
        {
            match store.confirm(slot) {
                Ok(()) => log::info!("the configuration of the {slot} slot is confirmed, it runs well"),
                Err(fault) => log::warn!("{fault}: cannot be confirmed"),
            }
        }
        self.due()
    }

    /// Lets a machine that is to be switched off do so in peace.
    pub(crate) fn end(self) {
        if let Some((_, watchdog)) = self.watchdog {
            watchdog.stop();
        }
    }
}

fn now() -> Instant {
    Instant::from_millis(clock::now())
}

fn later(now: Instant, millis: u64) -> Instant {
    Instant::from_millis(now.millis() + millis)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::String;

    use super::*;

    /// A watchdog that is a file, which has a byte for each time that it was fed.
    struct Dog(String);

    impl Dog {
        fn new(test: &str) -> (Self, Watchdog) {
            let name = std::format!("sekisho-dog-{test}-{}", std::process::id());
            let path = std::env::temp_dir().join(name).into_os_string().into_string().unwrap_or_default();
            let made = std::fs::write(&path, b"").is_ok();
            let watchdog = Watchdog::start(&path, PATIENCE);
            assert!(made && watchdog.is_ok(), "{path}");
            let Ok(watchdog) = watchdog else { unreachable!() };
            (Self(path), watchdog)
        }

        fn meals(&self) -> usize {
            std::fs::read(&self.0).map_or(0, |bytes| bytes.len())
        }
    }

    impl Drop for Dog {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_watchdog_starves_where_nobody_attends_or_the_clock_stands_still() {
        let (dog, watchdog) = Dog::new("starves");
        let mut duties = Duties::watching(Some(watchdog));
        assert_eq!(dog.meals(), 0);
        let start = later(now(), 1);
        for _ in 0..1000 {
            duties.attend(start);
        }
        assert_eq!(dog.meals(), 1);
    }

    #[test]
    fn the_watchdog_is_fed_four_times_as_often_as_it_must_be() {
        let (dog, watchdog) = Dog::new("fed");
        let mut duties = Duties::watching(Some(watchdog));
        let start = later(now(), 1);
        let seconds = 10 * PATIENCE as u64;
        for millis in (0..1000 * seconds).step_by(10) {
            let due = duties.attend(later(start, millis));
            assert!(due.is_some_and(|due| due.millis() - start.millis() <= millis + MEAL));
        }
        assert_eq!(dog.meals(), 40);
    }
}
