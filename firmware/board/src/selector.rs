//! Which network device of the board plays a role.

use core::fmt;

use crate::{PathPart, Problem};

/// Says which of the board's Ethernet devices is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one with this index, counted from 0, when all are put in the order of their paths in sysfs.
    Order(u8),
    /// The one with this address.
    Mac(Mac),
    /// The one whose path in sysfs has this part, as whole steps of it.
    Path(PathPart),
}

/// The address of an Ethernet device: not a group's, not all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Accepts an address.
    ///
    /// # Errors
    /// [`Problem::NotADevicesAddress`].
    pub const fn new(octets: [u8; 6]) -> Result<Self, Problem> {
        let [first, second, third, fourth, fifth, sixth] = octets;
        let is_group = first & 1 != 0;
        if is_group || (first | second | third | fourth | fifth | sixth) == 0 {
            return Err(Problem::NotADevicesAddress);
        }
        Ok(Self(octets))
    }

    /// The six bytes, in the order of the wire.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, rest @ ..] = self.0;
        write!(f, "{first:02x}")?;
        rest.iter().try_for_each(|octet| write!(f, ":{octet:02x}"))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(index) => write!(f, "order {index}"),
            Self::Mac(mac) => write!(f, "mac {mac}"),
            Self::Path(part) => write!(f, "path {part}"),
        }
    }
}
