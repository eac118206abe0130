//! How long something that a session keeps alive must live, as far as can be told from outside.
//!
//! A packet that goes out keeps its session for the shortest timer of its protocol. Not every segment does: somebody may
//! send them for ever, unanswered; once an end or a reset has passed, in either direction, a connection only has its
//! closing time left (RFC 7857 s.2); and after a SYN that was damaged on its way, which a router does not see, what is sent
//! does not fit the numbers that it said. To say too short a time is always safe.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use config::Config;

use super::View;
use crate::time::Time;
use crate::wire::{TCP, UDP};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// Who inside has begun a connection by a SYN that was damaged, whether that has gone out yet or waits for a neighbour.
#[derive(Default)]
pub(super) struct Spoilt(HashSet<(Ipv4Addr, u16)>);

impl Spoilt {
    /// Looks at what has come from inside.
    pub(super) fn see(&mut self, packet: &View<'_>) {
        if let Some((from, _)) = packet.ports()
            && is_damaged_syn(packet)
        {
            self.0.insert((packet.source(), from));
        }
    }

    /// Whether who sends this is one of them.
    pub(super) fn has(&self, packet: &View<'_>) -> bool {
        packet.protocol() == TCP
            && packet.ports().is_some_and(|(from, _)| self.0.contains(&(packet.source(), from)))
    }
}

/// Until when something must live.
#[derive(Clone, Copy, Debug)]
pub(super) struct Life {
    /// Before a connection is answered nobody can tell: its first segment may have waited for a neighbour, unseen.
    until: Option<Time>,
    closing: bool,
    answered: bool,
}

impl Life {
    /// What goes out begins it.
    pub(super) fn begin(now: Time, config: &Config, packet: &View<'_>) -> Self {
        let answered = packet.protocol() != TCP;
        let until = answered.then(|| now + shortest(config, packet.protocol()));
        Self { until, closing: closes(packet), answered }
    }

    /// Until when it must go on, if it must at all.
    pub(super) fn left(&self, now: Time) -> Option<Time> {
        self.until.filter(|until| *until > now)
    }

    pub(super) fn is_over(&self, now: Time) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// What goes out may prolong it, unless who sends it has spoilt it.
    pub(super) fn goes_out(&mut self, now: Time, config: &Config, packet: &View<'_>, spoilt: &Spoilt) {
        if self.is_over(now) {
            *self = Self::begin(now, config, packet);
            return;
        }
        self.closing |= closes(packet) || spoilt.has(packet);
        if self.answered && !self.closing && !has(packet, SYN) {
            self.until = Some(now + shortest(config, packet.protocol()));
        }
    }

    /// What comes in does not, but it may begin its end.
    pub(super) fn comes_in(&mut self, packet: &View<'_>) {
        self.closing |= closes(packet);
        self.answered |= !has(packet, RST);
    }
}

/// Whether nothing that follows need keep the connection.
fn closes(packet: &View<'_>) -> bool {
    has(packet, FIN | RST) || is_damaged_syn(packet)
}

fn is_damaged_syn(packet: &View<'_>) -> bool {
    has(packet, SYN) && packet.transport_error() != Some(0)
}

/// Whether a segment has one of these flags.
pub(super) fn has(packet: &View<'_>, flags: u8) -> bool {
    packet.protocol() == TCP
        && packet.is_first()
        && packet.transport().get(13).is_some_and(|set| set & flags != 0)
}

/// The router's clock counts milliseconds, ours what lies between.
const MILLISECOND: Duration = Duration::from_millis(1);

/// How long a session of a protocol lives at least, once something has gone out.
fn shortest(config: &Config, protocol: u8) -> Duration {
    let timers = config.timers();
    let timer = match protocol {
        TCP => timers.tcp_opening().min(timers.tcp_closing()).min(timers.tcp_established()),
        UDP => timers.udp(),
        _ => timers.icmp(),
    };
    timer - MILLISECOND
}
