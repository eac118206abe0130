//! A board that QEMU is: how it is started, and that it ends.
//!
//! It has a disk, two network cards in the order lan, wan, a source of entropy, a serial console, and buttons to press. It ends
//! with us, however we end, where `setpriv` is at hand to ask the kernel for that; why it has ended, its monitor says.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Architecture;
use crate::board_file::{Disk, Machine};
use crate::monitor::{Button, End, Monitor};

/// Where the cards are on the bus, lan first: in this order for whoever looks for them in the order of the bus.
const SLOTS: [&str; 2] = ["0x10", "0x11"];

/// Their addresses.
const MACS: [&str; 2] = ["52:54:00:53:4b:01", "52:54:00:53:4b:02"];

/// How a machine is set up.
#[derive(Debug)]
pub struct Setup<'s> {
    /// The machine itself.
    pub machine: &'s Machine,
    /// Its kind.
    pub architecture: Architecture,
    /// The disk.
    pub image: &'s Path,
    /// Whether what is written to the disk is kept.
    pub persist: bool,
    /// What is started.
    pub start: Start<'s>,
    /// What its network cards are connected to, lan first.
    pub ports: [Port; 2],
    /// Its memory, if it is to be other than the board says.
    pub memory: Option<&'s str>,
    /// Whether it starts afresh where it asks for that; otherwise that is its end.
    pub restarts: bool,
    /// Where its serial console can be spoken to, beside being listened to: a Unix socket that QEMU makes.
    pub serial: Option<&'s Path>,
}

/// What a machine starts.
#[derive(Debug)]
pub enum Start<'s> {
    /// A kernel, at once.
    Direct {
        /// The kernel's file.
        kernel: &'s Path,
        /// The first file system's.
        initrd: &'s Path,
        /// What the kernel is told.
        command_line: &'s str,
    },
    /// What its firmware finds on the disk.
    Uefi {
        /// The firmware's file.
        firmware: &'s Path,
    },
}

/// What a network card is connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    /// A Unix socket, at which somebody listens.
    Socket(PathBuf),
    /// A tap interface, which is there.
    Tap(String),
}

/// A running machine. It ends when this does.
#[derive(Debug)]
pub struct Qemu {
    child: Child,
    handle: OwnedFd,
    monitor: Monitor,
    /// When it was started.
    pub begun: Instant,
}

impl Setup<'_> {
    /// The program and what it is told.
    pub fn command(&self) -> (String, Vec<OsString>) {
        let Self { machine, image, .. } = self;
        let memory = self.memory.unwrap_or(&machine.memory);
        let mut all: Vec<OsString> = Vec::new();
        let mut add = |arguments: &[&str]| all.extend(arguments.iter().map(OsString::from));
        add(&["-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none"]);
        if !self.restarts {
            add(&["-no-reboot"]);
        }
        add(&["-accel", "tcg", "-machine", &machine.machine, "-cpu", &machine.cpu, "-m", memory]);
        let console = match self.serial {
            None => "stdio,id=console,signal=off".to_owned(),
            Some(path) => format!(
                "socket,id=console,path={},server=on,wait=off,logfile=/dev/stdout,logappend=on",
                escaped(path)
            ),
        };
        add(&["-chardev", &console, "-serial", "chardev:console"]);
        let snapshot = if self.persist { "off" } else { "on" };
        let file = escaped(image);
        add(&["-drive", &format!("if=none,id=disk,format=raw,snapshot={snapshot},file={file}")]);
        match machine.disk {
            Disk::Virtio => add(&["-device", "virtio-blk-pci,drive=disk,addr=0x8"]),
            Disk::Usb => {
                add(&["-device", "qemu-xhci,id=usb,addr=0x8", "-device", "usb-storage,bus=usb.0,drive=disk"]);
            }
            Disk::Nvme => add(&["-device", "nvme,serial=disk,drive=disk,addr=0x8"]),
            Disk::Sata => {
                add(&["-device", "ahci,id=sata,addr=0x8", "-device", "ide-hd,bus=sata.0,drive=disk"]);
            }
        }
        add(&["-device", "virtio-rng-pci,addr=0x9"]);
        for (((side, port), slot), mac) in ["lan", "wan"].iter().zip(&self.ports).zip(SLOTS).zip(MACS) {
            let netdev = match port {
                Port::Socket(path) => {
                    format!("stream,id={side},server=off,addr.type=unix,addr.path={}", escaped(path))
                }
                Port::Tap(name) => format!("tap,id={side},ifname={name},script=no,downscript=no"),
            };
            add(&["-netdev", &netdev]);
            add(&["-device", &format!("{},netdev={side},mac={mac},addr={slot},romfile=", machine.nic)]);
        }
        for device in &machine.devices {
            add(&["-device", device]);
        }
        match &self.start {
            Start::Direct { kernel, initrd, command_line } => {
                all.extend(["-kernel".into(), kernel.into(), "-initrd".into(), initrd.into()]);
                all.extend(["-append".into(), command_line.into()]);
            }
            Start::Uefi { firmware } => all.extend(["-bios".into(), firmware.into()]),
        }
        (format!("qemu-system-{}", self.architecture.name()), all)
    }
}

impl Qemu {
    /// Starts a machine, and gives what it writes to its serial console.
    ///
    /// # Errors
    /// What cannot be started, and the way out.
    pub fn start(setup: &Setup<'_>) -> Result<(Self, ChildStdout), String> {
        let (program, arguments) = setup.command();
        let mut command = dying_with_us(&program);
        let (monitor, theirs) =
            Monitor::open().map_err(|error| format!("{program}: has no monitor: {error}"))?;
        let command = command.args(arguments).args(theirs.arguments());
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{program}: there is none here; {}", way_out(setup.architecture))
            }
            _ => format!("{program}: cannot be started: {error}"),
        };
        if which(&program).is_none() {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let begun = Instant::now();
        let mut child = command.spawn().map_err(failed)?;
        let console = child.stdout.take();
        let handle = Pid::from_raw(child.id().cast_signed())
            .ok_or(io::ErrorKind::NotFound.into())
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).map_err(io::Error::from));
        match (handle, console) {
            (Ok(handle), Some(console)) => Ok((Self { child, handle, monitor, begun }, console)),
            (handle, _) => {
                let _ = child.kill().and_then(|()| child.wait());
                Err(format!("{program}: cannot be watched: {:?}", handle.err()))
            }
        }
    }

    /// Waits until it has ended, at most so long.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        has_ended(&self.handle, limit)?;
        self.child.try_wait()
    }

    /// Presses a button of it.
    ///
    /// # Errors
    /// If it has ended.
    pub fn press(&mut self, button: Button) -> io::Result<()> {
        self.monitor.press(button)
    }

    /// Has what its screen shows, if it has one, written to a file, as PPM. That takes a while.
    ///
    /// # Errors
    /// If it has ended.
    pub fn picture(&mut self, file: &Path) -> io::Result<()> {
        self.monitor.picture(file)
    }

    /// How often its watchdog has bitten.
    pub fn bites(&mut self) -> usize {
        self.monitor.bites()
    }

    /// Ends it at once, and waits until it has.
    pub fn kill(&mut self) {
        // It may have ended long ago.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Why it has ended, once it has: what it asked for last, if it says so.
    pub fn end(&mut self) -> Option<End> {
        self.monitor.end()
    }

    /// Ends it after a while, whatever we are doing then.
    ///
    /// # Errors
    /// If the system does not let us.
    pub fn end_after(&self, limit: Duration) -> io::Result<()> {
        let handle = self.handle.try_clone()?;
        thread::spawn(move || {
            if has_ended(&handle, limit).is_ok_and(|ended| !ended) {
                // It may end by itself at this very moment.
                let _ = pidfd_send_signal(&handle, Signal::KILL);
            }
        });
        Ok(())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a process ends within a while.
fn has_ended(handle: &OwnedFd, limit: Duration) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&handle.as_fd(), PollFlags::IN)], Some(&timeout)) {
            Ok(ready) if ready > 0 || left.is_zero() => return Ok(ready > 0),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A command that the kernel ends when we do, even if we are killed.
fn dying_with_us(program: &str) -> Command {
    match which("setpriv") {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--", program]);
            command
        }
        None => Command::new(program),
    }
}

/// Where a program is, if it is on the path.
fn which(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// A path as QEMU has it within a list of options: a comma is written twice.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

fn way_out(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "install qemu-system-x86",
        Architecture::Aarch64 => "install qemu-system-arm",
    }
}
