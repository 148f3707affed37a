//! What a sampler has to say besides samples: events for the operator, and
//! figures. How they are worded is in `report`.

use std::time::{Duration, Instant};

use crate::{
    reading::ReadingError,
    sample::metric::{Metric, MetricSet},
    sampler::utilisation::CpuBasis,
};

/// How often a lasting trouble is said again.
const REMINDER: Duration = Duration::from_mins(1);

/// Something to tell the operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A container to measure has been found in the task, or replaced under its
    /// name.
    ContainerFound {
        /// Its name.
        container: String,
        /// Its id.
        docker_id: String,
        /// Whether it takes the place of another id.
        replaced: bool,
    },
    /// The task has no container of that name; said again each minute.
    ContainerMissing {
        /// The name.
        container: String,
        /// The names that it has, without those of ECS's own containers.
        names: Vec<String>,
    },
    /// It is known how often samples come and what 100 % is.
    Measuring {
        /// The container's name.
        container: String,
        /// What 100 % of its CPU is; `None` where the platform does not say.
        basis: Option<CpuBasis>,
        /// The time between samples.
        cadence: Duration,
    },
    /// Metrics that were asked for and are not to be had here.
    Unavailable {
        /// The container's name; `None` for the task.
        container: Option<String>,
        /// Each with the reason.
        metrics: Vec<(Metric, &'static str)>,
    },
    /// The CPU counter fell: the container was restarted. One difference dropped.
    CounterReset {
        /// The container's name.
        container: String,
    },
    /// The host's clock was set. One difference dropped; at most once a minute.
    ClockSet {
        /// The container's name.
        container: String,
    },
    /// No new sample for this long.
    ContainerSilent {
        /// The container's name.
        container: String,
        /// Since the last one.
        since: Duration,
    },
    /// Samples come again.
    ContainerBack {
        /// The container's name.
        container: String,
    },
    /// A container's entry could not be read; at most once a minute.
    EntryMalformed {
        /// The container's name.
        container: String,
        /// What is wrong with the entry.
        error: ReadingError,
    },
}

/// What has been counted since the start, over the measured containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SamplerFigures {
    /// Samples handed out: values of metrics.
    pub samples: u64,
    /// Polls that brought the sample of the poll before.
    pub duplicates: u64,
    /// Polls in which the container had no data.
    pub no_data: u64,
    /// Differences dropped because a counter or the clock went back.
    pub resets: u64,
    /// Entries that could not be read.
    pub malformed: u64,
}

/// Lets a message through at once and then once a minute.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reminder {
    last: Option<Instant>,
}

impl Reminder {
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= REMINDER);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

/// Why a container's metric is not to be had, where it never came.
pub(super) fn why_unavailable(metric: Metric, has_basis: bool) -> &'static str {
    match metric {
        Metric::CpuUtilization if !has_basis => {
            "neither a task limit, nor a reservation, nor a number of CPUs is known"
        }
        Metric::CpuUtilization | Metric::CpuUsage => "the stats have no CPU counter",
        Metric::MemoryUtilization => "no memory limit is known, or the stats have no memory usage",
        Metric::MemoryUtilized => "the stats have no memory usage",
        Metric::NetworkRxBytes | Metric::NetworkTxBytes => {
            "the stats have no networks: network mode host or none, or none yet"
        }
        Metric::StorageReadBytes | Metric::StorageWriteBytes => {
            "the stats list no block I/O: none yet, or the kernel does not count it"
        }
        Metric::TaskCpuUtilization => "neither the task nor its containers reserve CPU",
        Metric::TaskMemoryUtilization => "neither the task nor its containers limit memory",
        Metric::EphemeralStorageUtilization => "the task document has no EphemeralStorageMetrics",
        Metric::RestartCount => "the container has no restart policy, or the agent is before 1.86",
        // METRICS cannot ask for ESP's own, which do not come from here.
        _ => "it is not a metric of the endpoint's",
    }
}

/// The metrics of `wanted` that are not in `seen`, with the reasons.
pub(super) fn unavailable(
    wanted: MetricSet,
    seen: MetricSet,
    has_basis: bool,
) -> Vec<(Metric, &'static str)> {
    let missing = wanted.without(seen);
    missing.iter().map(|metric| (metric, why_unavailable(metric, has_basis))).collect()
}
