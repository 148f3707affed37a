//! What is read of the kernel: one container's counters, and the machine's.

use std::time::Instant;

use crate::reading::{MemoryReading, Tier};

/// One container's counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelReading {
    /// Where they come from.
    pub tier: Tier,
    /// Readings of one container can be compared if this is the same, and only then.
    /// It changes when the counter may begin anew: the container was started again,
    /// or its processes could not be followed for a while.
    pub generation: u32,
    /// Just before the counter was read.
    pub before: Instant,
    /// Just after.
    pub after: Instant,
    /// CPU time, ns. From [`Tier::Processes`] only its growth means something. Within
    /// a generation it never falls.
    pub total_ns: u64,
    /// Memory, if it was asked for and can be read; never from [`Tier::Processes`].
    pub memory: Option<MemoryReading>,
}

/// What the whole machine has been idle, as the kernel counts it: in ticks, since it
/// started. Busy time is `cpus` x elapsed time - idle - waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineReading {
    /// Just before the counters were read.
    pub before: Instant,
    /// Just after.
    pub after: Instant,
    /// CPUs that are online.
    pub cpus: u32,
    /// Idle, over all CPUs, ticks.
    pub idle_ticks: u64,
    /// Idle while something waits for a disk, ticks. It may fall a little.
    pub iowait_ticks: u64,
    /// Ticks in a second.
    pub ticks_per_second: u64,
}
