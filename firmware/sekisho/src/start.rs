//! Where the kernel enters: the stack pointer leads to the number of arguments, pointers to each of them, and a null
//! pointer (System V ABI, "Process Initialization").

use core::arch::naked_asm;
use core::ffi::{CStr, c_char};

/// More arguments than any form of the command line has, so that one too many is seen.
const MAX_ARGUMENTS: usize = 4;

/// The entry point. There is nobody to return to, and the stack need not be aligned as functions want it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    #[cfg(target_arch = "x86_64")]
    naked_asm!("xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {begin}", "ud2", begin = sym begin);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("mov x29, xzr", "mov x30, xzr", "mov x0, sp", "b {begin}", begin = sym begin);
}

/// Finds the arguments, of which the first is the program's name.
///
/// # Safety
/// `stack` must be what the kernel left in the stack pointer.
unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the number must be there to read: it is the first thing that the kernel has put on the stack.
    let count = unsafe { stack.read() };
    let first = stack.wrapping_add(2).cast::<*const c_char>();
    let mut arguments: [&[u8]; MAX_ARGUMENTS] = [b""; MAX_ARGUMENTS];
    let there = count.saturating_sub(1).min(MAX_ARGUMENTS);
    for (n, argument) in arguments[..there].iter_mut().enumerate() {
        // SAFETY: `n` is below the number of pointers behind the name's.
        let text = unsafe { first.wrapping_add(n).read() };
        // SAFETY: the kernel has put a zero behind each argument, and nobody changes them.
        *argument = unsafe { CStr::from_ptr(text) }.to_bytes();
    }
    crate::main(&arguments[..there])
}

/// What the processor can do (a C library's function): nothing beyond what every one of its kind can. The compiler's own
/// library for aarch64 refers to it, to choose among instructions in a constructor that nobody calls here.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
extern "C" fn getauxval(_kind: core::ffi::c_ulong) -> core::ffi::c_ulong {
    0
}
