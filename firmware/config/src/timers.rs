//! How long things may idle before they are forgotten: one table of defaults and floors.
//!
//! The floors are the RFCs' MUSTs, so a configuration cannot make the box break them. The ceilings are ours: a week
//! is longer than any keep-alive, and it keeps every timer far inside the engine's 32-bit clock; what is kept for
//! fragments is worth nothing after two minutes.

use core::time::Duration;

use crate::Problem;

/// The longest most timers may be, in seconds: 7 days.
const WEEK: u64 = 7 * 24 * 60 * 60;

/// One of the timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A UDP mapping without outbound packets.
    Udp,
    /// An established TCP connection without packets.
    TcpEstablished,
    /// A TCP connection whose handshake is not finished.
    TcpOpening,
    /// A TCP connection after its FINs or a RST.
    TcpClosing,
    /// An ICMP query session.
    Icmp,
    /// A session of another protocol.
    Other,
    /// How long after its first fragment a datagram's others may come.
    Fragment,
    /// How long a released external port stays unused.
    PortCooldown,
}

/// The bounds of one timer, and where they are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What the timer is if the configuration does not say.
    pub default: Duration,
    /// The shortest it may be.
    pub floor: Duration,
    /// The longest it may be.
    pub ceiling: Duration,
    /// The document and requirement that the floor is from.
    pub source: &'static str,
}

impl Timer {
    /// Every timer, in the order of a blob.
    pub const ALL: [Self; 8] = [
        Self::Udp,
        Self::TcpEstablished,
        Self::TcpOpening,
        Self::TcpClosing,
        Self::Icmp,
        Self::Other,
        Self::Fragment,
        Self::PortCooldown,
    ];

    /// The table: default, floor and ceiling of each.
    pub const fn bounds(self) -> Bounds {
        match self {
            // At least 2 minutes (REQ-5); 5 minutes or more is the recommended default (REQ-5c).
            Self::Udp => bounds(300, 120, "RFC 4787 REQ-5"),
            // At least 2 hours 4 minutes: a host's keep-alive comes every 2 hours (RFC 1122, section 4.2.3.6).
            Self::TcpEstablished => bounds(7440, 7440, "RFC 5382 REQ-5"),
            // At least 4 minutes; RFC 7857, section 2.1, asks for separate opening and closing timers.
            Self::TcpOpening | Self::TcpClosing => bounds(240, 240, "RFC 5382 REQ-5"),
            Self::Icmp => bounds(60, 60, "RFC 5508 REQ-2"),
            // No RFC has one. Shorter, and the hellos of a routing protocol in a tunnel, which may come every 10 s
            // (RFC 2328, appendix C.3), would not keep their session.
            Self::Other => bounds(600, 10, "no RFC has one, this is ours"),
            // Hosts give up after 60 to 120 s (RFC 1122, section 3.3.2).
            Self::Fragment => {
                Bounds { ceiling: Duration::from_secs(120), ..bounds(5, 2, "RFC 6146 FRAGMENT_MIN") }
            }
            // 2 minutes is a SHOULD, so one may do without.
            Self::PortCooldown => bounds(120, 0, "RFC 6888 REQ-8"),
        }
    }

    /// The timer's key in the readable configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::TcpEstablished => "tcp-established",
            Self::TcpOpening => "tcp-opening",
            Self::TcpClosing => "tcp-closing",
            Self::Icmp => "icmp",
            Self::Other => "other",
            Self::Fragment => "fragment",
            Self::PortCooldown => "port-cooldown",
        }
    }
}

/// All timers, each within its bounds and a whole number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    udp: Duration,
    tcp_established: Duration,
    tcp_opening: Duration,
    tcp_closing: Duration,
    icmp: Duration,
    other: Duration,
    fragment: Duration,
    port_cooldown: Duration,
}

impl Timers {
    /// The same timers with one of them changed.
    ///
    /// # Errors
    /// [`Problem::NotWholeSeconds`], [`Problem::BelowFloor`] or [`Problem::AboveCeiling`], by [`Timer::bounds`].
    pub fn with(mut self, timer: Timer, duration: Duration) -> Result<Self, Problem> {
        let rule = timer.bounds();
        if duration.subsec_nanos() != 0 {
            return Err(Problem::NotWholeSeconds);
        }
        if duration < rule.floor {
            return Err(Problem::BelowFloor);
        }
        if duration > rule.ceiling {
            return Err(Problem::AboveCeiling);
        }
        match timer {
            Timer::Udp => self.udp = duration,
            Timer::TcpEstablished => self.tcp_established = duration,
            Timer::TcpOpening => self.tcp_opening = duration,
            Timer::TcpClosing => self.tcp_closing = duration,
            Timer::Icmp => self.icmp = duration,
            Timer::Other => self.other = duration,
            Timer::Fragment => self.fragment = duration,
            Timer::PortCooldown => self.port_cooldown = duration,
        }
        Ok(self)
    }

    /// One timer, chosen by name.
    pub const fn duration(self, timer: Timer) -> Duration {
        match timer {
            Timer::Udp => self.udp,
            Timer::TcpEstablished => self.tcp_established,
            Timer::TcpOpening => self.tcp_opening,
            Timer::TcpClosing => self.tcp_closing,
            Timer::Icmp => self.icmp,
            Timer::Other => self.other,
            Timer::Fragment => self.fragment,
            Timer::PortCooldown => self.port_cooldown,
        }
    }

    /// How long a UDP mapping lives without an outbound packet (RFC 4787, REQ-5 and REQ-6).
    pub const fn udp(self) -> Duration {
        self.udp
    }

    /// How long an established TCP connection lives without a packet (RFC 5382, REQ-5).
    pub const fn tcp_established(self) -> Duration {
        self.tcp_established
    }

    /// How long a TCP connection may take for its handshake (RFC 5382, REQ-5; RFC 7857, section 2.1).
    pub const fn tcp_opening(self) -> Duration {
        self.tcp_opening
    }

    /// How long a TCP connection is kept after its FINs or a RST (RFC 5382, REQ-5; RFC 7857, section 2.2).
    pub const fn tcp_closing(self) -> Duration {
        self.tcp_closing
    }

    /// How long an ICMP query session lives without a packet (RFC 5508, REQ-2).
    pub const fn icmp(self) -> Duration {
        self.icmp
    }

    /// How long a session of another protocol lives without an outbound packet.
    pub const fn other(self) -> Duration {
        self.other
    }

    /// How long after its first fragment a datagram's others may come (RFC 6146, section 4).
    pub const fn fragment(self) -> Duration {
        self.fragment
    }

    /// How long a released external port stays unused (RFC 6888, REQ-8).
    pub const fn port_cooldown(self) -> Duration {
        self.port_cooldown
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            udp: Timer::Udp.bounds().default,
            tcp_established: Timer::TcpEstablished.bounds().default,
            tcp_opening: Timer::TcpOpening.bounds().default,
            tcp_closing: Timer::TcpClosing.bounds().default,
            icmp: Timer::Icmp.bounds().default,
            other: Timer::Other.bounds().default,
            fragment: Timer::Fragment.bounds().default,
            port_cooldown: Timer::PortCooldown.bounds().default,
        }
    }
}

/// A line of the table, in seconds.
const fn bounds(default: u64, floor: u64, source: &'static str) -> Bounds {
    Bounds {
        default: Duration::from_secs(default),
        floor: Duration::from_secs(floor),
        ceiling: Duration::from_secs(WEEK),
        source,
    }
}
