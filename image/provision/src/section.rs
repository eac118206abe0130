//! One table of the file: finding its keys, and complaining about those it should not have.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::report::{Fault, Findings, Place, Source};

/// A table of the file, or an empty one where the file has none.
pub struct Section<'a> {
    source: Source<'a>,
    name: String,
    table: Option<&'a DeTable<'a>>,
    line: Option<usize>,
}

impl<'a> Section<'a> {
    /// The whole document, to look up what stands above its tables.
    pub fn of_whole(source: Source<'a>, document: &'a DeTable<'a>) -> Self {
        Self { source, name: "top".to_owned(), table: Some(document), line: Some(1) }
    }

    /// The table `name` of the document, which has only keys out of `known`.
    pub fn of_document(
        source: Source<'a>,
        document: &'a DeTable<'a>,
        name: &str,
        known: &[&str],
        findings: &mut Findings,
    ) -> Self {
        Self::of_table(source, document, name, name.to_owned(), known, findings)
    }

    /// The table `name` inside this one, which has only keys out of `known`.
    pub fn inner(&self, name: &str, known: &[&str], findings: &mut Findings) -> Self {
        let label = format!("{}.{name}", self.name);
        match self.table {
            Some(table) => Self::of_table(self.source, table, name, label, known, findings),
            None => Self { source: self.source, name: label, table: None, line: None },
        }
    }

    fn of_table(
        source: Source<'a>,
        outer: &'a DeTable<'a>,
        key: &str,
        name: String,
        known: &[&str],
        findings: &mut Findings,
    ) -> Self {
        let Some((key, value)) = outer.get_key_value(key) else {
            return Self { source, name, table: None, line: None };
        };
        let line = source.line(key.span().start);
        let table = value.get_ref().as_table();
        if table.is_none() {
            let kind = kind(value.get_ref());
            findings.add(Some(line), format!("{name} is {kind}; write one section [{name}]"));
        }
        let section = Self { source, name, table, line: Some(line) };
        section.refuse_unknown_keys(known, findings);
        section
    }

    /// The `index`th table of an array of tables, which has only keys out of `known`.
    pub fn of_array(
        source: Source<'a>,
        (index, value): (usize, &'a Spanned<DeValue<'a>>),
        name: &str,
        known: &[&str],
        findings: &mut Findings,
    ) -> Option<Self> {
        let line = source.line(value.span().start);
        let Some(table) = value.get_ref().as_table() else {
            let kind = kind(value.get_ref());
            findings.add(Some(line), format!("{name} {} is {kind}; write a section [[{name}]]", index + 1));
            return None;
        };
        let label = match table.get("name") {
            Some(text) if text.get_ref().is_str() => format!("{name} {}", source.snippet(text.span())),
            _ => format!("{name} {}", index + 1),
        };
        let section = Self { source, name: label, table: Some(table), line: Some(line) };
        section.refuse_unknown_keys(known, findings);
        Some(section)
    }

    /// Whether the value of `key` is a table.
    pub fn has_table(&self, key: &str) -> bool {
        self.table.and_then(|table| table.get(key)).is_some_and(|value| value.get_ref().is_table())
    }

    /// The value of `key` and its place, if the section has it.
    pub fn entry(&self, key: &str) -> Option<(Place, &'a DeValue<'a>)> {
        let (name, value) = self.table?.get_key_value(key)?;
        let place = Place {
            line: self.source.line(name.span().start),
            section: self.name.clone(),
            setting: format!("{key} = {}", self.source.snippet(value.span())),
        };
        Some((place, value.get_ref()))
    }

    /// The value of `key` and its place, if the section has it. If it cannot be read, the operator is told so.
    pub fn value<T>(
        &self,
        key: &str,
        findings: &mut Findings,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<(Place, T)> {
        let (place, value) = self.entry(key)?;
        match parse(value) {
            Ok(value) => Some((place, value)),
            Err(fault) => {
                findings.fault(&place, &fault);
                None
            }
        }
    }

    /// The same for a key that must be there. If it is not, the operator is told so, with an example of what it could
    /// be.
    pub fn needed<T>(
        &self,
        key: &str,
        example: &str,
        findings: &mut Findings,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<(Place, T)> {
        if self.entry(key).is_none() {
            self.report_missing(key, example, findings);
        }
        self.value(key, findings, parse)
    }

    /// The value of a key that must be there and is a secret: no message shows it.
    pub fn secret<T>(
        &self,
        key: &str,
        example: &str,
        findings: &mut Findings,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Fault>,
    ) -> Option<T> {
        let Some((place, value)) = self.entry(key) else {
            self.report_missing(key, example, findings);
            return None;
        };
        let unshown = Place { setting: key.to_owned(), ..place };
        parse(value).map_err(|fault| findings.fault(&unshown, &fault)).ok()
    }

    /// The table itself, if it is one.
    pub fn table(&self) -> Option<&'a DeTable<'a>> {
        self.table
    }

    /// The line that it begins in, if it is there.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Complains that `key` is missing, with an example of what it could be.
    pub fn report_missing(&self, key: &str, example: &str, findings: &mut Findings) {
        if self.line.is_some() && self.table.is_none() {
            return; // It is no section at all, which has been said.
        }
        let message = match self.line {
            Some(_) => format!("{}: {key} is missing; add {key} = {example}", self.name),
            None => format!("{}: {key} is missing; add {key} = {example} in a section [{0}]", self.name),
        };
        findings.add(self.line, message);
    }

    fn refuse_unknown_keys(&self, known: &[&str], findings: &mut Findings) {
        for (key, _) in self.table.into_iter().flatten() {
            if !known.contains(&key.get_ref().as_ref()) {
                let line = self.source.line(key.span().start);
                let message = format!("{}: {}", self.name, unknown("key", key.get_ref(), known));
                findings.add(Some(line), message);
            }
        }
    }
}

/// Complains about the tables of a document that are not among `known`.
pub fn refuse_unknown_sections(
    source: Source<'_>,
    document: &DeTable<'_>,
    known: &[&str],
    findings: &mut Findings,
) {
    for (key, _) in document {
        if !known.contains(&key.get_ref().as_ref()) {
            let line = source.line(key.span().start);
            findings.add(Some(line), unknown("section", key.get_ref(), known));
        }
    }
}

/// What one has to write instead of `given`, which is none of `known`.
pub fn choose_from(given: &str, known: &[&str]) -> String {
    if let Some(meant) = nearest(given, known) {
        return format!("did you mean {meant:?}?");
    }
    let choices: Vec<_> = known.iter().map(|choice| format!("{choice:?}")).collect();
    format!("choose one of {}", choices.join(", "))
}

/// The fault of a value that is of another type than it should be.
pub fn wrong_type(value: &DeValue<'_>, remedy: impl Into<String>) -> Fault {
    Fault::new(format!("is {}", kind(value)), remedy)
}

fn unknown(kind: &str, given: &str, known: &[&str]) -> String {
    format!("unknown {kind} {given:?}; {}", choose_from(given, known))
}

/// The one of `known` that `given` abbreviates, or else the nearest one if it is at most two slips away.
fn nearest<'k>(given: &str, known: &[&'k str]) -> Option<&'k str> {
    if given.len() >= 3
        && let Some(whole) = known.iter().find(|choice| choice.starts_with(given))
    {
        return Some(whole);
    }
    let distance = |choice: &str| strsim::damerau_levenshtein(given, choice);
    let best = known.iter().copied().min_by_key(|choice| distance(choice))?;
    (distance(best) <= 2).then_some(best)
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
