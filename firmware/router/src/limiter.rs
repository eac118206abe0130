//! How often the box speaks for itself (RFC 1812 s.4.3.2.8).
//!
//! Two token buckets must both agree: one for all destinations, one for each of a few classes that destinations fall
//! into by a secret. The common one loses a random token now and then, so that its level tells an attacker nothing
//! about what others have caused (the SAD DNS side channel, A16).

use core::net::Ipv4Addr;
use core::time::Duration;

use napt::{Instant, Random};

const CLASSES: usize = 64;

/// A rate and a burst.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Packets a second.
    pub(crate) per_second: u32,
    /// Packets at once after a pause.
    pub(crate) burst: u32,
}

/// Permits for packets of the box's own.
pub(crate) struct Limiter {
    all: Rate,
    each: Rate,
    common: Bucket,
    classes: [Bucket; CLASSES],
    secret: u32,
}

impl Limiter {
    pub(crate) fn new(all: Rate, each: Rate, random: &mut Random) -> Self {
        Self {
            all,
            each,
            common: Bucket::default(),
            classes: [Bucket::default(); CLASSES],
            secret: random.draw() as u32 | 1,
        }
    }

    /// Whether another packet may go to `destination` now.
    pub(crate) fn allow(&mut self, now: Instant, destination: Ipv4Addr, random: &mut Random) -> bool {
        let class = destination.to_bits().wrapping_mul(self.secret) >> 26;
        let Some(class) = self.classes.get_mut(class as usize) else { return false };
        class.refill(now, self.each);
        self.common.refill(now, self.all);
        if class.spent >= self.each.burst || self.common.spent >= self.all.burst {
            return false;
        }
        class.spent += 1;
        self.common.spent += 1 + (random.draw() as u32 & 1);
        true
    }
}

/// Zero is full: what counts is how much has been spent.
#[derive(Clone, Copy, Default)]
struct Bucket {
    spent: u32,
    filled: Instant,
}

impl Bucket {
    fn refill(&mut self, now: Instant, rate: Rate) {
        let millis = now.since(self.filled).as_millis().min(u128::from(u16::MAX)) as u32;
        let tokens = millis.saturating_mul(rate.per_second) / 1000;
        if tokens >= self.spent {
            *self = Self { spent: 0, filled: now };
        } else if tokens > 0 {
            // Only the time of whole tokens has been used up.
            let used = u64::from(tokens) * 1000 / u64::from(rate.per_second);
            *self = Self { spent: self.spent - tokens, filled: self.filled + Duration::from_millis(used) };
        }
    }
}
