//! A host: smoltcp's interface and sockets behind one network card, and what a user does on it.
//!
//! It is sans-IO like the router: frames in, frames out, and the time when it wants to be woken. What arrives on a
//! socket is read at once, as a waiting program would, and kept here for whoever asks.

mod card;
mod tidy;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::{Socket, icmp, tcp, udp};
use smoltcp::wire::{EthernetAddress, Icmpv4Packet, Icmpv4Repr, IpAddress, IpCidr, Ipv4Cidr};

use self::card::Card;
use crate::node::Departure;
use crate::time::Time;

/// What a TCP socket buffers each way, in bytes: 44 full segments, the window that Linux begins with.
const WINDOW: usize = 44 * 1460;

/// What a UDP socket buffers each way, in bytes.
const DATAGRAMS: usize = 16 * 1024;

/// The last port that only services have (RFC 6335 s.6).
pub(crate) const LAST_SYSTEM_PORT: u16 = 1023;

/// How many datagrams a socket that reflects remembers.
const KEPT: usize = 64;

/// What `ping` sends behind the ICMP header, in bytes.
const PING_DATA: usize = 56;

/// What a host has to be told before it starts.
#[derive(Clone, Copy, Debug)]
pub struct HostSetup {
    /// Its Ethernet address.
    pub hardware: EthernetAddress,
    /// Its IPv4 address, and the prefix of its link.
    pub address: Ipv4Cidr,
    /// Its default router, if it has one.
    pub gateway: Option<Ipv4Addr>,
    /// The largest packet that its link carries, in bytes.
    pub mtu: u16,
    /// How long its connections may hear nothing before they are given up (RFC 9293 s.3.9.1); `None` for ever.
    pub user_timeout: Option<Duration>,
    /// Decides its initial sequence numbers.
    pub seed: u64,
}

/// A TCP socket of a [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(SocketHandle);

/// An echo reply that a host has received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// Who answered.
    pub from: Ipv4Addr,
    /// The identifier that was asked with.
    pub ident: u16,
    /// The sequence number that was asked with.
    pub sequence: u16,
}

/// A UDP datagram that a host has received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: SocketAddrV4,
    /// What it says.
    pub data: Vec<u8>,
}

/// What a user has said on a connection that the socket has no room for yet, and whether that is the end.
#[derive(Debug, Default)]
struct Outgoing {
    bytes: VecDeque<u8>,
    ends: bool,
}

/// A UDP socket of a [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mailbox(SocketHandle);

/// A host.
pub struct Host {
    user_timeout: Option<Duration>,
    interface: Interface,
    card: Card,
    sockets: SocketSet<'static>,
    received: BTreeMap<SocketHandle, Vec<u8>>,
    outgoing: BTreeMap<SocketHandle, Outgoing>,
    datagrams: BTreeMap<SocketHandle, Vec<Datagram>>,
    echoes: Vec<Echo>,
    /// The TCP ports that are served, and the sockets that do so.
    served: BTreeMap<SocketHandle, u16>,
    /// The UDP sockets that send back what they receive.
    reflecting: BTreeSet<SocketHandle>,
}

impl Host {
    /// A host with no sockets.
    pub fn new(setup: &HostSetup) -> Self {
        let mut config = Config::new(setup.hardware.into());
        config.random_seed = setup.seed;
        let mut card = Card::new(setup.mtu);
        let mut interface = Interface::new(config, &mut card, Time::ZERO.stack());
        // A new interface has room for one address and for one route.
        interface.update_ip_addrs(|addresses| _ = addresses.push(IpCidr::Ipv4(setup.address)));
        if let Some(gateway) = setup.gateway {
            let _ = interface.routes_mut().add_default_ipv4_route(gateway);
        }
        let sockets = SocketSet::new(Vec::new());
        Self {
            user_timeout: setup.user_timeout,
            interface,
            card,
            sockets,
            received: BTreeMap::new(),
            outgoing: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            echoes: Vec::new(),
            served: BTreeMap::new(),
            reflecting: BTreeSet::new(),
        }
    }

    /// Its address.
    ///
    /// # Panics
    /// Never: a host has an address.
    pub fn address(&self) -> Ipv4Addr {
        self.interface.ipv4_addr().expect("a host has an address")
    }

    /// Opens a connection from `port` to `remote`.
    ///
    /// # Panics
    /// If either port is 0 or `remote` has no address.
    pub fn connect(&mut self, port: u16, remote: SocketAddrV4) -> Connection {
        let mut socket = tcp_socket(self.user_timeout);
        let remote = (*remote.ip(), remote.port());
        socket.connect(self.interface.context(), remote, port).expect("both ends are specified");
        Connection(self.sockets.add(socket))
    }

    /// Waits for one connection to `port`.
    ///
    /// # Panics
    /// If the port is 0.
    pub fn listen(&mut self, port: u16) -> Connection {
        let mut socket = tcp_socket(self.user_timeout);
        socket.listen(port).expect("the port is not 0");
        Connection(self.sockets.add(socket))
    }

    /// Sends bytes, as soon as the connection allows.
    pub fn send(&mut self, connection: Connection, bytes: &[u8]) {
        self.outgoing.entry(connection.0).or_default().bytes.extend(bytes);
    }

    /// Has nothing more to send.
    pub fn close(&mut self, connection: Connection) {
        self.outgoing.entry(connection.0).or_default().ends = true;
    }

    /// All that has arrived on a connection.
    pub fn received(&self, connection: Connection) -> &[u8] {
        self.received.get(&connection.0).map_or(&[], Vec::as_slice)
    }

    /// The connection's state, in the words of RFC 9293.
    pub fn state(&self, connection: Connection) -> tcp::State {
        self.sockets.get::<tcp::Socket<'_>>(connection.0).state()
    }

    /// Whether both ends have closed, and know it.
    pub fn is_over(&self, connection: Connection) -> bool {
        matches!(self.state(connection), tcp::State::Closed | tcp::State::TimeWait)
    }

    /// The other end of a connection, if there is one.
    pub fn peer(&self, connection: Connection) -> Option<SocketAddrV4> {
        let peer = self.sockets.get::<tcp::Socket<'_>>(connection.0).remote_endpoint()?;
        let IpAddress::Ipv4(address) = peer.addr;
        Some(SocketAddrV4::new(address, peer.port))
    }

    /// Ends a connection at once, with a RST.
    pub fn abort(&mut self, connection: Connection) {
        self.sockets.get_mut::<tcp::Socket<'_>>(connection.0).abort();
    }

    /// Has a connection ask whether its peer is still there, so often.
    pub fn keep_alive(&mut self, connection: Connection, every: Duration) {
        let every = smoltcp::time::Duration::from_micros(every.as_micros() as u64);
        self.sockets.get_mut::<tcp::Socket<'_>>(connection.0).set_keep_alive(Some(every));
    }

    /// Answers connections to a port from now on, any number, by sending back what they say until they end.
    ///
    /// # Panics
    /// If the port is 0.
    pub fn serve(&mut self, port: u16) {
        let Connection(socket) = self.listen(port);
        self.served.insert(socket, port);
    }

    /// The connections to ports that it serves.
    pub fn serving(&self) -> impl Iterator<Item = Connection> {
        self.served
            .keys()
            .map(|socket| Connection(*socket))
            .filter(|one| self.state(*one) != tcp::State::Listen)
    }

    /// Opens a UDP socket.
    ///
    /// # Panics
    /// If the port is 0.
    pub fn bind(&mut self, port: u16) -> Mailbox {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; DATAGRAMS]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).expect("the port is not 0");
        Mailbox(self.sockets.add(socket))
    }

    /// Sends back to each sender what arrives on a socket from now on.
    pub fn reflect(&mut self, mailbox: Mailbox) {
        self.reflecting.insert(mailbox.0);
    }

    /// Sends a datagram. One that finds no room is lost.
    pub fn send_to(&mut self, mailbox: Mailbox, to: SocketAddrV4, data: &[u8]) {
        let socket = self.sockets.get_mut::<udp::Socket<'_>>(mailbox.0);
        let _ = socket.send_slice(data, (*to.ip(), to.port()));
    }

    /// The datagrams that have arrived on a socket.
    pub fn datagrams(&self, mailbox: Mailbox) -> &[Datagram] {
        self.datagrams.get(&mailbox.0).map_or(&[], Vec::as_slice)
    }

    /// Prepares to ping with this identifier.
    pub fn prepare_ping(&mut self, ident: u16) -> Pinger {
        let buffer =
            || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 8 * (PING_DATA + 8)]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(icmp::Endpoint::Ident(ident)).expect("the socket is new");
        Pinger { socket: self.sockets.add(socket), ident }
    }

    /// Sends an echo request, 64 bytes of ICMP. If eight of them wait already for the neighbour to be found, it is lost.
    pub fn ping(&mut self, pinger: Pinger, sequence: u16, to: Ipv4Addr) {
        let data: Vec<u8> = (0..PING_DATA as u8).collect();
        let request = Icmpv4Repr::EchoRequest { ident: pinger.ident, seq_no: sequence, data: &data };
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(pinger.socket);
        let Ok(bytes) = socket.send(request.buffer_len(), to.into()) else { return };
        request.emit(&mut Icmpv4Packet::new_unchecked(bytes), &ChecksumCapabilities::default());
    }

    /// The echo replies that have arrived.
    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    pub(crate) fn receive(&mut self, now: Time, frame: Vec<u8>, out: &mut Vec<Departure>) {
        self.card.received.push_back(frame);
        self.handle_timeout(now, out);
    }

    pub(crate) fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        self.interface.poll_at(now.stack(), &self.sockets).map(Time::from_stack)
    }

    /// Does what there is to do, whether because of time, of a frame or of a user.
    pub(crate) fn handle_timeout(&mut self, now: Time, out: &mut Vec<Departure>) {
        self.write();
        self.interface.poll(now.stack(), &mut self.card, &mut self.sockets);
        if self.read() | self.write() {
            self.interface.poll(now.stack(), &mut self.card, &mut self.sockets);
        }
        out.extend(self.card.sent.drain(..).map(|frame| Departure::own(0, frame)));
    }

    /// Reads what the sockets have, and answers where that is asked for; whether there was anything.
    fn read(&mut self) -> bool {
        let mut any = self.attend();
        for (handle, socket) in self.sockets.iter_mut() {
            any |= match socket {
                Socket::Tcp(_) if self.served.contains_key(&handle) => false,
                Socket::Tcp(socket) => read_stream(socket, self.received.entry(handle).or_default()),
                Socket::Icmp(socket) => read_echoes(socket, &mut self.echoes),
                Socket::Udp(socket) => {
                    let reflects = self.reflecting.contains(&handle);
                    read_datagrams(socket, reflects, self.datagrams.entry(handle).or_default())
                }
            };
        }
        any
    }
}

impl Host {
    /// Gives the sockets what there is to send, as far as they have room; whether they took anything.
    fn write(&mut self) -> bool {
        let mut any = false;
        for (handle, outgoing) in &mut self.outgoing {
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(*handle);
            while socket.can_send() && !outgoing.bytes.is_empty() {
                let taken = socket.send_slice(outgoing.bytes.as_slices().0).unwrap_or(0);
                outgoing.bytes.drain(..taken);
                any = true;
            }
            // One that is not open yet would forget that it was to open.
            if outgoing.ends && outgoing.bytes.is_empty() && socket.may_send() {
                socket.close();
                any = true;
            }
        }
        self.outgoing.retain(|_, outgoing| outgoing.ends || !outgoing.bytes.is_empty());
        any
    }

    /// Serves the ports that are served: a socket for whoever comes next, an answer for who has spoken, an end for who
    /// has ended. Whether there was anything.
    fn attend(&mut self) -> bool {
        let mut any = false;
        for (handle, port) in self.served.clone() {
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(handle);
            any |= send_back(socket);
            if socket.state() == tcp::State::Closed {
                self.sockets.remove(handle);
                self.served.remove(&handle);
                any = true;
            }
            let waits = |handle| self.sockets.get::<tcp::Socket<'_>>(handle).state() == tcp::State::Listen;
            let waiting = self.served.iter().any(|(handle, other)| *other == port && waits(*handle));
            if !waiting {
                self.serve(port);
            }
        }
        any
    }
}

/// What a [`Host`] pings with.
#[derive(Clone, Copy, Debug)]
pub struct Pinger {
    socket: SocketHandle,
    ident: u16,
}

fn tcp_socket(user_timeout: Option<Duration>) -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; WINDOW]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    let timeout = user_timeout.map(|time| smoltcp::time::Duration::from_micros(time.as_micros() as u64));
    socket.set_timeout(timeout);
    socket
}

fn read_stream(socket: &mut tcp::Socket<'_>, into: &mut Vec<u8>) -> bool {
    let before = into.len();
    while socket.can_recv() {
        let _ = socket.recv(|bytes| (bytes.len(), into.extend_from_slice(bytes)));
    }
    into.len() > before
}

/// Sends back what a peer says, and ends when it has. Whether there was anything.
fn send_back(socket: &mut tcp::Socket<'_>) -> bool {
    let mut any = false;
    while socket.can_recv() && socket.can_send() {
        let room = socket.send_capacity() - socket.send_queue();
        let said = socket.recv(|bytes| {
            let len = bytes.len().min(room);
            (len, bytes[..len].to_vec())
        });
        let Ok(said) = said else { break };
        let _ = socket.send_slice(&said);
        any = true;
    }
    if socket.state() == tcp::State::CloseWait && !socket.can_recv() {
        socket.close();
        any = true;
    }
    any
}

fn read_datagrams(socket: &mut udp::Socket<'_>, reflects: bool, into: &mut Vec<Datagram>) -> bool {
    let mut any = false;
    while let Ok((data, from)) = socket.recv().map(|(data, from)| (data.to_vec(), from.endpoint)) {
        any = true;
        let IpAddress::Ipv4(address) = from.addr;
        // Two services that answered each other would never stop.
        if reflects && from.port > LAST_SYSTEM_PORT {
            let _ = socket.send_slice(&data, from);
        }
        into.push(Datagram { from: SocketAddrV4::new(address, from.port), data });
        // Who reflects for a day needs no memory of the morning.
        if reflects && into.len() > KEPT {
            into.remove(0);
        }
    }
    any
}

fn read_echoes(socket: &mut icmp::Socket<'_>, into: &mut Vec<Echo>) -> bool {
    let before = into.len();
    while let Ok((bytes, from)) = socket.recv() {
        let IpAddress::Ipv4(from) = from;
        let Ok(packet) = Icmpv4Packet::new_checked(bytes) else { continue };
        if let Ok(Icmpv4Repr::EchoReply { ident, seq_no: sequence, .. }) =
            Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default())
        {
            into.push(Echo { from, ident, sequence });
        }
    }
    into.len() > before
}
