//! Switching a booted image off and on: its power button, Ctrl-Alt-Del, and, in a namespace whose first program it is, signals.

use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use builder::monitor::{Button, End};
use builder::{board_file, initramfs};
use rustix::process::{Pid, Signal, kill_process};

use crate::fixtures::Desk;
use crate::machine::{RESTART, stand_in_x86_64, tool};
use crate::machines::{How, Machine, blob_with, build};

const BOARD: &str = "qemu-x86_64";

/// How long a machine may take to boot, and to do what it is told.
const BOOTING: Duration = Duration::from_secs(60);
const ENDING: Duration = Duration::from_secs(20);

/// A machine that forwards, if what that takes is here.
fn ready(desk: &Desk, test: &str, restarts: bool) -> Option<Machine> {
    build(desk, BOARD, program::PATH, &blob_with(""), test)?;
    let machine = Machine::start(desk, BOARD, How { restarts, ..How::default() });
    machine.wait_until_it_says("\nready lan=eth0", 1, BOOTING);
    Some(machine)
}

#[test]
fn the_power_button_switches_it_off() {
    let test = "the_power_button_switches_it_off";
    let desk = Desk::new("power-off");
    let Some(mut machine) = ready(&desk, test, false) else { return };

    machine.qemu.press(Button::Power).unwrap();

    machine.wait_until_it_says("sekisho: switching off", 1, ENDING);
    machine.wait_until_it_ends(ENDING);
    assert_eq!(machine.qemu.end(), Some(End::Off));
}

#[test]
fn ctrl_alt_del_starts_it_afresh() {
    let test = "ctrl_alt_del_starts_it_afresh";
    let desk = Desk::new("power-restart");
    let Some(mut machine) = ready(&desk, test, true) else { return };

    machine.qemu.press(Button::CtrlAltDel).unwrap();

    machine.wait_until_it_says("sekisho: starting afresh", 1, ENDING);
    machine.wait_until_it_says("\nready lan=eth0", 2, BOOTING);
    // It counts what it forwarded before it does so, and has not been switched off.
    assert_eq!(machine.qemu.end(), None, "{}", machine.told());
}

#[test]
fn where_it_may_not_start_afresh_that_is_its_end_and_told_from_being_switched_off() {
    let test = "where_it_may_not_start_afresh_that_is_its_end_and_told_from_being_switched_off";
    let desk = Desk::new("power-end");
    let Some(mut machine) = ready(&desk, test, false) else { return };

    machine.qemu.press(Button::CtrlAltDel).unwrap();

    machine.wait_until_it_ends(ENDING);
    assert_eq!(machine.qemu.end(), Some(End::Restart), "{}", machine.told());
}

#[test]
fn the_command_says_of_a_machine_that_wants_to_start_afresh_that_it_does_and_lets_it() {
    let test = "the_command_says_of_a_machine_that_wants_to_start_afresh_that_it_does_and_lets_it";
    let desk = Desk::new("power-command");
    let program = desk.put("init", &stand_in_x86_64(RESTART));
    let Some(()) = build(&desk, BOARD, program.to_str().unwrap(), &blob_with(""), test) else { return };
    let _listeners = ["lan.sock", "wan.sock"].map(|name| UnixListener::bind(desk.0.join(name)).unwrap());
    let boot = |how: &[&str]| {
        let arguments = ["boot", "router.img", "--lan", "lan.sock", "--wan", "wan.sock"];
        let output = tool(&desk, &[&arguments[..], how].concat());
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code(), out.matches("ready stand-in").count(), err)
    };

    let (code, times, told) = boot(&["--seconds", "60"]);

    assert_eq!((code, times), (Some(1), 1), "{told}");
    assert!(
        told.ends_with("the machine has ended: it wanted to start afresh, which --restarts lets it\n"),
        "{told}"
    );

    let (code, times, told) = boot(&["--seconds", "20", "--restarts"]);

    assert!(code == Some(0) && times > 1 && told.ends_with("switched off after 20 s\n"), "{times}: {told}");
}

/// The program as the first of a namespace, with a directory for its file system; what it says goes to a file.
struct First {
    /// Who has made the namespace, and ends as the program does; whose end ends the program.
    maker: Child,
    program: Pid,
    console: std::path::PathBuf,
}

impl First {
    /// Starts it. Its board has no drivers and no watchdog, so it finds no configuration.
    fn start(desk: &Desk) -> Self {
        let text = "about = \"a namespace\"\narchitecture = \"x86_64\"\nkernel = \"none\"\nmodules = []\n\
                    command-line = \"console=none\"\nlan.order = 0\nwan.order = 1\n";
        let board = board_file::read("namespace", text, "namespace.toml").unwrap();
        let mut blob = [0; board::MAX_BOARD];
        let length = initramfs::board(&board, &[]).unwrap().encode(&mut blob).unwrap();
        desk.put("board", &blob[..length]);
        for directory in ["dev", "proc", "sys"] {
            fs::create_dir(desk.0.join(directory)).unwrap();
        }
        fs::copy(program::PATH, desk.0.join("init")).unwrap();
        let console = desk.put("console", b"");
        let file = fs::File::options().append(true).open(&console).unwrap();
        let mut command = Command::new("unshare");
        let command =
            command.args(["--pid", "--fork", "--kill-child", "--mount", "--net", "--ipc", "chroot"]);
        let command = command.arg(&desk.0).arg("/init").stdin(Stdio::null());
        let maker = command.stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let mut first = Self { maker, program: Pid::INIT, console };
        first.program = first.wait("the first program", || children(first.maker.id()).first().copied());
        first
    }

    fn told(&self) -> String {
        fs::read_to_string(&self.console).unwrap()
    }

    /// Waits until there is something to be had. Fails when that takes too long.
    #[track_caller]
    fn wait<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < BOOTING, "no {what}: {}", self.told());
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn wait_until_it_says(&self, text: &str) {
        self.wait(text, || self.told().contains(text).then_some(()));
    }

    fn send(&self, signal: Signal) {
        kill_process(self.program, signal).unwrap();
    }

    /// The signal that has ended it: in a namespace, that is what reboot(2) comes to.
    #[track_caller]
    fn end(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.maker.try_wait().unwrap() {
                return status.signal();
            }
            assert!(begun.elapsed() < ENDING, "it has not ended: {}", self.told());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for First {
    fn drop(&mut self) {
        // The end of the one is the end of the other. It may have ended long ago.
        let _ = self.maker.kill();
        let _ = self.maker.wait();
    }
}

/// The children of a process.
fn children(process: u32) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Whether a namespace of our own can be had, in which the program finds no disk that is not ours to write to.
fn may_be_first(test: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    let tools = ["unshare", "nsenter", "chroot"].into_iter();
    let missing = tools.map(|tool| (tool, Command::new(tool).arg("--version").output()));
    let missing: Vec<_> = missing.filter(|(_, output)| output.is_err()).map(|(tool, _)| tool).collect();
    let disks = fs::read_dir("/sys/class/block").into_iter().flatten().filter_map(io::Result::ok);
    let uevents = disks.map(|disk| fs::read_to_string(disk.path().join("uevent")).unwrap_or_default());
    let is_ours = uevents.into_iter().any(|uevent| uevent.contains("PARTNAME=sekisho-config"));
    if is_root && missing.is_empty() && !is_ours && Path::new("/proc/self/task").exists() {
        return true;
    }
    eprintln!(
        "NOT RUN: {test}: needs root, unshare, nsenter and chroot, and a machine without a disk of Sekisho's"
    );
    false
}

#[test]
fn as_the_first_program_it_ignores_a_closed_terminal_buries_its_dead_and_switches_off_at_sigterm() {
    let test =
        "as_the_first_program_it_ignores_a_closed_terminal_buries_its_dead_and_switches_off_at_sigterm";
    let desk = Desk::new("first-off");
    if !may_be_first(test) {
        return;
    }
    let mut first = First::start(&desk);
    first.wait_until_it_says("SAFE MODE");

    for signal in [Signal::HUP, Signal::PIPE, Signal::USR1, Signal::QUIT, Signal::ALARM] {
        first.send(signal);
    }
    // A child whose parent is no more is the first program's.
    let pid = first.program.as_raw_nonzero().to_string();
    let orphan = ["-t", &pid, "-p", "sh", "-c", "sleep 0.5 &"];
    assert!(Command::new("nsenter").args(orphan).status().unwrap().success());
    let its = || children(first.program.as_raw_nonzero().get().cast_unsigned());
    assert_eq!(its().len(), 1);
    first.wait("burial", || its().is_empty().then_some(()));
    assert_eq!(first.told().matches("SAFE MODE").count(), 1, "it sleeps on: {}", first.told());

    first.send(Signal::TERM);

    assert_eq!(first.end(), Some(Signal::INT.as_raw()), "{}", first.told());
    assert!(first.told().ends_with("sekisho: switching off\n"), "{}", first.told());
}

#[test]
fn as_the_first_program_it_starts_afresh_at_sigint() {
    let test = "as_the_first_program_it_starts_afresh_at_sigint";
    let desk = Desk::new("first-restart");
    if !may_be_first(test) {
        return;
    }
    let mut first = First::start(&desk);
    // It is not in safe mode yet, and hears of it as soon as it is.
    let status = format!("/proc/{}/status", first.program.as_raw_nonzero());
    let lets_all_through = || fs::read_to_string(&status).unwrap().contains("SigBlk:\t0000000000000000");
    first.wait("signals of its own", || (!lets_all_through()).then_some(()));

    first.send(Signal::INT);

    assert_eq!(first.end(), Some(Signal::HUP.as_raw()), "{}", first.told());
    assert!(first.told().ends_with("sekisho: starting afresh\n"), "{}", first.told());
}
