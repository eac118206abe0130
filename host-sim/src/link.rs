//! A link: what is sent at one end arrives at the other, after a while, perhaps, and perhaps not as it was.
//!
//! Words: a link's *quality* is how long it takes and how much it carries; its *faults* are what it does to a frame that
//! it should not. Every fault has a chance, and each direction of a link draws from a stream of its own. The *tally*
//! counts what became of every frame: sent + doubled = carried + each loss.
//!
//! A link with a *rate* carries one frame after the other. Frames that would have to wait longer than [`PATIENCE`] are
//! lost, as in a router's queue that is full. A link with a *limit* loses larger packets without a word, as a tunnel
//! does of which nobody has told its ends.

use core::num::NonZeroU64;
use core::time::Duration;

use crate::chance::{Chance, Stream};
use crate::node::Jack;
use crate::time::Time;

/// How long a frame may wait for those before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Ethernet's preamble, FCS and the gap behind a frame, in bytes: what a frame takes on the wire besides itself.
const OVERHEAD: u64 = 8 + 4 + 12;

/// Ethernet's header, in bytes.
const HEADER: usize = 14;

/// A link to be laid.
#[derive(Clone, Debug)]
pub struct Link {
    /// What to call it.
    pub name: String,
    /// Its two ends.
    pub ends: [Jack; 2],
    /// How long it takes and how much it carries.
    pub quality: Quality,
    /// What it does to frames while faults are on.
    pub faults: Faults,
}

/// How long a link takes and how much it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// How long a frame is under way.
    pub delay: Duration,
    /// How many bits a second it carries; `None` for any number.
    pub rate: Option<NonZeroU64>,
    /// The largest packet that it carries, in bytes, without telling anybody; `None` for any.
    pub limit: Option<u16>,
}

/// What a link does to frames that it should not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The frame does not arrive.
    pub loss: Chance,
    /// It arrives twice.
    pub duplication: Chance,
    /// It takes longer, by up to the jitter, and those behind it overtake it.
    pub reordering: Chance,
    /// How much longer at most.
    pub jitter: Duration,
    /// One to three of its bits are turned.
    pub corruption: Chance,
    /// It is cut short.
    pub truncation: Chance,
}

impl Faults {
    /// Whether any fault can happen.
    pub fn any(&self) -> bool {
        let Self { loss, duplication, reordering, corruption, truncation, .. } = *self;
        [loss, duplication, reordering, corruption, truncation].iter().any(|chance| *chance > Chance::NEVER)
    }
}

/// Why a frame does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Loss {
    /// By chance.
    Lost,
    /// The link was down.
    Down,
    /// It would have had to wait too long.
    QueueFull,
    /// It was larger than the link carries.
    TooLarge,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lost, Self::Down, Self::QueueFull, Self::TooLarge];

    /// What a trace calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Down => "link down",
            Self::QueueFull => "queue full",
            Self::TooLarge => "too large for the link",
        }
    }
}

/// What became of the frames that were sent into a link, both directions together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Frames sent into it.
    pub sent: u64,
    /// Those that arrive or have arrived, copies included.
    pub carried: u64,
    /// Those that do not, by [`Loss`].
    pub lost: [u64; Loss::ALL.len()],
    /// Frames that arrive twice.
    pub doubled: u64,
    /// Frames that take longer than they should.
    pub delayed: u64,
    /// Frames with bits turned.
    pub corrupted: u64,
    /// Frames cut short.
    pub truncated: u64,
}

/// A frame that was sent into a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Time,
    /// At which of its ends, 0 or 1.
    pub end: usize,
    /// The frame, as it was sent.
    pub frame: Vec<u8>,
}

/// A frame that will arrive, and its copy if there is one.
#[derive(Debug)]
pub(crate) struct Delivery {
    pub(crate) at: Time,
    pub(crate) frame: Vec<u8>,
    pub(crate) copy: Option<(Time, Vec<u8>)>,
}

/// A link that is laid.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) link: Link,
    pub(crate) up: bool,
    pub(crate) tally: Tally,
    /// What was sent into it, if anybody wants to know.
    pub(crate) record: Option<Vec<Sent>>,
    directions: [Direction; 2],
}

#[derive(Debug)]
struct Direction {
    stream: Stream,
    /// When the last bit of the last frame has left, in nanoseconds.
    free: u64,
}

impl Cable {
    pub(crate) fn new(link: Link, seed: u64) -> Self {
        let direction =
            |end| Direction { stream: Stream::new(seed, &format!("link {} {end}", link.name)), free: 0 };
        Self {
            directions: [direction(0), direction(1)],
            link,
            up: true,
            tally: Tally::default(),
            record: None,
        }
    }

    /// Takes a frame in at one end, and says when it comes out at the other.
    pub(crate) fn carry(
        &mut self,
        now: Time,
        end: usize,
        frame: Vec<u8>,
        faulty: bool,
    ) -> Result<Delivery, Loss> {
        self.tally.sent += 1;
        if let Some(record) = &mut self.record {
            record.push(Sent { at: now, end, frame: frame.clone() });
        }
        let carried = self.take(now, end, frame, faulty);
        match &carried {
            Ok(delivery) => self.tally.carried += 1 + u64::from(delivery.copy.is_some()),
            Err(loss) => self.tally.lost[*loss as usize] += 1,
        }
        carried
    }

    fn take(&mut self, now: Time, end: usize, frame: Vec<u8>, faulty: bool) -> Result<Delivery, Loss> {
        let Quality { delay, rate, limit } = self.link.quality;
        if !self.up {
            return Err(Loss::Down);
        }
        if limit.is_some_and(|limit| frame.len() > HEADER + usize::from(limit)) {
            return Err(Loss::TooLarge);
        }
        let left = match rate {
            Some(rate) => self.directions[end].serialise(now, frame.len(), rate)?,
            None => now,
        };
        let delivery = Delivery { at: left + delay, frame, copy: None };
        if faulty && self.link.faults.any() { self.mistreat(end, delivery) } else { Ok(delivery) }
    }

    fn mistreat(&mut self, end: usize, mut delivery: Delivery) -> Result<Delivery, Loss> {
        let Faults { loss, duplication, reordering, jitter, corruption, truncation } = self.link.faults;
        let (stream, tally) = (&mut self.directions[end].stream, &mut self.tally);
        if stream.happens(loss) {
            return Err(Loss::Lost);
        }
        let arrives = delivery.at;
        if stream.happens(reordering) {
            delivery.at = arrives + late(stream, jitter);
            tally.delayed += 1;
        }
        if stream.happens(duplication) {
            delivery.copy = Some((arrives + late(stream, jitter), delivery.frame.clone()));
            tally.doubled += 1;
        }
        if stream.happens(corruption) {
            corrupt(stream, &mut delivery.frame);
            tally.corrupted += 1;
        }
        if stream.happens(truncation) {
            let len = stream.below(delivery.frame.len().max(1) as u64) as usize;
            delivery.frame.truncate(len);
            tally.truncated += 1;
        }
        Ok(delivery)
    }
}

impl Direction {
    /// When a frame that comes now has left, after those before it.
    fn serialise(&mut self, now: Time, len: usize, rate: NonZeroU64) -> Result<Time, Loss> {
        let nanos = now.micros() * 1_000;
        let begins = self.free.max(nanos);
        if begins - nanos > PATIENCE.as_nanos() as u64 {
            return Err(Loss::QueueFull);
        }
        self.free = begins + (len as u64 + OVERHEAD) * 8 * 1_000_000_000 / rate;
        Ok(Time::from_micros(self.free.div_ceil(1_000)))
    }
}

fn late(stream: &mut Stream, jitter: Duration) -> Duration {
    Duration::from_micros(1 + stream.below(jitter.as_micros().max(1) as u64))
}

fn corrupt(stream: &mut Stream, frame: &mut [u8]) {
    for _ in 0..=stream.below(3) {
        let bit = stream.below((frame.len() * 8).max(1) as u64) as usize;
        if let Some(byte) = frame.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeId;

    fn cable(quality: Quality, faults: Faults) -> Cable {
        let jack = |node| Jack { node: NodeId(node), index: 0 };
        Cable::new(Link { name: "x".to_owned(), ends: [jack(0), jack(1)], quality, faults }, 1)
    }

    #[test]
    fn frames_wait_for_those_before_them_and_at_most_a_second() {
        let rate = NonZeroU64::new(8_000_000);
        let mut cable =
            cable(Quality { rate, delay: Duration::from_millis(5), limit: None }, Faults::default());
        let mut arrives = || cable.carry(Time::ZERO, 0, vec![0; 976], true).map(|frame| frame.at);

        // With what it takes besides itself, a frame is 1,000 bytes: a millisecond.
        assert_eq!(arrives().unwrap(), Time::from_micros(6_000));
        assert_eq!(arrives().unwrap(), Time::from_micros(7_000));
        let waiting = (0..2_000).filter(|_| arrives().is_ok()).count();
        assert_eq!(waiting, 999);
        assert_eq!(arrives().unwrap_err(), Loss::QueueFull);
    }

    #[test]
    fn what_is_too_large_or_comes_while_it_is_down_is_lost() {
        let mut cable = cable(Quality { limit: Some(1400), ..Quality::default() }, Faults::default());

        assert!(cable.carry(Time::ZERO, 0, vec![0; 1414], true).is_ok());
        assert_eq!(cable.carry(Time::ZERO, 0, vec![0; 1415], true).unwrap_err(), Loss::TooLarge);
        cable.up = false;
        assert_eq!(cable.carry(Time::ZERO, 0, vec![0; 60], true).unwrap_err(), Loss::Down);
    }

    #[test]
    fn every_frame_is_in_the_tally_and_faults_happen_only_while_they_are_on() {
        let half = Chance::per_million(500_000);
        let faults = Faults {
            loss: half,
            duplication: half,
            reordering: half,
            jitter: Duration::from_millis(1),
            corruption: half,
            truncation: half,
        };
        let mut cable = cable(Quality::default(), faults);
        let mut intact = 0;
        for faulty in [true, false] {
            for _ in 0..1_000 {
                let delivery = cable.carry(Time::ZERO, 1, vec![7; 60], faulty);
                intact += u64::from(delivery.is_ok_and(|it| it.frame == [7; 60] && it.copy.is_none()));
            }
        }

        let Tally { sent, carried, lost, doubled, delayed, corrupted, truncated } = cable.tally;
        assert_eq!((sent, sent + doubled), (2_000, carried + lost.iter().sum::<u64>()));
        assert!([lost[0], doubled * 2, delayed * 2, corrupted * 2, truncated * 2].iter().all(|n| *n > 400));
        assert!((1_000..1_100).contains(&intact), "{intact}");
    }
}
