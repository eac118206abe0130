//! The command that boots an image in QEMU, by default among simulated hosts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;
use std::process;
use std::time::Duration;

use builder::board_file::{self, BoardFile};
use builder::console::Console;
use builder::qemu::{Port, Qemu, Setup, Start};
use builder::unpacked::Unpacked;
use clap::Args;
use host_sim::Seed;
use host_sim::demo::DEFAULT_SEED;
use host_sim::live::{Meeting, Role};
use host_sim::report::Palette;
use host_sim::scenario::{Foreign, Scenario, find, foreign, on_paper, play_live};
use provision::Failure;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::files::{self, tell};

/// How long QEMU may take to connect its network cards, before it boots anything.
const CONNECTING: Duration = Duration::from_secs(20);

/// How long QEMU may take to find out that it cannot be started as it is told to.
const STARTING: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct Boot {
    /// The image.
    image: PathBuf,
    /// The board, if it is to be another than the one that the image is for.
    #[arg(long, value_name = "BOARD")]
    board: Option<String>,
    /// Boot through UEFI firmware, as a real board does.
    #[arg(long)]
    uefi: bool,
    /// Boot the image's kernel at once, which is quicker, and what is done without --uefi.
    #[arg(long, conflicts_with = "uefi")]
    direct: bool,
    /// What the simulated hosts do: a scenario's file, or the name of one that comes with the simulator.
    #[arg(long, value_name = "SCENARIO", default_value = "reference-network")]
    scenario: String,
    /// Connect the lan to this Unix socket, at which somebody listens, and simulate no hosts.
    #[arg(long, value_name = "SOCKET", requires = "wan")]
    lan: Option<PathBuf>,
    /// Connect the wan to this one.
    #[arg(long, value_name = "SOCKET", requires = "lan")]
    wan: Option<PathBuf>,
    /// Connect both to these tap interfaces, and simulate no hosts.
    #[arg(long, num_args = 2, value_names = ["LAN", "WAN"], conflicts_with_all = ["lan", "wan"])]
    tap: Option<Vec<String>>,
    /// Write the serial console to a file; otherwise to stdout.
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,
    /// The machine is switched off after so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    seconds: u64,
    /// The machine's memory, with its unit, if not what the board says.
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Have the serial console at this Unix socket, too: `provision status --to SOCKET` speaks with the box by it.
    #[arg(long, value_name = "SOCKET")]
    serial: Option<PathBuf>,
    /// Let the machine start afresh where it wants to; otherwise that is its end.
    #[arg(long)]
    restarts: bool,
    /// Keep what the machine writes to the image.
    #[arg(long)]
    persist: bool,
    /// Decides everything that looks random about the simulated hosts.
    #[arg(long, default_value_t = Seed(DEFAULT_SEED))]
    seed: Seed,
}

/// Boots. Returns whether all was as it had to be.
pub(crate) fn boot(options: &Boot) -> Result<bool, Failure> {
    let name = options.image.display();
    let unpacked = Unpacked::read(&files::read(&options.image)?).map_err(|what| {
        Failure::Input(format!("{name}: {what}; give an image that sekisho-image build wrote"))
    })?;
    let board = board_file::find(options.board.as_ref().unwrap_or(&unpacked.board))?;
    options.check_serial()?;
    if let Some(ports) = options.ports() {
        return alone(options, &board, &unpacked, ports);
    }
    let scenario = find(&options.scenario)?;
    let foreign = foreign(&scenario, None).map_err(Failure::Input)?;
    check_addresses(options, &unpacked, &foreign)?;
    let desk = Desk::new()?;
    among_hosts(options, &desk, &board, &unpacked, (&scenario, &foreign))
}

/// Boots with the ports connected elsewhere, until the machine switches itself off or its time is over. Returns whether, if it
/// ended, it meant to.
fn alone(options: &Boot, board: &BoardFile, unpacked: &Unpacked, ports: [Port; 2]) -> Result<bool, Failure> {
    let (mut qemu, mut console) = options.start(board, unpacked, ports)?;
    let limit = Duration::from_secs(options.seconds);
    let ended = qemu.wait(limit).map_err(|error| Failure::Operation(format!("QEMU: {error}")))?;
    let end = qemu.end();
    drop(qemu);
    console.end();
    say_ready(&console);
    match (ended, end) {
        (Some(status), _) if !status.success() => {
            return Err(Failure::Operation(format!("QEMU has ended with {status}")));
        }
        (Some(_), Some(end)) => {
            tell(&format!("the machine has ended: {end}"));
            return Ok(end.was_meant());
        }
        (Some(_), None) => tell("the machine has ended"),
        (None, _) => tell(&format!("switched off after {} s", options.seconds)),
    }
    Ok(true)
}

/// Boots among simulated hosts, and prints what came of them.
fn among_hosts(
    options: &Boot,
    desk: &Desk,
    board: &BoardFile,
    unpacked: &Unpacked,
    (scenario, foreign): (&Scenario, &Foreign),
) -> Result<bool, Failure> {
    let sockets = ["lan.sock", "wan.sock"].map(|name| desk.0.join(name));
    let meeting = Meeting::open([&sockets[0], &sockets[1]], Role::Listen).map_err(Failure::Operation)?;
    let (mut qemu, mut console) = options.start(board, unpacked, sockets.map(Port::Socket))?;
    let limit = Duration::from_secs(options.seconds);
    qemu.end_after(limit).map_err(|error| Failure::Operation(format!("QEMU: {error}")))?;
    // It connects its cards before all else, or ends because it cannot: nobody needs to wait for it then.
    if let Ok(Some(status)) = qemu.wait(STARTING) {
        return Err(Failure::Operation(format!("QEMU has ended with {status}")));
    }
    let mut lines = meeting.wait(CONNECTING).map_err(Failure::Operation)?;
    let addresses = foreign.addresses();
    let found = lines.find(addresses, limit);
    let answered = qemu.begun.elapsed();
    if let Err(what) = found {
        // What the machine has to say about it comes first.
        let ended = qemu.wait(Duration::ZERO).ok().flatten();
        let end = qemu.end();
        drop(qemu);
        console.end();
        let ended = match (ended, end) {
            (Some(status), _) if !status.success() => format!(" (QEMU has ended with {status})"),
            (Some(_), Some(end)) => format!(" (the machine has ended: {end})"),
            _ => String::new(),
        };
        return Err(Failure::Operation(format!("the box does not answer: {what}{ended}")));
    }
    let outcome = play_live(scenario, options.seed.0, foreign, lines);
    drop(qemu);
    console.end();
    say_ready(&console);
    tell(&format!(
        "answered for {} and {} after {:.1} s",
        addresses[0],
        addresses[1],
        answered.as_secs_f64()
    ));
    if let Some(passed) = outcome.first_passed() {
        // The scenario's time began when it had answered.
        let after = answered + Duration::from_micros(passed.micros());
        tell(&format!("translated the first packet after {:.1} s", after.as_secs_f64()));
    }
    files::print(&on_paper(&outcome, PACKETS, &Palette::PLAIN))?;
    Ok(outcome.passed())
}

/// How many packets are printed at most.
const PACKETS: usize = 60;

/// Refuses a scenario whose box has other addresses than the image's: nothing in it could work.
fn check_addresses(options: &Boot, unpacked: &Unpacked, foreign: &Foreign) -> Result<(), Failure> {
    let name = options.image.display();
    let config = unpacked.config.as_ref().map_err(|faults| {
        Failure::Input(format!(
            "{name}: has no configuration to boot with: {faults}; boot it with --tap or --lan and --wan"
        ))
    })?;
    let sides = |config: &config::Config| [config.lan().address(), config.wan().address()];
    let (ours, theirs) = (sides(config), sides(&foreign.config));
    if ours == theirs {
        return Ok(());
    }
    let shown = |[lan, wan]: [config::InterfaceAddress; 2]| format!("lan {lan} and wan {wan}");
    Err(Failure::Input(format!(
        "{name}: has {}, and the box of {} has {}; choose a --scenario for these addresses, or build the image with those",
        shown(ours),
        options.scenario,
        shown(theirs)
    )))
}

fn say_ready(console: &Console) {
    match console.ready() {
        Some(after) => tell(&format!("ready {:.1} s after the start", after.as_secs_f64())),
        None => tell("the machine has not said that it is ready"),
    }
}

impl Boot {
    /// What the ports are connected to, if not to simulated hosts.
    fn ports(&self) -> Option<[Port; 2]> {
        if let (Some(lan), Some(wan)) = (&self.lan, &self.wan) {
            return Some([lan, wan].map(|path| Port::Socket(path.clone())));
        }
        let taps: [String; 2] = self.tap.clone()?.try_into().ok()?;
        Some(taps.map(Port::Tap))
    }

    fn start(
        &self,
        board: &BoardFile,
        unpacked: &Unpacked,
        ports: [Port; 2],
    ) -> Result<(Qemu, Console), Failure> {
        let machine = board.qemu.as_ref().ok_or_else(|| {
            Failure::Input(format!(
                "board {}: has no section [qemu]; add one, or give another --board",
                board.name
            ))
        })?;
        let (kernel, initrd) = (InMemory::new(&unpacked.kernel)?, InMemory::new(&unpacked.initrd)?);
        let firmware = self.firmware(board)?;
        let start = match &firmware {
            Some(firmware) => Start::Uefi { firmware },
            None => Start::Direct {
                kernel: &kernel.path(),
                initrd: &initrd.path(),
                command_line: &unpacked.command_line,
            },
        };
        let setup = Setup {
            machine,
            architecture: unpacked.architecture,
            image: &self.image,
            persist: self.persist,
            start,
            ports,
            memory: self.memory.as_deref(),
            restarts: self.restarts,
            serial: self.serial.as_deref(),
        };
        let sink = self.sink()?;
        let (qemu, output) = Qemu::start(&setup).map_err(Failure::Operation)?;
        let console = Console::watch(output, sink, qemu.begun);
        Ok((qemu, console))
    }

    /// QEMU takes away whatever is where its socket is to be.
    fn check_serial(&self) -> Result<(), Failure> {
        let facts = self.serial.as_ref().and_then(|path| Some((path, fs::symlink_metadata(path).ok()?)));
        match facts {
            Some((path, facts)) if !facts.file_type().is_socket() => Err(Failure::Input(format!(
                "{}: is there already, and is no socket; name another one for --serial",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// The firmware to boot through, if it is to be booted through one.
    fn firmware(&self, board: &BoardFile) -> Result<Option<PathBuf>, Failure> {
        let Some(machine) = board.qemu.as_ref().filter(|_| self.uefi) else { return Ok(None) };
        let found = machine.firmware.iter().map(PathBuf::from).find(|path| path.is_file());
        let missing = || {
            let places = machine.firmware.join(", ");
            Failure::Operation(format!("UEFI firmware: none of {places}; install ovmf or qemu-efi-aarch64"))
        };
        found.map(Some).ok_or_else(missing)
    }

    /// Where the console goes.
    fn sink(&self) -> Result<Box<dyn Write + Send>, Failure> {
        let Some(path) = &self.console else { return Ok(Box::new(io::stdout())) };
        let file = File::create(path).map_err(|error| Failure::to_write(path.display(), &error))?;
        Ok(Box::new(file))
    }
}

/// A file for QEMU that takes no room on any disk, and is gone when nobody has it open any more.
struct InMemory(File);

impl InMemory {
    fn new(bytes: &[u8]) -> Result<Self, Failure> {
        // It is QEMU's to open, so it is handed on to it.
        let made = memfd_create("sekisho", MemfdFlags::empty()).map_err(io::Error::from);
        let file = made.map(File::from).and_then(|mut file| file.write_all(bytes).map(|()| file));
        file.map(Self).map_err(|error| Failure::to_write("<memory>", &error))
    }

    /// Its path, for us and for what we start.
    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}

/// A directory for the sockets, while the machine runs.
struct Desk(PathBuf);

impl Desk {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("sekisho-boot-{}", process::id()));
        // Who had our number before us is no more, but may have been cut short.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(|error| Failure::to_write(path.display(), &error))?;
        Ok(Self(path))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // What cannot be removed only takes room.
        let _ = fs::remove_dir_all(&self.0);
    }
}
