//! The neighbours on one link: who has which Ethernet address (RFC 826).
//!
//! A neighbour is asked for when a packet wants to go there, three times, a second apart. Once known it is used for a
//! minute; then the next packet still goes there, and it is asked again meanwhile. What nobody asked for is not
//! believed: an address that seems to have moved is asked for first, once a second at most. The gateway has a place of
//! its own, which no scan for other neighbours takes (A23).

use core::net::Ipv4Addr;
use core::time::Duration;

use napt::Instant;
use smoltcp::wire::EthernetAddress;

const SETS: usize = 64;
const WAYS: usize = 4;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(60);

/// How long to wait for an answer before asking again, and how often to ask (RFC 1122 s.2.3.2.1).
const PATIENCE: Duration = Duration::from_secs(1);
const ASKS: u8 = 3;

#[derive(Clone, Copy, Debug)]
struct Neighbour {
    address: Ipv4Addr,
    /// Its Ethernet address, once known.
    hardware: Option<EthernetAddress>,
    /// When it was last confirmed; while it has never been, when it was first wanted.
    confirmed: Instant,
    /// When it was last asked for.
    asked: Option<Instant>,
    asking: Option<Asking>,
}

impl Neighbour {
    /// Somebody of whom nothing is known yet.
    const fn new(address: Ipv4Addr, now: Instant) -> Self {
        Self { address, hardware: None, confirmed: now, asked: None, asking: None }
    }

    /// The neighbour, confirmed.
    const fn at(self, hardware: EthernetAddress, now: Instant) -> Self {
        Self { hardware: Some(hardware), confirmed: now, asking: None, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    asked: u8,
    again: Instant,
}

/// What a packet is to do that wants to go to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// Go to this address.
    Known(EthernetAddress),
    /// Go to this address, and ask whether it still holds.
    Doubted(EthernetAddress),
    /// Ask, and wait.
    Ask,
    /// Wait: it has been asked already.
    Wait,
    /// There is no room to remember it.
    Full,
}

/// What becomes of something that was said about a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rumour {
    /// It is so.
    Believed,
    /// It is to be asked whether it is so.
    Doubted,
    /// It is of no interest, or was doubted a moment ago.
    Ignored,
}

/// What happened to a neighbour that had been asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// It is to be asked again.
    Ask(Ipv4Addr),
    /// It is not there.
    Gone(Ipv4Addr),
}

/// The table of one link.
pub(crate) struct Neighbours {
    sets: [[Option<Neighbour>; WAYS]; SETS],
    gateway: Option<Ipv4Addr>,
    /// The gateway's place.
    pinned: Option<Neighbour>,
    secret: u32,
    /// When somebody is to be asked again, if anybody is.
    due: Option<Instant>,
}

impl Neighbours {
    /// Nobody yet. `gateway` is the neighbour that is never pushed out.
    pub(crate) const fn new(gateway: Option<Ipv4Addr>, secret: u32) -> Self {
        Self { sets: [[None; WAYS]; SETS], gateway, pinned: None, secret: secret | 1, due: None }
    }

    /// Forgets everybody.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.gateway, self.secret);
    }

    /// Where a neighbour is who has been heard of lately, which is all there is to do in nearly every case.
    #[inline(always)]
    pub(crate) fn is_at(&mut self, now: Instant, address: Ipv4Addr) -> Option<EthernetAddress> {
        let neighbour = self.find(address)?;
        let is_fresh = now.millis() < neighbour.confirmed.millis() + FRESH.as_secs() * 1000;
        neighbour.hardware.filter(|_| is_fresh)
    }

    /// The way to a neighbour.
    pub(crate) fn look_up(&mut self, now: Instant, address: Ipv4Addr) -> Lookup {
        let Some(neighbour) = self.find(address) else { return self.begin(now, address) };
        let Some(hardware) = neighbour.hardware else { return Lookup::Wait };
        if neighbour.asking.is_some() || now.since(neighbour.confirmed) < FRESH {
            return Lookup::Known(hardware);
        }
        self.ask(now, address);
        Lookup::Doubted(hardware)
    }

    /// What an ARP packet says: `address` is at `hardware`. `to_us` if it was a request for our address, whose sender
    /// will want an answer to its next packet, too.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        address: Ipv4Addr,
        hardware: EthernetAddress,
        to_us: bool,
    ) -> Rumour {
        let Some(known) = self.find(address) else {
            if to_us {
                self.insert(Neighbour::new(address, now).at(hardware, now));
            }
            return Rumour::Ignored;
        };
        if known.asking.is_some() || known.hardware == Some(hardware) {
            *known = known.at(hardware, now);
            return Rumour::Believed;
        }
        if known.asked.is_some_and(|asked| now.since(asked) < PATIENCE) {
            return Rumour::Ignored;
        }
        self.ask(now, address);
        Rumour::Doubted
    }

    /// When to call [`Neighbours::overdue`], if ever.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// One of those who have not answered in time; call until `None`.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Overdue> {
        if self.due.is_none_or(|due| now < due) {
            return None;
        }
        for place in self.sets.iter_mut().flatten().chain([&mut self.pinned]) {
            let Some(neighbour) = place else { continue };
            let Some(asking) = &mut neighbour.asking else { continue };
            if now < asking.again {
                continue;
            }
            let address = neighbour.address;
            if asking.asked == ASKS {
                *place = None;
                return Some(Overdue::Gone(address));
            }
            *asking = Asking { asked: asking.asked + 1, again: now + PATIENCE };
            neighbour.asked = Some(now);
            return Some(Overdue::Ask(address));
        }
        let waiting = self.sets.iter().flatten().chain([&self.pinned]).flatten();
        self.due = waiting.filter_map(|neighbour| neighbour.asking.map(|asking| asking.again)).min();
        None
    }

    fn begin(&mut self, now: Instant, address: Ipv4Addr) -> Lookup {
        if self.insert(Neighbour::new(address, now)).is_none() {
            return Lookup::Full;
        }
        self.ask(now, address);
        Lookup::Ask
    }

    fn ask(&mut self, now: Instant, address: Ipv4Addr) {
        let again = now + PATIENCE;
        if let Some(neighbour) = self.find(address) {
            neighbour.asking = Some(Asking { asked: 1, again });
            neighbour.asked = Some(now);
            self.due = Some(self.due.map_or(again, |due| due.min(again)));
        }
    }

    /// In a free place, or that of the one confirmed longest ago. Who is being asked for stays.
    fn insert(&mut self, neighbour: Neighbour) -> Option<()> {
        if self.gateway == Some(neighbour.address) {
            self.pinned = Some(neighbour);
            return Some(());
        }
        let set = self.set(neighbour.address);
        let idle = |place: &&mut Option<Neighbour>| place.is_none_or(|other| other.asking.is_none());
        let oldest = set.iter_mut().filter(idle).min_by_key(|place| place.map(|other| other.confirmed))?;
        *oldest = Some(neighbour);
        Some(())
    }

    #[inline(always)]
    fn find(&mut self, address: Ipv4Addr) -> Option<&mut Neighbour> {
        if self.gateway == Some(address) {
            return self.pinned.as_mut();
        }
        self.set(address).iter_mut().flatten().find(|neighbour| neighbour.address == address)
    }

    #[inline]
    fn set(&mut self, address: Ipv4Addr) -> &mut [Option<Neighbour>; WAYS] {
        let set = address.to_bits().wrapping_mul(self.secret) >> 26;
        &mut self.sets[set as usize % SETS]
    }
}
