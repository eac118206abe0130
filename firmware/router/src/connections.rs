//! The connections by which an operator speaks with the box: TCP on the lan, by sockets of the box's own stack.

use core::convert::Infallible;
use core::num::NonZeroU16;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};
use heapless::Vec;
use smoltcp::iface::{SocketSet, SocketStorage};
use smoltcp::socket::{Socket, tcp};
use smoltcp::time::Duration;
use smoltcp::wire::IpEndpoint;

/// How many there are at once. One of them is kept free, so that whoever holds the others keeps nobody out.
pub const CONNECTIONS: usize = 4;

/// What a connection has room for each way, in bytes: the longest message, and a little.
const ROOM: usize = 1_536;

/// After how many seconds in which nobody speaks the other end is asked whether it is there, and when it is given up.
const ASKED: u64 = 15;
const GIVEN_UP: u64 = 40;

/// Memory for the connections.
pub struct Connections<'t> {
    /// None yet, so that the whole begins as zeros.
    sockets: Vec<SocketStorage<'t>, CONNECTIONS>,
    rooms: [[[u8; ROOM]; 2]; CONNECTIONS],
}

impl<'t> Connections<'t> {
    /// Memory that nothing uses yet.
    pub const fn new() -> Self {
        Self { sockets: Vec::new(), rooms: [[[0; ROOM]; 2]; CONNECTIONS] }
    }

    pub(crate) fn sockets(&'t mut self) -> SocketSet<'t> {
        self.sockets = Vec::from_array([SocketStorage::EMPTY; CONNECTIONS]);
        let mut sockets = SocketSet::new(&mut self.sockets[..]);
        for [receive, send] in &mut self.rooms {
            let [receive, send] = [receive, send].map(|room| tcp::SocketBuffer::new(&mut room[..]));
            let mut socket = tcp::Socket::new(receive, send);
            // Each message waits for the one before it to be answered, so none has to wait for company.
            socket.set_nagle_enabled(false);
            socket.set_keep_alive(Some(Duration::from_secs(ASKED)));
            socket.set_timeout(Some(Duration::from_secs(GIVEN_UP)));
            sockets.add(socket);
        }
        sockets
    }
}

impl Default for Connections<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A connection, as a stream: nothing waits, and what it has no room for is taken later.
pub struct Connection<'c, 't>(&'c mut tcp::Socket<'t>);

impl<'c, 't> Connection<'c, 't> {
    /// The connection that a socket has, if it has one.
    pub(crate) fn of(socket: &'c mut Socket<'t>) -> Option<Self> {
        let Socket::Tcp(socket) = socket else { return None };
        (socket.may_send() || socket.may_recv()).then_some(Self(socket))
    }

    /// Says nothing more by it.
    pub fn end(self) {
        self.0.close();
    }
}

/// Has a socket listen, if it does nothing; whether it has begun to.
pub(crate) fn listen(socket: &mut Socket<'_>, port: NonZeroU16) -> bool {
    let Socket::Tcp(socket) = socket else { return false };
    !socket.is_open() && socket.listen(port.get()).is_ok()
}

/// To whom a socket is connected, or about to be.
pub(crate) fn remote(socket: &Socket<'_>) -> Option<IpEndpoint> {
    let Socket::Tcp(socket) = socket else { return None };
    socket.remote_endpoint()
}

/// Ends whatever a socket does.
pub(crate) fn close(socket: &mut Socket<'_>) {
    if let Socket::Tcp(socket) = socket {
        socket.abort();
    }
}

/// Whether nobody is connected to a socket, or about to be.
pub(crate) fn is_free(socket: &Socket<'_>) -> bool {
    matches!(socket, Socket::Tcp(socket) if socket.is_listening() || !socket.is_open())
}

impl ErrorType for Connection<'_, '_> {
    type Error = Infallible;
}

impl ReadReady for Connection<'_, '_> {
    /// Also at the end, of which [`read`](Read::read) tells.
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.can_recv() || !self.0.may_recv())
    }
}

impl Read for Connection<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        Ok(self.0.recv_slice(buffer).unwrap_or(0))
    }
}

impl WriteReady for Connection<'_, '_> {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.0.can_send())
    }
}

impl Write for Connection<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        Ok(self.0.send_slice(bytes).unwrap_or(0))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
