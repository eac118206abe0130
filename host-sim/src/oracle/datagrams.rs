//! Datagrams that leave in pieces (RFC 791 s.3.2, RFC 4787 REQ-14, RFC 3022 s.6.3, RFC 5722, RFC 6864).
//!
//! A first fragment is a packet like any other; what becomes of it becomes of the others too, for a while, as long as
//! nothing of the datagram comes twice. What leaves in pieces from inside gets an identification of the engine's choice:
//! it must not be that of another that is under way.
//!
//! There are places for so many datagrams, and for so many of one source. Who needs another takes that of the oldest, of
//! its own if it has too many itself.

use std::net::Ipv4Addr;

use napt::{DropReason, Instant, Realm, Verdict};

use super::change::Change;
use super::wire::{Part, address, header, hop, part, word};
use super::{Judgement, Oracle, Packet, Told};

/// How many packets get other identifications than the one before them, at least.
const RECENT: usize = 64;

/// How many gaps, less one, there may be between the parts that have come.
const RUNS: usize = 16;

/// How many datagrams there may be, and how many of one source.
const PLACES: usize = 128;
const PLACES_EACH: usize = 32;

/// A datagram of which a part has passed.
#[derive(Clone, Debug)]
pub(super) struct Datagram {
    key: Key,
    to: Realm,
    ends: (Ipv4Addr, Ipv4Addr),
    id: u16,
    /// Whether each eight bytes of it have come, as far as any have.
    come: Vec<bool>,
    /// Where it ends, if that is known.
    end: Option<usize>,
    pub(super) until: Instant,
}

/// What the parts of a datagram have in common: where from, protocol, identification and addresses.
type Key = (u8, u8, u16, Ipv4Addr, Ipv4Addr);

impl Datagram {
    /// What matters of it from `now` on. Which identification it has does not.
    pub(super) fn state(&self, now: Instant) -> (Key, Vec<bool>, Option<usize>, u64) {
        (self.key, self.come.clone(), self.end, self.until.since(now).as_millis() as u64)
    }

    /// Notes a part, unless there is a reason not to.
    fn add(&mut self, part: Part) -> Result<(), DropReason> {
        let beyond = self.end.is_some_and(|end| part.end > end || part.is_last);
        let short = part.is_last && self.come.len() > part.end;
        let mut come = self.come.clone();
        come.resize(come.len().max(part.end), false);
        if beyond || short || come[part.first..part.end].contains(&true) {
            return Err(DropReason::FragmentOverlap);
        }
        come[part.first..part.end].fill(true);
        let runs = come.chunk_by(|one, other| one == other).filter(|run| run[0]).count();
        if runs > RUNS {
            return Err(DropReason::FragmentsTooMany);
        }
        self.come = come;
        self.end = self.end.or(part.is_last.then_some(part.end));
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.end.is_some() && !self.come.contains(&false)
    }
}

impl Oracle {
    /// Judges what became of a fragment.
    pub(super) fn judge_fragment(&mut self, from: Realm, before: Packet<'_>, told: &Told) -> Judgement {
        let part = match part(before.bytes) {
            Ok(part) => part,
            Err(fault) => return self.faulty(from, vec![fault], told),
        };
        let key = key_of(from, before.bytes);
        let known = self.datagrams.iter().position(|datagram| datagram.key == key);
        match (known, part.first) {
            (Some(_), 0) => told.is(DropReason::FragmentOverlap),
            (None, 0) => {
                let change = self.judge_whole(from, before, told)?;
                Ok(change.map(|change| self.begin_datagram(key, part, change, told)))
            }
            (Some(known), _) => self.continue_datagram(known, part, before, told),
            (None, _) if from == Realm::External && key.4 != self.external => told.is(DropReason::NotOurs),
            (None, _) => told.is(Verdict::Hold),
        }
    }

    /// Whether a packet that leaves in pieces, or may yet, has got an identification that no other has that is under way,
    /// nor any of those before it.
    pub(super) fn check_id(&mut self, told: &Told) -> Result<(), String> {
        if self.identifications.contains(&told.id) {
            return Err(format!("F13: {} has just been the identification of another", told.id));
        }
        self.identifications.truncate(RECENT - 1);
        self.identifications.push_front(told.id);
        let under_way =
            |datagram: &Datagram| datagram.id == told.id && datagram.key.0 == number(Realm::Internal);
        match self.datagrams.iter().find(|datagram| under_way(datagram)) {
            Some(other) => Err(format!("F13: {} is the identification of {other:?}, too", told.id)),
            None => Ok(()),
        }
    }

    fn begin_datagram(&mut self, key: Key, part: Part, change: Change, told: &Told) -> Change {
        let to = match told.verdict {
            Verdict::Forward(to) => to,
            _ => Realm::Internal,
        };
        let id = told.id;
        let ends = (*change.source.ip(), *change.destination.ip());
        let until = self.now + self.settings.timers.fragment;
        let mut datagram = Datagram { key, to, ends, id, come: vec![], end: None, until };
        // The first part meets no other.
        let _ = datagram.add(part);
        self.make_place(key.3);
        self.datagrams.push(datagram);
        self.due = self.due.min(until);
        Change { id: (key.0 == number(Realm::Internal)).then_some(id), ..change }
    }

    /// Sees to it that another datagram of a source has a place. They are in the order in which they have begun.
    fn make_place(&mut self, source: Ipv4Addr) {
        let of_source = |datagram: &Datagram| datagram.key.3 == source;
        let is_over = self.datagrams.iter().filter(|datagram| of_source(datagram)).count() >= PLACES_EACH;
        let oldest = match self.datagrams.len() {
            _ if is_over => self.datagrams.iter().position(of_source),
            PLACES.. => Some(0),
            _ => None,
        };
        if let Some(oldest) = oldest {
            self.datagrams.remove(oldest);
        }
    }

    fn continue_datagram(&mut self, known: usize, part: Part, before: Packet<'_>, told: &Told) -> Judgement {
        let Datagram { to, ends, id, .. } = self.datagrams[known];
        let mut after = self.datagrams[known].clone();
        let (_, len) = header(before.bytes).map_err(|fault| format!("{fault:?}"))?;
        let hop = self.next_hop(hop(before.bytes, len), to);
        let refusal = after.add(part).err();
        let refusals = [hop, refusal.map(Verdict::Drop)];
        if refusals.iter().any(Option::is_some) {
            let known = refusals.contains(&Some(told.verdict));
            return known
                .then_some(None)
                .ok_or_else(|| format!("{:?}, not one of {refusals:?}", told.verdict));
        }
        told.is(Verdict::Forward(to))?;
        self.datagrams[known] = after;
        self.datagrams.retain(|datagram| !datagram.is_complete());
        let [source, destination] = [ends.0, ends.1].map(|end| std::net::SocketAddrV4::new(end, 0));
        Ok(Some(Change { id: Some(id), ..Change::new(source, destination) }))
    }
}

fn key_of(from: Realm, bytes: &[u8]) -> Key {
    (number(from), bytes[9], word(bytes, 4), address(bytes, 12), address(bytes, 16))
}

fn number(realm: Realm) -> u8 {
    realm as u8
}
