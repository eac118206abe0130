//! Real hosts: network namespaces with the kernel's own stacks, and our program between them.
//!
//! A namespace and everything started in it ends with its value here, also when a test fails. Names carry the process
//! id, so that two runs do not meet. Only root can do any of this: [`available`] says whether it can be done here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The longest that a test waits for something outside itself.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reference network's configuration, and two more forwards: udp/5353 and tcp/8000-8009.
pub const CONFIGURATION: &str = r#"
[wan]
interface = "gw1"
address = "203.0.113.254/24"
gateway = "203.0.113.1"

[lan]
interface = "gw0"
address = "192.0.2.254/24"

[[forward]]
name = "web"
protocol = "tcp"
external = "54321"
internal = "192.0.2.1:54321"

[[forward]]
name = "names"
protocol = "udp"
external = "5353"
internal = "192.0.2.1:5353"

[[forward]]
name = "range"
protocol = "tcp"
external = "8000-8009"
internal = "192.0.2.1:9000"
"#;

/// Whether namespaces can be made here; if not, says so on stderr, once for each test that asks.
pub fn available() -> bool {
    let root = rustix::process::geteuid().is_root();
    let tools = || ["ip", "tcpdump", "nc", "ping", "traceroute"].iter().all(|tool| which(tool).is_some());
    if root && tools() {
        return true;
    }
    let test = thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("NOT RUN: {test}: needs root, iproute2, tcpdump, netcat-openbsd, iputils-ping and traceroute");
    false
}

/// Where a program is, if it is installed.
pub fn which(program: &str) -> Option<PathBuf> {
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.iter().map(|place| PathBuf::from(place).join(program)).find(|path| path.exists())
}

/// The path of one of our programs, built for release when it is first asked for.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let directory = BUILT.get_or_init(|| {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args([
            "build",
            "--release",
            "--quiet",
            "--package",
            "program",
            "--package",
            "provision",
            "--package",
            "host-sim",
            "--package",
            "sekisho-image",
        ]);
        assert!(build.current_dir(&root).status().unwrap().success());
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        target.join("release")
    });
    directory.join(name)
}

/// One namespace.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace whose name ends in `role`.
    pub fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sekisho-{}-{count}-{role}", std::process::id());
        run(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    /// A command that is to run in the namespace; `line` is split at spaces.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).args(line.split(' '));
        command
    }

    /// Runs a command in the namespace and returns what it printed, whatever it ended with.
    pub fn output(&self, line: &str) -> Output {
        self.command(line).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a command in the namespace, which must succeed; what it printed on stdout.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        run(&mut self.command(line))
    }

    /// Runs `ip` with these arguments in the namespace.
    #[track_caller]
    pub fn ip(&self, arguments: &str) {
        self.run(&format!("ip {arguments}"));
    }

    /// Starts a command in the namespace.
    pub fn start(&self, line: &str) -> Running {
        Running::start(&mut self.command(line))
    }

    /// Runs a function on a thread in the namespace: the sockets it opens are that host's.
    pub fn within<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> thread::JoinHandle<T> {
        let file = fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// A program that runs, and the lines it has printed on stdout and stderr.
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Running {
    /// Starts a command.
    pub fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let out = read_lines(child.stdout.take().unwrap(), Arc::clone(&lines));
        let err = read_lines(child.stderr.take().unwrap(), Arc::clone(&lines));
        Self { child, lines, readers: vec![out, err] }
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The lines printed so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Waits until a line contains `text`.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let found = || self.lines().iter().any(|line| line.contains(text));
        assert!(until(found), "waited in vain for {text:?} in {:#?}", self.lines());
    }

    /// Types into the program, and ends its input.
    pub fn type_in(&mut self, text: &str) {
        use std::io::Write;
        self.child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until the program has ended by itself; its status and all its lines.
    #[track_caller]
    pub fn finish(mut self) -> (Option<i32>, Vec<String>) {
        let ended = until(|| self.child.try_wait().unwrap().is_some());
        assert!(ended, "still running: {:#?}", self.lines());
        let status = self.child.wait().unwrap().code();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.lines())
    }

    /// Ends the program with a signal; its status and all its lines.
    #[track_caller]
    pub fn end(self, signal: Signal) -> (Option<i32>, Vec<String>) {
        self.signal(signal);
        self.finish()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(
    from: impl std::io::Read + Send + 'static,
    to: Arc<Mutex<Vec<String>>>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            to.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
        }
    })
}

/// Waits until something holds; whether it did before patience ran out.
pub fn until(mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if holds() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The reference network: lan 192.0.2.1/24, the box's namespace with bare interfaces, wan 203.0.113.1/24.
pub struct Network {
    /// The host inside; its interface is `lan0`.
    pub lan: Namespace,
    /// The box; `gw0` towards lan, `gw1` towards wan, neither with an address.
    pub router: Namespace,
    /// The host outside; its interface is `wan0`.
    pub wan: Namespace,
    directory: PathBuf,
    /// One network at a time: two would take the processors from each other.
    _turn: MutexGuard<'static, ()>,
}

impl Network {
    /// Makes the network, offloads as the kernel has them.
    pub fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (lan, router, wan) = (Namespace::new("lan"), Namespace::new("router"), Namespace::new("wan"));
        let directory = std::env::temp_dir().join(&router.name);
        fs::create_dir_all(&directory).unwrap();
        connect(&lan, "lan0", &router, "gw0");
        connect(&wan, "wan0", &router, "gw1");
        lan.ip("addr add 192.0.2.1/24 dev lan0");
        lan.ip("route add default via 192.0.2.254");
        wan.ip("addr add 203.0.113.1/24 dev wan0");
        // The kernel calls a new link up only when it gets round to it, a second later at times.
        let states = || router.run("cat /sys/class/net/gw0/operstate /sys/class/net/gw1/operstate");
        assert!(until(|| states() == "up\nup\n"), "{}", states());
        Self { lan, router, wan, directory, _turn: turn }
    }

    /// The command that runs our program here with a configuration, from the readable file on.
    pub fn sekisho(&self, configuration: &str) -> Command {
        let (readable, blob) = (self.directory.join("router.toml"), self.directory.join("router.blob"));
        fs::write(&readable, configuration).unwrap();
        run(Command::new(program("provision")).arg("compile").arg(&readable).arg("-o").arg(&blob));
        let mut command = self.router.command(program("sekisho").to_str().unwrap());
        command.arg("run").arg(&blob);
        command
    }

    /// Starts our program and waits until it forwards.
    pub fn start(&self) -> Running {
        let running = Running::start(&mut self.sekisho(CONFIGURATION));
        running.wait_for("ready ");
        running
    }

    /// A file that ends with the network.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Joins two namespaces by a veth pair.
pub fn connect(a: &Namespace, a_end: &str, b: &Namespace, b_end: &str) {
    a.ip(&format!("link add {a_end} type veth peer name {b_end} netns {}", b.name));
    a.ip(&format!("link set {a_end} up"));
    b.ip(&format!("link set {b_end} up"));
}

/// Starts tcpdump on an interface of a namespace and waits until it listens.
pub fn tcpdump(on: &Namespace, interface: &str, filter: &str) -> Running {
    let running = on.start(&format!("tcpdump -n -l --immediate-mode -i {interface} {filter}"));
    running.wait_for("listening on");
    running
}
