//! Fragments that came before their datagram's first: held until that has come, or until it is too late (RFC 4787 REQ-14).

use napt::{Checksum, DropReason, Instant, Packet, Verdict};

use super::{ETHERNET, Router, packet_in};
use crate::counters::Refusal;
use crate::fragments::Datagram;
use crate::port::{Disposition, Offload, Side};

impl<const SESSIONS: usize> Router<'_, SESSIONS> {
    /// Lets a fragment wait that came before its datagram's first; if that has come, and was for the box, it is one more
    /// for the box.
    #[cold]
    pub(super) fn hold_early(
        &mut self,
        now: Instant,
        datagram: Datagram,
        frame: &[u8],
    ) -> Result<Disposition, Refusal> {
        if self.reassembly.knows(datagram) {
            return self.gather(now, datagram, packet_in(frame, frame.len()));
        }
        self.port(datagram.side()).counters.held += 1;
        if let Some(side) = self.early.push(now, datagram, frame) {
            self.lose_early(side);
        }
        Ok(Disposition::Done)
    }

    /// Sends the fragments on that waited for their datagram's first.
    #[cold]
    pub(super) fn release_early(&mut self, now: Instant, datagram: Datagram) {
        while let Some(mut waiting) = self.early.pop(datagram) {
            let side = waiting.side();
            self.port(side).counters.held -= 1;
            match self.follow(now, side, waiting.bytes_mut()) {
                Ok(Disposition::Send(to)) if self.outbox.push(to, waiting.bytes_mut()).is_some() => (),
                Ok(Disposition::Send(_)) => self.port(side).counters.suppressed += 1,
                // A fragment never stands for many.
                Ok(Disposition::SendSmaller | Disposition::Done) => (),
                Err(refusal) => self.port(side).counters.refuse(refusal),
            }
        }
    }

    /// Translates a fragment that has waited for its datagram's first, or takes it for the box as that was. The rules
    /// have let it in before.
    fn follow(&mut self, now: Instant, side: Side, frame: &mut [u8]) -> Result<Disposition, Refusal> {
        let bytes = frame.get_mut(ETHERNET..).ok_or(Refusal::Runt)?;
        let Ok(packet) = Packet::parse(bytes, Checksum::Complete, None) else { return Err(Refusal::Runt) };
        let end = ETHERNET + packet.total_len();
        let datagram = Datagram::of(side, &packet).filter(|datagram| self.reassembly.knows(*datagram));
        let verdict = self.engine.translate_rare(now, side.realm(), packet);
        self.record(now, verdict, frame.get_mut(ETHERNET..end).unwrap_or_default());
        match verdict {
            Verdict::Forward(realm) => {
                self.send_on(now, side, Side::of(realm), frame, end, Offload::default())
            }
            Verdict::Hold => match datagram {
                Some(datagram) => self.gather(now, datagram, packet_in(frame, end)),
                None => {
                    self.engine.count(side.realm(), Verdict::Drop(DropReason::FragmentEarly));
                    Ok(Disposition::Done)
                }
            },
            Verdict::Local | Verdict::Reject(_) | Verdict::Drop(_) => Ok(Disposition::Done),
        }
    }

    /// Counts a fragment whose first did not come.
    pub(super) fn lose_early(&mut self, side: Side) {
        self.port(side).counters.held -= 1;
        self.engine.count(side.realm(), Verdict::Drop(DropReason::FragmentEarly));
    }
}
