//! V5: internal and external endpoints of a protocol correspond one to one (RFC 4787 REQ-1, REQ-3).
//!
//! What goes out shows which external port an internal endpoint has. As long as its session must live, nobody else may
//! have that port; and if the mapping looks at nothing, the endpoint has no other.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use config::{Behaviour, Config};
use router::Side;

use super::lives::{Life, Spoilt};
use super::{Cause, Checker, Passage, View};
use crate::time::Time;
use crate::wire::{ICMP, TCP, UDP};

type End = (Ipv4Addr, u16);

/// Who has what. Only looked up, never walked through, so its order decides nothing.
#[derive(Default)]
pub(super) struct Bijection {
    holders: HashMap<(u8, u16), (End, Life)>,
    ports: HashMap<(u8, End), (u16, Time)>,
    spoilt: Spoilt,
}

impl Checker for Bijection {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        if let Cause::Operator(_) = passage.cause {
            (self.holders, self.ports) = (HashMap::new(), HashMap::new());
        }
        let packet = passage.packet();
        if let Some((Side::Lan, before, _)) = &packet {
            self.spoilt.see(before);
        }
        match packet {
            Some((Side::Lan, before, Some((_, after)))) => self.goes_out(passage, &before, &after),
            Some((Side::Wan, before, Some(_))) => {
                let holder =
                    before.ports().and_then(|(_, to)| self.holders.get_mut(&(before.protocol(), to)));
                if let Some((_, life)) = holder {
                    life.comes_in(&before);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Bijection {
    fn goes_out(
        &mut self,
        passage: &Passage<'_, '_>,
        before: &View<'_>,
        after: &View<'_>,
    ) -> Result<(), String> {
        let (Some((internal, _)), Some((external, _))) = (before.ports(), after.ports()) else {
            return Ok(());
        };
        let (now, protocol, config) = (passage.at, before.protocol(), passage.router.config());
        if before.is_error() || !matches!(protocol, TCP | UDP | ICMP) {
            return Ok(());
        }
        let (internal, begin) = ((before.source(), internal), Life::begin(now, config, before));
        let (holder, life) = self.holders.entry((protocol, external)).or_insert((internal, begin));
        if *holder != internal {
            let (other, left) = (*holder, life.left(now));
            (*holder, *life) = (internal, begin);
            if let Some(until) = left {
                return Err(format!(
                    "port {external} of protocol {protocol} is {other:?}'s until {until}, and {internal:?}'s"
                ));
            }
        }
        life.goes_out(now, config, before, &self.spoilt);
        let until = life.left(now).unwrap_or(now);
        // Several forwards may lead to one endpoint, which then has all their ports.
        let is_forward = config.forwards().iter().any(|forward| forward.internal_port(external).is_some());
        if is_forward || !is_independent(config, protocol) {
            return Ok(());
        }
        match self.ports.insert((protocol, internal), (external, until)) {
            Some((port, until)) if port != external && until > now => {
                Err(format!("{internal:?} has port {port} until {until}, and {external}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a protocol's mapping looks at nothing of the remote end.
fn is_independent(config: &Config, protocol: u8) -> bool {
    let mapping = config.nat().mapping;
    let behaviour = match protocol {
        TCP => mapping.tcp,
        UDP => mapping.udp,
        _ => mapping.icmp,
    };
    behaviour == Behaviour::EndpointIndependent
}
