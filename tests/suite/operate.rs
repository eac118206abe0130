//! What an operator does with a box that runs, with the real tool, between real hosts. Root only, as `reference_network`.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use provision::hex;
use provision::operate::Channel;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use sekisho_tests::netns::{self, CONFIGURATION, Network, Running, available, program, until};

pub(crate) const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

const RULE: &str = "[[rule]]\nname = \"no mail\"\ndirection = \"lan-to-wan\"\nprotocol = \"tcp\"\nport = \"25\"\naction = \"reject\"\nlog = true\n";

const SSH: &str =
    "[[forward]]\nname = \"ssh\"\nprotocol = \"tcp\"\nexternal = \"2222\"\ninternal = \"192.0.2.1:22\"\n";

// None of the ports that a host's sessions from ports above 1023 have outside.
const ECHO: &str =
    "[[forward]]\nname = \"echo\"\nprotocol = \"udp\"\nexternal = \"7\"\ninternal = \"192.0.2.1:7\"\n";

/// A box with a channel in the reference network.
pub(crate) struct Operated {
    pub(crate) network: Network,
    running: Running,
}

impl Operated {
    fn new() -> Self {
        Self::configured(&configuration(""))
    }

    /// One whose configuration is `text`, which is in the network's file `router.toml`.
    pub(crate) fn configured(text: &str) -> Self {
        let network = Network::new();
        let blob = compile(&network, "router", text);
        fs::write(network.file("box.key"), KEY).unwrap();
        fs::set_permissions(network.file("box.key"), Permissions::from_mode(0o600)).unwrap();
        let running = start(&network, &blob, &network.file("box.sock"));
        running.wait_for("ready ");
        Self { network, running }
    }

    fn command(&self, arguments: &str) -> Command {
        let socket = self.network.file("box.sock");
        self.told(Command::new(program("provision")), arguments, &socket.display().to_string())
    }

    fn provision(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same, by the lan.
    fn provision_by_lan(&self, arguments: &str) -> Output {
        let command = self.network.lan.command(program("provision").to_str().unwrap());
        self.told(command, arguments, "192.0.2.254:7377").output().unwrap()
    }

    fn told(&self, mut command: Command, arguments: &str, place: &str) -> Command {
        command.args(arguments.split(' ')).arg("--to").arg(place);
        command.arg("--key").arg(self.network.file("box.key"));
        command
    }

    /// What the tool prints, which must succeed.
    #[track_caller]
    fn shown(&self, arguments: &str) -> String {
        let Output { status, stdout, stderr } = self.provision(arguments);
        assert!(status.success(), "{arguments}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    /// What it says when it must not succeed.
    #[track_caller]
    fn refused(&self, arguments: &str) -> String {
        let output = self.provision(arguments);
        assert!(!output.status.success(), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn configuration(more: &str) -> String {
    format!("{CONFIGURATION}\n{RULE}\n{more}\n[control]\nkey = \"{KEY}\"\nlan-port = 7377\n")
}

fn compile(network: &Network, name: &str, text: &str) -> PathBuf {
    let (readable, blob) = (network.file(&format!("{name}.toml")), network.file(&format!("{name}.blob")));
    fs::write(&readable, text).unwrap();
    let compiled =
        Command::new(program("provision")).arg("compile").arg(&readable).arg("-o").arg(&blob).output();
    assert!(compiled.unwrap().status.success(), "{text}");
    blob
}

#[test]
fn an_operator_sees_what_the_box_does() {
    if !available() {
        return;
    }
    // Given a box through which a host has pinged, asked a name server, and tried to send mail ...
    let operated = Operated::new();
    let lan = &operated.network.lan;
    lan.run("ping -n -c 1 203.0.113.1");
    let ask = || UdpSocket::bind("192.0.2.1:5000").unwrap().send_to(b"?", "203.0.113.1:53").unwrap();
    lan.within(ask).join().unwrap();
    lan.output("nc -w 1 203.0.113.1 25");

    // ... all of it is there to be seen.
    let status = operated.shown("status");
    assert!(status.contains("sessions  2 (at most 2) of 65,536"), "{status}");
    assert!(status.contains("gw0 192.0.2.254/24") && status.contains("gw1 203.0.113.254/24"), "{status}");
    let sessions = operated.shown("sessions --protocol udp");
    assert!(sessions.contains("udp") && sessions.contains("192.0.2.1:5000") && !sessions.contains("icmp"));
    let rules = operated.shown("rules");
    assert!(rules.contains("no mail  lan-to-wan tcp any > any:25 reject port-unreachable"), "{rules}");
    assert!(rules.lines().nth(1).unwrap().split_whitespace().nth(1).unwrap() != "0", "{rules}");
    assert!(operated.shown("hosts").contains("192.0.2.1"));
    assert!(operated.shown("forwards").contains("tcp 54321 > 192.0.2.1:54321"));
    assert!(operated.shown("counters").contains("rejected"));
    assert!(operated.shown("log").contains("rule \"no mail\" rejects lan-to-wan tcp 192.0.2.1:"));
    assert!(operated.shown("metrics").contains("sekisho_sessions 2\n"));
    assert!(operated.shown("running").contains("name = \"no mail\""));
    let json = operated.shown("sessions --json");
    assert!(json.starts_with('[') && json.contains("\"internal\": \"192.0.2.1:5000\""), "{json}");

    // A session is ended by itself.
    assert!(operated.refused("sessions --kill").contains("2 sessions"));
    assert!(operated.shown("sessions --protocol udp --kill").contains("ended udp 192.0.2.1:5000"));
    assert!(operated.shown("status").contains("sessions  1 "));
    let ended = operated.shown("sessions --kill --json");
    assert!(ended.starts_with('{') && ended.contains("\"protocol\": \"icmp\""), "{ended}");
    assert!(operated.shown("status").contains("sessions  0 "));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn a_configuration_is_applied_confirmed_and_taken_back_while_sessions_live_on() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    operated.network.lan.run("ping -n -c 1 203.0.113.1");
    let session = operated.shown("sessions");
    let with_ssh = compile(&operated.network, "ssh", &configuration(SSH)).display().to_string();
    let is_there = || operated.shown("forwards").contains("2222");

    let tried = operated.shown(&format!("apply {with_ssh} --dry-run"));
    assert!(tried.contains("+ external = \"2222\"") && tried.contains("would end 0 sessions"), "{tried}");
    assert!(!is_there());
    operated.shown(&format!("apply {with_ssh} --confirm 5s"));
    assert!(is_there() && operated.shown("status").contains("NOT CONFIRMED"));
    assert!(until(|| !is_there()), "nobody confirmed it");
    assert!(operated.refused("confirm").contains("no configuration waits"));
    operated.shown(&format!("apply {with_ssh} --confirm 10m"));
    operated.shown("revert");
    assert!(!is_there());
    operated.shown(&format!("apply {with_ssh} --confirm 10m"));
    operated.shown("confirm");
    assert!(is_there());
    assert!(operated.shown(&format!("apply {with_ssh}")).contains("applied, 0 sessions"));
    let mut command = operated.command("apply - --dry-run");
    let from_stdin = command.stdin(File::open(&with_ssh).unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&from_stdin.stdout), "would end 0 sessions\n");
    // What has no end is not read to its end.
    let command = operated.command("apply /dev/zero");
    let mut limited = Command::new("prlimit");
    limited.arg("--as=1000000000").arg(command.get_program()).args(command.get_args());
    let endless = limited.output().unwrap();
    let said = String::from_utf8_lossy(&endless.stderr);
    assert!(endless.status.code() == Some(2) && said.starts_with("/dev/zero: not a configuration"), "{said}");
    // The configuration of a process is a file of its owner's.
    assert!(operated.shown("status").contains("in memory alone"));
    let external =
        |session: &str| session.lines().nth(1).map(|line| line.split_whitespace().nth(3).map(str::to_owned));
    assert_eq!(external(&operated.shown("sessions")), external(&session));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn ten_thousand_sessions_live_on_when_a_forward_comes_and_goes() {
    if !available() {
        return;
    }
    // Given ten thousand sessions of a host inside, and one that came by a forward ...
    let operated = Operated::new();
    let (lan, wan) = (&operated.network.lan, &operated.network.wan);
    let ask = || {
        for port in 10_000..20_000 {
            let socket = UdpSocket::bind(("192.0.2.1", port)).unwrap();
            // The box may not have found the way yet; it is asked again below.
            let _ = socket.send_to(b"?", "203.0.113.1:7");
        }
    };
    let has = |sessions: &str| operated.shown("status").contains(&format!("sessions  {sessions} "));
    let all = || {
        lan.within(ask).join().unwrap();
        has("10,000")
    };
    assert!(until(all), "{}", operated.shown("status"));
    let compile =
        |name: &str, more: &str| compile(&operated.network, name, &configuration(more)).display().to_string();
    let (with, without) = (compile("with", ECHO), compile("without", ""));
    // ... all of them live on when a forward comes ...
    let applied = operated.shown(&format!("apply {with}"));
    assert!(applied.contains("applied, 0 sessions ended"), "{applied}");
    let ask = || UdpSocket::bind("203.0.113.1:4000").unwrap().send_to(b"?", "203.0.113.254:7").unwrap();
    wan.within(ask).join().unwrap();
    assert!(until(|| has("10,001")), "{}", operated.shown("status"));
    // ... and when it goes, its own session ends with it.
    assert!(operated.shown(&format!("apply {without}")).contains("applied, 1 session ended"));
    assert!(has("10,000"));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

/// Starts a box with its operator's socket.
fn start(network: &Network, blob: &Path, socket: &Path) -> Running {
    let mut command = network.router.command(program("sekisho").to_str().unwrap());
    Running::start(command.arg("run").arg(blob).arg("--control").arg(socket))
}

#[test]
fn whatever_else_is_where_the_socket_should_be_stays_there() {
    if !available() {
        return;
    }
    let network = Network::new();
    let blob = compile(&network, "router", &configuration(""));
    let refused = |socket: &Path, why: &str| {
        let (status, lines) = start(&network, &blob, socket).finish();
        let said = format!("{}: bind: {why}", socket.display());
        assert!(status == Some(1) && lines.iter().any(|line| line.contains(&said)), "{said}: {lines:?}");
    };
    // Given files, and a box: another takes nothing from them ...
    let notes = network.file("notes");
    fs::write(&notes, "mine").unwrap();
    refused(&notes, "there is something there already; name another socket");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "mine");
    refused(&notes.join("box.sock"), "");
    let socket = network.file("box.sock");
    let first = start(&network, &blob, &socket);
    first.wait_for("ready ");
    refused(&socket, "there is something there already");
    // ... but what one has left that was killed.
    first.end(Signal::KILL);
    assert!(socket.exists());
    let second = start(&network, &blob, &socket);
    second.wait_for("ready ");
    assert_eq!(second.end(Signal::TERM).0, Some(0));
    assert!(!socket.exists());
}

#[test]
fn an_operator_at_the_socket_does_not_disturb_another() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    // Given one who follows the log, in which there is something ...
    let with_ssh = compile(&operated.network, "ssh", &configuration(SSH)).display().to_string();
    operated.shown(&format!("apply {with_ssh}"));
    let again = operated.shown(&format!("apply {with_ssh} --confirm 5m"));
    assert_eq!(again, "the box runs just this configuration\n");
    let mut follower = operated.command("log --follow").stdout(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(follower.stdout.take().unwrap()).lines();
    log.next().unwrap().unwrap();
    // ... and many who come and go, ...
    for _ in 0..9 {
        operated.shown("status");
    }
    let without = compile(&operated.network, "without", &configuration("")).display().to_string();
    operated.shown(&format!("apply {without}"));
    // ... the first is still served.
    assert!(log.any(|line| line.unwrap().contains("another configuration runs")));
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn a27_whoever_has_another_key_learns_nothing_and_changes_nothing() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    fs::write(operated.network.file("box.key"), KEY.replace('0', "1")).unwrap();
    for arguments in ["status", "confirm", "running"] {
        let said = operated.refused(arguments);
        assert!(said.contains("is the key the box's?"), "{said}");
    }
    fs::write(operated.network.file("box.key"), KEY).unwrap();
    assert!(operated.shown("status --json").contains("\"unopened\": 9"));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn whose_place_another_takes_is_told_so() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    let place = operated.network.file("box.sock").to_str().unwrap().parse().unwrap();
    let open = || Channel::open(&place, &hex::bytes(KEY).unwrap()).unwrap();
    let mut all = [(); 5].map(|()| open());
    all[4].status().unwrap();
    let said = all[0].status().unwrap_err().to_string();
    assert!(said.contains("box.sock: the box has closed the channel: perhaps another operator"), "{said}");
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn an_operator_comes_by_the_lan() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    let shown = |arguments: &str| {
        let Output { status, stdout, stderr } = operated.provision_by_lan(arguments);
        assert!(status.success(), "{arguments}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    };
    operated.network.lan.run("ping -n -c 1 203.0.113.1");
    assert!(shown("status").contains("sessions  1 (at most 1)"));
    assert!(shown("sessions").contains("192.0.2.1"));
    let with_ssh = compile(&operated.network, "ssh", &configuration(SSH)).display().to_string();
    let has_ssh = || shown("forwards").contains("2222");
    shown(&format!("apply {with_ssh} --confirm 5s"));
    assert!(has_ssh());
    assert!(until(|| !has_ssh()), "nobody confirmed it");
    shown(&format!("apply {with_ssh} --confirm 10m"));
    shown("confirm");
    assert!(has_ssh());

    // Whoever is about to lock himself out is warned, also before anything is done.
    let shut = configuration("").replace("lan-port = 7377", "lan-port = 99");
    let shut = compile(&operated.network, "shut", &shut).display().to_string();
    let by_socket = operated.provision(&format!("apply {shut} --dry-run"));
    assert_eq!(String::from_utf8(by_socket.stderr).unwrap(), "");
    for (arguments, way_out) in
        [("--dry-run", "apply it with --confirm"), ("--confirm 5s", "confirm` will not")]
    {
        let applied = operated.provision_by_lan(&format!("apply {shut} {arguments}"));
        let warned = String::from_utf8(applied.stderr).unwrap();
        assert!(warned.starts_with("warning: control.lan-port becomes 99"), "{warned}");
        assert!(warned.contains(way_out), "{warned}");
    }
    // It has closed that way before it could answer.
    assert!(operated.shown("running").contains("lan-port = 99"));
    let is_back = || operated.provision_by_lan("status").status.success();
    assert!(until(is_back), "nobody confirmed it");

    // What is older is forced at the box alone, and another key opens nothing.
    let refused = |arguments: &str| {
        let output = operated.provision_by_lan(arguments);
        assert!(!output.status.success(), "{arguments}");
        String::from_utf8(output.stderr).unwrap()
    };
    let without = compile(&operated.network, "without", &configuration("")).display().to_string();
    assert!(refused(&format!("apply {without} --force")).contains("at the box itself"));
    fs::write(operated.network.file("box.key"), KEY.replace('0', "1")).unwrap();
    assert!(refused("status").contains("is the key the box's?"));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn rules_are_asked_about_a_connection_to_the_box_once() {
    if !available() {
        return;
    }
    let new = "[[rule]]\nname = \"new\"\ndirection = \"lan-to-box\"\nprotocol = \"tcp\"\naction = \"accept\"\nrate = \"1/h\"\nburst = 2\n";
    let excess = "[[rule]]\nname = \"excess\"\ndirection = \"lan-to-box\"\naction = \"drop\"\n";
    let operated = Operated::configured(&configuration(&format!("{new}{excess}")));
    for _ in 0..2 {
        assert!(operated.provision_by_lan("status").status.success());
    }
    let rules = operated.shown("rules");
    let used: Vec<&str> = rules.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(used, ["packets", "0", "2", "0"], "{rules}");
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn a27_whoever_holds_connections_keeps_no_operator_out_and_the_wan_has_none() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    // Given many who have connected and say nothing, or nothing that makes sense ...
    let hold = || {
        let connect = || TcpStream::connect("192.0.2.254:7377");
        let mut all: Vec<TcpStream> = (0..50).map(|_| connect().unwrap()).collect();
        for stream in &mut all {
            // Most of them have been let go.
            let _ = stream.write_all(&[0, 1, 2, 3, 0].repeat(200));
        }
        all
    };
    let held = operated.network.lan.within(hold).join().unwrap();
    // ... the operator is served.
    let output = operated.provision_by_lan("status --json");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    drop(held);

    // Nobody outside can connect, by either address.
    for address in ["203.0.113.254:7377", "192.0.2.254:7377"] {
        let connect = move || {
            TcpStream::connect_timeout(&address.parse().unwrap(), std::time::Duration::from_secs(1)).is_err()
        };
        operated.network.wan.run("ip route replace 192.0.2.0/24 via 203.0.113.254");
        assert!(operated.network.wan.within(connect).join().unwrap(), "{address}");
    }
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

/// A terminal, and what opens the end that a program has of it.
fn terminal() -> (File, impl Fn() -> File) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    (File::from(terminal), move || File::options().read(true).write(true).open(&name).unwrap())
}

#[test]
fn top_draws_on_a_terminal_and_leaves_it_as_it_was() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    assert!(operated.refused("top").contains("top needs a terminal"));
    // Given a terminal, and what is drawn on it ...
    let (mut terminal, end) = terminal();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let kept = end();
    let settings = || tcgetattr(&kept).unwrap().local_modes;
    let before = settings();
    let drawn = Arc::new(Mutex::new(String::new()));
    let (mut from, to) = (terminal.try_clone().unwrap(), Arc::clone(&drawn));
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(len @ 1..) = from.read(&mut bytes) {
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..len]));
        }
    });
    let shows = |text: &str| until(|| drawn.lock().unwrap().contains(text));
    let mut command = operated.command("top");
    let mut top = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();

    // ... it shows the box, and that the box is no more, and when it is told to leave, the terminal is as it was.
    assert!(shows("192.0.2.254/24"), "{}", drawn.lock().unwrap());
    assert_ne!(settings(), before);
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
    assert!(shows("lost, trying again"), "{}", drawn.lock().unwrap());
    terminal.write_all(b"q").unwrap();
    assert!(top.wait().unwrap().success());
    assert_eq!(settings(), before);
    assert!(shows("\x1b[?1049l"), "{}", drawn.lock().unwrap());
}

#[test]
fn a_capture_has_each_frame_as_it_came_and_as_it_left_and_why_it_was_stopped() {
    if !available() || netns::which("tshark").is_none() {
        return;
    }
    let operated = Operated::new();
    let file = operated.network.file("capture.pcapng");
    let arguments = format!("capture --protocol udp --count 20 -w {}", file.display());
    let mut capture = operated.command(&arguments).spawn().unwrap();
    let (lan, wan) = (&operated.network.lan, &operated.network.wan);
    let speak = || {
        let ask = || UdpSocket::bind("192.0.2.1:5000").unwrap().send_to(b"?", "203.0.113.1:53").unwrap();
        lan.within(ask).join().unwrap();
        let knock = || UdpSocket::bind("203.0.113.1:9").unwrap().send_to(b"?", "203.0.113.254:9").unwrap();
        wan.within(knock).join().unwrap();
    };
    let sees = |capture: &mut Child| {
        until(|| {
            speak();
            capture.try_wait().unwrap().is_some()
        })
    };
    assert!(sees(&mut capture), "no twenty frames");

    let fields = "-e frame.interface_name -e ip.src -e udp.checksum.status -e frame.comment";
    let mut tshark = Command::new("tshark");
    tshark.args(["-o", "udp.check_checksum:TRUE", "-T", "fields", "-r"]).arg(&file).args(fields.split(' '));
    let shown = String::from_utf8(tshark.output().unwrap().stdout).unwrap();
    let has = |parts: [&str; 3]| {
        shown.lines().any(|line| {
            let is_it = |(part, field): (&str, &str)| field.ends_with(part);
            let [interface, source, _, comment] = line.split('\t').collect::<Vec<_>>()[..] else {
                return false;
            };
            parts.into_iter().zip([interface, source, comment]).all(is_it)
        })
    };
    assert!(has(["lan", "192.0.2.1", ": forwarded"]), "{shown}");
    assert!(has(["wan", "203.0.113.254", ": forwarded"]), "{shown}");
    assert!(has(["wan", "203.0.113.1", ": dropped: no mapping"]), "{shown}");

    // On lines, and only what is not sent on.
    let mut capture = operated.command("capture --stopped --protocol udp --count 2");
    let mut capture = capture.stdout(Stdio::piped()).spawn().unwrap();
    assert!(sees(&mut capture));
    let mut lines = String::new();
    capture.stdout.take().unwrap().read_to_string(&mut lines).unwrap();
    let stopped = "wan 203.0.113.1:9 > 203.0.113.254:9 udp, 43 bytes: dropped: no mapping";
    assert!(lines.lines().count() == 2 && lines.lines().all(|line| line.ends_with(stopped)), "{lines}");
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}

#[test]
fn top_ends_with_its_terminal() {
    if !available() {
        return;
    }
    let operated = Operated::new();
    let (mut terminal, end) = terminal();
    let mut top = operated.command("top").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    assert!(terminal.read(&mut [0; 100]).unwrap() > 0, "it has begun to draw");
    drop(terminal);
    assert!(until(|| top.try_wait().unwrap().is_some()));
    assert_eq!(operated.running.end(Signal::TERM).0, Some(0));
}
