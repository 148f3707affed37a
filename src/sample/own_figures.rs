//! ESP's figures about itself: one table. A row is the figure's name in the log,
//! its name as a metric, the output that it is about, what kind of number it is,
//! and what it counts. The log's summary, `SELF_METRICS`, its price in the help and
//! the table in docs/metrics.md are all made from this table or checked against it.
//!
//! To add a counter: add a row, and count at the place where it happens.

use crate::time::Timestamp;

/// Which run has a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every run.
    Always,
    /// A run whose `OUTPUT` has `cloudwatch`.
    Cloudwatch,
    /// A run that writes lines to stdout.
    Stdout,
}

/// What kind of number a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureKind {
    /// A count since the start. As a metric: what was added since the last minute.
    Count,
    /// Such a count, of samples that were dropped for one of the reasons.
    Dropped,
    /// The present value.
    Now,
}

/// A row of the table.
#[derive(Debug)]
pub struct OwnFigure {
    /// The field in the log.
    pub log_name: &'static str,
    /// `MetricName`; `None` for a figure that is in the log only.
    pub metric_name: Option<&'static str>,
    /// `Unit`, as CloudWatch writes it.
    pub unit: &'static str,
    /// Which run has it.
    pub scope: Scope,
    /// What kind of number it is.
    pub kind: FigureKind,
    /// What it says, for docs/metrics.md.
    pub what: &'static str,
    value: fn(&OwnFigures, Timestamp) -> Option<u64>,
}

impl OwnFigure {
    /// The value at `wall`; `None` if there is none yet.
    #[must_use]
    pub fn value(&self, figures: &OwnFigures, wall: Timestamp) -> Option<u64> {
        (self.value)(figures, wall)
    }

    /// Whether a run with these outputs has it.
    #[must_use]
    pub const fn applies(&self, has_cloudwatch: bool, has_lines: bool) -> bool {
        match self.scope {
            Scope::Always => true,
            Scope::Cloudwatch => has_cloudwatch,
            Scope::Stdout => has_lines,
        }
    }
}

/// Makes [`OwnFigures`] and [`TABLE`] of the rows.
macro_rules! own_figures {
    ($($name:ident: $metric_name:expr, $scope:ident, $kind:ident, $what:literal;)*) => {
        /// The figures' values: counts since the start, and present values. Each
        /// part of ESP has one of its own, and their [sum](OwnFigures::plus) is
        /// the whole.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct OwnFigures {
            $(#[doc = concat!("In words: ", $what, ".")] pub $name: u64,)*
            /// The time of the newest sample that CloudWatch has accepted.
            pub newest_published: Option<Timestamp>,
        }

        impl OwnFigures {
            /// These and those of another part.
            #[must_use]
            pub fn plus(self, other: Self) -> Self {
                Self {
                    $($name: self.$name + other.$name,)*
                    newest_published: self.newest_published.max(other.newest_published),
                }
            }
        }

        /// All figures, in the order of the log and of docs/metrics.md.
        pub const TABLE: &[OwnFigure] = &[
            $(OwnFigure {
                log_name: stringify!($name),
                metric_name: $metric_name,
                unit: "Count",
                scope: Scope::$scope,
                kind: FigureKind::$kind,
                what: $what,
                value: |figures, _| Some(figures.$name),
            },)*
            NEWEST_PUBLISHED_AGE,
        ];

        /// How many there are.
        pub const COUNT: usize = TABLE.len();
    };
}

own_figures! {
    polls: None, Always, Count, "polls of the endpoint, counted when they start";
    failed_polls: Some("ESP/PollsFailed"), Always, Count,
        "polls without an answer, or with an answer that ESP could not read";
    missed_ticks: Some("ESP/TicksMissed"), Always, Count, "polls that were due and did not take \
                                                           place";
    samples: None, Always, Count, "samples that ESP made from the answers";
    samples_warming_up: None, Always, Count,
        "samples not published because their container was warming up (`WARMUP`)";
    kernel_containers: Some("ESP/KernelContainers"), Always, Now,
        "containers whose CPU ESP reads from the kernel";
    kernel_unproven: None, Always, Now,
        "containers that ESP sees in the kernel, but whose CPU it reads from the endpoint, because \
         the endpoint's values have not confirmed the kernel's";
    kernel_refuted: Some("ESP/KernelRefuted"), Always, Count,
        "times that the endpoint's counter contradicted the kernel's";
    duplicates: Some("ESP/SkippedDuplicate"), Always, Count,
        "polls that repeated a container's last sample";
    no_data: Some("ESP/SkippedNoData"), Always, Count, "polls in which a container had no data";
    resets: Some("ESP/SkippedReset"), Always, Count,
        "values left out because a counter or the clock went back";
    malformed: Some("ESP/SkippedMalformed"), Always, Count,
        "entries of containers that ESP could not read";
    taken: Some("ESP/SamplesTaken"), Cloudwatch, Count,
        "samples for CloudWatch: each is published, ambiguous, dropped or in the backlog";
    published: Some("ESP/SamplesPublished"), Cloudwatch, Count, "samples that CloudWatch accepted";
    ambiguous: Some("ESP/Ambiguous"), Cloudwatch, Count,
        "samples given up: ESP sent them, got no answer, and does not send them again";
    dropped_full: Some("ESP/DroppedFull"), Cloudwatch, Dropped,
        "samples dropped because the buffer was full, the oldest first";
    dropped_invalid: Some("ESP/DroppedInvalid"), Cloudwatch, Dropped,
        "samples dropped before sending because CloudWatch does not accept such a value";
    dropped_time: Some("ESP/DroppedTime"), Cloudwatch, Dropped,
        "samples dropped because their time is too old or in the future";
    dropped_refused: Some("ESP/DroppedRefused"), Cloudwatch, Dropped,
        "samples that CloudWatch refused even when ESP sent them alone";
    dropped_unaddressed: Some("ESP/DroppedUnaddressed"), Cloudwatch, Dropped,
        "samples for which no set in `DIMENSIONS` had all its values";
    backlog: Some("ESP/Backlog"), Cloudwatch, Now, "samples that wait or are being sent";
    unconfirmed: None, Cloudwatch, Now,
        "samples of the backlog that ESP sent without an answer so far, so that CloudWatch may \
         have them";
    sent_again: Some("ESP/SentAgain"), Cloudwatch, Count,
        "samples sent again after a request without an answer; each time, CloudWatch may have \
         accepted them once more";
    requests_accepted: Some("ESP/RequestsAccepted"), Cloudwatch, Count, "requests that were accepted";
    requests_throttled: Some("ESP/RequestsThrottled"), Cloudwatch, Count,
        "requests that CloudWatch throttled";
    requests_server_error: Some("ESP/RequestsServerError"), Cloudwatch, Count,
        "requests that CloudWatch answered with another temporary error";
    requests_unreachable: Some("ESP/RequestsUnreachable"), Cloudwatch, Count,
        "requests for which there was no connection";
    requests_connection_lost: Some("ESP/RequestsConnectionLost"), Cloudwatch, Count,
        "requests after which the connection ended without an answer";
    requests_no_answer: Some("ESP/RequestsNoAnswer"), Cloudwatch, Count,
        "requests without a complete answer in time";
    requests_denied: Some("ESP/RequestsDenied"), Cloudwatch, Count,
        "requests that CloudWatch refused because a permission is missing";
    requests_credentials: Some("ESP/RequestsCredentials"), Cloudwatch, Count,
        "requests that failed because there were no valid credentials";
    requests_invalid: Some("ESP/RequestsInvalid"), Cloudwatch, Count,
        "requests refused because a datum breaks a rule";
    requests_clock_skew: Some("ESP/RequestsClockSkew"), Cloudwatch, Count,
        "requests refused because the host's clock is wrong";
    stdout_taken: None, Stdout, Count,
        "samples for stdout: each is written, dropped or pending";
    stdout_written: Some("ESP/StdoutSamples"), Stdout, Count, "samples in lines written to stdout";
    stdout_lines: Some("ESP/StdoutLines"), Stdout, Count, "lines written to stdout";
    stdout_pending: None, Stdout, Now, "samples that are not written yet";
    stdout_dropped: Some("ESP/StdoutDropped"), Stdout, Count,
        "samples dropped for one of the two reasons below";
    stdout_dropped_full: None, Stdout, Dropped,
        "samples dropped because stdout was blocked or closed";
    stdout_dropped_invalid: None, Stdout, Dropped,
        "samples dropped because CloudWatch does not accept them or no line has room for them";
}

/// The one figure that is no count, and that may be unknown.
const NEWEST_PUBLISHED_AGE: OwnFigure = OwnFigure {
    log_name: "newest_published_age_ms",
    metric_name: Some("ESP/NewestPublishedAge"),
    unit: "Milliseconds",
    scope: Scope::Cloudwatch,
    kind: FigureKind::Now,
    what: "the age of the newest sample that CloudWatch accepted; missing until there is one",
    value: |figures, wall| Some(wall.ns_since(figures.newest_published?)? / 1_000_000),
};

impl OwnFigures {
    /// Samples that were dropped on the way to this output, for any reason.
    #[must_use]
    pub fn dropped(&self, scope: Scope) -> u64 {
        let is_counted =
            |figure: &&OwnFigure| figure.kind == FigureKind::Dropped && figure.scope == scope;
        let dropped = TABLE.iter().filter(is_counted);
        // A count does not depend on the time.
        let at = Timestamp::from_unix_ns(0);
        dropped.filter_map(|figure| figure.value(self, at)).sum()
    }
}

/// A figure that is published as a metric. Small, because each sample has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnMetric {
    row: u8,
}

impl OwnMetric {
    /// All of them, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).filter_map(Self::of_row)
    }

    /// Those that a run with these outputs publishes.
    pub fn of_run(has_cloudwatch: bool, has_lines: bool) -> impl Iterator<Item = Self> {
        Self::all().filter(move |metric| metric.figure().applies(has_cloudwatch, has_lines))
    }

    fn of_row(row: usize) -> Option<Self> {
        TABLE[row].metric_name?;
        Some(Self { row: u8::try_from(row).ok()? })
    }

    /// Its row in the table.
    #[must_use]
    pub fn figure(self) -> &'static OwnFigure {
        &TABLE[usize::from(self.row)]
    }

    /// `MetricName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.figure().metric_name.unwrap_or_default()
    }

    /// `Unit`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.figure().unit
    }

    /// A number of its own, below [`COUNT`].
    #[must_use]
    pub(super) const fn row(self) -> u8 {
        self.row
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_told_from_other_metrics() {
        let log_names: HashSet<_> = TABLE.iter().map(|figure| figure.log_name).collect();
        assert_eq!(log_names.len(), COUNT);
        let names: HashSet<_> = OwnMetric::all().map(OwnMetric::name).collect();
        assert_eq!(names.len(), OwnMetric::all().count());
        assert!(names.iter().all(|name| name.starts_with("ESP/")));
    }

    #[test]
    fn a_sum_has_the_counts_of_both_and_the_newest_time() {
        let one = OwnFigures { polls: 1, newest_published: None, ..OwnFigures::default() };
        let newest_published = Some(Timestamp::from_unix_ns(5));
        let other = OwnFigures { polls: 2, taken: 3, newest_published, ..OwnFigures::default() };
        let sum = OwnFigures { polls: 3, taken: 3, newest_published, ..OwnFigures::default() };
        assert_eq!(one.plus(other), sum);
    }

    #[test]
    fn dropped_is_the_sum_over_the_reasons_of_an_output() {
        let figures = OwnFigures {
            dropped_full: 1,
            dropped_unaddressed: 20,
            stdout_dropped: 300,
            stdout_dropped_invalid: 300,
            ambiguous: 4000,
            ..OwnFigures::default()
        };
        assert_eq!(figures.dropped(Scope::Cloudwatch), 21);
        assert_eq!(figures.dropped(Scope::Stdout), 300);
    }

    #[test]
    fn the_age_is_unknown_until_there_is_a_sample() {
        let wall = Timestamp::from_unix_ns(100_000_000_000);
        let mut figures = OwnFigures::default();
        assert_eq!(NEWEST_PUBLISHED_AGE.value(&figures, wall), None);
        figures.newest_published = Some(Timestamp::from_unix_ns(98_000_000_000));
        assert_eq!(NEWEST_PUBLISHED_AGE.value(&figures, wall), Some(2000));
    }
}
