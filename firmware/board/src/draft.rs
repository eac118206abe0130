//! From settings that are fine by themselves to a board that is fine as a whole.

use heapless::Vec;

use crate::{BoardName, Error, Field, FilePath, Problem, Selector};

/// How many modules a board may have: a handful for each of the common network devices, with what they rest on.
pub const MAX_MODULES: usize = 64;

/// A board whose settings are valid, each alone and all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    name: BoardName,
    modules: Vec<FilePath, MAX_MODULES>,
    lan: Selector,
    wan: Selector,
    watchdog: Option<FilePath>,
}

/// Settings that may not fit together yet. `None` means that the setting is not there (yet).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// What the board is called; required.
    pub name: Option<BoardName>,
    /// The modules, in the order to load them in.
    pub modules: Vec<FilePath, MAX_MODULES>,
    /// The device towards the hosts we translate for; required.
    pub lan: Option<Selector>,
    /// The device towards the Internet; required.
    pub wan: Option<Selector>,
    /// The watchdog's device. A board may have none.
    pub watchdog: Option<FilePath>,
}

impl Board {
    /// Accepts a draft as a board.
    ///
    /// # Errors
    /// The first setting that is missing, or that does not fit the others.
    pub fn new(draft: Draft) -> Result<Self, Error> {
        let Draft { name, modules, lan, wan, watchdog } = draft;
        let name = name.ok_or(Problem::Missing.with(Field::Name))?;
        let lan = lan.ok_or(Problem::Missing.with(Field::Lan))?;
        let wan = wan.ok_or(Problem::Missing.with(Field::Wan))?;
        // Two different selectors may still mean one device; only the board itself can tell.
        if lan == wan {
            return Err(Problem::SameDevice.with(Field::Wan));
        }
        for (index, module) in modules.iter().enumerate() {
            if let Some(other) = modules.iter().take(index).position(|other| other == module) {
                return Err(Problem::Duplicate(other).with(Field::Module(index)));
            }
        }
        Ok(Self { name, modules, lan, wan, watchdog })
    }

    /// What the board is called.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The absolute paths of the modules in the image, in the order to load them in; none is there twice.
    pub fn modules(&self) -> impl ExactSizeIterator<Item = &str> {
        self.modules.iter().map(FilePath::as_str)
    }

    /// The device towards the hosts we translate for.
    pub const fn lan(&self) -> &Selector {
        &self.lan
    }

    /// The device towards the Internet.
    pub const fn wan(&self) -> &Selector {
        &self.wan
    }

    /// The path of the watchdog's device, if the board has one.
    pub fn watchdog(&self) -> Option<&str> {
        self.watchdog.as_ref().map(FilePath::as_str)
    }
}
