//! The sequence numbers of the connections that the steps make, so that they are as real hosts would send them.
//!
//! A segment that was not forwarded was never sent; a SYN that follows a SYN is a retry; one that follows anything
//! else begins anew, far ahead of what was there before. Everything stays within the windows that the packets state.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use host_sim::oracle::streams::Streams;
use sekisho_tests::Packet;

/// The ends of a connection as its internal host sees them: its own, and its peer's.
pub(crate) type Ends = (SocketAddrV4, SocketAddrV4);

/// Who of the two speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    Own = 0,
    Peer = 1,
}

impl Speaker {
    fn other(self) -> Self {
        if self == Self::Own { Self::Peer } else { Self::Own }
    }
}

/// What one side has sent: where it began, and what comes next.
#[derive(Clone, Copy, Default)]
struct Sent {
    first: u32,
    next: u32,
}

/// All connections.
#[derive(Default)]
pub(crate) struct Sequences {
    connections: BTreeMap<Ends, [Sent; 2]>,
    /// Hairpinned ones have two views: the receiver's, to the sender's.
    aliases: BTreeMap<Ends, Ends>,
}

impl Sequences {
    /// Notes that a receiver's view is a connection that its sender sees otherwise.
    pub(crate) fn alias(&mut self, receiver: Ends, sender: Ends) {
        if receiver != sender && !self.aliases.contains_key(&sender) {
            self.aliases.insert(receiver, sender);
        }
    }

    /// Gives a TCP segment its numbers.
    pub(crate) fn number(&self, ends: Ends, speaker: Speaker, packet: Packet) -> Packet {
        let (ends, speaker) = self.resolve(ends, speaker);
        let sent = self.connections.get(&ends).copied().unwrap_or_default();
        let (mine, theirs) = (sent[speaker as usize], sent[speaker.other() as usize]);
        let (sequence, _) = span(mine, &packet);
        let acknowledged = if flags(&packet) & ACK == 0 { 0 } else { theirs.next };
        let mut packet = packet.changed(|bytes| {
            bytes[24..28].copy_from_slice(&sequence.to_be_bytes());
            bytes[28..32].copy_from_slice(&acknowledged.to_be_bytes());
        });
        packet.fix_transport();
        packet
    }

    /// Notes that the segment has been sent.
    pub(crate) fn sent(&mut self, ends: Ends, speaker: Speaker, packet: &Packet) {
        let (ends, speaker) = self.resolve(ends, speaker);
        let mine = &mut self.connections.entry(ends).or_default()[speaker as usize];
        let (first, next) = span(*mine, packet);
        *mine = Sent { first: if flags(packet) & SYN == 0 { mine.first } else { first }, next };
    }

    /// What the oracle knows of a connection's streams, from where the connection is.
    pub(crate) fn relative(&self, ends: Ends, streams: Streams) -> Streams {
        let (ends, speaker) = self.resolve(ends, Speaker::Own);
        let sent = self.connections.get(&ends).copied().unwrap_or_default();
        let (own, peer) = (sent[speaker as usize].next, sent[speaker.other() as usize].next);
        let from = |numbers: [u32; 2], [own, peer]: [u32; 2]| {
            [numbers[0].wrapping_sub(own), numbers[1].wrapping_sub(peer)]
        };
        let mut streams = streams;
        (streams.next, streams.acked) = (from(streams.next, [own, peer]), from(streams.acked, [peer, own]));
        streams
    }

    /// Which sides have sent no more than a SYN: what they send next is the same.
    pub(crate) fn repeated(&self) -> Vec<(Ends, [bool; 2])> {
        let begun = |sent: Sent| sent.next == sent.first.wrapping_add(1);
        let begun = self.connections.iter().map(|(ends, sent)| (*ends, sent.map(begun)));
        begun.filter(|(_, sides)| *sides != [false; 2]).collect()
    }

    fn resolve(&self, ends: Ends, speaker: Speaker) -> (Ends, Speaker) {
        self.aliases.get(&ends).map_or((ends, speaker), |sender| (*sender, speaker.other()))
    }
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

fn flags(packet: &Packet) -> u8 {
    packet.transport()[13]
}

/// The first number of a segment, and the number after its last.
fn span(sent: Sent, packet: &Packet) -> (u32, u32) {
    let retry = sent.next == sent.first.wrapping_add(1);
    let first = match flags(packet) & SYN != 0 {
        true if retry => sent.first,
        true => sent.next.wrapping_add(100_000),
        false => sent.next,
    };
    let flags = u32::from(flags(packet) & SYN != 0) + u32::from(flags(packet) & FIN != 0);
    (first, first.wrapping_add(flags).wrapping_add(packet.payload().len() as u32))
}
