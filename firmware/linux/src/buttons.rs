//! The button that switches the machine off.

use rustix::fd::{AsFd as _, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::read;

use crate::directory::{self, Text};

/// A board has one or two; the rest are keyboards.
pub(crate) const MAX_BUTTONS: usize = 4;

/// What `struct input_event` of linux/input.h is, on 64-bit machines.
const EVENT_BYTES: usize = 24;
const EV_KEY: u16 = 1;
const KEY_POWER: u16 = 116;
const PRESSED: u8 = 1;

/// Every device that has keys, as one of them may be that button.
#[derive(Debug, Default)]
pub(crate) struct Buttons([Option<OwnedFd>; MAX_BUTTONS]);

impl Buttons {
    /// Takes those that there are. A machine may have none, and who knows of no devices has no buttons.
    pub(crate) fn open() -> Self {
        let mut buttons = Self::default();
        let mut free = buttons.0.iter_mut();
        let _ = directory::each("/dev/input", |name| {
            if name.starts_with("event")
                && let Some(path) = Text::of(format_args!("/dev/input/{name}"))
                && let Ok(device) =
                    open(path.as_str(), OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())
                && let Some(place) = free.next()
            {
                *place = Some(device);
            }
            None::<()>
        });
        buttons
    }

    /// What to sleep on; another in the place of each that there is not.
    pub(crate) fn fds_or<'b>(&'b self, other: BorrowedFd<'b>) -> [BorrowedFd<'b>; MAX_BUTTONS] {
        self.0.each_ref().map(|button| button.as_ref().map_or(other, |device| device.as_fd()))
    }

    /// Whether somebody has pressed it.
    pub(crate) fn pressed(&self) -> bool {
        self.0.iter().flatten().any(|device| {
            let mut event = [0; EVENT_BYTES];
            let mut pressed = false;
            while read(device, &mut event[..]) == Ok(EVENT_BYTES) {
                pressed |= is_power(&event);
            }
            pressed
        })
    }
}

fn is_power(event: &[u8; EVENT_BYTES]) -> bool {
    let half = |at: usize| u16::from_ne_bytes([event[at], event[at + 1]]);
    half(16) == EV_KEY && half(18) == KEY_POWER && event[20] == PRESSED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressing_the_button_is_told_from_letting_it_go() {
        let mut event = [0; EVENT_BYTES];
        event[16..18].copy_from_slice(&EV_KEY.to_ne_bytes());
        event[18..20].copy_from_slice(&KEY_POWER.to_ne_bytes());
        assert!(!is_power(&event));
        event[20] = PRESSED;
        assert!(is_power(&event));
        event[18] = 30;
        assert!(!is_power(&event));
    }
}
