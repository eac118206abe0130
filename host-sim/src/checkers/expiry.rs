//! No early expiry: who has been spoken to lately may answer (RFC 4787 REQ-5, RFC 5382 REQ-5, RFC 5508 REQ-2).
//!
//! Every packet that goes out says that its receiver, at its port, is expected to answer for as long as the shortest timer
//! of the protocol. Within that time nothing from there may be dropped because nobody is known to it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use router::Side;

use super::lives::{Life, Spoilt, has};
use super::{Cause, Checker, Passage};
use crate::routing::Fate;
use crate::time::Time;
use crate::wire::{ICMP, TCP, UDP};

type End = (Ipv4Addr, u16);

/// Who may answer to which port, until when. Only looked up, never walked through but to forget.
#[derive(Default)]
pub(super) struct Expiry {
    expected: HashMap<(u8, u16, End), Life>,
    spoilt: Spoilt,
    tidied: Time,
}

/// What the counters call a packet to whom nobody is known.
const UNKNOWN: [&str; 3] = ["no mapping", "filtered", "no session"];

/// How often the past is forgotten.
const TIDY: Duration = Duration::from_secs(3600);

impl Checker for Expiry {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        let now = passage.at;
        if let Cause::Operator(_) = passage.cause {
            self.expected.clear();
        }
        if self.tidied + TIDY < now {
            self.expected.retain(|_, life| !life.is_over(now));
            self.tidied = now;
        }
        let (Cause::Frame { fate, .. }, Some((side, before, after))) = (passage.cause, passage.packet())
        else {
            return Ok(());
        };
        let protocol = before.protocol();
        if before.is_error() || !matches!(protocol, TCP | UDP | ICMP) {
            return Ok(());
        }
        if side == Side::Lan {
            self.spoilt.see(&before);
        }
        match (side, after) {
            (Side::Lan, Some((Side::Wan, after))) => {
                let Some((external, remote)) = after.ports() else { return Ok(()) };
                let key = (protocol, external, (after.destination(), remote));
                let config = passage.router.config();
                let begin = || Life::begin(now, config, &before);
                self.expected.entry(key).or_insert_with(begin).goes_out(now, config, &before, &self.spoilt);
            }
            (Side::Wan, Some(_)) => {
                let Some((remote, external)) = before.ports() else { return Ok(()) };
                if let Some(life) = self.expected.get_mut(&(protocol, external, (before.source(), remote))) {
                    life.comes_in(&before);
                }
            }
            (Side::Wan, None) => {
                let Some((remote, external)) = before.ports() else { return Ok(()) };
                let from = (before.source(), remote);
                let until = self.expected.get(&(protocol, external, from)).and_then(|life| life.left(now));
                if let (Fate::Dropped(reason), Some(until)) = (fate, until)
                    && UNKNOWN.contains(&reason)
                    && before.destination() == passage.router.config().wan().address().address()
                    // A SYN begins something else, and what begins with a RST never was.
                    && !has(&before, 0b110)
                {
                    return Err(format!(
                        "{from:?} may answer to port {external} until {until}, but: {reason}"
                    ));
                }
            }
            _ => (),
        }
        Ok(())
    }
}
