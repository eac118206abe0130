//! Network interfaces by name, through the `ioctl`s of netdevice(7).

use core::fmt;

use linux_raw_sys::if_arp::ARPHRD_ETHER;
use linux_raw_sys::ioctl::{SIOCGIFADDR, SIOCGIFFLAGS, SIOCGIFHWADDR, SIOCGIFMTU, SIOCSIFFLAGS};
use linux_raw_sys::net::ifmap;
use linux_raw_sys::net::net_device_flags::{IFF_RUNNING, IFF_UP};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl};
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::error::{Error, Failure, InterfaceError};

/// Bytes of a name in the kernel, with its closing zero.
const NAME_BYTES: usize = 16;

/// The name of an interface: 1 to 15 bytes, no `/`, no blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; NAME_BYTES],
    length: usize,
}

impl Name {
    /// Checks a name as the kernel would (`dev_valid_name`).
    ///
    /// # Errors
    /// [`Error::NotAName`].
    pub fn new(text: &str) -> Result<Self, Error> {
        let fits = !text.is_empty() && text.len() < NAME_BYTES;
        let odd = |byte: u8| byte == b'/' || byte == b':' || byte.is_ascii_whitespace() || byte == 0;
        if !fits || text.bytes().any(odd) || text == "." || text == ".." {
            return Err(Error::NotAName);
        }
        let mut bytes = [0; NAME_BYTES];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, length: text.len() })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // `new` copied it from a `str`, so there is no other case.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("?")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An interface as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its number, never used again in this namespace after it was deleted.
    pub(crate) index: u32,
    /// Its Ethernet address.
    pub(crate) hardware: [u8; 6],
    /// The largest packet it carries, in bytes.
    pub(crate) mtu: u16,
    /// Whether it is switched on and has a carrier.
    pub(crate) up: bool,
}

/// Switches an interface on, as `ip link set NAME up` does. Where there is an `ip`, somebody else has done so.
///
/// # Errors
/// [`Error::Interface`] if there is no such interface, or it cannot be switched on.
pub fn switch_on(name: &Name) -> Result<(), Error> {
    Inquiry::open()?.switch_on(name).map_err(|error| Error::Interface(*name, error))
}

/// Asks the kernel about interfaces.
#[derive(Debug)]
pub(crate) struct Inquiry(OwnedFd);

impl Inquiry {
    pub(crate) fn open() -> Result<Self, Failure> {
        socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
            .map(Self)
            .map_err(Failure::of("socket(AF_INET)"))
    }

    /// What there is to know of `name`. The answers may be of two interfaces if one is replaced meanwhile; the
    /// event that this causes makes the caller ask again.
    pub(crate) fn facts(&self, name: &Name) -> Result<Facts, InterfaceError> {
        let index = name_to_index(&self.0, name.as_str()).map_err(Failure::of("ioctl(SIOCGIFINDEX)"))?;
        let hardware = self.ask::<{ SIOCGIFHWADDR as Opcode }>(name, "ioctl(SIOCGIFHWADDR)")?;
        let mtu = self.ask::<{ SIOCGIFMTU as Opcode }>(name, "ioctl(SIOCGIFMTU)")?;
        let flags = self.ask::<{ SIOCGIFFLAGS as Opcode }>(name, "ioctl(SIOCGIFFLAGS)")?;
        Ok(Facts { index, hardware: ethernet(&hardware)?, mtu: mtu_of(&mtu), up: is_up(&flags) })
    }

    /// The IPv4 address that the kernel itself answers to on `name`.
    pub(crate) fn address(&self, name: &Name) -> Option<[u8; 4]> {
        let answer = self.ask::<{ SIOCGIFADDR as Opcode }>(name, "ioctl(SIOCGIFADDR)").ok()?;
        // A `sockaddr_in`: family, port, address.
        Some([answer[4], answer[5], answer[6], answer[7]])
    }

    /// Switches the interface on.
    fn switch_on(&self, name: &Name) -> Result<(), InterfaceError> {
        let mut value = self.ask::<{ SIOCGIFFLAGS as Opcode }>(name, "ioctl(SIOCGIFFLAGS)")?;
        let flags = u16::from_ne_bytes([value[0], value[1]]) | IFF_UP as u16;
        value[..2].copy_from_slice(&flags.to_ne_bytes());
        let request = Request { name: name.bytes, value };
        self.call::<{ SIOCSIFFLAGS as Opcode }>(request).map_err(Failure::of("ioctl(SIOCSIFFLAGS)"))?;
        Ok(())
    }

    fn ask<const CODE: Opcode>(&self, name: &Name, call: &'static str) -> Result<[u8; VALUE_BYTES], Failure> {
        let request = Request { name: name.bytes, value: [0; VALUE_BYTES] };
        self.call::<CODE>(request).map_err(Failure::of(call))
    }

    fn call<const CODE: Opcode>(&self, mut request: Request) -> Result<[u8; VALUE_BYTES], Errno> {
        // SAFETY: the code must be a request that takes a pointer to the type of `request`. Only the interface codes
        // of netdevice(7) are used in this file, all of which take an `ifreq`; `Request` has its layout and at least
        // its size, and any bytes are a valid `Request`.
        let updater = unsafe { Updater::<CODE, Request>::new(&mut request) };
        // SAFETY: as above: the kernel reads and writes one `ifreq` at the address of `request`, a local.
        unsafe { ioctl(&self.0, updater) }?;
        Ok(request.value)
    }
}

/// Bytes behind the name in an `ifreq`: 24 where a pointer has 64 bits, 16 where it has 32.
const VALUE_BYTES: usize = 24;

/// An `ifreq` whose union is plain bytes.
#[repr(C, align(8))]
struct Request {
    name: [u8; NAME_BYTES],
    value: [u8; VALUE_BYTES],
}

// The largest that the kernel's union has.
const _: () = assert!(VALUE_BYTES >= size_of::<ifmap>());

/// Reads a `sockaddr` that holds an Ethernet address.
fn ethernet(value: &[u8; VALUE_BYTES]) -> Result<[u8; 6], InterfaceError> {
    let [kind_low, kind_high, a, b, c, d, e, f, ..] = *value;
    if u16::from_ne_bytes([kind_low, kind_high]) != ARPHRD_ETHER as u16 {
        return Err(InterfaceError::NotEthernet);
    }
    Ok([a, b, c, d, e, f])
}

/// An IPv4 packet has at most 65,535 bytes, so a larger MTU (the loopback's 65,536) is as good as that.
fn mtu_of(value: &[u8; VALUE_BYTES]) -> u16 {
    let mtu = u32::from_ne_bytes([value[0], value[1], value[2], value[3]]);
    u16::try_from(mtu).unwrap_or(u16::MAX)
}

fn is_up(value: &[u8; VALUE_BYTES]) -> bool {
    let wanted = IFF_UP as u16 | IFF_RUNNING as u16;
    u16::from_ne_bytes([value[0], value[1]]) & wanted == wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_the_kernel_takes_for_one() {
        assert_eq!(Name::new("gw0").map(|name| name.length), Ok(3));
        assert_eq!(Name::new("enp0s31f6.1234").map(|name| name.length), Ok(14));
        for text in ["", "sixteen-bytes-xx", "a/b", "a b", "a:1", ".", "..", "a\n"] {
            assert_eq!(Name::new(text), Err(Error::NotAName), "{text:?}");
        }
    }

    #[test]
    fn only_an_ethernet_address_is_one() {
        let mut value = [0; VALUE_BYTES];
        value[..8].copy_from_slice(&[1, 0, 2, 0, 0, 0, 0, 9]);
        assert_eq!(ethernet(&value), Ok([2, 0, 0, 0, 0, 9]));
        value[..2].copy_from_slice(&772u16.to_ne_bytes()); // the loopback
        assert_eq!(ethernet(&value), Err(InterfaceError::NotEthernet));
    }

    #[test]
    fn an_interface_without_carrier_is_not_up() {
        let mut value = [0; VALUE_BYTES];
        value[..2].copy_from_slice(&(IFF_UP as u16).to_ne_bytes());
        assert!(!is_up(&value));
        value[..2].copy_from_slice(&(IFF_UP as u16 | IFF_RUNNING as u16).to_ne_bytes());
        assert!(is_up(&value));
    }
}
