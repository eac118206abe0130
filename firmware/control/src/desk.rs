//! What the box answers, and what it does: everything that an operator may ask of it, and a configuration on trial.
//!
//! A configuration comes in parts, is applied when it is whole, and the sessions that it does not touch live on. Applied *to be
//! confirmed*, it is on *trial*: it runs, and is nowhere but in memory, so whatever becomes of the box, a power cut included, brings the
//! one before back. Confirmed, or applied for good, it is kept first where the box looks for it when it starts again.

mod views;

use config::signed::{self, Admission, MAX_SIGNED, Seal};
use config::{Config, InterfaceName, SCHEMA_VERSION};
use napt::Instant;
use router::{Recorder, Router};

use crate::link::Tally;
use crate::message::{CHUNK, Refusal, Request, Response, Side, Status};

/// Whether a configuration is where the box will look for it when it starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is.
    Yes,
    /// There is no such place that the box may write to.
    Nowhere,
    /// It could not be written.
    Failed,
}

/// The box around a desk.
pub struct Surroundings<'s, 'r, const SESSIONS: usize> {
    /// What time it is.
    pub now: Instant,
    /// The router.
    pub router: &'s mut Router<'r, SESSIONS>,
    /// What records the latest frames.
    pub recorder: &'s mut Recorder,
    /// The interfaces it has taken, lan first.
    pub interfaces: [&'s str; 2],
    /// What came by the channel.
    pub tally: Tally,
    /// Keeps a configuration's blob.
    pub keep: &'s mut dyn FnMut(&[u8]) -> Kept,
    /// Whether who asks is at the box itself, by its console or its socket, rather than on its lan.
    pub is_near: bool,
    /// What the box has logged.
    pub log: &'s ReadLog,
}

/// Reads the log from a byte on, into a buffer: from where on it is, and how much.
type ReadLog = dyn Fn(u64, &mut [u8]) -> (u64, usize);

/// A configuration as it came.
struct Blob {
    bytes: [u8; MAX_SIGNED],
    len: usize,
}

/// The desk.
pub struct Desk {
    began: Instant,
    running: Blob,
    is_unkept: bool,
    offered: Blob,
    /// The one before the one that is on trial.
    before: Blob,
    trial: Option<Instant>,
    has_changed: bool,
}

impl Desk {
    /// A desk that knows of no configuration yet.
    pub const fn new() -> Self {
        Self {
            began: Instant::from_millis(0),
            running: Blob::NONE,
            is_unkept: false,
            offered: Blob::NONE,
            before: Blob::NONE,
            trial: None,
            has_changed: false,
        }
    }

    /// The box begins at `now` with a configuration.
    pub fn begin(&mut self, now: Instant, blob: &[u8]) {
        self.began = now;
        self.running.set(blob);
    }

    /// When [`Desk::handle_timeout`] next has something to do, if at all.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.trial
    }

    /// Takes back what was not confirmed in time; whether it had to.
    pub fn handle_timeout<const SESSIONS: usize>(
        &mut self,
        around: &mut Surroundings<'_, '_, SESSIONS>,
    ) -> bool {
        self.trial.is_some_and(|until| until <= around.now) && self.revert(around).is_ok()
    }

    /// Whether another configuration runs than when this was last asked.
    pub fn take_change(&mut self) -> bool {
        core::mem::take(&mut self.has_changed)
    }

    /// The configuration that runs.
    pub fn running(&self) -> Option<Config> {
        self.running.decode()
    }

    /// Answers a message: writes the response into `buffer`, and says how long it is.
    pub fn answer<const SESSIONS: usize>(
        &mut self,
        around: &mut Surroundings<'_, '_, SESSIONS>,
        message: &[u8],
        buffer: &mut [u8],
    ) -> usize {
        let mut text = [0; CHUNK];
        let response = match postcard::from_bytes(message) {
            Ok(request) => self.respond(around, &request, &mut text).unwrap_or_else(Response::Refused),
            Err(_) => Response::Refused(Refusal::Unknown),
        };
        // There is room for the longest.
        postcard::to_slice(&response, buffer).map_or(0, |bytes| bytes.len())
    }

    fn respond<'a, const SESSIONS: usize>(
        &'a mut self,
        around: &'a mut Surroundings<'_, '_, SESSIONS>,
        request: &Request<'_>,
        text: &'a mut [u8; CHUNK],
    ) -> Result<Response<'a>, Refusal> {
        let now = around.now;
        Ok(match *request {
            Request::Status => Response::Status(self.status(around)),
            Request::Sessions { from, filter } => views::sessions(now, around.router, from, filter),
            Request::Kill(ref session) => return views::kill(now, around.router, session),
            Request::Hosts(from) => views::hosts(around.router, from),
            Request::Rules(from) => views::rules(around.router, from),
            Request::Forwards(from) => views::forwards(around.router, from),
            Request::Counters(side) => views::counters(around.router, side),
            Request::Log(from) => {
                let (from, len) = (around.log)(from, text);
                let text = text.get(..len).unwrap_or_default();
                Response::Log(from + len as u64, text)
            }
            Request::Frames { from, filter, stopped } => {
                around.recorder.record(now, filter.pattern(stopped));
                let (next, len) = views::frames(around.recorder, from, text);
                Response::Frames(next, text.get(..len).unwrap_or_default())
            }
            Request::Running(from) => Response::Running(self.running.len as u16, self.running.part(from)),
            Request::Offer { at, bytes } => return self.offered.put(at, bytes).map(|()| Response::Done(0)),
            Request::Try { length, force } => {
                let config = self.offered(around, length, force)?;
                Response::Done(around.router.ended_by(now, &config))
            }
            Request::Apply { length, confirm, force } => {
                return self.apply(around, length, confirm, force).map(Response::Done);
            }
            Request::Confirm => return self.confirm(around).map(|()| Response::Done(0)),
            Request::Revert => return self.revert(around).map(|()| Response::Done(0)),
        })
    }

    fn status<'a, const SESSIONS: usize>(&self, around: &'a Surroundings<'_, '_, SESSIONS>) -> Status<'a> {
        let summary = around.router.summary();
        let side = |side: router::Side| {
            let counters = summary.router[side as usize];
            Side {
                interface: around.interfaces[side as usize],
                mtu: around.router.mtu(side),
                received: counters.received,
                bytes: counters.bytes,
                forwarded: counters.forwarded,
            }
        };
        Status {
            version: env!("CARGO_PKG_VERSION"),
            schema: SCHEMA_VERSION,
            now: around.now.millis(),
            began: self.began.millis(),
            sides: router::Side::ALL.map(side),
            sessions: summary.occupancy.sessions,
            most: summary.occupancy.most,
            mappings: summary.occupancy.mappings,
            capacity: summary.occupancy.capacity,
            pending: self.trial.map(|until| until.millis().saturating_sub(around.now.millis())),
            is_kept: !self.is_unkept,
            heard: around.tally,
        }
    }

    /// What was offered, if it is a configuration that the box would take.
    fn offered<const SESSIONS: usize>(
        &self,
        around: &Surroundings<'_, '_, SESSIONS>,
        length: u16,
        force: bool,
    ) -> Result<Config, Refusal> {
        if usize::from(length) != self.offered.len {
            return Err(Refusal::NotWhole);
        }
        if force && !around.is_near {
            return Err(Refusal::NotHere);
        }
        let config = self.admitted(force)?;
        let wanted = [config.lan().interface(), config.wan().interface()];
        let is_same =
            |(wanted, taken): (Option<&InterfaceName>, &str)| wanted.is_none_or(|it| it.as_str() == taken);
        if !wanted.into_iter().zip(around.interfaces).all(is_same) {
            return Err(Refusal::OtherInterfaces);
        }
        Ok(config)
    }

    /// What was offered, if who gave the running configuration would have it. By force, it may be an older one.
    fn admitted(&self, force: bool) -> Result<Config, Refusal> {
        let signer = self.running.decode().and_then(|config| config.control()?.signer);
        let latest = self.running.seal();
        match signed::admit(signer.as_ref(), latest.as_ref(), self.offered.bytes()) {
            Err(signed::Refusal::NotHigher(_)) if force => {}
            Err(refusal) => {
                log::warn!("a configuration is not taken: {refusal}");
                return Err(refusal.into());
            }
            Ok(Admission::New(_) | Admission::Same) => {}
        }
        self.offered.decode().ok_or(Refusal::Invalid)
    }

    /// Applies what was offered; how many sessions that ends.
    fn apply<const SESSIONS: usize>(
        &mut self,
        around: &mut Surroundings<'_, '_, SESSIONS>,
        length: u16,
        confirm: u16,
        force: bool,
    ) -> Result<u32, Refusal> {
        let config = self.offered(around, length, force)?;
        if self.trial.is_some() {
            return Err(Refusal::Pending);
        }
        let is_same = self.offered.bytes() == self.running.bytes();
        if confirm == 0 && (self.is_unkept || !is_same) {
            self.is_unkept = !keep(around, &self.offered)?;
        }
        if is_same {
            return Ok(0);
        }
        let ended = around.router.ended_by(around.now, &config);
        around.router.reconfigure(around.now, &config);
        self.has_changed = true;
        core::mem::swap(&mut self.before, &mut self.running);
        core::mem::swap(&mut self.running, &mut self.offered);
        self.offered.len = 0;
        match confirm {
            0 => log::info!("another configuration runs; {ended} sessions ended"),
            seconds => {
                self.trial = Some(Instant::from_millis(around.now.millis() + 1_000 * u64::from(seconds)));
                log::info!("another configuration is on trial for {seconds} s; {ended} sessions ended");
            }
        }
        Ok(ended)
    }

    fn confirm<const SESSIONS: usize>(
        &mut self,
        around: &mut Surroundings<'_, '_, SESSIONS>,
    ) -> Result<(), Refusal> {
        if self.trial.is_none() {
            return Err(Refusal::NothingPending);
        }
        self.is_unkept = !keep(around, &self.running)?;
        self.trial = None;
        log::info!("the configuration on trial is confirmed");
        Ok(())
    }

    /// Goes back to what ran before the trial.
    fn revert<const SESSIONS: usize>(
        &mut self,
        around: &mut Surroundings<'_, '_, SESSIONS>,
    ) -> Result<(), Refusal> {
        self.trial.take().ok_or(Refusal::NothingPending)?;
        core::mem::swap(&mut self.before, &mut self.running);
        // It has run before.
        let config = self.running.decode().ok_or(Refusal::Invalid)?;
        around.router.reconfigure(around.now, &config);
        self.has_changed = true;
        log::warn!("the configuration before is back");
        Ok(())
    }
}

impl From<signed::Refusal> for Refusal {
    fn from(refusal: signed::Refusal) -> Self {
        match refusal {
            signed::Refusal::Unreadable(_) => Self::Invalid,
            signed::Refusal::NotSigned => Self::NotSigned,
            signed::Refusal::WrongSignature => Self::WrongSigner,
            signed::Refusal::NotHigher(_) => Self::NotNewer,
        }
    }
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

/// Keeps a configuration; whether it is where the box will look for it.
fn keep<const SESSIONS: usize>(
    around: &mut Surroundings<'_, '_, SESSIONS>,
    blob: &Blob,
) -> Result<bool, Refusal> {
    match (around.keep)(blob.bytes()) {
        Kept::Yes => Ok(true),
        Kept::Nowhere => Ok(false),
        Kept::Failed => Err(Refusal::NotKept),
    }
}

impl Blob {
    const NONE: Self = Self { bytes: [0; MAX_SIGNED], len: 0 };

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn set(&mut self, blob: &[u8]) {
        self.len = 0;
        // One that has been decoded is no longer than the longest.
        let _ = self.put(0, blob);
    }

    /// Puts a part where what came before it ends, or begins anew.
    fn put(&mut self, at: u16, part: &[u8]) -> Result<(), Refusal> {
        let (at, end) = (usize::from(at), usize::from(at) + part.len());
        if at != self.len && at != 0 {
            return Err(Refusal::NotWhole);
        }
        self.bytes.get_mut(at..end).ok_or(Refusal::NotWhole)?.copy_from_slice(part);
        self.len = end;
        Ok(())
    }

    fn part(&self, from: u16) -> &[u8] {
        let rest = self.bytes().get(from.into()..).unwrap_or_default();
        rest.get(..CHUNK).unwrap_or(rest)
    }

    fn decode(&self) -> Option<Config> {
        signed::open(self.bytes()).and_then(|opened| opened.config()).ok()
    }

    fn seal(&self) -> Option<Seal> {
        signed::open(self.bytes()).ok()?.seal
    }
}
