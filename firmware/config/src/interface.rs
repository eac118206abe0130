//! Names of network interfaces, by Linux's rules.

use core::fmt;

use heapless::String;

use crate::Problem;

/// The longest interface name in bytes: Linux's IFNAMSIZ less the closing zero.
pub(crate) const MAX_INTERFACE_NAME: usize = 15;

/// The name of a network interface: 1 to 15 visible ASCII characters that Linux accepts.
///
/// Linux itself lets other bytes pass; they only ever confuse logs and terminals, so we do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceName(String<MAX_INTERFACE_NAME>);

impl InterfaceName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Problem::NotAnInterfaceName`] if it is empty or too long, is `.` or `..`, or contains `/`, `:`, a space
    /// or anything but visible ASCII.
    pub fn new(name: &str) -> Result<Self, Problem> {
        let visible = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
        if name.is_empty() || name == "." || name == ".." || !visible {
            return Err(Problem::NotAnInterfaceName);
        }
        String::try_from(name).map(Self).map_err(|_| Problem::NotAnInterfaceName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
