//! The text of `esp check --source`.

use std::fmt::Write as _;

use super::words::{fact, seconds};
use crate::check::probe_findings::{
    CgroupFinding, ComparisonFinding, InterfaceFinding, ProbeFinding, ProbedContainer, Proof,
    TierVerdict, Who,
};

/// What is there at once.
pub(in crate::check) fn machine(probe: &ProbeFinding) -> String {
    let unknown = || "unknown".to_owned();
    let number = |number: Option<u64>| number.map_or_else(unknown, |number| number.to_string());
    let it = &probe.machine;
    let limit = probe.cpu_limit_vcpu.map_or_else(|| "none".to_owned(), |it| format!("{it} vCPU"));
    let mut lines = vec![
        fact("launch type", probe.launch_type.as_deref().unwrap_or("unknown")),
        fact("CPU limit", limit),
        fact("kernel", it.release.as_deref().unwrap_or("unknown")),
        fact("cgroup version", it.cgroup_version.unwrap_or("unknown")),
        fact("own cgroup", it.own_cgroup.as_deref().unwrap_or("unknown")),
        fact(
            "CPUs",
            format!(
                "{} in /proc/stat, {} for this process",
                number(it.cpus.map(u64::from)),
                number(it.usable_cpus.and_then(|cpus| u64::try_from(cpus).ok()))
            ),
        ),
        fact(
            "up",
            format!("{} s, since {} s after 1970", number(it.uptime_s), number(it.booted_unix_s)),
        ),
        fact("processes", format!("{} visible", it.processes)),
    ];
    lines.extend(it.cgroups.iter().map(cgroup));
    lines.extend(it.interfaces.iter().map(interface));
    let mut text = "\nMachine: ok\n".to_owned();
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn cgroup(it: &CgroupFinding) -> String {
    let whose = it.container.map_or_else(
        || "no container of the task".to_owned(),
        |number| format!("container {number}"),
    );
    fact("cgroup", format!("{}: {}, {whose}", it.path, processes(it.processes)))
}

fn interface(it: &InterfaceFinding) -> String {
    let has = match (it.has_mac, it.has_ipv4) {
        (true, true) => "has the task's MAC and IPv4 address",
        (true, false) => "has the task's MAC address",
        (false, true) => "has the task's IPv4 address",
        (false, false) => "has neither of the task's addresses",
    };
    fact("interface", format!("{}: {has}", it.name))
}

/// What came of the renewals.
pub(super) fn sources(probe: &ProbeFinding) -> Vec<String> {
    let mut lines = vec![fact("took", format!("{} s", probe.seconds))];
    for container in &probe.containers {
        lines.extend(self::container(container));
    }
    lines.extend(probe.comparison.iter().map(comparison));
    if probe.comparison.is_empty() {
        lines.push(fact("/proc/stat", "not compared: too few samples"));
    }
    lines.extend(probe.verdicts.iter().map(verdict));
    lines
}

fn container(it: &ProbedContainer) -> Vec<String> {
    let cadence =
        it.cadence_ms.map_or_else(String::new, |ms| format!(", a new value every {}", seconds(ms)));
    let renewals = if it.has_two_renewals { "" } else { ", fewer than two new samples" };
    let who = match it.who {
        Who::Own => "ESP's own",
        Who::Measured => "measured",
        Who::Injected => "injected by AWS",
        Who::Other => "not measured",
    };
    let who = format!("{who}, {}, id {}{cadence}{renewals}", it.state, it.id_form);
    let proof = match (it.proof, it.agreed, it.needed) {
        (Proof::Proven, ..) => ", proven".to_owned(),
        (Proof::AtRest, ..) => ", idle in both sources".to_owned(),
        (Proof::Refuted, ..) => ", the endpoint disagreed".to_owned(),
        (_, Some(agreed), Some(needed)) => format!(", {agreed} of {needed} comparisons agreed"),
        _ => String::new(),
    };
    let file = match &it.no_file {
        _ if it.file_is_open => format!("open{proof}"),
        Some(reason) => reason.clone(),
        None => "not searched".to_owned(),
    };
    let processes = match &it.no_sum {
        Some(reason) => format!("{} followed; {reason}", it.processes),
        None if it.file_is_open => format!("{} followed", it.processes),
        None => format!("{} followed{proof}", it.processes),
    };
    vec![
        fact(&format!("container {}", it.number), who),
        fact("  cgroup file", file),
        fact("  processes", processes),
    ]
}

fn comparison(it: &ComparisonFinding) -> String {
    fact(
        "/proc/stat",
        format!(
            "over {:.1} s the machine used {:.3} CPUs, the containers {:.3}; difference {:.3}",
            it.seconds, it.machine_cpus, it.containers_cpus, it.difference_cpus
        ),
    )
}

fn verdict(it: &TierVerdict) -> String {
    let answer = if it.is_possible { "can be read" } else { "no" };
    fact(it.tier, format!("{answer}: {}", it.what))
}

/// How many, in words.
pub(in crate::check) fn processes(count: usize) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}
