//! Documents of CloudWatch's embedded metric format: one JSON object a line, from
//! which CloudWatch Logs makes metrics. Samples in, lines out; which samples
//! make a document is decided in `window`.
//!
//! The rules are the specification's: targets at the root, at most 100 metrics
//! and 100 values each, 30 dimensions. A log driver cuts lines at 16 KiB.

use std::fmt::Write as _;

use crate::sample::{
    dimension::{Dimensions, ResolvedDimensions},
    limits::EMF_METADATA,
    metric::Sample,
};

/// Bytes of a line, with its line feed: Docker's log drivers cut at 16,384.
pub const LINE_BYTES_MAX: usize = 16_000;

/// What the names and values of several sets of dimensions may take of a line
/// together, so that metrics fit in as well; one set may take more.
const SETS_BYTES_MAX: usize = LINE_BYTES_MAX / 2;

/// Metrics of one document.
const METRICS_MAX: usize = 100;

/// Values of one metric of a document.
const VALUES_MAX: usize = 100;

/// What is in no document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unfit {
    /// Samples without a set of dimensions, or whose last one is too long.
    pub(super) samples: u64,
    /// Some set of dimensions leaves no room in a line.
    pub(super) is_too_long: bool,
}

/// Makes documents for one namespace; keeps its buffers.
#[derive(Debug)]
pub(super) struct Formatter {
    namespace: String,
    /// The document under way: up to its metrics, and from them on.
    head: String,
    /// Of `head`, what does not change with the metrics.
    fixed_bytes: usize,
    dimensions: String,
    targets: String,
    metrics: usize,
    samples: u32,
}

impl Formatter {
    pub(super) fn new(namespace: String) -> Self {
        Self {
            namespace,
            head: String::new(),
            fixed_bytes: 0,
            dimensions: String::new(),
            targets: String::new(),
            metrics: 0,
            samples: 0,
        }
    }

    /// The documents of `samples`, all at `unix_ms`: `emit` gets each line and
    /// how many samples are settled with it. The samples are put in order.
    ///
    /// The answer: what is in no document.
    pub(super) fn documents(
        &mut self,
        unix_ms: u64,
        samples: &mut [Sample],
        dimensions: &ResolvedDimensions,
        mut emit: impl FnMut(&str, u32),
    ) -> Unfit {
        // The metrics of a task's only container share its documents.
        let of_task = dimensions.sets(None);
        for sample in &mut *samples {
            if dimensions.sets(sample.container) == of_task {
                sample.container = None;
            }
        }
        samples.sort_unstable_by_key(|sample| (sample.container, sample.metric, sample.read));
        let mut unfit = Unfit::default();
        for group in samples.chunk_by(|a, b| a.container == b.container) {
            let mut parts = compatible(dimensions.sets(group[0].container)).into_iter().peekable();
            if parts.peek().is_none() {
                unfit.samples += group.len() as u64;
            }
            while let Some(sets) = parts.next() {
                // A sample that needs several documents is settled with the last.
                let is_last = parts.peek().is_none();
                self.begin(unix_ms, &sets);
                let left_out = self.add_all(group, is_last, &mut emit);
                unfit.is_too_long |= left_out > 0;
                unfit.samples += if is_last { left_out } else { 0 };
                self.end(&mut emit);
            }
        }
        unfit
    }

    /// Everything but the metrics.
    fn begin(&mut self, unix_ms: u64, sets: &[&Dimensions]) {
        self.head.clear();
        // Writing to a `String` cannot fail, here and below.
        let _ = write!(
            self.head,
            "{{\"{EMF_METADATA}\":{{\"Timestamp\":{unix_ms},\"CloudWatchMetrics\":[{{\"Namespace\":"
        );
        push_json(&mut self.head, &self.namespace);
        self.head.push_str(",\"Dimensions\":[");
        self.dimensions.clear();
        for (position, set) in sets.iter().enumerate() {
            self.head.push_str(if position == 0 { "[" } else { ",[" });
            for (place, (name, value)) in set.iter().enumerate() {
                self.head.push_str(if place == 0 { "" } else { "," });
                push_json(&mut self.head, name);
                let is_new = sets[..position].iter().all(|other| value_of(other, name).is_none());
                if is_new {
                    self.dimensions.push(',');
                    push_json(&mut self.dimensions, name);
                    self.dimensions.push(':');
                    push_json(&mut self.dimensions, value);
                }
            }
            self.head.push(']');
        }
        self.head.push_str("],\"Metrics\":[");
        self.fixed_bytes = self.head.len();
        self.clear();
    }

    fn clear(&mut self) {
        self.head.truncate(self.fixed_bytes);
        self.targets.clear();
        self.metrics = 0;
        self.samples = 0;
    }

    /// Adds the samples, in as many documents as it takes. The answer: how many
    /// fit into none.
    fn add_all(
        &mut self,
        samples: &[Sample],
        is_settled: bool,
        emit: &mut impl FnMut(&str, u32),
    ) -> u64 {
        let mut left_out = 0;
        for mut values in samples.chunk_by(|a, b| a.metric == b.metric) {
            while !values.is_empty() {
                if self.metrics == METRICS_MAX {
                    self.end(emit);
                }
                let count = self.add(values);
                self.samples += if is_settled { u32::try_from(count).unwrap_or(0) } else { 0 };
                values = &values[count..];
                if count == 0 && self.metrics == 0 {
                    // Not even in a document of its own.
                    left_out += values.len() as u64;
                    break;
                }
                if !values.is_empty() {
                    self.end(emit);
                }
            }
        }
        left_out
    }

    /// Adds one metric with as many of `values`, all of it, as fit. The answer:
    /// how many.
    fn add(&mut self, values: &[Sample]) -> usize {
        let (head_before, targets_before) = (self.head.len(), self.targets.len());
        let metric = values[0].metric;
        self.head.push_str(if self.metrics == 0 { "" } else { "," });
        let _ = write!(
            self.head,
            "{{\"Name\":\"{}\",\"Unit\":\"{}\",\"StorageResolution\":{}}}",
            metric.name(),
            metric.unit(),
            metric.storage_resolution()
        );
        let _ = write!(self.targets, ",\"{}\":[", metric.name());
        let mut count = 0;
        for sample in values.iter().take(VALUES_MAX) {
            let before = self.targets.len();
            self.targets.push_str(if count == 0 { "" } else { "," });
            push_number(&mut self.targets, sample.value);
            if self.line_bytes() + "]".len() > LINE_BYTES_MAX {
                self.targets.truncate(before);
                break;
            }
            count += 1;
        }
        if count == 0 {
            self.head.truncate(head_before);
            self.targets.truncate(targets_before);
            return 0;
        }
        self.targets.push(']');
        self.metrics += 1;
        count
    }

    /// The length of the document as it stands.
    fn line_bytes(&self) -> usize {
        self.head.len() + METRICS_END.len() + self.dimensions.len() + self.targets.len() + END.len()
    }

    /// Hands the document over, unless it is empty, and begins the next.
    fn end(&mut self, emit: &mut impl FnMut(&str, u32)) {
        if self.metrics > 0 {
            let samples = self.samples;
            self.head.push_str(METRICS_END);
            self.head.push_str(&self.dimensions);
            self.head.push_str(&self.targets);
            self.head.push_str(END);
            emit(&self.head, samples);
            self.clear();
        }
    }
}

/// After the metrics: their array, the directive, the directives, `_aws`.
const METRICS_END: &str = "]}]}";
/// After all of it.
const END: &str = "}\n";

/// The sets in groups that can share a document: none gives a name another
/// value than its neighbours do, for each name is one member of the root.
fn compatible(sets: &[Dimensions]) -> Vec<Vec<&Dimensions>> {
    let bytes = |set: &Dimensions| -> usize {
        // A name stands twice.
        set.iter().map(|(name, value)| 2 * json_bytes(name) + json_bytes(value) + 3).sum()
    };
    let mut groups: Vec<Vec<&Dimensions>> = Vec::new();
    for set in sets {
        let fits = |group: &Vec<&Dimensions>| {
            let agrees = |other: &Dimensions| {
                set.iter().all(|(name, value)| value_of(other, name).is_none_or(|it| it == value))
            };
            let sum: usize = group.iter().map(|other| bytes(other)).sum();
            sum + bytes(set) <= SETS_BYTES_MAX && group.iter().all(|other| agrees(other))
        };
        match groups.iter_mut().find(|group| fits(group)) {
            Some(group) => group.push(set),
            None => groups.push(vec![set]),
        }
    }
    groups
}

fn value_of<'set>(set: &'set Dimensions, name: &str) -> Option<&'set String> {
    set.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// A JSON string of printable ASCII, which is all that names, values and
/// namespaces may have.
fn push_json(to: &mut String, text: &str) {
    to.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            to.push('\\');
        }
        to.push(character);
    }
    to.push('"');
}

/// What [`push_json`] adds.
fn json_bytes(text: &str) -> usize {
    text.len() + text.matches(['"', '\\']).count() + 2
}

/// The shortest JSON number that reads back as `value`, which is finite.
fn push_number(to: &mut String, value: f64) {
    let is_plain = value == 0.0 || (1e-5..1e16).contains(&value.abs());
    let _ = if is_plain { write!(to, "{value}") } else { write!(to, "{value:e}") };
}
