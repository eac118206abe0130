//! SYNs from outside that nobody had asked for (RFC 5382 REQ-4).
//!
//! Such a SYN may be half of a simultaneous open, whose other half is still to come: for six seconds nobody may hear
//! that it was dropped, or that attempt would end. What is kept of it here is what an ICMP error quotes. There is room
//! for a few; who finds none gets no answer, as if the box gave none at all.

use core::net::Ipv4Addr;
use core::time::Duration;

use napt::{Endpoint, Instant};
use smoltcp::wire::{IpProtocol, Ipv4Packet, TcpPacket};

/// How many SYNs wait.
const ROOM: usize = 32;

/// How long they wait.
const PATIENCE: Duration = Duration::from_secs(6);

/// The longest headers of IPv4 and TCP together, in bytes. Data in a SYN is not quoted.
const HEADERS: usize = 60 + 60;

/// A SYN that was dropped.
pub(crate) struct Syn {
    /// The port of ours it was sent to, and by whom.
    pub(crate) external: u16,
    pub(crate) remote: Endpoint,
    due: Instant,
    len: usize,
    bytes: [u8; HEADERS],
}

impl Syn {
    /// Reads a well-formed packet. `None` if it is no whole packet, or begins no connection.
    fn read(now: Instant, packet: &[u8]) -> Option<Self> {
        let ip = Ipv4Packet::new_checked(packet).ok()?;
        if ip.next_header() != IpProtocol::Tcp || ip.more_frags() || ip.frag_offset() != 0 {
            return None;
        }
        let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
        if !tcp.syn() || tcp.ack() || tcp.rst() || tcp.fin() {
            return None;
        }
        let mut bytes = [0; HEADERS];
        bytes.iter_mut().zip(packet).for_each(|(to, from)| *to = *from);
        let remote = Endpoint::new(ip.src_addr(), tcp.src_port());
        let (external, len) = (tcp.dst_port(), packet.len().min(HEADERS));
        Some(Self { external, remote, due: now + PATIENCE, len, bytes })
    }

    /// Whom an answer goes to.
    pub(crate) fn sender(&self) -> Ipv4Addr {
        self.remote.address
    }

    /// As much of the packet as is quoted.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn is_like(&self, other: &Self) -> bool {
        (self.external, self.remote) == (other.external, other.remote)
    }
}

/// What has become of a packet that may be an unsolicited SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It waits, or an earlier one of the same connection does, or it is nothing that is answered.
    Done,
    /// It would have to wait, and there is no room.
    NoRoom,
}

/// The SYNs that wait for the other half of their connection.
pub(crate) struct Unsolicited {
    places: [Option<Syn>; ROOM],
}

impl Unsolicited {
    pub(crate) const fn new() -> Self {
        Self { places: [const { None }; ROOM] }
    }

    /// Lets a packet wait if it is a SYN. One that is sent again waits for as long as the first.
    pub(crate) fn push(&mut self, now: Instant, packet: &[u8]) -> Kept {
        let Some(syn) = Syn::read(now, packet) else { return Kept::Done };
        if self.places.iter().flatten().any(|waiting| waiting.is_like(&syn)) {
            return Kept::Done;
        }
        let Some(place) = self.places.iter_mut().find(|place| place.is_none()) else { return Kept::NoRoom };
        *place = Some(syn);
        Kept::Done
    }

    /// Takes one out that has waited long enough.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Syn> {
        let is_due = |place: &&mut Option<Syn>| place.as_ref().is_some_and(|syn| syn.due <= now);
        self.places.iter_mut().find(is_due)?.take()
    }

    /// When the next has waited long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.places.iter().flatten().map(|syn| syn.due).min()
    }
}
