//! The tool's end of the control channel.
//!
//! A request is answered or it is not: whoever has another key hears nothing after the greetings. Over a serial port a frame may be
//! damaged, so what is not answered is asked again, by the same frame: the box does nothing twice. And greetings may come by it that were
//! for who was there before: the last that comes before an answer is the box's to us.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use control::frame::{self, MAX_CONTENT, MAX_FRAME, Reader};
use control::greeting::{self, HELLO, SEALED, WELCOME};
use control::message::{PROTOCOL, Refusal, Request, Response};
use control::seal::{Conversation, End, Key, MAX_MESSAGE, NUMBER, Nonce};

use super::place::{Place, Stream};
use crate::Failure;
use crate::signing::random;

/// How long the box may take to answer, and how often it is asked.
const PATIENCE: Duration = Duration::from_secs(2);
const TRIES: usize = 3;

/// How many greetings that were for somebody else are passed over.
const STALE: usize = 1_000;

/// A conversation with a box.
pub struct Channel {
    place: Place,
    stream: Stream,
    reader: Reader,
    conversation: Conversation,
    key: Key,
    /// What we have greeted with.
    own: Nonce,
    /// What has come and is yet to be read.
    ahead: Vec<u8>,
    /// Whether the box has answered what was asked with the key.
    is_proven: bool,
}

/// Why there is no answer.
enum Silence {
    /// The box has closed the stream.
    Closed,
    /// Nothing has come in time.
    Unanswered,
    /// The stream does not work.
    Broken(Failure),
}

impl Channel {
    /// Greets the box at a place.
    ///
    /// # Errors
    /// Nobody is there, nobody answers, or who answers speaks another protocol.
    pub fn open(place: &Place, key: &Key) -> Result<Self, Failure> {
        let stream = place.connect()?;
        let nonce = |bytes: [u8; 32]| Nonce::try_from(&bytes[..8]).expect("8 of 32");
        let own = nonce(random()?);
        let conversation = Conversation::new(key, End::Tool, own, [0; 8]);
        let mut channel = Self {
            place: place.clone(),
            stream,
            reader: Reader::new(),
            conversation,
            key: *key,
            own,
            ahead: Vec::new(),
            is_proven: false,
        };
        let mut content = [0; MAX_CONTENT];
        let len = greeting::write(own, &mut content);
        for _ in 0..TRIES {
            let heard = channel.send(HELLO, &content[..len]).and_then(|()| channel.hear(&[WELCOME]));
            let Some((_, welcome)) = heard.map_err(|silence| channel.lost(silence, ""))? else { continue };
            let Some((protocol, its)) = greeting::read(&welcome) else { continue };
            if protocol != PROTOCOL {
                let (box_is, tool_is) =
                    if protocol < PROTOCOL { ("older", "the") } else { ("newer", "a newer") };
                return Err(Failure::Operation(format!(
                    "{place}: the box's program is {box_is}: it speaks version {protocol} of the control channel, this tool {PROTOCOL}; use {tool_is} provision of its release"
                )));
            }
            channel.conversation = Conversation::new(key, End::Tool, own, its);
            return Ok(channel);
        }
        Err(Failure::Operation(format!(
            "{place}: no box answers; has its configuration a [control] section, and is this where it listens?"
        )))
    }

    /// Asks, and makes something of the answer.
    ///
    /// # Errors
    /// No answer, a refusal, or one that is none to this.
    pub fn ask<T>(
        &mut self,
        request: &Request<'_>,
        read: impl FnOnce(Response<'_>) -> Option<T>,
    ) -> Result<T, Failure> {
        let changes =
            matches!(request, Request::Apply { .. } | Request::Confirm | Request::Revert | Request::Kill(_));
        let answer = self.answer(request).map_err(|silence| match changes {
            true => self.lost(silence, "what was asked for may or may not have been done: "),
            false => self.lost(silence, ""),
        })?;
        self.is_proven = true;
        match postcard::from_bytes::<Response<'_>>(&answer) {
            Ok(Response::Refused(refusal)) => Err(self.refused(refusal)),
            Ok(response) => read(response).ok_or_else(|| self.nonsense()),
            Err(_) => Err(self.nonsense()),
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Silence> {
        let mut sealed = self.sealed(request)?;
        let (mut tries, mut stale) = (0, 0);
        while tries < TRIES {
            self.send(SEALED, &sealed)?;
            let heard = loop {
                match self.hear(&[SEALED, WELCOME])? {
                    Some((SEALED, mut content)) => {
                        if let Some(message) = self.conversation.open(&mut content) {
                            return Ok(message.to_vec());
                        }
                    }
                    Some((_, welcome)) if !self.is_proven && stale < STALE => break Some(welcome),
                    Some(_) => {}
                    None => break None,
                }
            };
            match heard.as_deref().and_then(greeting::read) {
                // The one before was for somebody else, and what was sealed for it has not been opened.
                Some((_, its)) => {
                    self.conversation = Conversation::new(&self.key, End::Tool, self.own, its);
                    sealed = self.sealed(request)?;
                    stale += 1;
                }
                None => tries += 1,
            }
        }
        Err(Silence::Unanswered)
    }

    /// The content of the next frame, which asks for something.
    fn sealed(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Silence> {
        let mut content = [0; MAX_CONTENT];
        let room = &mut content[NUMBER..NUMBER + MAX_MESSAGE];
        let len = postcard::to_slice(request, room).map_err(|_| Silence::Broken(self.nonsense()))?.len();
        let len =
            self.conversation.seal(&mut content, len).ok_or_else(|| Silence::Broken(self.nonsense()))?;
        Ok(content[..len].to_vec())
    }

    fn send(&mut self, kind: u8, content: &[u8]) -> Result<(), Silence> {
        let mut frame = [0; MAX_FRAME];
        let len = frame::write(kind, content, &mut frame);
        self.stream
            .write(&frame[..len])
            .map_err(|error| silence(&error, Failure::to_write(&self.place, &error)))
    }

    /// The next frame of certain kinds, if one comes in time.
    fn hear(&mut self, wanted: &[u8]) -> Result<Option<(u8, Vec<u8>)>, Silence> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut bytes = &self.ahead[..];
            let found = self.reader.next(&mut bytes, &mut 0).map(|(kind, content)| (kind, content.to_vec()));
            self.ahead = bytes.to_vec();
            match found {
                Some((kind, content)) if wanted.contains(&kind) => return Ok(Some((kind, content))),
                Some(_) => continue,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            match self
                .stream
                .read(left)
                .map_err(|error| silence(&error, Failure::to_read(&self.place, &error)))?
            {
                Some(more) if more.is_empty() => return Err(Silence::Closed),
                Some(more) => self.ahead = more,
                None => return Ok(None),
            }
        }
    }

    /// Why there is no answer, in words; what it leaves in doubt is told, too.
    fn lost(&self, silence: Silence, doubt: &str) -> Failure {
        let what = match silence {
            Silence::Broken(failure) => return failure,
            Silence::Closed => "has closed the channel",
            Silence::Unanswered if self.is_proven => "answers no more",
            Silence::Unanswered => {
                return Failure::Operation(format!(
                    "{}: the box greets, but does not answer; is the key the box's?",
                    self.place
                ));
            }
        };
        Failure::Operation(format!(
            "{}: the box {what}: perhaps another operator has taken the place, it has another configuration, or was restarted; {doubt}`provision status` and `provision running` show what runs",
            self.place
        ))
    }

    fn nonsense(&self) -> Failure {
        Failure::Operation(format!("{}: the box answers what was not asked", self.place))
    }

    fn refused(&self, refusal: Refusal) -> Failure {
        Failure::Operation(format!("{}: {}", self.place, words(refusal)))
    }
}

/// What an error of the stream, which is that failure, says of the box.
fn silence(error: &io::Error, failure: Failure) -> Silence {
    match error.kind() {
        ErrorKind::BrokenPipe | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted => Silence::Closed,
        _ => Silence::Broken(failure),
    }
}

/// What became of a request, and the way out.
fn words(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown => "the box does not understand; is its program of another release?",
        Refusal::NotWhole => "the configuration has not come whole; send it again",
        Refusal::Invalid => {
            "the box takes it for no valid configuration; `provision check` says why, if this tool is of its release"
        }
        Refusal::OtherInterfaces => {
            "the configuration is for other interfaces than those which the box has taken; only a restart changes them"
        }
        Refusal::Pending => {
            "another configuration waits to be confirmed; `provision confirm` or `provision revert` first"
        }
        Refusal::NothingPending => "no configuration waits to be confirmed",
        Refusal::NotSigned => "the box takes only signed configurations; `provision sign` makes one",
        Refusal::WrongSigner => "the configuration is signed by another key than the one that the box knows",
        Refusal::NotNewer => "the box has had a newer configuration; sign it with a higher sequence number",
        Refusal::NotHere => {
            "an older configuration can be forced at the box itself alone: by its serial port or its socket"
        }
        Refusal::NotKept => {
            "the box could not write it to its disk, and goes on as before; `provision log` says why"
        }
        Refusal::NoSession => "there is no such session, any more",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;
    use std::thread::{self, JoinHandle};

    use super::*;

    const KEY: Key = [7; 32];

    /// A box at a socket that says all of these greetings, of which the last is meant, and answers so many requests; then it closes
    /// the channel or, if it `stays`, says nothing more.
    fn a_box(test: &str, greetings: &'static [u8], answers: usize, stays: bool) -> (PathBuf, JoinHandle<()>) {
        let path = std::env::temp_dir().join(format!("sekisho-{}-{test}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let serve = move || {
            let mut stream = listener.accept().unwrap().0;
            let (mut reader, mut conversation, mut bytes) = (Reader::new(), None, [0; 4096]);
            let (mut answered, mut answer) = (0, [0; MAX_CONTENT]);
            while let Ok(len @ 1..) = stream.read(&mut bytes) {
                let mut come = &bytes[..len];
                while let Some((kind, content)) = reader.next(&mut come, &mut 0) {
                    if kind == HELLO {
                        let (_, tool) = greeting::read(content).unwrap();
                        for its in greetings {
                            let len = greeting::write([*its; 8], &mut answer);
                            say(&mut stream, WELCOME, &answer[..len]);
                            conversation = Some(Conversation::new(&KEY, End::Box, tool, [*its; 8]));
                        }
                        continue;
                    }
                    let conversation: &mut Conversation = conversation.as_mut().unwrap();
                    if conversation.open(content).is_none() {
                        continue;
                    }
                    if answered == answers && !stays {
                        return;
                    }
                    if answered < answers {
                        answered += 1;
                        let done =
                            postcard::to_slice(&Response::Done(0), &mut answer[NUMBER..]).unwrap().len();
                        let len = conversation.seal(&mut answer, done).unwrap();
                        say(&mut stream, SEALED, &answer[..len]);
                    }
                }
            }
        };
        (path, thread::spawn(serve))
    }

    fn say(stream: &mut UnixStream, kind: u8, content: &[u8]) {
        let mut frame = [0; MAX_FRAME];
        let len = frame::write(kind, content, &mut frame);
        stream.write_all(&frame[..len]).unwrap();
    }

    /// What a channel says to a request, the second to a box that closes it then, or, if it `stays`, hears nothing more.
    fn lost(test: &str, stays: bool, second: fn(&mut Channel) -> Result<(), Failure>) -> String {
        let (path, the_box) = a_box(test, &[9], 1, stays);
        let mut channel = Channel::open(&Place::File(path.clone()), &KEY).unwrap();
        channel.confirm().unwrap();
        let failure = second(&mut channel).unwrap_err().to_string();
        drop(channel);
        the_box.join().unwrap();
        std::fs::remove_file(&path).unwrap();
        let (place, said) = failure.split_once(": ").unwrap();
        assert_eq!(place, path.to_str().unwrap());
        said.to_owned()
    }

    #[test]
    fn greetings_that_were_for_somebody_before_are_passed_over() {
        let (path, the_box) = a_box("stale", &[1, 2, 3, 4, 9], 2, false);
        let mut channel = Channel::open(&Place::File(path.clone()), &KEY).unwrap();
        channel.confirm().unwrap();
        channel.confirm().unwrap();
        drop(channel);
        the_box.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn who_loses_the_box_is_told_why_perhaps_and_what_is_in_doubt() {
        let way_out = "`provision status` and `provision running` show what runs";
        let perhaps =
            "perhaps another operator has taken the place, it has another configuration, or was restarted";
        let doubt = "what was asked for may or may not have been done";
        assert_eq!(
            lost("closed", false, |channel| channel.log(0).map(|_| ())),
            format!("the box has closed the channel: {perhaps}; {way_out}")
        );
        assert_eq!(
            lost("in-doubt", false, |channel| channel.apply(b"?", 0, false).map(|_| ())),
            format!("the box has closed the channel: {perhaps}; {doubt}: {way_out}")
        );
        for (test, change) in [("confirm", Channel::confirm as fn(&mut _) -> _), ("revert", Channel::revert)]
        {
            assert!(lost(test, false, change).contains(doubt));
        }
        // By a serial port nothing is closed.
        assert_eq!(
            lost("silent", true, Channel::confirm),
            format!("the box answers no more: {perhaps}; {doubt}: {way_out}")
        );
    }
}
