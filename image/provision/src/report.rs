//! Everything that is wrong with a file, and where.

use std::fmt;
use std::ops::Range;

/// What is wrong with a file: at least one finding, in the order of lines.
///
/// It displays as one finding a line, `router.toml:14: what is wrong; the way out`, and their number at the end.
#[derive(Debug)]
pub struct Report {
    file: String,
    findings: Vec<Finding>,
}

/// One thing that is wrong. `None` stands for the file as a whole.
#[derive(Debug)]
struct Finding {
    line: Option<usize>,
    message: String,
}

impl Report {
    /// How many things are wrong.
    pub fn errors(&self) -> usize {
        self.findings.len()
    }

    /// A report of one error that has no place in the file.
    pub(crate) fn of_file(file: &str, error: &config::Error) -> Self {
        Self { file: file.to_owned(), findings: vec![Finding { line: None, message: error.to_string() }] }
    }
}

impl std::error::Error for Report {}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { line, message } in &self.findings {
            match line {
                Some(line) => writeln!(f, "{}:{line}: {message}", self.file)?,
                None => writeln!(f, "{}: {message}", self.file)?,
            }
        }
        match self.errors() {
            1 => write!(f, "1 error"),
            errors => write!(f, "{errors} errors"),
        }
    }
}

/// A report in the making.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a fault of the setting at `place`.
    pub fn fault(&mut self, place: &Place, fault: &Fault) {
        self.add(Some(place.line), format!("{place} {fault}"));
    }

    /// Adds anything else; `line` counts from 1.
    pub fn add(&mut self, line: Option<usize>, message: String) {
        self.0.push(Finding { line, message });
    }

    /// The report, if there is anything to report.
    pub fn into_report(mut self, file: &str) -> Option<Report> {
        if self.0.is_empty() {
            return None;
        }
        self.0.sort_by_key(|finding| finding.line);
        Some(Report { file: file.to_owned(), findings: self.0 })
    }
}

/// Where a setting is: its line, its section and how the file spells it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Counted from 1.
    pub line: usize,
    /// `wan` or `forward "web"`.
    pub section: String,
    /// `address = "192.0.2.254/24"`.
    pub setting: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.section, self.setting)
    }
}

/// What is wrong with a setting, and the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    what: String,
    remedy: String,
}

impl Fault {
    /// `what` continues a sentence that begins with the setting; `remedy` tells the operator what to do.
    pub fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

/// The text of a file, with what is needed to point into it.
#[derive(Clone, Copy)]
pub struct Source<'a>(pub &'a str);

impl<'a> Source<'a> {
    /// The line that the byte at `offset` is in, from 1.
    pub fn line(self, offset: usize) -> usize {
        let before = self.0.as_bytes().get(..offset).unwrap_or(self.0.as_bytes());
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// The text at `span` as far as its first line goes.
    pub fn snippet(self, span: Range<usize>) -> &'a str {
        self.0.get(span).and_then(|text| text.lines().next()).unwrap_or_default()
    }
}
