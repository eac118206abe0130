//! A port: one interface taken whole, as a receiving and a sending half.
//!
//! The halves are separate fields, so that a frame borrowed from one port's receiver can be handed to either port's
//! transmitter. Offloads stay as the interface has them: frames may be larger than the MTU and have unfinished
//! checksums, which their [`crate::VnetHeader`] tells.
//!
//! A port outlives its interface. When that is deleted and one of the same name appears, sockets and rings are opened
//! on the new one. Its Ethernet address and MTU may be others then.

use crate::error::{Error, InterfaceError};
use crate::interface::{Facts, Inquiry, Name};
use crate::receiver::Receiver;
use crate::stats::Stats;
use crate::transmitter::Transmitter;

/// One network port.
#[derive(Debug)]
pub struct Port {
    /// Where its frames come from.
    pub rx: Receiver,
    /// Where frames leave.
    pub tx: Transmitter,
    name: Name,
    inquiry: Inquiry,
    facts: Facts,
}

/// What has become of a port's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// It carries no frames any more.
    Down,
    /// It carries frames again, or it is another one than before: ask for address and MTU anew.
    Up,
}

impl Port {
    /// Takes the interface of that name.
    ///
    /// # Errors
    /// [`Error::NotAName`], or [`Error::Interface`] if there is no such interface, if it is not Ethernet, or if the
    /// kernel refuses a packet socket or its rings.
    pub fn open(interface: &str) -> Result<Self, Error> {
        let name = Name::new(interface)?;
        Self::take(name).map_err(|error| Error::Interface(name, error))
    }

    fn take(name: Name) -> Result<Self, InterfaceError> {
        let inquiry = Inquiry::open()?;
        let facts = inquiry.facts(&name)?;
        let (rx, tx) = (Receiver::open(facts.index)?, Transmitter::open(facts.index)?);
        Ok(Self { rx, tx, name, inquiry, facts })
    }

    /// The interface's name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The kernel's number for the interface. An interface can have several names, but only one number.
    pub fn index(&self) -> u32 {
        self.facts.index
    }

    /// The interface's Ethernet address.
    pub fn hardware(&self) -> [u8; 6] {
        self.facts.hardware
    }

    /// The largest IPv4 packet that the interface carries, in bytes.
    pub fn mtu(&self) -> u16 {
        self.facts.mtu
    }

    /// Whether the link was up when last looked at.
    pub fn is_up(&self) -> bool {
        self.facts.up
    }

    /// The IPv4 address that the kernel itself has on the interface, where it should have none.
    pub fn kernel_address(&self) -> Option<[u8; 4]> {
        self.inquiry.address(&self.name)
    }

    /// What the port has counted.
    pub fn stats(&mut self) -> Stats {
        let (rx, tx) = (self.rx.count(), self.tx.counts);
        Stats {
            received: rx.received,
            kernel_drops: rx.kernel_drops,
            truncated: rx.truncated,
            vlan: rx.vlan,
            sent: tx.sent,
            transmit_full: tx.full,
            transmit_errors: tx.errors,
        }
    }

    /// Looks at the interface after something happened to some link, and says in the log what it was.
    pub fn check_link(&mut self) -> Option<LinkChange> {
        let before = self.facts;
        self.facts = self.look();
        let now = self.facts;
        let change = match (before.up, now.up) {
            (_, true) if now != before => Some(LinkChange::Up),
            (true, false) => Some(LinkChange::Down),
            _ => None,
        };
        self.tell(before.up, change);
        change
    }

    /// The interface as it is now, if it is ours; otherwise as it was, but down.
    fn look(&mut self) -> Facts {
        let down = Facts { up: false, ..self.facts };
        let Ok(now) = self.inquiry.facts(&self.name) else { return down };
        if now.index == self.facts.index {
            return now;
        }
        match self.reopen(now.index) {
            Ok(()) => now,
            Err(error) => {
                log::warn!("{}: cannot take the new interface: {error}", self.name);
                down
            }
        }
    }

    /// Takes the interface that has our name now.
    fn reopen(&mut self, index: u32) -> Result<(), InterfaceError> {
        let (mut rx, mut tx) = (Receiver::open(index)?, Transmitter::open(index)?);
        rx.counts = self.rx.count();
        tx.counts = self.tx.counts;
        (self.rx, self.tx) = (rx, tx);
        log::info!("{}: taken again, the interface was replaced", self.name);
        Ok(())
    }

    fn tell(&self, was_up: bool, change: Option<LinkChange>) {
        match change {
            Some(LinkChange::Up) if was_up => {
                log::info!("{}: link changed, MTU {}", self.name, self.facts.mtu);
            }
            Some(LinkChange::Up) => log::info!("{}: link up", self.name),
            Some(LinkChange::Down) => {
                self.tx.forget_errors();
                log::info!("{}: link down", self.name);
            }
            None => {}
        }
    }
}
