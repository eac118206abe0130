//! A host: smoltcp's interface and sockets behind one network card, and what a user does on it.
//!
//! It is sans-IO like the router: frames in, frames out, and the time when it wants to be woken. What arrives on a
//! socket is read at once, as a waiting program would, and kept here for whoever asks.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddrV4};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{Socket, icmp, tcp};
use smoltcp::wire::{EthernetAddress, Icmpv4Packet, Icmpv4Repr, IpCidr, Ipv4Cidr};

use crate::node::Departure;
use crate::time::Time;

/// Ethernet's MTU and its header, in bytes.
const FRAME: usize = 1500 + 14;

/// What a TCP socket buffers each way, in bytes: 44 full segments, the window that Linux begins with.
const WINDOW: usize = 44 * 1460;

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

/// A host.
pub struct Host {
    interface: Interface,
    card: Card,
    sockets: SocketSet<'static>,
    received: BTreeMap<SocketHandle, Vec<u8>>,
    echoes: Vec<Echo>,
}

impl Host {
    /// A host with no sockets.
    pub fn new(setup: &HostSetup) -> Self {
        let mut config = Config::new(setup.hardware.into());
        config.random_seed = setup.seed;
        let mut card = Card::default();
        let mut interface = Interface::new(config, &mut card, Time::ZERO.stack());
        // A new interface has room for one address and for one route.
        interface.update_ip_addrs(|addresses| _ = addresses.push(IpCidr::Ipv4(setup.address)));
        if let Some(gateway) = setup.gateway {
            let _ = interface.routes_mut().add_default_ipv4_route(gateway);
        }
        let sockets = SocketSet::new(Vec::new());
        Self { interface, card, sockets, received: BTreeMap::new(), echoes: Vec::new() }
    }

    /// Opens a connection from `port` to `remote`.
    ///
    /// # Panics
    /// If either port is 0 or `remote` has no address.
    pub fn connect(&mut self, port: u16, remote: SocketAddrV4) -> Connection {
        let mut socket = tcp_socket();
        let remote = (*remote.ip(), remote.port());
        socket.connect(self.interface.context(), remote, port).expect("both ends are specified");
        Connection(self.sockets.add(socket))
    }

    /// Waits for one connection to `port`.
    ///
    /// # Panics
    /// If the port is 0.
    pub fn listen(&mut self, port: u16) -> Connection {
        let mut socket = tcp_socket();
        socket.listen(port).expect("the port is not 0");
        Connection(self.sockets.add(socket))
    }

    /// Sends bytes, as soon as the connection allows.
    ///
    /// # Panics
    /// If it is not open, or the bytes do not fit into its buffer of 64,240.
    pub fn send(&mut self, connection: Connection, bytes: &[u8]) {
        let taken = self.sockets.get_mut::<tcp::Socket<'_>>(connection.0).send_slice(bytes);
        assert_eq!(taken, Ok(bytes.len()), "the connection is open and has room");
    }

    /// Has nothing more to send.
    pub fn close(&mut self, connection: Connection) {
        self.sockets.get_mut::<tcp::Socket<'_>>(connection.0).close();
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

    /// Prepares to ping with this identifier.
    pub fn prepare_ping(&mut self, ident: u16) -> Pinger {
        let buffer =
            || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 8], vec![0; 8 * (PING_DATA + 8)]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        socket.bind(icmp::Endpoint::Ident(ident)).expect("the socket is new");
        Pinger { socket: self.sockets.add(socket), ident }
    }

    /// Sends an echo request, 64 bytes of ICMP.
    ///
    /// # Panics
    /// If eight of them wait already for the neighbour to be found.
    pub fn ping(&mut self, pinger: Pinger, sequence: u16, to: Ipv4Addr) {
        let data: Vec<u8> = (0..PING_DATA as u8).collect();
        let request = Icmpv4Repr::EchoRequest { ident: pinger.ident, seq_no: sequence, data: &data };
        let socket = self.sockets.get_mut::<icmp::Socket<'_>>(pinger.socket);
        let bytes = socket.send(request.buffer_len(), to.into()).expect("there is room");
        request.emit(&mut Icmpv4Packet::new_unchecked(bytes), &ChecksumCapabilities::default());
    }

    /// The echo replies that have arrived.
    pub fn echoes(&self) -> &[Echo] {
        &self.echoes
    }

    pub(crate) fn receive(&mut self, now: Time, frame: Vec<u8>) -> Vec<Departure> {
        self.card.received.push_back(frame);
        self.handle_timeout(now)
    }

    pub(crate) fn poll_timeout(&mut self, now: Time) -> Option<Time> {
        self.interface.poll_at(now.stack(), &self.sockets).map(Time::from_stack)
    }

    /// Does what there is to do, whether because of time, of a frame or of a user.
    pub(crate) fn handle_timeout(&mut self, now: Time) -> Vec<Departure> {
        self.interface.poll(now.stack(), &mut self.card, &mut self.sockets);
        if self.read() {
            self.interface.poll(now.stack(), &mut self.card, &mut self.sockets);
        }
        self.card.sent.drain(..).map(|frame| Departure { index: 0, frame, packet: None }).collect()
    }

    /// Reads what the sockets have; whether there was anything.
    fn read(&mut self) -> bool {
        let mut any = false;
        for (handle, socket) in self.sockets.iter_mut() {
            any |= match socket {
                Socket::Tcp(socket) => read_stream(socket, self.received.entry(handle).or_default()),
                Socket::Icmp(socket) => read_echoes(socket, &mut self.echoes),
                Socket::Udp(_) => false,
            };
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

fn tcp_socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; WINDOW]);
    tcp::Socket::new(buffer(), buffer())
}

fn read_stream(socket: &mut tcp::Socket<'_>, into: &mut Vec<u8>) -> bool {
    let before = into.len();
    while socket.can_recv() {
        let _ = socket.recv(|bytes| (bytes.len(), into.extend_from_slice(bytes)));
    }
    into.len() > before
}

fn read_echoes(socket: &mut icmp::Socket<'_>, into: &mut Vec<Echo>) -> bool {
    let before = into.len();
    while let Ok((bytes, from)) = socket.recv() {
        let smoltcp::wire::IpAddress::Ipv4(from) = from;
        let Ok(packet) = Icmpv4Packet::new_checked(bytes) else { continue };
        if let Ok(Icmpv4Repr::EchoReply { ident, seq_no: sequence, .. }) =
            Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default())
        {
            into.push(Echo { from, ident, sequence });
        }
    }
    into.len() > before
}

/// The network card: what has arrived and was not looked at yet, and what is to leave.
#[derive(Default)]
struct Card {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;

    fn receive(&mut self, _now: smoltcp::time::Instant) -> Option<(Received, Sent<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), Sent(&mut self.sent)))
    }

    fn transmit(&mut self, _now: smoltcp::time::Instant) -> Option<Sent<'_>> {
        Some(Sent(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME;
        capabilities
    }
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(&self.0)
    }
}

struct Sent<'a>(&'a mut Vec<Vec<u8>>);

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let mut frame = vec![0; len];
        let result = write(&mut frame);
        self.0.push(frame);
        result
    }
}
