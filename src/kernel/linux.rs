//! The kernel on Linux: when containers are looked for, and the reading of all of them, of
//! the machine and of the network. One container is in `container`.

mod container;
mod files;
mod group;
mod host;
mod processes;
mod survey;

use std::{net::Ipv4Addr, path::Path};

use self::{
    container::{Container, FOLLOWED_MAX, new_account},
    files::{ProcessPath, read_once},
    host::{Interface, Machine},
    processes::{FIRST, LISTED_MAX, Listing, LookedAt, ProcessList, RealProbe, clock, is_gone},
};
use super::{
    Finding, KernelReading, MachineReading, NoInterface, NoProcesses,
    accounting::{Probe as _, Seen},
    parse::container_of,
};
use crate::reading::NetworkReading;

/// A container that was lost is looked for after so many readings, then after twice
/// as many, and so on up to the second number.
const LOOK_AFTER: u32 = 5;
const LOOK_AFTER_MAX: u32 = 640;

/// Longer than what is read of any file that is kept open; of `/proc/stat` on
/// hundreds of CPUs as well.
const BUFFER_BYTES: usize = 64 * 1024;

/// What the kernel counts for containers, the machine and the network.
#[derive(Debug)]
pub struct Kernel {
    sys: std::path::PathBuf,
    list: Option<ProcessList>,
    listing: Listing,
    containers: Vec<Container>,
    is_shared: bool,
    interface: Option<Interface>,
    machine: Option<Machine>,
    reads_until_look: u32,
    reads_between_looks: u32,
    buffer: Vec<u8>,
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Kernel {
    /// The kernel's files where they always are. Nothing is looked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::at(Path::new("/proc"), Path::new("/sys"))
    }

    /// The kernel's files below other folders: recorded ones.
    #[must_use]
    pub fn at(proc: &Path, sys: &Path) -> Self {
        let list = ProcessList::open(proc);
        Self {
            sys: sys.to_owned(),
            machine: list.as_ref().and_then(|list| Machine::open(&list.proc)),
            list,
            listing: Listing::New,
            containers: Vec::new(),
            is_shared: false,
            interface: None,
            reads_until_look: 0,
            reads_between_looks: LOOK_AFTER,
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    /// Finds the processes and the cgroups of the containers with these Docker ids,
    /// and forgets those of others. For the start and after each new task document:
    /// it looks at every process, unless everything was found already.
    pub fn look<'a>(&mut self, docker_ids: impl Iterator<Item = &'a str> + Clone) {
        let is_found = |container: &Container| {
            container.group.is_ok() || (self.is_shared && container.account.len() > 0)
        };
        // Their order means nothing: in the task document of EC2 it is random.
        let is_known = |id| self.containers.iter().any(|known| known.docker_id == id);
        let is_same =
            docker_ids.clone().count() == self.containers.len() && docker_ids.clone().all(is_known);
        if is_same && self.containers.iter().all(is_found) {
            return;
        }
        let mut before = std::mem::take(&mut self.containers);
        for docker_id in docker_ids {
            if self.containers.iter().any(|known| known.docker_id == docker_id) {
                continue;
            }
            let known = before.iter().position(|known| known.docker_id == docker_id);
            self.containers.push(
                known.map_or_else(|| Container::new(docker_id), |known| before.swap_remove(known)),
            );
        }
        self.look_for_lost_after(LOOK_AFTER);
        self.look_again();
    }

    const fn look_for_lost_after(&mut self, reads: u32) {
        self.reads_between_looks = reads;
        self.reads_until_look = reads;
    }

    fn look_again(&mut self) {
        let Some(list) = &mut self.list else { return };
        list.forget();
        for container in &mut self.containers {
            container.has_too_many = false;
            if container.group.is_ok() {
                // These were not followed since.
                container.account = new_account();
            }
        }
        self.list_processes();
        let Some(list) = &self.list else { return };
        self.is_shared = self
            .containers
            .iter()
            .any(|container| !container.is_own && container.account.len() > 0);
        if !matches!(self.listing, Listing::Same | Listing::New) {
            return;
        }
        for container in &mut self.containers {
            container.open(&list.proc, &mut self.buffer);
        }
    }

    /// Whether processes of another container than this one are visible.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// Reads every container for which something was found, and hands what it reads
    /// to `visit`, with the container's Docker id. Memory is read only if it is
    /// wanted. A container that cannot be read this time is not visited.
    pub fn read(&mut self, with_memory: bool, visit: &mut dyn FnMut(&str, &KernelReading)) {
        let mut has_lost = false;
        for container in &mut self.containers {
            let was_lost = container.is_lost;
            if let Some(reading) = container.read_file(with_memory, &mut self.buffer) {
                visit(&container.docker_id, &reading);
            }
            has_lost |= container.is_lost && !was_lost;
        }
        if has_lost {
            self.look_for_lost_after(LOOK_AFTER);
            self.look_again();
        } else if self.containers.iter().any(|container| container.is_lost) {
            self.reads_until_look = self.reads_until_look.saturating_sub(1);
            if self.reads_until_look == 0 {
                let reads = self.reads_between_looks.saturating_mul(2).min(LOOK_AFTER_MAX);
                self.look_for_lost_after(reads);
                self.look_again();
            }
        }
        let needs_list = |container: &Container| container.group.is_err();
        if !self.is_shared || !self.containers.iter().any(needs_list) {
            return;
        }
        let may_have_waited = self.list_processes();
        let Some(list) = &self.list else { return };
        for container in &mut self.containers {
            let reading = container.read_processes(may_have_waited, &list.proc, &mut self.buffer);
            if let Some(reading) = reading {
                visit(&container.docker_id, &reading);
            }
        }
    }

    /// Adds new processes to their containers. Gives whether any process may have
    /// been started.
    fn list_processes(&mut self) -> bool {
        let Self { list: Some(list), containers, buffer, .. } = self else { return true };
        self.listing = list.look(buffer, |proc, pid, buffer| {
            let bytes = match read_once(proc, ProcessPath::new(pid, "cgroup").as_bytes(), buffer) {
                Ok(bytes) => bytes,
                Err(error) if is_gone(&error) => return LookedAt::Settled,
                Err(_) => return LookedAt::Failed,
            };
            let ids = containers.iter().map(|container| container.docker_id.as_str());
            let Some((place, _)) = container_of(bytes, &ids) else {
                // Who has ended is in no cgroup of version 1 any more.
                return match (RealProbe { proc, buffer }).stat(pid) {
                    Seen::Stat(stat) if !stat.has_exited => LookedAt::Elsewhere,
                    Seen::Unknown => LookedAt::Failed,
                    Seen::Gone | Seen::Stat(_) => LookedAt::Settled,
                };
            };
            containers[place].add(pid, proc, buffer)
        });
        if matches!(self.listing, Listing::TooMany | Listing::Failed) {
            // Not again before the next look.
            self.is_shared = false;
            for container in containers {
                container.give_up();
            }
        }
        let only = list.has_only_the_first_elsewhere();
        self.choose_reaper(only);
        self.listing != Listing::Same
    }

    /// With `pidMode: task` the first process is of no container, and waits for the
    /// orphans of all. They are counted while only one container can have any.
    fn choose_reaper(&mut self, only_the_first_elsewhere: bool) {
        let Self { list: Some(list), containers, buffer, .. } = self else { return };
        let has_processes = |one: &&mut Container| !one.is_own && one.account.len() > 0;
        let is_certain =
            only_the_first_elsewhere && containers.iter_mut().filter(has_processes).count() == 1;
        for container in containers {
            let wants = is_certain && !container.is_own && container.account.len() > 0;
            if !wants {
                container.account.remove_reaper();
            } else if !container.account.has_reaper() {
                let mut probe = RealProbe { proc: &list.proc, buffer };
                if let (Seen::Stat(stat), Some(clock)) = (probe.stat(FIRST), clock(FIRST)) {
                    container.account.add_reaper(clock, stat, &mut probe);
                }
            }
        }
    }

    /// What was found for each container, and why not more.
    pub fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        self.containers.iter().map(|container| Finding {
            docker_id: &container.docker_id,
            is_own: container.is_own,
            processes: container.account.len(),
            file: container.group.as_ref().map(|_| ()),
            sum: self.sum_of(container),
        })
    }

    fn sum_of(&self, container: &Container) -> Result<(), NoProcesses> {
        match self.listing {
            _ if self.list.is_none() => Err(NoProcesses::NoProc),
            Listing::Failed => Err(NoProcesses::NoProc),
            Listing::TooMany => Err(NoProcesses::TooMany { limit: LISTED_MAX }),
            _ if container.has_too_many => Err(NoProcesses::TooMany { limit: FOLLOWED_MAX }),
            _ if !self.is_shared => Err(NoProcesses::NotShared),
            _ if container.account.len() == 0 => Err(NoProcesses::NotVisible),
            _ => Ok(()),
        }
    }

    /// Chooses the network interface that has one of these MAC or IPv4 addresses, and
    /// gives its name.
    ///
    /// # Errors
    ///
    /// Why none was chosen. Then none is read.
    pub fn choose_interface<'a>(
        &mut self,
        macs: impl Iterator<Item = &'a str>,
        addresses: impl Iterator<Item = Ipv4Addr>,
    ) -> Result<&str, NoInterface> {
        self.interface = None;
        let list = self.list.as_ref().ok_or(NoInterface::NoList)?;
        let chosen = Interface::choose(&list.proc, &self.sys, macs, addresses)?;
        Ok(self.interface.insert(chosen).name())
    }

    /// The counters of the interface that was chosen.
    pub fn read_network(&mut self) -> Option<NetworkReading> {
        self.interface.as_ref()?.read(&mut self.buffer)
    }

    /// What the whole machine has been idle.
    pub fn read_machine(&mut self) -> Option<MachineReading> {
        self.machine.as_ref()?.read(&mut self.buffer)
    }
}

#[cfg(test)]
mod tests;
