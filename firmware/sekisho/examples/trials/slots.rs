//! Writes configurations to the slots of the disk, one after the other. Each is made of its number alone, and has that in every
//! part of it, so that of what was written at two times nobody takes one for the other. Its number is its sequence.
//!
//! It says which one it came up with, and then of each that was written that it was: what was said has to be there after a
//! power cut.

use core::net::Ipv4Addr;
use core::num::NonZeroU16;
use core::time::Duration;

use board::{Board, MAX_BOARD};
use config::{
    Config, Draft, Forward, InterfaceAddress, MAX_BLOB, Name, PortRange, Problem, Protocols, Timer,
};
use flash::{Boot, Place, Store};
use linux::partition::{self, Partition};
use linux::{clock, console, file, module, mount, power};

/// So many forwards make a blob of several sectors.
const FORWARDS: u16 = 60;

/// What the image was built with, which is not made as the others are.
const FIRST: u64 = 1;

/// How long a message stays on the console, in milliseconds.
const READING: u16 = 900;

/// Boots as the program does, confirms what it came up with, and writes until the end.
pub(crate) fn write() -> ! {
    let mut store = store();
    let booted = match store.boot() {
        Boot::Run(booted) => booted,
        Boot::Safe([first, second]) => give_up(format_args!("nothing to come up with: {first}; {second}")),
    };
    let number = booted.sequence.number();
    if number != FIRST && Ok(&booted.config) != config(number).as_ref() {
        give_up(format_args!("came up with a mixture, numbered {number}"));
    }
    if let Some(fault) = booted.uncounted {
        give_up(format_args!("{fault}"));
    }
    if let Err(fault) = store.confirm(booted.slot) {
        give_up(format_args!("{fault}"));
    }
    console::say(format_args!("came up with {number}, try {}", booted.attempt));
    let mut buffer = [0; MAX_BLOB];
    for number in number + 1.. {
        let length = config(number).ok().and_then(|config| config.encode(&mut buffer).ok());
        match store.write(buffer.get(..length.unwrap_or(0)).unwrap_or_default()) {
            Ok((_, sequence)) if sequence.number() == number => {}
            Ok((_, sequence)) => give_up(format_args!("{number} was written as {sequence}")),
            Err(error) => give_up(format_args!("{number}: {error}")),
        }
        console::say(format_args!("wrote {number}"));
    }
    power::switch_off()
}

/// The disk's slots, once it is found.
fn store() -> Store<Partition> {
    if let Err(error) = mount::kernel_file_systems() {
        give_up(format_args!("{error}"));
    }
    let mut bytes = [0; MAX_BOARD];
    if let Ok(Ok(board)) = file::read(b"/board", &mut bytes).map(Board::decode) {
        for path in board.modules() {
            // What is missing is built in, or the disk is not found.
            let _ = module::load(path);
        }
    }
    loop {
        match partition::pair(["sekisho-config-1", "sekisho-config-2"]) {
            Ok(Some([first, second])) => return Store::new(Place::new(first, 0), Place::new(second, 0)),
            Ok(None) => clock::pause(5),
            Err(error) => give_up(format_args!("{error}")),
        }
    }
}

/// The configuration with this number.
fn config(number: u64) -> Result<Config, Problem> {
    let address = |octets: [u8; 4]| InterfaceAddress::new(Ipv4Addr::from(octets), 24);
    let mut draft = Draft {
        wan_address: Some(address([203, 0, 113, 254])?),
        lan_address: Some(address([192, 0, 2, 254])?),
        ..Draft::default()
    };
    let (low, high) = (number % 50_000, number / 50_000);
    draft.timers = draft.timers.with(Timer::Udp, Duration::from_secs(120 + low))?;
    draft.timers = draft.timers.with(Timer::Other, Duration::from_secs(10 + high))?;
    for index in 0..FORWARDS {
        let name = [b'f', b'0' + (index / 10) as u8, b'0' + (index % 10) as u8];
        let name = Name::new(str::from_utf8(&name).unwrap_or_default())?;
        let port = |port: u16| NonZeroU16::new(port).ok_or(Problem::PastLastPort);
        let (outside, inside) = (PortRange::single(port(2000 + index)?), port(1 + low as u16 + index)?);
        let host = Ipv4Addr::new(192, 0, 2, 1 + (number % 200) as u8);
        let forward = Forward::new(name, Protocols::Both, outside, host, inside)?;
        draft.forwards.push(forward).map_err(|_| Problem::PastLastPort)?;
    }
    Config::new(draft).map_err(|_| Problem::OffLink)
}

/// Says what must not be, and ends.
fn give_up(what: core::fmt::Arguments<'_>) -> ! {
    console::say(format_args!("WRONG: {what}"));
    clock::pause(READING);
    power::switch_off()
}
