//! A box that runs, as it goes: asked again and again, and drawn on a terminal.
//!
//! `model` is what was seen of it, `draw` the picture of that. The box is asked on a thread of its own, so that a key is heard while
//! it keeps one waiting.

mod draw;
mod model;

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use control::message::Filter;
use control::seal::Key;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyModifiers};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::view::SessionLine;
use super::{Channel, Place};
use crate::Failure;

pub use draw::draw;
pub use model::{Counted, Model, Point, Sample};

/// How many answers about sessions one look is made of: a box does not hear everything of who asks too fast.
const ANSWERS: usize = 40;

/// How long to leave a box alone that has hung up: it serves one operator at a time, and another may have come.
const POLITENESS: Duration = Duration::from_secs(3);

/// How long a key may wait to be heard.
const TICK: Duration = Duration::from_millis(100);

/// Shows a box until somebody has seen enough.
///
/// # Errors
/// There is no terminal, or no box.
pub(super) fn top(place: &Place, key: &Key, every: Duration) -> Result<(), Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::Input(
            "top needs a terminal; `provision status` and `provision metrics` print without one".to_owned(),
        ));
    }
    let mut channel = Channel::open(place, key)?;
    let mut model = Model::new(place.to_string(), channel.sample()?);
    let (tell, told) = mpsc::sync_channel(1);
    let (place, key) = (place.clone(), *key);
    thread::spawn(move || ask(&place, &key, channel, every, &tell));
    let shown = ratatui::try_init().and_then(|mut terminal| show(&mut terminal, &mut model, &told));
    ratatui::restore();
    shown.map_err(|error| Failure::to_write("the terminal", &error))
}

/// Asks again and again, also for a box that is not there, as long as anybody wants to know.
fn ask(
    place: &Place,
    key: &Key,
    channel: Channel,
    every: Duration,
    tell: &SyncSender<Result<Sample, Failure>>,
) {
    let mut channel = Some(channel);
    loop {
        let begun = Instant::now();
        let open = channel.take().map_or_else(|| Channel::open(place, key), Ok);
        let answer = open.and_then(|mut open| {
            let sample = open.sample()?;
            channel = Some(open);
            Ok(sample)
        });
        let pause = if answer.is_ok() { every } else { every.max(POLITENESS) };
        if tell.send(answer).is_err() {
            return;
        }
        thread::sleep(pause.saturating_sub(begun.elapsed()));
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    told: &Receiver<Result<Sample, Failure>>,
) -> io::Result<()> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        // The first ends the loop, a second one the program, wherever it is.
        signal_hook::flag::register_conditional_shutdown(signal, 1, is_over.clone())?;
        signal_hook::flag::register(signal, is_over.clone())?;
    }
    let mut has_news = true;
    while !is_over.load(Ordering::Relaxed) {
        for answer in told.try_iter() {
            has_news = true;
            match answer {
                Ok(sample) => model.see(sample),
                Err(failure) => model.lose(failure.to_string()),
            }
        }
        if has_news {
            terminal.draw(|frame| draw(model, frame))?;
        }
        if is_gone(TICK)? {
            break;
        }
        has_news = event::poll(Duration::ZERO)?;
        if has_news && leaves(&event::read()?) {
            break;
        }
    }
    Ok(())
}

/// Waits for a key, and says whether the terminal is no more: who reads events from one that has been closed reads for ever.
fn is_gone(limit: Duration) -> io::Result<bool> {
    let input = io::stdin();
    let mut fds = [PollFd::new(&input, PollFlags::IN)];
    let limit = Timespec { tv_sec: 0, tv_nsec: limit.subsec_nanos().into() };
    match poll(&mut fds, Some(&limit)) {
        Ok(_) => Ok(fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)),
        // A signal.
        Err(Errno::INTR) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

fn leaves(event: &Event) -> bool {
    let Event::Key(KeyEvent { code, modifiers, .. }) = event else { return false };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

impl Channel {
    /// All that is shown of a box.
    fn sample(&mut self) -> Result<Sample, Failure> {
        let config = self.config()?;
        let (status, counters, hosts) = (self.status_with(&config)?, self.counters()?, self.hosts()?);
        let mut uses = self.rules_with(&config)?;
        uses.extend(self.forwards_with(&config)?);
        let mut kinds = BTreeMap::<String, usize>::new();
        let external = config.wan().address().address();
        for session in self.some_sessions(Filter::default(), external, ANSWERS)? {
            *kinds.entry(kind(&session)).or_default() += 1;
        }
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Ok(Sample { status, counters, hosts, uses, kinds })
    }
}

/// A session's protocol, and where its connection stands.
fn kind(session: &SessionLine) -> String {
    let state = session.state.map(|state| format!(" {state}")).unwrap_or_default();
    format!("{}{state}", session.protocol)
}
