//! The quick way: whole packets of established sessions, which is to say nearly all of them.
//!
//! A packet goes this way if there is nothing to decide about it: its session is known and alive, it may go one hop
//! further, and it moves no state. Then it is three steps: find the session, take note of the packet, rewrite. Whatever
//! is special about a packet leads to `ways`, where it is taken apart again and every case has its name. Here are no
//! reasons and no errors, so that each way of each kind of packet becomes one run of instructions in which nothing is
//! called.

use crate::Realm;
use crate::checksum::Delta;
use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::packet::{self, Checksum, HEADER, Shape, word};
use crate::rewrite::{self, Rewrite};
use crate::session::Session;
use crate::tcp::{Direction, Flags, State};
use crate::time::Instant;
use crate::transit;
use crate::transport::{self, Ports, Tcp, Transport, Udp};
use crate::verdict::Verdict;

/// Packets that may go the quick way.
pub(crate) trait Plain {
    /// What they are to `ways`.
    type Careful: Transport;

    /// The ports of a transport header, and how many bytes of data follow it, if it is sound.
    fn ports(payload: &[u8]) -> Option<(Ports, usize)>;

    /// Changes that header and its checksum, where the change of addresses comes to `addresses`.
    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum);

    /// Takes note of the packet, if that is all that its session has to do; false, and nothing done, where it may be more.
    fn track(session: &mut Session, direction: Direction, payload: &[u8], data_len: usize) -> bool;
}

impl Plain for Udp {
    type Careful = Self;

    #[inline(always)]
    fn ports(payload: &[u8]) -> Option<(Ports, usize)> {
        let udp = payload.first_chunk::<8>()?;
        let length = usize::from(word(udp, 4));
        let is_sound = udp.len() <= length && length <= payload.len();
        Some((Ports::of(udp).filter(|_| is_sound)?, payload.len() - udp.len()))
    }

    #[inline(always)]
    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
        <Self as Transport>::rewrite(payload, rewrite, addresses, checksum);
    }

    #[inline(always)]
    fn track(session: &mut Session, _: Direction, _: &[u8], _: usize) -> bool {
        session.is_answered()
    }
}

/// TCP segments with no flag but ACK that tracking looks at.
pub(crate) struct Data;

impl Plain for Data {
    type Careful = Tcp;

    #[inline(always)]
    fn ports(payload: &[u8]) -> Option<(Ports, usize)> {
        let (tcp, header_len) = transport::split_tcp(payload)?;
        // If one is zero there is no session, because each keeps both.
        Some((Ports::any(tcp), payload.len() - header_len))
    }

    #[inline(always)]
    fn rewrite(payload: &mut [u8], rewrite: &Rewrite, addresses: Delta, checksum: Checksum) {
        let Some(header) = payload.first_chunk_mut() else { return };
        rewrite::tcp(header, rewrite, addresses, checksum);
    }

    #[inline(always)]
    fn track(session: &mut Session, direction: Direction, payload: &[u8], data_len: usize) -> bool {
        let Some(tcp) = payload.first_chunk() else { return false };
        let segment = transport::segment(Flags::Ack, tcp, &[], data_len);
        session.state == State::Established && session.streams.take_data(direction, &segment)
    }
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Takes a packet from inside.
    #[inline(always)]
    pub(crate) fn outbound_quickly<P: Plain>(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let destination = packet::destination(header);
        let may_pass = destination != self.external && transit::passes(header, self.mtu(Realm::External));
        let Some((ports, data_len)) = P::ports(payload).filter(|_| may_pass) else {
            return self.outbound::<P::Careful>(now, header, payload, shape);
        };
        let internal = Endpoint::new(packet::source(header), ports.source);
        let remote = Endpoint::new(destination, ports.destination);
        let slot = match self.recall_outbound(P::Careful::PROTOCOL, internal, remote) {
            Some(slot) => slot,
            None => match self.seek_outbound(P::Careful::PROTOCOL, internal, remote) {
                (_, Some(slot)) => slot,
                sought => return self.outbound_sought::<P::Careful>(now, sought, header, payload, shape),
            },
        };
        let session = self.tables.sessions.at_mut(slot);
        if session.has_expired(now) || !P::track(session, Direction::Outbound, payload, data_len) {
            return self.outbound::<P::Careful>(now, header, payload, shape);
        }
        session.refresh(now, self.idle.millis(P::Careful::PROTOCOL, State::Established));
        let source = Some(Endpoint::new(self.external, session.external()));
        let rewrite = Rewrite { source, ..Rewrite::default() };
        let addresses = rewrite::header(&rewrite, header);
        P::rewrite(payload, &rewrite, addresses, shape.checksum);
        if !packet::must_stay_whole(header) && shape.segment.is_none() {
            self.identify(header);
        }
        self.forwarded(Realm::Internal, Realm::External)
    }

    /// Takes a packet from outside.
    #[inline(always)]
    pub(crate) fn inbound_quickly<P: Plain>(
        &mut self,
        now: Instant,
        header: &mut [u8; HEADER],
        payload: &mut [u8],
        shape: Shape,
    ) -> Verdict {
        let is_ours = packet::destination(header) == self.external;
        let may_pass = is_ours && transit::passes(header, self.mtu(Realm::Internal));
        let Some((ports, data_len)) = P::ports(payload).filter(|_| may_pass) else {
            return self.inbound::<P::Careful>(now, header, payload, shape);
        };
        let remote = Endpoint::new(packet::source(header), ports.source);
        let found = match self.recall_inbound(P::Careful::PROTOCOL, ports.destination, remote) {
            None => self.seek_inbound(P::Careful::PROTOCOL, ports.destination, remote),
            found => found,
        };
        let Some(slot) = found else {
            return self.inbound_sought::<P::Careful>(now, found, header, payload, shape);
        };
        let session = self.tables.sessions.at_mut(slot);
        if session.has_expired(now) || !P::track(session, Direction::Inbound, payload, data_len) {
            return self.inbound_sought::<P::Careful>(now, found, header, payload, shape);
        }
        let rewrite = Rewrite { destination: Some(session.internal()), ..Rewrite::default() };
        let addresses = rewrite::header(&rewrite, header);
        P::rewrite(payload, &rewrite, addresses, shape.checksum);
        self.forwarded(Realm::External, Realm::Internal)
    }
}
