//! Having memory near before it is needed.

/// Has the cache line at an address fetched, without waiting for it. It may be any address: nothing is read that could be
/// missing, and the worst that can happen is a line that nobody wanted.
#[inline(always)]
pub fn fetch(place: *const ()) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: an instruction that the processor lacks would stop the program. Every x86-64 has SSE, which this is of.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: what the compiler is not told could be wrong afterwards. A prefetch changes neither memory nor registers
    // nor flags, and every AArch64 has it.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}
