//! The operator's channel: the streams by which one comes, and the desk that answers.
//!
//! There are three kinds. A Unix socket, for a process: whoever comes when all places are taken has that of one before. Serial
//! ports, for a machine: those among its consoles. Connections on the lan, for either, if the configuration has a port for them.
//! Without a key in the configuration nobody is answered by any.

use config::{Config, Control};
use control::{Desk, Hearing, Kept, Link, Surroundings, Tally};
use embedded_io::{Read, ReadReady};
use gateway::Turn;
use linux::{Events, Listener, Name, Stream, Wakeup, clock, entropy, journal};
use napt::Instant;
use router::CONNECTIONS;
use static_cell::ConstStaticCell;

use crate::setup::Trouble;

/// Streams that are files: those by the socket come first, then serial ports. Connections come after them.
const BY_SOCKET: usize = 4;
const FILES: usize = BY_SOCKET + 2;
const LINES: usize = FILES + CONNECTIONS;

/// What is taken from a stream at once, in bytes: more than a message, and all that a connection has room for.
const ROOM: usize = 1_536;

/// The configurations it works with, a few times as long as the longest.
static DESK: ConstStaticCell<Desk> = ConstStaticCell::new(Desk::new());

/// What comes by each stream.
static LINKS: ConstStaticCell<[Link; LINES]> = ConstStaticCell::new([const { Link::new() }; LINES]);

/// How soon to try again what a stream has no room for, in milliseconds.
const AGAIN: u64 = 10;

/// The operator's end of the box.
pub(crate) struct Operator {
    wakeup: Wakeup,
    listener: Option<Listener>,
    files: [Option<Stream>; FILES],
    /// Whose place by the socket is given away next, if none is free.
    next: usize,
    /// Who speaks by each connection.
    callers: [u32; CONNECTIONS],
    links: &'static mut [Link; LINES],
    desk: &'static mut Desk,
    control: Option<Control>,
    tally: Tally,
    interfaces: [Name; 2],
}

impl Operator {
    /// Listens on behalf of a box that runs a configuration between two interfaces, lan first.
    pub(crate) fn open(
        socket: Option<&[u8]>,
        blob: &[u8],
        config: &Config,
        interfaces: [Name; 2],
    ) -> Result<Self, Trouble> {
        let wakeup = Wakeup::open()?;
        let listener = socket.map(|path| Listener::open(path, &wakeup)).transpose()?;
        let control = config.control().copied();
        let mut files = [const { None }; FILES];
        if control.is_some() {
            for (place, stream) in files.iter_mut().skip(BY_SOCKET).zip(linux::serial()) {
                wakeup.watch(&stream)?;
                *place = Some(stream);
            }
        } else if listener.is_some() {
            log::warn!("the configuration has no [control] section: nobody is answered at the socket");
        }
        let desk = DESK.take();
        desk.begin(Instant::from_millis(clock::now()), blob);
        Ok(Self {
            wakeup,
            listener,
            files,
            next: 0,
            callers: [0; CONNECTIONS],
            links: LINKS.take(),
            desk,
            control,
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
        mut turn: Turn<'_>,
        keep: &mut dyn FnMut(&[u8]) -> Kept,
    ) -> Option<Instant> {
        turn.has_news |= turn.router.take_news();
        let due = self.desk.poll_timeout();
        let is_due = due.is_some_and(|due| due <= turn.now);
        if turn.has_news || self.has_more() || is_due {
            self.serve(&mut turn, keep, is_due);
        }
        let again = self.has_more().then(|| Instant::from_millis(turn.now.millis() + AGAIN));
        self.desk.poll_timeout().into_iter().chain(again).min()
    }

    /// Whether a file had no room for all that is to be said by it. For what the lan has no room for, it says when it has.
    fn has_more(&self) -> bool {
        self.links.iter().take(FILES).any(Link::has_more)
    }

    fn serve(&mut self, turn: &mut Turn<'_>, keep: &mut dyn FnMut(&[u8]) -> Kept, is_due: bool) {
        if is_due {
            self.desk.handle_timeout(&mut surroundings(turn, keep, &self.interfaces, self.tally, true));
        }
        self.accept();
        self.meet(turn);
        let mut bytes = [0; ROOM];
        for number in 0..LINES {
            match self.read(turn, number, &mut bytes) {
                Come::Nothing => {}
                Come::Bytes(len) => self.hear(turn, keep, number, bytes.get(..len).unwrap_or_default()),
                Come::End => self.hang_up(turn, number),
            }
            self.send(turn, number);
        }
        turn.router.poll_connections(turn.now);
        // It may run another configuration now.
        if self.desk.take_change() {
            self.control = self.desk.running().and_then(|config| config.control().copied());
        }
    }

    /// Takes whoever has come to the socket.
    fn accept(&mut self) {
        while let Some(stream) = self.listener.as_ref().and_then(|listener| listener.accept(&self.wakeup)) {
            let free = self.files.iter().take(BY_SOCKET).position(Option::is_none);
            let place = free.unwrap_or(self.next);
            if free.is_none() {
                self.next = (place + 1) % BY_SOCKET;
            }
            self.files[place] = Some(stream);
            self.links[place].reset();
        }
    }

    /// Takes whoever has come on the lan.
    fn meet(&mut self, turn: &Turn<'_>) {
        for (lan, known) in self.callers.iter_mut().enumerate() {
            let caller = turn.router.caller(lan);
            if *known != caller {
                *known = caller;
                self.links[FILES + lan].reset();
            }
        }
    }

    fn read(&mut self, turn: &mut Turn<'_>, number: usize, bytes: &mut [u8]) -> Come {
        match number.checked_sub(FILES) {
            None => self.files[number].as_mut().map_or(Come::Nothing, |stream| read(stream, bytes)),
            Some(lan) => {
                let connection = turn.router.connection(turn.now, lan);
                connection.map_or(Come::Nothing, |mut connection| read(&mut connection, bytes))
            }
        }
    }

    fn hear(
        &mut self,
        turn: &mut Turn<'_>,
        keep: &mut dyn FnMut(&[u8]) -> Kept,
        number: usize,
        bytes: &[u8],
    ) {
        let is_near = number < FILES;
        let mut around = surroundings(turn, keep, &self.interfaces, self.tally, is_near);
        let desk = &mut *self.desk;
        let mut hearing = Hearing {
            now: around.now,
            key: self.control.as_ref().map(|control| control.key.bytes()),
            nonce: &mut || entropy::seed().ok()?.first_chunk().copied(),
            tally: &mut self.tally,
            answer: &mut |message, buffer| desk.answer(&mut around, message, buffer),
        };
        self.links[number].hear(bytes, &mut hearing);
        if let Some(lan) = number.checked_sub(FILES)
            && self.links[number].proven() == Some(turn.now)
        {
            turn.router.prove(turn.now, lan);
        }
    }

    fn send(&mut self, turn: &mut Turn<'_>, number: usize) {
        let link = &mut self.links[number];
        if !link.has_more() {
            return;
        }
        let is_well = match number.checked_sub(FILES) {
            None => self.files[number].as_mut().is_some_and(|stream| link.send(stream).is_ok()),
            Some(lan) => {
                let connection = turn.router.connection(turn.now, lan);
                connection.is_some_and(|mut connection| link.send(&mut connection).is_ok())
            }
        };
        if !is_well {
            self.hang_up(turn, number);
        }
    }

    fn hang_up(&mut self, turn: &mut Turn<'_>, number: usize) {
        self.links[number].reset();
        match number.checked_sub(FILES) {
            None => self.files[number] = None,
            Some(lan) => {
                if let Some(connection) = turn.router.connection(turn.now, lan) {
                    connection.end();
                }
            }
        }
    }
}

/// What has come by a stream.
enum Come {
    Nothing,
    Bytes(usize),
    End,
}

fn read(stream: &mut (impl Read + ReadReady), bytes: &mut [u8]) -> Come {
    match stream.read_ready() {
        Ok(false) => Come::Nothing,
        Ok(true) => match stream.read(bytes) {
            Ok(len @ 1..) => Come::Bytes(len),
            Ok(0) | Err(_) => Come::End,
        },
        Err(_) => Come::End,
    }
}

/// The box around the desk.
fn surroundings<'s>(
    turn: &'s mut Turn<'_>,
    keep: &'s mut dyn FnMut(&[u8]) -> Kept,
    interfaces: &'s [Name; 2],
    tally: Tally,
    is_near: bool,
) -> Surroundings<'s, 'static, { router::SESSIONS }> {
    let interfaces = interfaces.each_ref().map(Name::as_str);
    Surroundings {
        now: turn.now,
        router: turn.router,
        recorder: turn.recorder,
        interfaces,
        tally,
        keep,
        log: &journal::read,
        is_near,
    }
}
