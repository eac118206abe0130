//! Sets of addresses and ports, and what two of them have in common.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use config::{Addresses, PortRange};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    network: u32,
    len: u8,
}

impl Prefix {
    /// Bits beyond the prefix do not count. `len` is at most 32.
    pub(crate) fn new(address: Ipv4Addr, len: u8) -> Option<Self> {
        (len <= 32).then(|| Self { network: address.to_bits() & mask(len), len })
    }

    pub(crate) fn host(address: Ipv4Addr) -> Self {
        Self { network: address.to_bits(), len: 32 }
    }

    /// 192.168.1.0/24, which is inside in many places.
    pub(crate) const fn home() -> Self {
        Self { network: Ipv4Addr::new(192, 168, 1, 0).to_bits(), len: 24 }
    }

    /// `192.0.2.0/24`, `192.0.2.0/255.255.255.0`, `192.0.2.1` or `0.0.0.0/0`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, len) = text.split_once('/').unwrap_or((text, "32"));
        let len = match len.parse::<Ipv4Addr>() {
            Ok(mask) if mask.to_bits().leading_ones() + mask.to_bits().trailing_zeros() >= 32 => {
                u8::try_from(mask.to_bits().leading_ones()).ok()?
            }
            Ok(_) => return None,
            Err(_) => number(len).and_then(|len| u8::try_from(len).ok())?,
        };
        Self::new(address.parse().ok()?, len)
    }

    /// The only address, if there is but one.
    pub(crate) fn single(self) -> Option<Ipv4Addr> {
        (self.len == 32).then(|| Ipv4Addr::from_bits(self.network))
    }

    pub(crate) fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network)
    }

    pub(crate) fn len(self) -> u8 {
        self.len
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.len <= other.len && other.network & mask(self.len) == self.network
    }

    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    pub(crate) fn is_all(self) -> bool {
        self.len == 0
    }
}

impl std::fmt::Display for Prefix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.single() {
            Some(address) => write!(f, "{address}"),
            None => write!(f, "{}/{}", self.network(), self.len),
        }
    }
}

fn mask(len: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0)
}

/// Some addresses: those of any prefix of a list, or all but those.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressSet {
    not: bool,
    prefixes: Vec<Prefix>,
}

impl AddressSet {
    pub(crate) fn all() -> Self {
        Self { not: true, prefixes: Vec::new() }
    }

    pub(crate) fn new(not: bool, prefixes: &[Prefix]) -> Self {
        if !not && prefixes.iter().any(|prefix| prefix.is_all()) {
            return Self::all();
        }
        Self { not, prefixes: prefixes.to_vec() }
    }

    pub(crate) fn is_all(&self) -> bool {
        self.not && self.prefixes.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        if self.not { self.prefixes.iter().any(|prefix| prefix.is_all()) } else { self.prefixes.is_empty() }
    }

    /// The prefixes, if there are some and not all but them.
    pub(crate) fn positive(&self) -> Option<&[Prefix]> {
        (!self.not).then_some(&self.prefixes)
    }

    /// What is in both. Nothing if that is no set of this kind.
    pub(crate) fn and(&self, other: &Self) -> Option<Self> {
        match (self.not, other.not) {
            (false, false) => {
                let mut common = Vec::new();
                for one in &self.prefixes {
                    for two in other.prefixes.iter().filter(|two| two.overlaps(*one)) {
                        common.push(if one.contains(*two) { *two } else { *one });
                    }
                }
                Some(Self { not: false, prefixes: common })
            }
            (true, true) => {
                let mut prefixes = self.prefixes.clone();
                for prefix in &other.prefixes {
                    if !prefixes.iter().any(|it| it.contains(*prefix)) {
                        prefixes.retain(|it| !prefix.contains(*it));
                        prefixes.push(*prefix);
                    }
                }
                Some(Self { not: true, prefixes })
            }
            (true, false) => other.and(self),
            (false, true) => {
                let outside = |it: &&Prefix| !other.prefixes.iter().any(|hole| hole.contains(**it));
                let prefixes: Vec<_> = self.prefixes.iter().filter(outside).copied().collect();
                let holed = prefixes.iter().any(|it| other.prefixes.iter().any(|hole| it.contains(*hole)));
                (!holed).then_some(Self { not: false, prefixes })
            }
        }
    }

    /// What is left to ask of an address that is always in `known`: nothing if the answer is always yes.
    pub(crate) fn within(&self, known: Prefix) -> Self {
        if self.not {
            let left: Vec<_> = self.prefixes.iter().filter(|it| it.overlaps(known)).copied().collect();
            if left.iter().any(|it| it.contains(known)) {
                return Self { not: false, prefixes: Vec::new() };
            }
            return Self { not: true, prefixes: left };
        }
        if self.prefixes.iter().any(|it| it.contains(known)) {
            return Self::all();
        }
        let left = self.prefixes.iter().filter(|it| it.overlaps(known)).copied().collect();
        Self { not: false, prefixes: left }
    }

    /// What is left to ask of an address that is never in `known`.
    pub(crate) fn outside(&self, known: Prefix) -> Self {
        let left = self.prefixes.iter().filter(|it| !known.contains(**it)).copied().collect();
        Self { not: self.not, prefixes: left }
    }

    /// As rules say it, one rule each; nothing if they cannot.
    pub(crate) fn rules(&self) -> Option<Vec<Addresses>> {
        if self.is_all() {
            return Some(vec![Addresses::ALL]);
        }
        if self.not && self.prefixes.len() != 1 {
            return None;
        }
        self.prefixes.iter().map(|it| Addresses::new(it.network(), it.len, self.not).ok()).collect()
    }
}

/// Some ports; nothing stands for all of them.
pub(crate) type PortSet = Option<Vec<PortRange>>;

/// The ports in both.
pub(crate) fn common_ports(one: &PortSet, two: &[PortRange]) -> PortSet {
    let Some(one) = one else { return Some(two.to_vec()) };
    let mut common = Vec::new();
    for a in one {
        for b in two.iter().filter(|b| b.overlaps(*a)) {
            common.extend(PortRange::new(a.first().max(b.first()), a.last().min(b.last())).ok());
        }
    }
    Some(common)
}

/// All ports but those of one range.
pub(crate) fn other_ports(range: PortRange) -> Vec<PortRange> {
    let below = NonZeroU16::new(range.first().get() - 1).map(|last| (NonZeroU16::MIN, last));
    let above = range.last().checked_add(1).map(|first| (first, NonZeroU16::MAX));
    [below, above].into_iter().flatten().filter_map(|(a, b)| PortRange::new(a, b).ok()).collect()
}

/// `53`, `domain`, `1000:2000` or `1000-2000`. From port 0 is from port 1.
pub(crate) fn ports(text: &str) -> Option<PortRange> {
    if let Some(port) = port(text) {
        return Some(PortRange::single(port));
    }
    let (first, last) = text.split_once([':', '-'])?;
    let first = match first {
        "" | "0" => NonZeroU16::MIN,
        other => port(other)?,
    };
    let last = if last.is_empty() { NonZeroU16::MAX } else { port(last)? };
    PortRange::new(first, last).ok()
}

fn port(text: &str) -> Option<NonZeroU16> {
    /// Those that a listing calls by name most often.
    const SERVICES: [(&str, u16); 24] = [
        ("ftp", 21),
        ("ssh", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("domain", 53),
        ("bootps", 67),
        ("bootpc", 68),
        ("tftp", 69),
        ("http", 80),
        ("www", 80),
        ("pop3", 110),
        ("auth", 113),
        ("ntp", 123),
        ("netbios-ns", 137),
        ("netbios-dgm", 138),
        ("netbios-ssn", 139),
        ("imap2", 143),
        ("snmp", 161),
        ("https", 443),
        ("microsoft-ds", 445),
        ("submission", 587),
        ("imaps", 993),
        ("pop3s", 995),
        ("mdns", 5353),
    ];
    match SERVICES.iter().find(|(name, _)| *name == text) {
        Some((_, port)) => NonZeroU16::new(*port),
        None => number(text).and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new),
    }
}

/// A protocol by its name or number.
pub(crate) fn protocol(text: &str) -> Option<u8> {
    const PROTOCOLS: [(&str, u8); 13] = [
        ("icmp", 1),
        ("igmp", 2),
        ("ipencap", 4),
        ("tcp", 6),
        ("udp", 17),
        ("ipv6", 41),
        ("gre", 47),
        ("esp", 50),
        ("ipv6-icmp", 58),
        ("icmpv6", 58),
        ("ah", 51),
        ("ospf", 89),
        ("sctp", 132),
    ];
    match PROTOCOLS.iter().find(|(name, _)| *name == text) {
        Some((_, number)) => Some(*number),
        None => number(text).and_then(|number| u8::try_from(number).ok()),
    }
}

/// A number in digits alone, or `0x` and such.
pub(crate) fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok();
    }
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
