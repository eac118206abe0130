//! The index: from a keyed hash to slots of a table, with bounded work whatever the keys (V7, A7).
//!
//! Every key has two buckets, chosen by different bits of its hash. An entry goes to the first while that is less than
//! three quarters full, then to the emptier of the two; it is looked for in both and nowhere else. So a look-up reads two
//! buckets at most and mostly one, nothing is ever moved to make room, and a removal leaves no tombstone.
//!
//! An entry is 32 bits: the slot, and the hash bits left over as a tag that spares most visits to the wrong record.
//! `W` entries of room are kept for each of the table's `N` slots, and four slots' worth make a bucket. The place of its
//! first entry is filled last: until then, it says how many of the others are used. With two entries used of `W` = 3, or
//! three of `W` = 4, buckets do not fill up before the table does (the tests at the end), but for one of several million
//! entries while a full table changes all the time. Such a one is refused as if the table were full.

use core::hint::black_box;
use core::mem::replace;
use core::num::NonZeroU32;

use crate::ahead::address;

/// A place in a table: its index, and a bit that is always set, so that "none" costs no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(NonZeroU32);

impl Slot {
    /// The largest number of slots that an entry can tell apart.
    pub(crate) const LIMIT: usize = 1 << INDEX_BITS;

    /// The slot at `index`, which is below [`Slot::LIMIT`].
    pub(crate) const fn new(index: u32) -> Self {
        Self(match NonZeroU32::new(index & INDEX_MASK | USED) {
            Some(slot) => slot,
            None => NonZeroU32::MIN,
        })
    }

    /// Every slot of a table of `N`.
    pub(crate) fn all<const N: usize>() -> impl Iterator<Item = Self> {
        (0..N as u32).map(Self::new)
    }

    #[inline(always)]
    pub(crate) const fn index(self) -> usize {
        (self.0.get() & INDEX_MASK) as usize
    }
}

/// A tag in the low bits, a slot in the high ones: none if that is zero.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(u32);

const INDEX_BITS: u32 = 20;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const USED: u32 = 1 << INDEX_BITS;
const TAG_BITS: u32 = 32 - INDEX_BITS - 1;
const TAG_MASK: u32 = (1 << TAG_BITS) - 1;

impl Entry {
    const NONE: Self = Self(0);

    /// What says how many entries follow. It has no slot, and so is no entry itself.
    #[inline(always)]
    const fn count(used: usize) -> Self {
        Self(used as u32 & TAG_MASK)
    }

    #[inline(always)]
    const fn new(hash: u64, slot: Slot) -> Self {
        Self(slot.0.get() << TAG_BITS | tag(hash))
    }

    /// Whether it may lie under a hash.
    #[inline(always)]
    const fn has_tag_of(self, hash: u64) -> bool {
        (self.0 ^ tag(hash)) & TAG_MASK == 0
    }

    #[inline(always)]
    fn slot(self) -> Option<Slot> {
        NonZeroU32::new(self.0 >> TAG_BITS).map(Slot)
    }
}

/// The hash bits that no bucket number uses, in the place where an entry keeps them.
#[inline(always)]
const fn tag(hash: u64) -> u32 {
    (hash >> (64 - TAG_BITS)) as u32
}

const ROWS: usize = 4;

/// An index with `W` entries of room for each of `N` slots.
#[repr(align(64))]
pub(crate) struct Index<const N: usize, const W: usize> {
    rows: [[Entry; W]; N],
}

/// The number of a bucket's first row.
type Bucket = usize;

impl<const N: usize, const W: usize> Index<N, W> {
    const VALID: () = assert!(N.is_power_of_two() && N >= 2 * ROWS && N <= Slot::LIMIT);

    /// An empty index: all zero.
    pub(crate) const fn new() -> Self {
        const { Self::VALID };
        Self { rows: [[Entry::NONE; W]; N] }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.rows.fill([Entry::NONE; W]);
    }

    /// The slot under `hash` for which `is_it` holds.
    #[inline(always)]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let mut bucket = first::<N>(hash);
        // A table that is nearly empty has hardly any other entry there.
        let alone = self.entries(bucket).get(1).filter(|entry| entry.has_tag_of(hash));
        if let Some(slot) = alone.and_then(|entry| entry.slot())
            && is_it(slot)
        {
            return Some(slot);
        }
        loop {
            for four in self.entries(bucket).as_chunks::<4>().0 {
                let mut marks = marks(four, |entry| entry.has_tag_of(hash));
                while marks != 0 {
                    if let Some(slot) = four[marks.trailing_zeros() as usize % 4].slot()
                        && is_it(slot)
                    {
                        return Some(slot);
                    }
                    marks &= marks - 1;
                }
                if four[3] == Entry::NONE {
                    break;
                }
            }
            // Computed only now that it is needed, which the compiler has to be asked for.
            let other = second::<N>(black_box(hash));
            if bucket == other {
                return None;
            }
            bucket = other;
        }
    }

    /// Has the bucket fetched where an entry is looked for first.
    #[inline(always)]
    pub(crate) fn fetch_first(&self, hash: u64, fetch: impl Fn(*const ())) {
        fetch(address(self.entries(first::<N>(hash))));
    }

    /// The other one.
    #[inline(always)]
    pub(crate) fn fetch_second(&self, hash: u64, fetch: impl Fn(*const ())) {
        fetch(address(self.entries(second::<N>(hash))));
    }

    /// The slot that is in the first bucket under `hash`, going by its tag.
    #[inline(always)]
    pub(crate) fn guess_first(&self, hash: u64) -> Option<Slot> {
        self.guess_in(first::<N>(hash), hash)
    }

    /// The slot that is in the other bucket.
    #[inline(always)]
    pub(crate) fn guess_second(&self, hash: u64) -> Option<Slot> {
        self.guess_in(second::<N>(hash), hash)
    }

    /// Looks at all entries at once: where one lies cannot be foretold, so that every branch on the way would be a bad guess.
    #[inline(always)]
    fn guess_in(&self, bucket: Bucket, hash: u64) -> Option<Slot> {
        let entries = self.entries(bucket);
        let fours = entries.as_chunks::<4>().0.iter().enumerate();
        let marks =
            fours.fold(0, |all, (n, four)| all | marks(four, |entry| entry.has_tag_of(hash)) << (n * 4));
        entries.get(marks.trailing_zeros() as usize)?.slot()
    }

    /// Adds `slot` under `hash`. `None` if both buckets are full.
    pub(crate) fn insert(&mut self, hash: u64, slot: Slot) -> Option<()> {
        let (first, second) = (first::<N>(hash), second::<N>(hash));
        let used = self.used(first);
        let is_near = used < ROWS * W * 3 / 4 || used <= self.used(second);
        let entries = self.entries_mut(if is_near { first } else { second });
        let used = used_of(entries);
        if used < entries.len() - 1 {
            *entries.get_mut(used + 1)? = Entry::new(hash, slot);
            *entries.first_mut()? = Entry::count(used + 1);
        } else if used < entries.len() {
            *entries.first_mut()? = Entry::new(hash, slot);
        } else {
            return None;
        }
        Some(())
    }

    /// Removes `slot` from under `hash`, if it is there.
    #[inline(never)]
    pub(crate) fn remove(&mut self, hash: u64, slot: Slot) {
        let entry = Entry::new(hash, slot);
        let _ = [first::<N>(hash), second::<N>(hash)].into_iter().any(|bucket| self.remove_in(bucket, entry));
    }

    /// Fills the gap with the bucket's last entry, so that a search may stop at the first gap.
    #[inline(always)]
    fn remove_in(&mut self, bucket: Bucket, entry: Entry) -> bool {
        let Some(gap) = self.place(bucket, |other| other == entry) else { return false };
        let entries = self.entries_mut(bucket);
        let used = used_of(entries);
        // The first place is filled last.
        let last = if used < entries.len() { used } else { 0 };
        let Some(moved) = entries.get_mut(last).map(|last| replace(last, Entry::NONE)) else { return false };
        if gap != last
            && let Some(gap) = entries.get_mut(gap)
        {
            *gap = moved;
        }
        if let Some(count) = entries.first_mut() {
            *count = Entry::count(used.saturating_sub(1));
        }
        true
    }

    /// The place of the first entry in a bucket that is meant.
    fn place(&self, bucket: Bucket, is_meant: impl Fn(Entry) -> bool) -> Option<usize> {
        let fours = self.entries(bucket).as_chunks::<4>().0.iter().enumerate();
        fours
            .map(|(n, four)| (n, marks(four, &is_meant)))
            .find_map(|(n, marks)| (marks != 0).then(|| n * 4 + marks.trailing_zeros() as usize))
    }

    #[inline(always)]
    fn used(&self, bucket: Bucket) -> usize {
        used_of(self.entries(bucket))
    }

    #[inline(always)]
    fn entries(&self, bucket: Bucket) -> &[Entry] {
        // A bucket's number is at most that of the last row but three.
        let rows = self.rows.get(bucket..).and_then(|rows| rows.first_chunk::<ROWS>());
        rows.map_or(&[], |rows| rows.as_flattened())
    }

    fn entries_mut(&mut self, bucket: Bucket) -> &mut [Entry] {
        let rows = self.rows.get_mut(bucket..).and_then(|rows| rows.first_chunk_mut::<ROWS>());
        rows.map_or(&mut [], |rows| rows.as_flattened_mut())
    }
}

/// How many entries of a bucket are used. They follow the first without a gap, which says so unless it is used, too.
#[inline(always)]
fn used_of(bucket: &[Entry]) -> usize {
    let count = bucket.first().map_or(0, |first| first.0 as usize);
    if count < bucket.len() { count } else { bucket.len() }
}

/// Which of four entries are meant, one bit each. They are looked at all at once where a processor can.
#[inline(always)]
fn marks(four: &[Entry; 4], is_meant: impl Fn(Entry) -> bool) -> u32 {
    let bits = four.iter().enumerate().map(|(n, entry)| if is_meant(*entry) { 1 << n } else { 0 });
    bits.fold(0, |all, bit| all | bit)
}

/// The bucket where an entry is looked for first.
#[inline]
const fn first<const N: usize>(hash: u64) -> Bucket {
    hash as usize & (N - ROWS)
}

/// The other one, which differs by an odd number of buckets at least.
#[inline(always)]
const fn second<const N: usize>(hash: u64) -> Bucket {
    first::<N>(hash) ^ ((hash >> 22) as usize | ROWS) & (N - ROWS)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::boxed::Box;

    use siphasher::sip::SipHasher13;

    use super::*;
    use crate::endpoint::{Endpoint, Protocol};
    use crate::keys::Keys;

    /// Entries under the hashes of their numbers; `keys` entries a slot.
    struct Filled<const N: usize, const W: usize> {
        index: Box<Index<N, W>>,
        keys: u32,
    }

    impl<const N: usize, const W: usize> Filled<N, W> {
        fn new(keys: u32) -> Self {
            Self { index: Box::new(Index::new()), keys }
        }

        fn hash(&self, generation: u32, slot: u32, key: u32) -> u64 {
            let id = [generation.to_le_bytes(), slot.to_le_bytes(), key.to_le_bytes()].concat();
            SipHasher13::new_with_keys(1, 2).hash(&id)
        }

        fn insert(&mut self, generation: u32, slot: u32) {
            for key in 0..self.keys {
                let hash = self.hash(generation, slot, key);
                self.index.insert(hash, Slot::new(slot)).unwrap();
            }
        }

        fn remove(&mut self, generation: u32, slot: u32) {
            for key in 0..self.keys {
                let hash = self.hash(generation, slot, key);
                self.index.remove(hash, Slot::new(slot));
            }
        }

        fn finds(&self, generation: u32, slot: u32) -> bool {
            let is_it = |found: Slot| found == Slot::new(slot);
            (0..self.keys).all(|key| self.index.find(self.hash(generation, slot, key), is_it).is_some())
        }

        fn entries(&self) -> usize {
            self.index.rows.iter().flatten().filter(|entry| entry.slot().is_some()).count()
        }
    }

    /// A full table whose slots are replaced many times over never finds the index full, and finds every entry.
    fn churn<const N: usize, const W: usize>(keys: u32, generations: u32) {
        let mut filled = Filled::<N, W>::new(keys);
        (0..N as u32).for_each(|slot| filled.insert(0, slot));
        for generation in 1..generations {
            for slot in 0..N as u32 {
                filled.remove(generation - 1, slot);
                filled.insert(generation, slot);
            }
            assert!((0..N as u32).all(|slot| filled.finds(generation, slot)));
            assert_eq!(filled.entries(), N * keys as usize);
        }
    }

    #[test]
    fn x02_a_full_mapping_table_fits_its_index() {
        churn::<256, 3>(2, 100);
        churn::<65_536, 3>(2, 4);
    }

    #[test]
    fn x02_a_full_session_table_fits_its_index() {
        churn::<256, 4>(3, 100);
        churn::<65_536, 4>(3, 4);
    }

    /// External ports are hashed less well than the rest. Whichever lie in a table at once, evenly spaced or in a row,
    /// they fit it beside its other entries.
    #[test]
    fn a07_ports_that_have_a_pattern_fit_the_index() {
        for (seed, step) in (0..=255).flat_map(|seed| [1, 2, 3, 16, 63].map(|step| (seed, step))) {
            let keys = Keys::new(&[seed; 32]);
            let mut index = Box::new(Index::<1024, 3>::new());
            for n in 0..1024_u16 {
                let (slot, external) = (Slot::new(n.into()), 1024 + n * step);
                let internal = Endpoint::new([192, 0, 2, 1].into(), n);
                for hash in [keys.external(Protocol::Udp, external), keys.internal(Protocol::Udp, internal)] {
                    index.insert(hash, slot).unwrap();
                    assert_eq!(index.find(hash, |found| found == slot), Some(slot));
                }
            }
        }
    }

    #[test]
    fn v7_a_hash_that_everybody_shares_is_refused_after_two_buckets() {
        let mut index = Index::<64, 4>::new();
        let fitted = (0..64).filter(|slot| index.insert(42, Slot::new(*slot)).is_some()).count();
        assert_eq!(fitted, 2 * 16);
    }
}
