//! Names and paths: what a board is called, where a file is in the image, and a part of where a device is.
//!
//! All are printable ASCII, so that a line on the console that has one in it is a line.

use core::fmt;

use heapless::String;

use crate::Problem;

/// The longest of each in bytes. Paths of modules are ours; those of devices are the kernel's, and one names enough of them.
pub(crate) const MAX_BOARD_NAME: usize = 31;
pub(crate) const MAX_FILE_PATH: usize = 63;
pub(crate) const MAX_PATH_PART: usize = 63;

/// What a board is called: 1 to 31 of `a` to `z`, `0` to `9`, `-`, `_` and `.`, as in the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardName(String<MAX_BOARD_NAME>);

/// The absolute path of a file, of at most 63 bytes, with nothing in it that leads elsewhere than it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath(String<MAX_FILE_PATH>);

/// A part of a device's path in sysfs, as `0000:00:03.0`: 1 to 63 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPart(String<MAX_PATH_PART>);

impl BoardName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Problem::NotABoardName`].
    pub fn new(name: &str) -> Result<Self, Problem> {
        let is_known =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(is_known) {
            return Err(Problem::NotABoardName);
        }
        String::try_from(name).map(Self).map_err(|_| Problem::NotABoardName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FilePath {
    /// Reads a path.
    ///
    /// # Errors
    /// [`Problem::NotAFilePath`] if it is not absolute, too long, has an empty step, `.` or `..`, or is not visible ASCII.
    pub fn new(path: &str) -> Result<Self, Problem> {
        let steps = path.strip_prefix('/').ok_or(Problem::NotAFilePath)?;
        let is_step = |step: &str| !step.is_empty() && step != "." && step != "..";
        if !is_visible(path) || !steps.split('/').all(is_step) {
            return Err(Problem::NotAFilePath);
        }
        String::try_from(path).map(Self).map_err(|_| Problem::NotAFilePath)
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PathPart {
    /// Reads a part of a path.
    ///
    /// # Errors
    /// [`Problem::NotAPathPart`] if it is empty, too long or not visible ASCII.
    pub fn new(part: &str) -> Result<Self, Problem> {
        if part.is_empty() || !is_visible(part) {
            return Err(Problem::NotAPathPart);
        }
        String::try_from(part).map(Self).map_err(|_| Problem::NotAPathPart)
    }

    /// The part as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Display for BoardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for PathPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
