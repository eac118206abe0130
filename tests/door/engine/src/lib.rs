#![no_std]
//! The engine's door and nothing else, under names that a linker can hold on to.
//!
//! What is linked from here, with these functions as roots, is the engine: everything it can reach, and nothing it
//! cannot. The statics are the tables' sizes, to be read as the sizes of symbols, on whatever machine this is built for.

use core::num::NonZeroU16;
use core::panic::PanicInfo;

use napt::{Checksum, Engine, Instant, Packet, Realm, Seed, Settings, Tables, Verdict};

/// A size in the middle: code does not depend on it but for constants.
const SESSIONS: usize = 1_024;

/// `Engine::new`.
#[unsafe(no_mangle)]
pub fn sekisho_new<'t>(
    tables: &'t mut Tables<SESSIONS>,
    settings: &Settings,
    seed: &Seed,
) -> Engine<'t, SESSIONS> {
    Engine::new(tables, settings.clone(), seed)
}

/// `Packet::parse` and `Engine::translate`.
#[unsafe(no_mangle)]
pub fn sekisho_translate(
    engine: &mut Engine<'_, SESSIONS>,
    now: Instant,
    from: Realm,
    bytes: &mut [u8],
    checksum: Checksum,
    segment: Option<NonZeroU16>,
) -> Verdict {
    match Packet::parse(bytes, checksum, segment) {
        Ok(packet) => engine.translate(now, from, packet),
        Err(reason) => Verdict::Drop(reason),
    }
}

/// `Engine::poll_timeout` and `Engine::handle_timeout`.
#[unsafe(no_mangle)]
pub fn sekisho_handle_timeout(engine: &mut Engine<'_, SESSIONS>, now: Instant) {
    if engine.poll_timeout().is_some_and(|due| due <= now) {
        engine.handle_timeout(now);
    }
}

/// `Engine::reconfigure`.
#[unsafe(no_mangle)]
pub fn sekisho_reconfigure(engine: &mut Engine<'_, SESSIONS>, now: Instant, settings: &Settings) {
    engine.reconfigure(now, settings.clone());
}

/// As large as tables for 256 sessions.
#[unsafe(no_mangle)]
pub static SEKISHO_TABLES_256: [u8; size_of::<Tables<256>>()] = [0; size_of::<Tables<256>>()];

/// As large as tables for 1,024 sessions.
#[unsafe(no_mangle)]
pub static SEKISHO_TABLES_1024: [u8; size_of::<Tables<1_024>>()] = [0; size_of::<Tables<1_024>>()];

/// As large as tables for 4,096 sessions.
#[unsafe(no_mangle)]
pub static SEKISHO_TABLES_4096: [u8; size_of::<Tables<4_096>>()] = [0; size_of::<Tables<4_096>>()];

/// As large as the engine without its tables.
#[unsafe(no_mangle)]
pub static SEKISHO_ENGINE: [u8; size_of::<Engine<'static, SESSIONS>>()] =
    [0; size_of::<Engine<'static, SESSIONS>>()];

/// Is linked if, and only if, something that is linked can panic. Never inlined, so that it can be looked for.
#[panic_handler]
#[inline(never)]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
