//! Samples as lines for people, for trying ESP out: a sample a line, in columns.

use std::fmt::Write as _;

use crate::sample::{
    dimension::ResolvedDimensions,
    metric::{Measured, Sample},
};

/// Of the time `12:00:01.003Z`.
const DAY_MS: u64 = 24 * 3600 * 1000;

/// In the container's column for a value of the task.
const OF_TASK: &str = "(task)";

/// Makes lines; knows how wide their columns are.
#[derive(Debug)]
pub(super) struct Formatter {
    names: Vec<String>,
    metric_width: usize,
    name_width: usize,
    line: String,
}

impl Formatter {
    /// For lines of `metrics`.
    pub(super) fn new(metrics: impl Iterator<Item = Measured>) -> Self {
        let metric_width = metrics.map(|metric| metric.name().len()).max().unwrap_or(0);
        Self { names: Vec::new(), metric_width, name_width: OF_TASK.len(), line: String::new() }
    }

    /// Says what the measured containers are called, by place.
    pub(super) fn set_names(&mut self, names: &[String]) {
        self.names = names.to_vec();
        let widths = names.iter().map(String::len).chain([OF_TASK.len()]);
        self.name_width = widths.max().unwrap_or(0);
    }

    /// The line of a sample, with its line feed.
    pub(super) fn line(&mut self, sample: &Sample, dimensions: &ResolvedDimensions) -> &str {
        let name = sample.container.and_then(|place| self.names.get(usize::from(place)));
        let name = name.map_or(OF_TASK, String::as_str);
        let ms = sample.read.unix_ms() % DAY_MS;
        let (decimals, unit) = decimals_and_unit(sample.metric);
        let (metric_width, name_width) = (self.metric_width, self.name_width);
        self.line.clear();
        // Writing to a `String` cannot fail.
        let _ = write!(
            self.line,
            "{:02}:{:02}:{:02}.{:03}Z  {:metric_width$}  {:>12.decimals$} {unit:3}  \
             {name:name_width$}  ",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000,
            sample.metric.name(),
            sample.value,
        );
        let sets = dimensions.sets(sample.container);
        if sets.is_empty() {
            self.line.push_str("(no set of dimensions)");
        }
        for (position, set) in sets.iter().enumerate() {
            self.line.push_str(if position == 0 { "" } else { "; " });
            self.line.push_str(if set.is_empty() { "(none)" } else { "" });
            for (place, (name, value)) in set.iter().enumerate() {
                let _ = write!(self.line, "{}{name}={value}", if place == 0 { "" } else { " " });
            }
        }
        self.line.push('\n');
        &self.line
    }
}

/// How many decimals of the value are shown, and its unit as people write it.
fn decimals_and_unit(metric: Measured) -> (usize, &'static str) {
    match metric.unit() {
        "Percent" => (2, "%"),
        "Megabytes" => (2, "MiB"),
        "Bytes/Second" => (0, "B/s"),
        "Milliseconds" => (0, "ms"),
        _ => (0, ""),
    }
}
