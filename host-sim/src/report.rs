//! The demonstration on paper: every frame as tcpdump prints it, the two sides of the box one above the other.
//!
//! A packet that crosses the box takes two lines with one time, before and after, and what was rewritten stands out.
//! What the box or a neighbour says for itself takes one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::{AnsiColor, Effects, Style};

use crate::demo::{Demo, Scene};
use crate::network::{LAN_HOST, WAN_HOST};
use crate::print::{Detail, Line, Printer};
use crate::trace::{Sighting, Way};

/// How wide a line may be, in columns.
pub const WIDTH: usize = 110;

/// The columns of the time, and of the tap's name.
const TIME: usize = 8;
const TAP: usize = 3;
const GAP: &str = "  ";

/// How the parts of a report look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Palette {
    /// Titles of scenes.
    pub title: Style,
    /// What differs between the two lines of a packet.
    pub rewritten: Style,
    /// Times and taps.
    pub margin: Style,
    /// A verdict that all is well.
    pub good: Style,
    /// A verdict that it is not.
    pub bad: Style,
}

impl Palette {
    /// Nothing but text.
    pub const PLAIN: Self = {
        let style = Style::new();
        Self { title: style, rewritten: style, margin: style, good: style, bad: style }
    };

    /// For a terminal.
    pub const COLOURS: Self = Self {
        title: Style::new().effects(Effects::BOLD),
        rewritten: AnsiColor::Yellow.on_default().effects(Effects::BOLD),
        margin: Style::new().effects(Effects::DIMMED),
        good: AnsiColor::Green.on_default().effects(Effects::BOLD),
        bad: AnsiColor::Red.on_default().effects(Effects::BOLD),
    };
}

/// The whole report, in lines of at most [`WIDTH`] columns.
pub fn report(demo: &Demo, palette: &Palette) -> String {
    let mut paper = Paper { text: String::new(), palette, printers: BTreeMap::new() };
    paper.opening(demo);
    for scene in &demo.scenes {
        paper.scene(scene);
    }
    paper.verdict(demo);
    paper.text
}

struct Paper<'a> {
    text: String,
    palette: &'a Palette,
    /// One for each tap, like a tcpdump on each interface.
    printers: BTreeMap<Arc<str>, Printer>,
}

impl Paper<'_> {
    fn opening(&mut self, demo: &Demo) {
        let lan = demo.config.lan().address().address();
        let wan = demo.config.wan().address().address();
        self.title("The reference network");
        self.print(format_args!("lan host {LAN_HOST} -- {lan} box {wan} -- {WAN_HOST} wan host"));
        self.print(format_args!("seed {}; the box runs by this configuration:\n", demo.seed));
        self.text.push_str(&indented(&provision::show(&demo.config)));
    }

    fn scene(&mut self, scene: &Scene) {
        self.text.push('\n');
        self.title(scene.title);
        let mut rest = scene.sightings.as_slice();
        while let [first, behind @ ..] = rest {
            let after = behind.first().filter(|next| next.packet == first.packet && first.way == Way::In);
            self.packet(first, after);
            rest = &rest[1 + usize::from(after.is_some())..];
        }
    }

    /// One packet: as it came in, and as it went out if it crossed the box.
    fn packet(&mut self, first: &Sighting, after: Option<&Sighting>) {
        let line = self.line(first);
        let other = after.map(|after| self.line(after));
        let lines = || [Some(&line), other.as_ref()].into_iter().flatten();
        let room = WIDTH - TIME - TAP - 2 * GAP.len();
        let fits = |detail: &Detail| lines().all(|line| line.width(*detail) <= room);
        let detail = Detail::ALL.into_iter().find(fits).unwrap_or(Detail::Essential);

        self.row(&first.at.to_string(), &first.tap, &line, other.as_ref(), detail);
        if let (Some(after), Some(other)) = (after, &other) {
            self.row("", &after.tap, other, Some(&line), detail);
        }
    }

    fn line(&mut self, sighting: &Sighting) -> Line {
        self.printers.entry(Arc::clone(&sighting.tap)).or_default().line(&sighting.frame)
    }

    fn row(&mut self, time: &str, tap: &str, line: &Line, other: Option<&Line>, detail: Detail) {
        let Palette { margin, rewritten, .. } = self.palette;
        let mut row = format!("{margin}{time:TIME$}{GAP}{tap:TAP$}{margin:#}{GAP}");
        let mut others = other.into_iter().flat_map(|other| other.fields(detail));
        for field in line.fields(detail) {
            let differs = others.next().is_some_and(|other| other.text != field.text);
            let style = if differs { *rewritten } else { Style::new() };
            // Writing to a String cannot fail, here and below.
            let _ = write!(row, "{}{style}{}{style:#}", field.before, field.text);
        }
        self.print(format_args!("{row}"));
    }

    fn verdict(&mut self, demo: &Demo) {
        self.text.push('\n');
        self.title("The box's counters");
        self.text.push_str(&demo.summary);
        self.text.push('\n');
        let Palette { good, bad, .. } = self.palette;
        for check in demo.checks.iter().filter(|check| !check.held) {
            self.print(format_args!("{bad}not so:{bad:#} {}", check.what));
        }
        let (held, all) = (demo.checks.iter().filter(|check| check.held).count(), demo.checks.len());
        if demo.passed() {
            self.print(format_args!(
                "{good}ok:{good:#} {held} of {all} checks, all that was expected was seen"
            ));
        } else {
            self.print(format_args!("{bad}FAILED:{bad:#} {held} of {all} checks"));
        }
    }

    fn title(&mut self, title: &str) {
        let style = self.palette.title;
        self.print(format_args!("{style}{title}{style:#}"));
    }

    fn print(&mut self, line: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{line}");
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") }).collect()
}
