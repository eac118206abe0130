//! The names in a directory, and the short texts behind them, as sysfs has them.

use core::ffi::CStr;
use core::fmt::Write as _;
use core::mem::MaybeUninit;

use rustix::fs::{CWD, Mode, OFlags, RawDir, open, readlinkat_raw};
use rustix::io::Errno;

use crate::error::Failure;
use crate::file;

/// The longest path that is looked at here. Those of devices are shorter, however deep the hubs are.
pub(crate) const LONGEST: usize = 256;

/// As many names as are read at once.
const CHUNK: usize = 2048;

/// Shows every name in the directory, until one is the last that is wanted.
pub(crate) fn each<T>(path: &str, mut see: impl FnMut(&str) -> Option<T>) -> Result<Option<T>, Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = match open(path, flags, Mode::empty()) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(Failure::new("open", errno)),
    };
    let mut buffer = [const { MaybeUninit::uninit() }; CHUNK];
    let mut names = RawDir::new(directory, &mut buffer);
    while let Some(entry) = names.next() {
        let entry = entry.map_err(Failure::of("getdents"))?;
        let name = CStr::to_str(entry.file_name()).unwrap_or(".");
        if !name.starts_with('.')
            && let Some(found) = see(name)
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A text that is put together of parts, as long as it fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Text {
    /// The parts as a text; nothing, if they are too long.
    pub(crate) fn of(parts: core::fmt::Arguments<'_>) -> Option<Self> {
        let mut text = Self { bytes: [0; LONGEST], length: 0 };
        text.write_fmt(parts).ok()?;
        Some(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> core::fmt::Result {
        let room = self.bytes[self.length..].get_mut(..part.len()).ok_or(core::fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length += part.len();
        Ok(())
    }
}

/// Where a link leads.
pub(crate) fn link(path: &str) -> Option<Text> {
    let mut bytes = [0; LONGEST];
    let (length, _) = (readlinkat_raw(CWD, path, &mut bytes).ok()?, ());
    (length < LONGEST).then_some(Text { bytes, length })
}

/// The value of a key in a file of `KEY=value` lines.
pub(crate) fn value(path: &str, key: &str) -> Option<Text> {
    let mut buffer = [0; 2048];
    let text = str::from_utf8(file::read(path.as_bytes(), &mut buffer).ok()?).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Text::of(format_args!("{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_shows_its_names_and_a_missing_one_has_none() {
        let found = each("/proc/self", |name| (name == "comm").then_some(7)).unwrap_or(None);
        assert_eq!(found, Some(7));
        assert_eq!(each("/proc/self", |name| (name == "nobody").then_some(7)).unwrap_or(Some(0)), None);
        assert!(matches!(each("/no/such", |_| Some(())), Ok(None)));
    }

    #[test]
    fn what_is_too_long_is_no_text() {
        assert!(Text::of(format_args!("{:>300}", "x")).is_none());
        assert_eq!(Text::of(format_args!("/sys/{}", "x")).map(|text| text.length), Some(6));
    }
}
