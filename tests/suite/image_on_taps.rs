//! A booted image between the kernel's own hosts, on two tap interfaces; and its operator, by its serial port and by the lan. Root
//! only, as `reference_network`.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use control::frame::{self, MAX_FRAME};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use sekisho_tests::netns::{Network, Running, available, program, until, which};

use crate::operate::KEY;
use crate::reference_network::{ask_udp, echo_udp, transfer, transfer_through};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What is not at hand of what it takes.
fn missing() -> Option<&'static str> {
    if !Path::new("/dev/net/tun").exists() {
        return Some("/dev/net/tun");
    }
    ["apt-get", "qemu-system-x86_64"].into_iter().find(|tool| which(tool).is_none())
}

const READY: &str = "ready lan=eth0 192.0.2.254/24 wan=eth1 203.0.113.254/24";

/// The reference network with a bridge for each side, whose other port is an image's tap.
struct Taps {
    network: Network,
    image: PathBuf,
}

impl Taps {
    /// With an image of a configuration. Nothing, and says so, if what that takes is not here.
    fn new(test: &str, configuration: &str) -> Option<Self> {
        if !available() {
            return None;
        }
        if let Some(missing) = missing() {
            eprintln!("NOT RUN: {test}: needs {missing}");
            return None;
        }
        let network = Network::new();
        let image = network.file("router.img");
        let taps = Self { network, image };
        let blob = taps.compile("board", configuration);
        let mut build = Command::new(program("sekisho-image"));
        build.args(["build", "--board", "qemu-x86_64", "--config"]).arg(&blob).arg("-o").arg(&taps.image);
        let built = build.output().unwrap();
        let said = String::from_utf8(built.stderr).unwrap();
        if said.starts_with("apt-") {
            eprintln!("NOT RUN: {test}: {said}");
            return None;
        }
        assert!(built.status.success(), "{said}");
        taps.connect(test)?;
        Some(taps)
    }

    /// In the box's namespace, a bridge joins each host's link to a tap.
    fn connect(&self, test: &str) -> Option<()> {
        let router = &self.network.router;
        for (tap, link, bridge) in [("tap0", "gw0", "br0"), ("tap1", "gw1", "br1")] {
            for wanted in
                [format!("ip tuntap add {tap} mode tap"), format!("ip link add {bridge} type bridge")]
            {
                let made = router.output(&wanted);
                if !made.status.success() {
                    eprintln!("NOT RUN: {test}: {wanted}: {}", String::from_utf8_lossy(&made.stderr));
                    return None;
                }
            }
            for port in [tap, link] {
                router.ip(&format!("link set {port} master {bridge}"));
                router.ip(&format!("link set {port} up"));
            }
            router.ip(&format!("link set {bridge} up"));
        }
        Some(())
    }

    fn compile(&self, name: &str, configuration: &str) -> PathBuf {
        let [readable, blob] = ["toml", "blob"].map(|kind| self.network.file(&format!("{name}.{kind}")));
        fs::write(&readable, configuration).unwrap();
        let mut compile = Command::new(program("provision"));
        assert!(compile.arg("compile").arg(readable).arg("-o").arg(&blob).output().unwrap().status.success());
        blob
    }

    /// Boots, for as long as a test takes, and what is written to the image stays.
    fn boot(&self) -> Running {
        let seconds = 400 + babbled() / 200;
        let serial = self.network.file("serial.sock");
        let _ = fs::remove_file(&serial);
        let mut boot = self.network.router.command(program("sekisho-image").to_str().unwrap());
        boot.arg("boot").arg(&self.image).args(["--tap", "tap0", "tap1", "--persist", "--seconds"]);
        let machine = Running::start(boot.arg(seconds.to_string()).arg("--serial").arg(serial));
        machine.wait_for(READY);
        machine
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.image);
    }
}

fn configuration(more: &str) -> String {
    let board = Path::new(ROOT).join("image/provision/examples/board.toml");
    fs::read_to_string(board).unwrap() + more
}

#[test]
fn an_image_routes_between_real_hosts_on_two_taps() {
    let test = "an_image_routes_between_real_hosts_on_two_taps";
    let Some(taps) = Taps::new(test, &configuration("")) else { return };
    let (network, machine) = (&taps.network, taps.boot());

    network.lan.run("ping -n -c 3 -W 5 203.0.113.1");
    network.lan.run("ping -n -c 1 -W 5 192.0.2.254");
    network.wan.run("ping -n -c 1 -W 5 203.0.113.254");
    let server = network.wan.within(|| echo_udp("203.0.113.1:7000"));
    network.lan.within(|| ask_udp("203.0.113.1:7000")).join().unwrap();
    assert_eq!(server.join().unwrap().ip().to_string(), "203.0.113.254");
    transfer(&network.lan, &network.wan, "203.0.113.1:80", 10 << 20);
    transfer_through(&network.wan, &network.lan, "192.0.2.1:54321", "203.0.113.254:54321", 10 << 20);
    let hops = network.lan.run("traceroute -n -w 5 203.0.113.1");
    assert!(hops.contains(" 1  192.0.2.254 ") && hops.contains(" 2  203.0.113.1 "), "{hops}");

    machine.end(Signal::TERM);
}

/// Which way the operator comes.
#[derive(Clone, Copy, Debug)]
enum By {
    Serial,
    Lan,
}

/// A booted image with an operator.
struct Operator<'t> {
    taps: &'t Taps,
    key: PathBuf,
}

impl Operator<'_> {
    fn provision(&self, by: By, arguments: &str) -> Output {
        let tool = program("provision");
        let (mut command, place) = match by {
            By::Serial => (Command::new(tool), self.taps.network.file("serial.sock").display().to_string()),
            By::Lan => (self.taps.network.lan.command(tool.to_str().unwrap()), "192.0.2.254:7377".to_owned()),
        };
        command
            .args(arguments.split(' '))
            .arg("--to")
            .arg(place)
            .arg("--key")
            .arg(&self.key)
            .output()
            .unwrap()
    }

    #[track_caller]
    fn shown(&self, by: By, arguments: &str) -> String {
        let Output { status, stdout, stderr } = self.provision(by, arguments);
        assert!(status.success(), "{by:?}, {arguments}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, by: By, arguments: &str) -> String {
        let output = self.provision(by, arguments);
        assert!(!output.status.success(), "{by:?}, {arguments}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn has_ssh(&self, by: By) -> bool {
        self.shown(by, "forwards").contains("2222")
    }
}

#[test]
fn an_operator_comes_by_the_serial_port_and_over_the_lan() {
    let test = "an_operator_comes_by_the_serial_port_and_over_the_lan";
    // Given an image that takes only what is signed ...
    let [signer, other] = ["signer", "other"];
    let keys = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
    fs::create_dir_all(&keys).unwrap();
    let public = [signer, other].map(|name| {
        let mut keygen = Command::new(program("provision"));
        let made = keygen.args(["keygen", "--signing"]).arg(keys.join(name)).output().unwrap();
        let said = String::from_utf8(made.stdout).unwrap();
        said.split('"').nth(1).unwrap_or_else(|| panic!("{said}")).to_owned()
    });
    let control = format!("\n[control]\nkey = \"{KEY}\"\nlan-port = 7377\nsigner = \"{}\"\n", public[0]);
    let ssh = "\n[[forward]]\nname = \"ssh\"\nprotocol = \"tcp\"\nexternal = \"2222\"\ninternal = \"192.0.2.1:22\"\n";
    let Some(taps) = Taps::new(test, &configuration(&control)) else { return };
    let operator = Operator { taps: &taps, key: taps.network.file("box.key") };
    fs::write(&operator.key, KEY).unwrap();
    let sign = |by: &str, sequence: u32, more: &str| {
        let name = format!("{by}-{sequence}");
        let bare = taps.compile(&name, &configuration(&(more.to_owned() + &control)));
        let signed = taps.network.file(&format!("{name}.signed"));
        let mut sign = Command::new(program("provision"));
        sign.arg("sign")
            .arg(bare)
            .arg("--key")
            .arg(keys.join(by))
            .arg("--sequence")
            .arg(sequence.to_string());
        let said = sign.arg("-o").arg(&signed).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        signed.display().to_string()
    };
    let mut machine = taps.boot();

    for (by, sequence) in [(By::Serial, 10), (By::Lan, 20)] {
        // ... the operator sees it, ...
        taps.network.lan.run("ping -n -c 1 -W 5 203.0.113.1");
        assert!(operator.shown(by, "status").contains("lan       eth0 192.0.2.254/24"));
        assert!(operator.shown(by, "sessions").contains("192.0.2.1"));
        // ... nobody else does, and what somebody else has signed is not taken, nor what has been recorded, ...
        fs::write(&operator.key, KEY.replace('0', "1")).unwrap();
        assert!(operator.refused(by, "status").contains("is the key the box's?"));
        fs::write(&operator.key, KEY).unwrap();
        let refused = operator.refused(by, &format!("apply {}", sign(other, sequence, ssh)));
        assert!(refused.contains("signed by another key"), "{refused}");
        let running = operator.shown(by, "running");
        babble(&taps, by);
        assert_eq!(operator.shown(by, "running"), running);
        // ... what is not confirmed is taken back in time, ...
        let with_ssh = sign(signer, sequence, ssh);
        operator.shown(by, &format!("apply {with_ssh} --confirm 5s"));
        assert!(operator.has_ssh(by));
        assert!(until(|| !operator.has_ssh(by)), "nobody confirmed it");
        // ... also when the power goes, ...
        operator.shown(by, &format!("apply {with_ssh} --confirm 10m"));
        assert!(operator.has_ssh(by));
        machine.end(Signal::KILL);
        machine = taps.boot();
        assert!(!operator.has_ssh(by));
        // ... and what is confirmed stays, whatever happens to the power.
        operator.shown(by, &format!("apply {with_ssh} --confirm 10m"));
        operator.shown(by, "confirm");
        machine.end(Signal::KILL);
        machine = taps.boot();
        assert!(operator.has_ssh(by) && !operator.shown(by, "status").contains("in memory alone"));
        let older = sign(signer, sequence - 1, "");
        assert!(operator.refused(by, &format!("apply {older}")).contains("a higher number"));
        // Back to one without it, for whoever comes by the other way.
        operator.shown(by, &format!("apply {}", sign(signer, sequence + 1, "")));
        assert!(!operator.has_ssh(by));
    }
    // Only who is at the box itself can force an older one.
    let older = sign(signer, 5, ssh);
    assert!(operator.refused(By::Lan, &format!("apply {older} --force")).contains("at the box itself"));
    operator.shown(By::Serial, &format!("apply {older} --force"));
    assert!(operator.has_ssh(By::Lan));
    let log = operator.shown(By::Serial, "log");
    assert!(!log.contains("not higher than 21"), "what was taken was not refused before: {log}");
    machine.end(Signal::TERM);
    fs::remove_dir_all(keys).unwrap();
}

/// How many frames of no sense each way brings: two thousand, if nobody says otherwise.
fn babbled() -> u64 {
    std::env::var("SEKISHO_FRAMES").map_or(2_000, |count| count.parse().unwrap())
}

/// Says what makes no sense: frames of nothing, damaged ones, bytes; and leaves in the midst of one.
fn babble(taps: &Taps, by: By) {
    let mut random = StdRng::seed_from_u64(7);
    let mut next = move || {
        let mut frame = [0; MAX_FRAME];
        let content: Vec<u8> = (0..random.random_range(0..60)).map(|_| random.random()).collect();
        let len = frame::write(random.random_range(0..5), &content, &mut frame);
        match random.random_range(0..3) {
            0 => {}
            1 => frame[random.random_range(0..len)] = random.random(),
            _ => frame[..len].fill_with(|| random.random()),
        }
        frame[..len].to_vec()
    };
    let mut speak = move |stream: &mut dyn Write| {
        for _ in 0..babbled() {
            stream.write_all(&next()).unwrap();
        }
        stream.write_all(&[0, 3, 1, 1]).unwrap();
    };
    match by {
        By::Serial => speak(&mut UnixStream::connect(taps.network.file("serial.sock")).unwrap()),
        By::Lan => {
            let connect = move || speak(&mut std::net::TcpStream::connect("192.0.2.254:7377").unwrap());
            taps.network.lan.within(connect).join().unwrap();
        }
    }
}
