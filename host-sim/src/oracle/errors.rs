//! ICMP errors on their way through (RFC 5508 s.4): they belong to the session of the packet that they quote, and touch
//! nothing (REQ-6).

use std::net::SocketAddrV4;

use napt::{DropReason, Realm, Verdict};

use super::change::Change;
use super::wire::{Quoted, View};
use super::{Judgement, Oracle, Told};

impl Oracle {
    /// An error from outside about a packet that we sent (RFC 5508 s.4.2.1). It touches nothing (REQ-6).
    pub(super) fn deliver_error(&mut self, view: &View, about: Quoted, told: &Told) -> Judgement {
        let Some(known) = self.find_in(about.protocol, about.source.port(), about.destination) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        let session = &self.sessions[known];
        if let (Some(first), Some((_, streams))) = (about.sequence, session.connection)
            && !streams.may_be_under_way(first)
        {
            return told.is(DropReason::EmbeddedOutOfWindow);
        }
        told.is(Verdict::Forward(Realm::Internal))?;
        let destination = SocketAddrV4::new(*session.internal.ip(), 0);
        Ok(Some(Change::new(view.source, destination).quoting(session.internal, about.destination)))
    }

    /// An error from inside about a packet that we delivered (RFC 5508 s.4.2.2).
    pub(super) fn send_error(&mut self, view: &View, about: Quoted, told: &Told) -> Judgement {
        let (protocol, remote, internal) = (about.protocol, about.source, about.destination);
        let source = self.outside(0);
        // RFC 5508 s.7.3: whatever else there is to say.
        if about.is_source_routed {
            let known = told.verdict == Verdict::Drop(DropReason::EmbeddedNoSession);
            return if known { Ok(None) } else { told.is(DropReason::EmbeddedSourceRoute) };
        }
        let Some(receiver) = self.find_out(protocol, internal, remote) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        let external = self.outside(self.sessions[receiver].external);
        if *remote.ip() != self.external {
            told.is(Verdict::Forward(Realm::External))?;
            return Ok(Some(Change::new(source, view.destination).quoting(remote, external)));
        }
        let Some(sender) = self.find_in(protocol, remote.port(), external) else {
            return told.is(DropReason::EmbeddedNoSession);
        };
        told.is(Verdict::Forward(Realm::Internal))?;
        let sender = self.sessions[sender].internal;
        let destination = SocketAddrV4::new(*sender.ip(), 0);
        Ok(Some(Change::new(source, destination).quoting(sender, external)))
    }
}
