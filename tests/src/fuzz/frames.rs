//! Frames on both ports of a whole router, whose hosts answer ARP: what it does itself, with smoltcp, for packets to
//! its own addresses and for errors, is in there too.

use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use config::Config;
use napt::{Checksum, Instant, Tables};
use router::{Disposition, Link, Offload, Router, Side};

use super::bench::SESSIONS;
use super::wire::{
    End, OUTSIDE, echo, fix_header, folded, header_len, icmp, inside, ipv4, remote, source, sum, tcp, udp,
};

/// No more than this, so that a run stays short.
const FRAMES: usize = 48;
const ETHERNET: usize = 14;

/// The reference network with few ports, so that a router is soon made, and with an answer to unsolicited SYNs; without
/// filter rules and with some.
const BLOBS: [&[u8]; 2] = [
    include_bytes!("../../fuzz/seeds/blob/few-ports"),
    include_bytes!("../../fuzz/seeds/blob/few-ports-and-rules"),
];

#[derive(Arbitrary, Debug)]
struct Frame {
    is_wan: bool,
    content: Content,
    /// To another station, or to all.
    is_astray: u8,
    /// Bytes to change behind the Ethernet header, by place and difference, and whether the header is mended then.
    changes: Vec<(u8, u8)>,
    is_mended: bool,
    is_partial: bool,
    segment: u16,
    /// Milliseconds before it arrives.
    pause: u16,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Udp { from: u8, to: u8, port: u8, len: u16 },
    Tcp { from: u8, to: u8, port: u8, flags: u8 },
    Icmp { from: u8, to: u8, kind: u8, code: u8, rest: Vec<u8> },
    Echo { from: u8, to: u8 },
    Other { from: u8, to: u8, protocol: u8, payload: Vec<u8> },
    Bytes { kind: [u8; 2], bytes: Vec<u8> },
}

/// What leaves the wan has our address, every header is right, and every frame is accounted for.
pub fn frames(data: &[u8]) {
    let Ok(frames) = <Vec<Frame>>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let config = Config::decode(BLOBS[data.len() % 2]).expect("a sound blob");
    let mut tables = Box::new(Tables::new());
    let mut desk = Desk::new(&mut tables, &config);
    frames.iter().take(FRAMES).for_each(|frame| desk.meet(frame));
    desk.wait(Duration::from_secs(10));
    assert!(
        Side::ALL.iter().all(|side| desk.router.summary().adds_up(*side)),
        "every frame is accounted for"
    );
}

/// A router whose hosts answer ARP, and a clock.
pub(super) struct Desk<'t> {
    pub(super) router: Box<Router<'t, SESSIONS>>,
    pub(super) now: Instant,
}

impl<'t> Desk<'t> {
    pub(super) fn new(tables: &'t mut Tables<SESSIONS>, config: &Config) -> Self {
        let link = |side: Side| Link { hardware: hardware(side), mtu: 1500 };
        let router = Router::new(tables, config, link(Side::Lan), link(Side::Wan), &[7; 32]);
        Self { router: Box::new(router), now: Instant::from_millis(1_000_000) }
    }

    fn meet(&mut self, frame: &Frame) {
        self.wait(Duration::from_millis(u64::from(frame.pause)));
        let side = if frame.is_wan { Side::Wan } else { Side::Lan };
        let checksum = if frame.is_partial { Checksum::Partial } else { Checksum::Complete };
        let offload = Offload { checksum, segment: frame.segment.try_into().ok() };
        self.receive(side, frame.bytes(side), offload);
    }

    /// A packet for the box to send on comes in by a side.
    pub(super) fn arrive(&mut self, side: Side, packet: &[u8]) {
        let frame = [&hardware(side)[..], &[2, 0, 0, 0, 0, 9], &[8, 0], packet].concat();
        self.receive(side, frame, Offload::default());
    }

    fn receive(&mut self, side: Side, mut bytes: Vec<u8>, offload: Offload) {
        match self.router.receive(self.now, side, &mut bytes, offload) {
            Disposition::Send(to) => check(to, &bytes),
            Disposition::SendSmaller => check(self.router.poll_smaller().expect("just told").0, &bytes),
            Disposition::Done => (),
        }
        self.listen();
    }

    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.router.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.router.handle_timeout(self.now);
            self.listen();
        }
        self.now = end;
    }

    /// Hears what the router says itself, and answers who has been asked for, unless it is the last host.
    fn listen(&mut self) {
        while let Some((side, said)) = self.router.poll_transmit() {
            check(side, said);
            let asked = said.get(38..42).map(<[u8]>::to_vec).unwrap_or_default();
            let is_request = said[12..14] == [8, 6] && said[21] == 1;
            if is_request && asked[3] != 3 {
                let reply = arp_reply(side, said, &asked);
                let _ = self.router.receive(self.now, side, &mut reply.clone(), Offload::default());
            }
        }
    }
}

/// A frame that the router has sent.
fn check(side: Side, frame: &[u8]) {
    assert_eq!(frame[6..12], hardware(side), "from the port's own Ethernet address");
    if frame[12..14] != [8, 0] {
        return;
    }
    let packet = &frame[ETHERNET..];
    assert!(side == Side::Lan || source(packet) == OUTSIDE, "V1: what leaves the wan has our address");
    assert_eq!(folded(sum(&packet[..header_len(packet)])), 0xFFFF, "V2: the header checksum is right");
}

fn hardware(side: Side) -> [u8; 6] {
    [2, 0, 0, 0, 0, 0x0A + side as u8]
}

fn arp_reply(side: Side, request: &[u8], asked: &[u8]) -> Vec<u8> {
    let head = [&hardware(side)[..], &[2, 0, 0, 0, 0, 9], &request[12..20], &[0, 2]].concat();
    [&head[..], &[2, 0, 0, 0, 0, 9], asked, &request[22..32]].concat()
}

impl Frame {
    fn bytes(&self, side: Side) -> Vec<u8> {
        let (kind, mut content) = self.content(side);
        for (place, difference) in self.changes.iter().take(8) {
            if let Some(byte) = content.get_mut(usize::from(*place)) {
                *byte ^= difference;
            }
        }
        if self.is_mended {
            fix_header(&mut content);
        }
        let to = match self.is_astray {
            0 => [0xFF; 6],
            1 => [2, 0, 0, 0, 0, 0x77],
            _ => hardware(side),
        };
        [&to[..], &[2, 0, 0, 0, 0, 9], &kind, &content].concat()
    }

    fn content(&self, side: Side) -> ([u8; 2], Vec<u8>) {
        let end = |host: u8, port: u8| -> End {
            (address(side, host), [80, 5000, 54321, 53][usize::from(port % 4)])
        };
        let far = |host: u8| end_of(side, host);
        let packet = match &self.content {
            Content::Udp { from, to, port, len } => {
                udp(end(*from, *port), (far(*to), 54321), &vec![0; usize::from(*len % 3000)])
            }
            Content::Tcp { from, to, port, flags } => tcp(end(*from, *port), (far(*to), 54321), *flags),
            Content::Icmp { from, to, kind, code, rest } => {
                icmp(address(side, *from), far(*to), *kind, *code, [0; 4], rest)
            }
            Content::Echo { from, to } => echo(address(side, *from), far(*to), false, 7),
            Content::Other { from, to, protocol, payload } => {
                ipv4(*protocol, address(side, *from), far(*to), payload)
            }
            Content::Bytes { kind, bytes } => return (*kind, bytes.clone()),
        };
        ([8, 0], packet)
    }
}

/// A host that may send on a side.
fn address(side: Side, host: u8) -> std::net::Ipv4Addr {
    match side {
        Side::Lan => inside(1 + host % 4),
        Side::Wan => {
            [remote(1 + host % 4), std::net::Ipv4Addr::new(203, 0, 113, 1)][usize::from(host / 4 % 2)]
        }
    }
}

/// Somebody to send to from a side: the box itself, by either address, or a host beyond it.
fn end_of(side: Side, host: u8) -> std::net::Ipv4Addr {
    match host % 4 {
        0 => OUTSIDE,
        1 => inside(254),
        2 => inside(3),
        _ if side == Side::Lan => remote(host % 5),
        _ => OUTSIDE,
    }
}
