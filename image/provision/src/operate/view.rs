//! What a box says of itself, in words of our own: with names from its configuration, and whole.

use std::net::{Ipv4Addr, SocketAddrV4};

use config::{Config, signed};
use control::message::{Counters, Filter, Host, Request, Response, Session, Use};
use napt::{DropReason, RejectReason, TcpState};
use router::Refusal;
use serde::Serialize;

use super::channel::Channel;
use crate::Failure;

/// How a box is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its program's version.
    pub version: String,
    /// The newest schema of configurations that it takes.
    pub schema: u16,
    /// What its clock says, and when it began to forward: milliseconds since its machine was switched on.
    #[serde(skip)]
    pub now: u64,
    /// See above.
    #[serde(skip)]
    pub began: u64,
    /// For how many seconds it has forwarded.
    pub up_seconds: f64,
    /// The lan and the wan.
    pub sides: Vec<Side>,
    /// Sessions now, and at most since it began.
    pub sessions: u32,
    /// See above.
    pub most_sessions: u32,
    /// Mappings now, those that cool included.
    pub mappings: u32,
    /// How many of each there is room for.
    pub capacity: u32,
    /// How many seconds are left to confirm the configuration.
    pub confirm_within_seconds: Option<f64>,
    /// Whether the running configuration is the one that it will start with again.
    pub is_kept: bool,
    /// What came by the control channel.
    pub control: Control,
}

/// One side of a box.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// `lan` or `wan`.
    pub side: &'static str,
    /// The interface.
    pub interface: String,
    /// Its address and prefix.
    pub address: String,
    /// The largest packet that its link carries.
    pub mtu: u16,
    /// Frames that came in by it.
    pub received: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Those that were sent on.
    pub forwarded: u64,
}

/// What came by the control channel.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Requests that were answered.
    pub answered: u64,
    /// Greetings that were answered.
    pub greeted: u64,
    /// What was no frame.
    pub strays: u64,
    /// What did not open.
    pub unopened: u64,
    /// What came too fast.
    pub throttled: u64,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionLine {
    /// `tcp`, `udp`, `icmp`, or a number.
    pub protocol: String,
    /// Where its connection stands.
    pub state: Option<&'static str>,
    /// The internal endpoint.
    pub internal: String,
    /// The external one.
    pub external: String,
    /// As much of the remote end as it keeps.
    pub remote: String,
    /// `inside`, `outside`, or `outside, unanswered`.
    pub begun: &'static str,
    /// How many seconds it may idle yet.
    pub expires_seconds: f64,
    /// As the box has it.
    #[serde(skip)]
    pub wire: Session,
}

/// What a filter rule, or a forward, has had to do.
#[derive(Clone, Debug, Serialize)]
pub struct UseLine {
    /// Its number, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// What it says, in a few words.
    pub rule: String,
    /// First packets of sessions; packets to the box.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many seconds ago the last was.
    pub last_seconds: Option<f64>,
}

/// A host inside.
#[derive(Clone, Debug, Serialize)]
pub struct HostLine {
    /// Its address.
    pub address: Ipv4Addr,
    /// The sessions that it has begun and that live.
    pub sessions: u32,
    /// The most that it has had.
    pub most: u32,
}

/// A counter of one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CounterLine {
    /// `lan` or `wan`.
    pub side: &'static str,
    /// What became of the frames: `received`, `forwarded`, `dropped` and so on.
    pub what: &'static str,
    /// Why, if they were dropped or rejected.
    pub reason: Option<&'static str>,
    /// How many.
    pub count: u64,
}

/// The names of the sides, in the order of the channel.
pub const SIDES: [&str; 2] = ["lan", "wan"];

impl Channel {
    /// The configuration that runs, as it came.
    ///
    /// # Errors
    /// As for [`Channel::ask`].
    pub fn running(&mut self) -> Result<Vec<u8>, Failure> {
        let mut blob = Vec::new();
        loop {
            let from = blob.len() as u16;
            let (whole, part) = self.ask(&Request::Running(from), |response| match response {
                Response::Running(whole, part) => Some((usize::from(whole), part.to_vec())),
                _ => None,
            })?;
            let is_all = part.is_empty();
            blob.extend(part);
            if is_all || blob.len() >= whole {
                return Ok(blob);
            }
        }
    }

    /// The configuration that runs.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; or it is of a newer release than this tool.
    pub fn config(&mut self) -> Result<Config, Failure> {
        understood(&self.running()?)
    }

    /// How the box is.
    ///
    /// # Errors
    /// As for [`Channel::config`].
    pub fn status(&mut self) -> Result<Status, Failure> {
        let config = self.config()?;
        self.status_with(&config)
    }

    pub(super) fn status_with(&mut self, config: &Config) -> Result<Status, Failure> {
        let addresses = [config.lan().address(), config.wan().address()];
        self.ask(&Request::Status, |response| {
            let Response::Status(status) = response else { return None };
            let sides = status.sides.iter().zip(SIDES).zip(addresses).map(|((it, side), address)| Side {
                side,
                interface: it.interface.to_owned(),
                address: address.to_string(),
                mtu: it.mtu,
                received: it.received,
                received_bytes: it.bytes,
                forwarded: it.forwarded,
            });
            let heard = status.heard;
            Some(Status {
                version: status.version.to_owned(),
                schema: status.schema,
                now: status.now,
                began: status.began,
                up_seconds: seconds(status.now.saturating_sub(status.began)),
                sides: sides.collect(),
                sessions: status.sessions,
                most_sessions: status.most,
                mappings: status.mappings,
                capacity: status.capacity,
                confirm_within_seconds: status.pending.map(seconds),
                is_kept: status.is_kept,
                control: Control {
                    answered: heard.answered,
                    greeted: heard.greeted,
                    strays: heard.strays,
                    unopened: heard.unopened,
                    throttled: heard.throttled,
                },
            })
        })
    }

    /// The sessions that a filter lets through.
    ///
    /// # Errors
    /// As for [`Channel::ask`].
    pub fn sessions(&mut self, filter: Filter, external: Ipv4Addr) -> Result<Vec<SessionLine>, Failure> {
        self.some_sessions(filter, external, usize::MAX)
    }

    /// Those of them that come with so many answers.
    pub(super) fn some_sessions(
        &mut self,
        filter: Filter,
        external: Ipv4Addr,
        mut answers: usize,
    ) -> Result<Vec<SessionLine>, Failure> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(number) = from
            && answers > 0
        {
            answers -= 1;
            let request = Request::Sessions { from: number, filter };
            let (next, part) = self.ask(&request, |response| match response {
                Response::Sessions(next, part) => Some((next, part)),
                _ => None,
            })?;
            all.extend(part.iter().map(|session| SessionLine::of(session, external)));
            from = next;
        }
        Ok(all)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; it may have ended meanwhile.
    pub fn kill(&mut self, session: &SessionLine) -> Result<(), Failure> {
        self.ask(&Request::Kill(session.wire), done).map(|_| ())
    }

    /// The hosts inside that have had sessions lately.
    ///
    /// # Errors
    /// As for [`Channel::ask`].
    pub fn hosts(&mut self) -> Result<Vec<HostLine>, Failure> {
        let hosts = self.parts(Request::Hosts, |response| match response {
            Response::Hosts(next, part) => Some((next, part.to_vec())),
            _ => None,
        })?;
        let line = |Host { address, sessions, most }| HostLine { address: address.into(), sessions, most };
        Ok(hosts.into_iter().map(line).collect())
    }

    /// What the filter rules have had to do.
    ///
    /// # Errors
    /// As for [`Channel::config`].
    pub fn rules(&mut self) -> Result<Vec<UseLine>, Failure> {
        let config = self.config()?;
        self.rules_with(&config)
    }

    pub(super) fn rules_with(&mut self, config: &Config) -> Result<Vec<UseLine>, Failure> {
        let (uses, now) = (self.uses(Request::Rules)?, self.now()?);
        let lines = config.rules().iter().zip(uses).zip(1..);
        Ok(lines
            .map(|((rule, used), number)| {
                UseLine::of(number, rule.name.to_string(), super::words::rule(rule), used, now)
            })
            .collect())
    }

    /// How often each forward was wanted.
    ///
    /// # Errors
    /// As for [`Channel::config`].
    pub fn forwards(&mut self) -> Result<Vec<UseLine>, Failure> {
        let config = self.config()?;
        self.forwards_with(&config)
    }

    pub(super) fn forwards_with(&mut self, config: &Config) -> Result<Vec<UseLine>, Failure> {
        let (uses, now) = (self.uses(Request::Forwards)?, self.now()?);
        let lines = config.forwards().iter().zip(uses).zip(1..);
        Ok(lines
            .map(|((forward, used), number)| {
                UseLine::of(number, forward.name().to_string(), super::words::forward(forward), used, now)
            })
            .collect())
    }

    /// What became of every frame, each reason for itself.
    ///
    /// # Errors
    /// As for [`Channel::ask`].
    pub fn counters(&mut self) -> Result<Vec<CounterLine>, Failure> {
        let mut lines = Vec::new();
        for (number, side) in (0..).zip(SIDES) {
            let counters = self.ask(&Request::Counters(number), |response| match response {
                Response::Counters(counters) => Some(counters),
                _ => None,
            })?;
            lines.extend(counter_lines(side, &counters));
        }
        Ok(lines)
    }

    /// What the box has logged since a byte of its log, and how many bytes there have been.
    ///
    /// # Errors
    /// As for [`Channel::ask`].
    pub fn log(&mut self, mut from: u64) -> Result<(String, u64), Failure> {
        let mut text = Vec::new();
        loop {
            let (next, part) = self.ask(&Request::Log(from), |response| match response {
                Response::Log(next, part) => Some((next, part.to_vec())),
                _ => None,
            })?;
            if part.is_empty() {
                return Ok((String::from_utf8_lossy(&text).into_owned(), next));
            }
            text.extend(part);
            from = next;
        }
    }

    /// The box's clock, in milliseconds.
    pub(super) fn now(&mut self) -> Result<u64, Failure> {
        self.ask(&Request::Status, |response| match response {
            Response::Status(status) => Some(status.now),
            _ => None,
        })
    }

    fn uses(&mut self, request: impl Fn(u16) -> Request<'static>) -> Result<Vec<Use>, Failure> {
        self.parts(request, |response| match response {
            Response::Uses(next, part) => Some((next, part.to_vec())),
            _ => None,
        })
    }

    fn parts<T>(
        &mut self,
        request: impl Fn(u16) -> Request<'static>,
        read: impl Fn(Response<'_>) -> Option<(Option<u16>, Vec<T>)>,
    ) -> Result<Vec<T>, Failure> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(number) = from {
            let (next, part) = self.ask(&request(number), &read)?;
            all.extend(part);
            from = next;
        }
        Ok(all)
    }
}

/// A box's configuration, as it came.
pub(super) fn understood(blob: &[u8]) -> Result<Config, Failure> {
    signed::open(blob).and_then(|opened| opened.config()).map_err(|error| {
        Failure::Operation(format!("the box's configuration: {error}; use the provision of its release"))
    })
}

/// How many sessions it was done to.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it reads for `Channel::ask`, which gives the response away"
)]
pub(super) fn done(response: Response<'_>) -> Option<u32> {
    match response {
        Response::Done(sessions) => Some(sessions),
        _ => None,
    }
}

fn counter_lines(side: &'static str, counters: &Counters) -> Vec<CounterLine> {
    let line = |what, reason, count| CounterLine { side, what, reason, count };
    let plain = [
        ("received", counters.received),
        ("received bytes", counters.bytes),
        ("forwarded", counters.forwarded),
        ("local", counters.local),
        ("arp", counters.arp),
        ("held", counters.held),
        ("own suppressed", counters.suppressed),
    ];
    let reasons = |what, names: &'static [&'static str], counts: &[u64]| {
        let lines = names.iter().zip(counts).map(|(name, count)| line(what, Some(*name), *count));
        lines.collect::<Vec<_>>()
    };
    let plain = plain.into_iter().map(|(what, count)| line(what, None, count));
    plain
        .chain(reasons("dropped", &Refusal::NAMES, &counters.refused))
        .chain(reasons("dropped", &DropReason::NAMES, &counters.dropped))
        .chain(reasons("rejected", &RejectReason::NAMES, &counters.rejected))
        .collect()
}

impl SessionLine {
    fn of(session: &Session, external: Ipv4Addr) -> Self {
        let has_ports = matches!(session.protocol, 1 | 6 | 17);
        let endpoint = |address: Ipv4Addr, port: u16| match has_ports {
            true => SocketAddrV4::new(address, port).to_string(),
            false => address.to_string(),
        };
        let (internal, port) = session.internal;
        Self {
            protocol: super::words::protocol(session.protocol),
            state: session
                .state
                .and_then(|state| TcpState::ALL.get(usize::from(state)).map(|state| state.name())),
            internal: endpoint(internal.into(), port),
            external: endpoint(external, session.external),
            remote: match session.remote {
                None => "*".to_owned(),
                Some((address, None)) => Ipv4Addr::from(address).to_string(),
                Some((address, Some(port))) => endpoint(address.into(), port),
            },
            begun: match session.begun {
                0 => "inside",
                1 => "outside, unanswered",
                _ => "outside",
            },
            expires_seconds: seconds(session.left),
            wire: *session,
        }
    }
}

impl UseLine {
    fn of(number: usize, name: String, rule: String, used: Use, now: u64) -> Self {
        let last_seconds = used.last.map(|last| seconds(now.saturating_sub(last)));
        Self { number, name, rule, packets: used.packets, bytes: used.bytes, last_seconds }
    }
}

fn seconds(millis: u64) -> f64 {
    // A division is exact to the last digit, so that no more than the milliseconds are printed.
    millis as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_to_the_millisecond() {
        assert_eq!([4_887, 0, 59_999].map(|millis| seconds(millis).to_string()), ["4.887", "0", "59.999"]);
    }
}
