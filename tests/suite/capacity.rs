//! How many connections fit, by the method of RFC 9693: with pseudorandom addresses and ports (RFC 4814), connections
//! are begun from inside until one is refused; then every one of them is used from outside, in another order. How fast
//! they begin, `tests/cost` and the benchmarks say.

use std::collections::HashSet;

use napt::{Dependence, Engine, Instant, Realm, RejectReason, Settings, Tables, Verdict};
use sekisho_tests::{BOB, Host, OUTSIDE, Packet, udp};
use static_cell::ConstStaticCell;

const CAPACITY: usize = 65_536;
const NOW: Instant = Instant::from_millis(1_000_000);

static TABLES: ConstStaticCell<Tables<CAPACITY>> = ConstStaticCell::new(Tables::new());

type Device = Engine<'static, CAPACITY>;

#[test]
fn rfc9693_x08_as_many_connections_fit_as_the_table_has_room_for() {
    let mut device = device();
    let mut connections = connections();
    let mut begun: Vec<(Packet, Packet)> = connections
        .by_ref()
        .take(CAPACITY)
        .map(|first| {
            let (verdict, out) = pass(&mut device, Realm::Internal, &first);
            assert_eq!(verdict, Verdict::Forward(Realm::External));
            (first, out)
        })
        .collect();
    let one_more = connections.next().unwrap();
    let refused = pass(&mut device, Realm::Internal, &one_more).0;
    assert_eq!(refused, Verdict::Reject(RejectReason::TableFull));

    begun.sort_by_key(|(_, out)| (out.destination().port(), out.source().port()));
    for (first, out) in begun {
        let answer = udp(out.destination(), out.source());
        let (verdict, inside) = pass(&mut device, Realm::External, &answer);
        assert_eq!((verdict, inside.destination()), (Verdict::Forward(Realm::Internal), first.source()));
    }
}

/// The device under test: connections are told apart by all four of their addresses and ports, and one initiator may
/// have them all.
fn device() -> Device {
    let mut settings = Settings::new(OUTSIDE.0);
    settings.filtering = Dependence::AddressAndPort.into();
    settings.shares.guaranteed = Some(u32::MAX);
    Engine::new(TABLES.take(), settings, &[7; 32])
}

/// The first packets of connections that differ, from as many internal endpoints as have ports at the one external
/// address.
fn connections() -> impl Iterator<Item = Packet> {
    const INITIATORS: u32 = 4;
    let mut state = 9_693_u64;
    let mut known = HashSet::new();
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u32
    })
    .map(|chance| {
        let host = Host(std::net::Ipv4Addr::from_bits(0xC000_0202 + chance % INITIATORS));
        let source = 1_024 + (chance >> 2) as u16 % 8_192;
        let destination = 1 + (chance >> 15) as u16 % 49_151;
        (host.port(source), BOB.port(destination))
    })
    .filter(move |ends| known.insert(*ends))
    .map(|(source, destination)| udp(source, destination))
}

fn pass(device: &mut Device, from: Realm, packet: &Packet) -> (Verdict, Packet) {
    let mut out = packet.clone();
    let parsed = napt::Packet::parse(&mut out.bytes, packet.checksum, packet.segment).unwrap();
    let verdict = device.translate(NOW, from, parsed);
    (verdict, out)
}
