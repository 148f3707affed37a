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
mod survey;

use std::{net::Ipv4Addr, time::Instant};

pub use self::{
    finding::{Finding, NoFile, NoInterface, NoProcesses},
    linux::Kernel,
    survey::{SeenInterface, Survey},
};
pub use crate::reading::Tier;
use crate::reading::{MemoryReading, NetworkReading};

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

/// Where the kernel's counters are read: [`Kernel`], or what a test makes up. What each
/// method does is said there.
pub trait KernelCounters {
    /// See [`Kernel::look`].
    fn look<'a>(&mut self, docker_ids: impl Iterator<Item = &'a str> + Clone);
    /// See [`Kernel::is_shared`].
    fn is_shared(&self) -> bool;
    /// See [`Kernel::read`].
    fn read(&mut self, with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading));
    /// See [`Kernel::findings`].
    fn findings(&self) -> impl Iterator<Item = Finding<'_>>;
    /// See [`Kernel::choose_interface`].
    ///
    /// # Errors
    ///
    /// Why none was chosen.
    fn choose_interface<'a>(
        &mut self,
        macs: impl Iterator<Item = &'a str>,
        addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<&str, NoInterface>;
    /// See [`Kernel::read_network`].
    fn read_network(&mut self) -> Option<NetworkReading>;
    /// See [`Kernel::read_machine`].
    fn read_machine(&mut self) -> Option<MachineReading>;
}

impl KernelCounters for Kernel {
    fn look<'a>(&mut self, docker_ids: impl Iterator<Item = &'a str> + Clone) {
        Self::look(self, docker_ids);
    }

    fn is_shared(&self) -> bool {
        Self::is_shared(self)
    }

    fn read(&mut self, with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading)) {
        Self::read(self, with_memory, visit);
    }

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        Self::findings(self)
    }

    fn choose_interface<'a>(
        &mut self,
        macs: impl Iterator<Item = &'a str>,
        addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<&str, NoInterface> {
        Self::choose_interface(self, macs, addresses)
    }

    fn read_network(&mut self) -> Option<NetworkReading> {
        Self::read_network(self)
    }

    fn read_machine(&mut self) -> Option<MachineReading> {
        Self::read_machine(self)
    }
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
