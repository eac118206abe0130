//! The box's end of one stream: greets, opens, has answered, seals.
//!
//! One frame is answered at a time, and the same one again with the same answer, which may have been lost on its way: nothing is done
//! twice. What comes while an answer has not left, what comes faster than anybody needs to ask, and
//! what does not open, is counted and forgotten: it costs no memory, and little time. A greeting begins a new conversation and ends the
//! one before; whoever greets without the key ends a conversation, and the tool begins another.

use embedded_io::{Write, WriteReady};
use napt::Instant;
use serde::{Deserialize, Serialize};

use crate::frame::{self, MAX_CONTENT, MAX_FRAME, Reader};
use crate::greeting::{self, HELLO, SEALED, WELCOME};
use crate::message::PROTOCOL;
use crate::seal::{Conversation, End, Key, MAX_MESSAGE, NUMBER, Nonce, TAG};

/// How many frames a stream may bring in a second, and at once after a pause.
const PER_SECOND: u64 = 1_000;
const BURST: u64 = 1_000;

/// What has come by a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Greetings that were answered.
    pub greeted: u64,
    /// Requests that were answered.
    pub answered: u64,
    /// What is between two zeros and no frame.
    pub strays: u64,
    /// Frames that were not sealed with the key, or for another conversation, or heard before.
    pub unopened: u64,
    /// Frames that came too fast.
    pub throttled: u64,
}

/// One stream's end.
pub struct Link {
    reader: Reader,
    conversation: Option<Conversation>,
    /// The frame that is to be sent, how long it is and how much of it has left.
    frame: [u8; MAX_FRAME],
    len: usize,
    left: usize,
    /// Until when the frames that have come are paid for, in thousandths of a millisecond.
    paid: u64,
    proven: Option<Instant>,
    /// The tag of the frame that was answered last.
    answered: Option<[u8; TAG]>,
}

/// What a link needs of the box around it.
pub struct Hearing<'h> {
    /// What time it is.
    pub now: Instant,
    /// The key; without one nobody is heard.
    pub key: Option<&'h Key>,
    /// Random bytes that nobody can foresee, other ones each time.
    pub nonce: &'h mut dyn FnMut() -> Option<Nonce>,
    /// What has come so far.
    pub tally: &'h mut Tally,
    /// Answers a message, into a buffer; how many bytes.
    pub answer: &'h mut dyn FnMut(&[u8], &mut [u8]) -> usize,
}

impl Link {
    /// A stream that nothing has come by yet.
    pub const fn new() -> Self {
        Self {
            reader: Reader::new(),
            conversation: None,
            frame: [0; MAX_FRAME],
            len: 0,
            left: 0,
            paid: 0,
            proven: None,
            answered: None,
        }
    }

    /// Whether something waits to be sent.
    pub fn has_more(&self) -> bool {
        self.left < self.len
    }

    /// When something last came that bore the key; nothing, if nothing has.
    pub fn proven(&self) -> Option<Instant> {
        self.proven
    }

    /// Forgets the conversation, the half of a frame that came, and the one that has not left: the next will come by another stream.
    pub fn reset(&mut self) {
        let paid = self.paid;
        *self = Self { paid, ..Self::new() };
    }

    /// Puts what is to be sent into a stream, as much as that has room for.
    ///
    /// # Errors
    /// What is wrong with the stream.
    pub fn send<S: Write + WriteReady>(&mut self, stream: &mut S) -> Result<(), S::Error> {
        while self.has_more() && stream.write_ready()? {
            let rest = self.frame.get(self.left..self.len).unwrap_or_default();
            match stream.write(rest)? {
                0 => break,
                sent => self.left += sent,
            }
        }
        Ok(())
    }

    /// Takes bytes that have come by the stream.
    pub fn hear(&mut self, mut bytes: &[u8], hearing: &mut Hearing<'_>) {
        while let Some((kind, content)) = self.reader.next(&mut bytes, &mut hearing.tally.strays) {
            let is_busy = self.left < self.len;
            if is_busy || !is_paid(&mut self.paid, hearing.now) {
                hearing.tally.throttled += 1;
                continue;
            }
            let Some(key) = hearing.key else { continue };
            let tag = content.last_chunk().copied().filter(|_| kind == SEALED);
            if tag.is_some() && tag == self.answered {
                self.left = 0;
                continue;
            }
            let mut reply = [0; MAX_CONTENT];
            let answer = match kind {
                HELLO => greet(&mut self.conversation, key, content, &mut reply, hearing),
                SEALED => converse(self.conversation.as_mut(), content, &mut reply, hearing),
                _ => None,
            };
            let Some((kind, content)) = answer.and_then(|(kind, len)| Some((kind, reply.get(..len)?))) else {
                hearing.tally.unopened += 1;
                continue;
            };
            if kind == SEALED {
                self.proven = Some(hearing.now);
            }
            self.answered = tag;
            (self.len, self.left) = (frame::write(kind, content, &mut self.frame), 0);
        }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether another frame may come now.
fn is_paid(paid: &mut u64, now: Instant) -> bool {
    const PRICE: u64 = 1_000_000 / PER_SECOND;
    let now = now.millis() * 1_000;
    let due = (*paid).max(now) + PRICE;
    let is_paid = due - now <= BURST * PRICE;
    if is_paid {
        *paid = due;
    }
    is_paid
}

/// Answers a greeting, and begins a conversation with who speaks as we do.
fn greet(
    conversation: &mut Option<Conversation>,
    key: &Key,
    content: &[u8],
    reply: &mut [u8; MAX_CONTENT],
    hearing: &mut Hearing<'_>,
) -> Option<(u8, usize)> {
    let (protocol, tool) = greeting::read(content)?;
    let own = (hearing.nonce)()?;
    let is_alike = protocol == PROTOCOL;
    *conversation = is_alike.then(|| Conversation::new(key, End::Box, tool, own));
    hearing.tally.greeted += 1;
    Some((WELCOME, greeting::write(own, reply)))
}

/// Opens a request, has it answered, and seals the answer.
fn converse(
    conversation: Option<&mut Conversation>,
    content: &mut [u8],
    reply: &mut [u8; MAX_CONTENT],
    hearing: &mut Hearing<'_>,
) -> Option<(u8, usize)> {
    let conversation = conversation?;
    let request = conversation.open(content)?;
    let len = (hearing.answer)(request, reply.get_mut(NUMBER..NUMBER + MAX_MESSAGE)?);
    hearing.tally.answered += 1;
    Some((SEALED, conversation.seal(reply, len)?))
}
