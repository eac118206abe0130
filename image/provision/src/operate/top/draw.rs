//! The picture of what was seen of a box.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Stylize as _};
use ratatui::symbols;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, LineGauge, Paragraph, RenderDirection, Sparkline};

use super::super::words;
use super::model::{Counted, Model, Point};
use crate::grouped;

/// How wide each of the two columns of figures is.
const FIGURE: usize = 10;

/// Draws it. The rest of a terminal that is larger than 80 by 24 goes to every part of it.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let whole = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Fill(7),
        Constraint::Fill(4),
        Constraint::Fill(5),
        Constraint::Fill(5),
        Constraint::Length(1),
    ]);
    let [head, state, traffic, sessions, upper, lower, foot] = whole.areas(frame.area());
    let halves = |area| Layout::horizontal([Constraint::Fill(1); 2]).spacing(2).areas::<2>(area);
    draw_head(model, frame, head);
    draw_state(model, frame, state);
    let [left, right] = halves(traffic);
    draw_traffic(model, frame, left, 0);
    draw_traffic(model, frame, right, 1);
    let [left, right] = halves(sessions);
    draw_sessions(model, frame, left);
    draw_occupancy(model, frame, right);
    let [left, right] = halves(upper);
    draw_drops(model, frame, left);
    draw_hosts(model, frame, right);
    let [left, right] = halves(lower);
    let uses = model.uses();
    draw_list(frame, left, "rules and forwards".into(), ["hits/s", "hits"], uses.iter().map(counted));
    draw_kinds(model, frame, right);
    draw_foot(model, frame, foot);
}

fn draw_head(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let status = &model.newest().status;
    let sides = status.sides.iter().map(|side| format!("{} {}", side.interface, side.address));
    let sides = sides.collect::<Vec<_>>().join(" → ");
    let title = Line::from(vec![format!("sekisho {}", status.version).bold(), format!("  {sides}").into()]);
    let up = format!("up {}", words::time(status.up_seconds));
    ends(frame, area, title, up.into());
}

fn draw_state(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    if let Some(why) = model.lost() {
        frame.render_widget(format!("lost, trying again: {why}").red().bold(), area);
        return;
    }
    let status = &model.newest().status;
    let state = match (status.confirm_within_seconds, status.is_kept) {
        (Some(left), _) => {
            let left = left.ceil() as u64;
            let (minutes, seconds) = (left / 60, left % 60);
            format!("configuration NOT CONFIRMED: taken back in {minutes}:{seconds:02}").yellow().bold()
        }
        (None, false) => "configuration in memory alone, lost at a restart".yellow(),
        (None, true) => "configuration kept".into(),
    };
    ends(frame, area, state.into(), model.place().dim().into());
}

fn draw_foot(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let control = &model.newest().status.control;
    let heard = [
        (control.answered, "answered"),
        (control.greeted, "greeted"),
        (control.strays, "strays"),
        (control.unopened, "unopened"),
        (control.throttled, "throttled"),
    ];
    let heard = heard.into_iter().filter(|(count, _)| *count > 0);
    let heard: Vec<_> = heard.map(|(count, what)| format!("{} {what}", short(count))).collect();
    let keys = Line::from(vec!["q".bold(), " leave".into()]);
    ends(frame, area, keys, format!("channel: {}", heard.join(", ")).dim().into());
}

/// What goes from one side to the other.
fn draw_traffic(model: &Model, frame: &mut Frame<'_>, area: Rect, side: usize) {
    let (title, color) = [("lan → wan", Color::Green), ("wan → lan", Color::Cyan)][side];
    let bits = |point: &Point| point.bits[side];
    let most = shown(model, area).filter_map(bits).fold(0.0, f64::max);
    let block = pane(title.into(), format!("at most {}", words::bits(most)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let [figures, graph] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(inner);
    let now = model.points().next().copied().unwrap_or_default();
    let bits_now = now.bits[side].map_or("-".to_owned(), words::bits);
    let frames_now = now.frames[side].map_or("-".to_owned(), rate);
    let figures_now = vec![bits_now.fg(color).bold(), format!("   {frames_now} frames/s sent on").into()];
    frame.render_widget(Line::from(figures_now), figures);
    draw_graph(frame, graph, color, shown(model, area).map(|point| bits(point).map(|bits| bits as u64)));
}

fn draw_sessions(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let status = &model.newest().status;
    let block = pane("sessions".into(), format!("room for {}", grouped(status.capacity as usize)));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let ratio = f64::from(status.sessions) / f64::from(status.capacity.max(1));
    let color = match ratio {
        ..0.8 => Color::Blue,
        ..0.95 => Color::Yellow,
        _ => Color::Red,
    };
    let gauge = LineGauge::default()
        .ratio(ratio.clamp(0.0, 1.0))
        .label(format!("{:.1} %", ratio * 100.0))
        .filled_symbol(symbols::line::THICK_HORIZONTAL)
        .filled_style(color)
        .unfilled_style(Color::DarkGray);
    let [figures, bar, mappings] = Layout::vertical([Constraint::Length(1); 3]).areas(inner);
    let [sessions, most] = [status.sessions, status.most_sessions].map(|it| grouped(it as usize));
    let figures_now = vec![sessions.fg(color).bold(), format!(" now, {most} at most").into()];
    frame.render_widget(Line::from(figures_now), figures);
    frame.render_widget(gauge, bar);
    frame.render_widget(format!("{} mappings", grouped(status.mappings as usize)).dim(), mappings);
}

/// The sessions over time.
fn draw_occupancy(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let sessions = || shown(model, area).map(|point| u64::from(point.sessions));
    let most = grouped(sessions().max().unwrap_or(0) as usize);
    let block = pane("sessions over time".into(), format!("at most {most}"));
    let inner = block.inner(area);
    frame.render_widget(block, area);
    draw_graph(frame, inner, Color::Blue, sessions().map(Some));
}

fn draw_drops(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let drops = model.drops();
    let all: Option<f64> = drops.iter().map(|it| it.rate).sum();
    let title = match all {
        Some(all) if all > 0.0 => Line::from(vec!["dropped ".into(), format!("{}/s", rate(all)).red()]),
        _ => "dropped".into(),
    };
    draw_list(frame, area, title, ["frames/s", "frames"], drops.iter().map(counted));
}

fn draw_hosts(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let mut hosts = model.newest().hosts.clone();
    hosts.sort_by_key(|host| std::cmp::Reverse((host.sessions, host.most)));
    let rows = hosts.iter().map(|host| {
        (host.address.to_string(), [host.sessions, host.most].map(|count| grouped(count as usize)))
    });
    draw_list(frame, area, "hosts inside".into(), ["sessions", "at most"], rows);
}

fn draw_kinds(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let kinds = &model.newest().kinds;
    let all: usize = kinds.iter().map(|(_, count)| count).sum();
    let title = match all < model.newest().status.sessions as usize {
        true => format!("protocols, of {}", grouped(all)),
        false => "protocols".to_owned(),
    };
    let share = |count: usize| format!("{:.1} %", count as f64 * 100.0 / all.max(1) as f64);
    let rows = kinds.iter().map(|(kind, count)| (kind.clone(), [share(*count), grouped(*count)]));
    draw_list(frame, area, title.into(), ["share", "sessions"], rows);
}

fn counted(counted: &Counted) -> (String, [String; 2]) {
    let rate = counted.rate.map_or("-".to_owned(), rate);
    (counted.name.clone(), [rate, short(counted.count)])
}

/// Names with two figures each, as many as there is room for.
fn draw_list(
    frame: &mut Frame<'_>,
    area: Rect,
    title: Line<'_>,
    heads: [&str; 2],
    rows: impl Iterator<Item = (String, [String; 2])>,
) {
    let figures = |[one, two]: [&str; 2]| format!("{one:>FIGURE$}{two:>FIGURE$}");
    let block = pane(title, figures(heads).trim_start().to_owned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let room = usize::from(inner.width).saturating_sub(2 * FIGURE);
    let mut lines: Vec<Line<'_>> = rows
        .take(inner.height.into())
        .map(|(name, [one, two])| {
            let name: String = name.chars().take(room).collect();
            format!("{name:<room$}{}", figures([&one, &two])).into()
        })
        .collect();
    if lines.is_empty() {
        lines.push("none".dim().into());
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Bars, the newest on the right.
fn draw_graph(frame: &mut Frame<'_>, area: Rect, color: Color, values: impl Iterator<Item = Option<u64>>) {
    let graph = Sparkline::default().direction(RenderDirection::RightToLeft).style(color).data(values);
    frame.render_widget(graph, area);
}

/// The points of which there is a bar in an area.
fn shown(model: &Model, area: Rect) -> impl Iterator<Item = &Point> {
    model.points().take(area.width.into())
}

/// A part of the picture below its title, and what is said on the right of that.
fn pane<'a>(title: Line<'a>, right: String) -> Block<'a> {
    Block::new()
        .borders(Borders::TOP)
        .border_style(Color::DarkGray)
        .title_top(bracketed(title).bold())
        .title_top(bracketed(Span::raw(right).dim().into()).right_aligned())
}

/// With a space on the side of the line.
fn bracketed(mut title: Line<'_>) -> Line<'_> {
    title.push_span(" ");
    title
}

/// One line, and another at the end of it, if there is room.
fn ends(frame: &mut Frame<'_>, area: Rect, left: Line<'_>, right: Line<'_>) {
    let width = left.width() as u16;
    let [left_area, right_area] =
        Layout::horizontal([Constraint::Length(width), Constraint::Fill(1)]).spacing(2).areas(area);
    frame.render_widget(left, left_area);
    frame.render_widget(right.right_aligned(), right_area);
}

/// How often a second.
fn rate(rate: f64) -> String {
    if rate > 0.0 && rate < 10.0 { format!("{rate:.1}") } else { short(rate.round() as u64) }
}

/// A count that has room in a column.
fn short(count: u64) -> String {
    if count < 10_000_000 { grouped(count as usize) } else { words::count(count) }
}
