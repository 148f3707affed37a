//! One screen: the table of the containers and, below it, their last minutes. Pure: what
//! is known and the terminal's size in, lines out. What a terminal obeys is in `terminal`.

use super::{
    columns::{Column, PARTS, Part},
    model::{Model, Row},
    plot::{self, Glyphs},
};
use crate::time::Timestamp;

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Characters in a line.
    pub(super) columns: usize,
    /// Lines.
    pub(super) rows: usize,
}

/// What is asked for with keys, and what the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// What is plotted.
    pub(super) plotted: Column,
    /// With which characters.
    pub(super) glyphs: Glyphs,
}

/// A name is shortened to what the other columns leave of a line, but not below this.
const NAME_COLUMNS_MIN: usize = 8;
const NAME_COLUMNS_MAX: usize = 40;
/// Columns of everything that follows the name, with the longest word about a source.
const REST_COLUMNS: usize = 65;
/// Rows of a plot with its heading.
const PLOT_ROWS_MIN: usize = 3;
const PLOT_ROWS_MAX: usize = 11;

/// The lines of the screen: no more than it has rows, none longer than it has columns.
pub(super) fn frame(model: &Model, now: Timestamp, size: Size, look: Look) -> Vec<String> {
    let mut lines = vec![title(model, now)];
    lines.push(
        model.trouble.as_ref().map_or_else(String::new, |it| format!("the endpoint fails: {it}")),
    );
    if model.task.is_empty() {
        lines.push("waiting for the task metadata endpoint".to_owned());
    } else {
        table(model, now, size.columns, &mut lines);
        plots(model, now, size, look, &mut lines);
    }
    let footer = format!(
        "q quit  p next plot  each column: highest value of {} s",
        plot::column_s(size.columns)
    );
    // The last line of the screen, or as far down as there is room.
    lines.truncate(size.rows.saturating_sub(1));
    lines.resize(size.rows.saturating_sub(1), String::new());
    lines.push(footer);
    lines.truncate(size.rows);
    for line in &mut lines {
        if let Some((end, _)) = line.char_indices().nth(size.columns) {
            line.truncate(end);
        }
    }
    lines
}

fn title(model: &Model, now: Timestamp) -> String {
    let task = if model.task.is_empty() { String::new() } else { format!("  {}", model.task) };
    format!("esp top  {}{task}", clock(now))
}

/// The time of day, UTC.
pub(super) fn clock(now: Timestamp) -> String {
    let s = now.unix_ms() / 1000;
    format!("{:02}:{:02}:{:02}Z", s / 3600 % 24, s / 60 % 60, s % 60)
}

fn table(model: &Model, now: Timestamp, columns: usize, lines: &mut Vec<String>) {
    let longest = model.rows().map(|row| row.name.len()).max().unwrap_or(0);
    let room = columns.saturating_sub(REST_COLUMNS).clamp(NAME_COLUMNS_MIN, NAME_COLUMNS_MAX);
    let width = longest.clamp(NAME_COLUMNS_MIN, room);
    lines.push(format!(
        "{:width$} {:>7} {:>9} {:>6} {:>8} {:>8} {:>6}  {}",
        "CONTAINER", "CPU %", "MEM MiB", "MEM %", "RX/s", "TX/s", "AGE s", "SOURCE"
    ));
    for row in model.rows() {
        let number = |column, decimals: usize| {
            row.value(column, now).map_or_else(unknown, |value| format!("{value:.decimals$}"))
        };
        let rate = |column| row.value(column, now).map_or_else(unknown, plot::bytes);
        let age = row.age_s(Part::Cpu, now).map_or_else(unknown, |age| format!("{age:.1}"));
        lines.push(format!(
            "{:width$} {:>7} {:>9} {:>6} {:>8} {:>8} {age:>6}  {}",
            shortened(&row.name, width),
            number(Column::Cpu, 1),
            number(Column::MemoryMib, 1),
            number(Column::Memory, 1),
            rate(Column::Received),
            rate(Column::Sent),
            source(row, now),
        ));
    }
}

fn unknown() -> String {
    "-".to_owned()
}

/// The name, with its end left out if it is longer than `width`.
fn shortened(name: &str, width: usize) -> String {
    if name.len() <= width {
        return name.to_owned();
    }
    // Names are ASCII.
    format!("{}~", name.get(..width.saturating_sub(1)).unwrap_or_default())
}

/// Where the values of a row are from, or its state if it does not run.
fn source(row: &Row, now: Timestamp) -> String {
    if let Some(state) = &row.state {
        return state.clone();
    }
    let known = PARTS.into_iter().filter_map(|part| Some((part, row.source(part, now)?)));
    let of_kernel: Vec<_> = known.clone().filter(|(_, source)| *source == "kernel").collect();
    let count = known.count();
    match of_kernel.len() {
        _ if count == 0 => unknown(),
        0 => "endpoint".to_owned(),
        all if all == count => "kernel".to_owned(),
        _ => {
            let words: Vec<_> = of_kernel.into_iter().map(|(part, _)| part.word()).collect();
            format!("kernel: {}", words.join(", "))
        }
    }
}

/// As many plots as there is room for, below the table.
fn plots(model: &Model, now: Timestamp, size: Size, look: Look, lines: &mut Vec<String>) {
    // An empty line before them, and the footer.
    let room = size.rows.saturating_sub(lines.len() + 2);
    let with_values = model.rows().filter(|row| row.history(look.plotted).is_known());
    let count = with_values.clone().count().min(room / PLOT_ROWS_MIN);
    if count == 0 {
        return;
    }
    lines.push(String::new());
    let height = (room / count).min(PLOT_ROWS_MAX);
    for row in with_values.take(count) {
        let basis = row.basis(look.plotted).map(|basis| format!(", 100 % = {basis}"));
        let words = match look.plotted {
            column if column.is_percent() => column.words().to_owned(),
            column => format!("{}, bytes a second", column.words()),
        };
        lines.push(format!("{}: {words}{}", row.name, basis.unwrap_or_default()));
        lines.extend(plot::rows(
            row.history(look.plotted),
            now.unix_ms() / 1000,
            (size.columns, height - 1),
            look.plotted.is_percent(),
            look.glyphs,
        ));
    }
}

#[cfg(test)]
#[path = "frame/tests.rs"]
mod tests;
