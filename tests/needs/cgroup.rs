//! Control groups of a test's own, version 1 or 2, as ECS makes them for a task and
//! its containers. That takes root.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A group of processes with a CPU quota, or a weight within its parent.
#[derive(Debug)]
pub(crate) struct Group {
    /// Where its quota and its weight are.
    cpu: PathBuf,
    /// Where its CPU time is counted; the same in version 2.
    accounting: PathBuf,
    is_version_2: bool,
}

/// What the kernel counted of a quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttling {
    /// Periods in which the group had something to run.
    pub(crate) periods: u64,
    /// Those in which the quota was used up.
    pub(crate) throttled: u64,
}

impl Group {
    /// A group below the root.
    pub(crate) fn create(name: &str) -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let is_version_2 = root.join("cgroup.controllers").exists();
        let (cpu, accounting) = if is_version_2 {
            fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
            (root.to_owned(), root.to_owned())
        } else {
            (root.join("cpu"), root.join("cpuacct"))
        };
        Self { cpu, accounting, is_version_2 }.child(name)
    }

    /// A group within this one.
    pub(crate) fn child(&self, name: &str) -> io::Result<Self> {
        if self.is_version_2 {
            // Fails for the root, where it is done already.
            let _ = fs::write(self.cpu.join("cgroup.subtree_control"), "+cpu");
        }
        let (cpu, accounting) = (self.cpu.join(name), self.accounting.join(name));
        fs::create_dir(&cpu)?;
        // The same directory where both controllers are mounted together.
        fs::create_dir_all(&accounting)?;
        Ok(Self { cpu, accounting, is_version_2: self.is_version_2 })
    }

    /// Limits the group to `quota` of CPU time in each `period`.
    pub(crate) fn set_quota(&self, quota: Duration, period: Duration) {
        let (quota_us, period_us) = (quota.as_micros(), period.as_micros());
        if self.is_version_2 {
            fs::write(self.cpu.join("cpu.max"), format!("{quota_us} {period_us}")).unwrap();
        } else {
            fs::write(self.cpu.join("cpu.cfs_period_us"), period_us.to_string()).unwrap();
            fs::write(self.cpu.join("cpu.cfs_quota_us"), quota_us.to_string()).unwrap();
        }
    }

    /// Ends the limit of [`Self::set_quota`].
    pub(crate) fn lift_quota(&self) {
        let (file, none) =
            if self.is_version_2 { ("cpu.max", "max") } else { ("cpu.cfs_quota_us", "-1") };
        fs::write(self.cpu.join(file), none).unwrap();
    }

    /// Its weight among the groups of its parent, in the CPU units of ECS.
    pub(crate) fn set_cpu_units(&self, units: u64) {
        if self.is_version_2 {
            // As runc and the ECS agent convert them.
            let weight = 1 + (units.clamp(2, 262_144) - 2) * 9999 / 262_142;
            fs::write(self.cpu.join("cpu.weight"), weight.to_string()).unwrap();
        } else {
            fs::write(self.cpu.join("cpu.shares"), units.to_string()).unwrap();
        }
    }

    /// The files to which a process writes its id to join the group.
    pub(crate) fn procs(&self) -> [PathBuf; 2] {
        [&self.cpu, &self.accounting].map(|directory| directory.join("cgroup.procs"))
    }

    /// CPU time used by its processes, seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        let used = if self.is_version_2 {
            Duration::from_micros(self.statistic("usage_usec"))
        } else {
            let usage = fs::read_to_string(self.accounting.join("cpuacct.usage")).unwrap();
            Duration::from_nanos(usage.trim().parse().unwrap())
        };
        used.as_secs_f64()
    }

    pub(crate) fn throttling(&self) -> Throttling {
        let [periods, throttled] = ["nr_periods", "nr_throttled"].map(|key| self.statistic(key));
        Throttling { periods, throttled }
    }

    fn statistic(&self, key: &str) -> u64 {
        let text = fs::read_to_string(self.cpu.join("cpu.stat")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key} in {text}")).trim().parse().unwrap()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have ended; the kernel notices a moment later.
        for _ in 0..100 {
            let removed = [&self.cpu, &self.accounting].map(fs::remove_dir);
            let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::ResourceBusy;
            if !removed.into_iter().any(|result| result.is_err_and(|error| is_busy(&error))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
