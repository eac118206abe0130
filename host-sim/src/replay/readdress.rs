//! Answers to another router's external ports, sent to ours.
//!
//! The router that a capture was taken on gave its mappings other external ports than ours does. What came to one of those
//! has to come to ours instead: the port, of an ICMP error the one in the packet that it quotes, is replaced, and
//! checksums are mended by the difference, so that one that was wrong stays so.

use std::collections::BTreeMap;

use napt::{Delta, checksum};
use smoltcp::wire::Ipv4Packet;

use crate::ether::HEADER;
use crate::wire::{ICMP, TCP, UDP};

/// Our external port for each of theirs, by protocol.
#[derive(Clone, Debug, Default)]
pub(super) struct Ports(BTreeMap<(u8, u16), u16>);

impl Ports {
    /// A packet has left with these ports: theirs, and ours.
    pub(super) fn learn(&mut self, protocol: u8, theirs: u16, ours: u16) {
        self.0.insert((protocol, theirs), ours);
    }

    /// Sends a packet from outside to our port. Whether it was to another.
    pub(super) fn readdress(&self, frame: &mut [u8]) -> bool {
        self.change(frame).is_some()
    }

    fn change(&self, frame: &mut [u8]) -> Option<()> {
        let mut packet = Ipv4Packet::new_checked(frame.get_mut(HEADER..)?).ok()?;
        let protocol = u8::from(packet.next_header());
        if packet.frag_offset() > 0 {
            return None;
        }
        let transport = packet.payload_mut();
        match (protocol, transport.first()?) {
            (TCP, _) => self.replace(TCP, transport, 2, Some(16)),
            (UDP, _) => self.replace(UDP, transport, 2, Some(6)),
            // The answers to pings and to timestamp queries.
            (ICMP, 0 | 14) => self.replace(ICMP, transport, 4, Some(2)),
            (ICMP, 3 | 11 | 12) => self.quoted(transport),
            _ => None,
        }
    }

    /// An error quotes what left: the external port is the source's.
    fn quoted(&self, message: &mut [u8]) -> Option<()> {
        let quoted = message.get_mut(8..)?;
        let header_len = usize::from(quoted.first()? & 0x0F) * 4;
        let protocol = *quoted.get(9)?;
        let transport = quoted.get_mut(header_len..)?;
        match protocol {
            TCP | UDP => self.replace(protocol, transport, 0, None)?,
            ICMP => self.replace(ICMP, transport, 4, None)?,
            _ => return None,
        }
        // Our router looks at it, so it has to be whole; what an error with a wrong one is worth, nobody asks here.
        message.get_mut(2..4)?.fill(0);
        let sum = checksum(message).to_be_bytes();
        message.get_mut(2..4)?.copy_from_slice(&sum);
        Some(())
    }

    /// Replaces the port at a place, and mends the checksum at another, if it is there.
    fn replace(&self, protocol: u8, transport: &mut [u8], at: usize, sum: Option<usize>) -> Option<()> {
        let theirs = word(transport, at)?;
        let ours = *self.0.get(&(protocol, theirs)).filter(|ours| **ours != theirs)?;
        transport.get_mut(at..at + 2)?.copy_from_slice(&ours.to_be_bytes());
        if let Some(at) = sum
            && let Some(before) = word(transport, at)
        {
            let delta = Delta::word(theirs, ours);
            let after = if protocol == UDP { delta.apply_udp(before) } else { delta.apply(before) };
            transport.get_mut(at..at + 2)?.copy_from_slice(&after.to_be_bytes());
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Draft;

    #[test]
    fn what_was_to_their_port_comes_to_ours_as_if_it_had_been_sent_there() {
        let mut ports = Ports::default();
        [TCP, UDP, ICMP].into_iter().for_each(|protocol| ports.learn(protocol, 4000, 61_000));
        for text in [
            "tcp 198.51.100.7:443 > 203.0.113.254:4000 flags . seq 9 len 3",
            "udp 198.51.100.7:53 > 203.0.113.254:4000 len 9",
            "echo-reply 198.51.100.7 > 203.0.113.254 ident 4000 len 8",
            "unreachable 198.51.100.9 > 203.0.113.254 code 1 about echo 203.0.113.254 > 198.51.100.7 ident 4000",
        ] {
            let frame = |text: &str| [&[0; 14][..], &Draft::read(text).unwrap().bytes()].concat();
            let mut changed = frame(text);
            let is_error = text.starts_with("unreachable");

            assert!(ports.readdress(&mut changed), "{text}");

            let expected = frame(&text.replace("4000", "61000"));
            // What is quoted keeps the checksum that it left with.
            let end = if is_error { HEADER + 20 + 2 } else { changed.len() };
            assert_eq!(changed[..end], expected[..end], "{text}");
            assert!(!is_error || word(&changed, HEADER + 20 + 8 + 20 + 4) == Some(61_000));
        }
    }

    #[test]
    fn what_is_to_nobody_is_left_alone() {
        let mut ports = Ports::default();
        ports.learn(UDP, 4000, 61_000);
        for text in ["udp 198.51.100.7:53 > 203.0.113.254:4001", "tcp 198.51.100.7:53 > 203.0.113.254:4000"] {
            let mut frame = [&[0; 14][..], &Draft::read(text).unwrap().bytes()].concat();
            let before = frame.clone();
            assert!(!ports.readdress(&mut frame));
            assert_eq!(frame, before);
        }
    }
}
