//! The kernel of the simulated host: the counters that the agent reads as well, at any
//! moment, of containers that it shows; or a kernel that lies about them. What ESP reads
//! is entered in the ledger: a sample may come of it.

use std::{cell::RefCell, net::Ipv4Addr, rc::Rc, time::Duration};

use esp::{
    kernel::{
        Finding, KernelCounters, KernelReading, MachineReading, NoFile, NoInterface, NoProcesses,
        Tier,
    },
    reading::NetworkReading,
};

use super::{clock::Clock, task::Task};

/// What ESP can see of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelScript {
    pub(crate) tier: Tier,
    /// From when on the CPU counter is wrong, and how.
    pub(crate) lie: Option<(Duration, Lie)>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It stands still.
    Frozen,
    /// It grows by a tenth more than it should.
    Faster,
    /// It is another container's, which does more.
    Other,
}

impl Lie {
    /// What it says of a counter that was `before_ns` when the lie began.
    pub(crate) fn of(self, before_ns: u64, total_ns: u64) -> u64 {
        let grown_ns = total_ns - before_ns;
        match self {
            Self::Frozen => before_ns,
            Self::Faster => total_ns + before_ns / 10 + grown_ns / 10,
            Self::Other => before_ns + 7_000_000_000 + grown_ns * 2,
        }
    }
}

/// The kernel, for the sidecar.
pub(crate) struct SimulatedKernel {
    pub(crate) clock: Clock,
    pub(crate) task: Rc<RefCell<Task>>,
    pub(crate) script: Option<KernelScript>,
    pub(crate) docker_ids: Vec<String>,
}

impl KernelCounters for SimulatedKernel {
    fn look<'a>(&mut self, docker_ids: impl Iterator<Item = &'a str> + Clone) {
        self.docker_ids = docker_ids.map(str::to_owned).collect();
    }

    fn is_shared(&self) -> bool {
        self.script.is_some()
    }

    fn read(&mut self, with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading)) {
        let Some(script) = self.script else { return };
        let at = self.clock.instant();
        for docker_id in &self.docker_ids {
            let read = self.task.borrow_mut().on_kernel_read(docker_id, script);
            let Some((generation, total_ns, memory)) = read else { continue };
            let is_file = script.tier == Tier::CgroupFile;
            let reading = KernelReading {
                tier: script.tier,
                generation,
                before: at,
                after: at,
                total_ns,
                memory: Some(memory).filter(|_| with_memory && is_file),
            };
            visit(docker_id, &reading);
        }
    }

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        const NO_FILE: &NoFile = &NoFile::NoProcess;
        let tier = self.script.map(|script| script.tier);
        self.docker_ids.iter().map(move |docker_id| Finding {
            docker_id,
            is_own: false,
            processes: usize::from(tier.is_some()),
            file: if tier == Some(Tier::CgroupFile) { Ok(()) } else { Err(NO_FILE) },
            sum: if tier.is_some() { Ok(()) } else { Err(NoProcesses::NotShared) },
        })
    }

    fn choose_interface<'a>(
        &mut self,
        _macs: impl Iterator<Item = &'a str>,
        _addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<&str, NoInterface> {
        Err(NoInterface::NoMatch)
    }

    fn read_network(&mut self) -> Option<NetworkReading> {
        None
    }

    fn read_machine(&mut self) -> Option<MachineReading> {
        None
    }
}
