//! What a host keeps, and how it lets go of it: who lives for days must.

use super::{Connection, Host, Mailbox};

impl Host {
    /// Lets go of a connection, whatever it is at, and of what has arrived on it. It means nothing from then on.
    pub fn release(&mut self, Connection(socket): Connection) {
        self.sockets.remove(socket);
        self.received.remove(&socket);
        self.outgoing.remove(&socket);
    }

    /// Lets go of a UDP socket, and of what has arrived on it. It means nothing from then on.
    pub fn unbind(&mut self, Mailbox(socket): Mailbox) {
        self.sockets.remove(socket);
        self.datagrams.remove(&socket);
        self.reflecting.remove(&socket);
    }

    /// Forgets the datagrams that have arrived on a socket. Returns how many there were.
    pub fn forget(&mut self, Mailbox(socket): Mailbox) -> usize {
        self.datagrams.get_mut(&socket).map_or(0, |datagrams| datagrams.drain(..).count())
    }

    /// How many sockets it has.
    pub(crate) fn sockets(&self) -> usize {
        self.sockets.iter().count()
    }

    /// How many bytes and other things that it has received it keeps.
    pub(crate) fn kept(&self) -> usize {
        let streams = self.received.values().map(Vec::len);
        let datagrams = self.datagrams.values().flatten().map(|datagram| datagram.data.len() + 1);
        let outgoing = self.outgoing.values().map(|outgoing| outgoing.bytes.len() + 1);
        streams.chain(datagrams).chain(outgoing).sum::<usize>() + self.received.len() + self.echoes.len()
    }
}
