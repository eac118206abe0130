//! The kernel's settings: files as `/etc/sysctl.conf`, and what `sysctl -a` prints.
//!
//! Of the hundreds that it prints, those count that are about forwarding and conntrack. One that stands at the kernel's
//! own default was nobody's wish, so ours stays.

use std::rc::Rc;
use std::time::Duration;

use config::{Timer, Timers};

use super::model::Place;
use super::notes::{Fate, Notes};
use super::sets;

/// A timer of the kernel's, ours, and its default in seconds.
const TIMERS: [(&str, Timer, u64); 4] = [
    ("tcp_timeout_established", Timer::TcpEstablished, 432_000),
    ("udp_timeout_stream", Timer::Udp, 120),
    ("icmp_timeout", Timer::Icmp, 30),
    ("generic_timeout", Timer::Other, 600),
];

/// Whether a line is a setting of the kernel's.
pub(crate) fn is_setting(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, _)| {
        let key = key.trim().trim_start_matches('-');
        key.contains(['.', '/'])
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte))
    })
}

/// Reads a whole file.
pub(crate) fn read(file: usize, text: &str, timers: &mut Timers, notes: &mut Notes) {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let Some((key, value)) = line.split_once('=') else { continue };
        if line.starts_with(['#', ';']) {
            continue;
        }
        let place = Place { file, line: index + 1, text: Rc::from(line) };
        let key = key.trim().trim_start_matches('-').replace('/', ".");
        read_setting(&place, &key, value.trim(), timers, notes);
    }
}

fn read_setting(place: &Place, key: &str, value: &str, timers: &mut Timers, notes: &mut Notes) {
    let netfilter = ["net.netfilter.nf_conntrack_", "net.ipv4.netfilter.ip_conntrack_"];
    if let Some(name) = netfilter.iter().find_map(|prefix| key.strip_prefix(prefix)) {
        return read_conntrack(place, name, value, timers, notes);
    }
    match (key, value) {
        ("net.ipv4.ip_forward" | "net.ipv4.conf.all.forwarding", "1") => {
            notes.add(place, Fate::Ours, "the box forwards");
        }
        ("net.ipv4.ip_forward", _) => notes.add(place, Fate::None, "the box always forwards"),
        (key, "1" | "2") if key.starts_with("net.ipv4.conf.") && key.ends_with(".rp_filter") => {
            notes.add(place, Fate::Ours, "sources that belong on the other side are dropped");
        }
        ("net.ipv4.icmp_echo_ignore_all", "1") => {
            notes.add(place, Fate::None, "add a rule that drops icmp to the box");
        }
        ("net.ipv4.icmp_echo_ignore_broadcasts", "1") => {
            notes.add(place, Fate::Ours, "no broadcast is answered");
        }
        // The rest is not about routing, or as every kernel has it.
        _ => (),
    }
}

fn read_conntrack(place: &Place, name: &str, value: &str, timers: &mut Timers, notes: &mut Notes) {
    let Some((_, timer, default)) = TIMERS.iter().find(|(known, ..)| *known == name) else {
        if name == "max" {
            notes.add(place, Fate::Moot, "the box has room for what provision check says");
        }
        return;
    };
    let Some(seconds) = sets::number(value) else {
        return notes.add(place, Fate::None, "is no number of seconds");
    };
    if seconds == *default {
        return notes.add(place, Fate::Moot, "is the kernel's default; the box's own stays");
    }
    match timers.with(*timer, Duration::from_secs(seconds)) {
        Ok(set) => {
            *timers = set;
            notes.add(place, Fate::Taken, format!("timers.{} = \"{seconds}s\"", timer.name()));
        }
        Err(_) => {
            let bounds = timer.bounds();
            let (floor, ceiling) = (bounds.floor.as_secs(), bounds.ceiling.as_secs());
            notes.add(place, Fate::None, format!("timers.{} is from {floor}s to {ceiling}s", timer.name()));
        }
    }
}
