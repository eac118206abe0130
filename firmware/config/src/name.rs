//! What an operator calls forwards and rules.

use core::fmt;

use heapless::String;

use crate::Problem;

/// The longest name in bytes.
pub(crate) const MAX_NAME: usize = 31;

/// A name: 1 to 31 printable ASCII characters, no quotes, no space at either end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String<MAX_NAME>);

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// [`Problem::NotAName`].
    pub fn new(name: &str) -> Result<Self, Problem> {
        let printable = name.bytes().all(|byte| matches!(byte, b' '..=b'~') && !b"\"'`".contains(&byte));
        if name.is_empty() || name.trim() != name || !printable {
            return Err(Problem::NotAName);
        }
        String::try_from(name).map(Self).map_err(|_| Problem::NotAName)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
