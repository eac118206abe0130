#![no_std]
//! The router's doors and nothing else, under names that a linker can hold on to: see `engine-door`.

use core::panic::PanicInfo;

use config::Config;
use napt::{Instant, Seed};
use router::{Disposition, Link, Offload, Router, SESSIONS, Side, Tables};

/// `Router::new`.
#[unsafe(no_mangle)]
pub fn sekisho_router_new<'t>(
    tables: &'t mut Tables,
    config: &Config,
    links: [Link; 2],
    seed: &Seed,
) -> Router<'t, SESSIONS> {
    let [lan, wan] = links;
    Router::new(tables, config, lan, wan, seed)
}

/// `Router::receive`.
#[unsafe(no_mangle)]
pub fn sekisho_receive(
    router: &mut Router<'_, SESSIONS>,
    now: Instant,
    side: Side,
    frame: &mut [u8],
    offload: Offload,
) -> Disposition {
    router.receive(now, side, frame, offload)
}

/// `Router::poll_transmit`.
#[unsafe(no_mangle)]
pub fn sekisho_poll_transmit<'r>(router: &'r mut Router<'_, SESSIONS>) -> Option<(Side, &'r [u8])> {
    router.poll_transmit()
}

/// `Router::poll_timeout` and `Router::handle_timeout`.
#[unsafe(no_mangle)]
pub fn sekisho_router_handle_timeout(router: &mut Router<'_, SESSIONS>, now: Instant) {
    if router.poll_timeout().is_some_and(|due| due <= now) {
        router.handle_timeout(now);
    }
}

/// `Router::link_up`.
#[unsafe(no_mangle)]
pub fn sekisho_link_up(router: &mut Router<'_, SESSIONS>, now: Instant, side: Side, link: Link) {
    router.link_up(now, side, link);
}

/// `Router::reconfigure`.
#[unsafe(no_mangle)]
pub fn sekisho_router_reconfigure(router: &mut Router<'_, SESSIONS>, now: Instant, config: &Config) {
    router.reconfigure(now, config);
}

/// As large as the router without its tables.
#[unsafe(no_mangle)]
pub static SEKISHO_ROUTER: [u8; size_of::<Router<'static, SESSIONS>>()] =
    [0; size_of::<Router<'static, SESSIONS>>()];

/// Is linked if, and only if, something that is linked can panic. Never inlined, so that it can be looked for.
#[panic_handler]
#[inline(never)]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
