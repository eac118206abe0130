//! The box's own stack on one side: what is addressed to the box itself ends here.
//!
//! A smoltcp interface without sockets. It says that a port is closed, so that a `traceroute` or a mistyped address on
//! the lan gets an answer. On the wan the box answers nothing but pings (A26), which are `echo`'s: nothing else is
//! handed to it there that has an answer.

use config::InterfaceAddress;
use napt::Instant;
use smoltcp::iface::{Config, Interface, SocketSet, SocketStorage};
use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::wire::{HardwareAddress, IpCidr, Ipv4Cidr};

/// The longest answer, in bytes.
pub(crate) const LONGEST: usize = 1500;

/// The stack.
pub(crate) struct Local {
    interface: Interface,
}

impl Local {
    pub(crate) fn new(address: InterfaceAddress, seed: u64) -> Self {
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
        Self { interface }
    }

    /// Takes a packet for the box and writes what it answers into `reply`; the answer's length, zero for none.
    pub(crate) fn receive(&mut self, now: Instant, packet: &[u8], reply: &mut [u8; LONGEST]) -> usize {
        let mut nothing = [SocketStorage::EMPTY; 0];
        let mut sockets = SocketSet::new(&mut nothing[..]);
        let mut exchange = Exchange { packet: Some(packet), reply, len: 0 };
        let now = smoltcp::time::Instant::from_millis(now.millis() as i64);
        self.interface.poll_ingress_single(now, &mut exchange, &mut sockets);
        exchange.len
    }
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
        // A neighbour on a virtual link may have left these unfinished; nothing here depends on them.
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
