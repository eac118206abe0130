//! The settings on the wire: plain data, as postcard writes it. Order and type of every field are the format: a change is a
//! new version beside this one, never an edit.
//!
//! Nothing here is checked beyond its size; [`BoardV1::into_draft`] makes the checked types of it.

use heapless::{String, Vec};
use serde::{Deserialize, Serialize};

use crate::names::{MAX_BOARD_NAME, MAX_FILE_PATH, MAX_PATH_PART};
use crate::{Board, BoardName, Draft, Error, Field, FilePath, MAX_MODULES, Mac, PathPart, Problem, Selector};

/// The longest body in bytes: the length of a short string or list, an option, a unit variant and a byte take 1 each.
pub(crate) const LONGEST: usize = {
    let selector = 1 + 1 + MAX_PATH_PART;
    let modules = 1 + MAX_MODULES * (1 + MAX_FILE_PATH);
    1 + MAX_BOARD_NAME + modules + 2 * selector + 1 + 1 + MAX_FILE_PATH
};

#[derive(Serialize, Deserialize)]
pub(crate) struct BoardV1 {
    name: String<MAX_BOARD_NAME>,
    modules: Vec<String<MAX_FILE_PATH>, MAX_MODULES>,
    lan: SelectorV1,
    wan: SelectorV1,
    watchdog: Option<String<MAX_FILE_PATH>>,
}

#[derive(Serialize, Deserialize)]
enum SelectorV1 {
    Order(u8),
    Mac([u8; 6]),
    Path(String<MAX_PATH_PART>),
}

impl BoardV1 {
    /// Checks every setting by itself.
    pub(crate) fn into_draft(self) -> Result<Draft, Error> {
        let mut modules = Vec::new();
        for (index, path) in self.modules.iter().enumerate() {
            let path = FilePath::new(path).map_err(|problem| problem.with(Field::Module(index)))?;
            modules.push(path).map_err(|_| Problem::TooMany.with(Field::Modules))?;
        }
        let watchdog = self.watchdog.as_deref().map(FilePath::new).transpose();
        Ok(Draft {
            name: Some(BoardName::new(&self.name).map_err(|problem| problem.with(Field::Name))?),
            modules,
            lan: Some(self.lan.parse().map_err(|problem| problem.with(Field::Lan))?),
            wan: Some(self.wan.parse().map_err(|problem| problem.with(Field::Wan))?),
            watchdog: watchdog.map_err(|problem| problem.with(Field::Watchdog))?,
        })
    }
}

impl From<&Board> for BoardV1 {
    fn from(board: &Board) -> Self {
        let (name, modules, watchdog) = board.parts();
        Self {
            name: name.to_wire(),
            // As many as there can be: the slice is from a list of the same capacity.
            modules: modules.iter().map(FilePath::to_wire).collect(),
            lan: board.lan().into(),
            wan: board.wan().into(),
            watchdog: watchdog.map(FilePath::to_wire),
        }
    }
}

impl SelectorV1 {
    fn parse(&self) -> Result<Selector, Problem> {
        match self {
            Self::Order(index) => Ok(Selector::Order(*index)),
            Self::Mac(octets) => Mac::new(*octets).map(Selector::Mac),
            Self::Path(part) => PathPart::new(part).map(Selector::Path),
        }
    }
}

impl From<&Selector> for SelectorV1 {
    fn from(selector: &Selector) -> Self {
        match selector {
            Selector::Order(index) => Self::Order(*index),
            Selector::Mac(mac) => Self::Mac(mac.octets()),
            Selector::Path(part) => Self::Path(part.to_wire()),
        }
    }
}
