//! Sessions that began outside and that the inside has not answered yet, or the outside not confirmed (A6).
//!
//! Whoever sends to a forward makes state here, with any source address it likes. So such sessions are counted, by the
//! forward they came through and by their source, and beyond a limit no more are let in until some are answered or
//! expire. Sources are counted in as many classes as there is room for, chosen by a keyed hash: who shares a class with
//! an attacker shares its limit, but nobody outside knows who does.

use core::net::Ipv4Addr;

use crate::forward::MAX_FORWARDS;
use crate::keys::Keys;

const CLASSES: usize = 1024;

/// How many sessions are half-open.
pub(crate) struct HalfOpen {
    by_source: [u16; CLASSES],
    /// By the forward's place in the configuration; the last are those that an open filter let in.
    by_forward: [u32; MAX_FORWARDS + 1],
}

/// How many there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) each_source: u32,
    pub(crate) each_forward: u32,
}

impl HalfOpen {
    /// None: all zero.
    pub(crate) const fn new() -> Self {
        Self { by_source: [0; CLASSES], by_forward: [0; MAX_FORWARDS + 1] }
    }

    /// Whether one more may be let in from a source, through a forward or an open filter. Where sessions keep no remote
    /// address there is none to count by, nor more than one session for an external port.
    pub(crate) fn has_room(
        &self,
        keys: &Keys,
        limits: Limits,
        source: Ipv4Addr,
        forward: Option<usize>,
    ) -> bool {
        let of_source = self.by_source.get(class(keys, source)).copied().unwrap_or(u16::MAX);
        let has_room = source.is_unspecified() || u32::from(of_source) < limits.each_source;
        has_room && self.of(forward) < limits.each_forward
    }

    /// How many came through a forward.
    pub(crate) fn of(&self, forward: Option<usize>) -> u32 {
        self.by_forward.get(place(forward)).copied().unwrap_or_default()
    }

    /// Counts one more.
    pub(crate) fn enter(&mut self, keys: &Keys, source: Ipv4Addr, forward: Option<usize>) {
        if let Some(count) = self.by_source.get_mut(class(keys, source)) {
            *count = count.saturating_add(1);
        }
        if let Some(count) = self.by_forward.get_mut(place(forward)) {
            *count += 1;
        }
    }

    /// Counts one less.
    pub(crate) fn leave(&mut self, keys: &Keys, source: Ipv4Addr, forward: Option<usize>) {
        if let Some(count) = self.by_source.get_mut(class(keys, source)) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.by_forward.get_mut(place(forward)) {
            *count = count.saturating_sub(1);
        }
    }
}

fn class(keys: &Keys, source: Ipv4Addr) -> usize {
    keys.source(source) as usize % CLASSES
}

fn place(forward: Option<usize>) -> usize {
    forward.unwrap_or(MAX_FORWARDS)
}
