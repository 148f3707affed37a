//! What a sampler has to say besides samples: events for the operator. How they are
//! worded is in `report`.

use std::time::Duration;

use crate::{
    reading::ReadingError,
    sample::metric::{Metric, MetricSet},
    sampler::basis::CpuBasis,
};

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
    /// Fields of the task document that are not what the endpoint documents, and are
    /// left out; again if others are.
    TaskFieldsMalformed {
        /// Each by its path, with what it should be.
        fields: Vec<String>,
    },
    /// Metrics that were asked for and are not available here.
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
    /// The CPU counter fell and came back, or grew by more than all CPUs can do. The
    /// differences of that time are dropped. At most once a minute for a container.
    CounterJumped {
        /// The container's name.
        container: String,
    },
    /// The clock was set. The differences over that moment are dropped; at most once a
    /// minute.
    ClockSet {
        /// How far the host's clock was set, ms; `None` if it was not this host's.
        by_ms: Option<i64>,
    },
    /// The task's sums are not published, since running containers have no new stats;
    /// again each minute.
    SumsWait {
        /// The names of those containers.
        containers: Vec<String>,
        /// Since the first of them had new stats, or began to run without any.
        since: Duration,
    },
    /// The task's sums are published again.
    SumsBack,
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

/// What has been seen of a container so far, for the reasons why a metric of it does
/// not come.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Known {
    /// New readings.
    pub(super) readings: u32,
    pub(super) has_cpu: bool,
    pub(super) has_memory: bool,
    pub(super) has_network: bool,
    pub(super) has_cpu_basis: bool,
    pub(super) has_memory_basis: bool,
    /// In the task document, readable or not.
    pub(super) lists_restart_count: bool,
}

/// Why a container's metric is missing, if no value of it ever came.
fn why_unavailable(metric: Metric, known: Known) -> &'static str {
    match metric {
        Metric::RestartCount if known.lists_restart_count => {
            "the container's RestartCount in the task document is malformed"
        }
        Metric::RestartCount => "the container has no restart policy, or the agent is before 1.86",
        _ if known.readings == 0 => "there are no stats of the container yet",
        _ if known.readings == 1 => "there is no second sample of the container yet",
        Metric::CpuUtilization | Metric::CpuUsage if !known.has_cpu => {
            "the stats have no CPU counter"
        }
        Metric::CpuUtilization if !known.has_cpu_basis => {
            "neither a task limit, nor a reservation, nor a number of CPUs is known"
        }
        Metric::MemoryUtilization | Metric::MemoryUtilized if !known.has_memory => {
            "the stats have no memory usage"
        }
        Metric::MemoryUtilization if !known.has_memory_basis => "no memory limit is known",
        Metric::NetworkRxBytes | Metric::NetworkTxBytes if !known.has_network => {
            "the stats have no networks: the network mode is host or none, or there are no \
             counters yet"
        }
        Metric::StorageReadBytes | Metric::StorageWriteBytes => {
            "the stats have no block I/O: there was none yet, or the kernel does not count it"
        }
        _ => "no two samples could be compared yet",
    }
}

/// The metrics of `wanted` that are not in `seen`, with the reasons.
pub(super) fn unavailable(
    wanted: MetricSet,
    seen: MetricSet,
    known: Known,
) -> Vec<(Metric, &'static str)> {
    let missing = wanted.without(seen);
    missing.iter().map(|metric| (metric, why_unavailable(metric, known))).collect()
}
