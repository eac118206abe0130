//! The list of sessions, and maps by which they are found in it.
//!
//! At most one session between two ends is alive; of several that were, the maps know the last. Places in the list stay
//! what they are until something is taken out.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::ops::{Index, IndexMut};

use super::sessions::Session;

/// All sessions, and where they are.
#[derive(Clone, Default)]
pub(super) struct Table {
    list: Vec<Session>,
    outwards: HashMap<(u8, SocketAddrV4, SocketAddrV4), usize>,
    inwards: HashMap<(u8, u16, SocketAddrV4), usize>,
    ports: HashMap<(u8, u16), Vec<usize>>,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.list.iter_mut()
    }

    /// The last session of an internal with a remote end, dead or alive.
    pub(super) fn outwards(&self, key: (u8, SocketAddrV4, SocketAddrV4)) -> Option<usize> {
        self.outwards.get(&key).copied()
    }

    /// The last session of an external port with a remote end, dead or alive.
    pub(super) fn inwards(&self, key: (u8, u16, SocketAddrV4)) -> Option<usize> {
        self.inwards.get(&key).copied()
    }

    /// Every session of an external port, the first one first.
    pub(super) fn of_port(&self, protocol: u8, external: u16) -> impl Iterator<Item = &Session> {
        let places = self.ports.get(&(protocol, external));
        places.into_iter().flatten().map(|place| &self.list[*place])
    }

    pub(super) fn push(&mut self, session: Session) {
        self.list.push(session);
        self.note(self.list.len() - 1);
    }

    /// Takes those out that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&Session) -> bool) {
        let before = self.list.len();
        self.list.retain(keep);
        if self.list.len() == before {
            return;
        }
        (self.outwards, self.inwards, self.ports) = Default::default();
        (0..self.list.len()).for_each(|place| self.note(place));
    }

    fn note(&mut self, place: usize) {
        let Session { protocol, internal, external, remote, .. } = self.list[place];
        self.outwards.insert((protocol, internal, remote), place);
        self.inwards.insert((protocol, external, remote), place);
        self.ports.entry((protocol, external)).or_default().push(place);
    }
}

impl Index<usize> for Table {
    type Output = Session;

    fn index(&self, place: usize) -> &Session {
        &self.list[place]
    }
}

impl IndexMut<usize> for Table {
    fn index_mut(&mut self, place: usize) -> &mut Session {
        &mut self.list[place]
    }
}
