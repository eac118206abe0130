//! The first program of a machine: from a kernel that has just started to a box that forwards.
//!
//! [`boot`] is the whole of it, step by step. Until the configuration is known nothing is done with it, and until the box
//! is ready both ports are quiet. Whatever goes wrong ends in a line on the console and a machine that starts afresh;
//! without a configuration, in safe mode.

use board::{Board, MAX_BOARD, Selector};
use config::signed::MAX_SIGNED;
use config::{Config, InterfaceName};
use flash::{Boot, Booted, Fault, Place, Problem, Slot, Store};
use gateway::Ending;
use linux::partition::{self, Partition};
use linux::{Devices, Events, Name, Signal, Watchdog, clock, console, file, module, mount, power, process};
use napt::Instant;
use router::Side;

use crate::duties::{Duties, PATIENCE};
use crate::operator::Operator;
use crate::setup::{self, Trouble};

/// Where the image has its board.
const BOARD: &[u8] = b"/board";

/// The partitions with the configuration, as the image has them.
const PARTITIONS: [&str; 2] = ["sekisho-config-1", "sekisho-config-2"];

/// How long drivers may take to find a disk or a network device, in milliseconds; and how often we look.
const FINDING: u64 = 15_000;
const LOOK: u16 = 20;

/// The watchdog that came second.
const SECOND_WATCHDOG: &str = "/dev/watchdog1";

/// How long a watchdog's device may take to come, in milliseconds: its driver is there already.
const WATCHDOG: u64 = 1_000;

/// How long a message stays on the console before the machine starts afresh, in milliseconds.
const READING: u64 = 5_000;

/// How often safe mode says what it is, in milliseconds.
const REMINDER: u64 = 5_000;

/// Boots the machine, routes, and ends with the machine.
pub(crate) fn boot() -> ! {
    power::hear_ctrl_alt_del();
    let mut duties = Duties::none();
    let ending = rise(&mut duties);
    match ending {
        Ok(Ending::Stop) => {
            duties.end();
            log::info!("switching off");
            power::switch_off()
        }
        Ok(Ending::Restart) => {
            log::info!("starting afresh");
            power::restart()
        }
        Err(trouble) => {
            console::complain(format_args!("sekisho: {}; starting afresh", trouble.at(BOARD)));
            wait(READING, || None::<()>);
            power::restart()
        }
    }
}

/// Every step of it.
fn rise(duties: &mut Duties) -> Result<Ending, Trouble> {
    // 1. What the kernel shows of itself, which everything after this looks at.
    mount::kernel_file_systems()?;
    console::open_all();
    // 2. Which hardware this is.
    let mut bytes = [0; MAX_BOARD];
    let board = Board::decode(file::read(BOARD, &mut bytes).map_err(Trouble::Unreadable)?);
    let board = board.map_err(Trouble::NoBoard)?;
    log::info!("{} on {}", concat!("sekisho ", env!("CARGO_PKG_VERSION")), board.name());
    // 3. The drivers for it.
    load_modules(&board);
    // 4. From here on, whatever hangs ends in a restart.
    *duties = Duties::watching(watch(&board));
    let events = Events::open()?.with_buttons();
    // 5. The configuration. That it is tried is on the flash before it can do harm.
    let mut buffer = [0; MAX_SIGNED];
    let Some(Chosen { config, blob, store, slot }) = configuration(duties, &mut buffer)? else {
        return safe_mode(&events, duties);
    };
    // 6. The ports, by their roles.
    let lan = find(Side::Lan, config.lan().interface().map(InterfaceName::as_str), board.lan(), duties)?;
    let wan = find(Side::Wan, config.wan().interface().map(InterfaceName::as_str), board.wan(), duties)?;
    tell_devices(&lan, &wan);
    // 7. The operator, who may come by a serial port from here on.
    let mut operator = Operator::open(None, blob, &config, [lan, wan])?;
    let events = operator.wakes(events)?;
    // 8. Entropy, tables, rings, and the line that says that it is ready.
    let mut gateway = setup::open(&config, events, [lan, wan])?;
    duties.try_out(store, slot);
    Ok(gateway.run(&mut |turn| {
        let next = duties.attend(turn.now);
        let asked = operator.attend(turn, &mut |blob| duties.keep(blob));
        next.into_iter().chain(asked).min()
    })?)
}

/// Loads what the board names, in its order. A board's list is for machines of a kind: one may lack what another has.
fn load_modules(board: &Board) {
    for path in board.modules() {
        if let Err(error) = module::load(path) {
            log::info!("{path}: {error}");
        }
    }
}

/// Starts the watchdog, if the board has one. Drivers that are part of the kernel look for their devices at the same time, so
/// that the kernel's own watchdog may be there before a better one, which is used instead.
fn watch(board: &Board) -> Option<Watchdog> {
    let path = board.watchdog()?;
    let Some(started) = wait(WATCHDOG, || Watchdog::start(path, PATIENCE).ok()) else {
        log::warn!("{path}: cannot be started; what wedges the box will not be noticed");
        return None;
    };
    if started.is_kernels_own()
        && let Ok(better) = Watchdog::start(SECOND_WATCHDOG, PATIENCE)
    {
        started.stop();
        return Some(better);
    }
    Some(started)
}

/// The configuration to run with, and where it is.
struct Chosen<'b> {
    config: Config,
    blob: &'b [u8],
    store: Store<Partition>,
    slot: Slot,
}

/// Chooses it. Nothing, if there is none.
fn configuration<'b>(
    duties: &mut Duties,
    buffer: &'b mut [u8; MAX_SIGNED],
) -> Result<Option<Chosen<'b>>, Trouble> {
    let Some(partitions) = wait_for(duties, || partition::pair(PARTITIONS).transpose()) else {
        log::warn!("no disk with partitions {} and {}; build the image anew", PARTITIONS[0], PARTITIONS[1]);
        return Ok(None);
    };
    let [first, second] = partitions?;
    log::info!("configuration on {first} and {second}");
    let mut store = Store::new(Place::new(first, 0), Place::new(second, 0));
    match store.boot() {
        Boot::Run(booted) => {
            tell(&booted);
            let Booted { slot, config, .. } = booted;
            // A device that does not read a second time what it has read once is no device to write to, either.
            let blob = store.read(slot, buffer).unwrap_or_default();
            Ok(Some(Chosen { config, blob, store, slot }))
        }
        Boot::Safe(faults) => {
            let [first, second]: [Fault; 2] = faults;
            log::warn!("{first}; {second}");
            Ok(None)
        }
    }
}

/// Says which configuration it is, and why.
fn tell(booted: &Booted) {
    let Booted { slot, sequence, attempt, why_not_other, all_had_failed, uncounted, .. } = booted;
    log::info!("configuration {} of the {slot} slot, try {attempt}", sequence.number());
    // One that was never written is nothing to speak of.
    if let Some(fault) = why_not_other.filter(|fault| fault.problem != Problem::Blank) {
        log::warn!("{fault}: passed over");
    }
    if *all_had_failed {
        log::warn!("every configuration has failed; trying again");
    }
    if let Some(fault) = uncounted {
        log::warn!("{fault}: this try cannot be counted");
    }
}

/// Waits for the network device of a side, and switches it on: the one that the configuration names, or the board's.
fn find(side: Side, named: Option<&str>, selector: &Selector, duties: &mut Duties) -> Result<Name, Trouble> {
    let look = || {
        let name = match named {
            Some(name) => Name::new(name)?,
            None => selected(selector, &Devices::now()?).ok_or(Trouble::NoDevice(side, selector.clone()))?,
        };
        linux::switch_on(&name)?;
        Ok::<_, Trouble>(name)
    };
    if let Some(name) = wait_for(duties, || look().ok()) {
        return Ok(name);
    }
    look().inspect_err(|_| match Devices::now() {
        Ok(devices) => log::warn!("{side}: there are {devices}"),
        Err(error) => log::warn!("{side}: {error}"),
    })
}

/// Says which device plays which role, with what it can be told by, and which play none: whoever is at the monitor has to find
/// out where to plug what in.
fn tell_devices(lan: &Name, wan: &Name) {
    // They have just been found in this list; if it cannot be read now, `ready` still says their names.
    let Ok(devices) = Devices::now() else { return };
    for device in devices.iter() {
        let role = match device.name() {
            name if name == lan => "lan",
            name if name == wan => "wan",
            _ => "unused",
        };
        log::info!("{role}: {device}");
    }
}

/// The device that a selector means.
fn selected(selector: &Selector, devices: &Devices) -> Option<Name> {
    let device = match selector {
        Selector::Order(index) => devices.iter().nth((*index).into()),
        Selector::Mac(mac) => devices.iter().find(|device| device.hardware() == mac.octets()),
        Selector::Path(part) => devices.iter().find(|device| has(device.path(), part.as_str())),
    };
    device.map(|device| *device.name())
}

/// Whether a path has these steps one after the other, each of them whole.
fn has(path: &str, part: &str) -> bool {
    // As bytes: a search for text would bring what says where in a character it has been cut.
    let (path, part) = (path.as_bytes(), part.as_bytes());
    let begins = |at: usize| at == 0 || path.get(at - 1) == Some(&b'/');
    let ends = |rest: &[u8]| matches!(rest, [] | [b'/', ..]);
    let has_at = |at: usize| path.get(at..).and_then(|rest| rest.strip_prefix(part)).is_some_and(ends);
    (0..path.len()).any(|at| begins(at) && has_at(at))
}

/// No configuration: nothing is forwarded, and neither port says a word. The console says so, again and again.
fn safe_mode(events: &Events, duties: &mut Duties) -> Result<Ending, Trouble> {
    loop {
        log::warn!(
            "SAFE MODE: no valid configuration, nothing is forwarded; write one with `sekisho-image config`"
        );
        let until = clock::now() + REMINDER;
        while let Some(left) = until.checked_sub(clock::now()).filter(|left| *left > 0) {
            match events.wait_without_ports(left)?.signal {
                Some(Signal::Stop) => return Ok(Ending::Stop),
                Some(Signal::Restart) => return Ok(Ending::Restart),
                Some(Signal::Child) => process::reap(),
                Some(Signal::Report) | None => {}
            }
        }
        duties.attend(Instant::from_millis(clock::now()));
    }
}

/// Looks until something is there, and feeds the watchdog meanwhile, but not for ever.
fn wait_for<T>(duties: &mut Duties, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    wait(FINDING, || {
        duties.attend(Instant::from_millis(clock::now()));
        look()
    })
}

/// Looks until something is there, but no longer than so many milliseconds.
fn wait<T>(millis: u64, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = clock::now() + millis;
    loop {
        let found = look();
        if found.is_some() || clock::now() >= until {
            return found;
        }
        clock::pause(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_whole_steps() {
        let path = "../../devices/pci0000:00/0000:00:03.0/virtio1/net/eth0";
        for part in ["0000:00:03.0", "0000:00:03.0/virtio1", "net/eth0"] {
            assert!(has(path, part), "{part}");
        }
        for part in ["0000:00:03", "00:03.0", "virtio", "eth"] {
            assert!(!has(path, part), "{part}");
        }
    }
}
