//! The box's own stack on one side: what is addressed to the box itself ends here.
//!
//! A smoltcp interface. It says that a port is closed, so that a `traceroute` or a mistyped address on the lan gets an
//! answer. Its only sockets are those by which the operator comes, on the lan, if the configuration has a port for that.
//! On the wan the box answers nothing but pings (A26), which are `echo`'s: nothing else is handed to it there that has
//! an answer.

use core::num::NonZeroU16;

use config::InterfaceAddress;
use napt::Instant;
use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::wire::{HardwareAddress, IpCidr, IpEndpoint, IpProtocol, Ipv4Cidr, Ipv4Packet, TcpPacket};

use crate::connections::{self, CONNECTIONS, Connection, Connections};

/// The longest answer, in bytes.
pub(crate) const LONGEST: usize = 1500;

/// The stack.
pub(crate) struct Local<'t> {
    interface: Interface,
    sockets: SocketSet<'t>,
    /// Where the sockets listen.
    port: Option<NonZeroU16>,
    /// When a socket next has something to do.
    due: Option<Instant>,
    has_news: bool,
    callers: [Caller; CONNECTIONS],
    /// How many have come by any socket.
    come: u64,
}

/// Who is connected to a socket, or about to be.
#[derive(Clone, Copy, Default)]
struct Caller {
    /// How many have been before.
    number: u32,
    /// Which of all that came by any socket; nothing, if it is nobody.
    since: Option<u64>,
    /// When they last showed that they have a right to be.
    proven: Option<Instant>,
}

/// What became of a packet.
pub(crate) enum Served {
    /// It is answered, with so many bytes.
    Answered(usize),
    /// A socket has taken it.
    Taken,
    /// Nothing.
    Ignored,
}

impl<'t> Local<'t> {
    pub(crate) fn new(address: InterfaceAddress, seed: u64) -> Self {
        let interface = interface(address, seed);
        let sockets = SocketSet::new(&mut [][..]);
        let callers = [Caller::default(); CONNECTIONS];
        Self { interface, sockets, port: None, due: None, has_news: false, callers, come: 0 }
    }

    /// Begins anew with another address. Whoever was connected is so no more.
    pub(crate) fn readdress(&mut self, address: InterfaceAddress, seed: u64) {
        self.interface = interface(address, seed);
        self.hang_up();
    }

    /// Gives it sockets.
    pub(crate) fn open(&mut self, memory: &'t mut Connections<'t>) {
        self.sockets = memory.sockets();
    }

    /// Has the sockets listen at a port, or nowhere. Whoever was connected elsewhere is so no more.
    pub(crate) fn listen(&mut self, port: Option<NonZeroU16>) {
        if port != self.port {
            self.port = port;
            self.hang_up();
        }
    }

    /// Ends what the sockets do; they listen again when that has been said.
    fn hang_up(&mut self) {
        self.sockets.iter_mut().for_each(|(_, socket)| connections::close(socket));
        self.due = Some(Instant::from_millis(0));
    }

    /// Whether a packet belongs to a connection.
    pub(crate) fn knows(&self, packet: &[u8]) -> bool {
        let sender = self.sender(packet);
        sender.is_some() && self.sockets.iter().any(|(_, socket)| connections::remote(socket) == sender)
    }

    /// Who sends a segment to the sockets' port, if a packet, which is one, brings such.
    #[inline(never)]
    fn sender(&self, packet: &[u8]) -> Option<IpEndpoint> {
        let packet = Ipv4Packet::new_unchecked(packet);
        let segment = TcpPacket::new_checked(packet.payload()).ok()?;
        let is_ours = packet.next_header() == IpProtocol::Tcp
            && Some(segment.dst_port()) == self.port.map(NonZeroU16::get);
        is_ours.then(|| IpEndpoint::new(packet.src_addr().into(), segment.src_port()))
    }

    /// Takes a packet for the box and writes what it answers into `reply`.
    pub(crate) fn receive(&mut self, now: Instant, packet: &[u8], reply: &mut [u8; LONGEST]) -> Served {
        let mut exchange = Exchange { packet: Some(packet), reply, len: 0 };
        self.interface.poll_ingress_single(time(now), &mut exchange, &mut self.sockets);
        let len = exchange.len;
        let is_sockets = self.sender(packet).is_some();
        if is_sockets {
            (self.due, self.has_news) = (Some(now), true);
            self.keep_room();
        }
        match len {
            0 if is_sockets => Served::Taken,
            0 => Served::Ignored,
            _ => Served::Answered(len),
        }
    }

    /// Writes the next packet that a socket wants sent at `now`; its length, zero if there is none.
    pub(crate) fn transmit(&mut self, now: Instant, reply: &mut [u8; LONGEST]) -> usize {
        if self.due.is_none_or(|due| due > now) {
            return 0;
        }
        let mut exchange = Exchange { packet: None, reply, len: 0 };
        self.interface.poll_egress(time(now), &mut exchange, &mut self.sockets);
        let len = exchange.len;
        if len == 0 {
            self.settle();
            let due = self.interface.poll_at(time(now), &self.sockets);
            self.due = due.map(|due| Instant::from_millis(due.total_millis().max(0) as u64));
        }
        len
    }

    /// When [`transmit`](Self::transmit) next has something to do.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether something has come by a socket since this was last asked.
    pub(crate) fn take_news(&mut self) -> bool {
        core::mem::take(&mut self.has_news)
    }

    /// How many have been connected to a socket.
    pub(crate) fn caller(&self, number: usize) -> u32 {
        self.callers.get(number).map_or(0, |caller| caller.number)
    }

    /// Whoever is connected to a socket has a right to be.
    pub(crate) fn prove(&mut self, now: Instant, number: usize) {
        if let Some(caller) = self.callers.get_mut(number) {
            caller.proven = Some(now);
        }
    }

    /// A socket that somebody has connected to; at `now` something may be done with it.
    pub(crate) fn connection(&mut self, now: Instant, number: usize) -> Option<Connection<'_, 't>> {
        let (_, socket) = self.sockets.iter_mut().nth(number)?;
        let connection = Connection::of(socket)?;
        self.due = Some(now);
        Some(connection)
    }

    /// Lets one go, if nobody more could connect: who has not shown a right to be there, or else who has been quiet for longest.
    fn keep_room(&mut self) {
        let mut is_full = true;
        for ((_, socket), caller) in self.sockets.iter().zip(&mut self.callers) {
            if connections::is_free(socket) {
                is_full = false;
            } else if caller.since.is_none() {
                caller.since = Some(self.come);
                self.come += 1;
            }
        }
        let sockets = self.sockets.iter_mut().zip(&self.callers);
        if let Some(((_, socket), _)) =
            sockets.filter(|_| is_full).min_by_key(|(_, caller)| (caller.proven, caller.since))
        {
            connections::close(socket);
        }
    }

    /// Has those listen again that nobody is connected to any more.
    fn settle(&mut self) {
        let Some(port) = self.port else { return };
        for ((_, socket), caller) in self.sockets.iter_mut().zip(&mut self.callers) {
            if connections::listen(socket, port) {
                *caller = Caller { number: caller.number.wrapping_add(1), since: None, proven: None };
            }
        }
    }
}

fn interface(address: InterfaceAddress, seed: u64) -> Interface {
    let mut config = Config::new(HardwareAddress::Ip);
    config.random_seed = seed;
    let mut reply = [0; LONGEST];
    let mut exchange = Exchange { packet: None, reply: &mut reply, len: 0 };
    let mut interface = Interface::new(config, &mut exchange, smoltcp::time::Instant::ZERO);
    let own = IpCidr::Ipv4(Ipv4Cidr::new(address.address(), address.prefix_len()));
    interface.update_ip_addrs(|addresses| {
        // There is room for one: the list has just been made.
        let _ = addresses.push(own);
    });
    interface
}

fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_millis(now.millis() as i64)
}

/// A device that has one packet to read and room for one answer.
struct Exchange<'a> {
    packet: Option<&'a [u8]>,
    reply: &'a mut [u8; LONGEST],
    len: usize,
}

impl Device for Exchange<'_> {
    type RxToken<'b>
        = Question<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Answer<'b>
    where
        Self: 'b;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Question<'_>, Answer<'_>)> {
        let packet = self.packet.take()?;
        Some((Question(packet), Answer { reply: self.reply, len: &mut self.len }))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Answer<'_>> {
        (self.len == 0).then_some(Answer { reply: self.reply, len: &mut self.len })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = LONGEST;
        // A neighbour on a virtual link may have left these unfinished; nothing here depends on them: what an operator says
        // is sealed.
        capabilities.checksum.tcp = Checksum::Tx;
        capabilities.checksum.udp = Checksum::Tx;
        capabilities
    }
}

struct Question<'a>(&'a [u8]);

impl RxToken for Question<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

struct Answer<'a> {
    reply: &'a mut [u8; LONGEST],
    len: &'a mut usize,
}

impl TxToken for Answer<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        // smoltcp keeps to the MTU above, so the answer fits.
        *self.len = len.min(LONGEST);
        write(&mut self.reply[..*self.len])
    }
}
