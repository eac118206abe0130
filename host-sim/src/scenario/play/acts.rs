//! What each step does, and what it promises.

use std::net::SocketAddrV4;

use super::promise::{Sign, count, is_open};
use super::{Check, Player, Talk, Turn};
use crate::host::Mailbox;
use crate::node::{HostId, RouterId};
use crate::packet::{self, Draft};
use crate::scenario::amend::ConfigText;
use crate::scenario::build::Net;
use crate::scenario::{Act, Data, Remote, Step};
use crate::station::Parcel;

impl Player<'_> {
    pub(super) fn perform(&mut self, turn: Turn<'_>) {
        let Turn { step, number, n, .. } = turn;
        match &step.act {
            Act::Ping { host, to, answered } => {
                let (at, ident, sequence) = (self.net.hosts[host], number as u16 + 1, n as u16 + 1);
                let world = &mut self.net.world;
                let fresh = || world.on_host(at, |node| node.prepare_ping(ident));
                let pinger = *self.pingers.entry((at, ident)).or_insert_with(fresh);
                self.net.world.on_host(at, |node| node.ping(pinger, sequence, *to));
                let sign = Sign::Echo { host: at, ident, sequence };
                if let Some(answered) = *answered {
                    self.promise(step, &format!("{to} answers {host}'s ping"), answered, sign);
                }
            }
            Act::Connect { host, to, from, name, opens } => {
                self.connect(step, n, (host, to, *from, name), *opens);
            }
            Act::Listen { host, port, name } => {
                let host = self.net.hosts[host];
                let connection = self.net.world.on_host(host, |node| node.listen(*port));
                self.connections.insert(name.clone(), Talk { host, connection, expected: 0 });
            }
            Act::Serve { host, tcp: true, port } => {
                self.net.world.on_host(self.net.hosts[host], |node| node.serve(*port));
            }
            Act::Serve { host, tcp: false, port } => {
                let host = self.net.hosts[host];
                let mailbox = self.mailbox(host, *port);
                self.net.world.on_host(host, |node| node.reflect(mailbox));
            }
            Act::Send { .. } | Act::Receive { .. } | Act::Close { .. } | Act::Abort { .. } => self.talk(step),
            Act::KeepAlive { .. } | Act::Is { .. } => self.talk(step),
            Act::Udp { .. } | Act::Hear { .. } => self.datagram(step, n),
            Act::Packet { station, text } => self.packet(step, station, text, n),
            act => self.change(step, act),
        }
    }

    fn connect(
        &mut self,
        step: &Step,
        n: u64,
        (host, to, from, name): (&str, &Remote, u16, &String),
        opens: Option<bool>,
    ) {
        let Some(to) = self.endpoint(to) else {
            return self.fail(step, format!("nobody knows {to:?} by now"));
        };
        let at = self.net.hosts[host];
        let from = from.wrapping_add(n as u16).max(1);
        let connection = self.net.world.on_host(at, |node| node.connect(from, to));
        self.connections.insert(name.clone(), Talk { host: at, connection, expected: 0 });
        if let Some(opens) = opens {
            let what = format!("{host}'s connection to {to} opens");
            self.promise(step, &what, opens, Sign::Open(at, connection));
        }
    }

    fn talk(&mut self, step: &Step) {
        let (Act::Send { on, .. }
        | Act::Receive { on, .. }
        | Act::Close { on }
        | Act::Abort { on }
        | Act::KeepAlive { on, .. }
        | Act::Is { on, .. }) = &step.act
        else {
            return;
        };
        let Some(Talk { host, connection, expected }) = self.connections.get_mut(on) else {
            return self.fail(step, format!("there is no {on} yet"));
        };
        let (host, connection) = (*host, *connection);
        let world = &mut self.net.world;
        match &step.act {
            Act::Send { data, .. } => world.on_host(host, |node| node.send(connection, &data.bytes())),
            Act::Close { .. } => world.on_host(host, |node| node.close(connection)),
            Act::Abort { .. } => world.on_host(host, |node| node.abort(connection)),
            Act::KeepAlive { every, .. } => world.on_host(host, |node| node.keep_alive(connection, *every)),
            Act::Receive { data, arrives, .. } => {
                let (from, bytes) = (*expected, data.bytes());
                *expected += bytes.len();
                let what = match data {
                    Data::Text(text) => format!("{text:?} arrives on {on}"),
                    Data::Bytes(len) => format!("{len} bytes arrive on {on}"),
                };
                self.promise(step, &what, *arrives, Sign::Bytes { host, connection, from, bytes });
            }
            Act::Is { open, .. } => {
                let what = format!("{on} is {}", if *open { "open" } else { "not open" });
                let held = is_open(world, host, connection) == *open;
                self.checks.push(Check { line: step.line, at: world.now(), what, held });
            }
            _ => (),
        }
    }

    fn datagram(&mut self, step: &Step, n: u64) {
        match &step.act {
            Act::Udp { host, to, from, data, answered, learn } => {
                let Some(to) = self.endpoint(to) else {
                    return self.fail(step, format!("nobody knows {to:?} by now"));
                };
                let at = self.net.hosts[host];
                let mailbox = self.mailbox(at, from.wrapping_add(n as u16).max(1));
                let before = count(&self.net.world, at, mailbox, Some(to), data.as_bytes());
                self.net.world.on_host(at, |node| node.send_to(mailbox, to, data.as_bytes()));
                if let Some(name) = learn {
                    self.learnt.insert(name.clone(), (to, data.clone()));
                }
                if let Some(answered) = answered {
                    let data = data.clone().into_bytes();
                    let sign = Sign::Datagram { host: at, mailbox, from: Some(to), data, before };
                    self.promise(step, &format!("{to} answers {host}'s datagram"), *answered, sign);
                }
            }
            Act::Hear { host, port, data, heard } => {
                let at = self.net.hosts[host];
                let mailbox = self.mailbox(at, *port);
                let before = count(&self.net.world, at, mailbox, None, data.as_bytes());
                let what = format!("{host} hears {data:?} at port {port}");
                let data = data.clone().into_bytes();
                let sign = Sign::Datagram { host: at, mailbox, from: None, data, before };
                self.promise(step, &what, *heard, sign);
            }
            _ => (),
        }
    }

    fn packet(&mut self, step: &Step, station: &str, text: &str, n: u64) {
        let mut known = Vec::new();
        for word in text.split_whitespace() {
            let Some(name) = word.strip_prefix('@') else {
                known.push(word.to_owned());
                continue;
            };
            let Some(end) = self.endpoint(&Remote::Known(name.to_owned())) else {
                return self.fail(step, format!("nobody knows {word} by now"));
            };
            known.push(end.to_string());
        }
        match packet::expand(&known.join(" "), n).and_then(|text| Draft::read(&text)) {
            Ok(draft) => {
                let (station, now) = (self.net.stations[station], self.net.world.now());
                let parcel = Parcel::Packet(draft.in_frame());
                self.net.world.on_station(station, |node| node.send_at(now, parcel));
            }
            Err(fault) => self.fail(step, format!("{text:?} {fault}")),
        }
    }

    /// Does what changes the network.
    fn change(&mut self, step: &Step, act: &Act) {
        let Net { world, routers, links, .. } = &mut self.net;
        match act {
            Act::Reboot { router } => world.reboot(routers[router]),
            Act::SetUp { link, up } => world.set_up(links[link], *up),
            Act::SetQuality { link, quality, faults } => world.set_quality(links[link], *quality, *faults),
            Act::SetFaults { on } => world.set_faulty(*on),
            Act::Address { router, address, gateway } => {
                let mut text = ConfigText::of(world.router(routers[router]).config());
                text.set("wan", "address", &address.to_string());
                if let Some(gateway) = gateway {
                    text.set("wan", "gateway", &gateway.to_string());
                }
                let router = routers[router];
                self.reconfigure(step, router, &text);
            }
            Act::RemoveForward { router, forward } => {
                let router = routers[router];
                let mut text = ConfigText::of(world.router(router).config());
                if text.remove_forward(forward) {
                    self.reconfigure(step, router, &text);
                } else {
                    self.fail(step, format!("there is no forward {forward:?}"));
                }
            }
            _ => (),
        }
    }

    fn reconfigure(&mut self, step: &Step, router: RouterId, text: &ConfigText) {
        match provision::compile(&text.0, "the new configuration") {
            Ok(config) => self.net.world.reconfigure(router, &config),
            Err(report) => self.fail(step, report.to_string()),
        }
    }

    fn endpoint(&self, remote: &Remote) -> Option<SocketAddrV4> {
        let name = match remote {
            Remote::At(end) => return Some(*end),
            Remote::Known(name) => name,
        };
        let world = &self.net.world;
        if let Some(talk) = self.connections.get(name) {
            return world.host(talk.host).peer(talk.connection);
        }
        let (heard_at, said) = self.learnt.get(name)?;
        let at_port = self.mailboxes.iter().filter(|((_, port), _)| *port == heard_at.port());
        at_port
            .filter(|((host, _), _)| world.host(*host).address() == *heard_at.ip())
            .flat_map(|((host, _), mailbox)| world.host(*host).datagrams(*mailbox))
            .rfind(|datagram| datagram.data == said.as_bytes())
            .map(|datagram| datagram.from)
    }

    fn mailbox(&mut self, host: HostId, port: u16) -> Mailbox {
        let world = &mut self.net.world;
        *self.mailboxes.entry((host, port)).or_insert_with(|| world.on_host(host, |node| node.bind(port)))
    }
}
