//! What is for the box itself: put together if it came in fragments, answered, counted.

use config::Config;
use napt::policy::Way;
use napt::{DropReason, Instant, Verdict};
use smoltcp::wire::Ipv4Packet;

use super::{ETHERNET, Router, lan_port};
use crate::connections::{Connection, Connections};
use crate::counters::Refusal;
use crate::fragments::{self, Datagram};
use crate::icmp::Complaint;
use crate::local::Served;
use crate::port::{Disposition, Side};
use crate::reassembly::{Added, Expired, Fragment, Lost};
use crate::{echo, frames, local};

impl<'t, const SESSIONS: usize> Router<'t, SESSIONS> {
    /// Takes a packet for the box that `side` received: a whole one, or a fragment of `datagram`.
    #[cold]
    #[inline(never)]
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        side: Side,
        datagram: Option<Datagram>,
        packet: &mut [u8],
    ) -> Result<Disposition, Refusal> {
        let Some(datagram) = datagram else {
            self.serve(now, side, packet)?;
            self.port(side).counters.local += 1;
            return Ok(Disposition::Done);
        };
        let disposition = self.gather(now, datagram, packet);
        // On the wan, the first fragment tells that the others are for the box, too.
        self.release_early(now, datagram);
        disposition
    }

    /// Hears a broadcast. Nothing in the box listens to any, pings may be ignored (RFC 1812 s.4.3.3.6), and no error is
    /// ever sent about one (RFC 1122 s.3.2.2).
    #[cold]
    pub(super) fn hear(&mut self, side: Side) -> Result<Disposition, Refusal> {
        self.port(side).counters.local += 1;
        Ok(Disposition::Done)
    }

    /// Puts a fragment to the others of its datagram, and serves the datagram when it is whole.
    pub(super) fn gather(
        &mut self,
        now: Instant,
        datagram: Datagram,
        packet: &[u8],
    ) -> Result<Disposition, Refusal> {
        let side = datagram.side();
        let Some(fragment) = Fragment::read(packet) else {
            self.engine.count(side.realm(), Verdict::Drop(DropReason::FragmentShape));
            return Ok(Disposition::Done);
        };
        if let Some(lost) = self.reassembly.open(now, datagram) {
            self.lose_gathered(lost);
        }
        match self.reassembly.add(datagram, &fragment) {
            Added::Waits => self.port(side).counters.held += 1,
            Added::Whole => return self.serve_gathered(now, datagram),
            Added::Lost(lost) => {
                self.lose_gathered(lost);
                self.engine.count(side.realm(), Verdict::Drop(lost.reason));
            }
        }
        Ok(Disposition::Done)
    }

    /// Serves a datagram that is whole. Its last fragment is counted like any packet, the others with it.
    fn serve_gathered(&mut self, now: Instant, datagram: Datagram) -> Result<Disposition, Refusal> {
        let side = datagram.side();
        let Some(mut whole) = self.reassembly.take(datagram) else { return Err(Refusal::NotServed) };
        let served = self.serve(now, side, whole.packet_mut());
        let counters = &mut self.port(side).counters;
        for _ in 1..whole.fragments {
            counters.held -= 1;
            match served {
                Ok(()) => counters.local += 1,
                Err(refusal) => counters.refuse(refusal),
            }
        }
        served?;
        counters.local += 1;
        Ok(Disposition::Done)
    }

    /// Gives up on the datagrams whose fragments have not all come in time, and tells their senders.
    pub(super) fn expire_gathered(&mut self, now: Instant) {
        while let Some(Expired { lost, quote }) = self.reassembly.overdue(now) {
            self.lose_gathered(lost);
            if let Some(quote) = quote {
                self.send_error(now, lost.side, Complaint::ReassemblyTime, quote.source, quote.bytes());
            }
        }
    }

    /// Gives up on the datagrams that were for an address of before.
    pub(super) fn forget_gathered(&mut self, side: Side) {
        while let Some(lost) = self.reassembly.forget(side) {
            self.lose_gathered(lost);
        }
    }

    /// Counts fragments that have waited in vain.
    fn lose_gathered(&mut self, lost: Lost) {
        for _ in 0..lost.waited {
            self.port(lost.side).counters.held -= 1;
            self.engine.count(lost.side.realm(), Verdict::Drop(DropReason::Fragment));
        }
    }

    /// Answers a packet for the box: an echo request here, anything else by the box's own stack.
    fn serve(&mut self, now: Instant, side: Side, packet: &mut [u8]) -> Result<(), Refusal> {
        let source = Ipv4Packet::new_unchecked(&*packet).src_addr();
        // What a connection begins with has been asked about.
        let is_known = self.port(side).local.knows(packet);
        if !is_known && self.turns_away(now, side, Way::Own(side.realm()), packet) {
            return Err(Refusal::Rule);
        }
        if !self.answers.allow(now, source, &mut self.random) {
            self.port(side).counters.suppressed += 1;
            return Err(Refusal::NotServed);
        }
        if echo::answer(packet, &self.mark(now, side)).is_some() {
            self.send_back(now, side, packet);
            return Ok(());
        }
        let mut reply = [0; local::LONGEST];
        match self.port(side).local.receive(now, packet, &mut reply) {
            Served::Answered(len) => self.send_own(now, side, reply.get(..len).unwrap_or_default()),
            Served::Taken => {}
            Served::Ignored => return Err(Refusal::NotServed),
        }
        self.poll_connections(now);
        Ok(())
    }

    /// Gives the router memory for the connections of an operator, and has it listen, where its configuration says.
    pub fn listen(&mut self, memory: &'t mut Connections<'t>, config: &Config) {
        let lan = &mut self.port(Side::Lan).local;
        lan.open(memory);
        lan.listen(lan_port(config));
    }

    /// Whether something has come by a connection since this was last asked: a message, or its end.
    pub fn take_news(&mut self) -> bool {
        self.port(Side::Lan).local.take_news()
    }

    /// A connection of an operator, if it is one: they have numbers below [`CONNECTIONS`](crate::CONNECTIONS). What is said by it leaves
    /// with [`poll_connections`](Self::poll_connections).
    pub fn connection(&mut self, now: Instant, number: usize) -> Option<Connection<'_, 't>> {
        self.port(Side::Lan).local.connection(now, number)
    }

    /// How many operators have come by a connection: whoever finds another number than before speaks with somebody else.
    pub fn caller(&self, number: usize) -> u32 {
        self.ports[Side::Lan as usize].local.caller(number)
    }

    /// Whoever speaks by a connection is an operator. One who has not shown that makes room for others.
    pub fn prove(&mut self, now: Instant, number: usize) {
        self.port(Side::Lan).local.prove(now, number);
    }

    /// Sends what connections have to send.
    pub fn poll_connections(&mut self, now: Instant) {
        let mut packet = [0; local::LONGEST];
        loop {
            match self.port(Side::Lan).local.transmit(now, &mut packet) {
                0 => return,
                len => self.send_own(now, Side::Lan, packet.get(..len).unwrap_or_default()),
            }
        }
    }

    /// Sends a packet of the box's own, in pieces if it is larger than the link carries, or than a frame of ours.
    fn send_back(&mut self, now: Instant, side: Side, packet: &mut [u8]) {
        let mtu = usize::from(self.port(side).link.mtu).min(frames::LONGEST - ETHERNET);
        if packet.len() <= mtu {
            return self.send_own(now, side, packet);
        }
        if let Some(header) = packet.first_chunk_mut() {
            self.engine.identify(header);
            [header[6], header[7]] = [0, 0];
        }
        fragments::cut(packet, mtu, |piece| self.send_own(now, side, piece));
    }
}
