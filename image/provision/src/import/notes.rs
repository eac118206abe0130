//! What became of each line of what was read, to be told line by line.
//!
//! A line can be looked at more than once: for either direction, and each time that its chain is jumped to. What says
//! most about it is told.

use std::collections::BTreeMap;
use std::fmt;

use super::model::Place;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// It cannot matter here.
    Moot,
    /// The box does that anyway.
    Ours,
    /// It became a setting.
    Taken,
    /// Something to know about what it became.
    Note,
    /// There is nothing like it.
    None,
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Self::Moot => "needless",
            Self::Ours => "ours",
            Self::Taken => "taken",
            Self::Note => "note",
            Self::None => "no counterpart",
        }
    }
}

/// Why what is about IPv6 cannot matter here.
pub(crate) const SIX: &str = "is about IPv6, which is not forwarded";

/// All that there is to tell.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    files: Vec<String>,
    lines: BTreeMap<Place, Vec<(Fate, String)>>,
    /// About no line.
    general: Vec<(Fate, String)>,
}

impl Notes {
    pub(crate) fn new(files: Vec<String>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Tells of a line.
    pub(crate) fn add(&mut self, place: &Place, fate: Fate, text: impl Into<String>) {
        let told = self.lines.entry(place.clone()).or_default();
        let note = (fate, text.into());
        if !told.contains(&note) {
            told.push(note);
        }
    }

    /// Tells of no line.
    pub(crate) fn say(&mut self, fate: Fate, text: impl Into<String>) {
        self.general.push((fate, text.into()));
    }

    /// Tells of a whole file.
    pub(crate) fn say_of(&mut self, file: usize, fate: Fate, text: &str) {
        let name = self.files.get(file).map_or("?", String::as_str);
        self.say(fate, format!("{name} {text}"));
    }

    /// Whether something has been told of a line.
    pub(crate) fn knows(&self, place: &Place) -> bool {
        self.lines.contains_key(place)
    }

    /// How much has no counterpart.
    pub(crate) fn without_counterpart(&self) -> usize {
        self.count(Fate::None)
    }

    fn count(&self, fate: Fate) -> usize {
        let lines = self.lines.values().flat_map(|told| worth_telling(told));
        lines.chain(&self.general).filter(|(of, _)| *of == fate).count()
    }
}

/// What says most about a line, and what has to be known besides.
fn worth_telling(told: &[(Fate, String)]) -> impl Iterator<Item = &(Fate, String)> {
    let most = told.iter().map(|(fate, _)| *fate).filter(|fate| *fate != Fate::Note).max();
    told.iter().filter(move |(fate, _)| *fate >= Fate::Taken || Some(*fate) == most)
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, told) in &self.lines {
            let file = self.files.get(place.file).map_or("?", String::as_str);
            for (fate, text) in worth_telling(told) {
                writeln!(f, "{file}:{}: {}: {}: {text}", place.line, fate.word(), place.text)?;
            }
        }
        self.general.iter().try_for_each(|(fate, text)| writeln!(f, "{}: {text}", fate.word()))?;
        let [taken, ours, moot, none] =
            [Fate::Taken, Fate::Ours, Fate::Moot, Fate::None].map(|it| self.count(it));
        writeln!(f, "{taken} taken, {ours} ours, {moot} needless, {none} without a counterpart")
    }
}
