//! The values that a row has, and those of them that can be plotted. Names only.

use crate::sample::Metric;

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Percent of what the container, or the task, may use.
    Cpu,
    /// MiB.
    MemoryMib,
    /// Percent of the limit.
    Memory,
    /// Bytes a second.
    Received,
    /// Bytes a second.
    Sent,
}

/// How many columns there are.
pub(super) const COLUMNS: usize = 5;

/// Those that can be plotted, in the order in which a key goes through them.
const PLOTTED: [Column; 4] = [Column::Cpu, Column::Memory, Column::Received, Column::Sent];

/// All that is measured.
pub(super) const METRICS: [Metric; 7] = [
    Metric::CpuUtilization,
    Metric::MemoryUtilized,
    Metric::MemoryUtilization,
    Metric::NetworkRxBytes,
    Metric::NetworkTxBytes,
    Metric::TaskCpuUtilization,
    Metric::TaskMemoryUtilization,
];

/// Values of one source each: a column of `SOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Network.
    Network,
}

/// All of them.
pub(super) const PARTS: [Part; 3] = [Part::Cpu, Part::Memory, Part::Network];

impl Column {
    /// The column of a metric.
    pub(super) const fn of(metric: Metric) -> Option<Self> {
        match metric {
            Metric::CpuUtilization | Metric::TaskCpuUtilization => Some(Self::Cpu),
            Metric::MemoryUtilized => Some(Self::MemoryMib),
            Metric::MemoryUtilization | Metric::TaskMemoryUtilization => Some(Self::Memory),
            Metric::NetworkRxBytes => Some(Self::Received),
            Metric::NetworkTxBytes => Some(Self::Sent),
            _ => None,
        }
    }

    /// The one that is plotted after this one.
    pub(super) fn next(self) -> Self {
        let place = PLOTTED.iter().position(|it| *it == self).unwrap_or(0);
        PLOTTED[(place + 1) % PLOTTED.len()]
    }

    /// Whether it is a percentage.
    pub(super) const fn is_percent(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }

    /// In a heading.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::MemoryMib | Self::Memory => "memory",
            Self::Received => "received",
            Self::Sent => "sent",
        }
    }
}

impl Part {
    /// The column whose age is that of all of them.
    pub(super) const fn column(self) -> Column {
        match self {
            Self::Cpu => Column::Cpu,
            Self::Memory => Column::Memory,
            Self::Network => Column::Received,
        }
    }

    /// The metric that stands for it when its source is asked for.
    pub(super) const fn metric(self, is_task: bool) -> Metric {
        match (self, is_task) {
            (Self::Cpu, false) => Metric::CpuUtilization,
            (Self::Cpu, true) => Metric::TaskCpuUtilization,
            (Self::Memory, false) => Metric::MemoryUtilization,
            (Self::Memory, true) => Metric::TaskMemoryUtilization,
            (Self::Network, _) => Metric::NetworkRxBytes,
        }
    }

    /// In a list of those from the kernel.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "mem",
            Self::Network => "net",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_a_column_and_the_key_goes_through_all_plots() {
        assert!(METRICS.into_iter().all(|metric| Column::of(metric).is_some()));
        assert_eq!(Column::of(Metric::RestartCount), None);
        let mut column = Column::Cpu;
        for plotted in [Column::Memory, Column::Received, Column::Sent, Column::Cpu] {
            column = column.next();
            assert_eq!(column, plotted);
        }
    }

    #[test]
    fn a_part_is_asked_for_by_a_metric_of_its_column() {
        for part in PARTS {
            for is_task in [false, true] {
                let metric = part.metric(is_task);
                assert_eq!(Column::of(metric), Some(part.column()));
                assert!(METRICS.contains(&metric));
            }
        }
    }
}
