//! The operator's channel: the streams it comes by, and the desk that answers.
//!
//! They come by a Unix socket. Whoever comes takes the place of who came before: one operator is served at a time. Without a key in
//! the configuration nobody is answered.

use config::{Config, Control};
use control::{Desk, Hearing, Kept, Link, Surroundings, Tally};
use gateway::Turn;
use linux::{Events, Listener, Name, Stream, Wakeup, clock, entropy, journal};
use napt::Instant;
use static_cell::ConstStaticCell;

use crate::setup::Trouble;

/// The configurations it works with, a few times as long as the longest.
static DESK: ConstStaticCell<Desk> = ConstStaticCell::new(Desk::new());

/// How soon to try again what a stream has no room for, in milliseconds.
const AGAIN: u64 = 10;

/// The operator's end of the box.
pub(crate) struct Operator {
    wakeup: Wakeup,
    listener: Listener,
    stream: Option<Stream>,
    link: Link,
    desk: &'static mut Desk,
    control: Option<Control>,
    tally: Tally,
    interfaces: [Name; 2],
}

impl Operator {
    /// Listens at `socket` on behalf of a box that runs a configuration between two interfaces, lan first.
    pub(crate) fn open(
        socket: &[u8],
        blob: &[u8],
        config: &Config,
        interfaces: [Name; 2],
    ) -> Result<Self, Trouble> {
        let wakeup = Wakeup::open()?;
        let listener = Listener::open(socket, &wakeup)?;
        let desk = DESK.take();
        desk.begin(Instant::from_millis(clock::now()), blob);
        Ok(Self {
            wakeup,
            listener,
            stream: None,
            link: Link::new(),
            desk,
            control: config.control().copied(),
            tally: Tally::default(),
            interfaces,
        })
    }

    /// Has the program wake when something comes.
    pub(crate) fn wakes(&self, events: Events) -> Result<Events, Trouble> {
        Ok(events.with_channel(&self.wakeup)?)
    }

    /// Serves whoever has come, and takes back what was not confirmed in time. When it wants to be asked again.
    pub(crate) fn attend(
        &mut self,
        turn: &mut Turn<'_>,
        keep: &mut dyn FnMut(&[u8]) -> Kept,
    ) -> Option<Instant> {
        let due = self.desk.poll_timeout();
        let is_due = due.is_some_and(|due| due <= turn.now);
        if turn.has_news || self.link.has_more() || is_due {
            self.serve(turn, keep, is_due);
        }
        let again = self.link.has_more().then(|| Instant::from_millis(turn.now.millis() + AGAIN));
        self.desk.poll_timeout().into_iter().chain(again).min()
    }

    fn serve(&mut self, turn: &mut Turn<'_>, keep: &mut dyn FnMut(&[u8]) -> Kept, is_due: bool) {
        let [lan, wan] = &self.interfaces;
        let mut around = Surroundings {
            now: turn.now,
            router: turn.router,
            interfaces: [lan.as_str(), wan.as_str()],
            tally: self.tally,
            keep,
            log: &journal::read,
        };
        if is_due {
            self.desk.handle_timeout(&mut around);
        }
        while let Some(stream) = self.listener.accept(&self.wakeup) {
            self.stream = Some(stream);
            self.link.reset();
        }
        if let Some(stream) = &mut self.stream {
            let desk = &mut *self.desk;
            let mut hearing = Hearing {
                now: turn.now,
                key: self.control.as_ref().map(|control| control.key.bytes()),
                nonce: &mut || entropy::seed().ok()?.first_chunk().copied(),
                tally: &mut self.tally,
                answer: &mut |message, buffer| desk.answer(&mut around, message, buffer),
            };
            if !self.link.serve(stream, &mut hearing).unwrap_or(false) {
                self.stream = None;
                self.link.reset();
            }
        }
        // It may run another configuration now.
        if self.desk.take_change() {
            self.control = self.desk.running().and_then(|config| config.control().copied());
        }
    }
}
