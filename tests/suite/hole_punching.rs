//! Two of our engines back to back, each with a host behind it that knows the other's external endpoint from a third
//! party (RFC 5128 s.3). With the default behaviours they reach each other, by UDP and by TCP (M20).

use std::net::{Ipv4Addr, SocketAddrV4};

use napt::{Dependence, Engine, Instant, Realm, Settings, Tables, Verdict};
use sekisho_tests::{ALICE, CAROL, DAVE, Host, Packet, tcp, udp};

const BEHAVIOURS: [Dependence; 3] = [Dependence::Endpoint, Dependence::Address, Dependence::AddressAndPort];
const NOW: Instant = Instant::from_millis(1_000_000);

/// A NAT and the host behind it.
struct Home {
    engine: Engine<'static, 256>,
    host: Host,
}

impl Home {
    fn new(host: Host, external: [u8; 4], mapping: Dependence, filtering: Dependence) -> Self {
        let mut settings = Settings::new(Ipv4Addr::from(external));
        settings.mapping = mapping.into();
        settings.filtering = filtering.into();
        let tables = Box::leak(Box::new(Tables::new()));
        Self { engine: Engine::new(tables, settings, &[external[3]; 32]), host }
    }

    /// What leaves when the host sends a packet.
    fn send(&mut self, packet: Packet) -> Packet {
        let (verdict, out) = self.pass(Realm::Internal, packet);
        assert_eq!(verdict, Verdict::Forward(Realm::External));
        out
    }

    /// What arrives at the host of a packet from outside, if it is let in.
    fn receive(&mut self, packet: Packet) -> Option<Packet> {
        let (verdict, out) = self.pass(Realm::External, packet);
        (verdict == Verdict::Forward(Realm::Internal)).then_some(out)
    }

    fn pass(&mut self, from: Realm, mut packet: Packet) -> (Verdict, Packet) {
        let parsed = napt::Packet::parse(&mut packet.bytes, packet.checksum, packet.segment).unwrap();
        (self.engine.translate(NOW, from, parsed), packet)
    }

    /// The external endpoint that CAROL, who introduces the two, sees of the host's port 5000.
    fn introduce(&mut self, packet: fn(SocketAddrV4, SocketAddrV4) -> Packet) -> SocketAddrV4 {
        let from = self.host.port(5000);
        self.send(packet(from, CAROL.port(3478))).source()
    }
}

fn homes(mapping: Dependence, filtering: Dependence) -> [Home; 2] {
    let first = Home::new(ALICE, [203, 0, 113, 10], mapping, filtering);
    let second = Home::new(DAVE, [203, 0, 113, 20], mapping, filtering);
    [first, second]
}

fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Packet {
    tcp("S", from, to)
}

#[test]
fn m20_udp_holes_are_punched_whatever_the_filter() {
    for filtering in BEHAVIOURS {
        let [mut a, mut b] = homes(Dependence::Endpoint, filtering);
        let (seen_a, seen_b) = (a.introduce(udp), b.introduce(udp));
        // The first packet may die at the other's filter; it opens the own one.
        let first = a.send(udp(ALICE.port(5000), seen_b));
        assert_eq!(b.receive(first).is_some(), filtering == Dependence::Endpoint);
        let answer = b.send(udp(DAVE.port(5000), seen_a));
        assert_eq!(a.receive(answer).unwrap().destination(), ALICE.port(5000), "{filtering:?}");
        let again = a.send(udp(ALICE.port(5000), seen_b));
        assert_eq!(b.receive(again).unwrap().destination(), DAVE.port(5000), "{filtering:?}");
    }
}

#[test]
fn m20_no_udp_hole_is_punched_between_two_mappings_that_depend_on_the_address() {
    let [mut a, mut b] = homes(Dependence::Address, Dependence::Address);
    let (seen_a, seen_b) = (a.introduce(udp), b.introduce(udp));
    let first = a.send(udp(ALICE.port(5000), seen_b));
    assert!(b.receive(first).is_none());
    let answer = b.send(udp(DAVE.port(5000), seen_a));
    assert!(a.receive(answer).is_none());
}

#[test]
fn m20_c02_rfc5382_req2a_tcp_holes_are_punched_by_simultaneous_open() {
    for filtering in BEHAVIOURS {
        let [mut a, mut b] = homes(Dependence::Endpoint, filtering);
        let (seen_a, seen_b) = (a.introduce(syn), b.introduce(syn));
        // Both send a SYN; each is let in by the other's, which has gone out before.
        let (from_a, from_b) = (a.send(syn(ALICE.port(5000), seen_b)), b.send(syn(DAVE.port(5000), seen_a)));
        assert!(b.receive(from_a).is_some() && a.receive(from_b).is_some(), "{filtering:?}");
        let (from_a, from_b) =
            (a.send(tcp("S.", ALICE.port(5000), seen_b)), b.send(tcp("S.", DAVE.port(5000), seen_a)));
        assert!(b.receive(from_a).is_some() && a.receive(from_b).is_some(), "{filtering:?}");
        let data = a.send(tcp("P.", ALICE.port(5000), seen_b).with_payload(100));
        assert_eq!(b.receive(data).unwrap().destination(), DAVE.port(5000));
    }
}

#[test]
fn m20_the_default_behaviours_punch_holes_for_both() {
    let settings = Settings::new(ALICE.0);
    assert_eq!(settings.mapping, Dependence::Endpoint.into());
    assert_eq!(settings.filtering, Dependence::Address.into());
}
