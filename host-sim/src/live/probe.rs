//! Whether the box at the other end is there: it answers ARP for its own address on each side.
//!
//! A machine that boots is connected long before it forwards. It is asked with probes (RFC 5227 s.2.1.1), which say nothing
//! of who asks, so that nobody learns anything false from them.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use router::Side;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr,
};

use super::{EARLY, Lines};
use crate::ether::HEADER;

/// From one probe to the next.
const EVERY: Duration = Duration::from_millis(200);

/// Who asks: an address of no maker's, and of nobody in a scenario.
const ASKER: EthernetAddress = EthernetAddress([0x02, 0, 0, 0, 0, 0xFE]);

impl Lines {
    /// Waits until the box answers for its addresses, lan first, at most so long. What it says besides comes when the
    /// world begins, or its last words do: the box may have asked for its gateway, and will not do so again at once.
    ///
    /// # Errors
    /// Which address nobody answers for, or that a line has broken.
    pub fn find(&mut self, addresses: [Ipv4Addr; 2], limit: Duration) -> Result<(), String> {
        let begun = Instant::now();
        let mut missing = Side::ALL.to_vec();
        let mut said = Vec::new();
        let mut asked: Option<Instant> = None;
        while !missing.is_empty() {
            let left = limit.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Err(absent(&missing, addresses, limit));
            }
            if asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
                asked = Some(Instant::now());
                missing.iter().for_each(|side| self.send(*side, &probe(addresses[*side as usize])));
            }
            self.wait(left.min(EVERY)).map_err(|broken| broken.to_string())?;
            for (side, frame) in self.exchange().map_err(|broken| broken.to_string())? {
                match answered(&frame) {
                    Some(address) => missing.retain(|it| *it != side || address != addresses[side as usize]),
                    None => said.push((side, frame)),
                }
            }
            said.drain(..said.len().saturating_sub(EARLY));
        }
        self.early.extend(said);
        Ok(())
    }
}

fn absent(missing: &[Side], addresses: [Ipv4Addr; 2], limit: Duration) -> String {
    let told: Vec<_> =
        missing.iter().map(|side| format!("{} on the {side}", addresses[*side as usize])).collect();
    format!(
        "nobody answers ARP for {} within {limit:?}; does the box work by the scenario's configuration, and are lan and wan \
         not exchanged?",
        told.join(" and for ")
    )
}

fn probe(target: Ipv4Addr) -> Vec<u8> {
    let arp = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: ASKER,
        source_protocol_addr: Ipv4Addr::UNSPECIFIED,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: target,
    };
    let header = EthernetRepr {
        src_addr: ASKER,
        dst_addr: EthernetAddress::BROADCAST,
        ethertype: EthernetProtocol::Arp,
    };
    let mut frame = vec![0; HEADER + arp.buffer_len()];
    header.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    arp.emit(&mut ArpPacket::new_unchecked(&mut frame[HEADER..]));
    frame
}

/// Whose address it is, if a frame is an answer to a probe.
fn answered(frame: &[u8]) -> Option<Ipv4Addr> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    if ethernet.ethertype() != EthernetProtocol::Arp || ethernet.dst_addr() != ASKER {
        return None;
    }
    let arp = ArpPacket::new_checked(ethernet.payload()).and_then(|it| ArpRepr::parse(&it)).ok()?;
    let ArpRepr::EthernetIpv4 { operation, source_protocol_addr, .. } = arp else { return None };
    (operation == ArpOperation::Reply).then_some(source_protocol_addr)
}
