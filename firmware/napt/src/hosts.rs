//! Internal hosts, and how many sessions each has begun (RFC 6888 REQ-4 and REQ-5; A5).
//!
//! Whoever is over its share begins no more, and the last eighth of the session table is for hosts that have hardly
//! any: one host that scans the world leaves room for the others. Sessions that began outside count for nobody here.
//!
//! A host that has no session left keeps its place, for the sake of its record, until another host needs it.

use core::net::Ipv4Addr;

use crate::index::{Index, Slot};
use crate::keys::Keys;
use crate::slots::Slots;

/// How many internal hosts can have sessions at once.
pub const HOSTS: usize = 1024;

/// How many places one call looks at to find a host without sessions (V7).
const LOOKED_AT: usize = 64;

/// What an internal host has of the session table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostUse {
    /// The host.
    pub address: Ipv4Addr,
    /// Sessions it has begun that are alive.
    pub sessions: u32,
    /// The most it ever had at once.
    pub most: u32,
}

#[derive(Clone, Copy)]
struct Host {
    address: Ipv4Addr,
    sessions: u32,
    most: u32,
    /// The next in the list of free slots.
    next: Option<Slot>,
}

const FREE: Host = Host { address: Ipv4Addr::UNSPECIFIED, sessions: 0, most: 0, next: None };

/// The hosts that have had sessions lately.
pub(crate) struct Hosts {
    records: [Host; HOSTS],
    index: Index<HOSTS, 2>,
    slots: Slots<HOSTS>,
    /// Where to look next for a host without sessions.
    hand: usize,
    /// The host that was found last: whoever begins one session often begins several.
    recent: Option<Slot>,
}

impl Hosts {
    /// None: all zero.
    pub(crate) const fn new() -> Self {
        Self { records: [FREE; HOSTS], index: Index::new(), slots: Slots::new(), hand: 0, recent: None }
    }

    /// The host at an address, known from now on. `None` if there are too many others with sessions.
    #[inline(always)]
    pub(crate) fn enter(&mut self, keys: &Keys, address: Ipv4Addr) -> Option<Slot> {
        if let Some(slot) = self.find(keys, address) {
            self.recent = Some(slot);
            return Some(slot);
        }
        let slot = self.slots.claim(|free| self.records[free.index() % HOSTS].next);
        let slot = match slot {
            Some(slot) => slot,
            None => self.reclaim(keys)?,
        };
        self.records[slot.index() % HOSTS] = Host { address, ..FREE };
        if self.index.insert(keys.host(address), slot).is_none() {
            self.records[slot.index() % HOSTS] = Host { next: self.slots.release(slot), ..FREE };
            return None;
        }
        Some(slot)
    }

    /// How many sessions a host has.
    pub(crate) fn sessions(&self, slot: Slot) -> u32 {
        self.records[slot.index() % HOSTS].sessions
    }

    /// Notes that a host has begun a session.
    pub(crate) fn begin(&mut self, slot: Slot) {
        let host = &mut self.records[slot.index() % HOSTS];
        host.sessions += 1;
        host.most = host.most.max(host.sessions);
    }

    /// Notes that a session has ended that the host at an address had begun.
    pub(crate) fn end(&mut self, keys: &Keys, address: Ipv4Addr) {
        if let Some(slot) = self.find(keys, address) {
            let host = &mut self.records[slot.index() % HOSTS];
            host.sessions = host.sessions.saturating_sub(1);
        }
    }

    /// No host has a session any more.
    pub(crate) fn clear(&mut self) {
        self.records.iter_mut().for_each(|host| host.sessions = 0);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = HostUse> {
        let known = self.records.iter().filter(|host| host.most > 0);
        known.map(|Host { address, sessions, most, .. }| HostUse {
            address: *address,
            sessions: *sessions,
            most: *most,
        })
    }

    #[inline]
    fn find(&self, keys: &Keys, address: Ipv4Addr) -> Option<Slot> {
        let recent = self.recent.filter(|recent| self.records[recent.index() % HOSTS].address == address);
        recent.or_else(|| self.look_up(keys, address))
    }

    fn look_up(&self, keys: &Keys, address: Ipv4Addr) -> Option<Slot> {
        self.index.find(keys.host(address), |slot| self.records[slot.index() % HOSTS].address == address)
    }

    /// Takes the place of a host that has no session left.
    fn reclaim(&mut self, keys: &Keys) -> Option<Slot> {
        for _ in 0..LOOKED_AT {
            let at = self.hand % HOSTS;
            self.hand = at + 1;
            let host = self.records[at];
            if host.sessions == 0 {
                let slot = Slot::new(at as u32);
                self.index.remove(keys.host(host.address), slot);
                return Some(slot);
            }
        }
        None
    }
}
