//! The kernel as a source of counters: which processes and which cgroup belong to a
//! container, and what the kernel has counted for it, this machine and this network.
//! What is read here is only read: whether it is believed is decided elsewhere, by
//! the endpoint's own counters.
//!
//! There are two tiers. The container's own cgroup file ([`Tier::CgroupFile`]) is the
//! counter that the endpoint reports, and is read through the root of one of its
//! processes. The sum over its processes ([`Tier::Processes`]) needs no privilege.
//! Both need to see the container's processes, so a PID namespace that is shared.
//! Elsewhere than on Linux nothing is found.

mod accounting;
mod finding;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod linux;
pub mod parse;

use std::time::Instant;

pub use self::{
    finding::{Finding, NoFile, NoInterface, NoProcesses},
    linux::Kernel,
};
use crate::reading::MemoryReading;
pub use crate::reading::Tier;

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
