//! What a machine writes to its serial console: passed on, and watched for the line that says that it forwards.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How the program's line begins that says that it forwards.
const READY: &[u8] = b"ready ";

/// A console that is being watched.
#[derive(Debug)]
pub struct Console {
    ready: Arc<Mutex<Option<Duration>>>,
    reader: Option<JoinHandle<()>>,
}

impl Console {
    /// Passes on what comes from `source` to `sink`, until there is no more.
    pub fn watch(
        source: impl Read + Send + 'static,
        mut sink: impl Write + Send + 'static,
        begun: Instant,
    ) -> Self {
        let ready = Arc::new(Mutex::new(None));
        let told = Arc::clone(&ready);
        let reader = thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
                // Whoever does not want to see it any more does not keep the machine from running.
                let _ = sink.write_all(&line).and_then(|()| sink.flush());
                if line.starts_with(READY)
                    && let Ok(mut ready) = told.lock()
                {
                    ready.get_or_insert(begun.elapsed());
                }
                line.clear();
            }
        });
        Self { ready, reader: Some(reader) }
    }

    /// How long after the beginning the machine said that it forwards, if it has.
    pub fn ready(&self) -> Option<Duration> {
        self.ready.lock().ok().and_then(|ready| *ready)
    }

    /// Waits for the end of what comes: the machine has ended.
    pub fn end(&mut self) {
        if let Some(reader) = self.reader.take() {
            // What it has passed on it has passed on.
            let _ = reader.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_comes_is_passed_on_and_ready_is_noticed_at_the_beginning_of_a_line() {
        for (text, is_ready) in [(&b"boot\r\nready lan=a\r\nmore"[..], true), (b"not ready yet\r\n", false)] {
            let (ours, theirs) = io::pipe().unwrap();
            let mut console = Console::watch(io::Cursor::new(text), theirs, Instant::now());
            console.end();

            let mut seen = Vec::new();
            { ours }.read_to_end(&mut seen).unwrap();
            assert_eq!((seen.as_slice(), console.ready().is_some()), (text, is_ready));
        }
    }
}
