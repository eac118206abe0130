//! The control channel on the desk: who is heard, and what becomes of a configuration that is sent by it (A27).

use std::time::Duration;

use config::signed::MAX_SIGNED;
use control::frame::{self, MAX_CONTENT, MAX_FRAME, Reader};
use control::greeting::{self, HELLO, SEALED, WELCOME};
use control::message::{CHUNK, Filter, Refusal, Request, Response, Session};
use control::seal::{Conversation, End, Key, MAX_MESSAGE, NUMBER};
use control::{Hearing, Kept, Link, Surroundings, Tally};
use ed25519_dalek::{Signer as _, SigningKey};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use router::Side;
use sekisho_tests::{ALICE, BOB, DAVE, Desk, OUTSIDE, Packet, tcp, udp};

const KEY: Key = [7; 32];

const CONTROL: &str =
    "[control]\nkey = \"0707070707070707070707070707070707070707070707070707070707070707\"\n";

/// A box on the desk with a control channel, and what it would find on its flash.
struct Operated {
    desk: Desk,
    control: Box<control::Desk>,
    link: Link,
    tally: Tally,
    kept: Vec<Vec<u8>>,
    recorder: Box<router::Recorder>,
    nonces: u64,
    /// What becomes of what it is to keep.
    flash: Kept,
    /// Whether the stream is one at the box itself.
    is_near: bool,
}

/// The other end.
struct Tool {
    conversation: Conversation,
}

fn blob(more: &str) -> Vec<u8> {
    let text = format!("{}\n{more}\n{CONTROL}", Desk::configuration());
    provision::blob(&provision::compile(&text, "control.toml").unwrap())
}

const SSH: &str =
    "[[forward]]\nname = \"ssh\"\nprotocol = \"tcp\"\nexternal = \"2222\"\ninternal = \"192.0.2.1:22\"\n";

impl Operated {
    fn new() -> Self {
        Self::running(blob(""))
    }

    fn running(bytes: Vec<u8>) -> Self {
        let desk = Desk::new();
        let mut control = Box::new(control::Desk::new());
        control.begin(desk.now(), &bytes);
        let (link, tally) = (Link::new(), Tally::default());
        let recorder = Box::new(router::Recorder::new());
        Self {
            desk,
            control,
            recorder,
            link,
            tally,
            kept: vec![bytes],
            nonces: 0,
            flash: Kept::Yes,
            is_near: false,
        }
    }

    /// Gives it bytes as they come by a stream; what it sends.
    fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        let (kept, flash) = (&mut self.kept, self.flash);
        let mut keep = |blob: &[u8]| {
            if flash == Kept::Yes {
                kept.push(blob.to_vec());
            }
            flash
        };
        let mut around = Surroundings {
            now: self.desk.now(),
            router: &mut self.desk.router,
            recorder: &mut self.recorder,
            interfaces: ["gw0", "gw1"],
            tally: self.tally,
            keep: &mut keep,
            is_near: self.is_near,
            log: &|from, _| (from, 0),
        };
        let (control, nonces) = (&mut self.control, &mut self.nonces);
        let mut stream = Line(Vec::new());
        let mut hearing = Hearing {
            now: around.now,
            key: Some(&KEY),
            nonce: &mut || {
                *nonces += 1;
                Some(nonces.to_le_bytes())
            },
            tally: &mut self.tally,
            answer: &mut |message, buffer| control.answer(&mut around, message, buffer),
        };
        for part in bytes.chunks(256) {
            self.link.hear(part, &mut hearing);
            self.link.send(&mut stream).unwrap();
        }
        stream.0
    }

    /// Lets time pass, and does what is due then.
    fn wait(&mut self, time: Duration) {
        self.desk.wait(time);
        let mut around = Surroundings {
            now: self.desk.now(),
            router: &mut self.desk.router,
            recorder: &mut self.recorder,
            interfaces: ["gw0", "gw1"],
            tally: self.tally,
            keep: &mut |_| Kept::Failed,
            is_near: true,
            log: &|from, _| (from, 0),
        };
        if self.control.poll_timeout().is_some_and(|due| due <= around.now) {
            assert!(self.control.handle_timeout(&mut around));
        }
    }

    /// A packet from inside, as it leaves.
    fn send(&mut self, packet: &Packet) -> Packet {
        self.desk.arrive(Side::Lan, packet).remove(0).packet
    }

    fn running_config(&self) -> config::Config {
        self.control.running().unwrap()
    }

    fn has_ssh(&self) -> bool {
        self.running_config().forwards().iter().any(|forward| forward.name().as_str() == "ssh")
    }
}

/// A stream that has room for everything.
struct Line(Vec<u8>);

impl embedded_io::ErrorType for Line {
    type Error = std::convert::Infallible;
}

impl embedded_io::Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl embedded_io::WriteReady for Line {
    fn write_ready(&mut self) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

fn framed(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = [0; MAX_FRAME];
    let len = frame::write(kind, content, &mut bytes);
    bytes[..len].to_vec()
}

fn unframed(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut reader, mut bytes, mut frames) = (Reader::new(), bytes, Vec::new());
    while let Some((kind, content)) = reader.next(&mut bytes, &mut 0) {
        frames.push((kind, content.to_vec()));
    }
    frames
}

fn hello() -> Vec<u8> {
    let mut content = [0; MAX_CONTENT];
    let len = greeting::write([1; 8], &mut content);
    framed(HELLO, &content[..len])
}

impl Tool {
    /// Greets a box, with a key.
    fn meet(operated: &mut Operated, key: &Key) -> Self {
        let welcome = unframed(&operated.hear(&hello())).remove(0);
        assert_eq!(welcome.0, WELCOME);
        let (_, nonce) = greeting::read(&welcome.1).unwrap();
        Self { conversation: Conversation::new(key, End::Tool, [1; 8], nonce) }
    }

    fn sealed(&mut self, request: &Request<'_>) -> Vec<u8> {
        let mut content = [0; MAX_CONTENT];
        let len = postcard::to_slice(request, &mut content[NUMBER..NUMBER + MAX_MESSAGE]).unwrap().len();
        let len = self.conversation.seal(&mut content, len).unwrap();
        framed(SEALED, &content[..len])
    }

    /// Asks; what is made of the answer, if there is one.
    fn ask<T>(
        &mut self,
        operated: &mut Operated,
        request: &Request<'_>,
        read: impl FnOnce(Response<'_>) -> T,
    ) -> Option<T> {
        let sent = operated.hear(&self.sealed(request));
        let (kind, mut content) = unframed(&sent).pop()?;
        assert_eq!(kind, SEALED);
        let message = self.conversation.open(&mut content)?;
        Some(read(postcard::from_bytes(message).unwrap()))
    }

    /// Has something done; how many sessions it was done to.
    fn act(&mut self, operated: &mut Operated, request: &Request<'_>) -> Result<u32, Refusal> {
        let done = |response: Response<'_>| match response {
            Response::Done(sessions) => Ok(sessions),
            Response::Refused(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        };
        self.ask(operated, request, done).unwrap()
    }

    fn apply(&mut self, operated: &mut Operated, blob: &[u8], confirm: u16) -> Result<u32, Refusal> {
        for (part, at) in blob.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            self.act(operated, &Request::Offer { at, bytes: part })?;
        }
        self.act(operated, &Request::Apply { length: blob.len() as u16, confirm, force: false })
    }

    fn sessions(&mut self, operated: &mut Operated, filter: Filter) -> Vec<Session> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(number) = from {
            let request = Request::Sessions { from: number, filter };
            from = self
                .ask(operated, &request, |response| match response {
                    Response::Sessions(next, part) => {
                        all.extend(part);
                        next
                    }
                    other => panic!("{other:?}"),
                })
                .unwrap();
        }
        all
    }
}

#[test]
fn a27_only_who_has_the_key_is_answered() {
    let mut operated = Operated::new();
    let is_status = |response: Response<'_>| matches!(response, Response::Status(_));
    let mut stranger = Tool::meet(&mut operated, &[8; 32]);
    assert_eq!(stranger.ask(&mut operated, &Request::Status, is_status), None);
    let mut tool = Tool::meet(&mut operated, &KEY);
    assert_eq!(tool.ask(&mut operated, &Request::Status, is_status), Some(true));
    assert_eq!((operated.tally.greeted, operated.tally.answered, operated.tally.unopened), (2, 1, 1));
}

#[test]
fn a27_a_recorded_conversation_is_good_for_nothing() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    let with_ssh = blob(SSH);
    let offer = tool.sealed(&Request::Offer { at: 0, bytes: &with_ssh });
    let apply = tool.sealed(&Request::Apply { length: with_ssh.len() as u16, confirm: 60, force: false });
    let recorded = [hello(), offer, apply];
    recorded[1..].iter().for_each(|frame| drop(operated.hear(frame)));
    assert!(operated.has_ssh());
    operated.wait(Duration::from_secs(61));
    assert!(!operated.has_ssh());

    // Again in the same conversation, and again from the greeting on.
    recorded[1..].iter().chain(&recorded).for_each(|frame| drop(operated.hear(frame)));
    assert!(!operated.has_ssh());
    assert_eq!((operated.tally.answered, operated.tally.unopened), (2, 3));
}

#[test]
fn an_answer_that_was_lost_is_sent_again_and_nothing_is_done_twice() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    let with_ssh = blob(SSH);
    tool.act(&mut operated, &Request::Offer { at: 0, bytes: &with_ssh }).unwrap();
    let apply = tool.sealed(&Request::Apply { length: with_ssh.len() as u16, confirm: 0, force: false });
    let answers = [(); 3].map(|()| operated.hear(&apply));
    assert!(!answers[0].is_empty() && answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!((operated.kept.len(), operated.tally.answered), (2, 2));
}

#[test]
fn a27_a_million_fuzzed_frames_change_nothing_but_counters() {
    // Given a connection that outlives the test ...
    let mut operated = Operated::new();
    let external = operated.send(&tcp("S", ALICE.port(5000), BOB.port(80))).source();
    operated.desk.arrive(Side::Wan, &tcp("S.", BOB.port(80), external));
    operated.send(&tcp(".", ALICE.port(5000), BOB.port(80)));
    // ... when frames come that were made of good ones, by the million ...
    let mut tool = Tool::meet(&mut operated, &KEY);
    let requests = [
        Request::Revert,
        Request::Apply { length: 0, confirm: 0, force: false },
        Request::Offer { at: 0, bytes: &[0; 300] },
        Request::Sessions { from: 0, filter: Filter::default() },
    ];
    let contents: Vec<Vec<u8>> = requests.iter().map(|it| unframed(&tool.sealed(it)).remove(0).1).collect();
    let mut random = StdRng::seed_from_u64(6);
    let mut stream = Vec::new();
    for _ in 0..1_000_000 {
        let mut content = contents[random.random_range(0..contents.len())].clone();
        content[random.random_range(0..20)] ^= 1 << random.random_range(0..8);
        match random.random_range(0..4) {
            // A frame as it should be, about nothing; one that is damaged; bytes.
            0 | 1 => stream.extend(framed(random.random_range(0..5), &content)),
            2 => {
                let mut damaged = framed(SEALED, &content);
                let at = random.random_range(0..damaged.len());
                damaged[at] = random.random();
                stream.extend(damaged);
            }
            _ => stream.extend((0..8).map(|_| random.random::<u8>() >> random.random_range(0..8))),
        }
        if stream.len() > 4_000 {
            operated.desk.wait(Duration::from_millis(70));
            operated.hear(&stream);
            stream.clear();
        }
    }
    // ... then they were counted.
    assert_eq!(operated.tally.answered, 0, "{:?}", operated.tally);
    assert!(operated.tally.unopened > 100_000 && operated.tally.strays > 100_000, "{:?}", operated.tally);
    assert_eq!(operated.kept.len(), 1);
    assert_eq!(operated.desk.router.sessions(operated.desk.now()).count(), 1);
    let mut tool = Tool::meet(&mut operated, &KEY);
    assert!(tool.ask(&mut operated, &Request::Status, |_| ()).is_some());
}

#[test]
fn what_comes_too_fast_is_counted_and_forgotten() {
    let mut operated = Operated::new();
    for _ in 0..3_000 {
        operated.hear(&hello());
    }
    let Tally { greeted, throttled, .. } = operated.tally;
    assert_eq!((greeted, throttled), (1_000, 2_000));
    operated.wait(Duration::from_secs(1));
    Tool::meet(&mut operated, &KEY);
}

#[test]
fn what_is_not_confirmed_in_time_is_taken_back_and_never_was_on_the_flash() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    let session = operated.send(&udp(ALICE.port(5000), BOB.port(53))).source();
    assert_eq!(tool.apply(&mut operated, &blob(SSH), 60), Ok(0));
    assert!(operated.has_ssh());
    // Another has to wait for what becomes of it.
    assert_eq!(tool.apply(&mut operated, &blob(""), 0), Err(Refusal::Pending));
    operated.wait(Duration::from_millis(59_999));
    assert!(operated.has_ssh());
    operated.wait(Duration::from_millis(1));
    assert!(!operated.has_ssh());
    assert_eq!(operated.kept.len(), 1, "a power cut at any moment would have brought back what was before");
    assert_eq!(tool.act(&mut operated, &Request::Confirm), Err(Refusal::NothingPending));
    assert_eq!(operated.send(&udp(ALICE.port(5000), BOB.port(53))).source(), session);
}

#[test]
fn what_is_confirmed_is_kept_and_applied_again_changes_nothing() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    let with_ssh = blob(SSH);
    tool.apply(&mut operated, &with_ssh, 60).unwrap();
    assert_eq!(tool.act(&mut operated, &Request::Confirm), Ok(0));
    operated.wait(Duration::from_secs(3_600));
    assert!(operated.has_ssh());
    for confirm in [0, 60] {
        assert_eq!(tool.apply(&mut operated, &with_ssh, confirm), Ok(0));
    }
    assert_eq!(operated.kept, [blob(""), with_ssh]);
    assert_eq!(tool.act(&mut operated, &Request::Revert), Err(Refusal::NothingPending));
}

#[test]
fn what_runs_is_not_applied_again_where_nothing_is_kept_either() {
    let mut operated = Operated::new();
    operated.flash = Kept::Nowhere;
    let mut tool = Tool::meet(&mut operated, &KEY);
    for (confirm, changes) in [(0, true), (0, false), (60, false)] {
        assert_eq!(tool.apply(&mut operated, &blob(SSH), confirm), Ok(0));
        assert_eq!(operated.control.take_change(), changes);
        assert_eq!(operated.control.poll_timeout(), None);
    }
}

#[test]
fn what_the_flash_does_not_take_is_not_applied_for_good() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    operated.flash = Kept::Failed;
    assert_eq!(tool.apply(&mut operated, &blob(SSH), 0), Err(Refusal::NotKept));
    assert!(!operated.has_ssh());
    tool.apply(&mut operated, &blob(SSH), 60).unwrap();
    assert_eq!(tool.act(&mut operated, &Request::Confirm), Err(Refusal::NotKept));
    operated.wait(Duration::from_secs(61));
    assert!(!operated.has_ssh());
}

#[test]
fn a_forward_that_goes_takes_just_its_sessions_with_it() {
    let mut operated = Operated::running(blob(SSH));
    operated.desk.reconfigure(&format!("{}\n{SSH}", Desk::configuration()));
    let mut tool = Tool::meet(&mut operated, &KEY);
    operated.desk.arrive(Side::Wan, &tcp("S", BOB.port(40_000), OUTSIDE.port(2222)));
    operated.desk.arrive(Side::Wan, &tcp("S", BOB.port(40_001), OUTSIDE.port(54321)));
    operated.send(&udp(DAVE.port(5000), BOB.port(53)));
    let without = blob("");
    tool.act(&mut operated, &Request::Offer { at: 0, bytes: &without }).unwrap();
    assert_eq!(tool.act(&mut operated, &Request::Try { length: without.len() as u16, force: false }), Ok(1));
    assert_eq!(tool.apply(&mut operated, &without, 0), Ok(1));
    let left = tool.sessions(&mut operated, Filter::default());
    let mut left: Vec<_> = left.iter().map(|session| session.internal.1).collect();
    left.sort_unstable();
    assert_eq!(left, [5000, 54321]);
}

#[test]
fn what_is_no_configuration_for_this_box_is_refused_by_name() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    let mut damaged = blob("");
    damaged[20] ^= 1;
    assert_eq!(tool.apply(&mut operated, &damaged, 0), Err(Refusal::Invalid));
    let other = String::from_utf8_lossy(Desk::configuration().as_bytes()).replace("\"gw1\"", "\"eth7\"");
    let other = provision::blob(&provision::compile(&other, "other.toml").unwrap());
    assert_eq!(tool.apply(&mut operated, &other, 0), Err(Refusal::OtherInterfaces));
    let whole = blob(SSH);
    tool.act(&mut operated, &Request::Offer { at: 0, bytes: &whole[..50] }).unwrap();
    let apply = Request::Apply { length: whole.len() as u16, confirm: 0, force: false };
    assert_eq!(tool.act(&mut operated, &apply), Err(Refusal::NotWhole));
    assert_eq!(tool.act(&mut operated, &Request::Offer { at: 60, bytes: &[1] }), Err(Refusal::NotWhole));
    let flood = vec![0; MAX_SIGNED + 1];
    assert_eq!(tool.apply(&mut operated, &flood, 0), Err(Refusal::NotWhole));
    assert_eq!(operated.kept.len(), 1);
}

#[test]
fn a27_a_box_that_knows_a_signer_takes_only_what_is_newer_and_signed_by_it() {
    let [signer, other] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let public: String = signer.verifying_key().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = |by: &SigningKey, sequence: u32, more: &str| {
        let text = format!("{}\n{more}\n{CONTROL}signer = \"{public}\"\n", Desk::configuration());
        let blob = provision::blob(&provision::compile(&text, "signed.toml").unwrap());
        let covered = [b"SKSG", &sequence.to_le_bytes()[..], &blob].concat();
        [&covered[..], &by.sign(&covered).to_bytes()].concat()
    };
    let mut operated = Operated::running(signed(&signer, 5, ""));
    let mut tool = Tool::meet(&mut operated, &KEY);
    assert_eq!(tool.apply(&mut operated, &blob(SSH), 0), Err(Refusal::NotSigned));
    assert_eq!(tool.apply(&mut operated, &signed(&other, 6, SSH), 0), Err(Refusal::WrongSigner));
    for sequence in [4, 5] {
        assert_eq!(tool.apply(&mut operated, &signed(&signer, sequence, SSH), 0), Err(Refusal::NotNewer));
    }
    assert!(!operated.has_ssh() && operated.kept.len() == 1);
    assert_eq!(tool.apply(&mut operated, &signed(&signer, 6, SSH), 0), Ok(0));
    assert!(operated.has_ssh());
    assert_eq!(tool.apply(&mut operated, &signed(&signer, 5, ""), 0), Err(Refusal::NotNewer));

    // Who is at the box itself can have an older one, but none of somebody else's.
    let force = |length: usize| Request::Apply { length: length as u16, confirm: 0, force: true };
    let older = signed(&signer, 5, "");
    tool.act(&mut operated, &Request::Offer { at: 0, bytes: &older }).unwrap();
    assert_eq!(tool.act(&mut operated, &force(older.len())), Err(Refusal::NotHere));
    operated.is_near = true;
    assert_eq!(tool.act(&mut operated, &force(older.len())), Ok(0));
    assert!(!operated.has_ssh());
    let others = signed(&other, 4, SSH);
    tool.act(&mut operated, &Request::Offer { at: 0, bytes: &others }).unwrap();
    assert_eq!(tool.act(&mut operated, &force(others.len())), Err(Refusal::WrongSigner));
}

#[test]
fn sessions_are_listed_whole_by_filter_and_ended_one_by_one() {
    let mut operated = Operated::new();
    let mut tool = Tool::meet(&mut operated, &KEY);
    for port in 0..100 {
        operated.send(&udp(ALICE.port(2000 + port), BOB.port(53)));
    }
    operated.send(&tcp("S", DAVE.port(6000), BOB.port(80)));
    assert_eq!(tool.sessions(&mut operated, Filter::default()).len(), 101);
    let of = |protocol, address: Option<sekisho_tests::Host>, port| Filter {
        protocol,
        address: address.map(|host| host.0.octets()),
        port,
    };
    assert_eq!(tool.sessions(&mut operated, of(Some(6), None, None)).len(), 1);
    assert_eq!(tool.sessions(&mut operated, of(None, Some(DAVE), None)).len(), 1);
    assert_eq!(tool.sessions(&mut operated, of(None, Some(BOB), None)).len(), 101);
    let [session] = tool.sessions(&mut operated, of(Some(17), Some(ALICE), Some(2050)))[..] else { panic!() };
    let other = Session { external: session.external ^ 1, ..session };
    assert_eq!(tool.act(&mut operated, &Request::Kill(other)), Err(Refusal::NoSession));
    assert_eq!(tool.act(&mut operated, &Request::Kill(session)), Ok(1));
    assert_eq!(tool.act(&mut operated, &Request::Kill(session)), Err(Refusal::NoSession));
    assert_eq!(tool.sessions(&mut operated, Filter::default()).len(), 100);
    let nowhere = Session { number: u32::MAX, ..session };
    assert_eq!(tool.act(&mut operated, &Request::Kill(nowhere)), Err(Refusal::NoSession));
}
