//! Counters to utilisation: subtract, divide, and say what the result is a
//! percentage of. Pure arithmetic: no clock, no I/O, no environment.

use std::fmt;

use crate::{
    endpoint::task::CPU_UNITS_PER_VCPU, reading::MemoryReading, time::timestamp::Timestamp,
};

/// A counter that only grows, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// When it was read, by the clock of the host.
    pub read: Timestamp,
    /// What it had counted since the container started: ns, bytes.
    pub total: u64,
}

/// What came of comparing a counter with itself earlier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Difference {
    /// How much it grew for each nanosecond between one `read` and the other.
    /// For CPU time in ns that is the number of CPUs in use, on average.
    PerNs(f64),
    /// The endpoint replayed the sample: the same `read`.
    Duplicate,
    /// The counter fell: the container was restarted under its id. The later
    /// value is a new base.
    CounterReset,
    /// `read` went back: the host's clock was set. The later value is a new
    /// base.
    ClockSetBack,
}

/// Compares two values of one counter.
///
/// The denominator is the difference of `read`, not of any clock of ours: the
/// endpoint replays its last sample, and `system_cpu_usage` has ticks of 10 ms.
///
/// ```
/// use esp::{time::timestamp::Timestamp, sampler::utilisation::{Counter, Difference, difference}};
///
/// let at = |ms: u64, total: u64| Counter { read: Timestamp::from_unix_ns(ms * 1_000_000), total };
/// // 501.5 ms of CPU time in 1.003 s are half a CPU.
/// assert_eq!(difference(at(0, 0), at(1003, 501_500_000)), Difference::PerNs(0.5));
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference: 1e-16 of it")]
pub fn difference(previous: Counter, current: Counter) -> Difference {
    let Some(elapsed_ns) = current.read.ns_since(previous.read) else {
        return Difference::ClockSetBack;
    };
    if elapsed_ns == 0 {
        return Difference::Duplicate;
    }
    match current.total.checked_sub(previous.total) {
        Some(growth) => Difference::PerNs(growth as f64 / elapsed_ns as f64),
        None => Difference::CounterReset,
    }
}

/// What 100 % of `CPUUtilization` is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CpuBasis {
    /// The task's `Limits.CPU`, in vCPU: what Fargate always has.
    TaskLimit {
        /// The limit, e.g. 0.25.
        vcpu: f64,
    },
    /// The container's reservation in CPU units. A weight, not a cap: the
    /// percentage may exceed 100, as it does in `AWS/ECS`.
    Reservation {
        /// 1024 are one vCPU.
        cpu_units: f64,
    },
    /// All CPUs of the host.
    OnlineCpus {
        /// How many.
        cpus: u32,
    },
}

impl CpuBasis {
    /// The first that there is, in the order in which they bind: the task's
    /// limit, the container's reservation, the host. `None` where the platform
    /// gives none of them; then no percentage can be right.
    #[must_use]
    pub fn choose(
        task_limit_vcpu: Option<f64>,
        reservation_cpu_units: Option<f64>,
        online_cpus: Option<u32>,
    ) -> Option<Self> {
        task_limit_vcpu
            .map(|vcpu| Self::TaskLimit { vcpu })
            .or_else(|| reservation_cpu_units.map(|cpu_units| Self::Reservation { cpu_units }))
            .or_else(|| online_cpus.map(|cpus| Self::OnlineCpus { cpus }))
    }

    /// The basis in CPUs.
    #[must_use]
    pub fn vcpu(self) -> f64 {
        match self {
            Self::TaskLimit { vcpu } => vcpu,
            Self::Reservation { cpu_units } => cpu_units / CPU_UNITS_PER_VCPU,
            Self::OnlineCpus { cpus } => f64::from(cpus),
        }
    }

    /// `cores` as a percentage of the basis.
    #[must_use]
    pub fn percent(self, cores: f64) -> f64 {
        100.0 * cores / self.vcpu()
    }
}

impl fmt::Display for CpuBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TaskLimit { vcpu } => write!(f, "task limit of {vcpu} vCPU"),
            Self::Reservation { cpu_units } => {
                write!(f, "container reservation of {cpu_units} CPU units")
            }
            Self::OnlineCpus { cpus: 1 } => f.write_str("the host's 1 CPU"),
            Self::OnlineCpus { cpus } => write!(f, "the host's {cpus} CPUs"),
        }
    }
}

/// 2²⁰: what Container Insights calls a megabyte.
pub const MEBIBYTE: f64 = 1_048_576.0;

/// A limit of this many bytes or more is none: without one, Fargate writes
/// `9223372036854771712` and cgroup v2 `18446744073709551615`.
const LIMIT_INSANE: u64 = 1 << 62;

/// Memory that the kernel could not take back without the container noticing:
/// usage without the inactive page cache. Bytes.
#[must_use]
pub fn working_set_bytes(memory: MemoryReading) -> u64 {
    // Read one after the other, the two may cross.
    memory.usage_bytes.checked_sub(memory.inactive_file_bytes).unwrap_or(memory.usage_bytes)
}

/// Memory as `AWS/ECS` counts it: usage without the page cache (cgroup v1) or
/// without its inactive part (v2). Bytes.
#[must_use]
pub fn ecs_memory_bytes(memory: MemoryReading) -> u64 {
    let cache_bytes = memory.cache_bytes.unwrap_or(memory.inactive_file_bytes);
    memory.usage_bytes.checked_sub(cache_bytes).unwrap_or(memory.usage_bytes)
}

/// What 100 % of `MemoryUtilization` is: the limit that binds first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryBasis {
    /// The container's `Limits.Memory`.
    ContainerLimit {
        /// Of the limit.
        bytes: u64,
    },
    /// The task's `Limits.Memory`.
    TaskLimit {
        /// Of the limit.
        bytes: u64,
    },
    /// A limit that the kernel tells and the task document does not: on EC2 the
    /// host's memory.
    KernelLimit {
        /// Of the limit.
        bytes: u64,
    },
}

impl MemoryBasis {
    /// The least sane limit of the container's, the task's and the kernel's.
    /// `None` where there is none at all.
    #[must_use]
    pub fn choose(
        container_limit_bytes: Option<u64>,
        task_limit_bytes: Option<u64>,
        memory: MemoryReading,
    ) -> Option<Self> {
        let kernel = |bytes| Self::KernelLimit { bytes };
        [
            container_limit_bytes.map(|bytes| Self::ContainerLimit { bytes }),
            task_limit_bytes.map(|bytes| Self::TaskLimit { bytes }),
            memory.limit_bytes.map(kernel),
            memory.hierarchical_limit_bytes.map(kernel),
        ]
        .into_iter()
        .flatten()
        .filter(|limit| (1..LIMIT_INSANE).contains(&limit.bytes()))
        // Of equal ones the first: the kernel is told the container's limit.
        .min_by_key(|limit| limit.bytes())
    }

    /// The limit.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::ContainerLimit { bytes }
            | Self::TaskLimit { bytes }
            | Self::KernelLimit { bytes } => bytes,
        }
    }
}

impl fmt::Display for MemoryBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self {
            Self::ContainerLimit { .. } => "container",
            Self::TaskLimit { .. } => "task",
            Self::KernelLimit { .. } => "kernel's",
        };
        write!(f, "{whose} limit of {} MiB", self.bytes() >> 20)
    }
}

/// `part` as a percentage of `whole`, which is not 0.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "memory has far fewer than 2^53 bytes")]
pub fn percent_of_bytes(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(read_ms: u64, total_ms: u64) -> Counter {
        Counter { read: Timestamp::from_unix_ns(read_ms * 1_000_000), total: total_ms * 1_000_000 }
    }

    #[test]
    fn a_difference_is_growth_over_the_difference_of_read() {
        use Difference::{ClockSetBack, CounterReset, Duplicate, PerNs};
        for (previous, current, expected) in [
            (counter(0, 0), counter(1000, 1000), PerNs(1.0)),
            (counter(5000, 70_000), counter(6003, 70_000), PerNs(0.0)),
            // Fargate: one sample in 10 s.
            (counter(10_000, 500), counter(20_000, 3000), PerNs(0.25)),
            // More than one CPU.
            (counter(0, 0), counter(1000, 4000), PerNs(4.0)),
            // The endpoint replays; the counter does not matter then.
            (counter(1000, 5), counter(1000, 5), Duplicate),
            (counter(1000, 5), counter(1000, 9), Duplicate),
            // Restart under the same id.
            (counter(1000, 5), counter(2000, 4), CounterReset),
            // The host's clock was set back.
            (counter(2000, 5), counter(1000, 6), ClockSetBack),
        ] {
            assert_eq!(difference(previous, current), expected, "{previous:?} {current:?}");
        }
    }

    #[test]
    fn extreme_counters_give_finite_numbers() {
        let start = Counter { read: Timestamp::from_unix_ns(0), total: 1 };
        let end = Counter { read: Timestamp::from_unix_ns(1), total: u64::MAX };
        let Difference::PerNs(rate) = difference(start, end) else { panic!() };
        assert!(rate.is_finite() && rate > 1e19);
    }

    fn memory(
        usage_bytes: u64,
        inactive_file_bytes: u64,
        cache_bytes: Option<u64>,
    ) -> MemoryReading {
        MemoryReading {
            usage_bytes,
            inactive_file_bytes,
            cache_bytes,
            limit_bytes: None,
            hierarchical_limit_bytes: None,
        }
    }

    #[test]
    fn memory_is_counted_in_two_ways() {
        for (stats, working_set, ecs) in [
            (memory(900, 200, Some(300)), 700, 600),
            (memory(900, 250, None), 650, 650),
            (memory(900, 900, Some(900)), 0, 0),
            // The counters crossed while they were read.
            (memory(900, 901, Some(901)), 900, 900),
        ] {
            assert_eq!((working_set_bytes(stats), ecs_memory_bytes(stats)), (working_set, ecs));
        }
    }

    #[test]
    fn the_least_sane_limit_binds() {
        const FARGATE_NONE: u64 = 9_223_372_036_854_771_712;
        const FARGATE_NONE_ROUNDED: u64 = 9_223_372_036_854_772_000;
        let container = |bytes| Some(MemoryBasis::ContainerLimit { bytes });
        let task_limit = |bytes| Some(MemoryBasis::TaskLimit { bytes });
        let kernel = |bytes| Some(MemoryBasis::KernelLimit { bytes });
        for (own, task, limit, hierarchical, expected) in [
            (Some(100), Some(400), Some(FARGATE_NONE), None, container(100)),
            (Some(100), Some(400), Some(100), Some(100), container(100)),
            (None, Some(400), Some(FARGATE_NONE), None, task_limit(400)),
            (None, Some(400), Some(FARGATE_NONE_ROUNDED), Some(FARGATE_NONE), task_limit(400)),
            (None, None, Some(u64::MAX), None, None),
            (None, None, Some(FARGATE_NONE), Some(FARGATE_NONE), None),
            (None, None, Some(300), Some(200), kernel(200)),
            (Some(0), None, None, None, None),
        ] {
            let stats = MemoryReading {
                limit_bytes: limit,
                hierarchical_limit_bytes: hierarchical,
                ..memory(1, 0, None)
            };
            assert_eq!(MemoryBasis::choose(own, task, stats), expected);
        }
        assert_eq!(container(512 << 20).unwrap().to_string(), "container limit of 512 MiB");
    }

    #[test]
    fn the_basis_is_what_binds_first() {
        let limit = CpuBasis::TaskLimit { vcpu: 0.25 };
        let reservation = CpuBasis::Reservation { cpu_units: 512.0 };
        let host = CpuBasis::OnlineCpus { cpus: 2 };
        for (task, container, online, expected) in [
            (Some(0.25), Some(512.0), Some(2), Some(limit)),
            (Some(0.25), None, Some(2), Some(limit)),
            (Some(0.25), None, None, Some(limit)),
            (None, Some(512.0), Some(2), Some(reservation)),
            (None, None, Some(2), Some(host)),
            (None, None, None, None),
        ] {
            assert_eq!(CpuBasis::choose(task, container, online), expected);
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "the numbers are exact in binary")]
    fn a_full_task_reads_100() {
        for (basis, cores, percent) in [
            // 0.25 vCPU on Fargate, all of it used, though the host has 2 CPUs.
            (CpuBasis::TaskLimit { vcpu: 0.25 }, 0.25, 100.0),
            (CpuBasis::TaskLimit { vcpu: 2.0 }, 0.5, 25.0),
            // Twice its reservation, on a host with room.
            (CpuBasis::Reservation { cpu_units: 512.0 }, 1.0, 200.0),
            (CpuBasis::OnlineCpus { cpus: 4 }, 1.0, 25.0),
        ] {
            assert_eq!(basis.percent(cores), percent, "{basis}");
        }
    }
}
