//! A line for each container and second, for a pipe: words between spaces, always as many
//! of them, in columns that only a long name moves. Pure.

use std::fmt::Write as _;

use super::{
    columns::{Column, Part},
    frame::clock,
    model::{Model, Row},
};
use crate::time::Timestamp;

/// The first line, which names the columns.
pub(super) fn heading() -> String {
    line([
        "time",
        "container",
        "cpu_percent",
        "cpu_source",
        "cpu_age_s",
        "memory_mib",
        "memory_percent",
        "memory_source",
        "memory_age_s",
        "received_bytes_s",
        "sent_bytes_s",
        "network_source",
        "network_age_s",
    ])
}

/// The lines of a second.
pub(super) fn lines(model: &Model, now: Timestamp) -> String {
    let clock = clock(now);
    model.rows().map(|row| of_row(row, &clock, now)).collect()
}

fn of_row(row: &Row, clock: &str, now: Timestamp) -> String {
    let number = |column, decimals: usize| {
        row.value(column, now).map_or_else(unknown, |value| format!("{value:.decimals$}"))
    };
    let source = |part| row.source(part, now).unwrap_or("-");
    let age = |part| row.age_s(part, now).map_or_else(unknown, |age| format!("{age:.1}"));
    line([
        clock,
        &row.name,
        &number(Column::Cpu, 2),
        source(Part::Cpu),
        &age(Part::Cpu),
        &number(Column::MemoryMib, 2),
        &number(Column::Memory, 2),
        source(Part::Memory),
        &age(Part::Memory),
        &number(Column::Received, 0),
        &number(Column::Sent, 0),
        source(Part::Network),
        &age(Part::Network),
    ])
}

fn unknown() -> String {
    "-".to_owned()
}

/// The width of each column; numbers and ages are at the right of theirs.
const WIDTHS: [usize; 13] = [9, 20, 11, 10, 9, 10, 14, 13, 12, 16, 12, 14, 13];
const WORDS: [usize; 5] = [0, 1, 3, 7, 11];

fn line(words: [&str; 13]) -> String {
    let mut line = String::new();
    for (place, (word, width)) in words.into_iter().zip(WIDTHS).enumerate() {
        let is_word = WORDS.contains(&place);
        let between = if place == 0 { "" } else { " " };
        // Writing to a `String` cannot fail.
        let _ = if is_word {
            write!(line, "{between}{word:width$}")
        } else {
            write!(line, "{between}{word:>width$}")
        };
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Metric, Sample};

    #[test]
    fn each_line_has_the_words_of_the_heading_in_its_columns() {
        let now = Timestamp::from_unix_ns(1_795_514_405_000_000_000);
        let read = Timestamp::from_unix_ns(now.unix_ns() - 1_500_000_000);
        let mut model = Model::default();
        model.set_names(&["web".to_owned(), "a name of two\nlines".to_owned()]);
        for (metric, value) in [
            (Metric::CpuUtilization, 12.345),
            (Metric::MemoryUtilized, 256.0),
            (Metric::NetworkRxBytes, 1234.5),
        ] {
            model.take(&Sample { read, value, metric: metric.into(), container: Some(0) });
        }
        model.set_source(Some(0), Part::Cpu, "kernel", None);
        model.set_source(Some(0), Part::Network, "endpoint", None);
        let text = heading() + &lines(&model, now);
        assert!(text.lines().all(|line| line.split_whitespace().count() == WIDTHS.len()), "{text}");
        let lengths: Vec<_> = text.lines().map(str::len).collect();
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{text}");
        let web = text.lines().find(|line| line.contains("web")).unwrap();
        assert_eq!(
            web.split_whitespace().collect::<Vec<_>>(),
            [
                "10:00:05Z",
                "web",
                "12.35",
                "kernel",
                "1.5",
                "256.00",
                "-",
                "-",
                "-",
                "1234",
                "-",
                "endpoint",
                "1.5"
            ]
        );
        let names: Vec<_> =
            text.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        assert_eq!(names, ["container", "(task)", "a_name_of_two_lines", "web"]);
    }
}
