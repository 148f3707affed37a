//! The metrics that ESP publishes: their names and units as CloudWatch gets
//! them. How a value comes about is in `utilisation`; who it belongs to is in
//! `dimension`.

use crate::timestamp::Timestamp;

/// A metric by its meaning. Each has one unit for ever: CloudWatch keeps values
/// of different units apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// CPU in percent of what the container may use (`CpuBasis`).
    CpuUtilization,
}

impl Metric {
    /// `MetricName`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CpuUtilization => "CPUUtilization",
        }
    }

    /// `Unit`.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::CpuUtilization => "Percent",
        }
    }
}

/// One value of one metric: what becomes a datum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// What it measures.
    pub metric: Metric,
    /// When the endpoint's counters were read: the datum's timestamp.
    pub read: Timestamp,
    /// In the metric's unit; finite.
    pub value: f64,
}
