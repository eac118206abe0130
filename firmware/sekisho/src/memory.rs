//! The functions on bytes that compilers expect of a C library (C23 s.7.26).
//!
//! Up to [`SHORT`] bytes are moved by a few words that may overlap, all of them read before any is written, so that it
//! does not matter if source and destination do. More are moved by the processor's own loops. No loop is written in
//! Rust, where the compiler might take it for the very function that it is in.

use core::ffi::c_int;

type Chunk = u128;
const CHUNK: usize = size_of::<Chunk>();

/// As much as is moved without a loop.
const SHORT: usize = 4 * CHUNK;

/// # Safety
/// As in C: both ranges must be there, and not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller answers for both ranges.
    unsafe { move_bytes(to, from, count) };
    to
}

/// # Safety
/// As in C: both ranges must be there.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller answers for both ranges.
    unsafe { move_bytes(to, from, count) };
    to
}

/// # Safety
/// As in C: the range must be there.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: c_int, count: usize) -> *mut u8 {
    // SAFETY: the caller answers for the range.
    unsafe { fill(to, byte as u8, count) };
    to
}

/// # Safety
/// As in C: both ranges must be there.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, count: usize) -> c_int {
    let mut n = 0;
    while n + 8 <= count {
        // SAFETY: the eight bytes from `n` on lie in the first range.
        let left = unsafe { one.wrapping_add(n).cast::<u64>().read_unaligned() };
        // SAFETY: the same of the second.
        let right = unsafe { other.wrapping_add(n).cast::<u64>().read_unaligned() };
        if left != right {
            let (left, right) =
                (u64::from_be_bytes(left.to_ne_bytes()), u64::from_be_bytes(right.to_ne_bytes()));
            return if left < right { -1 } else { 1 };
        }
        n += 8;
    }
    while n < count {
        // SAFETY: the byte at `n` lies in the first range.
        let left = unsafe { one.wrapping_add(n).read() };
        // SAFETY: the same of the second.
        let right = unsafe { other.wrapping_add(n).read() };
        if left != right {
            return c_int::from(left) - c_int::from(right);
        }
        n += 1;
    }
    0
}

/// # Safety
/// As in C: both ranges must be there.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, count: usize) -> c_int {
    // SAFETY: the caller answers for both ranges.
    unsafe { memcmp(one, other, count) }
}

/// # Safety
/// As in C: a zero must follow.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut count = 0;
    // SAFETY: no byte before this one is the zero that must follow. Volatile, so that it is not taken for `strlen`.
    while unsafe { text.wrapping_add(count).read_volatile() } != 0 {
        count += 1;
    }
    count
}

/// Moves bytes, as if they were read before any is written.
///
/// # Safety
/// Both ranges must be there.
#[inline(always)]
unsafe fn move_bytes(to: *mut u8, from: *const u8, count: usize) {
    match count {
        0 => {}
        // SAFETY: here and in the next five, `count` is no less than the piece's size, and no more than twice that.
        1 => unsafe { move_ends::<u8>(to, from, count) },
        // SAFETY: see above.
        2..4 => unsafe { move_ends::<u16>(to, from, count) },
        // SAFETY: see above.
        4..8 => unsafe { move_ends::<u32>(to, from, count) },
        // SAFETY: see above.
        8..16 => unsafe { move_ends::<u64>(to, from, count) },
        // SAFETY: see above.
        16..=32 => unsafe { move_ends::<Chunk>(to, from, count) },
        // SAFETY: see above.
        33..=SHORT => unsafe { move_ends::<[Chunk; 2]>(to, from, count) },
        // SAFETY: more than two chunks.
        _ => unsafe { move_long(to, from, count) },
    }
}

/// Moves two pieces, the first and the last, which may overlap.
///
/// # Safety
/// Both ranges must be there, and be no shorter than a piece, nor longer than two.
#[inline(always)]
unsafe fn move_ends<T: Copy>(to: *mut u8, from: *const u8, count: usize) {
    let last = count - size_of::<T>();
    // SAFETY: the first bytes of the source.
    let head = unsafe { from.cast::<T>().read_unaligned() };
    // SAFETY: its last.
    let tail = unsafe { from.wrapping_add(last).cast::<T>().read_unaligned() };
    // SAFETY: the first bytes of the destination.
    unsafe { to.cast::<T>().write_unaligned(head) };
    // SAFETY: its last.
    unsafe { to.wrapping_add(last).cast::<T>().write_unaligned(tail) };
}

/// Moves words, forwards or backwards, and the chunk behind or before them, which overlaps with them.
///
/// # Safety
/// Both ranges must be there, and be longer than a chunk.
#[inline(always)]
unsafe fn move_long(to: *mut u8, from: *const u8, count: usize) {
    let last = count - CHUNK;
    // A destination behind its source, and within it, is written from its end on.
    if to.addr().wrapping_sub(from.addr()) < count {
        // SAFETY: the first chunk of the source.
        let head = unsafe { from.cast::<Chunk>().read_unaligned() };
        // SAFETY: as many words as there are, ending where the ranges end.
        unsafe { words_backwards(to.wrapping_add(count), from.wrapping_add(count), count / 8) };
        // SAFETY: the first chunk of the destination.
        unsafe { to.cast::<Chunk>().write_unaligned(head) };
        return;
    }
    // SAFETY: the last chunk of the source.
    let tail = unsafe { from.wrapping_add(last).cast::<Chunk>().read_unaligned() };
    // SAFETY: as many words as there are.
    unsafe { words_forwards(to, from, count / 8) };
    // SAFETY: the last chunk of the destination.
    unsafe { to.wrapping_add(last).cast::<Chunk>().write_unaligned(tail) };
}

/// # Safety
/// The range must be there.
#[inline(always)]
unsafe fn fill(to: *mut u8, byte: u8, count: usize) {
    let word = u64::from_ne_bytes([byte; 8]);
    if count < 8 {
        for n in 0..count {
            // SAFETY: within the range. Volatile, so that it is not taken for `memset`.
            unsafe { to.wrapping_add(n).write_volatile(byte) };
        }
        return;
    }
    // SAFETY: the last word of the range.
    unsafe { to.wrapping_add(count - 8).cast::<u64>().write_unaligned(word) };
    // SAFETY: as many words as there are.
    unsafe { fill_words(to, word, count / 8) };
}

#[cfg(target_arch = "x86_64")]
mod loops {
    use core::arch::asm;

    /// # Safety
    /// So many words must be there.
    #[inline(always)]
    pub(super) unsafe fn words_forwards(to: *mut u8, from: *const u8, words: usize) {
        // SAFETY: reads and writes just these words; the ABI has the direction flag clear.
        unsafe {
            asm!("rep movsq", inout("rcx") words => _, inout("rdi") to => _, inout("rsi") from => _,
                options(nostack, preserves_flags));
        }
    }

    /// # Safety
    /// So many words must be there before each end.
    #[inline(always)]
    pub(super) unsafe fn words_backwards(end: *mut u8, from_end: *const u8, words: usize) {
        let (to, from) = (end.wrapping_sub(8), from_end.wrapping_sub(8));
        // SAFETY: reads and writes just these words, and leaves the direction flag clear, as the ABI has it.
        unsafe {
            asm!("std", "rep movsq", "cld", inout("rcx") words => _, inout("rdi") to => _,
                inout("rsi") from => _, options(nostack));
        }
    }

    /// # Safety
    /// So many words must be there.
    #[inline(always)]
    pub(super) unsafe fn fill_words(to: *mut u8, word: u64, words: usize) {
        // SAFETY: writes just these words.
        unsafe {
            asm!("rep stosq", inout("rcx") words => _, inout("rdi") to => _, in("rax") word,
                options(nostack, preserves_flags));
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod loops {
    use core::arch::asm;

    /// # Safety
    /// So many words must be there.
    #[inline(always)]
    pub(super) unsafe fn words_forwards(to: *mut u8, from: *const u8, words: usize) {
        // SAFETY: reads and writes just these words.
        unsafe {
            asm!("2:", "ldr {word}, [{from}], #8", "str {word}, [{to}], #8", "subs {words}, {words}, #1",
                "b.ne 2b", word = out(reg) _, from = inout(reg) from => _, to = inout(reg) to => _,
                words = inout(reg) words => _, options(nostack));
        }
    }

    /// # Safety
    /// So many words must be there before each end.
    #[inline(always)]
    pub(super) unsafe fn words_backwards(end: *mut u8, from_end: *const u8, words: usize) {
        // SAFETY: reads and writes just these words.
        unsafe {
            asm!("2:", "ldr {word}, [{from}, #-8]!", "str {word}, [{to}, #-8]!", "subs {words}, {words}, #1",
                "b.ne 2b", word = out(reg) _, from = inout(reg) from_end => _, to = inout(reg) end => _,
                words = inout(reg) words => _, options(nostack));
        }
    }

    /// # Safety
    /// So many words must be there.
    #[inline(always)]
    pub(super) unsafe fn fill_words(to: *mut u8, word: u64, words: usize) {
        // SAFETY: writes just these words.
        unsafe {
            asm!("2:", "str {word}, [{to}], #8", "subs {words}, {words}, #1", "b.ne 2b", word = in(reg) word,
                to = inout(reg) to => _, words = inout(reg) words => _, options(nostack));
        }
    }
}

use loops::{fill_words, words_backwards, words_forwards};
