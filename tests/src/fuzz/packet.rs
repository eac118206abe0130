//! Any bytes as a packet, from both sides, before an engine with a few live sessions.

use std::num::NonZeroU16;

use napt::{Checksum, Realm};

use super::bench::{Bench, settings, tables};
use super::wire::{echo, fix_header, inside, remote, tcp, udp};

/// The first byte chooses behaviours, the second what a driver says and whether the header checksum is set right,
/// which a fuzzer would take long to find; the packet follows.
pub fn packet(data: &[u8]) {
    let Some(([behaviours, hints], bytes)) = data.split_first_chunk::<2>().map(|(head, rest)| (*head, rest))
    else {
        return;
    };
    let mut bytes = bytes.to_vec();
    if hints & 1 == 0 {
        fix_header(&mut bytes);
    }
    let checksum = if hints & 2 == 0 { Checksum::Complete } else { Checksum::Partial };
    let segment = NonZeroU16::new(u16::from(hints >> 2) * 64);
    let mut tables = tables();
    let mut bench = Bench::new(&mut tables, settings(behaviours));
    begin_sessions(&mut bench);
    for from in [Realm::Internal, Realm::External, Realm::Internal] {
        let (_, _) = bench.translate_offloaded(from, &bytes, checksum, segment);
    }
}

fn begin_sessions(bench: &mut Bench<'_>) {
    for packet in [
        udp((inside(1), 1000), (remote(7), 53), b"?"),
        tcp((inside(1), 1001), (remote(7), 80), 2),
        echo(inside(1), remote(7), false, 1002),
    ] {
        bench.meet(Realm::Internal, &packet);
    }
}
