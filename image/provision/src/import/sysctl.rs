//! The kernel's settings: files as `/etc/sysctl.conf`, and what `sysctl -a` prints.
//!
//! Of the hundreds that it prints, those count that are about forwarding and conntrack. One that stands at the kernel's
//! own default was nobody's wish, so ours stays. What is not about routing is told line by line where somebody wrote it,
//! and by its number where the kernel printed it.

use std::rc::Rc;
use std::time::Duration;

use config::{Timer, Timers};

use super::model::Place;
use super::notes::{Fate, Notes, SIX};
use super::sets;

/// A timer of the kernel's, ours, and its default in seconds.
const TIMERS: [(&str, Timer, u64); 4] = [
    ("tcp_timeout_established", Timer::TcpEstablished, 432_000),
    ("udp_timeout_stream", Timer::Udp, 120),
    ("icmp_timeout", Timer::Icmp, 30),
    ("generic_timeout", Timer::Other, 600),
];

/// Timers of the kernel's that are ours in part, the nearest of ours, and the default in seconds.
const NEAR: [(&str, Timer, u64); 10] = [
    ("udp_timeout", Timer::Udp, 30),
    ("tcp_timeout_syn_sent", Timer::TcpOpening, 120),
    ("tcp_timeout_syn_recv", Timer::TcpOpening, 60),
    ("tcp_timeout_fin_wait", Timer::TcpClosing, 120),
    ("tcp_timeout_close_wait", Timer::TcpClosing, 60),
    ("tcp_timeout_last_ack", Timer::TcpClosing, 30),
    ("tcp_timeout_time_wait", Timer::TcpClosing, 120),
    ("tcp_timeout_close", Timer::TcpClosing, 10),
    ("tcp_timeout_max_retrans", Timer::TcpEstablished, 300),
    ("tcp_timeout_unacknowledged", Timer::TcpEstablished, 300),
];

/// A setting, of an interface if it is the end of one; the values for which the box does the same, the kernel's default,
/// and what the box does.
const SWITCHES: [(&str, &[&str], &str, &str); 12] = [
    ("net.ipv4.ip_forward", &["1"], "", "the box always forwards"),
    ("forwarding", &["1"], "", "the box always forwards"),
    ("rp_filter", &["1", "2"], "0", "sources that belong on the other side are dropped"),
    ("net.ipv4.conf.all.accept_source_route", &["0"], "", "source routes are dropped"),
    // Only together with that of all.
    ("accept_source_route", &["0"], "1", "source routes are dropped"),
    ("accept_redirects", &["0"], "1", "redirects are not followed"),
    ("secure_redirects", &["0"], "1", "redirects are not followed"),
    ("send_redirects", &["0"], "1", "no redirects are sent"),
    ("log_martians", &["0"], "", "impossible addresses are counted, not logged"),
    ("proxy_arp", &["0"], "", "ARP is answered for the box itself alone"),
    ("net.ipv4.icmp_echo_ignore_all", &["0"], "", "echo is answered unless a rule drops it"),
    ("net.ipv4.icmp_echo_ignore_broadcasts", &["1"], "", "no broadcast is answered"),
];

/// The most settings that somebody writes, rather than the kernel.
const WRITTEN: usize = 100;

/// Whether a line is a setting of the kernel's.
pub(crate) fn is_setting(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| {
        let key = key.trim().trim_start_matches('-');
        (key.contains(['.', '/']) || key.starts_with("nf_conntrack_"))
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
    })
}

/// Reads a whole file.
pub(crate) fn read(file: usize, text: &str, timers: &mut Timers, notes: &mut Notes) {
    let mut others = Vec::new();
    let lines = text.lines().map(str::trim).enumerate();
    for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';'])) {
        let place = Place { file, line: index + 1, text: Rc::from(line) };
        let Some((key, value)) = line.split_once('=') else {
            notes.add(&place, Fate::None, "is not understood");
            continue;
        };
        let key = key.trim().trim_start_matches('-').replace('/', ".");
        match read_setting(&key, value.trim(), timers) {
            Some((fate, text)) => notes.add(&place, fate, text),
            None => others.push((place, key)),
        }
    }
    if others.len() > WRITTEN {
        let count = others.len();
        return notes.say_of(file, Fate::Moot, &format!("has {count} more settings, not about routing IPv4"));
    }
    for (place, key) in others {
        notes.add(&place, Fate::Moot, other(&key));
    }
}

/// What becomes of a setting that is about routing.
fn read_setting(key: &str, value: &str, timers: &mut Timers) -> Option<(Fate, String)> {
    let conntrack = [
        "net.netfilter.nf_conntrack_",
        "net.ipv4.netfilter.ip_conntrack_",
        "net.nf_conntrack_",
        "nf_conntrack_",
    ];
    if let Some(name) = conntrack.iter().find_map(|prefix| key.strip_prefix(prefix)) {
        return read_conntrack(name, value, timers);
    }
    if key == "net.ipv4.ip_local_port_range" {
        let text = "the box begins nothing of its own; what it translates to is nat.ports";
        return Some((Fate::Moot, text.to_owned()));
    }
    if key.starts_with("net.ipv6.conf.") && key.ends_with(".forwarding") {
        return Some((Fate::Moot, other(key).to_owned()));
    }
    let of_interface = key.strip_prefix("net.ipv4.conf.").and_then(|rest| rest.rsplit_once('.'));
    let name = of_interface.map_or(key, |(_, name)| name);
    let (_, same, default, text) = SWITCHES.iter().find(|(of, ..)| *of == key || *of == name)?;
    Some(match value {
        value if same.contains(&value) => (Fate::Ours, (*text).to_owned()),
        value if value == *default => (Fate::Moot, format!("is the kernel's default; {text}")),
        "0" | "1" | "2" => (Fate::None, (*text).to_owned()),
        _ => (Fate::None, "has a value that cannot be read".to_owned()),
    })
}

/// What a setting is about that is not about routing.
fn other(key: &str) -> &'static str {
    if key.starts_with("net.ipv6.") {
        return SIX;
    }
    if key.starts_with("net.ipv4.tcp_") || key.starts_with("net.ipv4.udp_") {
        return "is about the kernel's own connections, of which the box has none";
    }
    "is not about routing"
}

fn read_conntrack(name: &str, value: &str, timers: &mut Timers) -> Option<(Fate, String)> {
    if name == "max" {
        return Some((Fate::Moot, "the box has room for what provision check says".to_owned()));
    }
    let find = |all: &'static [(&str, Timer, u64)]| all.iter().find(|(known, ..)| *known == name).copied();
    let (exact, near) = (find(&TIMERS), find(&NEAR));
    let (_, timer, default) = exact.or(near)?;
    let Some(seconds) = sets::number(value) else {
        return Some((Fate::None, "has a value that cannot be read as seconds".to_owned()));
    };
    if seconds == default {
        return Some((Fate::Moot, "is the kernel's default; the box's own stays".to_owned()));
    }
    if exact.is_none() {
        return Some((
            Fate::None,
            format!("the nearest is timers.{}, which is of more than that", timer.name()),
        ));
    }
    Some(match timers.with(timer, Duration::from_secs(seconds)) {
        Ok(set) => {
            *timers = set;
            (Fate::Taken, format!("timers.{} = \"{seconds}s\"", timer.name()))
        }
        Err(_) => {
            let bounds = timer.bounds();
            let (floor, ceiling) = (bounds.floor.as_secs(), bounds.ceiling.as_secs());
            (Fate::None, format!("timers.{} is from {floor}s to {ceiling}s", timer.name()))
        }
    })
}
