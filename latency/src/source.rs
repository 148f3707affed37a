//! Where ESP's readings come from: the metadata endpoint, which replays its last sample until
//! there is a new one, or the kernel, which has the counter of the moment.

use esp::reading::{CpuReading, Entry, Reading};

use crate::{
    assumptions::{ENDPOINT_FAST_S, ENDPOINT_SLOW_S},
    load::Load,
    moment::{ns, wall},
};

/// A source of counters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// The endpoint renews its sample so often, the first time at the phase.
    Endpoint { each_ns: u64, phase_ns: u64 },
    /// The counter when it is asked for.
    Kernel,
    /// As a new task has it on Fargate: the endpoint until the kernel is trusted.
    Proving { each_ns: u64, phase_ns: u64, until_ns: u64 },
}

/// Which source, its phase left to the dice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The endpoint on EC2.
    Endpoint,
    /// The endpoint on Fargate.
    Endpoint10,
    /// The kernel's counters, whatever the endpoint does.
    Kernel,
}

impl Kind {
    pub(crate) fn source(self, phase: f64) -> Source {
        let endpoint =
            |each_s| Source::Endpoint { each_ns: ns(each_s), phase_ns: ns(each_s * phase) };
        match self {
            Self::Endpoint => endpoint(ENDPOINT_FAST_S),
            Self::Endpoint10 => endpoint(ENDPOINT_SLOW_S),
            Self::Kernel => Source::Kernel,
        }
    }
}

impl Source {
    /// The endpoint on Fargate, and from then on the kernel.
    pub(crate) fn proving(phase: f64, until_ns: u64) -> Self {
        let (each_ns, phase_ns) = (ns(ENDPOINT_SLOW_S), ns(ENDPOINT_SLOW_S * phase));
        Self::Proving { each_ns, phase_ns, until_ns }
    }

    /// What it is at this moment: the endpoint or the kernel.
    pub(crate) fn now(self, at_ns: u64) -> Self {
        match self {
            Self::Proving { until_ns, .. } if at_ns >= until_ns => Self::Kernel,
            Self::Proving { each_ns, phase_ns, .. } => Self::Endpoint { each_ns, phase_ns },
            other => other,
        }
    }

    /// What the source says when it is asked at this moment; nothing before its first sample.
    pub(crate) fn ask(self, load: &Load, at_ns: u64) -> Entry {
        let read_ns = match self {
            Self::Kernel => Some(at_ns),
            Self::Proving { .. } => return self.now(at_ns).ask(load, at_ns),
            Self::Endpoint { each_ns, phase_ns } => {
                at_ns.checked_sub(phase_ns).map(|since| at_ns - since % each_ns)
            }
        };
        let Some(read_ns) = read_ns else { return Entry::NoData };
        Entry::Reading(Reading {
            read: wall(read_ns),
            cpu: Some(CpuReading {
                total_usage_ns: load.counter_ns(read_ns),
                online_cpus: Some(2),
            }),
            is_cpu_base: false,
            memory: None,
            network: None,
            block_io: None,
        })
    }
}
