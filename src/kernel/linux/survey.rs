//! What there is to see of this machine, read once: for `esp check --source`.

use std::{collections::BTreeMap, net::Ipv4Addr};

use super::{
    Kernel,
    files::{ProcessPath, read_once},
    host::{INTERFACES_MAX, with_addresses, with_macs},
};
use crate::kernel::{
    parse::{hierarchies, interface_names, machine_ticks, uptime_s},
    survey::{SeenInterface, Survey},
};

/// More different cgroups than this are not listed.
const CGROUPS_MAX: usize = 64;
/// What is shown of a path or a release, characters.
const TEXT_LONGEST: usize = 300;

impl Kernel {
    /// What there is to see. The interfaces are compared with these addresses.
    #[must_use]
    pub fn survey(&mut self, macs: &[&str], addresses: &[Ipv4Addr]) -> Survey {
        let Self { list: Some(list), buffer, sys, .. } = self else { return Survey::default() };
        let proc = &list.proc;
        let mut survey = Survey::default();
        if let Ok(bytes) = read_once(proc, c"sys/kernel/osrelease", buffer) {
            survey.release = Some(text(bytes.trim_ascii()));
        }
        if let Ok(bytes) = read_once(proc, c"uptime", buffer) {
            survey.uptime_s = uptime_s(bytes);
        }
        if let Ok(bytes) = read_once(proc, c"stat", buffer) {
            survey.cpus = machine_ticks(bytes).map(|ticks| ticks.cpus);
        }
        if let Ok(bytes) = read_once(proc, c"self/cgroup", buffer) {
            let is_v1 = hierarchies(bytes).any(|it| it.has(b"cpuacct"));
            let is_v2 = hierarchies(bytes).any(|it| it.is_unified());
            survey.cgroup_version = match (is_v1, is_v2) {
                (true, true) => Some("1 and 2"),
                (true, false) => Some("1"),
                (false, true) => Some("2"),
                (false, false) => None,
            };
            survey.own_cgroup = cpu_path(bytes);
        }
        let mut cgroups = BTreeMap::new();
        for pid in list.pids() {
            survey.processes += 1;
            let Ok(bytes) = read_once(proc, ProcessPath::new(pid, "cgroup").as_bytes(), buffer)
            else {
                continue;
            };
            let path = cpu_path(bytes).unwrap_or_default();
            if cgroups.len() < CGROUPS_MAX || cgroups.contains_key(&path) {
                *cgroups.entry(path).or_default() += 1;
            }
        }
        survey.cgroups = cgroups.into_iter().collect();
        if let Ok(bytes) = read_once(proc, c"self/net/dev", buffer) {
            let by_mac = with_macs(sys, macs).unwrap_or_default();
            let by_address = with_addresses(addresses).unwrap_or_default();
            survey.interfaces = interface_names(bytes)
                .take(INTERFACES_MAX)
                .map(text)
                .map(|name| SeenInterface {
                    has_mac: by_mac.contains(&name),
                    has_ipv4: by_address.contains(&name),
                    name,
                })
                .collect();
            survey.interfaces.sort_by(|a, b| a.name.cmp(&b.name));
        }
        survey
    }
}

/// The cgroup that counts a process's CPU time.
fn cpu_path(bytes: &[u8]) -> Option<String> {
    let counts = hierarchies(bytes)
        .find(|hierarchy| hierarchy.has(b"cpuacct"))
        .or_else(|| hierarchies(bytes).find(crate::kernel::parse::Hierarchy::is_unified))?;
    Some(text(counts.path))
}

/// As it can be printed.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().map(|it| if it.is_control() { '?' } else { it }).take(TEXT_LONGEST).collect()
}
