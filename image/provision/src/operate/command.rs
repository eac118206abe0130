//! The command line of a box that runs.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use config::signed;
use control::message::Filter;
use control::seal::Key;
use serde::Serialize;

use super::apply::{difference, warning};
use super::capture::{Capture, capture};
use super::table::{Align, table};
use super::view::{CounterLine, SessionLine, Status, UseLine, understood};
use super::{Channel, Place, metrics, top, words};
use crate::{Failure, files, grouped, hex};

/// Which box, and how to speak with it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Which box")]
pub struct Where {
    /// Where it listens: a Unix socket (/run/sekisho.sock), a serial port (/dev/ttyUSB0), or an address on its lan, with a port
    /// (192.0.2.254:7377).
    #[arg(long, env = "SEKISHO_BOX", value_name = "PLACE")]
    to: Option<Place>,
    /// The file with the key that it has under [control]; `provision keygen` makes one.
    #[arg(long, env = "SEKISHO_KEY", value_name = "FILE")]
    key: Option<PathBuf>,
}

/// How to print what is shown.
#[derive(Args, Clone, Debug)]
pub struct Form {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// What can be done with a box that runs.
#[derive(Subcommand, Clone, Debug)]
pub enum Operation {
    /// Watch a running box: traffic, sessions, drops, hosts and rules, second by second.
    Top {
        /// How often to ask it: 1s, 30s, 5m.
        #[arg(long, value_name = "TIME", value_parser = interval, default_value = "1s")]
        every: Duration,
    },
    /// Show how a running box is.
    Status(Form),
    /// List its sessions, like `conntrack -L`.
    Sessions(Sessions),
    /// List its filter rules with what they have had to do, like `iptables -nvL --line`.
    Rules(Form),
    /// List its forwards, with how often each was wanted.
    Forwards(Form),
    /// List the hosts inside, with how many sessions each has.
    Hosts(Form),
    /// List what became of every frame, each drop reason for itself.
    Counters(Counters),
    /// Print what it has logged.
    Log {
        /// Go on printing what it logs.
        #[arg(short, long)]
        follow: bool,
    },
    /// Show frames as they come and as they leave, with what becomes of each.
    ///
    /// `provision capture -w - | wireshark -k -i -` shows them in Wireshark: a packet's comment says what became of it.
    Capture(Capture),
    /// Print everything that can be counted, for Prometheus.
    Metrics,
    /// Print the configuration that runs, as TOML.
    Running,
    /// Send it another configuration, and apply it. Sessions that it does not touch live on.
    ///
    /// What changes is printed as a difference. The box also writes it to where it starts from, where it has such a place; `status`
    /// says if not. With --confirm, it does so only when `provision confirm` is said in time, and else goes back to the one before.
    Apply(Apply),
    /// Keep the configuration that was applied with --confirm.
    Confirm,
    /// Take back the configuration that was applied with --confirm, at once.
    Revert,
}

/// Which sessions, or frames: all that have whatever is given.
#[derive(Args, Clone, Debug)]
pub(super) struct Chosen {
    /// Only those of this protocol.
    #[arg(long, value_parser = words::protocol_number)]
    protocol: Option<u8>,
    /// Only those that have this address at one of their ends.
    #[arg(long)]
    address: Option<Ipv4Addr>,
    /// Only those that have this port at one of their ends.
    #[arg(long)]
    port: Option<u16>,
}

impl Chosen {
    /// The same, as the box is asked for it.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            protocol: self.protocol,
            address: self.address.map(|address| address.octets()),
            port: self.port,
        }
    }
}

/// Which sessions.
#[derive(Args, Clone, Debug)]
pub struct Sessions {
    #[command(flatten)]
    chosen: Chosen,
    /// Only those in this state: established, "syn out", …
    #[arg(long, value_parser = words::state)]
    state: Option<&'static str>,
    /// In which order.
    #[arg(long, value_parser = ["internal", "external", "remote", "expires"], default_value = "internal")]
    sort: String,
    /// End them; there must be exactly one.
    #[arg(long)]
    kill: bool,
    #[command(flatten)]
    form: Form,
}

/// Which counters.
#[derive(Args, Clone, Debug)]
pub struct Counters {
    /// Those that are zero, too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    form: Form,
}

/// What to apply, and how.
#[derive(Args, Clone, Debug)]
pub struct Apply {
    /// The configuration's blob, signed or bare; - for standard input.
    blob: PathBuf,
    /// Take it back after this time, unless it is confirmed: 90s, 5m. Without it, it is kept at once.
    #[arg(long, value_name = "TIME", value_parser = time)]
    confirm: Option<u16>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Apply a signed configuration that is older than what the box has. Only by its serial port or its socket.
    #[arg(long)]
    force: bool,
}

/// Does it; what is to be printed.
///
/// # Errors
/// Whatever is wrong with the command line, the key or the box.
pub fn operate(
    at: &Where,
    operation: &Operation,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let place = at.to.as_ref().ok_or_else(|| {
        Failure::Input("which box? name it with --to, or in the environment as SEKISHO_BOX".to_owned())
    })?;
    let key = key(at)?;
    if let Operation::Top { every } = operation {
        return top::top(place, &key, *every);
    }
    let mut channel = Channel::open(place, &key)?;
    match operation {
        Operation::Log { follow } => log(&mut channel, *follow, print),
        Operation::Capture(options) => capture(&mut channel, options, print),
        Operation::Apply(arguments) => apply(place, &mut channel, arguments, print),
        Operation::Sessions(arguments) if arguments.kill => kill(&mut channel, arguments, print),
        operation => print(&shown(&mut channel, operation)?),
    }
}

fn key(at: &Where) -> Result<Key, Failure> {
    let path = at.key.as_ref().ok_or_else(|| {
        Failure::Input(
            "with which key? name its file with --key, or in the environment as SEKISHO_KEY".to_owned(),
        )
    })?;
    let name = path.display();
    let text = files::read_secret(path, "a key that `provision keygen` made")?;
    hex::bytes(text.trim()).ok_or_else(|| {
        Failure::Input(format!("{name}: no key: 64 hexadecimal digits; `provision keygen` makes one"))
    })
}

fn shown(channel: &mut Channel, operation: &Operation) -> Result<String, Failure> {
    match operation {
        Operation::Status(form) => form.show(&channel.status()?, status),
        Operation::Sessions(arguments) => {
            let sessions = chosen(channel, arguments)?;
            arguments.form.show(&sessions, |sessions| session_table(sessions))
        }
        Operation::Rules(form) => form.show(&channel.rules()?, |lines| uses("rule", lines)),
        Operation::Forwards(form) => form.show(&channel.forwards()?, |lines| uses("forward", lines)),
        Operation::Hosts(form) => form.show(&channel.hosts()?, |hosts| {
            let heads = [("host", Align::Left), ("sessions", Align::Right), ("most", Align::Right)];
            let row = |it: &super::view::HostLine| {
                [it.address.to_string(), it.sessions.to_string(), it.most.to_string()]
            };
            table(heads, &hosts.iter().map(row).collect::<Vec<_>>())
        }),
        Operation::Counters(arguments) => {
            let lines = channel.counters()?;
            let lines: Vec<_> = lines.into_iter().filter(|line| arguments.all || line.count > 0).collect();
            arguments.form.show(&lines, |lines| counters(lines))
        }
        Operation::Metrics => metrics(channel),
        Operation::Running => Ok(crate::show(&channel.config()?)),
        Operation::Confirm => channel.confirm().map(|()| "confirmed\n".to_owned()),
        Operation::Revert => channel.revert().map(|()| "taken back\n".to_owned()),
        Operation::Top { .. } | Operation::Log { .. } | Operation::Capture(_) | Operation::Apply(_) => {
            Ok(String::new())
        }
    }
}

impl Form {
    fn show<T: Serialize>(&self, what: &T, text: impl FnOnce(&T) -> String) -> Result<String, Failure> {
        if !self.json {
            return Ok(text(what));
        }
        let json = serde_json::to_string_pretty(what);
        json.map(|json| json + "\n").map_err(|error| Failure::Operation(format!("no JSON: {error}")))
    }
}

fn status(status: &Status) -> String {
    let mut text = format!(
        "sekisho {}, up {}\nsessions  {} (at most {}) of {}\nmappings  {}\n",
        status.version,
        words::time(status.up_seconds),
        grouped(status.sessions as usize),
        grouped(status.most_sessions as usize),
        grouped(status.capacity as usize),
        grouped(status.mappings as usize),
    );
    for side in &status.sides {
        text += &format!(
            "{:<9} {} {}, mtu {}: received {} frames, {}, {} sent on\n",
            side.side,
            side.interface,
            side.address,
            side.mtu,
            grouped(side.received as usize),
            words::bytes(side.received_bytes),
            grouped(side.forwarded as usize),
        );
    }
    match (status.confirm_within_seconds, status.is_kept) {
        (Some(left), _) => {
            text += &format!("NOT CONFIRMED: the configuration is taken back in {}\n", words::time(left));
        }
        (None, false) => text += "the configuration is in memory alone: a restart brings the one before\n",
        (None, true) => {}
    }
    text
}

fn chosen(channel: &mut Channel, arguments: &Sessions) -> Result<Vec<SessionLine>, Failure> {
    let Sessions { chosen, state, sort, .. } = arguments;
    let external = channel.config()?.wan().address().address();
    let mut sessions = channel.sessions(chosen.filter(), external)?;
    sessions.retain(|session| state.is_none_or(|wanted| session.state == Some(wanted)));
    sessions.sort_by_key(|it| it.wire.internal);
    match sort.as_str() {
        "external" => sessions.sort_by_key(|it| it.wire.external),
        "remote" => sessions.sort_by_key(|it| it.wire.remote),
        "expires" => sessions.sort_by_key(|it| it.wire.left),
        _ => {}
    }
    Ok(sessions)
}

fn kill(
    channel: &mut Channel,
    arguments: &Sessions,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let sessions = chosen(channel, arguments)?;
    let [session] = &sessions[..] else {
        let listed = session_table(&sessions);
        let count = sessions.len();
        return Err(Failure::Input(format!(
            "{listed}{count} sessions; say which one, with --address and --port"
        )));
    };
    channel.kill(session)?;
    let ended = |it: &SessionLine| format!("ended {} {} > {}\n", it.protocol, it.internal, it.remote);
    print(&arguments.form.show(session, ended)?)
}

fn session_table(sessions: &[SessionLine]) -> String {
    let heads =
        ["protocol", "state", "internal", "external", "remote", "begun"].map(|head| (head, Align::Left));
    let [protocol, state, internal, external, remote, begun] = heads;
    let heads = [protocol, state, internal, external, remote, begun, ("expires", Align::Right)];
    let row = |it: &SessionLine| {
        [
            it.protocol.clone(),
            it.state.unwrap_or("-").to_owned(),
            it.internal.clone(),
            it.external.clone(),
            it.remote.clone(),
            it.begun.to_owned(),
            words::time(it.expires_seconds),
        ]
    };
    table(heads, &sessions.iter().map(row).collect::<Vec<_>>())
}

fn uses(what: &str, lines: &[UseLine]) -> String {
    let right = |head| (head, Align::Right);
    let heads = [
        right("num"),
        right("packets"),
        right("bytes"),
        right("last"),
        ("name", Align::Left),
        (what, Align::Left),
    ];
    let row = |it: &UseLine| {
        [
            it.number.to_string(),
            it.packets.to_string(),
            words::bytes(it.bytes),
            it.last_seconds.map_or("never".to_owned(), |seconds| words::time(seconds) + " ago"),
            it.name.clone(),
            it.rule.clone(),
        ]
    };
    table(heads, &lines.iter().map(row).collect::<Vec<_>>())
}

fn counters(lines: &[CounterLine]) -> String {
    let heads =
        [("side", Align::Left), ("what", Align::Left), ("count", Align::Right), ("reason", Align::Left)];
    let row = |it: &CounterLine| {
        [
            it.side.to_owned(),
            it.what.to_owned(),
            it.count.to_string(),
            it.reason.unwrap_or_default().to_owned(),
        ]
    };
    table(heads, &lines.iter().map(row).collect::<Vec<_>>())
}

fn log(
    channel: &mut Channel,
    follow: bool,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (text, mut from) = channel.log(0)?;
    print(&text)?;
    if !follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let (text, next) = channel.log(from)?;
        from = next;
        print(&text)?;
    }
}

fn apply(
    place: &Place,
    channel: &mut Channel,
    arguments: &Apply,
    print: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let name = files::name(&arguments.blob, "<stdin>");
    let blob = files::read_blob(&arguments.blob)?;
    let (status, running) = (channel.status()?, channel.running()?);
    let schema = status.schema;
    let wrong = |error| Failure::Input(format!("{name}: {error}"));
    let opened = signed::open(&blob).map_err(wrong)?;
    let config = opened.config().map_err(wrong)?;
    let its = opened.blob.get(4..6).map_or(0, |version| u16::from_le_bytes([version[0], version[1]]));
    if its > schema {
        return Err(Failure::Operation(format!(
            "the box takes schema version {schema} at most, and {name} has {its}; compile it with the provision of the box's release, or give the box a newer program"
        )));
    }
    if running == blob && (status.is_kept || arguments.confirm.is_some()) {
        let waits = match status.confirm_within_seconds {
            Some(_) => ", which waits to be confirmed: `provision confirm`",
            None => "",
        };
        return print(&format!("the box runs just this configuration{waits}\n"));
    }
    let before = understood(&running)?;
    print(&difference(&before, &config))?;
    let would_end = channel.offer(&blob, arguments.force)?;
    if let Some(warning) = warning(place, &before, &config, arguments.confirm.is_some()) {
        files::explain(&warning)?;
    }
    if arguments.dry_run {
        return print(&format!("would end {}\n", sessions(would_end)));
    }
    let ended = channel.apply(&blob, arguments.confirm.unwrap_or(0), arguments.force)?;
    let what_next = match arguments.confirm {
        Some(seconds) => format!(
            "; it is taken back in {} unless you say `provision confirm`",
            words::time(seconds.into())
        ),
        None => String::new(),
    };
    print(&format!("applied, {} ended{what_next}\n", sessions(ended)))
}

fn sessions(count: u32) -> String {
    match count {
        1 => "1 session".to_owned(),
        count => format!("{} sessions", grouped(count as usize)),
    }
}

/// A time to confirm in, in seconds.
fn time(text: &str) -> Result<u16, String> {
    let seconds = seconds(text)?;
    let seconds = u16::try_from(seconds).ok().filter(|seconds| *seconds >= 5);
    seconds.ok_or_else(|| "from 5s to 18h; write it like 90s or 5m".to_owned())
}

/// From one question to the next.
fn interval(text: &str) -> Result<Duration, String> {
    let seconds = seconds(text)?;
    let seconds = Some(seconds).filter(|seconds| (1..=3_600).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| "from 1s to 1h; write it like 1s or 5m".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    let (digits, unit) = text.split_at(text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).len());
    let factor = match unit {
        "s" | "" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        _ => return Err("write it like 90s or 5m".to_owned()),
    };
    let number = digits.parse::<u32>().map_err(|_| "write it like 90s or 5m".to_owned())?;
    Ok(u64::from(number) * factor)
}
