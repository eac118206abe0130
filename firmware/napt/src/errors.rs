//! ICMP errors on their way through, with the packet that they quote (RFC 5508 s.4).
//!
//! An error belongs to the session of the packet it is about. That packet is put back into the shape in which its
//! sender knows it; the session is left alone.

use crate::DropReason;
use crate::Realm;
use crate::embedded::{self, Embedded};
use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::packet::HEADER;
use crate::rewrite::{self, Rewrite};
use crate::tcp::Direction;
use crate::time::Instant;
use crate::transit::Transit;
use crate::transport::Message;
use crate::verdict::Verdict;

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Decides on an ICMP error from inside and rewrites what it quotes: a packet that was delivered to an internal
    /// endpoint (RFC 5508 s.4.2.2). Whoever inside sent the error, outside it comes from us. Neither session nor timer
    /// is touched (REQ-6).
    #[cold]
    #[inline(never)]
    pub(crate) fn send_error(
        &mut self,
        now: Instant,
        transit: Transit,
        header: &mut [u8; HEADER],
        message: Message<'_>,
    ) -> Result<Realm, Verdict> {
        let quoted = Embedded::parse(message)?;
        embedded::returns_to(quoted.source, transit.destination)?;
        // RFC 5508 s.7.3: a source route is not to leave, not even quoted.
        if quoted.is_source_routed {
            return Err(DropReason::EmbeddedSourceRoute.into());
        }
        let slot = self
            .find_outbound(now, quoted.protocol, quoted.destination, quoted.source)
            .ok_or(DropReason::EmbeddedNoSession)?;
        let destination = Some(self.external_end(slot));
        let source = Some(Endpoint::new(self.external, 0));
        if Some(transit.destination) != self.settings.external {
            self.may_pass(transit, 0, Realm::External)?;
            quoted.rewrite(&Rewrite { destination, ..Rewrite::default() });
            rewrite::header(&Rewrite { source, ..Rewrite::default() }, header);
            if transit.may_be_fragmented() {
                self.identify(header);
            }
            return Ok(Realm::External);
        }
        // Hairpinned (RFC 5508 REQ-7): the quoted packet came from another internal endpoint, through us.
        let external = self.external_end(slot);
        let sender = self
            .find_inbound(now, quoted.protocol, quoted.source.port, external)
            .ok_or(DropReason::EmbeddedNoSession)?;
        self.may_pass(transit, 0, Realm::Internal)?;
        let internal = Some(self.tables.sessions.at(sender).internal());
        quoted.rewrite(&Rewrite { source: internal, destination, ..Rewrite::default() });
        rewrite::header(&Rewrite { source, destination: internal, ..Rewrite::default() }, header);
        if transit.may_be_fragmented() {
            self.identify(header);
        }
        Ok(Realm::Internal)
    }

    /// Decides on an ICMP error from outside and rewrites what it quotes: a packet that we translated on its way out
    /// (RFC 5508 s.4.2.1). Any router on the path may be its source (RFC 4787 REQ-12a). Neither session nor timer is
    /// touched (RFC 5508 REQ-6, RFC 5382 REQ-10).
    #[cold]
    #[inline(never)]
    pub(crate) fn deliver_error(
        &mut self,
        now: Instant,
        transit: Transit,
        header: &mut [u8; HEADER],
        message: Message<'_>,
    ) -> Result<Realm, Verdict> {
        let quoted = Embedded::parse(message)?;
        embedded::returns_to(quoted.source, transit.destination)?;
        let slot = self
            .find_inbound(now, quoted.protocol, quoted.source.port, quoted.destination)
            .ok_or(DropReason::EmbeddedNoSession)?;
        let session = self.tables.sessions.at(slot);
        if quoted.seq.is_some_and(|seq| !session.streams.may_be_in_flight(Direction::Outbound, seq)) {
            return Err(DropReason::EmbeddedOutOfWindow.into());
        }
        self.may_pass(transit, 0, Realm::Internal)?;
        let internal = Some(session.internal());
        quoted.rewrite(&Rewrite { source: internal, ..Rewrite::default() });
        rewrite::header(&Rewrite { destination: internal, ..Rewrite::default() }, header);
        Ok(Realm::Internal)
    }
}
