//! One container: which of its processes and which cgroup were found, and its CPU time and
//! memory by the one or the other.

use std::{os::fd::OwnedFd, process, time::Instant};

use nix::time::ClockId;
use rustix::param::clock_ticks_per_second;

use super::{
    group::Group,
    processes::{LookedAt, RealProbe, clock},
};
use crate::{
    kernel::{
        accounting::{Account, Probe as _, Seen},
        counters::KernelReading,
        finding::NoFile,
    },
    reading::Tier,
};

/// The processes of one container that are followed at most.
pub(super) const FOLLOWED_MAX: usize = 512;

/// So many of a container's processes are tried as the way to its cgroup.
const WAYS: usize = 4;

/// What was found for one container.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) docker_id: String,
    pub(super) group: Result<Group, NoFile>,
    pub(super) account: Account<ClockId>,
    pub(super) has_too_many: bool,
    pub(super) is_own: bool,
    /// It had a cgroup file, and has none now.
    pub(super) is_lost: bool,
    pub(super) generation: u32,
}

impl Container {
    pub(super) fn new(docker_id: &str) -> Self {
        Self {
            docker_id: docker_id.to_owned(),
            group: Err(NoFile::NoProcess),
            account: new_account(),
            has_too_many: false,
            is_own: false,
            is_lost: false,
            generation: 0,
        }
    }

    /// What is read from here on does not continue what was read before.
    fn begin_anew(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.account = new_account();
    }

    /// One of its processes was found.
    pub(super) fn add(&mut self, pid: i32, proc: &OwnedFd, buffer: &mut [u8]) -> LookedAt {
        if self.has_too_many {
            return LookedAt::Settled;
        }
        let mut probe = RealProbe { proc, buffer };
        let (stat, clock) = match (probe.stat(pid), clock(pid)) {
            (Seen::Unknown, _) => return LookedAt::Failed,
            (Seen::Stat(stat), Some(clock)) if stat.pid == pid => (stat, clock),
            _ => return LookedAt::Settled,
        };
        self.account.add(clock, stat, &mut probe);
        self.is_own |= u32::try_from(pid) == Ok(process::id());
        if self.account.len() > FOLLOWED_MAX {
            self.give_up();
            self.has_too_many = true;
        }
        LookedAt::Settled
    }

    /// Its processes are not followed any more.
    pub(super) fn give_up(&mut self) {
        if self.account.len() > 0 {
            self.begin_anew();
        }
    }

    /// Opens its cgroup's files, unless they are open.
    pub(super) fn open(&mut self, proc: &OwnedFd, buffer: &mut [u8]) {
        if self.group.is_ok() {
            return;
        }
        let mut outcome = Err(NoFile::NoProcess);
        for pid in self.account.pids().take(WAYS) {
            outcome = Group::open(proc, pid, &self.docker_id, buffer);
            if outcome.is_ok() {
                break;
            }
        }
        self.is_lost = matches!(&self.group, Err(NoFile::Lost(_))) && outcome.is_err();
        // What became of a file that was lost is the better reason.
        if !self.is_lost {
            self.group = outcome;
        }
        if self.group.is_ok() {
            self.generation = self.generation.wrapping_add(1);
        }
    }

    pub(super) fn read_file(
        &mut self,
        with_memory: bool,
        buffer: &mut [u8],
    ) -> Option<KernelReading> {
        let group = self.group.as_mut().ok()?;
        let before = Instant::now();
        let total_ns = group.read(buffer);
        let after = Instant::now();
        match total_ns {
            Ok(Some(total_ns)) => Some(KernelReading {
                tier: Tier::CgroupFile,
                generation: self.generation,
                before,
                after,
                total_ns,
                memory: if with_memory { group.read_memory(buffer) } else { None },
            }),
            Ok(None) => None,
            Err(error) => {
                self.group = Err(NoFile::Lost(error));
                self.is_lost = true;
                self.begin_anew();
                None
            }
        }
    }

    pub(super) fn read_processes(
        &mut self,
        may_have_waited: bool,
        proc: &OwnedFd,
        buffer: &mut [u8],
    ) -> Option<KernelReading> {
        if self.group.is_ok() || self.account.len() == 0 {
            return None;
        }
        let mut probe = RealProbe { proc, buffer };
        let before = Instant::now();
        let total_ns = self.account.read(may_have_waited, &mut probe);
        let after = Instant::now();
        if self.account.len() == 0 {
            // The container has ended. If it is started again, it begins anew.
            self.begin_anew();
            return None;
        }
        Some(KernelReading {
            tier: Tier::Processes,
            generation: self.generation,
            before,
            after,
            total_ns,
            memory: None,
        })
    }
}

/// Nothing is counted yet.
pub(super) fn new_account() -> Account<ClockId> {
    Account::new(1_000_000_000 / clock_ticks_per_second().max(1))
}
