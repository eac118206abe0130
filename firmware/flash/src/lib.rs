#![no_std]
#![forbid(unsafe_code)]
//! The configuration on flash: two slots, of which one can always be booted while the other is written.
//!
//! This crate owns what the bytes of a slot mean (`layout`), which slot is booted, which is written, and the order in
//! which that is done ([`Store`]), and every reason for which a slot is passed over ([`Fault`]). What is inside a blob
//! is the `config` crate's; where a slot lies is the caller's ([`Place`]).
//!
//! Words: a *slot* has room for one blob, signed or bare, and for the tries to boot it. A *device* is whatever has bytes: a partition,
//! a file, a test's buffer. A slot is *valid* if its blob is the one that was written and a configuration this program
//! takes. The *sequence* numbers what was written, over both slots, so the newest has the highest. A *try* is a boot
//! that nobody has confirmed; a slot whose three tries are used up has *failed*.
//!
//! **Which slot is booted.** The newest valid one that has not failed. If all valid ones have failed, their tries are
//! forgotten, and it begins again with the newest: three boots may have been cut short by no more than a loose plug,
//! and then a box that stays shut for good would be worse than one that takes turns. (A valid slot alone is thus
//! booted whatever has become of its tries; [`Booted::all_had_failed`] is for who thinks otherwise.) No valid slot: no
//! configuration, and the reasons for both. Of two slots with the same sequence, which only a copy makes, the first is
//! the newest.
//!
//! **Which slot is written.** The one that would not be booted now, hence the older, the damaged or the failed one.
//! After a write and before the next boot that is the one which the box runs from: to spare that one instead would
//! mean to write over what had just been reported as written, and a power cut would take it away.
//!
//! **How it is written.** In three steps; each begins when the one before it is on the device and has been read back:
//!
//! 1. the header is blanked: from here on the slot is not valid (a failed one would be the newest again without its
//!    tries);
//! 2. the tries are blanked, and the blob is written;
//! 3. the header is written: now it counts.
//!
//! A power cut leaves the sectors of one step old, new or torn, in any mixture. Torn or not, a header is either the
//! whole new one, behind which all else has been on the device before, or its checksum fails.
//!
//! **How tries are counted.** In each slot by three marks, each in a sector of its own, so that no mark is at risk
//! while another is written. A mark names the sequence and the checksum of the header, and is made if each of its
//! bytes is right; what is left of others, or torn, is none. It is made before the box runs. [`Store::confirm`] blanks
//! them, once the box has run well for a while: the next three tries are counted anew. A mark that cannot be made
//! stops no boot.
//!
//! Invariants: the header and blob of a valid slot are never touched unless the other slot is valid; no bytes on a
//! device make anything here panic; nothing allocates, nothing is kept in memory between two calls.

mod fault;
mod layout;
mod place;
mod store;

pub use fault::{Error, Fault, Problem, Slot};
pub use layout::{SLOT_BYTES, Sequence, TRIES};
pub use place::Place;
pub use store::{Boot, Booted, Content, Store};
