//! A whole router on the desk, with hosts on both its links that answer ARP.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use napt::{Instant, Tables};
use router::{Disposition, Link, Offload, Router, Side};
use smoltcp::wire::{ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol};

use crate::{ALICE, BOB, DAVE, Host, Packet};

/// How many sessions the router of a [`Desk`] has room for.
const CAPACITY: usize = 256;

/// The router's Ethernet addresses, lan first.
const ROUTER: [EthernetAddress; 2] =
    [EthernetAddress([2, 0, 0, 0, 0, 0x0A]), EthernetAddress([2, 0, 0, 0, 0, 0x0B])];

/// The reference network as a person would write it down.
const CONFIGURATION: &str = r#"
[wan]
interface = "gw1"
address = "203.0.113.254/24"
gateway = "203.0.113.1"

[lan]
interface = "gw0"
address = "192.0.2.254/24"

[[forward]]
name = "web"
protocol = "tcp"
external = "54321"
internal = "192.0.2.1:54321"
"#;

/// A router in the reference network, and a clock. ALICE and DAVE are on the lan, BOB on the wan is the gateway.
pub struct Desk {
    /// The router itself, for what has no shorthand. It is large for a thread's stack.
    pub router: Box<Router<'static, CAPACITY>>,
    hosts: [BTreeMap<Ipv4Addr, EthernetAddress>; 2],
    now: Instant,
    /// The router's address outside.
    outside: Ipv4Addr,
    /// Every frame the router has sent that is not ARP, oldest first.
    sent: Vec<Seen>,
    /// Every address the router has asked for.
    asked: Vec<(Side, Ipv4Addr)>,
}

/// A packet that left the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The port it left by.
    pub side: Side,
    /// The Ethernet address it went to.
    pub to: EthernetAddress,
    /// What lay behind the packet in its frame.
    pub padding: Vec<u8>,
    /// The packet.
    pub packet: Packet,
}

impl Default for Desk {
    fn default() -> Self {
        Self::new()
    }
}

impl Desk {
    /// The reference network.
    pub fn new() -> Self {
        Self::with(CONFIGURATION)
    }

    /// A router with this configuration in the place of the reference network's.
    pub fn with(configuration: &str) -> Self {
        Self::with_mtu(configuration, [1500, 1500])
    }

    /// The reference network with this MTU on the wan.
    pub fn with_wan_mtu(mtu: u16) -> Self {
        Self::with_mtu(CONFIGURATION, [1500, mtu])
    }

    /// The reference network with these MTUs.
    pub fn with_mtus(lan: u16, wan: u16) -> Self {
        Self::with_mtu(CONFIGURATION, [lan, wan])
    }

    /// A router with this configuration and these MTUs, lan first.
    pub fn with_mtu(configuration: &str, [lan_mtu, wan_mtu]: [u16; 2]) -> Self {
        let config = provision::compile(configuration, "desk.toml").unwrap();
        let link = |side: Side, mtu| Link { hardware: ROUTER[side as usize].0, mtu };
        let tables = Box::leak(Box::new(Tables::new()));
        let links = (link(Side::Lan, lan_mtu), link(Side::Wan, wan_mtu));
        let router = Box::new(Router::new(tables, &config, links.0, links.1, &[3; 32]));
        let mut desk = Self {
            router,
            hosts: [BTreeMap::new(), BTreeMap::new()],
            now: Instant::from_millis(5_000),
            outside: config.wan().address().address(),
            sent: Vec::new(),
            asked: Vec::new(),
        };
        desk.join(Side::Lan, ALICE).join(Side::Lan, DAVE).join(Side::Wan, BOB);
        desk
    }

    /// The reference network's configuration without this line.
    pub fn without(line: &str) -> Self {
        assert!(CONFIGURATION.contains(line));
        Self::with(&CONFIGURATION.replace(line, ""))
    }

    /// The reference network's configuration.
    pub fn configuration() -> &'static str {
        CONFIGURATION
    }

    /// Gives the router another configuration.
    pub fn reconfigure(&mut self, configuration: &str) {
        let config = provision::compile(configuration, "desk.toml").unwrap();
        self.outside = config.wan().address().address();
        self.router.reconfigure(self.now, &config);
        self.collect();
    }

    /// Adds a host to a link: it answers ARP from now on.
    pub fn join(&mut self, side: Side, host: Host) -> &mut Self {
        self.hosts[side as usize].insert(host.0, hardware(host));
        self
    }

    /// Removes a host from a link: it answers no more.
    pub fn leave(&mut self, side: Side, host: Host) {
        self.hosts[side as usize].remove(&host.0);
    }

    /// Whom the router has asked for by ARP so far.
    pub fn asked(&self) -> &[(Side, Ipv4Addr)] {
        &self.asked
    }

    /// Lets a packet arrive on a link, as from a neighbour; the packets that leave the router because of it.
    pub fn arrive(&mut self, side: Side, packet: &Packet) -> Vec<Seen> {
        let offload = Offload { checksum: packet.checksum, segment: packet.segment };
        self.arrive_frame(side, frame_for(side, packet), offload)
    }

    /// Lets bytes arrive on a link; the packets that leave the router because of it.
    pub fn arrive_frame(&mut self, side: Side, mut frame: Vec<u8>, offload: Offload) -> Vec<Seen> {
        match self.router.receive(self.now, side, &mut frame, offload) {
            Disposition::Send(to) => self.see(to, &frame, offload),
            Disposition::SendSmaller => {
                let (to, segment) = self.router.poll_smaller().unwrap();
                self.see(to, &frame, Offload { segment: Some(segment), ..offload });
            }
            Disposition::Done => (),
        }
        self.collect()
    }

    /// What the clock says.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Lets time pass; the packets that leave the router meanwhile.
    pub fn wait(&mut self, time: Duration) -> Vec<Seen> {
        let end = self.now + time;
        let mut seen = Vec::new();
        while let Some(due) = self.router.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.router.handle_timeout(self.now);
            seen.extend(self.collect());
        }
        self.now = end;
        seen
    }

    /// Whether the counters account for every frame on both ports.
    pub fn adds_up(&self) -> bool {
        Side::ALL.iter().all(|side| self.router.summary().adds_up(*side))
    }

    /// How often the router has dropped a frame of `side` for `reason`.
    pub fn refused(&self, side: Side, reason: router::Refusal) -> u64 {
        self.router.summary().router[side as usize].refused[reason as usize]
    }

    /// How often the engine has dropped a packet of `side` for `reason`.
    pub fn engine_dropped(&self, side: Side, reason: napt::DropReason) -> u64 {
        self.router.summary().engine[side as usize].dropped[reason.index()]
    }

    /// What an ARP packet to the router makes it send, answers to ARP included.
    pub fn arp(&mut self, side: Side, arp: &ArpRepr) -> Vec<(Side, ArpRepr)> {
        let mut frame = arp_frame(arp);
        let disposition = self.router.receive(self.now, side, &mut frame, Offload::default());
        assert_eq!(disposition, Disposition::Done);
        let mut said = Vec::new();
        while let Some((side, bytes)) = self.router.poll_transmit() {
            let frame = EthernetFrame::new_checked(bytes).unwrap();
            if frame.ethertype() == EthernetProtocol::Arp {
                said.push((side, ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).unwrap()).unwrap()));
            }
        }
        said
    }

    /// Fetches what the router wants sent, answers its ARP requests, and returns all packets seen.
    fn collect(&mut self) -> Vec<Seen> {
        while let Some((side, bytes)) = self.router.poll_transmit() {
            let bytes = bytes.to_vec();
            self.see(side, &bytes, Offload::default());
        }
        std::mem::take(&mut self.sent)
    }

    fn see(&mut self, side: Side, bytes: &[u8], offload: Offload) {
        let frame = EthernetFrame::new_checked(bytes).unwrap();
        assert_eq!(frame.src_addr(), ROUTER[side as usize]);
        match frame.ethertype() {
            EthernetProtocol::Ipv4 => self.see_packet(side, frame.dst_addr(), frame.payload(), offload),
            EthernetProtocol::Arp => self.answer(side, frame.payload()),
            other => panic!("the router sent {other}"),
        }
    }

    fn see_packet(&mut self, side: Side, to: EthernetAddress, payload: &[u8], offload: Offload) {
        let len = usize::from(u16::from_be_bytes([payload[2], payload[3]]));
        let (bytes, padding) = payload.split_at(len);
        let packet = Packet { bytes: bytes.to_vec(), checksum: offload.checksum, segment: offload.segment };
        assert!(packet.header_is_intact());
        if side == Side::Wan {
            assert_eq!(
                *packet.source().ip(),
                self.outside,
                "V1: nothing but our address leaves the wan port"
            );
        }
        self.sent.push(Seen { side, to, padding: padding.to_vec(), packet });
    }

    fn answer(&mut self, side: Side, payload: &[u8]) {
        let arp = ArpRepr::parse(&ArpPacket::new_checked(payload).unwrap()).unwrap();
        let ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        } = arp
        else {
            panic!("the router sent {arp:?}");
        };
        if operation != ArpOperation::Request {
            return;
        }
        self.asked.push((side, target_protocol_addr));
        let Some(hardware) = self.hosts[side as usize].get(&target_protocol_addr) else { return };
        let reply = ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Reply,
            source_hardware_addr: *hardware,
            source_protocol_addr: target_protocol_addr,
            target_hardware_addr: source_hardware_addr,
            target_protocol_addr: source_protocol_addr,
        };
        let disposition = self.router.receive(self.now, side, &mut arp_frame(&reply), Offload::default());
        assert_eq!(disposition, Disposition::Done);
    }
}

/// The Ethernet address of a host.
pub fn hardware(host: Host) -> EthernetAddress {
    let [a, b, c, d] = host.0.octets();
    EthernetAddress([2, 1, a, b, c, d])
}

/// The frame in which a neighbour sends a packet to the router.
pub fn frame_for(side: Side, packet: &Packet) -> Vec<u8> {
    let mut bytes = vec![0; 14 + packet.bytes.len()];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_dst_addr(ROUTER[side as usize]);
    frame.set_src_addr(EthernetAddress([2, 9, 9, 9, 9, 9]));
    frame.set_ethertype(EthernetProtocol::Ipv4);
    frame.payload_mut().copy_from_slice(&packet.bytes);
    bytes
}

/// The frame by which a neighbour on a side asks for the router, and makes itself known to it.
pub fn arp_request(side: Side, host: Host) -> Vec<u8> {
    arp_frame(&ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: hardware(host),
        source_protocol_addr: host.0,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: match side {
            Side::Lan => crate::INSIDE.0,
            Side::Wan => crate::OUTSIDE.0,
        },
    })
}

/// The frame of an ARP packet, padded as Ethernet has it.
fn arp_frame(arp: &ArpRepr) -> Vec<u8> {
    let mut bytes = vec![0; 60];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes[..]);
    frame.set_dst_addr(EthernetAddress::BROADCAST);
    frame.set_src_addr(EthernetAddress([2, 9, 9, 9, 9, 9]));
    frame.set_ethertype(EthernetProtocol::Arp);
    arp.emit(&mut ArpPacket::new_unchecked(frame.payload_mut()));
    bytes
}
