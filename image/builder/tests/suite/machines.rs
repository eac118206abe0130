//! Machines that a test has in its hands: it reads their console, presses their buttons, and ends them whatever comes.

use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use builder::board_file;
use builder::console::Console;
use builder::qemu::{Port, Qemu, Setup, Start};
use builder::unpacked::Unpacked;

use crate::fixtures::Desk;
use crate::machine::{has_tiny, is_here, kernels, tool};

/// What trials are compiled for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How often a console is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// How a machine is to be, beside what its board says.
#[derive(Clone, Copy, Default)]
pub(crate) struct How<'h> {
    /// Its disk, if that is not its image.
    pub(crate) disk: Option<&'h Path>,
    /// Whether what it writes is kept.
    pub(crate) persist: bool,
    /// Whether it may start afresh.
    pub(crate) restarts: bool,
    /// What the program is told, if firmware does not start it.
    pub(crate) word: &'h str,
    /// The firmware that finds it on the disk; otherwise it is started at once.
    pub(crate) firmware: Option<&'h Path>,
}

/// A machine, which ends with this.
pub(crate) struct Machine {
    pub(crate) qemu: Qemu,
    told: Told,
    console: Console,
    // It connects its cards, and nobody says anything.
    _ports: [UnixListener; 2],
}

/// What a console has said.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Machine {
    /// Starts the image `router.img` of a desk on a board of QEMU's.
    pub(crate) fn start(desk: &Desk, board: &str, how: How<'_>) -> Self {
        let image = desk.0.join("router.img");
        let unpacked = Unpacked::read(&fs::read(&image).unwrap()).unwrap();
        let board = board_file::find(board).unwrap();
        let (kernel, initrd) = (desk.put("kernel", &unpacked.kernel), desk.put("initrd", &unpacked.initrd));
        let sockets = ["lan.sock", "wan.sock"].map(|name| desk.0.join(name));
        let ports = sockets.each_ref().map(|path| {
            let _ = fs::remove_file(path);
            UnixListener::bind(path).unwrap()
        });
        let line = format!("{} {}", unpacked.command_line, how.word);
        let start = match how.firmware {
            Some(firmware) => Start::Uefi { firmware },
            None => Start::Direct { kernel: &kernel, initrd: &initrd, command_line: &line },
        };
        let (qemu, output) = Qemu::start(&Setup {
            machine: board.qemu.as_ref().unwrap(),
            architecture: unpacked.architecture,
            image: how.disk.unwrap_or(&image),
            persist: how.persist,
            start,
            ports: sockets.map(Port::Socket),
            memory: None,
            restarts: how.restarts,
            serial: None,
        })
        .unwrap();
        let told = Told::default();
        let console = Console::watch(output, told.clone(), qemu.begun);
        Self { qemu, told, console, _ports: ports }
    }

    /// Everything that the console has said.
    pub(crate) fn told(&self) -> String {
        String::from_utf8_lossy(&self.told.0.lock().unwrap()).into_owned()
    }

    /// Waits until the console has said something so many times. Fails when that takes too long.
    #[track_caller]
    pub(crate) fn wait_until_it_says(&self, text: &str, times: usize, limit: Duration) {
        let begun = Instant::now();
        while self.told().matches(text).count() < times {
            assert!(begun.elapsed() < limit, "no {text:?}, {times} times, in\n{}", self.told());
            thread::sleep(LOOK);
        }
    }

    /// Takes the power away at once, and gives everything that the console has said.
    pub(crate) fn cut(mut self) -> String {
        self.qemu.kill();
        self.console.end();
        self.told()
    }

    /// Waits until it has ended. Fails when that takes too long.
    #[track_caller]
    pub(crate) fn wait_until_it_ends(&mut self, limit: Duration) {
        assert!(self.qemu.wait(limit).unwrap().is_some(), "it has not ended:\n{}", self.told());
    }
}

/// Builds the image `router.img` of a program and a blob for a board, for a test. Nothing, and says so, if what that takes is
/// not here.
pub(crate) type Builder = fn(&Desk, &str, &str, &[u8], &str) -> Option<()>;

/// Does so with Debian's kernel.
pub(crate) fn build(desk: &Desk, board: &str, program: &str, blob: &[u8], test: &str) -> Option<()> {
    let cache = kernels();
    build_with(&["--cache", cache.to_str().unwrap()], desk, board, program, blob, test)
}

/// Does so with the tiny kernel, if that was built before.
pub(crate) fn build_tiny(desk: &Desk, board: &str, program: &str, blob: &[u8], test: &str) -> Option<()> {
    has_tiny(board, test).then(|| build_with(&["--tiny"], desk, board, program, blob, test))?
}

fn build_with(
    kernel: &[&str],
    desk: &Desk,
    board: &str,
    program: &str,
    blob: &[u8],
    test: &str,
) -> Option<()> {
    let qemu = if board.ends_with("aarch64") { "qemu-system-aarch64" } else { "qemu-system-x86_64" };
    if !is_here(qemu, test) || !is_here("apt-get", test) {
        return None;
    }
    desk.put("router.blob", blob);
    let parts = ["build", "--board", board, "--init", program, "--config", "router.blob", "-o", "router.img"];
    let built = tool(desk, &[&parts[..], kernel].concat());
    let said = String::from_utf8(built.stderr).unwrap();
    // Without a network there is nothing to show; whatever else is wrong is wrong.
    if said.starts_with("apt-") {
        eprintln!("NOT RUN: {test}: {said}");
        return None;
    }
    assert!(built.status.success(), "{said}");
    Some(())
}

/// The program that fails as it is told to (`firmware/sekisho/examples/trials`): built here, of the parts that the program has.
pub(crate) fn trials(test: &str) -> Option<&'static str> {
    static BUILT: LazyLock<String> = LazyLock::new(|| {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("sekisho");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../firmware/sekisho"));
        cargo.args(["build", "--release", "--locked", "--quiet", "--example", "trials", "--target", TARGET]);
        cargo.arg("--target-dir").arg(&made);
        // What this build was told is not for that one.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        assert!(cargo.status().unwrap().success(), "firmware/sekisho/examples/trials does not build");
        made.join(TARGET).join("release/examples/trials").to_str().unwrap().to_owned()
    });
    if std::env::consts::ARCH != "x86_64" {
        eprintln!("NOT RUN: {test}: needs a machine with x86_64, to compile for {TARGET}");
        return None;
    }
    Some(&BUILT)
}

/// The blob of the reference network, its interfaces left to the board, and with more in it.
pub(crate) fn blob_with(more: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../provision/examples/board.toml");
    let text = fs::read_to_string(path).unwrap() + more;
    provision::blob(&provision::compile(&text, "board.toml").unwrap())
}
