//! The metrics that ESP publishes: their names and units as CloudWatch gets
//! them. How a value comes about is in `utilisation` and `sampler`; whose it is,
//! in `dimension`.

use crate::time::timestamp::Timestamp;

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
    /// Samples that were taken in for publishing.
    OwnSamplesTaken,
    /// Samples that CloudWatch accepted.
    OwnSamplesPublished,
    /// Polls that brought the sample of the poll before.
    OwnSkippedDuplicate,
    /// Polls in which a container had no data.
    OwnSkippedNoData,
    /// Differences dropped because a counter or the clock went back.
    OwnSkippedReset,
    /// Entries that could not be read.
    OwnSkippedMalformed,
    /// Polls in which the endpoint failed.
    OwnPollsFailed,
    /// Moments to poll that passed without one.
    OwnTicksMissed,
    /// Samples dropped for want of room.
    OwnDroppedFull,
    /// Samples dropped because they break a rule of CloudWatch's.
    OwnDroppedInvalid,
    /// Samples dropped because their time is too far from now.
    OwnDroppedTime,
    /// Samples that CloudWatch refused by themselves.
    OwnDroppedRefused,
    /// Samples without a set of dimensions.
    OwnDroppedUnaddressed,
    /// Samples that were sent, never confirmed, and are not sent again.
    OwnAmbiguous,
    /// Samples that were sent again after a request without an answer.
    OwnSentAgain,
    /// Requests that were accepted.
    OwnRequestsAccepted,
    /// Requests that CloudWatch throttled.
    OwnRequestsThrottled,
    /// Requests that ended in another error that may pass.
    OwnRequestsServerError,
    /// Requests for which there was no connection.
    OwnRequestsUnreachable,
    /// Requests after which the connection ended without an answer.
    OwnRequestsConnectionLost,
    /// Requests that got no answer in time.
    OwnRequestsNoAnswer,
    /// Requests for which the permission is missing.
    OwnRequestsDenied,
    /// Requests for want of valid credentials.
    OwnRequestsCredentials,
    /// Requests with a datum that breaks a rule.
    OwnRequestsInvalid,
    /// Requests refused for the host's clock.
    OwnRequestsClockSkew,
    /// Lines that stdout took.
    OwnStdoutLines,
    /// Samples in them.
    OwnStdoutSamples,
    /// Samples that did not get to stdout.
    OwnStdoutDropped,
    /// Samples that wait, now.
    OwnBacklog,
    /// Of the newest sample that CloudWatch has, now.
    OwnNewestPublishedAge,
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

/// ESP's figures about itself (`SELF_METRICS`): a count since the last minute's,
/// except where it says "now". The order of their values in `figures`.
pub const OWN: [Metric; 30] = [
    Metric::OwnSamplesTaken,
    Metric::OwnSamplesPublished,
    Metric::OwnSkippedDuplicate,
    Metric::OwnSkippedNoData,
    Metric::OwnSkippedReset,
    Metric::OwnSkippedMalformed,
    Metric::OwnPollsFailed,
    Metric::OwnTicksMissed,
    Metric::OwnDroppedFull,
    Metric::OwnDroppedInvalid,
    Metric::OwnDroppedTime,
    Metric::OwnDroppedRefused,
    Metric::OwnDroppedUnaddressed,
    Metric::OwnAmbiguous,
    Metric::OwnSentAgain,
    Metric::OwnRequestsAccepted,
    Metric::OwnRequestsThrottled,
    Metric::OwnRequestsServerError,
    Metric::OwnRequestsUnreachable,
    Metric::OwnRequestsConnectionLost,
    Metric::OwnRequestsNoAnswer,
    Metric::OwnRequestsDenied,
    Metric::OwnRequestsCredentials,
    Metric::OwnRequestsInvalid,
    Metric::OwnRequestsClockSkew,
    Metric::OwnStdoutLines,
    Metric::OwnStdoutSamples,
    Metric::OwnStdoutDropped,
    Metric::OwnBacklog,
    Metric::OwnNewestPublishedAge,
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
            Self::OwnSamplesTaken => "ESP/SamplesTaken",
            Self::OwnSamplesPublished => "ESP/SamplesPublished",
            Self::OwnSkippedDuplicate => "ESP/SkippedDuplicate",
            Self::OwnSkippedNoData => "ESP/SkippedNoData",
            Self::OwnSkippedReset => "ESP/SkippedReset",
            Self::OwnSkippedMalformed => "ESP/SkippedMalformed",
            Self::OwnPollsFailed => "ESP/PollsFailed",
            Self::OwnTicksMissed => "ESP/TicksMissed",
            Self::OwnDroppedFull => "ESP/DroppedFull",
            Self::OwnDroppedInvalid => "ESP/DroppedInvalid",
            Self::OwnDroppedTime => "ESP/DroppedTime",
            Self::OwnDroppedRefused => "ESP/DroppedRefused",
            Self::OwnDroppedUnaddressed => "ESP/DroppedUnaddressed",
            Self::OwnAmbiguous => "ESP/Ambiguous",
            Self::OwnSentAgain => "ESP/SentAgain",
            Self::OwnRequestsAccepted => "ESP/RequestsAccepted",
            Self::OwnRequestsThrottled => "ESP/RequestsThrottled",
            Self::OwnRequestsServerError => "ESP/RequestsServerError",
            Self::OwnRequestsUnreachable => "ESP/RequestsUnreachable",
            Self::OwnRequestsConnectionLost => "ESP/RequestsConnectionLost",
            Self::OwnRequestsNoAnswer => "ESP/RequestsNoAnswer",
            Self::OwnRequestsDenied => "ESP/RequestsDenied",
            Self::OwnRequestsCredentials => "ESP/RequestsCredentials",
            Self::OwnRequestsInvalid => "ESP/RequestsInvalid",
            Self::OwnRequestsClockSkew => "ESP/RequestsClockSkew",
            Self::OwnStdoutLines => "ESP/StdoutLines",
            Self::OwnStdoutSamples => "ESP/StdoutSamples",
            Self::OwnStdoutDropped => "ESP/StdoutDropped",
            Self::OwnBacklog => "ESP/Backlog",
            Self::OwnNewestPublishedAge => "ESP/NewestPublishedAge",
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
            Self::OwnNewestPublishedAge => "Milliseconds",
            // The restarts, and what ESP counts of itself.
            _ => "Count",
        }
    }

    /// `StorageResolution`, seconds: 1 is a high-resolution metric, which an
    /// alarm of 10 s can watch; what comes once a minute has no need of it.
    #[must_use]
    pub const fn storage_resolution(self) -> u8 {
        if self.is_own() { 60 } else { 1 }
    }

    /// Whether it is one of ESP's figures about itself.
    #[must_use]
    pub const fn is_own(self) -> bool {
        self as u8 >= Self::OwnSamplesTaken as u8
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
pub struct MetricSet(u64);

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

/// One value of one metric: what becomes a datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When the endpoint's counters were read: the datum's timestamp.
    pub read: Timestamp,
    /// In the metric's unit; finite.
    pub value: f64,
    /// What it measures.
    pub metric: Metric,
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
    fn own_ones_are_told_by_their_name_and_not_asked_for() {
        for metric in ALL.into_iter().chain(OWN) {
            assert_eq!(metric.name().starts_with("ESP/"), metric.is_own(), "{metric:?}");
        }
        assert_eq!(Metric::by_name("ESP/Backlog"), None);
        let mut set = MetricSet::default();
        for metric in OWN {
            set.insert(metric);
        }
        assert!(OWN.into_iter().all(|metric| set.has(metric)));
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
