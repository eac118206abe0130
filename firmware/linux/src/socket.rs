//! Packet sockets: the address of an interface, the options rustix does not know, and the statistics.

use linux_raw_sys::if_ether::ETH_P_ALL;
use linux_raw_sys::if_packet::{
    PACKET_COPY_THRESH, PACKET_IGNORE_OUTGOING, PACKET_LOSS, PACKET_RX_RING, PACKET_STATISTICS,
    PACKET_TX_RING, PACKET_VERSION, PACKET_VNET_HDR, sockaddr_ll,
};
use linux_raw_sys::net::SOL_PACKET;
use rustix::fd::{AsFd, AsRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::addr::{SocketAddrArg, SocketAddrLen, SocketAddrOpaque};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt};
use syscalls::{Sysno, syscall};

use crate::error::Failure;

/// Socket buffers: enough for some sixty frames of 64 KB on their way, whatever `net.core.*mem_max` says.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// An option of a packet socket (`linux/if_packet.h`).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum PacketOption {
    ReceiveRing = PACKET_RX_RING,
    TransmitRing = PACKET_TX_RING,
    Version = PACKET_VERSION,
    CopyThreshold = PACKET_COPY_THRESH,
    Loss = PACKET_LOSS,
    VnetHeader = PACKET_VNET_HDR,
    IgnoreOutgoing = PACKET_IGNORE_OUTGOING,
}

/// Opens a packet socket that speaks of whole frames with their vnet headers and is bound to nothing yet.
pub(crate) fn open() -> Result<OwnedFd, Failure> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)
        .map_err(Failure::of("socket(AF_PACKET)"))?;
    set(&socket, PacketOption::VnetHeader, 1)?;
    Ok(socket)
}

/// Widens what the socket may hold in each direction; without CAP_NET_ADMIN as far as the system lets everyone.
pub(crate) fn widen(socket: &OwnedFd) -> Result<(), Failure> {
    sockopt::set_socket_recv_buffer_size_force(socket, SOCKET_BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, SOCKET_BUFFER_BYTES))
        .map_err(Failure::of("setsockopt(SO_RCVBUF)"))?;
    sockopt::set_socket_send_buffer_size_force(socket, SOCKET_BUFFER_BYTES)
        .or_else(|_| sockopt::set_socket_send_buffer_size(socket, SOCKET_BUFFER_BYTES))
        .map_err(Failure::of("setsockopt(SO_SNDBUF)"))
}

/// Binds the socket to the interface `index`. With `every_frame` it receives what the interface receives.
pub(crate) fn attach(socket: &OwnedFd, index: u32, every_frame: bool) -> Result<(), Failure> {
    let protocol = if every_frame { ETH_P_ALL as u16 } else { 0 };
    bind(socket, &InterfaceAddress { index, protocol }).map_err(Failure::of("bind"))
}

/// Sets an option that is a number.
pub(crate) fn set(socket: &OwnedFd, option: PacketOption, value: u32) -> Result<(), Failure> {
    set_words(socket, option, &[value])
}

/// Asks for a ring: bytes of a block, blocks, bytes of a slot, slots (a `tpacket_req`).
pub(crate) fn set_ring(socket: &OwnedFd, option: PacketOption, request: &[u32; 4]) -> Result<(), Failure> {
    set_words(socket, option, request)
}

fn set_words(socket: &OwnedFd, option: PacketOption, words: &[u32]) -> Result<(), Failure> {
    let (value, bytes) = (words.as_ptr(), size_of_val(words));
    // SAFETY: the kernel must find `bytes` readable bytes at `value`; both come from the same slice, which outlives
    // the call. It only reads them.
    let done =
        unsafe { syscall!(Sysno::setsockopt, socket.as_raw_fd(), SOL_PACKET, option as u32, value, bytes) };
    done.map(|_| ()).map_err(Failure::of_raw(option.call()))
}

/// Frames that the kernel dropped since the last call because the ring or the socket was full.
pub(crate) fn take_drops(socket: &OwnedFd) -> u32 {
    let mut counts = [0u32; 2]; // a `tpacket_stats`: packets, drops
    let mut bytes = size_of_val(&counts) as u32;
    let (socket, value, length) = (socket.as_raw_fd(), counts.as_mut_ptr(), &raw mut bytes);
    // SAFETY: the kernel writes up to `bytes` bytes at `value` and the length at `length`; both are locals of this
    // function, and `bytes` is the size of the first.
    let done = unsafe { syscall!(Sysno::getsockopt, socket, SOL_PACKET, PACKET_STATISTICS, value, length) };
    // It can fail only for a socket of another family, which `open` rules out; a count is not worth an error path.
    if done.is_ok() { counts[1] } else { 0 }
}

/// Takes the pending error from the socket: as long as it is there, `poll` returns at once.
pub(crate) fn take_error(socket: impl AsFd) -> Option<Errno> {
    match sockopt::socket_error(socket) {
        Ok(Ok(())) => None,
        Ok(Err(errno)) | Err(errno) => Some(errno),
    }
}

impl PacketOption {
    const fn call(self) -> &'static str {
        match self {
            Self::ReceiveRing => "setsockopt(PACKET_RX_RING)",
            Self::TransmitRing => "setsockopt(PACKET_TX_RING)",
            Self::Version => "setsockopt(PACKET_VERSION)",
            Self::CopyThreshold => "setsockopt(PACKET_COPY_THRESH)",
            Self::Loss => "setsockopt(PACKET_LOSS)",
            Self::VnetHeader => "setsockopt(PACKET_VNET_HDR)",
            Self::IgnoreOutgoing => "setsockopt(PACKET_IGNORE_OUTGOING)",
        }
    }
}

/// An interface as a socket address (`sockaddr_ll`).
struct InterfaceAddress {
    index: u32,
    /// The EtherType to receive, or 0 to receive nothing.
    protocol: u16,
}

// SAFETY: `f` must be handed a pointer to as many readable bytes as its second argument says, holding an address that
// the kernel accepts. `address` is a whole `sockaddr_ll` on this stack, alive until `f` returns, passed with its size.
unsafe impl SocketAddrArg for InterfaceAddress {
    unsafe fn with_sockaddr<R>(&self, f: impl FnOnce(*const SocketAddrOpaque, SocketAddrLen) -> R) -> R {
        let address = sockaddr_ll {
            sll_family: AddressFamily::PACKET.as_raw(),
            sll_protocol: self.protocol.to_be(),
            sll_ifindex: self.index as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        f((&raw const address).cast(), size_of::<sockaddr_ll>() as SocketAddrLen)
    }
}
