//! Which of a table's `N` slots are free.
//!
//! Freed slots form a list, linked through their own records: whoever frees one keeps in it what [`Slots::release`]
//! returns, and tells [`Slots::claim`] what a record keeps. Slots that were never used need no list, so that a new
//! table is all zero.

use crate::index::Slot;

/// The free slots of a table.
pub(crate) struct Slots<const N: usize> {
    free: Option<Slot>,
    /// Slots from here on have never been used.
    fresh: u32,
    used: u32,
}

impl<const N: usize> Slots<N> {
    /// All are free: all zero.
    pub(crate) const fn new() -> Self {
        Self { free: None, fresh: 0, used: 0 }
    }

    /// Frees all.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Holds every slot for used that has ever been: whoever calls releases those that are not.
    pub(crate) fn recount(&mut self) {
        self.free = None;
        self.used = self.fresh;
    }

    /// Whether a slot has ever been used.
    pub(crate) fn has_been_used(&self, slot: Slot) -> bool {
        slot.index() < self.fresh as usize
    }

    /// How many are not free.
    pub(crate) fn used(&self) -> u32 {
        self.used
    }

    /// Takes a free slot, if there is one; `next` gives what the record of a freed slot keeps.
    pub(crate) fn claim(&mut self, next: impl FnOnce(Slot) -> Option<Slot>) -> Option<Slot> {
        let slot = match self.free {
            Some(slot) => {
                self.free = next(slot);
                slot
            }
            None if (self.fresh as usize) < N => {
                self.fresh += 1;
                Slot::new(self.fresh - 1)
            }
            None => return None,
        };
        self.used += 1;
        Some(slot)
    }

    /// Frees a slot; what its record has to keep for [`Slots::claim`].
    pub(crate) fn release(&mut self, slot: Slot) -> Option<Slot> {
        self.used -= 1;
        self.free.replace(slot)
    }
}
