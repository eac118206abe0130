//! What becomes of a panic.

use core::panic::PanicInfo;

use linux::{console, power};

/// A bug of ours. As PID 1 the box starts afresh; a process ends with a status that nothing else has.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    console::complain(format_args!("sekisho: {info}"));
    power::give_up()
}

/// The core library was built for programs that unwind, and names this; nothing here does.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
