//! The three ways of a flow through the NAT: out, in, and out and in again (RFC 3022 s.2.2, RFC 4787 s.5 and s.6).

use std::net::SocketAddrV4;

use napt::{Dependence, DropReason, Realm, Verdict, policy};

use super::change::Change;
use super::rules::Ruling;
use super::sessions::{Begun, Session, Start, has_ports};
use super::streams::{Fit, Streams};
use super::tcp::{Connection, Way};
use super::wire::{Subject, View};
use super::{Judgement, Oracle, Told};

impl Oracle {
    /// From inside to anywhere outside (RFC 3022 s.2.2). What does not fit its connection passes: the host may know better.
    pub(super) fn send(&mut self, view: &View, told: &Told) -> Judgement {
        let change = |external| Change::new(external, view.destination);
        if let Some(known) = self.find_out(view.protocol, view.source, view.destination) {
            told.is(Verdict::Forward(Realm::External))?;
            self.track(known, Way::Out, view);
            return Ok(Some(change(self.outside(self.sessions[known].external))));
        }
        let Some(connection) = begin(Way::Out, view) else { return told.is(DropReason::NoSession) };
        let rulings = self.rulings(policy::Way::Outbound, view.protocol, view.source, view.destination);
        if rulings.contains(&Ruling(Some(told.verdict))) {
            return Ok(None);
        }
        if !rulings.contains(&Ruling(None)) {
            return Err(format!("{:?}, and the rules say {rulings:?}", told.verdict));
        }
        let is_barred = !has_ports(view.protocol) && !self.settings.other_protocols;
        match told.verdict {
            Verdict::Drop(DropReason::Protocol) if is_barred => Ok(None),
            verdict if is_barred => self.refused(view, verdict, 1),
            Verdict::Forward(Realm::External)
                if !self.is_taken(view.protocol, view.source, view.destination) =>
            {
                self.may_begin(view, 1)?;
                self.may_map(view.protocol, view.source, view.destination, told.port)?;
                self.open(start(view, told.port, Begun::Inside, connection));
                Ok(Some(change(self.outside(told.port))))
            }
            verdict => self.refused(view, verdict, 1),
        }
    }

    /// Whether a flow from inside may begin that needs `new` sessions.
    fn may_begin(&self, view: &View, new: usize) -> Result<(), String> {
        let share = self.share_of_host(*view.source.ip());
        let over = || format!("X03: {} has used its share up: {share:?}", view.source.ip());
        (!share.is_used_up).then_some(()).ok_or_else(over)?;
        self.fits(new)
    }

    /// From outside to one of our ports (RFC 4787 s.5).
    pub(super) fn deliver(&mut self, view: &View, told: &Told) -> Judgement {
        let (external, remote) = (view.destination.port(), view.source);
        let change = |internal| Change::new(remote, internal);
        if let Some(known) = self.find_in(view.protocol, external, remote) {
            if self.fit(known, Way::In, view) == Fit::Foreign {
                return told.is(DropReason::OutOfWindow);
            }
            told.is(Verdict::Forward(Realm::Internal))?;
            self.track(known, Way::In, view);
            return Ok(Some(change(self.sessions[known].internal)));
        }
        let mut accepted = Vec::new();
        for admitted in self.admit(view.protocol, external, remote) {
            let begins = begin(Way::In, view).ok_or(DropReason::NoSession);
            let (internal, connection) = match admitted.and_then(|internal| Ok((internal, begins?))) {
                Ok(new) => new,
                Err(reason) => {
                    accepted.push(reason.into());
                    continue;
                }
            };
            let rulings = self.rulings(policy::Way::Inbound, view.protocol, remote, internal);
            accepted.extend(rulings.iter().filter_map(|ruling| ruling.0));
            if !rulings.contains(&Ruling(None)) {
                continue;
            }
            let refusals = self.refusals(view.protocol, internal, external, remote);
            let sure = refusals.iter().any(|(_, sure)| *sure);
            if told.verdict == Verdict::Forward(Realm::Internal) && !sure {
                let (protocol, begun) = (view.protocol, Begun::HalfOpen(*remote.ip()));
                self.open(Start { protocol, internal, external, remote, begun, connection });
                return Ok(Some(change(internal)));
            }
            accepted.extend(refusals.into_iter().map(|(verdict, _)| verdict));
        }
        let known = accepted.contains(&told.verdict);
        known.then_some(None).ok_or_else(|| format!("{:?}, not one of {accepted:?}", told.verdict))
    }

    /// From inside to one of our ports: out and in again (RFC 4787 s.6). The filter has no say. Two sessions begin, or
    /// none.
    pub(super) fn hairpin(&mut self, view: &View, told: &Told) -> Judgement {
        let (protocol, external) = (view.protocol, view.destination.port());
        let (sure, receiver) = self.leads_to(protocol, external);
        let Some(receiver) = receiver else { return told.is(DropReason::NoMapping) };
        if !sure && told.verdict == Verdict::Drop(DropReason::NoMapping) {
            return Ok(None);
        }
        let ours = self.find_out(protocol, view.source, view.destination);
        let Some(first) = ours.map(|known| self.sessions[known].connection).or(begin(Way::Out, view)) else {
            return told.is(DropReason::NoSession);
        };
        let port = match (ours, told.verdict) {
            (Some(known), _) => self.sessions[known].external,
            (None, Verdict::Forward(_)) => told.port,
            // It has got none; the one that it would have got is known, or the packet is open.
            (None, _) => self.port_of(view).unwrap_or(told.port),
        };
        let source = self.outside(port);
        let theirs = self.find_in(protocol, external, source);
        if (ours.is_none() || theirs.is_none()) && begin(Way::In, view).is_none() {
            return told.is(DropReason::NoSession);
        }
        let to_itself = ours.is_none() && receiver == view.source && port == external;
        let ambiguous = theirs.is_none() && !to_itself && self.find_out(protocol, receiver, source).is_some();
        if let Some(theirs) = theirs
            && self.fit(theirs, Way::In, view) == Fit::Foreign
        {
            return told.is(DropReason::OutOfWindow);
        }
        let new = usize::from(ours.is_none()) + usize::from(theirs.is_none() && !to_itself);
        match told.verdict {
            Verdict::Drop(DropReason::Ambiguous) if ambiguous => {
                if ours.is_none() {
                    self.take_back(view, port);
                }
                Ok(None)
            }
            Verdict::Forward(Realm::Internal) if !ambiguous => {
                if ours.is_none() {
                    self.may_begin(view, new)?;
                    self.may_map(protocol, view.source, view.destination, port)?;
                    self.open(start(view, port, Begun::Inside, first));
                }
                self.fits(usize::from(theirs.is_none() && !to_itself))?;
                self.receive(view, receiver, source)?;
                Ok(Some(Change::new(source, receiver)))
            }
            // Whoever needs one session is refused like one that needs two.
            verdict => self.refused(view, verdict, if ours.is_none() { 2 } else { new }),
        }
    }

    /// Moves both sessions of a hairpinned packet on, the sender's and the receiver's, which may begin with it.
    fn receive(&mut self, view: &View, receiver: SocketAddrV4, source: SocketAddrV4) -> Result<(), String> {
        let (protocol, external) = (view.protocol, view.destination.port());
        if self.find_in(protocol, external, source).is_none() {
            let connection = begin(Way::In, view).ok_or("hairpin without a session")?;
            let begun = Begun::HalfOpen(self.external);
            self.open(Start { protocol, internal: receiver, external, remote: source, begun, connection });
        }
        let theirs = self.find_in(protocol, external, source).ok_or("no receiver")?;
        self.track(theirs, Way::In, view);
        let ours = self.find_out(protocol, view.source, view.destination).ok_or("no sender")?;
        self.track(ours, Way::Out, view);
        Ok(())
    }

    /// Where a packet from outside may go without a session; each view that lateness allows. Only what the inside has
    /// begun, or answered, lets others in (T12).
    fn admit(
        &self,
        protocol: u8,
        external: u16,
        remote: SocketAddrV4,
    ) -> Vec<Result<SocketAddrV4, DropReason>> {
        if let Some(internal) = self.forwards_to(protocol, external) {
            return vec![Ok(internal)];
        }
        let (sure, Some(internal)) = self.leads_by(protocol, external, Session::vouches) else {
            return vec![Err(DropReason::NoMapping)];
        };
        let mut views = if sure { vec![] } else { vec![Err(DropReason::NoMapping)] };
        let filtering = self.filtering(protocol);
        let known = |session: &&Session| match filtering {
            Dependence::Endpoint => session.vouches(),
            Dependence::Address => session.vouches() && session.remote.ip() == remote.ip(),
            // It would have been found.
            Dependence::AddressAndPort => false,
        };
        // RFC 4787 s.5 asks whom the internal endpoint has sent to. Where it has several external ports, the engine
        // may ask that of the one port; where it lets everybody in, whether there is anybody.
        let near = |session: &&Session| (session.protocol, session.internal) == (protocol, internal);
        let alive = |session: &Session| session.deadline > self.now;
        let mut remaining = self.sessions.iter().filter(near).filter(|session| !session.ended);
        if filtering == Dependence::Endpoint || remaining.any(|session| known(&session)) {
            views.push(Ok(internal));
        }
        if !self.sessions_of(protocol, external).filter(known).any(alive) {
            views.push(Err(DropReason::Filtered));
        }
        views
    }
}

/// The state of a session that begins with a packet, if one may: `Some(None)` for what has no states.
fn begin(way: Way, view: &View) -> Option<Option<(Connection, Streams)>> {
    match (&view.subject, way) {
        (Subject::Segment(segment), _) => Connection::begin(way, segment).map(Some),
        (Subject::Datagram, _) | (Subject::Query, Way::Out) | (Subject::Reply, Way::In) => Some(None),
        _ => None,
    }
}

/// A session that begins with a packet from inside.
fn start(view: &View, external: u16, begun: Begun, connection: Option<(Connection, Streams)>) -> Start {
    let (protocol, internal, remote) = (view.protocol, view.source, view.destination);
    Start { protocol, internal, external, remote, begun, connection }
}
