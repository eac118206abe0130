//! Whatever comes by an operator's stream: bytes, frames of whoever has no key, frames that were heard before, and the
//! operator's own messages, sound ones and any bytes, while the router forwards, time passes and the flash fails.

use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use config::{Config, signed};
use control::frame::{self, MAX_CONTENT, MAX_FRAME, Reader};
use control::greeting::{self, HELLO, SEALED, WELCOME};
use control::message::{CHUNK, Request, Response};
use control::seal::{Conversation, End, Key, MAX_MESSAGE, NUMBER};
use control::{Desk, Hearing, Kept, Link, Surroundings, Tally};
use ed25519_dalek::{Signer as _, SigningKey};
use napt::Tables;
use router::{Recorder, Side};

use super::bench::{FORWARDED, SESSIONS};
use super::frames::Desk as Bench;
use super::wire::{OUTSIDE, inside, remote, udp};

/// No more than this, so that a run stays short.
const STEPS: usize = 48;

const KEY: Key = [7; 32];

const LOG: &[u8] = b"ready lan=gw0 192.0.2.254/24 wan=gw1 203.0.113.254/24\n";

/// The secret half of the key that the last of the bare blobs below knows: the one of RFC 8032, section 7.1, test 1.
const SIGNER: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

const BARE: [&[u8]; 3] = [
    include_bytes!("../../fuzz/seeds/blob/few-ports"),
    include_bytes!("../../fuzz/seeds/blob/few-ports-and-rules"),
    include_bytes!("../../fuzz/seeds/blob/few-ports-and-control"),
];

/// What an operator may offer: bare blobs; the one that knows a signer, signed in several orders, and by somebody else; and one that
/// is damaged. A box begins with any of the sound ones.
static OFFERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let sign = |by: &[u8; 32], sequence: u32| {
        let covered = [&signed::MAGIC[..], &sequence.to_le_bytes(), BARE[2]].concat();
        [&covered[..], &SigningKey::from_bytes(by).sign(&covered).to_bytes()].concat()
    };
    let mut offers = BARE.map(<[u8]>::to_vec).to_vec();
    offers.extend([3, 5, 9].map(|sequence| sign(&SIGNER, sequence)));
    offers.push(sign(&[1; 32], 11));
    let mut damaged = BARE[0].to_vec();
    damaged[30] ^= 1;
    offers.push(damaged);
    offers
});

#[derive(Arbitrary, Debug)]
enum Step {
    /// Bytes, as they come.
    Bytes(Vec<u8>),
    /// A whole frame of whoever has no key.
    Frame {
        kind: u8,
        content: Vec<u8>,
    },
    /// One of the operator's, once more.
    Again(u8),
    /// The operator begins another conversation.
    Greet,
    /// The operator says any bytes.
    Say(Vec<u8>),
    /// The operator offers a configuration, of [`OFFERS`].
    Offer(u8),
    /// And has it applied.
    Apply {
        offer: u8,
        confirm: u16,
        force: bool,
    },
    Confirm,
    Revert,
    /// A packet goes out, or comes in by the forward.
    Packet(u8),
    /// Seconds pass.
    Pause(u16),
    /// The stream takes what is sent, or does not.
    Room(bool),
    /// The flash takes what is kept, or does not.
    Flash(bool),
    /// The stream is one at the box itself, or not.
    Near(bool),
}

/// Who has no key changes nothing, who has it is always answered; what is kept is what the box's signer allows, and what nobody
/// confirms is taken back.
pub fn channel(data: &[u8]) {
    let Ok((first, steps)) = <(u8, Vec<Step>)>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let first = &OFFERS[usize::from(first) % (OFFERS.len() - 2)];
    let mut tables = Box::new(Tables::new());
    let mut operated = Operated::new(&mut tables, first);
    for step in steps.iter().take(STEPS) {
        operated.meet(step);
        operated.check();
    }
    operated.wait(Duration::from_secs(1 + u64::from(u16::MAX)));
    operated.check();
    assert_eq!(operated.desk.poll_timeout(), None, "no trial is longer");
    assert!(Side::ALL.iter().all(|side| operated.bench.router.summary().adds_up(*side)));
}

/// A box with a stream, and its operator.
struct Operated<'t> {
    bench: Bench<'t>,
    desk: Box<Desk>,
    link: Box<Link>,
    recorder: Box<Recorder>,
    tally: Tally,
    nonces: u64,
    /// What it would start again with.
    kept: Vec<u8>,
    has_flash: bool,
    is_near: bool,
    /// Whether it was when what is on trial was applied.
    was_near: bool,
    stream: Stream,
    /// The operator's end of a conversation, unless somebody else has ended it.
    conversation: Option<Conversation>,
    /// The frames that the operator has sent.
    sent: Vec<Vec<u8>>,
}

impl<'t> Operated<'t> {
    fn new(tables: &'t mut Tables<SESSIONS>, blob: &[u8]) -> Self {
        let bench = Bench::new(tables, &decoded(blob));
        let mut desk = Box::new(Desk::new());
        desk.begin(bench.now, blob);
        Self {
            bench,
            desk,
            link: Box::new(Link::new()),
            recorder: Box::new(Recorder::new()),
            tally: Tally::default(),
            nonces: 0,
            kept: blob.to_vec(),
            has_flash: true,
            is_near: false,
            was_near: false,
            stream: Stream { sent: Vec::new(), has_room: true },
            conversation: None,
            sent: Vec::new(),
        }
    }

    fn meet(&mut self, step: &Step) {
        match *step {
            Step::Bytes(ref bytes) => self.overhear(bytes),
            Step::Frame { kind, ref content } => self.overhear(&framed(kind, content)),
            Step::Again(number) => {
                let frame = self.sent.get(usize::from(number)).cloned().unwrap_or_default();
                self.overhear(&frame);
            }
            Step::Greet => self.greet(),
            Step::Say(ref bytes) => self.say(bytes),
            Step::Offer(offer) => self.offer(offered(offer)),
            Step::Apply { offer, confirm, force } => {
                let offer = offered(offer);
                self.offer(offer);
                self.ask(&Request::Apply { length: offer.len() as u16, confirm, force });
            }
            Step::Confirm => self.ask(&Request::Confirm),
            Step::Revert => self.ask(&Request::Revert),
            Step::Packet(number) => {
                let (far, port) = ((remote(1), 53), 5000 + u16::from(number));
                match number % 4 {
                    0 => self.bench.arrive(Side::Wan, &udp((far.0, port), (OUTSIDE, FORWARDED), b"?")),
                    host => self.bench.arrive(Side::Lan, &udp((inside(host), port), far, b"?")),
                }
            }
            Step::Pause(seconds) => self.wait(Duration::from_secs(seconds.into())),
            Step::Room(has_room) => {
                self.stream.has_room = has_room;
                let Ok(()) = self.link.send(&mut self.stream);
                self.stream.sent.clear();
            }
            Step::Flash(has_flash) => self.has_flash = has_flash,
            Step::Near(is_near) => self.is_near = is_near,
        }
    }

    /// Without a trial, the box runs with what it would start again with.
    fn check(&self) {
        let running = self.desk.running().expect("something runs");
        assert!(self.desk.poll_timeout().is_some() || running == decoded(&self.kept));
    }

    fn wait(&mut self, time: Duration) {
        self.bench.wait(time);
        let is_due = self.desk.poll_timeout().is_some_and(|due| due <= self.bench.now);
        let mut reverted = false;
        self.within(|desk, around, _, _, _| reverted = desk.handle_timeout(around));
        assert_eq!(reverted, is_due);
    }

    /// Has something done with the desk in its surroundings.
    fn within<T>(
        &mut self,
        act: impl FnOnce(
            &mut Desk,
            &mut Surroundings<'_, 't, SESSIONS>,
            &mut Link,
            &mut Tally,
            &mut dyn FnMut() -> [u8; 8],
        ) -> T,
    ) -> T {
        let (kept, has_flash, is_near) = (&mut self.kept, self.has_flash, self.is_near);
        let can_force = if self.desk.poll_timeout().is_some() { self.was_near } else { is_near };
        let mut keep = |blob: &[u8]| {
            if !has_flash {
                return Kept::Failed;
            }
            assert!(is_allowed(kept, blob, can_force), "nobody but the signer configures the box");
            *kept = blob.to_vec();
            Kept::Yes
        };
        let mut around = Surroundings {
            now: self.bench.now,
            router: &mut self.bench.router,
            recorder: &mut self.recorder,
            interfaces: ["gw0", "gw1"],
            tally: self.tally,
            keep: &mut keep,
            is_near,
            log: &|from, buffer| {
                let rest = LOG.get(from as usize..).unwrap_or_default();
                let len = rest.len().min(buffer.len());
                buffer[..len].copy_from_slice(&rest[..len]);
                (from.min(LOG.len() as u64), len)
            },
        };
        let nonces = &mut self.nonces;
        let mut nonce = || {
            *nonces += 1;
            nonces.to_le_bytes()
        };
        act(&mut self.desk, &mut around, &mut self.link, &mut self.tally, &mut nonce)
    }

    /// Gives the box bytes as they come by the stream; what it sends.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = core::mem::replace(&mut self.stream, Stream { sent: Vec::new(), has_room: true });
        self.within(|desk, around, link, tally, nonce| {
            let mut hearing = Hearing {
                now: around.now,
                key: Some(&KEY),
                nonce: &mut || Some(nonce()),
                tally,
                answer: &mut |message, buffer| desk.answer(around, message, buffer),
            };
            for part in bytes.chunks(100) {
                link.hear(part, &mut hearing);
                let Ok(()) = link.send(&mut stream);
            }
        });
        let sent = core::mem::take(&mut stream.sent);
        self.stream = stream;
        sent
    }

    /// Gives it what does not bear the key.
    fn overhear(&mut self, bytes: &[u8]) {
        let before = (self.desk.running(), self.kept.clone(), self.tally.answered);
        let greeted = self.tally.greeted;
        self.hear(bytes);
        assert_eq!((self.desk.running(), self.kept.clone(), self.tally.answered), before);
        if self.tally.greeted > greeted {
            self.conversation = None;
        }
    }

    fn greet(&mut self) {
        self.conversation = None;
        let (mut content, tool) = ([0; MAX_CONTENT], (self.sent.len() as u64).to_be_bytes());
        let len = greeting::write(tool, &mut content);
        let Some((WELCOME, welcome)) = self.send(framed(HELLO, &content[..len])) else { return };
        let (_, own) = greeting::read(&welcome).expect("a greeting");
        self.conversation = Some(Conversation::new(&KEY, End::Tool, tool, own));
    }

    /// Sends a frame of the operator's; what is answered, unless there was no time or no room for it.
    fn send(&mut self, frame: Vec<u8>) -> Option<(u8, Vec<u8>)> {
        let is_heard = self.stream.has_room && !self.link.has_more();
        let throttled = self.tally.throttled;
        let answer = self.hear(&frame);
        self.sent.push(frame);
        if !is_heard || self.tally.throttled > throttled {
            return None;
        }
        let (mut reader, mut bytes) = (Reader::new(), &answer[..]);
        let (kind, content) = reader.next(&mut bytes, &mut 0).expect("an answer");
        assert!(bytes.is_empty(), "one answer");
        Some((kind, content.to_vec()))
    }

    /// Says something that bears the key.
    fn say(&mut self, message: &[u8]) {
        if self.conversation.is_none() {
            self.greet();
        }
        let Some(mut conversation) = self.conversation.take() else { return };
        if self.desk.poll_timeout().is_none() {
            self.was_near = self.is_near;
        }
        let message = &message[..message.len().min(MAX_MESSAGE)];
        let mut content = [0; MAX_CONTENT];
        content[NUMBER..NUMBER + message.len()].copy_from_slice(message);
        let len = conversation.seal(&mut content, message.len()).expect("there is room");
        let Some((SEALED, mut answer)) = self.send(framed(SEALED, &content[..len])) else { return };
        let response = conversation.open(&mut answer).expect("sealed by the box");
        postcard::from_bytes::<Response<'_>>(response).expect("a response");
        self.conversation = Some(conversation);
    }

    fn ask(&mut self, request: &Request<'_>) {
        let mut message = [0; MAX_MESSAGE];
        let message = postcard::to_slice(request, &mut message).expect("there is room");
        self.say(message);
    }

    fn offer(&mut self, offer: &[u8]) {
        for (at, part) in (0..).step_by(CHUNK).zip(offer.chunks(CHUNK)) {
            self.ask(&Request::Offer { at, bytes: part });
        }
    }
}

/// Whether a box that has one configuration may keep another.
fn is_allowed(before: &[u8], after: &[u8], can_force: bool) -> bool {
    let Some(signer) = decoded(before).control().and_then(|control| control.signer) else { return true };
    let opened = |bytes| signed::open(bytes).expect("decoded before");
    let sequence = |bytes| opened(bytes).seal.map(|seal| seal.sequence);
    let is_signed = opened(after).verify(&signer).is_ok();
    is_signed && (can_force || before == after || sequence(after) > sequence(before))
}

fn offered(number: u8) -> &'static [u8] {
    &OFFERS[usize::from(number) % OFFERS.len()]
}

fn decoded(blob: &[u8]) -> Config {
    signed::open(blob).and_then(|opened| opened.config()).expect("a sound configuration")
}

fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = [0; MAX_FRAME];
    let len = frame::write(kind, content, &mut bytes);
    bytes[..len].to_vec()
}

/// What the box sends, if there is room for it.
struct Stream {
    sent: Vec<u8>,
    has_room: bool,
}

impl embedded_io::ErrorType for Stream {
    type Error = std::convert::Infallible;
}

impl embedded_io::Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.sent.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl embedded_io::WriteReady for Stream {
    fn write_ready(&mut self) -> Result<bool, Self::Error> {
        Ok(self.has_room)
    }
}
