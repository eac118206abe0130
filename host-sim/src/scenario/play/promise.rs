//! Promises: what must follow from a step, or must not, and by what one sees that it has.

use std::net::SocketAddrV4;

use smoltcp::socket::tcp::State;

use crate::host::{Connection, Mailbox};
use crate::node::HostId;
use crate::time::Time;
use crate::world::World;

/// Something that must follow, or must not.
pub(super) struct Promise {
    pub(super) line: usize,
    pub(super) what: String,
    pub(super) until: Time,
    /// Whether it must follow.
    pub(super) wanted: bool,
    pub(super) sign: Sign,
}

/// By what one sees that something has followed.
pub(super) enum Sign {
    Echo { host: HostId, ident: u16, sequence: u16 },
    Open(HostId, Connection),
    Bytes { host: HostId, connection: Connection, from: usize, bytes: Vec<u8> },
    Datagram { host: HostId, mailbox: Mailbox, from: Option<SocketAddrV4>, data: Vec<u8>, before: usize },
}

impl Sign {
    pub(super) fn is_there(&self, world: &World<'_>) -> bool {
        match self {
            Self::Echo { host, ident, sequence } => {
                let echoes = world.host(*host).echoes();
                echoes.iter().rev().any(|echo| (echo.ident, echo.sequence) == (*ident, *sequence))
            }
            Self::Open(host, connection) => is_open(world, *host, *connection),
            Self::Bytes { host, connection, from, bytes } => {
                world.host(*host).received(*connection).get(*from..*from + bytes.len()) == Some(&bytes[..])
            }
            Self::Datagram { host, mailbox, from, data, before } => {
                count(world, *host, *mailbox, *from, data) > *before
            }
        }
    }
}

/// How many datagrams that say this have arrived, from there if it matters.
pub(super) fn count(
    world: &World<'_>,
    host: HostId,
    mailbox: Mailbox,
    from: Option<SocketAddrV4>,
    data: &[u8],
) -> usize {
    let is_one = |sender, said: &[u8]| said == data && from.is_none_or(|from| from == sender);
    world.host(host).datagrams(mailbox).iter().filter(|it| is_one(it.from, &it.data)).count()
}

pub(super) fn is_open(world: &World<'_>, host: HostId, connection: Connection) -> bool {
    matches!(world.host(host).state(connection), State::Established | State::CloseWait)
}
