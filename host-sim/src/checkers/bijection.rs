//! V5: internal and external endpoints of a protocol correspond one to one (RFC 4787 REQ-1, REQ-3).
//!
//! What goes out shows which external port an internal endpoint has. As long as its session must live, nobody else may
//! have that port; and if the mapping looks at nothing, the endpoint has no other.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use config::Behaviour;
use router::Side;

use super::expiry::shortest;
use super::{Cause, Checker, Passage};
use crate::time::Time;
use crate::wire::{ICMP, TCP, UDP};

type End = (Ipv4Addr, u16);

/// Who has what. Only looked up, never walked through, so its order decides nothing.
#[derive(Default)]
pub(super) struct Bijection {
    holders: HashMap<(u8, u16), (End, Time)>,
    ports: HashMap<(u8, End), (u16, Time)>,
}

impl Checker for Bijection {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        if let Cause::Operator = passage.cause {
            (self.holders, self.ports) = (HashMap::new(), HashMap::new());
        }
        let Some((Side::Lan, before, Some((_, after)))) = passage.packet() else { return Ok(()) };
        let (Some((internal, _)), Some((external, _))) = (before.ports(), after.ports()) else {
            return Ok(());
        };
        let protocol = before.protocol();
        if before.is_error() || !matches!(protocol, TCP | UDP | ICMP) {
            return Ok(());
        }
        let config = passage.router.config();
        let until = passage.at + shortest(config, protocol);
        let internal = (before.source(), internal);
        let held = self.holders.insert((protocol, external), (internal, until));
        if let Some((other, until)) = held.filter(|(other, until)| *other != internal && *until > passage.at)
        {
            return Err(format!(
                "port {external} of protocol {protocol} is {other:?}'s until {until}, and {internal:?}'s"
            ));
        }
        let behaviours = config.nat().mapping;
        let mapping = [(TCP, behaviours.tcp), (UDP, behaviours.udp), (ICMP, behaviours.icmp)];
        if !mapping.contains(&(protocol, Behaviour::EndpointIndependent)) {
            return Ok(());
        }
        let had = self.ports.insert((protocol, internal), (external, until));
        match had.filter(|(port, until)| *port != external && *until > passage.at) {
            Some((port, until)) => Err(format!("{internal:?} has port {port} until {until}, and {external}")),
            None => Ok(()),
        }
    }
}
