//! The metrics that `METRICS` can ask for: their names and units as CloudWatch
//! gets them; and a [`Sample`], which is a value of one of them, or of one of ESP's
//! [own figures](super::own_figures). How a value comes about is in `sampler`;
//! whose it is, in `dimension`.

use crate::{
    sample::own_figures::{self, OwnMetric},
    time::timestamp::Timestamp,
};

/// A metric by its meaning. Each has one unit for ever: CloudWatch keeps values
/// of different units apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Metric {
    /// CPU in percent of what the container may use (`CpuBasis`).
    CpuUtilization,
    /// CPU in percent of one CPU, as `docker stats` has it.
    CpuUsage,
    /// Working set in percent of the limit that binds first.
    MemoryUtilization,
    /// Working set.
    MemoryUtilized,
    /// Received a second.
    NetworkRxBytes,
    /// Sent a second.
    NetworkTxBytes,
    /// Read from devices a second.
    StorageReadBytes,
    /// Written to devices a second.
    StorageWriteBytes,
    /// CPU of all containers in percent of the task's.
    TaskCpuUtilization,
    /// Memory of all containers, as ECS counts it, in percent of the task's.
    TaskMemoryUtilization,
    /// Ephemeral storage in percent of what is reserved; Fargate.
    EphemeralStorageUtilization,
    /// Restarts under a restart policy; EC2 agent 1.86 and later.
    RestartCount,
}

/// Every metric, in the order of the documentation.
pub const ALL: [Metric; 12] = [
    Metric::CpuUtilization,
    Metric::CpuUsage,
    Metric::MemoryUtilization,
    Metric::MemoryUtilized,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::StorageReadBytes,
    Metric::StorageWriteBytes,
    Metric::TaskCpuUtilization,
    Metric::TaskMemoryUtilization,
    Metric::EphemeralStorageUtilization,
    Metric::RestartCount,
];

impl Metric {
    /// `MetricName`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuUtilization => "CPUUtilization",
            Self::CpuUsage => "CPUUsage",
            Self::MemoryUtilization => "MemoryUtilization",
            Self::MemoryUtilized => "MemoryUtilized",
            Self::NetworkRxBytes => "NetworkRxBytes",
            Self::NetworkTxBytes => "NetworkTxBytes",
            Self::StorageReadBytes => "StorageReadBytes",
            Self::StorageWriteBytes => "StorageWriteBytes",
            Self::TaskCpuUtilization => "TaskCPUUtilization",
            Self::TaskMemoryUtilization => "TaskMemoryUtilization",
            Self::EphemeralStorageUtilization => "EphemeralStorageUtilization",
            Self::RestartCount => "RestartCount",
        }
    }

    /// `Unit`.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::CpuUtilization
            | Self::CpuUsage
            | Self::MemoryUtilization
            | Self::TaskCpuUtilization
            | Self::TaskMemoryUtilization
            | Self::EphemeralStorageUtilization => "Percent",
            Self::MemoryUtilized => "Megabytes",
            Self::NetworkRxBytes
            | Self::NetworkTxBytes
            | Self::StorageReadBytes
            | Self::StorageWriteBytes => "Bytes/Second",
            Self::RestartCount => "Count",
        }
    }

    /// The metric of this name that `METRICS` may ask for.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|metric| metric.name() == name)
    }

    /// Whether it is computed from `memory_stats`.
    #[must_use]
    pub const fn is_of_memory(self) -> bool {
        matches!(self, Self::MemoryUtilization | Self::MemoryUtilized | Self::TaskMemoryUtilization)
    }

    /// Whether it is computed from `blkio_stats`.
    #[must_use]
    pub const fn is_of_block_io(self) -> bool {
        matches!(self, Self::StorageReadBytes | Self::StorageWriteBytes)
    }

    /// Whether it is a rate of the network: on awsvpc of the task, else of a
    /// container.
    #[must_use]
    pub const fn is_of_network(self) -> bool {
        matches!(self, Self::NetworkRxBytes | Self::NetworkTxBytes)
    }

    /// Whether it can be a value of the task, rather than of a container. The
    /// network is one or the other, by the network mode.
    #[must_use]
    pub const fn is_of_task(self) -> bool {
        matches!(
            self,
            Self::TaskCpuUtilization
                | Self::TaskMemoryUtilization
                | Self::EphemeralStorageUtilization
                | Self::NetworkRxBytes
                | Self::NetworkTxBytes
        )
    }

    /// Whether its source is the task document rather than the stats.
    #[must_use]
    pub const fn is_from_task_document(self) -> bool {
        matches!(self, Self::EphemeralStorageUtilization | Self::RestartCount)
    }
}

/// Some of the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MetricSet(u16);

impl MetricSet {
    /// All of them.
    #[must_use]
    pub fn all() -> Self {
        ALL.into_iter().collect()
    }

    /// Whether `metric` is among them.
    #[must_use]
    pub const fn has(self, metric: Metric) -> bool {
        self.0 & (1 << metric as u8) != 0
    }

    /// Adds `metric`.
    pub const fn insert(&mut self, metric: Metric) {
        self.0 |= 1 << metric as u8;
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The metrics, in the order of the documentation.
    pub fn iter(self) -> impl Iterator<Item = Metric> {
        ALL.into_iter().filter(move |metric| self.has(*metric))
    }
}

impl FromIterator<Metric> for MetricSet {
    fn from_iter<I: IntoIterator<Item = Metric>>(metrics: I) -> Self {
        let mut set = Self::default();
        for metric in metrics {
            set.insert(metric);
        }
        set
    }
}

/// What a sample measures: a container or the task, or ESP itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measured {
    /// A metric that `METRICS` can ask for.
    Metric(Metric),
    /// One of ESP's own figures.
    Own(OwnMetric),
}

impl Measured {
    /// `MetricName`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.name(),
            Self::Own(own) => own.name(),
        }
    }

    /// `Unit`.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.unit(),
            Self::Own(own) => own.unit(),
        }
    }

    /// `StorageResolution`, seconds: 1 is a high-resolution metric, which an
    /// alarm of 10 s can watch. Own figures come once a minute and do not need it.
    #[must_use]
    pub const fn storage_resolution(self) -> u8 {
        if self.is_own() { 60 } else { 1 }
    }

    /// Whether it is one of ESP's own figures.
    #[must_use]
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Own(_))
    }

    /// The metric, unless it is one of ESP's own figures.
    #[must_use]
    pub const fn metric(self) -> Option<Metric> {
        match self {
            Self::Metric(metric) => Some(metric),
            Self::Own(_) => None,
        }
    }

    /// A number of its own, below 64.
    #[must_use]
    pub(super) const fn index(self) -> u8 {
        match self {
            Self::Metric(metric) => metric as u8,
            Self::Own(own) => OWN_FROM + own.row(),
        }
    }
}

/// The first index of ESP's own figures.
const OWN_FROM: u8 = 16;
const _: () =
    assert!(ALL.len() <= OWN_FROM as usize && OWN_FROM as usize + own_figures::COUNT <= 64);

impl From<Metric> for Measured {
    fn from(metric: Metric) -> Self {
        Self::Metric(metric)
    }
}

impl PartialEq<Metric> for Measured {
    fn eq(&self, metric: &Metric) -> bool {
        self.metric() == Some(*metric)
    }
}

/// Every name that a sample can have: of metrics, and of ESP's own figures.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(Metric::name).chain(OwnMetric::all().map(OwnMetric::name))
}

/// One value of one metric: what becomes a datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When the endpoint's counters were read: the datum's timestamp.
    pub read: Timestamp,
    /// In the metric's unit; finite.
    pub value: f64,
    /// What it measures.
    pub metric: Measured,
    /// The container, by its place among the measured ones; `None` for a value
    /// of the task.
    pub container: Option<u16>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for metric in ALL {
            assert_eq!(Metric::by_name(metric.name()), Some(metric));
        }
        assert_eq!(Metric::by_name("cpuutilization"), None);
    }

    #[test]
    fn own_figures_cannot_be_asked_for_and_have_an_index_of_their_own() {
        let own = OwnMetric::all().map(Measured::Own);
        let all: Vec<_> = ALL.into_iter().map(Measured::Metric).chain(own).collect();
        for (place, measured) in all.iter().enumerate() {
            assert_eq!(measured.is_own(), measured.name().starts_with("ESP/"), "{measured:?}");
            assert_eq!(Metric::by_name(measured.name()), measured.metric());
            assert!(all[..place].iter().all(|other| other.index() < measured.index()));
        }
    }

    #[test]
    fn sets_keep_what_is_put_in() {
        let some: MetricSet = [Metric::RestartCount, Metric::CpuUsage].into_iter().collect();
        assert_eq!(some.iter().collect::<Vec<_>>(), [Metric::CpuUsage, Metric::RestartCount]);
        assert!(!some.has(Metric::CpuUtilization));
        assert_eq!(MetricSet::all().iter().count(), ALL.len());
        assert_eq!(some.without(MetricSet::all()), MetricSet::default());
        assert_eq!(some.and(MetricSet::all()), some);
    }

    #[test]
    fn a_sample_is_small() {
        assert_eq!(size_of::<Sample>(), 24);
    }
}
