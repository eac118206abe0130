//! Fragments in any order, from both sides, whatever the engine does with them (BEHAVIOUR F01 to F19).

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use napt::Realm;

use super::bench::{Bench, FORWARDED, settings, tables};
use super::wire::{OUTSIDE, TCP, UDP, fix_header, inside, ipv4, remote, tcp, udp};

/// No more than this, so that a run stays short.
const FRAGMENTS: usize = 48;

#[derive(Arbitrary, Debug)]
struct Fragment {
    is_from_inside: bool,
    /// Of a few hosts, protocols and identifications, so that fragments meet.
    host: u8,
    protocol: u8,
    identification: u8,
    /// In units of eight bytes.
    offset: u16,
    more: bool,
    forbidden: bool,
    len: u8,
    /// Milliseconds before it arrives.
    pause: u16,
}

/// A whole datagram of each protocol begins a session, so that fragments belong to something.
pub fn fragments(data: &[u8]) {
    let Ok((behaviours, fragments)) = <(u8, Vec<Fragment>)>::arbitrary_take_rest(Unstructured::new(data))
    else {
        return;
    };
    let mut tables = tables();
    let mut bench = Bench::new(&mut tables, settings(behaviours));
    for packet in [udp((inside(1), 5000), (remote(1), 53), b"?"), tcp((inside(1), 5000), (remote(1), 53), 2)]
    {
        bench.meet(Realm::Internal, &packet);
    }
    for fragment in fragments.iter().take(FRAGMENTS) {
        bench.wait(Duration::from_millis(u64::from(fragment.pause)), true);
        let from = if fragment.is_from_inside { Realm::Internal } else { Realm::External };
        bench.meet(from, &fragment.packet());
    }
}

impl Fragment {
    fn packet(&self) -> Vec<u8> {
        let host = 1 + self.host % 2;
        let (source, destination) =
            if self.is_from_inside { (inside(host), remote(1)) } else { (remote(host), OUTSIDE) };
        let protocol = [UDP, TCP, 1, 47][usize::from(self.protocol % 4)];
        let mut packet = ipv4(protocol, source, destination, &self.payload());
        packet[4..6].copy_from_slice(&u16::from(self.identification % 4).to_be_bytes());
        let flags = u16::from(self.forbidden) << 14 | u16::from(self.more) << 13;
        packet[6..8].copy_from_slice(&(flags | self.offset & 0x1FFF).to_be_bytes());
        fix_header(&mut packet);
        packet
    }

    /// The start of a datagram to somebody, or any bytes from the middle of one.
    fn payload(&self) -> Vec<u8> {
        let ends = if self.is_from_inside { [5000, 53] } else { [53, FORWARDED] };
        let ports: Vec<u8> = ends.iter().flat_map(|port: &u16| port.to_be_bytes()).collect();
        let header = [&ports[..], &[0, 200, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0]].concat();
        let bytes = header.into_iter().chain(std::iter::repeat(0x5A));
        bytes.take(usize::from(self.len)).collect()
    }
}
