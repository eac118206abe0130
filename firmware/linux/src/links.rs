//! News of links, from rtnetlink(7).
//!
//! A message is only a hint to look: what it says is not read. So a lost one (the socket ran over) is as good as one
//! that came, and there is nothing to parse.

use linux_raw_sys::netlink::RTMGRP_LINK;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recv, socket_with};

use crate::error::Failure;

/// More messages than a burst brings; those beyond wait for the next wake.
const DRAIN_LIMIT: usize = 256;

/// Hears of every change to every link.
#[derive(Debug)]
pub(crate) struct LinkNews(OwnedFd);

impl LinkNews {
    pub(crate) fn open() -> Result<Self, Failure> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Protocol 0 is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)
            .map_err(Failure::of("socket(NETLINK_ROUTE)"))?;
        let every_link = SocketAddrNetlink::new(0, RTMGRP_LINK);
        bind(&socket, &every_link).map_err(Failure::of("bind(RTMGRP_LINK)"))?;
        Ok(Self(socket))
    }

    /// Reads what is there, so that `poll` sleeps again.
    pub(crate) fn drain(&self) {
        let mut scratch = [0u8; 64];
        for _ in 0..DRAIN_LIMIT {
            match recv(&self.0, &mut scratch, RecvFlags::DONTWAIT) {
                // NOBUFS: the socket ran over; reading on is right.
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for LinkNews {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
