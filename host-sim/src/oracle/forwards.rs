//! Forwards, port by port.

use std::net::SocketAddrV4;

use napt::{Forward, Protocols};

use super::Oracle;
use super::wire::{TCP, UDP};

impl Oracle {
    /// Where a forward leads.
    pub(super) fn forwards_to(&self, protocol: u8, external: u16) -> Option<SocketAddrV4> {
        self.forward_pairs(protocol).find(|(port, _)| *port == external).map(|(_, internal)| internal)
    }

    /// The port that a forward leads from; the first, if there are several.
    pub(super) fn forwarded_from(&self, protocol: u8, internal: SocketAddrV4) -> Option<u16> {
        self.forward_pairs(protocol).find(|(_, end)| *end == internal).map(|(port, _)| port)
    }

    /// Whether two forwards lead to one internal endpoint.
    pub(super) fn converge(&self, protocol: u8) -> bool {
        let mut pairs = self.forward_pairs(protocol);
        pairs.any(|(port, end)| self.forwarded_from(protocol, end) != Some(port))
    }

    /// Which of the forwards an external port belongs to.
    pub(super) fn number(&self, protocol: u8, external: u16) -> Option<usize> {
        let owns =
            |forward: &Forward| includes(forward.protocols, protocol) && forward.external.contains(external);
        self.settings.forwards.iter().position(owns)
    }

    fn forward_pairs(&self, protocol: u8) -> impl Iterator<Item = (u16, SocketAddrV4)> {
        self.settings.forwards.iter().filter(move |forward| includes(forward.protocols, protocol)).flat_map(
            |forward| {
                let ports = forward.external.first()..=forward.external.last();
                let inside =
                    (forward.internal.port..).map(|port| SocketAddrV4::new(forward.internal.address, port));
                ports.zip(inside)
            },
        )
    }
}

fn includes(protocols: Protocols, protocol: u8) -> bool {
    match protocols {
        Protocols::Tcp => protocol == TCP,
        Protocols::Udp => protocol == UDP,
        Protocols::Both => protocol == TCP || protocol == UDP,
    }
}
