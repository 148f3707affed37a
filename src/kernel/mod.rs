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
mod counters;
mod finding;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
#[path = "nowhere.rs"]
mod linux;
pub mod parse;
mod survey;

use std::net::Ipv4Addr;

pub use self::{
    counters::{KernelReading, MachineReading},
    finding::{Finding, NoFile, NoInterface, NoProcesses},
    linux::Kernel,
    survey::{SeenInterface, Survey},
};
use crate::reading::NetworkReading;
pub use crate::reading::Tier;

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
    /// See [`Kernel::survey`]. Nothing, unless it is the real one.
    fn survey(&mut self, macs: &[&str], addresses: &[Ipv4Addr]) -> Survey {
        let _ = (macs, addresses);
        Survey::default()
    }
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

    fn survey(&mut self, macs: &[&str], addresses: &[Ipv4Addr]) -> Survey {
        Self::survey(self, macs, addresses)
    }
}
