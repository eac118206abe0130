//! The tool's end of the control channel.
//!
//! A request is answered or it is not: whoever has another key hears nothing after the greetings. Over a serial port a frame may be
//! lost or damaged, and greetings may come by it that were for who was there before. So a conversation has begun only when the box has
//! answered in it, and until then is begun anew; and what is not answered later is asked again, by the same frame: the box does nothing
//! twice.

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

/// How many frames that were for somebody else are passed over behind a greeting.
const STALE: usize = 1_000;

/// A conversation with a box.
pub struct Channel {
    place: Place,
    stream: Stream,
    reader: Reader,
    /// What has come and is yet to be read.
    ahead: Vec<u8>,
    conversation: Conversation,
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
    /// Begins a conversation with the box at a place.
    ///
    /// # Errors
    /// Nobody is there, nobody answers, or who answers speaks another protocol or has another key.
    pub fn open(place: &Place, key: &Key) -> Result<Self, Failure> {
        let stream = place.connect()?;
        let nonce = |bytes: [u8; 32]| Nonce::try_from(&bytes[..8]).expect("8 of 32");
        let own = nonce(random()?);
        let conversation = |its| Conversation::new(key, End::Tool, own, its);
        let mut channel = Self {
            place: place.clone(),
            stream,
            reader: Reader::new(),
            ahead: Vec::new(),
            conversation: conversation([0; 8]),
        };
        channel.begin(own, conversation).map_err(|silence| channel.lost(silence, ""))?;
        Ok(channel)
    }

    /// Greets and asks something, until that is answered. Of several greetings that come back the last is meant for us, if our own has
    /// come to the box at all.
    fn begin(&mut self, own: Nonce, conversation: impl Fn(Nonce) -> Conversation) -> Result<(), Silence> {
        let mut hello = [0; MAX_CONTENT];
        let len = greeting::write(own, &mut hello);
        let mut what =
            "no box answers; has its configuration a [control] section, and is this where it listens?";
        for _ in 0..TRIES {
            // This ends the one before, and what is answered in that comes too late.
            self.conversation = conversation([0; 8]);
            self.send(HELLO, &hello[..len])?;
            for _ in 0..STALE {
                let Some((kind, mut content)) = self.hear(&[WELCOME, SEALED])? else { break };
                if kind == SEALED {
                    match self.conversation.open(&mut content) {
                        Some(_) => return Ok(()),
                        None => continue,
                    }
                }
                let Some((protocol, its)) = greeting::read(&content) else { continue };
                if protocol != PROTOCOL {
                    return Err(Silence::Broken(self.foreign(protocol)));
                }
                what = "the box greets, but does not answer; is the key the box's?";
                self.conversation = conversation(its);
                let question = self.sealed(&Request::Status)?;
                self.send(SEALED, &question)?;
            }
        }
        Err(Silence::Broken(self.failure(what)))
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
        match postcard::from_bytes::<Response<'_>>(&answer) {
            Ok(Response::Refused(refusal)) => Err(self.failure(words(refusal))),
            Ok(response) => read(response).ok_or_else(|| self.nonsense()),
            Err(_) => Err(self.nonsense()),
        }
    }

    fn answer(&mut self, request: &Request<'_>) -> Result<Vec<u8>, Silence> {
        let sealed = self.sealed(request)?;
        for _ in 0..TRIES {
            self.send(SEALED, &sealed)?;
            while let Some((_, mut content)) = self.hear(&[SEALED])? {
                if let Some(message) = self.conversation.open(&mut content) {
                    return Ok(message.to_vec());
                }
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
            Silence::Unanswered => "answers no more",
        };
        self.failure(&format!(
            "the box {what}: perhaps another operator has taken the place, it has another configuration, or was restarted; {doubt}`provision status` and `provision running` show what runs"
        ))
    }

    fn foreign(&self, protocol: u8) -> Failure {
        let (box_is, tool_is) = if protocol < PROTOCOL { ("older", "the") } else { ("newer", "a newer") };
        self.failure(&format!(
            "the box's program is {box_is}: it speaks version {protocol} of the control channel, this tool {PROTOCOL}; use {tool_is} provision of its release"
        ))
    }

    fn nonsense(&self) -> Failure {
        self.failure("the box answers what was not asked")
    }

    fn failure(&self, what: &str) -> Failure {
        Failure::Operation(format!("{}: {what}", self.place))
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
        Refusal::NotNewer => {
            "the box has had one with this sequence number or a higher one; sign it with a higher number"
        }
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
    use std::fs;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::thread;

    use super::*;

    const KEY: Key = [7; 32];

    /// The other end of a stream, by hand.
    struct Box {
        stream: UnixStream,
        reader: Reader,
        ahead: Vec<u8>,
        /// What the tool has greeted with.
        tool: Nonce,
        conversation: Conversation,
    }

    impl Box {
        /// Waits for a frame of a kind; whether one came before the tool left.
        fn hears(&mut self, wanted: u8) -> Option<Vec<u8>> {
            loop {
                let mut bytes = &self.ahead[..];
                let found =
                    self.reader.next(&mut bytes, &mut 0).map(|(kind, content)| (kind, content.to_vec()));
                self.ahead = bytes.to_vec();
                match found {
                    Some((kind, content)) if kind == wanted => return Some(content),
                    Some(_) => continue,
                    None => {}
                }
                self.ahead.resize(4096, 0);
                let len = self.stream.read(&mut self.ahead).unwrap();
                self.ahead.truncate(len);
                if len == 0 {
                    return None;
                }
            }
        }

        fn says(&mut self, kind: u8, content: &[u8]) {
            let mut frame = [0; MAX_FRAME];
            let len = frame::write(kind, content, &mut frame);
            self.stream.write_all(&frame[..len]).unwrap();
        }

        fn is_greeted(&mut self) {
            self.tool = greeting::read(&self.hears(HELLO).unwrap()).unwrap().1;
        }

        /// Greets whoever greeted last, and begins a conversation.
        fn greets(&mut self, own: u8) {
            let mut content = [0; MAX_CONTENT];
            let len = greeting::write([own; 8], &mut content);
            self.says(WELCOME, &content[..len]);
            self.conversation = Conversation::new(&KEY, End::Box, self.tool, [own; 8]);
        }

        /// Waits for a request of this conversation.
        fn is_asked(&mut self) {
            while {
                let mut content = self.hears(SEALED).unwrap();
                self.conversation.open(&mut content).is_none()
            } {}
        }

        fn answers(&mut self) {
            let mut content = [0; MAX_CONTENT];
            let done = postcard::to_slice(&Response::Done(0), &mut content[NUMBER..]).unwrap().len();
            let len = self.conversation.seal(&mut content, done).unwrap();
            self.says(SEALED, &content[..len]);
        }

        fn is_asked_and_answers(&mut self, times: usize) {
            for _ in 0..times {
                self.is_asked();
                self.answers();
            }
        }
    }

    /// A box that does this, and who operates it.
    fn beside<T>(test: &str, the_box: impl FnOnce(Box) + Send, operator: impl FnOnce(&Place) -> T) -> T {
        let path = std::env::temp_dir().join(format!("sekisho-{}-{test}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let serve = move || {
            let stream = listener.accept().unwrap().0;
            let conversation = Conversation::new(&KEY, End::Box, [0; 8], [0; 8]);
            the_box(Box { stream, reader: Reader::new(), ahead: Vec::new(), tool: [0; 8], conversation });
        };
        let operated = thread::scope(|scope| {
            scope.spawn(serve);
            operator(&Place::File(path.clone()))
        });
        fs::remove_file(&path).unwrap();
        operated
    }

    /// Two requests to a box that does this; they are answered.
    fn confirms_twice(test: &str, the_box: impl FnOnce(Box) + Send) {
        beside(test, the_box, |place| {
            let mut channel = Channel::open(place, &KEY).unwrap();
            channel.confirm().unwrap();
            channel.confirm().unwrap();
        });
    }

    #[test]
    fn greetings_that_were_for_somebody_before_are_passed_over() {
        confirms_twice("stale", |mut the_box| {
            the_box.is_greeted();
            for own in [1, 2, 3, 4, 9] {
                the_box.greets(own);
            }
            the_box.is_asked_and_answers(3);
        });
    }

    #[test]
    fn who_greets_and_is_not_heard_greets_again_also_if_somebody_before_was_greeted() {
        confirms_twice("lost", |mut the_box| {
            the_box.hears(HELLO).unwrap();
            the_box.greets(1);
            the_box.is_greeted();
            the_box.greets(9);
            the_box.is_asked_and_answers(3);
        });
    }

    #[test]
    fn an_answer_that_comes_late_belongs_to_no_conversation_that_has_begun_since() {
        confirms_twice("late", |mut the_box| {
            the_box.is_greeted();
            the_box.greets(1);
            the_box.is_asked();
            the_box.is_greeted();
            the_box.answers();
            the_box.greets(9);
            the_box.is_asked_and_answers(3);
        });
    }

    #[test]
    fn a_request_is_made_again_by_the_same_frame() {
        confirms_twice("again", |mut the_box| {
            the_box.is_greeted();
            the_box.greets(9);
            the_box.is_asked_and_answers(1);
            let first = the_box.hears(SEALED);
            assert!(first.is_some() && first == the_box.hears(SEALED));
            the_box.conversation.open(&mut first.unwrap()).unwrap();
            the_box.answers();
            the_box.is_asked_and_answers(1);
        });
    }

    #[test]
    fn who_is_not_answered_is_told_whether_anybody_is_there() {
        let told = |test: &str, the_box: fn(Box)| {
            beside(test, the_box, |place| Channel::open(place, &KEY).err().unwrap().to_string())
        };
        let nobody = |mut the_box: Box| while the_box.hears(HELLO).is_some() {};
        assert!(told("nobody", nobody).contains("no box answers; has its configuration a [control] section"));
        let of_another_key = |mut the_box: Box| {
            while the_box.hears(HELLO).is_some() {
                the_box.greets(9);
            }
        };
        assert!(told("other-key", of_another_key).contains("is the key the box's?"));
        let of_another_release = |mut the_box: Box| {
            the_box.is_greeted();
            the_box.says(WELCOME, &[PROTOCOL + 1, 9, 9, 9, 9, 9, 9, 9, 9]);
        };
        assert!(told("newer", of_another_release).contains("the box's program is newer"));
    }

    /// What a channel says to a request, the second to a box that closes it then, or, if it `stays`, hears nothing more.
    fn lost(test: &str, stays: bool, second: fn(&mut Channel) -> Result<(), Failure>) -> String {
        let the_box = move |mut the_box: Box| {
            the_box.is_greeted();
            the_box.greets(9);
            the_box.is_asked_and_answers(2);
            the_box.is_asked();
            while stays && the_box.hears(SEALED).is_some() {}
        };
        beside(test, the_box, |place| {
            let mut channel = Channel::open(place, &KEY).unwrap();
            channel.confirm().unwrap();
            let failure = second(&mut channel).unwrap_err().to_string();
            failure.strip_prefix(&format!("{place}: ")).unwrap().to_owned()
        })
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
