//! A packet ring: slots in memory shared with the kernel, each owned by one of the two at a time.
//!
//! Words: a *slot* is 2,048 bytes: a `tpacket2_hdr`, whose first word is the *status*, then the frame. The status says
//! whose the slot is. Whoever owns it may use all of it, and gives it away by one store to the status; nothing else
//! passes between us and the kernel here.
//!
//! Invariants: bytes of a slot are touched only through a [`Slot`], which exists only while the status says that the
//! slot is ours; there is at most one `Slot` of a ring at a time (it borrows the ring mutably).

use core::sync::atomic::{AtomicU32, Ordering};

use rustix::fd::{AsFd, OwnedFd};

use crate::error::Failure;
use crate::memory::Mapping;
use crate::socket::{self, PacketOption};

/// Bytes of a slot: room for a full Ethernet frame, two to a page. Larger frames take another way.
pub(crate) const SLOT_BYTES: usize = 2048;
/// Bytes of the status, at the start of each slot.
const STATUS_BYTES: usize = 4;
/// Bytes of a slot without its status.
pub(crate) const BODY_BYTES: usize = SLOT_BYTES - STATUS_BYTES;
/// The kernel takes the memory of a ring in blocks of this size; slots never straddle two.
const BLOCK_BYTES: usize = 64 * 1024;
const SLOTS_PER_BLOCK: usize = BLOCK_BYTES / SLOT_BYTES;

const _: () = assert!(BLOCK_BYTES.is_multiple_of(SLOT_BYTES), "the mapping would have gaps");

/// A ring of slots, and where we are in it.
#[derive(Debug)]
pub(crate) struct Ring {
    memory: Mapping,
    slots: usize,
    next: usize,
}

impl Ring {
    /// Gives `socket` a ring of `blocks` blocks for the direction `option` names, and maps it.
    pub(crate) fn new(socket: &OwnedFd, option: PacketOption, blocks: u16) -> Result<Self, Failure> {
        let blocks = usize::from(blocks);
        let slots = blocks * SLOTS_PER_BLOCK;
        socket::set_ring(
            socket,
            option,
            &[BLOCK_BYTES, blocks, SLOT_BYTES, slots].map(|value| value as u32),
        )?;
        let memory = Mapping::of_socket(socket.as_fd(), blocks * BLOCK_BYTES)?;
        Ok(Self { memory, slots, next: 0 })
    }

    /// The index of the slot whose turn it is.
    pub(crate) const fn next(&self) -> usize {
        self.next
    }

    /// Moves on to the slot after the next one.
    pub(crate) const fn advance(&mut self) {
        self.next = (self.next + 1) % self.slots;
    }

    /// The index of the slot `count` slots behind the next one.
    pub(crate) const fn ahead(&self, count: usize) -> usize {
        (self.next + count) % self.slots
    }

    /// The index of the slot `count` slots before the next one; `count` is at most the number of slots.
    pub(crate) const fn behind(&self, count: usize) -> usize {
        (self.next + self.slots - count) % self.slots
    }

    /// Moves back by `count` slots.
    pub(crate) const fn rewind(&mut self, count: usize) {
        self.next = self.behind(count);
    }

    /// The slot at `index`, if its status says that it is ours.
    pub(crate) fn slot(&mut self, index: usize, ours: fn(u32) -> bool) -> Option<Slot<'_>> {
        // Acquire: what the kernel wrote to the slot before it gave it to us is seen after this.
        let word = self.status(index).load(Ordering::Acquire);
        if !ours(word) {
            return None;
        }
        let start = self.memory.at(index * SLOT_BYTES + STATUS_BYTES);
        // SAFETY: the bytes must be mapped, initialised, and used by nobody else as long as the slice lives. `new`
        // mapped `slots * SLOT_BYTES` zeroed bytes and `at` checked the start. The kernel does not touch the body of a
        // slot that is ours (packet_mmap.rst), which the status said above and stays true until `Give` stores another;
        // the kernel's own copy of a frame that is being sent is not ours (SENDING). We ourselves have no other
        // reference: the slice borrows the ring mutably, and `status` refers to the bytes before it.
        let body = unsafe { core::slice::from_raw_parts_mut(start, BODY_BYTES) };
        Some(Slot { word, body, give: Give(self.status(index)) })
    }

    /// The status of the slot at `index`, for a look.
    pub(crate) fn peek(&self, index: usize) -> u32 {
        self.status(index).load(Ordering::Acquire)
    }

    /// The status of the slot at `index`.
    fn status(&self, index: usize) -> &AtomicU32 {
        let word = self.memory.at(index * SLOT_BYTES).cast();
        // SAFETY: the word must be mapped, aligned, and accessed by nobody without atomics. `at` checked that it is
        // mapped, slots are aligned to 2,048 bytes; the kernel reads and writes it with single accesses and barriers,
        // and we form no slice over it (`slot` starts one behind it).
        unsafe { AtomicU32::from_ptr(word) }
    }
}

/// A slot that is ours.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    /// The status as it was when we looked.
    pub(crate) word: u32,
    /// The slot without its status: the rest of the `tpacket2_hdr` and the frame.
    pub(crate) body: &'a mut [u8],
    /// The means to give it away.
    pub(crate) give: Give<'a>,
}

/// The right to give one slot to the kernel.
#[derive(Debug)]
pub(crate) struct Give<'a>(&'a AtomicU32);

impl Give<'_> {
    /// Gives the slot to the kernel: `status` says what for.
    pub(crate) fn to_kernel(&self, status: u32) {
        // Release: what we wrote to the slot is seen by the kernel before the new status is.
        self.0.store(status, Ordering::Release);
    }
}
