//! What 100 % means: of a container's CPU and memory, and of the task's. Pure
//! arithmetic: limits and reservations in, a basis out.

use std::fmt;

use crate::{endpoint::task::CPU_UNITS_PER_VCPU, reading::MemoryReading};

/// The limits of the task itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    pub(super) cpu_vcpu: Option<f64>,
    pub(super) memory_bytes: Option<u64>,
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

/// `cores` in percent of one CPU, which is what 100 % of `CPUUsage` is.
pub(super) fn percent_of_one_cpu(cores: f64) -> f64 {
    100.0 * cores
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

/// A limit of this many bytes or more is none: without one, Fargate writes
/// `9223372036854771712` and cgroup v2 `18446744073709551615`.
const LIMIT_INSANE: u64 = 1 << 62;

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

/// What 100 % of the task's CPU is, in vCPU: its limit, else the sum of the
/// reservations, as ECS computes it. `None` if there are neither.
pub(super) fn task_vcpu(limits: Limits, reservations: impl Iterator<Item = f64>) -> Option<f64> {
    limits.cpu_vcpu.or_else(|| {
        let units: f64 = reservations.sum();
        (units > 0.0).then_some(units / CPU_UNITS_PER_VCPU)
    })
}

/// What 100 % of the task's memory is, bytes: its limit, else the sum of the limits of
/// all counted containers. `None` if one of them has none: what all use is no share of
/// what some may use.
pub(super) fn task_memory_bytes(
    limits: Limits,
    mut of_containers: impl Iterator<Item = Option<u64>>,
) -> Option<u64> {
    limits.memory_bytes.or_else(|| {
        let sum = of_containers.try_fold(0_u64, |sum, bytes| Some(sum.saturating_add(bytes?)));
        sum.filter(|&bytes| bytes > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
                ..MemoryReading::of(1, 0, None)
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

    #[test]
    fn the_task_has_its_limit_or_the_sum_of_what_each_container_has() {
        let none = Limits::default();
        let limited = Limits { cpu_vcpu: Some(2.0), memory_bytes: Some(400) };
        for (limits, of_containers, expected) in [
            (limited, vec![None, Some(100)], Some(400)),
            (none, vec![Some(100), Some(60)], Some(160)),
            // One has a reservation alone.
            (none, vec![Some(100), None], None),
            (none, vec![None], None),
            (none, vec![], None),
        ] {
            assert_eq!(task_memory_bytes(limits, of_containers.into_iter()), expected);
        }
        assert_eq!(task_vcpu(limited, [512.0].into_iter()), Some(2.0));
        assert_eq!(task_vcpu(none, [512.0, 256.0].into_iter()), Some(0.75));
        assert_eq!(task_vcpu(none, std::iter::empty()), None);
    }
}
