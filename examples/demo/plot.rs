//! The demo's picture: a plot of values over time in characters, drawn over
//! itself on a terminal, or lines of text in a pipe. It knows nothing of what
//! the values are.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use std::{fmt::Write as _, io::Write as _};

const WIDTH: usize = 72;
const HEIGHT: usize = 15;
/// The thresholds of the alarms, drawn as lines.
const THRESHOLDS: [f64; 2] = [15.0, 5.0];

/// A bar below the plot, on its axis, with words under it.
pub(crate) struct Bar {
    pub(crate) from_s: f64,
    pub(crate) to_s: f64,
    /// Whether it has reached its end.
    pub(crate) is_over: bool,
    pub(crate) text: String,
}

/// Where it is drawn.
pub(crate) struct Screen {
    is_terminal: bool,
    /// Seconds that the width stands for.
    width_s: f64,
    /// Lines drawn the last time, to be drawn over.
    drawn: usize,
    said: usize,
}

impl Screen {
    /// A terminal is drawn over; anything else gets lines.
    pub(crate) fn new(is_terminal: bool, width_s: f64) -> Self {
        Self { is_terminal, width_s, drawn: 0, said: 0 }
    }

    /// Shows `(seconds, value)` points: `new` ones as lines, `all` as a plot.
    pub(crate) fn draw(
        &mut self,
        new: &[(f64, f64)],
        all: &[(f64, f64)],
        elapsed: f64,
        bars: &[Bar],
        events: &[String],
    ) {
        if !self.is_terminal {
            for (seconds, value) in new {
                println!("{seconds:5.1} s  CPUUtilization {value:6.2} %");
            }
            for event in &events[self.said..] {
                println!("{event}");
            }
            self.said = events.len();
            return;
        }
        let mut text = String::new();
        if self.drawn > 0 {
            // Up to the first line of the last drawing, and clear what follows.
            let _ = write!(text, "\x1b[{}A\x1b[J", self.drawn);
        }
        let lines = lines(self.width_s, all, elapsed, bars, events);
        for line in &lines {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = lines.len();
        print!("{text}");
        let _ = std::io::stdout().flush();
    }
}

/// The plot, its axis and the events below.
fn lines(
    width_s: f64,
    points: &[(f64, f64)],
    elapsed: f64,
    bars: &[Bar],
    events: &[String],
) -> Vec<String> {
    let highest = points.iter().map(|(_, value)| *value).fold(20.0, f64::max);
    let top = (highest / 20.0).ceil() * 20.0;
    let mut rows = vec![[' '; WIDTH]; HEIGHT];
    for threshold in THRESHOLDS {
        for cell in &mut rows[row(threshold, top)] {
            *cell = '·';
        }
    }
    for (seconds, value) in points {
        rows[row(*value, top)][column(*seconds, width_s)] = '█';
    }
    let mut lines = vec![format!(
        "CPUUtilization, % of the task's CPU, as CloudWatch received it ({elapsed:.0} s)"
    )];
    for (number, cells) in rows.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "a row number")]
        let value = top * (HEIGHT - 1 - number) as f64 / (HEIGHT - 1) as f64;
        let label = if number % 7 == 0 { format!("{value:5.0} ") } else { " ".repeat(6) };
        lines.push(format!("{label}│{}", cells.iter().collect::<String>().trim_end()));
    }
    lines.push(format!("      └{}", "─".repeat(WIDTH)));
    lines.push(format!("       0 s{:>width$}", format!("{width_s:.0} s"), width = WIDTH - 3));
    for Bar { from_s, to_s, is_over, text } in bars {
        let (from, to) = (column(*from_s, width_s), column(*to_s, width_s));
        let end = if *is_over { '◆' } else { '▶' };
        lines.push(format!(
            "{}├{}{end}",
            " ".repeat(7 + from),
            "─".repeat(to.saturating_sub(from))
        ));
        lines.push(text.clone());
    }
    lines.extend(events.iter().cloned());
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small, and clamped"
)]
fn row(value: f64, top: f64) -> usize {
    let from_below = (value / top * (HEIGHT - 1) as f64).round();
    HEIGHT - 1 - from_below.clamp(0.0, (HEIGHT - 1) as f64) as usize
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small, and clamped"
)]
fn column(seconds: f64, width_s: f64) -> usize {
    (seconds / width_s * WIDTH as f64).clamp(0.0, (WIDTH - 1) as f64) as usize
}
