//! What is said: requests and responses, in postcard's encoding. Order and type of every field are the protocol: a change is another
//! [`PROTOCOL`], and box and tool speak only if they agree on it.
//!
//! The box tells numbers. What they are called, and everything else that the configuration says, the tool has from the
//! configuration itself, which it asks for. Long answers come in parts: a response says from where to ask on.

use heapless::Vec;
use serde::{Deserialize, Serialize};

use crate::link::Tally;
use crate::seal::MAX_MESSAGE;

/// The number of the protocol.
pub const PROTOCOL: u8 = 1;

/// How many sessions one response has, how many hosts, and how many rules or forwards.
pub const SESSIONS_EACH: usize = 24;
/// See above.
pub const HOSTS_EACH: usize = 48;
/// See above.
pub const USES_EACH: usize = 32;

/// How many bytes of text or of a configuration go with one message.
pub const CHUNK: usize = MAX_MESSAGE - 16;

/// What the tool asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request<'a> {
    /// How is the box?
    Status,
    /// Which sessions are there? Looks on from a number that the response before has told, at first 0.
    Sessions {
        /// The number.
        from: u32,
        /// Which of them.
        filter: Filter,
    },
    /// End a session.
    Kill(Session),
    /// How much have the hosts inside? Likewise.
    Hosts(u16),
    /// What have the filter rules had to do? Likewise.
    Rules(u16),
    /// How often was each forward wanted? Likewise.
    Forwards(u16),
    /// What became of every frame that came in by the lan (0) or the wan (1)?
    Counters(u8),
    /// What did the box log, from a byte on that the response before has told, at first 0?
    Log(u64),
    /// Record frames for a while from now on; which have been recorded, from a number on, at first 0?
    Frames {
        /// The number.
        from: u64,
        /// Which are to be recorded.
        filter: Filter,
        /// Only those that are not sent on.
        stopped: bool,
    },
    /// What configuration runs, from a byte on?
    Running(u16),
    /// Take this part of a configuration, to be tried or applied when it is whole.
    Offer {
        /// Where it begins.
        at: u16,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// What would become of the sessions, if the configuration that was offered were applied?
    Try {
        /// Its length.
        length: u16,
        /// Even if it is older than what the box has; only at the box itself.
        force: bool,
    },
    /// Apply it.
    Apply {
        /// Its length.
        length: u16,
        /// Take it back after so many seconds, unless it is confirmed; never, if 0.
        confirm: u16,
        /// As above.
        force: bool,
    },
    /// Keep what was applied.
    Confirm,
    /// Take it back now.
    Revert,
}

/// What the box answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them at a time, and nothing to put it apart in"
)]
pub enum Response<'a> {
    /// How it is.
    Status(Status<'a>),
    /// Some sessions, and from where to ask on, if there may be more.
    Sessions(Option<u32>, Vec<Session, SESSIONS_EACH>),
    /// Some hosts, likewise.
    Hosts(Option<u16>, Vec<Host, HOSTS_EACH>),
    /// What some rules, or forwards, have had to do, likewise; in the order of the configuration.
    Uses(Option<u16>, Vec<Use, USES_EACH>),
    /// What became of frames.
    Counters(Counters),
    /// A part of the log, and from which byte to ask on.
    Log(u64, &'a [u8]),
    /// From which number on to ask for more, and frames, one [`Frame`] after the other.
    Frames(u64, &'a [u8]),
    /// A part of the running configuration, and how long all of it is.
    Running(u16, &'a [u8]),
    /// That was done; of so many sessions.
    Done(u32),
    /// That was not, and why.
    Refused(Refusal),
}

/// Why the box did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// It did not understand.
    Unknown,
    /// What was offered is longer than any configuration, or was not all offered.
    NotWhole,
    /// It is no valid configuration.
    Invalid,
    /// It is for other interfaces than those which the box has taken: only a restart changes them.
    OtherInterfaces,
    /// Another configuration waits to be confirmed.
    Pending,
    /// There is none to confirm or to take back.
    NothingPending,
    /// The box takes only configurations that are signed.
    NotSigned,
    /// It is signed by another key.
    WrongSigner,
    /// It is not newer than what the box has.
    NotNewer,
    /// That can be had at the box itself alone, not from the lan.
    NotHere,
    /// It could not be written to where the box will look for it when it starts again.
    NotKept,
    /// There is no such session, any more.
    NoSession,
}

/// Which sessions, or frames, are asked for: all that have whatever is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The protocol's number.
    pub protocol: Option<u8>,
    /// An address, inside or outside.
    pub address: Option<[u8; 4]>,
    /// A port, of any of the endpoints.
    pub port: Option<u16>,
}

/// How the box is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status<'a> {
    /// Its program's version.
    pub version: &'a str,
    /// The newest schema of configurations that it takes.
    pub schema: u16,
    /// What its clock says, by which it tells everything else: milliseconds since its machine was switched on.
    pub now: u64,
    /// When it began to forward.
    pub began: u64,
    /// The lan and the wan.
    pub sides: [Side<'a>; 2],
    /// Sessions now, and at most since it began.
    pub sessions: u32,
    /// See above.
    pub most: u32,
    /// Mappings now, those that cool included.
    pub mappings: u32,
    /// How many of each there is room for.
    pub capacity: u32,
    /// How many milliseconds are left to confirm the configuration.
    pub pending: Option<u64>,
    /// Whether the configuration that runs is the one with which it will start again.
    pub is_kept: bool,
    /// What it has heard by this channel.
    pub heard: Tally,
}

/// One side of the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side<'a> {
    /// The interface.
    pub interface: &'a str,
    /// The largest packet that its link carries.
    pub mtu: u16,
    /// Frames that came in by it.
    pub received: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that were sent on.
    pub forwarded: u64,
}

/// A session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Where it is in the table.
    pub number: u32,
    /// The protocol's number.
    pub protocol: u8,
    /// The internal endpoint.
    pub internal: ([u8; 4], u16),
    /// The external port.
    pub external: u16,
    /// As much of the remote end as it keeps.
    pub remote: Option<([u8; 4], Option<u16>)>,
    /// How it began: inside, outside and not answered yet, outside.
    pub begun: u8,
    /// Where its connection stands, if it is TCP's: the place in [`napt::TcpState::ALL`].
    pub state: Option<u8>,
    /// For how many milliseconds it may idle yet.
    pub left: u64,
}

/// A host inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// Its address.
    pub address: [u8; 4],
    /// The sessions that it has begun and that live.
    pub sessions: u32,
    /// The most that it has had.
    pub most: u32,
}

/// What a rule or a forward has had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// First packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the last was, by the box's clock.
    pub last: Option<u64>,
}

/// A frame that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame<'a> {
    /// Its number; where some are missing, there was no room for them, or nobody had asked for them in time.
    pub number: u64,
    /// When it came, by the box's clock.
    pub at: u64,
    /// By which side it came, lan (0) or wan (1); by none, if it is the box's own.
    pub came: Option<u8>,
    /// By which side it left, if it was sent on as it lay.
    pub left: Option<u8>,
    /// What became of it: forwarded, ARP, for the box, held, rejected, dropped.
    pub verdict: u8,
    /// For which reason, for the last two.
    pub reason: &'a str,
    /// How long it was.
    pub len: u32,
    /// Its beginning, as it came.
    pub frame: &'a [u8],
    /// Its beginning, as it left.
    pub sent: &'a [u8],
}

/// What became of the frames that came in by one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All of them.
    pub received: u64,
    /// Their bytes.
    pub bytes: u64,
    /// ARP for the box.
    pub arp: u64,
    /// Packets for the box.
    pub local: u64,
    /// Packets sent on.
    pub forwarded: u64,
    /// Packets that wait now.
    pub held: u64,
    /// What the box wanted to say itself and did not.
    pub suppressed: u64,
    /// By each of [`router::Refusal::ALL`].
    pub refused: Vec<u64, { router::Refusal::COUNT }>,
    /// By each of [`napt::RejectReason::ALL`].
    pub rejected: Vec<u64, { napt::RejectReason::COUNT }>,
    /// By each of [`napt::DropReason::ALL`].
    pub dropped: Vec<u64, { napt::DropReason::COUNT }>,
}
