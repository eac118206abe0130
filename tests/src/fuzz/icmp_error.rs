//! ICMP errors about packets of live sessions, whole at first, then with wrong bytes in them (RFC 5508 s.4).

use arbitrary::{Arbitrary, Unstructured};
use napt::{Realm, Verdict};

use super::bench::{Bench, FORWARDED, WEB, settings, tables};
use super::wire::{
    End, ICMP, OUTSIDE, destination, echo, fix_header, fix_transport, header_len, icmp, inside, is_error,
    ports, remote, source, tcp, udp,
};

#[derive(Arbitrary, Debug)]
struct Error {
    behaviours: u8,
    about: About,
    is_from_inside: bool,
    kind: u8,
    code: u8,
    second: [u8; 4],
    /// How much of the packet is not quoted.
    cut: u8,
    /// What follows the quote (RFC 4884).
    extension: Vec<u8>,
    /// Bytes to change, by place and difference.
    changes: Vec<(u8, u8)>,
    /// Which checksums are set right after that: quoted header, message, header.
    fixes: [bool; 3],
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum About {
    Udp,
    Tcp,
    Echo,
    Forwarded,
}

const HOST: u16 = 5000;

/// A session there is, an error about a packet of it, and what becomes of it.
pub fn icmp_error(data: &[u8]) {
    let Ok(error) = Error::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut tables = tables();
    let mut bench = Bench::new(&mut tables, settings(error.behaviours));
    let Some((out, back)) = converse(&mut bench, error.about) else { return };
    let (from, quoted) =
        if error.is_from_inside { (Realm::Internal, &back) } else { (Realm::External, &out) };
    let packet = error.packet(quoted);
    let before = bench.engine.occupancy();

    let (verdict, after) = bench.translate(from, &packet);

    assert!(
        !is_error(&packet) || bench.engine.occupancy() == before,
        "RFC 5508 REQ-6: an error neither makes nor ends a session"
    );
    if error.is_sound() {
        assert!(
            matches!(verdict, Verdict::Forward(to) if to != from),
            "a sound error is dropped: {verdict:?}"
        );
        check_ends(&after, quoted, if error.is_from_inside { &out } else { &back });
    }
}

/// Has a packet go out and one come back, or the other way for the forward; both as they were outside and inside:
/// the outbound one as it left, the inbound one as it arrived.
fn converse(bench: &mut Bench<'_>, about: About) -> Option<(Vec<u8>, Vec<u8>)> {
    let (host, peer) = (inside(1), (remote(7), 53));
    if let About::Forwarded = about {
        let (_, back) = bench.translate(Realm::External, &udp(peer, (OUTSIDE, FORWARDED), b"question"));
        let (_, out) = bench.translate(Realm::Internal, &udp((host, WEB), peer, b"answer"));
        return Some((out, back));
    }
    let (verdict, out) = bench.translate(Realm::Internal, &make(about, (host, HOST), peer));
    assert_eq!(verdict, Verdict::Forward(Realm::External));
    let external = (OUTSIDE, ports(&out).0);
    let answer = match about {
        About::Echo => echo(peer.0, external.0, true, external.1),
        About::Tcp => tcp(peer, external, 0x12),
        _ => udp(peer, external, b"answer"),
    };
    let (verdict, back) = bench.translate(Realm::External, &answer);
    (verdict == Verdict::Forward(Realm::Internal)).then_some((out, back))
}

fn make(about: About, from: End, to: End) -> Vec<u8> {
    match about {
        About::Udp | About::Forwarded => udp(from, to, b"question"),
        About::Tcp => tcp(from, to, 2),
        About::Echo => echo(from.0, to.0, false, from.1),
    }
}

impl Error {
    /// The error's packet, from a router on either side to the quoted packet's sender.
    fn packet(&self, quoted: &[u8]) -> Vec<u8> {
        let kept = quoted.len() - usize::from(self.cut).min(quoted.len());
        let rest = [&quoted[..kept], &self.extension[..self.extension.len().min(64)]].concat();
        let router = if self.is_from_inside { inside(9) } else { remote(9) };
        let mut packet = icmp(router, source(quoted), self.kind, self.code, self.second, &rest);
        for (place, difference) in self.changes.iter().take(8) {
            let at = usize::from(*place) % packet.len();
            packet[at] ^= difference;
        }
        if self.fixes[0] && packet.len() >= 48 {
            fix_header(&mut packet[28..]);
        }
        if self.fixes[1] && header_len(&packet) >= 20 {
            fix_transport(&mut packet, 2);
        }
        if self.fixes[2] {
            fix_header(&mut packet);
        }
        packet
    }

    /// Whether nothing is wrong with it, so that it must pass.
    fn is_sound(&self) -> bool {
        let is_echo = matches!(self.about, About::Echo);
        // An MTU in it has to be one that there is.
        if (self.kind, self.code) == (3, 4) && u16::from_be_bytes([self.second[2], self.second[3]]) < 1280 {
            return false;
        }
        // The shortest of the packets is longer than 28 bytes, which are what has to be quoted.
        matches!(self.kind, 3 | 11 | 12)
            && self.changes.is_empty()
            && self.cut == 0
            && !(is_echo && self.is_from_inside)
    }
}

/// The error goes to the quoted packet's sender and quotes the packet as that one knows it.
fn check_ends(after: &[u8], quoted: &[u8], other: &[u8]) {
    let quote = &after[28..];
    assert_eq!(destination(after), source(quote));
    assert_eq!(quoted[9], quote[9]);
    if quoted[9] == ICMP {
        return;
    }
    let sender = (source(quote), ports(quote).0);
    let receiver = (destination(quote), ports(quote).1);
    let reverse = |packet: &[u8]| ((destination(packet), ports(packet).1), (source(packet), ports(packet).0));
    // The packet of the other direction, seen on the side that the error goes to, has the same ends the other way.
    assert_eq!((sender, receiver), reverse(other), "RFC 5508 REQ-4a, REQ-5a: the quote is restored");
}
