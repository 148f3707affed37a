//! What there is to see of the machine, the processes and the network, for
//! `esp check --source`: facts without a judgement.

/// What was seen. What could not be read is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The kernel's release, as `uname -r` has it.
    pub release: Option<String>,
    /// `1`, `2`, or `1 and 2` if both are mounted for this process.
    pub cgroup_version: Option<&'static str>,
    /// This process's own cgroup, as it sees it.
    pub own_cgroup: Option<String>,
    /// CPUs in `/proc/stat`.
    pub cpus: Option<u32>,
    /// Seconds since the machine started.
    pub uptime_s: Option<u64>,
    /// Visible processes.
    pub processes: usize,
    /// The cgroups that count their CPU time, with the number of processes, by path.
    pub cgroups: Vec<(String, usize)>,
    /// The network interfaces of this namespace, by name.
    pub interfaces: Vec<SeenInterface>,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenInterface {
    /// Its name.
    pub name: String,
    /// It has one of the MAC addresses that were asked for.
    pub has_mac: bool,
    /// It has one of the IPv4 addresses that were asked for.
    pub has_ipv4: bool,
}
