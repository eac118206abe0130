//! The tool's end of the control channel.
//!
//! A request is answered or it is not: whoever has another key hears nothing after the greetings. Over a serial port a frame may be
//! damaged, so what is not answered is asked again, by the same frame: the box does nothing twice.

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

/// A conversation with a box.
pub struct Channel {
    place: Place,
    stream: Stream,
    reader: Reader,
    conversation: Conversation,
    /// What has come and is yet to be read.
    ahead: Vec<u8>,
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
        let mut channel =
            Self { place: place.clone(), stream, reader: Reader::new(), conversation, ahead: Vec::new() };
        let mut content = [0; MAX_CONTENT];
        let len = greeting::write(own, &mut content);
        for _ in 0..TRIES {
            channel.send(HELLO, &content[..len])?;
            let Some(welcome) = channel.hear(WELCOME)? else { continue };
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
        let answer = self.answer(request)?;
        match postcard::from_bytes::<Response<'_>>(&answer) {
            Ok(Response::Refused(refusal)) => Err(self.refused(refusal)),
            Ok(response) => read(response).ok_or_else(|| self.nonsense()),
            Err(_) => Err(self.nonsense()),
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Failure> {
        let mut content = [0; MAX_CONTENT];
        let room = &mut content[NUMBER..NUMBER + MAX_MESSAGE];
        let len = postcard::to_slice(request, room).map_err(|_| self.nonsense())?.len();
        let len = self.conversation.seal(&mut content, len).ok_or_else(|| self.nonsense())?;
        for _ in 0..TRIES {
            self.send(SEALED, &content[..len])?;
            while let Some(mut content) = self.hear(SEALED)? {
                if let Some(message) = self.conversation.open(&mut content) {
                    return Ok(message.to_vec());
                }
            }
        }
        Err(Failure::Operation(format!(
            "{}: the box greets, but does not answer; is the key the box's?",
            self.place
        )))
    }

    fn send(&mut self, kind: u8, content: &[u8]) -> Result<(), Failure> {
        let mut frame = [0; MAX_FRAME];
        let len = frame::write(kind, content, &mut frame);
        self.stream.write(&frame[..len]).map_err(|error| Failure::to_write(&self.place, &error))
    }

    /// The next frame of a kind, if one comes in time.
    fn hear(&mut self, wanted: u8) -> Result<Option<Vec<u8>>, Failure> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut bytes = &self.ahead[..];
            let found = self.reader.next(&mut bytes, &mut 0).map(|(kind, content)| (kind, content.to_vec()));
            self.ahead = bytes.to_vec();
            match found {
                Some((kind, content)) if kind == wanted => return Ok(Some(content)),
                Some(_) => continue,
                None => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            match self.stream.read(left).map_err(|error| Failure::to_read(&self.place, &error))? {
                Some(more) if more.is_empty() => {
                    return Err(Failure::Operation(format!("{}: the box has hung up", self.place)));
                }
                Some(more) => self.ahead = more,
                None => return Ok(None),
            }
        }
    }

    fn nonsense(&self) -> Failure {
        Failure::Operation(format!("{}: the box answers what was not asked", self.place))
    }

    fn refused(&self, refusal: Refusal) -> Failure {
        Failure::Operation(format!("{}: {}", self.place, words(refusal)))
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
