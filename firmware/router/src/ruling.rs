//! What a filter rule has decided, for the log.

use core::fmt;

use config::Name;
use napt::Realm;
use napt::policy::{Action, Asked, Note, Way};

/// A decision of one rule; prints as a line.
#[derive(Clone, Copy, Debug)]
pub struct Ruling<'n> {
    /// What the operator calls the rule.
    pub name: &'n Name,
    /// What it has decided.
    pub note: Note,
}

impl fmt::Display for Ruling<'_> {
    /// `rule "no mail" drops lan-to-wan tcp 192.0.2.1:5000 > 198.51.100.7:25`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Note { asked: Asked { way, number, source, destination }, action, .. } = self.note;
        let does = match action {
            Action::Accept => "accepts",
            Action::Drop => "drops",
            Action::Reject(_) => "rejects",
        };
        let way = match way {
            Way::Outbound => config::Direction::LanToWan,
            Way::Inbound => config::Direction::WanToLan,
            Way::Own(Realm::Internal) => config::Direction::LanToBox,
            Way::Own(Realm::External) => config::Direction::WanToBox,
        };
        write!(f, "rule \"{}\" {does} {} ", self.name, way.name())?;
        match number {
            6 | 17 => write!(f, "{} {source} > {destination}", if number == 6 { "tcp" } else { "udp" }),
            1 => write!(f, "icmp {} > {}", source.address, destination.address),
            other => write!(f, "protocol {other} {} > {}", source.address, destination.address),
        }
    }
}
