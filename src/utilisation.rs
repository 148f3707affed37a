//! Counters to utilisation: subtract, divide, and say what the result is a
//! percentage of. Pure arithmetic: no clock, no I/O, no environment.

use std::fmt;

use crate::task::CPU_UNITS_PER_VCPU;
use crate::timestamp::Timestamp;

/// A container's CPU counter at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuCounter {
    /// When it was read, by the clock of the host.
    pub read: Timestamp,
    /// CPU time since the container started, ns.
    pub total_usage_ns: u64,
}

/// What came of comparing a sample with the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CpuDifference {
    /// CPUs in use, on average, from one `read` to the other: 0.5 is half a CPU.
    Cores(f64),
    /// The endpoint replayed the sample: the same `read`.
    Duplicate,
    /// The counter fell: the container was restarted under its id. The later
    /// sample is a new base.
    CounterReset,
    /// `read` went back: the host's clock was set. The later sample is a new
    /// base.
    ClockSetBack,
}

/// CPUs in use between two samples of one container.
///
/// The denominator is the difference of `read`, not of any clock of ours: the
/// endpoint replays its last sample, and `system_cpu_usage` has ticks of 10 ms.
///
/// ```
/// use esp::{timestamp::Timestamp, utilisation::{CpuCounter, CpuDifference, cpu_difference}};
///
/// let at = |ms, total_usage_ns| CpuCounter {
///     read: Timestamp::from_unix_ns(ms * 1_000_000),
///     total_usage_ns,
/// };
/// let half = cpu_difference(at(0, 0), at(1003, 501_500_000));
/// assert_eq!(half, CpuDifference::Cores(0.5));
/// ```
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "53 bits of a difference in ns: 1e-16 of it")]
pub fn cpu_difference(previous: CpuCounter, current: CpuCounter) -> CpuDifference {
    let Some(elapsed_ns) = current.read.ns_since(previous.read) else {
        return CpuDifference::ClockSetBack;
    };
    if elapsed_ns == 0 {
        return CpuDifference::Duplicate;
    }
    match current.total_usage_ns.checked_sub(previous.total_usage_ns) {
        Some(used_ns) => CpuDifference::Cores(used_ns as f64 / elapsed_ns as f64),
        None => CpuDifference::CounterReset,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(read_ms: u64, total_usage_ms: u64) -> CpuCounter {
        CpuCounter {
            read: Timestamp::from_unix_ns(read_ms * 1_000_000),
            total_usage_ns: total_usage_ms * 1_000_000,
        }
    }

    #[test]
    fn cores_are_cpu_time_over_the_difference_of_read() {
        use CpuDifference::{ClockSetBack, Cores, CounterReset, Duplicate};
        for (previous, current, expected) in [
            (counter(0, 0), counter(1000, 1000), Cores(1.0)),
            (counter(5000, 70_000), counter(6003, 70_000), Cores(0.0)),
            // Fargate: one sample in 10 s.
            (counter(10_000, 500), counter(20_000, 3000), Cores(0.25)),
            // More than one CPU.
            (counter(0, 0), counter(1000, 4000), Cores(4.0)),
            // The endpoint replays; the counter does not matter then.
            (counter(1000, 5), counter(1000, 5), Duplicate),
            (counter(1000, 5), counter(1000, 9), Duplicate),
            // Restart under the same id.
            (counter(1000, 5), counter(2000, 4), CounterReset),
            // The host's clock was set back.
            (counter(2000, 5), counter(1000, 6), ClockSetBack),
        ] {
            assert_eq!(cpu_difference(previous, current), expected, "{previous:?} {current:?}");
        }
    }

    #[test]
    fn extreme_counters_give_finite_numbers() {
        let start = CpuCounter { read: Timestamp::from_unix_ns(0), total_usage_ns: 1 };
        let end = CpuCounter { read: Timestamp::from_unix_ns(1), total_usage_ns: u64::MAX };
        let CpuDifference::Cores(cores) = cpu_difference(start, end) else { panic!() };
        assert!(cores.is_finite() && cores > 1e19);
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
