//! The network devices of the machine: those with hardware behind them, in the order of where they are on its buses.

use core::fmt;

use crate::directory::{self, Text};
use crate::error::Error;
use crate::interface::{Inquiry, Name};

/// More than any board that is a router has.
const MAX_DEVICES: usize = 16;

/// A network device.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    name: Name,
    path: Text,
    hardware: [u8; 6],
}

/// All of them.
#[derive(Debug)]
pub struct Devices {
    list: [Option<Device>; MAX_DEVICES],
    count: usize,
}

impl Device {
    /// What the kernel calls it.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Where it is, as sysfs has it.
    pub fn path(&self) -> &str {
        self.path.as_str()
    }

    /// Its Ethernet address.
    pub const fn hardware(&self) -> [u8; 6] {
        self.hardware
    }
}

impl Devices {
    /// Looks which there are now. A driver may still be looking for others.
    ///
    /// # Errors
    /// [`Error::System`] if sysfs cannot be read.
    pub fn now() -> Result<Self, Error> {
        const CLASS: &str = "/sys/class/net";
        let inquiry = Inquiry::open()?;
        let mut devices = Self { list: [None; MAX_DEVICES], count: 0 };
        directory::each(CLASS, |name| {
            let path =
                Text::of(format_args!("{CLASS}/{name}")).and_then(|link| directory::link(link.as_str()))?;
            if !path.as_str().contains("/virtual/") {
                let name = Name::new(name).ok()?;
                // What is no Ethernet, or has just gone, is of no use.
                let hardware = inquiry.facts(&name).ok()?.hardware;
                devices.insert(Device { name, path, hardware });
            }
            None::<()>
        })?;
        Ok(devices)
    }

    /// Each of them, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = &Device> {
        self.list.iter().flatten()
    }

    /// Puts one where it belongs. One too many takes the place of the last.
    fn insert(&mut self, device: Device) {
        let at = self.iter().take_while(|other| other.path() < device.path()).count();
        if let Some(behind) = self.list.get_mut(at..) {
            behind.rotate_right(1);
            behind[0] = Some(device);
            self.count += 1;
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, hardware: [a, b, c, d, e, g], .. } = self;
        write!(f, "{name} {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x} {}", self.path())
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("no network device");
        }
        for (n, device) in self.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{device}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_in_the_order_of_their_places() {
        let mut devices = Devices { list: [None; MAX_DEVICES], count: 0 };
        for place in [3, 1, 2] {
            let (Ok(name), Some(path)) = (Name::new("eth0"), Text::of(format_args!("pci/{place}"))) else {
                panic!()
            };
            devices.insert(Device { name, path, hardware: [place; 6] });
        }
        assert!(devices.iter().map(|device| device.hardware[0]).eq([1, 2, 3]));
    }
}
